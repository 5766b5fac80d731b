"""Which satellite carries which part of a cell's curve, so that the lowest levels are high.

A cell has at most PARTS parts; part p of cell c is the pair pair_of[c, p] (-1: none) with the fraction
part_of[c, p] of the cell's curve. time (N, 5) and rate (N, 5) are the sums of these curves by satellite.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.sky.schedule.levels_kernel import STEPS, affordable

PARTS = 4
# Above any score: levels, and what a rate ten times the average could add at the first softness.
STAY = 100.0


@njit(cache=True, inline="always")
def _add(time, rate, s, steps, full_rate, fraction):
    for k in range(STEPS):
        amount = fraction * steps[k]
        rate[s, k] += amount
        time[s, k] += amount / full_rate


@njit(cache=True, inline="always")
def _level_with(time, rate, s, steps, full_rate, fraction, beams, feeder):
    """The satellite's level if it carried `fraction` more of a curve (less, where negative)."""
    time_left, rate_left = beams, feeder
    for k in range(STEPS):
        r = rate[s, k] + fraction * steps[k]
        t = time[s, k] + fraction * steps[k] / full_rate
        if t > time_left or r > rate_left:
            by_time = time_left / t if t > time_left else 1.0
            by_rate = rate_left / r if r > rate_left else 1.0
            return k + min(by_time, by_rate)
        time_left -= t
        rate_left -= r
    return STEPS + min(time_left / beams, rate_left / feeder)


@njit(cache=True, inline="always")
def _pace(time, rate, s):
    """Beam time that a satellite takes for a bit, on average; 0 where it carries nothing."""
    all_time, all_rate = 0.0, 0.0
    for i in range(STEPS):
        all_time += time[s, i]
        all_rate += rate[s, i]
    # What rounding has left of sums that are empty is no pace.
    return all_time / all_rate if all_time > 1e-9 and all_rate > 1.0 else 0.0


@njit(cache=True)
def satellite_levels(time, rate, beams, feeder, level):
    for s in range(len(level)):
        level[s] = affordable(time[s], rate[s], float(beams[s]), feeder[s])


@njit(cache=True)
def join(
    offset, satellite, full_rate, steps, beams, feeder, previous, keep_level, softness, level, order, pair_of,
    part_of, time, rate,
):  # fmt: skip
    """One round: each undivided cell, in `order`, goes where its level is highest; how many changed.

    feeder    (N,) bps, 0 for a satellite without an antenna
    previous  bool (K,): the pair was used in the slot before
    softness  how much a rate better than the satellite's average counts, in levels per e-fold
    level     (N,) before the round: a cell all of whose satellites fill everybody stays where it is
    """
    moved = 0
    # What a satellite spends on a bit, all its cells together; changed with its sums.
    pace = np.empty(len(level))
    for s in range(len(level)):
        pace[s] = _pace(time, rate, s)
    for c in order:
        if pair_of[c, 1] >= 0:
            continue
        now = pair_of[c, 0]
        if now >= 0:
            short = False
            for k in range(offset[c], offset[c + 1]):
                short = short or (feeder[satellite[k]] > 0.0 and level[satellite[k]] < STEPS)
            if not short:
                continue
            _add(time, rate, satellite[now], steps[c], full_rate[now], -1.0)
            pace[satellite[now]] = _pace(time, rate, satellite[now])
        best, best_score = -1, -np.inf
        for k in range(offset[c], offset[c + 1]):
            s = satellite[k]
            if feeder[s] <= 0.0 or full_rate[k] <= 0.0 or beams[s] <= 0:
                continue
            score = _level_with(time, rate, s, steps[c], full_rate[k], 1.0, float(beams[s]), feeder[s])
            # Spare room is no reason to leave: beyond 5 it only tells equals apart.
            if score >= STEPS:
                score = STEPS + 0.1 * (score - STEPS)
                # Nor is a better rate, while the satellite it had fills all of its cells.
                if previous[k] and keep_level > 0.0:
                    score += STAY
            # A logarithm is dear, and what it adds is at most softness x (ratio - 1).
            ratio = full_rate[k] * pace[s] if pace[s] > 0.0 else 1.0
            kept = keep_level if previous[k] else 0.0
            if k != now and score + softness * (ratio - 1.0) + kept <= best_score:
                continue
            score += softness * math.log(ratio) + kept
            # The pair it has wins among equals, or rounds would never end.
            if score > best_score + 1e-9 or (k == now and score >= best_score - 1e-9):
                best, best_score = k, score
        if best >= 0:
            _add(time, rate, satellite[best], steps[c], full_rate[best], 1.0)
            pace[satellite[best]] = _pace(time, rate, satellite[best])
        if best != now:
            moved += 1
        pair_of[c, 0] = best
        part_of[c, 0] = 1.0 if best >= 0 else 0.0
    return moved


