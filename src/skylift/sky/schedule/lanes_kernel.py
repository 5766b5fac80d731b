"""Puts beam time on lanes (satellite, polarisation, channel) so that separation and Nco hold.

`book`, the state, in this order:
    free (N, 2, F)   part of the slot left on each lane;  free_of (N,) left on all lanes that could be lit
    beam_of (N, 2, F) int32  the beam that lights a lane, -1 for none;  lit (N, 2) lanes lit
    feeder_left (N,) bps;  got (M,) bps that each cell has
    cover (M, F, nco + 1) int32  satellites that cover a cell on a channel;  covers (M, F) how many,
        at most nco + 1;  served bool (M, F)  whether any satellite serves the cell on the channel
    head (N, 2, F) int32  a lane's newest row, -1 for none;  rows int32 (R, 5): satellite, polarisation,
        channel, cell, the lane's row before;  shares (R,), full_rate (R,);  count (1,) rows in use
`rules`: beams (N, 2), nco, separation, dish_separation, satellite_m (3, N), cell_m (3, M), near (as in
    cones_kernel.cone), scratch int32 (most neighbours + 1,), fresh int64 (F,)
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.sky.schedule.cones_kernel import cone
from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS, amount_at

# Shares below this are rounding, not service.
CRUMB = 1e-9
FULL = 1.0 - 1e-6


@njit(cache=True)
def _covered_by(cover, covers, c, f, s):
    found = False
    for i in range(covers[c, f]):
        found = found or cover[c, f, i] == s
    return found


@njit(**LEAN)
def _apart(c, a, b, rules):
    """Whether satellites a and b, seen from cell c, stand far enough apart to light it on one channel."""
    dish_separation, satellite_m, cell_m = rules[3], rules[4], rules[5]
    x, y, z = cell_m[0, c], cell_m[1, c], cell_m[2, c]
    ax, ay, az = satellite_m[0, a] - x, satellite_m[1, a] - y, satellite_m[2, a] - z
    bx, by, bz = satellite_m[0, b] - x, satellite_m[1, b] - y, satellite_m[2, b] - z
    sizes = math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz))
    return ax * bx + ay * by + az * bz <= math.cos(dish_separation) * sizes


@njit(**LEAN)
def _may_join(c, f, s, cover, covers, rules):
    """Whether s may cover cell c, served on channel f, together with those that cover it already."""
    if _covered_by(cover, covers, c, f, s):
        return covers[c, f] <= rules[1]
    if covers[c, f] + 1 > rules[1]:
        return False
    apart = True
    for i in range(covers[c, f]):
        apart = apart and _apart(c, cover[c, f, i], s, rules)
    return apart


@njit(**LEAN)
def _may_begin(c, f, s, book, rules):
    """Whether s may serve cell c on channel f as far as the satellites that cover the cell are concerned."""
    cover, covers, served = book[6], book[7], book[8]
    if not _may_join(c, f, s, cover, covers, rules):
        return False
    apart = True
    if rules[1] > 1 and not served[c, f]:
        for i in range(covers[c, f]):
            for j in range(i):
                apart = apart and _apart(c, cover[c, f, i], cover[c, f, j], rules)
    return apart


@njit(**LEAN)
def survey(c, s, barred, book, rules, with_full):
    """Cells that a beam from s to c would cover anew on each channel, into `fresh`; -1 where it may not be.

    barred     word of the pair's barred channels
    with_full  also channels whose lanes have no time left
    Returns how many cells of the cone stand in `scratch`, 0 without a channel, -1 if `near` is too short.
    """
    free, _, beam_of, lit, _, _, cover, covers, served = book[:9]
    beams, _, separation, _, satellite_m, cell_m, near, scratch, fresh = rules
    channels = free.shape[2]
    some = False
    for f in range(channels):
        fresh[f] = -1
        if (barred >> np.uint32(f)) & np.uint32(1):
            continue
        open_ = False
        for p in range(2):
            if beam_of[s, p, f] >= 0:
                open_ = open_ or with_full or free[s, p, f] > CRUMB
            else:
                open_ = open_ or lit[s, p] < beams[s, p]
        if open_ and _may_begin(c, f, s, book, rules):
            fresh[f] = 0
            some = True
    if not some:
        return 0
    n = cone(s, c, satellite_m, cell_m, near, separation, scratch)
    for i in range(n):
        other = scratch[i]
        for f in range(channels):
            if fresh[f] >= 0 and not _covered_by(cover, covers, other, f, s):
                if served[other, f] and not _may_join(other, f, s, cover, covers, rules):
                    fresh[f] = -1
                else:
                    fresh[f] += 1
    return n


@njit(**LEAN)
def light(c, s, p, f, n, book, rules):
    """Enters that lane (s, p, f) serves cell c; `scratch` holds the n cells that this covers."""
    _, _, beam_of, lit, _, _, cover, covers, served = book[:9]
    nco, scratch, fresh = rules[1], rules[7], rules[8]
    if beam_of[s, p, f] < 0:
        beam_of[s, p, f] = lit[s, p]
        lit[s, p] += 1
    served[c, f] = True
    if fresh[f] > 0:
        for i in range(n):
            other = scratch[i]
            if not _covered_by(cover, covers, other, f, s) and covers[other, f] <= nco:
                cover[other, f, covers[other, f]] = s
                covers[other, f] += 1
        fresh[f] = 0


@njit(**LEAN)
def put(c, s, p, f, share, full_rate, book):
    """Gives `share` of a lane to a cell: to its row there or a new one. False without room for rows."""
    free, free_of, feeder_left, got = book[0], book[1], book[4], book[5]
    head, rows, shares, rates, count = book[9:]
    row = head[s, p, f]
    while row >= 0 and rows[row, 3] != c:
        row = rows[row, 4]
    if row < 0:
        row = count[0]
        if row == len(rows):
            return False
        count[0] += 1
        rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3], rows[row, 4] = s, p, f, c, head[s, p, f]
        head[s, p, f] = row
        shares[row], rates[row] = 0.0, full_rate
    shares[row] += share
    free[s, p, f] -= share
    free_of[s] -= share
    feeder_left[s] -= share * full_rate
    got[c] += share * full_rate
    return True


@njit(**LEAN)
def enter_rows(rows, shares, full_rate, book, rules):
    """Enters rows (R, 5) of satellite, polarisation, channel, cell into a new book; False as in `place`."""
    for i in range(len(rows)):
        s, p, f, c = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
        n = cone(s, c, rules[4], rules[5], rules[6], rules[2], rules[7])
        if n < 0:
            return False
        # More than none, so that `light` enters the cone.
        rules[8][f] = 1
        light(c, s, p, f, n, book, rules)
        put(c, s, p, f, shares[i], full_rate[i], book)
    return True


@njit(**LEAN)
def place(c, s, full_rate, barred, want, book, rules):
    """Gives cell c up to `want` bps of satellite s's time that is left; False if `near` reaches too short."""
    free, free_of, beam_of, lit, feeder_left = book[:5]
    beams, fresh = rules[0], rules[8]
    left = min(want, feeder_left[s])
    if left <= CRUMB * full_rate or free_of[s] <= CRUMB:
        return True
    n = survey(c, s, barred, book, rules, False)
    if n <= 0:
        return n == 0
    while left > CRUMB * full_rate:
        # The lane that covers fewest cells anew; of equals one that holds all of it, then the first.
        best_f, best_p, best = -1, -1, np.inf
        for f in range(free.shape[2]):
            if fresh[f] < 0:
                continue
            for p in range(2):
                is_lit = beam_of[s, p, f] >= 0
                if (is_lit and free[s, p, f] <= CRUMB) or (not is_lit and lit[s, p] >= beams[s, p]):
                    continue
                cost = 2.0 * fresh[f] + (0.0 if free[s, p, f] * full_rate >= left else 1.0)
                if cost < best:
                    best_f, best_p, best = f, p, cost
        if best_f < 0:
            break
        share = min(left / full_rate, free[s, best_p, best_f])
        light(c, s, best_p, best_f, n, book, rules)
        if not put(c, s, best_p, best_f, share, full_rate, book):
            break
        left -= share * full_rate
    return True


