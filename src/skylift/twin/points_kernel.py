"""Terminals of one cell, taken together: the satellites that all of them can use."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def _gather(members, point, offset, satellite, elevation, allowed, waiting, point_of, out, count):
    """Put into `point` as many waiting members, in order, as have a satellite in common; gives the new count.

    Of each satellite the pair of the member that sees it lowest is kept: a beam must reach all of them.
    """
    begin, end, empty = count, count, True
    for m in members:
        if not waiting[m]:
            continue
        if empty:
            for k in range(offset[m], offset[m + 1]):
                if allowed[k]:
                    out[end] = k
                    end += 1
            empty = end == begin
            if not empty:
                point_of[m] = point
            waiting[m] = False
            continue
        common = 0
        k = offset[m]
        for i in range(begin, end):
            while k < offset[m + 1] and (satellite[k] < satellite[out[i]] or not allowed[k]):
                k += 1
            if k < offset[m + 1] and satellite[k] == satellite[out[i]]:
                common += 1
        if common == 0:
            continue
        kept, k = begin, offset[m]
        for i in range(begin, end):
            while k < offset[m + 1] and (satellite[k] < satellite[out[i]] or not allowed[k]):
                k += 1
            if k < offset[m + 1] and satellite[k] == satellite[out[i]]:
                out[kept] = k if elevation[k] < elevation[out[i]] else out[i]
                kept += 1
        end = kept
        point_of[m] = point
        waiting[m] = False
    return end


@njit(cache=True)
def common_pairs(
    member_offset, member, asking, offset, satellite, elevation, allowed, point_of, home, out_offset, out
):
    """For each point the pairs that its asking terminals have in common; gives how many points there are.

    member_offset (P+1,), member (M,)  terminals of each point
    offset, satellite, elevation       pairs by terminal, satellites ascending; allowed (K,) bool
    point_of (M,)                      filled: each terminal's point; -1 for one that asks or sees nothing
    home (P+M,)                        filled: for a further point, the one it was split off from
    out_offset (P+M+1,), out (K,)      filled: pair indices by point

    Terminals that have no satellite in common with those before them make a further point, after all others.
    """
    points = len(member_offset) - 1
    waiting = asking.copy()
    point_of[:] = -1
    count = 0
    out_offset[0] = 0
    for p in range(points):
        home[p] = p
        members = member[member_offset[p] : member_offset[p + 1]]
        count = _gather(members, p, offset, satellite, elevation, allowed, waiting, point_of, out, count)
        out_offset[p + 1] = count
    total = points
    for p in range(points):
        members = member[member_offset[p] : member_offset[p + 1]]
        while True:
            before = count
            count = _gather(
                members, total, offset, satellite, elevation, allowed, waiting, point_of, out, count
            )
            if count == before:
                break
            home[total] = p
            total += 1
            out_offset[total] = count
    return total


@njit(cache=True)
def take_satellites(
    order, priority, point_of, asked, previous, offset, satellite, rate, floor_fraction, keep_fraction, out
):
    """Give each terminal one of the satellites that serve its point; fills out (M,): its place, -1 for none.

    order           terminals, the most urgent first; priority (M,); asked (M,) rates
    previous (M,)   the satellite that each had: kept where it gives keep_fraction of what the best would
    offset (P+1,), satellite, rate (G,)  by point: which satellites serve it, and how fast
    floor_fraction  of what it asked for, which each gets before anybody gets more, however urgent
    """
    # What has been asked of each satellite of a point by classes before, and by the class at hand.
    urgent, same = np.zeros(len(rate)), np.zeros(len(rate))
    at_hand = -1
    out[:] = -1
    for m in order:
        if priority[m] != at_hand:
            at_hand = priority[m]
            urgent += same
            same[:] = 0.0
        p = point_of[m]
        if p < 0:
            continue
        best, best_score, kept, kept_score = -1, -1.0, -1, 0.0
        for g in range(offset[p], offset[p + 1]):
            # What it would get: the floor with all in there, and its class's part of what urgent ones leave.
            everybody = urgent[g] + same[g] + asked[m]
            floor = min(floor_fraction * asked[m], rate[g] * asked[m] / everybody)
            left = rate[g] - floor_fraction * everybody - (1.0 - floor_fraction) * urgent[g]
            more = max(left, 0.0) * asked[m] / (same[g] + asked[m])
            score = floor + min((1.0 - floor_fraction) * asked[m], more)
            # Where it would get the same, where the least is asked.
            score += 1e-6 * rate[g] * asked[m] / everybody
            if score > best_score:
                best, best_score = g, score
            if satellite[g] == previous[m]:
                kept, kept_score = g, score
        if best < 0:
            continue
        if kept >= 0 and kept_score >= keep_fraction * best_score:
            best = kept
        out[m] = best
        same[best] += asked[m]
