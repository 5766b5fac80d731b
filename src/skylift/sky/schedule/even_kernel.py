"""Evens out levels after parts are settled: time flows in a unit, and cells join units that fill higher.

Parts stand all together at their unit's level, and that of a neighbour's unit may be another. Here each cell
has time of its own in each unit. `flow`, the state, beside `units` and `list_` of units_kernel:
    spent (M, F)  beam time of a cell on a channel, from the one satellite that serves it there
    pair_at int32 (M, F)  by which listed pair, -1: none;  next_cell int32 (M, F), head int32 (N*F,)  who
        shares a unit, -1 ends;  got (M,) bps and level (M,) of each cell
    top (N*F,)  the level to which a unit fills its cells, STEPS + 1 where time is left
    carried (N,) bps of each satellite;  stale bool (N*F,)  a cell stands elsewhere, by way of other units
    bonus (Q,)  levels by which a pair may stand above its unit and still have time there
    corners (M, STEPS + 1)  heights of the curves at whole levels
    scratch  int32 (M,), float64 (M,) thrice, and zeros (M,), left so
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS, level_at
from skylift.sky.schedule.units_kernel import (
    CRUMB,
    ONE,
    all_channels,
    cover,
    find,
    find_owners,
    first_of,
    look,
    shut,
)

# Time is spent to this part of it.
EXACT = 1e-9
IDLE = STEPS + 1.0
# A cell that stands so much off what a unit fills to has that unit poured again.
STIR = 0.02


@njit(**LEAN)
def enter(part_cell, part_pair, part_channel, flow, units, list_):
    """Seats each cell in the units of its parts, without time yet."""
    _, pair_at, next_cell, head = flow[:4]
    channels = units[11].shape[1]
    for v in range(len(part_cell)):
        q, c, f = part_pair[v], part_cell[v], part_channel[v]
        if q >= 0 and pair_at[c, f] < 0:
            u = list_[1][q] * channels + f
            pair_at[c, f] = q
            next_cell[c, f], head[u] = head[u], c


@njit(cache=True)
def enter_again(row_cell, row_satellite, row_channel, flow, units, list_):
    """Seats cells where they were in the slot before, in the order of these rows, while the rules let them.

    row_satellite  by local numbers, -1 for one that has no feeder any more
    """
    _, pair_at, next_cell, head = flow[:4]
    lit, dark = units[4], units[5]
    channels = units[11].shape[1]
    fresh = np.empty(channels, np.int64)
    for i in range(len(row_cell)):
        c, s, f = row_cell[i], row_satellite[i], row_channel[i]
        if s < 0 or f >= channels or pair_at[c, f] >= 0:
            continue
        q, u = find(c, s, list_[0], list_[1]), s * channels + f
        if q < 0 or (lit[u] == 0 and dark[s, 0] + dark[s, 1] == 0):
            continue
        word = ~(ONE << np.uint32(f)) | shut(q, c, units, list_)
        if (look(q, word, units, list_, fresh) >> np.uint32(f)) & ONE:
            continue
        for p in range(2):
            if lit[u] >> p & 1 == 0 and dark[s, p] > 0:
                dark[s, p] -= 1
                lit[u] |= 1 << p
        cover(q, c, f, True, units, list_)
        pair_at[c, f] = q
        next_cell[c, f], head[u] = head[u], c


@njit(cache=True, inline="always")
def height(row, level):
    """A curve's height from its corners (STEPS + 1,), up to the last."""
    at = min(level, float(STEPS))
    k = min(int(at), STEPS - 1)
    return row[k] + (at - k) * (row[k + 1] - row[k])


