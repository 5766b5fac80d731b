"""Gives cells to units (a satellite's channel, both polarisations) so that separation holds from the start.

A cell comes in parts, each a fraction of its curve. Part v of cell part_cell[v] has the short-listed pair
part_pair[v] (-1: none) and its channel part_channel[v]. Nco is 1: a served cell is covered by one satellite.

`units`, the state, in this order, of N satellites, F channels, M cells, Q short-listed pairs:
    time (N*F, 5) steps of the sum of a unit's curves, in beam time;  rate (N, 5) the same in bps
    level (N*F,) that a unit's time affords;  bound (N,) that a satellite's feeder affords
    lit uint8 (N*F,) polarisations lit, as bits;  dark int32 (N, 2) lanes that may still be lit
    covers int64 (M, F) beams that cover a cell: their count, and ONE_S times the sum of their satellites
    squares int64 (M, F) of these satellites' numbers the sum: both tell whether all are of one satellite
    bare uint32 (M,) channels on which nobody covers a cell;  held uint32 (M,) channels that serve it
    server int32 (M, F) by which satellite;  uses uint16 (Q, F) parts of a pair on a channel
`list_`: offset (M+1,), satellite (Q,), full_rate (Q,), barred uint32 (Q,), worth (Q,) in levels, cone_offset
    (Q+1,), cone (L,)
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS

# What a satellite's number is worth beside the count of beams: so many beams never cover a cell.
SHIFT_S = 24
ONE_S = 1 << SHIFT_S
# Shares below this are rounding, not service.
CRUMB = 1e-9
ONE = np.uint32(1)
# Bit i of a byte stands in byte i of a word, so that eight channels are counted in one addition.
SPREAD = np.array(
    [sum(((byte >> i) & 1) << (8 * i) for i in range(8)) for byte in range(256)], dtype=np.uint64
)
BYTE, LOW = np.uint64(255), np.uint32(255)
# A single bit of a word, times this, has its number in the five highest bits of 32 (de Bruijn's sequence).
DE_BRUIJN, SHIFT = np.uint32(0x077CB531), np.uint32(27)
CHANNEL = np.argsort([(0x077CB531 << bit & 0xFFFFFFFF) >> 27 for bit in range(32)]).astype(np.uint8)


@njit(cache=True, inline="always")
def all_channels(channels):
    """The word of channels 0 to channels - 1."""
    last = ONE << np.uint32(channels - 1)
    return last | (last - ONE)


@njit(cache=True, inline="always")
def first_of(word):
    """The lowest channel of a word that is not 0: its number and its bit."""
    bit = word & (~word + ONE)
    return CHANNEL[np.uint32(bit * DE_BRUIJN) >> SHIFT], bit


@njit(cache=True, inline="always")
def reached_level(sums, row, steps, amount, room):
    """The level that `room` affords if `amount` of a curve joins a sum; over 5 by the part left unused."""
    left = room
    for k in range(STEPS):
        need = sums[row, k] + amount * steps[k]
        if need > left:
            return k + left / need
        left -= need
    return STEPS + left / room


@njit(**LEAN)
def find(c, s, offset, satellite):
    """The short-listed pair of cell c and satellite s; -1 if there is none."""
    low, high = offset[c], offset[c + 1]
    while low < high:
        middle = (low + high) >> 1
        if satellite[middle] < s:
            low = middle + 1
        else:
            high = middle
    return low if low < offset[c + 1] and satellite[low] == s else -1


@njit(**LEAN, inline="always")
def cover(q, c, f, adds, units, list_):
    """Enters (or takes back) that pair q serves its cell c on channel f, and all that this covers."""
    covers, squares, bare, held, server = units[6:11]
    cone_offset, cone = list_[5:7]
    s, bit = np.int64(list_[1][q]), ONE << np.uint32(f)
    if adds:
        held[c] |= bit
        server[c, f] = s
    else:
        held[c] &= ~bit
        server[c, f] = -1
    sign = 1 if adds else -1
    beam, square = sign * (s * ONE_S + 1), sign * s * s
    for i in range(cone_offset[q], cone_offset[q + 1]):
        x = cone[i]
        covers[x, f] += beam
        squares[x, f] += square
        if adds:
            bare[x] &= ~bit
        elif covers[x, f] == 0:
            bare[x] |= bit


@njit(**LEAN)
def move(q, c, f, fraction, sign, steps, feeder, units, list_):
    """`move_here` as a call, for kernels that count references."""
    move_here(q, c, f, fraction, sign, steps, feeder, units, list_)


@njit(**LEAN, inline="always")
def move_here(q, c, f, fraction, sign, steps, feeder, units, list_):
    """Adds a fraction of a cell's curve to a unit (sign 1), or takes it away (-1)."""
    lit, dark, uses = units[4], units[5], units[11]
    channels = uses.shape[1]
    s, full_rate = list_[1][q], list_[2][q]
    u = s * channels + f
    if sign > 0 and lit[u] == 0:
        for p in range(2):
            if dark[s, p] > 0:
                dark[s, p] -= 1
                lit[u] |= 1 << p
    if sign > 0:
        if uses[q, f] == 0:
            cover(q, c, f, True, units, list_)
        uses[q, f] += 1
    else:
        uses[q, f] -= 1
        if uses[q, f] == 0:
            cover(q, c, f, False, units, list_)
    shift(u, s, full_rate, sign * fraction, steps[c], feeder, units)


