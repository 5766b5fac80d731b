"""Which satellite a terminal takes: named, replaceable policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.base.randomness import random_stream
from skylift.twin.choose_kernel import pick

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All usable pairs of a slot, in CSR order by terminal.

    offset         int64 (M+1,); satellite  int32 (K,)
    elevation_rad  float32 (K,) at slot start
    cost_us        (K,) one-way delay terminal -> PoP over this satellite; inf where it has no route
    previous       int32 (M,) the satellite of the slot before, -1 for none
    at_us          when the slot begins
    """

    offset: npt.NDArray[np.int64]
    satellite: npt.NDArray[np.int32]
    elevation_rad: npt.NDArray[np.float32]
    cost_us: Floats
    previous: npt.NDArray[np.int32]
    at_us: int = 0


# A policy gives one pair index per terminal, int64 (M,); -1 where no pair has a route.
Policy = Callable[[Candidates], npt.NDArray[np.int64]]


# Assumed: a detour that a person does not notice, and the size of the steps that the real network makes.
DETOUR_US = 5_000.0
# At how many of so many edges of slots another satellite began: tracks in dishes' obstruction maps of 17 July
# 2024, from the data to Ahangarpour, Zhao and Pan, "Trajectory-based Serving Satellite Identification"
# (LEO-NET 2024; github.com/aliahan/SatInView). Counted by us: a track that goes on over an edge is one
# satellite. Files white_pixel_coordinates_xor*.csv: _ucl from 18:07:57 and 19:13:57 on, _kna from 18:14:57
# (and first_kna.csv from 17:40:57), 714_brisbane from 05:45:06, 11 minutes each (first_kna: 3).
OBSERVED_CHANGES = {
    "Louvain-la-Neuve, 50.7 N": (74, 86),
    "Kanazawa, 36.5 N": (30, 55),
    "Brisbane, 27.5 S": (32, 44),
}
# The share of slots in which a terminal leaves its satellite although it could stay. With it 86 % begin with
# another in an hour of scenarios/ukraine-2022.toml (46 to 51 N), as at the one of these places that is as far
# north, under the crowded edge of the shells. Elsewhere it is too high: it does not know of places.
CHANGE_FRACTION = 0.81


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


def starlink_observed(candidates: Candidates) -> npt.NDArray[np.int64]:
    """Another satellite in most slots, as observed of Starlink: the highest that it does not have already.

    High ones are preferred (Tanveer et al., CoNEXT Companion 2023; not read again). A terminal leaves its
    satellite in `CHANGE_FRACTION` of slots, drawn for each, where another's way is at most two detours longer
    than the shortest; else it is `sticky`.
    """
    kept = sticky(candidates)
    random = random_stream(0, f"policy/starlink-observed/{candidates.at_us}")
    leaves = random.random(len(kept)) < CHANGE_FRACTION
    site = np.repeat(np.arange(len(kept)), np.diff(candidates.offset))
    left = leaves[site] & (candidates.satellite == candidates.previous[site])
    other = _highest_of_near(replace(candidates, cost_us=np.where(left, np.inf, candidates.cost_us)))
    cost_us = np.append(candidates.cost_us, np.inf)
    least_us = cost_us[lowest_delay(candidates)]
    return np.where(leaves & (cost_us[other] <= least_us + 2.0 * DETOUR_US), other, kept)


def _highest_of_near(candidates: Candidates) -> npt.NDArray[np.int64]:
    """In every slot the highest of those at most one detour longer than the shortest."""
    return _pick(candidates, candidates.elevation_rad, DETOUR_US)


POLICIES: dict[str, Policy] = {
    "sticky": sticky,
    "lowest-delay": lowest_delay,
    "highest-elevation": highest_elevation,
    "starlink-observed": starlink_observed,
}