@njit(**LEAN, inline="always")
def common_level(n, cell, slowness, base, more, corners, room, left, guess):
    """The level to which `room` of time and `left` bps fill n cells from `base` bps: to EXACT, never above.

    slowness (n,) seconds per bit;  more (n,) levels by which each may stand higher
    """
    low, high, z = 0.0, STEPS + EXACT, guess
    while True:
        time, bps = -room * (1.0 - 0.5 * EXACT), -left * (1.0 - 0.5 * EXACT)
        slope, rise = 0.0, 0.0
        for i in range(n):
            at = min(z + more[i], float(STEPS))
            k = min(int(at), STEPS - 1)
            step = corners[cell[i], k + 1] - corners[cell[i], k]
            need = corners[cell[i], k] + (at - k) * step - base[i]
            if need > 0.0:
                bps += need
                time += need * slowness[i]
                if at < STEPS:
                    rise += step
                    slope += step * slowness[i]
        if time <= 0.5 * EXACT * room and bps <= 0.5 * EXACT * left:
            low = z
            if z >= STEPS or time > -EXACT * room or bps > -EXACT * left:
                return low
        else:
            high = z
        if high - low < 1e-7:
            return low
        # Newton's step; halving where it leads out of what is known.
        by_time = -time / slope if slope > 0.0 else np.inf
        by_rate = -bps / rise if rise > 0.0 else np.inf
        z = min(z + min(by_time, by_rate), float(STEPS))
        if z <= low or z >= high:
            z = 0.5 * (low + high)


@njit(**LEAN, inline="always")
def pour_unit(u, limit, steps, flow, units, list_):
    """Spends a unit's time so that its cells stand level, and its satellite carries `limit` bps at most.

    Cells that stand higher by way of others keep their seats, without time.
    """
    spent, pair_at, next_cell, head, got, level, top, carried, stale, bonus, corners, scratch = flow
    cell, slowness, base, more, _ = scratch
    lit, dark, held, server = units[4], units[5], units[9], units[10]
    channels = spent.shape[1]
    s, f = u // channels, u % channels
    stale[u] = False
    n, c = 0, head[u]
    left = limit - carried[s]
    while c >= 0:
        q = pair_at[c, f]
        rate = list_[2][q]
        cell[n], slowness[n], more[n] = c, 1.0 / rate, bonus[q]
        base[n] = got[c] - spent[c, f] * rate
        left += spent[c, f] * rate
        n += 1
        c = next_cell[c, f]
    if n == 0:
        return
    for p in range(2):
        if not (lit[u] >> p) & 1 and dark[s, p] > 0:
            dark[s, p] -= 1
            lit[u] |= 1 << p
    room = float((lit[u] & 1) + (lit[u] >> 1))
    z = common_level(n, cell, slowness, base, more, corners, room, max(left, 0.0), min(top[u], float(STEPS)))
    top[u] = z if z < STEPS else IDLE
    for i in range(n):
        c = cell[i]
        now = max(height(corners[c], z + more[i]) - base[i], 0.0)
        carried[s] += base[i] + now - got[c]
        spent[c, f] = now * slowness[i]
        got[c] = base[i] + now
        level[c] = level_at(steps[c], got[c])
        others = held[c] & ~(ONE << np.uint32(f))
        while others:
            g, last = first_of(others)
            w = server[c, g] * channels + g
            above = level[c] - bonus[pair_at[c, g]] - min(top[w], float(STEPS))
            if above < -STIR or (above > STIR and spent[c, g] > CRUMB):
                stale[w] = True
            others ^= last