@njit(cache=True, inline="always")
def shift(u, s, full_rate, fraction, steps, feeder, units):
    """Changes the sums of a unit and its satellite by a fraction of a curve; an empty unit goes dark."""
    time, rate, level, bound, lit, dark = units[:6]
    left = 0.0
    for k in range(STEPS):
        amount = fraction * steps[k]
        rate[s, k] = max(rate[s, k] + amount, 0.0)
        time[u, k] += amount / full_rate
        left += time[u, k]
    if left < 1e-9:
        time[u] = 0.0
        for p in range(2):
            if (lit[u] >> p) & 1:
                dark[s, p] += 1
        lit[u] = 0
        level[u] = STEPS + 1.0
    else:
        level[u] = reached_level(time, u, steps, 0.0, float((lit[u] & 1) + (lit[u] >> 1)))
    bound[s] = reached_level(rate, s, steps, 0.0, feeder[s])


@njit(cache=True, inline="always")
def shut(q, c, units, list_):
    """The channels, as a word, on which pair q may not serve cell c since another satellite covers it."""
    covers, squares = units[6:8]
    word, s = list_[3][q], np.int64(list_[1][q])
    for f in range(covers.shape[1]):
        # Numbers whose mean is s and whose squares' mean is that of s are all s.
        beams = covers[c, f] & (ONE_S - 1)
        if covers[c, f] != beams * (s * ONE_S + 1) or squares[c, f] != beams * s * s:
            word |= ONE << np.uint32(f)
    return word


@njit(cache=True, inline="always")
def find_owners(c, units, owner):
    """Which satellite alone covers cell c on each channel, into (F,): -1 for none, -2 for several."""
    covers, squares = units[6:8]
    for f in range(covers.shape[1]):
        beams = covers[c, f] & (ONE_S - 1)
        # By floats, three times as fast: exact where all numbers are one, and else the sums tell.
        s = np.int64(float(covers[c, f] >> SHIFT_S) / float(max(beams, 1)))
        alone = covers[c, f] == beams * (s * ONE_S + 1) and squares[c, f] == beams * s * s
        owner[f] = -1 if beams == 0 else s if alone else -2


@njit(cache=True, inline="always")
def shut_to(s, barred, owner):
    """The same as `shut` for a pair's satellite and word of barred channels, with its cell's owners found."""
    word = barred
    for f in range(len(owner)):
        word |= np.uint32(owner[f] != s and owner[f] != -1) << np.uint32(f)
    return word


@njit(cache=True, inline="always")
def look(q, word, units, list_, fresh):
    """Those of `word`, and the channels on which pair q's beam would cover what others serve now, as a word.

    word   channels that are shut, or not asked for: with no other left, nothing is looked at
    fresh  (F,) filled: how many cells that nobody covers yet the beam would cover on each channel
    """
    return look_at(
        list_[1][q], word, list_[5][q], list_[5][q + 1], list_[6], units[8], units[9], units[10], fresh
    )


@njit(**LEAN)
def look_at(s, word, i, end, cone, bare, held, server, fresh):
    """`look` at cone[i:end] for satellite s; apart from it, for copying all of the state took as long."""
    channels = len(fresh)
    every = all_channels(channels)
    word &= every
    for f in range(channels):
        fresh[f] = 0
    if word == every:
        return word
    while i < end:
        # A byte counts no further than 255.
        stop = min(end, i + 255)
        sums = np.uint64(0)
        for j in range(i, stop):
            x = cone[j]
            sums += SPREAD[bare[x] & LOW]
            more = held[x] & ~word
            while more:
                f, last = first_of(more)
                if server[x, f] != s:
                    word |= last
                    if word == every:
                        return word
                more ^= last
        for f in range(min(8, channels)):
            fresh[f] += (sums >> np.uint64(8 * f)) & BYTE
        for first in range(8, channels, 8):
            sums = np.uint64(0)
            for j in range(i, stop):
                sums += SPREAD[(bare[cone[j]] >> np.uint32(first)) & LOW]
            for f in range(first, min(first + 8, channels)):
                fresh[f] += (sums >> np.uint64(8 * (f - first))) & BYTE
        i = stop
    return word


