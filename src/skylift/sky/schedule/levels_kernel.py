"""Demand curves with common corners: what a cell or a satellite needs at a level, and what it can afford.

A curve is five steps: step k is what it takes to rise from level k to k + 1. Cells have curves in bps,
satellites the sums of their cells' curves in beam time and in bps. Levels run from 0 to 5.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

STEPS = 5


@njit(cache=True, inline="always")
def amount_at(steps, level):
    """The curve's height at a level."""
    whole = min(int(level), STEPS)
    total = 0.0
    for k in range(whole):
        total += steps[k]
    if whole < STEPS:
        total += (level - whole) * steps[whole]
    return total


@njit(cache=True, inline="always")
def level_at(steps, amount):
    """The highest level that an amount reaches; what is wanted by nobody is passed through for nothing."""
    left = amount
    # A corner that is missed by rounding is reached.
    hair = 1e-9 * amount
    for k in range(STEPS):
        if steps[k] > max(left + hair, 0.0):
            return k + max(left, 0.0) / steps[k]
        left -= steps[k]
    return float(STEPS)


@njit(cache=True, inline="always")
def level_below(steps, amount):
    """The level left after a hair of an amount is taken away: what a cell would fall to as a giver."""
    left = amount
    hair = 1e-9 * amount
    for k in range(STEPS):
        if steps[k] > 0.0 and steps[k] >= left - hair:
            return k + min(max(left, 0.0) / steps[k], 1.0)
        left -= steps[k]
    return float(STEPS)


@njit(cache=True, inline="always")
def affordable(time, rate, beams, feeder):
    """Level at which a satellite runs out of beam time or of feeder; from 5 to 6 by the part left unused.

    time, rate  (5,): steps of the sum of its cells' curves, in beams and in bps
    """
    time_left, rate_left = beams, feeder
    for k in range(STEPS):
        if time[k] > time_left or rate[k] > rate_left:
            by_time = time_left / time[k] if time[k] > time_left else 1.0
            by_rate = rate_left / rate[k] if rate[k] > rate_left else 1.0
            return k + min(by_time, by_rate)
        time_left -= time[k]
        rate_left -= rate[k]
    if beams <= 0.0 or feeder <= 0.0:
        return float(STEPS)
    return STEPS + min(time_left / beams, rate_left / feeder)


@njit(cache=True)
def demand_curves(wanted_bps, barred, floor_fraction, portions, out):
    """Steps of all cells' curves, (M, 5) bps: the floor of all classes, then the rest as in `portions`.

    portions  (4, 4): of each class's rest (column) in each step (row)
    """
    for c in range(len(barred)):
        out[c, :] = 0.0
        if barred[c] != 0:
            continue
        for k in range(STEPS - 1):
            out[c, 0] += floor_fraction * wanted_bps[c, k]
            for j in range(STEPS - 1):
                out[c, j + 1] += portions[j, k] * (1.0 - floor_fraction) * wanted_bps[c, k]


@njit(cache=True)
def by_class(steps, wanted_bps, rate_bps, floor_fraction, portions, served_bps, level):
    """Each cell's rate split over its classes, (M, 4), and its level, (M,); portions as in demand_curves."""
    for c in range(len(rate_bps)):
        at = level_at(steps[c], rate_bps[c])
        level[c] = at
        wants = 0.0
        for k in range(STEPS):
            wants += steps[c, k]
        for k in range(STEPS - 1):
            rest = 0.0
            for j in range(STEPS - 1):
                rest += portions[j, k] * min(max(at - (j + 1), 0.0), 1.0)
            part = floor_fraction * min(at, 1.0) + (1.0 - floor_fraction) * rest
            # All parts of it add up to 1 but for rounding.
            if rest > 1.0 - 1e-12 or at >= STEPS:
                part = 1.0
            served_bps[c, k] = part * wanted_bps[c, k] if wants > 0.0 else 0.0


@njit(cache=True)
def heights(steps):
    """Each curve's height at the levels 1 to 5, (M, 5)."""
    out = steps.copy()
    for c in range(len(steps)):
        for k in range(1, STEPS):
            out[c, k] += out[c, k - 1]
    return out


@njit(cache=True)
def pour(cells, slowness, height, got, beams, feeder):
    """Level to which a satellite can raise all of its cells that lie lower, and the bps that it takes.

    cells, slowness  (n,) its cells and the seconds per bit to them;  height (M, 5) of `heights`
    got              (M,) bps that cells have already
    """
    n = len(cells)
    time, rate = 0.0, 0.0
    # The full level is tried first: most satellites of a world have time for all they see.
    for i in range(n):
        want = max(height[cells[i], STEPS - 1] - got[cells[i]], 0.0)
        rate += want
        time += want * slowness[i]
    if time <= beams and rate <= feeder:
        return float(STEPS), rate
    whole, poured = 0, 0.0
    for k in range(STEPS - 1):
        time, rate = 0.0, 0.0
        for i in range(n):
            want = max(height[cells[i], k] - got[cells[i]], 0.0)
            rate += want
            time += want * slowness[i]
        if time > beams or rate > feeder:
            break
        whole, poured = k + 1, rate
    start, step = np.empty(n), np.empty(n)
    for i in range(n):
        c = cells[i]
        below = height[c, whole - 1] if whole > 0 else 0.0
        start[i], step[i] = below - got[c], height[c, whole] - below
    low, high = 0.0, 1.0
    # 10 halvings of a step: to 0.001 of a level.
    for _ in range(10):
        middle = 0.5 * (low + high)
        time, rate = 0.0, 0.0
        for i in range(n):
            want = max(start[i] + middle * step[i], 0.0)
            rate += want
            time += want * slowness[i]
        if time <= beams and rate <= feeder:
            low, poured = middle, rate
        else:
            high = middle
    return whole + low, poured


@njit(cache=True)
def urgency(poured, level):
    """What pouring `poured` bps up to `level` is worth: filling low levels comes first."""
    return poured * math.exp(-4.0 * level)


@njit(cache=True)
def cells_of_satellites(offset, satellite, rate_bps, steps, n):
    """Pairs by satellite: offset (n+1,), cell (K',), seconds per bit (K',); none that wants nothing."""
    out_offset = np.zeros(n + 1, np.int64)
    for c in range(len(offset) - 1):
        if steps[c].sum() > 0.0:
            for k in range(offset[c], offset[c + 1]):
                if rate_bps[k] > 0.0:
                    out_offset[satellite[k] + 1] += 1
    for s in range(n):
        out_offset[s + 1] += out_offset[s]
    at = out_offset[:-1].copy()
    cell = np.empty(out_offset[-1], np.int32)
    slowness = np.empty(out_offset[-1])
    for c in range(len(offset) - 1):
        if steps[c].sum() > 0.0:
            for k in range(offset[c], offset[c + 1]):
                if rate_bps[k] > 0.0:
                    s = satellite[k]
                    cell[at[s]] = c
                    slowness[at[s]] = 1.0 / rate_bps[k]
                    at[s] += 1
    return out_offset, cell, slowness