@njit(**LEAN)
def pour_all(s, steps, feeder, flow, units, list_):
    """Pours all units of a satellite, and cuts what its feeder cannot carry from the top."""
    spent, pair_at, next_cell, head, got, level, top, carried, _, bonus, corners, scratch = flow
    cell, _, base, more, whole = scratch
    channels = spent.shape[1]
    for f in range(channels):
        pour_unit(s * channels + f, np.inf, steps, flow, units, list_)
    if carried[s] <= feeder[s]:
        return
    n = 0
    for f in range(channels):
        c = head[s * channels + f]
        while c >= 0:
            bps = spent[c, f] * list_[2][pair_at[c, f]]
            if whole[c] == 0.0 and bps > 0.0:
                cell[n], more[n] = c, bonus[pair_at[c, f]]
                n += 1
            whole[c] += bps
            c = next_cell[c, f]
    for i in range(n):
        base[i] = got[cell[i]] - whole[cell[i]]
    low, high = 0.0, float(STEPS)
    # 24 halvings of 5 levels: to a millionth.
    for _ in range(24):
        z, bps = 0.5 * (low + high), 0.0
        for i in range(n):
            bps += min(max(height(corners[cell[i]], z + more[i]) - base[i], 0.0), whole[cell[i]])
        if bps <= feeder[s]:
            low = z
        else:
            high = z
    for i in range(n):
        c = cell[i]
        # The part of what it has by way of this satellite that it keeps.
        whole[c] = min(max(height(corners[c], low + more[i]) - base[i], 0.0) / whole[c], 1.0)
    carried[s] = 0.0
    for f in range(channels):
        u = s * channels + f
        top[u] = min(top[u], low)
        c = head[u]
        while c >= 0:
            rate = list_[2][pair_at[c, f]]
            got[c] -= (1.0 - whole[c]) * spent[c, f] * rate
            spent[c, f] *= whole[c]
            carried[s] += spent[c, f] * rate
            level[c] = level_at(steps[c], got[c])
            c = next_cell[c, f]
    for i in range(n):
        whole[cell[i]] = 0.0


@njit(**LEAN, inline="always")
def pour_within(u, steps, feeder, flow, units, list_):
    """Pours a unit; all units of its satellite where the feeder is what ends."""
    carried = flow[7]
    s = u // units[11].shape[1]
    pour_unit(u, np.inf, steps, flow, units, list_)
    if carried[s] > feeder[s]:
        pour_all(s, steps, feeder, flow, units, list_)