@njit(cache=True)
def divide(
    offset, satellite, full_rate, steps, beams, feeder, previous, keep_level, least_gap, pair_of, part_of,
    time, rate, level,
):  # fmt: skip
    """One round: each cell hands a fraction from its lowest satellite to the best, until these two are level.

    level  (N,) of the satellites, kept up to date
    Returns how many cells handed something over.
    """
    handed = 0
    for c in range(len(steps)):
        if pair_of[c, 0] < 0:
            continue
        low = -1
        for p in range(PARTS):
            if pair_of[c, p] >= 0 and (
                low < 0 or level[satellite[pair_of[c, p]]] < level[satellite[pair_of[c, low]]]
            ):
                low = p
        from_pair = pair_of[c, low]
        a = satellite[from_pair]
        if level[a] >= STEPS:
            continue
        best, best_level = -1, level[a] + least_gap + (keep_level if previous[from_pair] else 0.0)
        for k in range(offset[c], offset[c + 1]):
            s = satellite[k]
            if k != from_pair and feeder[s] > 0.0 and full_rate[k] > 0.0 and beams[s] > 0:
                there = min(level[s], float(STEPS)) + (keep_level if previous[k] else 0.0)
                if there > best_level:
                    best, best_level = k, there
        if best < 0:
            continue
        b = satellite[best]
        place = -1
        for p in range(PARTS):
            if pair_of[c, p] == best:
                place = p
        for p in range(PARTS):
            if place < 0 and pair_of[c, p] < 0:
                place = p
        if place < 0:
            continue
        most = part_of[c, low]
        less, more = 0.0, most
        for _ in range(14):
            part = 0.5 * (less + more)
            left = _level_with(
                time, rate, a, steps[c], full_rate[from_pair], -part, float(beams[a]), feeder[a]
            )
            right = _level_with(time, rate, b, steps[c], full_rate[best], part, float(beams[b]), feeder[b])
            if left < right:
                less = part
            else:
                more = part
        # Crumbs are not worth a satellite: the fraction handed over is at least a hundredth.
        if less < 0.01:
            continue
        part = most if less > most - 0.01 else less
        _add(time, rate, a, steps[c], full_rate[from_pair], -part)
        _add(time, rate, b, steps[c], full_rate[best], part)
        level[a] = affordable(time[a], rate[a], float(beams[a]), feeder[a])
        level[b] = affordable(time[b], rate[b], float(beams[b]), feeder[b])
        pair_of[c, place] = best
        part_of[c, place] += part
        part_of[c, low] -= part
        if part == most:
            pair_of[c, low] = -1
            part_of[c, low] = 0.0
            _close_gap(pair_of[c], part_of[c])
        handed += 1
    return handed


@njit(cache=True)
def _close_gap(pairs, parts):
    """Parts stand first, free places last."""
    at = 0
    for p in range(PARTS):
        if pairs[p] >= 0:
            pairs[at], parts[at] = pairs[p], parts[p]
            at += 1
    for p in range(at, PARTS):
        pairs[p], parts[p] = -1, 0.0


@njit(cache=True)
def mark_previous(offset, satellite, row_cell, row_satellite, out):
    """Which pairs (K,) the rows of the slot before used; rows sorted by cell."""
    out[:] = False
    for i in range(len(row_cell)):
        c = row_cell[i]
        for k in range(offset[c], offset[c + 1]):
            if satellite[k] == row_satellite[i]:
                out[k] = True
