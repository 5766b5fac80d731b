"""A slot's schedule with as few handovers as cost nothing: who can stay with a satellite, stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.levels_kernel import STEPS
from skylift.sky.schedule.problem import Schedule, Slot, UserPairs
from skylift.sky.schedule.scheduler import BeamScheduler

Flags = npt.NDArray[np.bool_]

# Levels this near to the top are full; schedules leave out shares of a billionth.
_FULL = STEPS - 1e-6


def steady_schedule(scheduler: BeamScheduler, slot: Slot, before: Schedule | None) -> Schedule:
    """The schedule of a slot in which cells keep the satellites of the slot before where these serve as well.

    First every cell is held to the satellites that it had; then those that are not full are let go. If all
    are full then, no schedule could serve more. Else the one over all pairs is made as well, and taken where
    anybody's level, the lowest against the lowest and so on, is better by more than keep_level.
    """
    if before is None:
        return scheduler.schedule(slot)
    site = np.repeat(np.arange(len(slot.cells)), np.diff(slot.pairs.offset))
    stays = pairs_among(slot, before.cell.astype(np.int64), before.satellite)
    stays |= ~_any_by(site, stays, len(slot.cells))[site]
    reachable = _any_by(site, _in_reach(slot)[slot.pairs.satellite], len(slot.cells))
    staying = scheduler.schedule(only_pairs(slot, stays), before)
    short = reachable & (staying.level < _FULL)
    if not short.any():
        return staying
    stays |= short[site]
    staying = scheduler.schedule(only_pairs(slot, stays), before)
    if not (reachable & (staying.level < _FULL)).any():
        return staying
    anew = scheduler.schedule(slot, before)
    better = np.sort(anew.level) - np.sort(staying.level)
    return anew if better.max(initial=0.0) > slot.rules.keep_level else staying


def _in_reach(slot: Slot) -> Flags:
    """(N,) satellites that some gateway with an antenna can track."""
    gateways = slot.gateways
    useful = (np.repeat(gateways.antennas, np.diff(gateways.offset)) > 0) & (gateways.feeders_bps() > 0.0)
    reached = np.zeros(len(slot.satellites), dtype=np.bool_)
    reached[gateways.satellite[useful]] = True
    return reached


def _any_by(site: npt.NDArray[np.int64], flag: Flags, sites: int) -> Flags:
    """(sites,) whether any pair of each has the flag."""
    found = np.zeros(sites, dtype=np.bool_)
    found[site[flag]] = True
    return found


def pairs_among(slot: Slot, cell: npt.NDArray[np.int64], satellite: npt.NDArray[np.int32]) -> Flags:
    """(K,) which pairs of a slot are among these, given by their columns."""
    site, n = np.repeat(np.arange(len(slot.cells)), np.diff(slot.pairs.offset)), len(slot.satellites)
    among: Flags = np.isin(site * n + slot.pairs.satellite, cell * n + satellite)
    return among


def only_pairs(slot: Slot, kept: Flags) -> Slot:
    """The slot with these pairs (K,) alone."""
    pairs = slot.pairs
    whole = np.concatenate([[0], np.cumsum(kept)])
    return replace(
        slot,
        pairs=UserPairs(
            offset=whole[pairs.offset].astype(np.int64),
            satellite=pairs.satellite[kept],
            full_rate_bps=pairs.full_rate_bps[kept],
            barred_channels=None if pairs.barred_channels is None else pairs.barred_channels[kept],
        ),
    )