@njit(**LEAN)
def leave(flow, units, list_):
    """Takes cells without time off their units; a unit that nobody is left in goes dark."""
    spent, pair_at, next_cell, head = flow[:4]
    lit, dark = units[4], units[5]
    channels = spent.shape[1]
    for u in range(len(head)):
        f, c, before = u % channels, head[u], -1
        while c >= 0:
            after = next_cell[c, f]
            if spent[c, f] <= CRUMB:
                cover(pair_at[c, f], c, f, False, units, list_)
                spent[c, f] = 0.0
                pair_at[c, f] = -1
                if before < 0:
                    head[u] = after
                else:
                    next_cell[before, f] = after
            else:
                before = c
            c = after
        if head[u] < 0 and lit[u]:
            for p in range(2):
                if (lit[u] >> p) & 1:
                    dark[u // channels, p] += 1
            lit[u] = 0
            flow[6][u] = IDLE


@njit(**LEAN, inline="always")
def best_unit(c, above, most_bonus, cost, peak, flow, units, list_, fresh):
    """The pair and channel where cell c may join a unit that fills above a level; -1, -1 if there is none.

    most_bonus  of all pairs: so much lower may a unit fill by way of one used in the slot before
    cost  of each cell that comes to be covered, in levels, which a unit must fill higher
    peak  (N,) of each satellite's units the highest;  fresh (2, F)  scratch

    Where a satellite covers the cell already only that one may serve it: in a crowd few pairs need be asked.
    """
    top, bonus = flow[6], flow[9]
    lit, dark = units[4], units[5]
    offset, satellite, _, barred = list_[:4]
    channels, owner = fresh.shape[1], fresh[1]
    first, last = offset[c], offset[c + 1]
    best, best_channel, best_score = -1, -1, above
    open_, bare = all_channels(channels) & ~units[9][c], np.uint32(0)
    find_owners(c, units, owner)
    while open_:
        f, bit = first_of(open_)
        open_ ^= bit
        s = owner[f]
        if s < 0:
            bare |= bit if s == -1 else np.uint32(0)
        elif min(top[s * channels + f], float(STEPS)) + most_bonus > best_score:
            q = first
            while q < last and satellite[q] != s:
                q += 1
            if q < last and not (look(q, barred[q] | ~bit, units, list_, fresh[0]) & bit):
                score = min(top[s * channels + f], float(STEPS)) + bonus[q] - cost * fresh[0, f]
                if score > best_score:
                    best, best_channel, best_score = q, f, score
    for q in range(first, last if bare else first):
        s = satellite[q]
        if min(peak[s], float(STEPS)) + bonus[q] <= best_score:
            continue
        rest, open_ = bare & ~barred[q], np.uint32(0)
        some = dark[s, 0] + dark[s, 1] > 0
        while rest:
            f, bit = first_of(rest)
            rest ^= bit
            u = s * channels + f
            if min(top[u], float(STEPS)) + bonus[q] > best_score and (lit[u] or some):
                open_ |= bit
        rest = all_channels(channels) & ~look(q, ~open_, units, list_, fresh[0])
        while rest:
            f, bit = first_of(rest)
            rest ^= bit
            score = min(top[s * channels + f], float(STEPS)) + bonus[q] - cost * fresh[0, f]
            if score > best_score:
                best, best_channel, best_score = q, f, score
    return best, best_channel


@njit(**LEAN)
def join_units(order, gap, cost, steps, feeder, flow, units, list_, peak, fresh):
    """Each cell, in `order`, joins units that fill higher by `gap`; how many times.

    peak (N,), fresh int64 (2, F)  scratch
    """
    pair_at, next_cell, head, level, top = flow[1], flow[2], flow[3], flow[5], flow[6]
    channels = units[11].shape[1]
    most_bonus = 0.0
    for q in range(len(flow[9])):
        most_bonus = max(most_bonus, flow[9][q])
    # Where a satellite's highest unit does not fill high enough, none need be looked at.
    peak[:] = 0.0
    for u in range(len(top)):
        peak[u // channels] = max(peak[u // channels], top[u])
    joined = 0
    for c in order:
        for _ in range(channels):
            if level[c] + gap >= STEPS or list_[0][c] == list_[0][c + 1]:
                break
            q, f = best_unit(c, level[c] + gap, most_bonus, cost, peak, flow, units, list_, fresh)
            if q < 0:
                break
            u = list_[1][q] * channels + f
            cover(q, c, f, True, units, list_)
            pair_at[c, f] = q
            next_cell[c, f], head[u] = head[u], c
            pour_within(u, steps, feeder, flow, units, list_)
            joined += 1
    return joined


@njit(**LEAN)
def flow_on(sweeps, steps, feeder, flow, units, list_):
    """Pours units whose cells stand elsewhere than they fill to, in so many sweeps at most."""
    stale = flow[8]
    for _ in range(sweeps):
        some = False
        for u in range(len(stale)):
            if stale[u]:
                some = True
                pour_within(u, steps, feeder, flow, units, list_)
        if not some:
            break


@njit(cache=True)
def write_rows(flow, units, list_, rows, shares, rates):
    """Lays each unit's times on its lanes: how many rows.

    rows  int32 (R, 5) filled: satellite, polarisation, channel, cell, beam;  shares, rates  (R,)
    """
    spent, pair_at, next_cell, head = flow[:4]
    lit = units[4]
    channels = spent.shape[1]
    beams = np.zeros((len(head) // channels, 2), np.int32)
    n = 0
    for u in range(len(head)):
        s, f = u // channels, u % channels
        p, left, beam = -1, 0.0, 0
        c = head[u]
        while c >= 0:
            time = spent[c, f]
            while time > CRUMB:
                if left <= CRUMB:
                    p += 1
                    while p < 2 and not (lit[u] >> p) & 1:
                        p += 1
                    if p >= 2:
                        break
                    left = 1.0
                    beam = beams[s, p]
                    beams[s, p] += 1
                share = min(time, left)
                time -= share
                left -= share
                rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3], rows[n, 4] = s, p, f, c, beam
                shares[n], rates[n] = share, list_[2][pair_at[c, f]]
                n += 1
            c = next_cell[c, f]
    return n
