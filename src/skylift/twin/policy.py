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


def _pick(
    candidates: Candidates, score: Floats | npt.NDArray[np.float32], keep: bool
) -> npt.NDArray[np.int64]:
    chosen = np.empty(len(candidates.previous), dtype=np.int64)
    pick(
        candidates.offset,
        candidates.satellite,
        score,
        candidates.cost_us,
        candidates.previous,
        keep,
        chosen,
    )
    return chosen


def sticky(candidates: Candidates) -> npt.NDArray[np.int64]:
    """Keep the satellite while it can be used and has a route; then take the highest one.

    Few handovers. The highest satellite stays longest in a dish's field of view and has the strongest signal.
    """
    return _pick(candidates, candidates.elevation_rad, keep=True)


def lowest_delay(candidates: Candidates) -> npt.NDArray[np.int64]:
    """In every slot the satellite with the least delay to the PoP: a lower bound on delay, many handovers."""
    return _pick(candidates, -candidates.cost_us, keep=False)


def highest_elevation(candidates: Candidates) -> npt.NDArray[np.int64]:
    """In every slot the highest satellite: the strongest signal, many handovers."""
    return _pick(candidates, candidates.elevation_rad, keep=False)


POLICIES: dict[str, Policy] = {
    "sticky": sticky,
    "lowest-delay": lowest_delay,
    "highest-elevation": highest_elevation,
}
