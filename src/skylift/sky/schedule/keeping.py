"""The slot before: what a kept pair is worth while much is undecided; which units come back first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Floats, Ints, Schedule

# While parts are settled their levels are coarse, so a pair that was used is worth so many bonuses then: half
# a level by default, times how it stands beside the best of its cell by price. In 15 s a satellite moves by
# the width of what it serves, and one that sinks soon covers too much ground to be held. Twice as many spare
# 1.5 pairs in a hundred, and cost the worst-off of a crowd 0.04 of a level.
SETTLED_BONUSES = 25.0
# The same while cells are balanced over satellites, before lanes. Of pairs 8 in a hundred fewer are dropped
# than with one bonus, and as much is served; with 8 bonuses 2 fewer still, and 0.2 % less.
BALANCED_BONUSES = 5.0
# What time by way of a new pair must bring more than by way of a kept one when it is exchanged: with a whole
# bonus the worst-off stand 0.004 of a level lower, and a pair in a hundred fewer is dropped.
EXCHANGED_BONUSES = 0.5

Indices = npt.NDArray[np.int64]


def beside_the_best(offset: Indices, pair: Indices, priced: Indices, weight: Floats) -> Floats:
    """(Q,) 0 to 1: the weight of each listed pair over the heaviest of its cell.

    offset (M+1,), pair (Q,)  the short list by cell;  priced, weight  all that have a price
    """
    weight_of = np.zeros(max(int(priced.max(initial=-1)), int(pair.max(initial=-1))) + 1)
    weight_of[priced] = weight
    mine = weight_of[pair]
    some = np.flatnonzero(np.diff(offset))
    if not len(some):
        return mine
    heaviest = np.repeat(np.maximum.reduceat(mine, offset[some]), np.diff(offset)[some])
    return np.asarray(mine / np.maximum(heaviest, 1e-300))


def kept_worth(keep_level: float, kept: npt.NDArray[np.bool_], beside_best: Floats) -> Floats:
    """(Q,) levels that a listed pair is worth more for having been used in the slot before."""
    bonuses: Floats = np.maximum(SETTLED_BONUSES * beside_best, 1.0)
    return np.where(kept, keep_level * bonuses, 0.0)


def units_before(
    previous: Schedule, local: Ints, offset: Indices, satellite: Ints, beside_best: Floats
) -> tuple[Indices, Indices, Ints, Floats]:
    """The units of the slot before, the best first: listed pair, cell, channel, part of the cell's rate (R,).

    local  (N,) numbers of the satellites by which the short list (offset, satellite) names them, -1: none
    """
    channels = int(previous.channel.max(initial=0)) + 1
    n = len(local)
    key = (previous.cell.astype(np.int64) * n + previous.satellite) * channels + previous.channel
    unit, row = np.unique(key, return_inverse=True)
    rate = np.bincount(row, weights=previous.rate_bps, minlength=len(unit))
    pair_before, channel = np.divmod(unit, channels)
    cell, server = np.divmod(pair_before, n)
    part = rate / np.bincount(cell, weights=rate)[cell]
    listed = np.repeat(np.arange(len(offset) - 1), np.diff(offset)) * n + satellite
    sought = cell * n + local[server]
    pair = np.minimum(np.searchsorted(listed, sought), max(len(listed) - 1, 0))
    found = np.flatnonzero((local[server] >= 0) & (listed[pair] == sought)) if len(listed) else pair[:0]
    pair, part = pair[found], part[found]
    by = np.argsort(-beside_best[pair] * part, kind="stable")
    return pair[by], cell[found][by], channel[found][by].astype(np.int32), part[by]
