"""Makes room for parts of cells that stand low: others leave a channel. Parts and units as in units_kernel.

A cell may stand at nothing although satellites see it: on each channel some neighbour is served by another
satellite, and a cell that moves by itself cannot change that. Here whoever is in the way goes first, each to
where it then stands best; what all of that is worth together decides whether it stays so.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS, amount_at, level_at
from skylift.sky.schedule.units_kernel import ONE, ONE_S, move, reached_level, seek, shut

# What a part lacks counts as exp(-STEEP x level): a cell at 1 outweighs 400 at 2, about as leximin has it.
STEEP = 6.0
# Of the units that a part could join, so many are tried, more for a cell that nothing else helped; and what
# one in the way costs there, in levels.
TRIED, MORE_TRIED, IN_THE_WAY = 6, 48, 0.3
# No more are moved for one.
MOST_OUSTED = 24


@njit(cache=True)
def standing(part_cell, part_of, part_pair, part_channel, steps, units, list_, cell_level):
    """The level of each cell, (M,), from what its parts are given."""
    level, bound = units[2], units[3]
    channels = units[11].shape[1]
    got = np.zeros(len(steps))
    for v in range(len(part_cell)):
        q, c = part_pair[v], part_cell[v]
        if q >= 0:
            s = list_[1][q]
            top = min(level[s * channels + part_channel[v]], bound[s], float(STEPS))
            got[c] += part_of[v] * amount_at(steps[c], top)
    for c in range(len(steps)):
        cell_level[c] = level_at(steps[c], got[c])


@njit(**LEAN)
def lack(mass, unplaced, units, steep):
    """What all parts lack together: the lower a unit stands, the more.

    mass  (N*F,) fractions of cells' curves in each unit;  unplaced  those in none
    """
    level, bound = units[2], units[3]
    channels = units[11].shape[1]
    total = unplaced
    for u in range(len(mass)):
        if mass[u] > 0.0:
            total += mass[u] * math.exp(-steep * min(level[u], bound[u // channels], float(STEPS)))
    return total


@njit(cache=True)
def _candidates(c, fraction, least, steps, feeder, units, list_, pairs, channel_of):
    """Units that a part of cell c could join above the level `least` but for others in the way: how many.

    pairs, channel_of  (T,) filled, the best first: the level there, less what is in the way
    """
    lit, dark, covers, held, server = units[4], units[5], units[6], units[9], units[10]
    offset, satellite, full_rate, barred, worth, cone_offset, cone = list_
    channels, most_tried = units[11].shape[1], len(pairs)
    score = np.empty(most_tried)
    blocked = np.empty(channels, np.int64)
    n = 0
    for q in range(offset[c], offset[c + 1]):
        s = satellite[q]
        most = min(reached_level(units[1], s, steps[c], fraction, feeder[s]), float(STEPS))
        if most <= least:
            continue
        word = shut(q, c, units, list_)
        for f in range(channels):
            blocked[f] = covers[c, f] & (ONE_S - 1) if (word >> np.uint32(f)) & ONE else 0
        for i in range(cone_offset[q], cone_offset[q + 1]):
            x = cone[i]
            if held[x]:
                for f in range(channels):
                    blocked[f] += server[x, f] >= 0 and server[x, f] != s
        spare = (1 if dark[s, 0] > 0 else 0) + (1 if dark[s, 1] > 0 else 0)
        for f in range(channels):
            u = s * channels + f
            room = (lit[u] & 1) + (lit[u] >> 1) if lit[u] else spare
            if room == 0 or (barred[q] >> np.uint32(f)) & ONE:
                continue
            there = min(reached_level(units[0], u, steps[c], fraction / full_rate[q], float(room)), most)
            if there <= least:
                continue
            worthy = there + worth[q] - IN_THE_WAY * blocked[f]
            if n == most_tried and worthy <= score[n - 1]:
                continue
            at = n if n < most_tried else n - 1
            n = at + 1
            while at > 0 and score[at - 1] < worthy:
                score[at], pairs[at], channel_of[at] = score[at - 1], pairs[at - 1], channel_of[at - 1]
                at -= 1
            score[at], pairs[at], channel_of[at] = worthy, q, f
    return n


@njit(**LEAN)
def _in_the_way(q, c, f, part_cell, part_pair, part_channel, list_, inside, out):
    """Parts that must leave channel f before pair q may serve cell c there, into `out`: how many, at most
    one more than MOST_OUSTED. inside (M,) False, and left so."""
    satellite, cone_offset, cone = list_[1], list_[5], list_[6]
    s, n = satellite[q], 0
    for i in range(cone_offset[q], cone_offset[q + 1]):
        inside[cone[i]] = True
    for w in range(len(part_cell)):
        p = part_pair[w]
        if p < 0 or part_channel[w] != f or satellite[p] == s:
            continue
        clash = inside[part_cell[w]]
        for i in range(cone_offset[p], cone_offset[p + 1]):
            if clash:
                break
            clash = cone[i] == c
        if clash:
            out[n] = w
            n += 1
            if n > MOST_OUSTED:
                break
    for i in range(cone_offset[q], cone_offset[q + 1]):
        inside[cone[i]] = False
    return n


@njit(cache=True)
def _emptied(n, ousted, part_cell, part_pair, placed, seated):
    """How many cells have nothing now of those whose parts were ousted; more than all if one is `seated`."""
    emptied = 0
    for k in range(n):
        c = part_cell[ousted[k]]
        if placed[c] == 0:
            if seated[c]:
                return n + 1
            # Counted once, though several of its parts may stand here.
            first = True
            for j in range(k):
                first &= part_cell[ousted[j]] != c
            emptied += first
    return emptied


@njit(cache=True)
def oust(
    order, part_cell, part_of, part_pair, part_channel, steps, feeder, cost, units, list_, tries,
    at_any_price, seated,
):  # fmt: skip
    """One round: for each part in `order` others leave a unit if all lack less then; for how many they did.

    tries         (1,) units that may still be tried, counted down: at 0 or less the round ends
    at_any_price  parts of cells that have nothing: others leave also if all lack more, and if need be one of
                  them has nothing then, and may ask in the next round;  seated  bool (M,) those that rose so,
                  marked: they are not made to leave for nothing again
    Others as in units_kernel.settle. No rule is broken on the way or at the end.
    """
    level, bound = units[2], units[3]
    satellite, channels = list_[1], units[11].shape[1]
    reached, fresh = np.empty(channels), np.empty((2, channels), np.int64)
    inside = np.zeros(len(steps), np.bool_)
    most_tried = MORE_TRIED if at_any_price else TRIED
    pairs, at_channel = np.empty(most_tried, np.int64), np.empty(most_tried, np.int64)
    ousted = np.empty(MOST_OUSTED + 1, np.int64)
    old_pair, old_channel = np.empty(MOST_OUSTED + 1, np.int64), np.empty(MOST_OUSTED + 1, np.int64)
    mass, unplaced, placed = np.zeros(len(level)), 0.0, np.zeros(len(steps), np.int64)
    for v in range(len(part_cell)):
        if part_pair[v] >= 0:
            mass[satellite[part_pair[v]] * channels + part_channel[v]] += part_of[v]
            placed[part_cell[v]] += 1
        else:
            unplaced += part_of[v]
    risen = 0
    for v in order:
        if tries[0] <= 0:
            break
        if at_any_price and placed[part_cell[v]] > 0:
            continue
        c, now, at = part_cell[v], part_pair[v], part_channel[v]
        least = 0.0
        before = lack(mass, unplaced, units, STEEP)
        if now >= 0:
            u = satellite[now] * channels + at
            least = min(level[u], bound[satellite[now]])
            move(now, c, at, part_of[v], -1, steps, feeder, units, list_)
            mass[u] -= part_of[v]
        else:
            unplaced -= part_of[v]
        part_pair[v] = -1
        count = _candidates(c, part_of[v], least, steps, feeder, units, list_, pairs, at_channel)
        done = False
        for i in range(2 * count if at_any_price else count):
            q, f = pairs[i % count], at_channel[i % count]
            tries[0] -= 1
            n = _in_the_way(q, c, f, part_cell, part_pair, part_channel, list_, inside, ousted)
            if n > MOST_OUSTED:
                continue
            for k in range(n):
                w = ousted[k]
                old_pair[k], old_channel[k] = part_pair[w], part_channel[w]
                move(part_pair[w], part_cell[w], part_channel[w], part_of[w], -1, steps, feeder, units, list_)
                mass[satellite[part_pair[w]] * channels + part_channel[w]] -= part_of[w]
                placed[part_cell[w]] -= 1
            move(q, c, f, part_of[v], 1, steps, feeder, units, list_)
            mass[satellite[q] * channels + f] += part_of[v]
            for k in range(n):
                w = ousted[k]
                p, g = seek(
                    part_cell[w], part_of[w], -1, -1, float(STEPS), steps, feeder, cost, 0.0, units, list_,
                    reached, fresh,
                )  # fmt: skip
                part_pair[w], part_channel[w] = p, g
                if p >= 0:
                    move(p, part_cell[w], g, part_of[w], 1, steps, feeder, units, list_)
                    mass[satellite[p] * channels + g] += part_of[w]
                    placed[part_cell[w]] += 1
                else:
                    unplaced += part_of[w]
            if at_any_price:
                emptied = _emptied(n, ousted, part_cell, part_pair, placed, seated)
                better = emptied <= i // count
            else:
                better = lack(mass, unplaced, units, STEEP) < before * (1.0 - 1e-6)
            if better:
                part_pair[v], part_channel[v] = q, f
                done = True
                break
            # Everything back to where it was.
            for k in range(n):
                w = ousted[k]
                p, g = part_pair[w], part_channel[w]
                if p >= 0:
                    move(p, part_cell[w], g, part_of[w], -1, steps, feeder, units, list_)
                    mass[satellite[p] * channels + g] -= part_of[w]
                    placed[part_cell[w]] -= 1
                else:
                    unplaced -= part_of[w]
            move(q, c, f, part_of[v], -1, steps, feeder, units, list_)
            mass[satellite[q] * channels + f] -= part_of[v]
            for k in range(n):
                w = ousted[k]
                part_pair[w], part_channel[w] = old_pair[k], old_channel[k]
                move(old_pair[k], part_cell[w], old_channel[k], part_of[w], 1, steps, feeder, units, list_)
                mass[satellite[old_pair[k]] * channels + old_channel[k]] += part_of[w]
                placed[part_cell[w]] += 1
        if done:
            placed[c] += now < 0
            seated[c] |= at_any_price
            risen += 1
        else:
            part_pair[v], part_channel[v] = now, at
            if now >= 0:
                move(now, c, at, part_of[v], 1, steps, feeder, units, list_)
                mass[satellite[now] * channels + at] += part_of[v]
            else:
                unplaced += part_of[v]
    return risen
