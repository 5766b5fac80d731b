"""Hands beam time from cells that stand high to cells that stand low, lane by lane."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from skylift.sky.schedule.cones_kernel import cone
from skylift.sky.schedule.lanes_kernel import CRUMB, light, place, put, survey
from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS, level_at, level_below


@njit(**LEAN)
def highest_users(steps, book, top):
    """The highest level among the cells of each satellite's rows, (N,); -1 where it serves nobody."""
    got, rows, shares, count = book[5], book[10], book[11], book[13]
    top[:] = -1.0
    for row in range(count[0]):
        if shares[row] > CRUMB:
            c = rows[row, 3]
            top[rows[row, 0]] = max(top[rows[row, 0]], level_below(steps[c], got[c]))


@njit(**LEAN)
def _hand_over(c, s, p, f, donor, full_rate, steps, book):
    """Moves time on a lane from row `donor` to cell c until both are level; False without room for rows."""
    free, free_of, feeder_left, got = book[0], book[1], book[4], book[5]
    rows, shares, rates = book[10:13]
    other, other_rate = rows[donor, 3], rates[donor]
    less, more = 0.0, shares[donor]
    for _ in range(44):
        share = 0.5 * (less + more)
        if level_at(steps[c], got[c] + share * full_rate) < level_below(
            steps[other], got[other] - share * other_rate
        ):
            less = share
        else:
            more = share
    # The upper end: a giver that would fall past a class of which it wants nothing stands at that corner
    # then, not a hair above it, where it would be asked again and again, and nobody else.
    share = more
    # A better rate than the donor's must not overload the feeder.
    spare = feeder_left[s] + share * other_rate
    share_in = min(share, spare / full_rate)
    shares[donor] -= share
    free[s, p, f] += share
    free_of[s] += share
    feeder_left[s] += share * other_rate
    got[other] -= share * other_rate
    return put(c, s, p, f, share_in, full_rate, book)


@njit(**LEAN)
def kept_first(offset, kept, bonus, by, more):
    """An order `by` of pairs, int64 (K,), for `exchange`: each cell's kept ones first, else as they stand.

    kept  bool (K,): used in the slot before, and usable still
    more  (K,) in that order, filled: `bonus` for a new pair of a cell that has a kept one, else 0
    """
    for c in range(len(offset) - 1):
        at = offset[c]
        for k in range(offset[c], offset[c + 1]):
            if kept[k]:
                by[at], more[at] = k, 0.0
                at += 1
        gain = bonus if at > offset[c] else 0.0
        for k in range(offset[c], offset[c + 1]):
            if not kept[k]:
                by[at], more[at] = k, gain
                at += 1


@njit(**LEAN)
def exchange(
    order, offset, satellite, full_rate, barred, steps, least_gap, more, top, asleep, looks, book, rules
):  # fmt: skip
    """One round: each cell asks its satellites; how many took time from one at least `least_gap` higher.

    more    (K,) levels by which one must stand higher yet to give time by way of a pair
    top     (N,) of highest_users: an upper bound, since nobody rises above the one it takes from
    asleep  bool (M,): cells to leave alone; those that found nothing are put among them
    looks   (1,) cells of cones that may still be looked at, counted down: at 0 or less the round ends
    Returns -1 if `near` reaches too short.
    """
    free, free_of, _, _, feeder_left, got = book[:6]
    head, rows, shares = book[9:12]
    fresh = rules[8]
    takers = 0
    for c in order:
        if looks[0] <= 0:
            break
        if asleep[c]:
            continue
        at = level_at(steps[c], got[c])
        took = False
        for k in range(offset[c], offset[c + 1]):
            s, rate = satellite[k], full_rate[k]
            if at >= STEPS - least_gap:
                break
            if rate <= 0.0:
                continue
            if free_of[s] > 1e-6 and feeder_left[s] > 1e-6 * rate:
                before = got[c]
                if not place(c, s, rate, barred[k], steps[c].sum() - got[c], book, rules):
                    return -1
                if got[c] > before:
                    at = level_at(steps[c], got[c])
                    top[s] = max(top[s], at)
                    # It may be one that others can take from now, over any of its satellites.
                    took = took or got[c] > before + 1e-6 * rate
            gap = least_gap + more[k]
            if top[s] < at + gap:
                continue
            n = survey(c, s, barred[k], book, rules, True)
            if n < 0:
                return -1
            looks[0] -= n
            if n == 0:
                continue
            for _ in range(16):
                best, best_level, best_p, best_f = -1, at + gap, -1, -1
                highest = -1.0
                for f in range(free.shape[2]):
                    for p in range(2):
                        row = head[s, p, f]
                        while row >= 0:
                            if shares[row] > 1e-6:
                                other = rows[row, 3]
                                there = level_below(steps[other], got[other])
                                highest = max(highest, there)
                                if fresh[f] >= 0 and other != c and there > best_level:
                                    best, best_level, best_p, best_f = row, there, p, f
                            row = rows[row, 4]
                top[s] = highest
                if best < 0:
                    break
                light(c, s, best_p, best_f, n, book, rules)
                if not _hand_over(c, s, best_p, best_f, best, rate, steps, book):
                    return takers
                at = level_at(steps[c], got[c])
                took = True
        takers += took
        asleep[c] = not took
    return takers


@njit(**LEAN)
def empty_rows(book):
    """Rows that have handed over all they had: they light and cover still, until `refresh`."""
    shares, count = book[11], book[13]
    empty = 0
    for row in range(count[0]):
        empty += 1 if shares[row] <= CRUMB else 0
    return empty


@njit(**LEAN)
def refresh(book, rules):
    """Forgets what rows that have handed over all still light and cover.

    Returns how many cells of cones it looked at, -1 if `near` reaches too short.
    """
    _, _, beam_of, lit, _, _, _, covers, served = book[:9]
    rows, shares, _, count = book[10:14]
    fresh = rules[8]
    beam_of[:] = -1
    lit[:] = 0
    covers[:] = 0
    served[:] = False
    looked = 0
    for row in range(count[0]):
        if shares[row] > CRUMB:
            s, p, f, c = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3]
            n = cone(s, c, rules[4], rules[5], rules[6], rules[2], rules[7])
            if n < 0:
                return -1
            looked += n
            # More than none, so that `light` enters the cone.
            fresh[f] = 1
            light(c, s, p, f, n, book, rules)
    return looked