@njit(**LEAN)
def seek(c, fraction, now, at, goal, steps, feeder, cost, gain, units, list_, reached, fresh):
    """`seek_here` as a call, for kernels that count references."""
    return seek_here(c, fraction, now, at, goal, steps, feeder, cost, gain, units, list_, reached, fresh)


@njit(**LEAN, inline="always")
def seek_here(c, fraction, now, at, goal, steps, feeder, cost, gain, units, list_, reached, fresh):
    """The unit where a part of cell c, which is in none, stands best: a pair and a channel; -1, -1 if none.

    now, at  the pair and channel that it had, -1 for none: asked first, and worth `gain` more
    goal     the level above which more counts little;  reached (F,), fresh (2, F)  scratch
    """
    level, bound, lit, dark = units[2:6]
    offset, satellite, full_rate, barred, worth, _, _ = list_
    channels, curve, owner = len(reached), steps[c], fresh[1]
    every, wants = all_channels(channels), 0.0
    find_owners(c, units, owner)
    best, best_channel, best_score = -1, -1, -np.inf
    # The pair it has is asked first: what promises less need not be looked at.
    for i in range(offset[c] - 1, offset[c + 1]):
        q = now if i < offset[c] else i
        if q < 0 or (q == now and i >= offset[c]):
            continue
        s = satellite[q]
        rest = every & ~shut_to(s, barred[q], owner)
        spare = (1 if dark[s, 0] > 0 else 0) + (1 if dark[s, 1] > 0 else 0)
        least, highest, most, open_ = best_score - worth[q], -1.0, -1.0, np.uint32(0)
        while rest:
            f, bit = first_of(rest)
            rest ^= bit
            u = s * channels + f
            room = (lit[u] & 1) + (lit[u] >> 1) if lit[u] else spare
            promise = min(level[u], bound[s], 5.0)
            if room > 0 and min(promise, goal) + 0.005 * promise > least:
                if most < 0.0:
                    wants = fraction / full_rate[q]
                    most = min(reached_level(units[1], s, curve, fraction, feeder[s]), 5.0)
                there = min(reached_level(units[0], u, curve, wants, float(room)), most)
                reached[f] = min(there, goal) + 0.005 * there
                highest = max(highest, reached[f])
                open_ |= bit
        if highest < 0.0 or highest <= least:
            continue
        rest = every & ~look(q, ~open_, units, list_, fresh[0])
        while rest:
            f, bit = first_of(rest)
            rest ^= bit
            score = reached[f] + worth[q]
            score += gain if q == now and f == at else -cost * fresh[0, f]
            if score > best_score:
                best, best_channel, best_score = q, f, score
    return best, best_channel


@njit(**LEAN)
def settle(
    order, part_cell, part_of, part_pair, part_channel, steps, target, feeder, cost, gain, units, list_,
    reached, fresh,
):  # fmt: skip
    """One round: each part, in `order`, goes to the unit where it stands best; how many moved.

    target  (M,) levels: what lies higher counts little
    cost    of each cell that comes to be covered, in levels;  gain  what a move must bring, in levels

    The best is the level after it joined, plus the pair's worth, less what it newly covers.
    """
    level, bound = units[2:4]
    satellite, channels = list_[1], units[11].shape[1]
    moved = 0
    for v in order:
        c, fraction, now, at = part_cell[v], part_of[v], part_pair[v], part_channel[v]
        goal = target[c]
        if now >= 0:
            u = satellite[now] * channels + at
            if level[u] >= goal and bound[satellite[now]] >= goal:
                continue
            move_here(now, c, at, fraction, -1, steps, feeder, units, list_)
        best, best_channel = seek_here(
            c, fraction, now, at, goal, steps, feeder, cost, gain, units, list_, reached, fresh
        )
        if best >= 0:
            move_here(best, c, best_channel, fraction, 1, steps, feeder, units, list_)
        if best != now or best_channel != at:
            moved += 1
        part_pair[v], part_channel[v] = best, best_channel
    return moved


@njit(cache=True)
def divide_cells(wants_time, part_time, most, order, part_cell, part_of):
    """Splits cells into equal parts of about `part_time` each; how many, of all cells in the order given.

    wants_time  (M,) beam time that each cell wants in the end
    """
    n = 0
    for c in order:
        if wants_time[c] > 0.0:
            parts = min(max(int(np.ceil(wants_time[c] / part_time)), 1), most)
            for _ in range(parts):
                part_cell[n], part_of[n] = c, 1.0 / parts
                n += 1
    return n
