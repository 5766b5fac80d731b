"""Takes some parts out of their units and puts them in again in another order, again and again; what helps
stays. Parts and units as in units_kernel.

Each part stands where it is best for itself, given all others; a better pattern of channels may need many of
them to move at once (Shaw 1998, "Using constraint programming and local search methods to solve vehicle
routing problems", on large neighbourhoods).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS
from skylift.sky.schedule.oust_kernel import STEEP, lack
from skylift.sky.schedule.units_kernel import move, seek

# How dear it is, in turn, to cover cells anew while parts are put in again, in units of `cost`.
DEAR = np.array([1.0, 0.25, 2.0])
# No more parts go out at once: with all those of a wide cone, 130 cells below satellites of three arrays were
# served 2 % less.
MOST_OUT = 60


@njit(**LEAN)
def _draw(state, below):
    """The next of a fixed row of numbers below `below`: Knuth's multiplier and MMIX's increment, 64 bits."""
    state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return int((state[0] >> np.uint64(33)) % np.uint64(below))


@njit(**LEAN)
def _choose(kind, v, part_cell, part_pair, part_channel, list_, inside, out):
    """Parts that go out with part v, into out: how many. kind 0: all on its channel; 1: of its satellite;
    2: of the cells that its beam covers. inside (M,) False, and left so."""
    satellite, cone_offset, cone = list_[1], list_[5], list_[6]
    q, n = part_pair[v], 0
    if q < 0:
        kind = 3
    if kind == 2:
        for i in range(cone_offset[q], cone_offset[q + 1]):
            inside[cone[i]] = True
    for w in range(len(part_cell)):
        p = part_pair[w]
        goes = part_cell[w] == part_cell[v]
        if kind == 0:
            goes = p >= 0 and part_channel[w] == part_channel[v]
        elif kind == 1:
            goes = p >= 0 and satellite[p] == satellite[q]
        elif kind == 2:
            goes = inside[part_cell[w]]
        # One that stands nowhere is always asked again.
        if (goes or p < 0) and n < len(out):
            out[n] = w
            n += 1
    if kind == 2:
        for i in range(cone_offset[q], cone_offset[q + 1]):
            inside[cone[i]] = False
    return n


@njit(cache=True)
def remake(rounds, soft, part_cell, part_of, part_pair, part_channel, steps, feeder, cost, units, list_):
    """So many times: some parts out and in again, kept if all lack less then; how many times it was.

    soft  (S,) how steeply levels count in each S-th of the rounds, in units of STEEP
    Others as in units_kernel.settle. No rule is broken on the way or at the end; the same each time.
    """
    satellite, channels, total = list_[1], units[11].shape[1], len(part_cell)
    reached, fresh = np.empty(channels), np.empty((2, channels), np.int64)
    inside = np.zeros(len(steps), np.bool_)
    out = np.empty(min(total, MOST_OUT), np.int64)
    old_pair, old_channel = np.empty(total, np.int64), np.empty(total, np.int64)
    state = np.ones(1, np.uint64)
    mass, unplaced = np.zeros(len(units[2])), 0.0
    for v in range(total):
        if part_pair[v] >= 0:
            mass[satellite[part_pair[v]] * channels + part_channel[v]] += part_of[v]
        else:
            unplaced += part_of[v]
    before, better, steep = 0.0, 0, 0.0
    for turn in range(rounds if total else 0):
        now = soft[turn * len(soft) // rounds] * STEEP
        if now != steep:
            steep = now
            before = lack(mass, unplaced, units, steep)
        n = _choose(turn % 3, _draw(state, total), part_cell, part_pair, part_channel, list_, inside, out)
        for k in range(n):
            at = _draw(state, n - k) + k
            out[k], out[at] = out[at], out[k]
        for k in range(n):
            w = out[k]
            q, f = part_pair[w], part_channel[w]
            old_pair[k], old_channel[k] = q, f
            if q >= 0:
                move(q, part_cell[w], f, part_of[w], -1, steps, feeder, units, list_)
                mass[satellite[q] * channels + f] -= part_of[w]
            else:
                unplaced -= part_of[w]
            part_pair[w] = -1
        dear = cost * DEAR[_draw(state, len(DEAR))]
        for again in range(2):
            for k in range(n):
                w = out[k]
                c, q, f = part_cell[w], part_pair[w], part_channel[w]
                if q >= 0:
                    move(q, c, f, part_of[w], -1, steps, feeder, units, list_)
                    mass[satellite[q] * channels + f] -= part_of[w]
                elif again:
                    unplaced -= part_of[w]
                q, f = seek(
                    c, part_of[w], q, f, float(STEPS), steps, feeder, dear * (1.0 - 0.9 * again), 0.0, units,
                    list_, reached, fresh,
                )  # fmt: skip
                part_pair[w], part_channel[w] = q, f
                if q >= 0:
                    move(q, c, f, part_of[w], 1, steps, feeder, units, list_)
                    mass[satellite[q] * channels + f] += part_of[w]
                else:
                    unplaced += part_of[w]
        after = lack(mass, unplaced, units, steep)
        if after < before * (1.0 - 1e-9):
            before = after
            better += 1
            continue
        for k in range(n):
            w = out[k]
            q, f = part_pair[w], part_channel[w]
            if q >= 0:
                move(q, part_cell[w], f, part_of[w], -1, steps, feeder, units, list_)
                mass[satellite[q] * channels + f] -= part_of[w]
            else:
                unplaced -= part_of[w]
        for k in range(n):
            w = out[k]
            q, f = old_pair[k], old_channel[k]
            part_pair[w], part_channel[w] = q, f
            if q >= 0:
                move(q, part_cell[w], f, part_of[w], 1, steps, feeder, units, list_)
                mass[satellite[q] * channels + f] += part_of[w]
            else:
                unplaced += part_of[w]
        before = lack(mass, unplaced, units, steep)
    return better
