"""Which satellite a terminal takes: named, replaceable policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.twin.choose_kernel import pick

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All usable pairs of a slot, in CSR order by terminal.

    offset         int64 (M+1,); satellite  int32 (K,)
    elevation_rad  float32 (K,) at slot start
    cost_us        (K,) one-way delay terminal -> PoP over this satellite; inf where it has no route
    previous       int32 (M,) the satellite of the slot before, -1 for none
    """

    offset: npt.NDArray[np.int64]
    satellite: npt.NDArray[np.int32]
    elevation_rad: npt.NDArray[np.float32]
    cost_us: Floats
    previous: npt.NDArray[np.int32]


# A policy gives one pair index per terminal, int64 (M,); -1 where no pair has a route.
Policy = Callable[[Candidates], npt.NDArray[np.int64]]


# Assumed: a detour that a person does not notice, and the size of the steps that the real network makes.
DETOUR_US = 5_000.0


def _pick(
    candidates: Candidates,
    score: Floats | npt.NDArray[np.float32],
    slack_us: float = np.inf,
    keep_slack_us: float = -np.inf,
) -> npt.NDArray[np.int64]:
    chosen = np.empty(len(candidates.previous), dtype=np.int64)
    pick(
        candidates.offset,
        candidates.satellite,
        score,
        candidates.cost_us,
        candidates.previous,
        slack_us,
        keep_slack_us,
        chosen,
    )
    return chosen


def sticky(candidates: Candidates) -> npt.NDArray[np.int64]:
    """Keep the satellite while its way is at most two detours longer than the shortest; else the highest.

    The highest of those whose way is at most one detour (5 ms one-way) longer than the shortest: a high
    satellite stays long in a dish's field of view and has a strong signal, but over lasers it may be far from
    any gateway.
    """
    return _pick(candidates, candidates.elevation_rad, DETOUR_US, 2.0 * DETOUR_US)


def lowest_delay(candidates: Candidates) -> npt.NDArray[np.int64]:
    """In every slot the satellite with the least delay to the PoP: a lower bound on delay, many handovers."""
    return _pick(candidates, -candidates.cost_us)


def highest_elevation(candidates: Candidates) -> npt.NDArray[np.int64]:
    """In every slot the highest satellite: the strongest signal, many handovers."""
    return _pick(candidates, candidates.elevation_rad)


POLICIES: dict[str, Policy] = {
    "sticky": sticky,
    "lowest-delay": lowest_delay,
    "highest-elevation": highest_elevation,
}