@njit(cache=True)
def place_parts(order, satellite, full_rate, barred, steps, level, pair_of, part_of, ceiling, book, rules):
    """Places each cell's parts as balanced, up to the level `ceiling`; False as in `place`.

    level  (N,) of the satellites: a part carries its fraction of the cell's curve up to it
    """
    parts = pair_of.shape[1]
    held = np.zeros(parts)
    got = book[5]
    for c in order:
        whole = 0.0
        for p in range(parts):
            held[p] = 0.0
            if pair_of[c, p] >= 0:
                top = min(level[satellite[pair_of[c, p]]], ceiling)
                held[p] = part_of[c, p] * amount_at(steps[c], top)
                whole += held[p]
        # What lower ceilings have placed already counts for all parts alike.
        already = got[c] / whole if whole > 0.0 else 0.0
        for p in range(parts):
            k = pair_of[c, p]
            if (
                k >= 0
                and already < 1.0
                and not place(
                    c, satellite[k], full_rate[k], barred[k], held[p] * (1.0 - already), book, rules
                )
            ):
                return False
    return True


@njit(**LEAN)
def top_up(order, offset, satellite, full_rate, barred, steps, target, stuck, book, rules):
    """Lets each cell below the level `target` seek the rest where time is left; False as in `place`.

    stuck  bool (M,): cells that have asked in vain: while time is only given out, they need not ask again
    """
    free_of, feeder_left, got = book[1], book[4], book[5]
    for c in order:
        if stuck[c]:
            continue
        goal = amount_at(steps[c], min(target, float(STEPS)))
        for k in range(offset[c], offset[c + 1]):
            if got[c] >= goal * FULL:
                break
            s, rate = satellite[k], full_rate[k]
            if (
                rate > 0.0
                and free_of[s] > CRUMB
                and feeder_left[s] > CRUMB * rate
                and not place(c, s, rate, barred[k], goal - got[c], book, rules)
            ):
                return False
        stuck[c] = got[c] < goal * FULL
    return True
