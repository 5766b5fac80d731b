"""Which few satellites each cell need look at, found from prices; and the cells that a beam to it covers."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.sky.schedule.cones_kernel import cone_reach_m
from skylift.sky.schedule.lean import LEAN
from skylift.sky.schedule.levels_kernel import STEPS, affordable
from skylift.sky.schedule.units_kernel import all_channels, find_owners, first_of, shut_to

# Of the beams, what separation leaves to use, about: aimed at when cells are first put down.
AIM = 0.75


@njit(cache=True)
def usable_pairs(offset, satellite, full_rate, steps, local):
    """Pairs of cells that want something with satellites that have a feeder: what the other kernels work on.

    local    int32 (N,) number of a satellite among those with a feeder and a beam, -1 for the others
    returns  offset (M+1,), pair (Q,), its satellite by the numbers of `local` (Q,), weight (Q,), seconds per
             bit (Q,): the weight is rate^8, since a high rate is a high elevation, a small footprint
    """
    m, n = len(steps), 0
    out_offset = np.zeros(m + 1, np.int64)
    pair, sat = np.empty(len(satellite), np.int64), np.empty(len(satellite), np.int32)
    weight, slowness = np.empty(len(satellite)), np.empty(len(satellite))
    for c in range(m):
        wants = 0.0
        for k in range(STEPS):
            wants += steps[c, k]
        if wants > 0.0:
            highest, first = 0.0, n
            for k in range(offset[c], offset[c + 1]):
                if local[satellite[k]] >= 0 and full_rate[k] > 0.0:
                    pair[n], sat[n], slowness[n] = k, local[satellite[k]], 1.0 / full_rate[k]
                    highest = max(highest, full_rate[k])
                    n += 1
            for i in range(first, n):
                r = full_rate[pair[i]] / highest
                r *= r
                r *= r
                weight[i] = r * r
        out_offset[c + 1] = n
    return out_offset, pair[:n], sat[:n], weight[:n], slowness[:n]


@njit(cache=True)
def prices(offset, satellite, weight, slowness, steps, beams, feeder, rounds, target):
    """Divides each cell over its satellites by weight x price until loads are even: so it leaves `weight`.

    target   (M,) filled: the level that a cell may expect

    The price of an overloaded satellite falls: what its cells pay is in use elsewhere.
    """
    n, m = len(beams), len(steps)
    price, load = np.ones(n), np.empty(n)
    wants = np.empty(m)
    for c in range(m):
        wants[c] = steps[c].sum()
    for _ in range(rounds):
        load[:] = 0.0
        for c in range(m):
            first, last = offset[c], offset[c + 1]
            total = 0.0
            for i in range(first, last):
                total += weight[i] * price[satellite[i]]
            if total > 0.0:
                part = wants[c] / total
                for i in range(first, last):
                    load[satellite[i]] += part * weight[i] * price[satellite[i]] * slowness[i]
        for s in range(n):
            if load[s] > 0.0:
                price[s] *= math.sqrt(beams[s] / load[s])
    time, rate, level = np.zeros((n, STEPS)), np.zeros((n, STEPS)), np.empty(n)
    for c in range(m):
        total = 0.0
        for i in range(offset[c], offset[c + 1]):
            weight[i] *= price[satellite[i]]
            total += weight[i]
        for i in range(offset[c], offset[c + 1]):
            weight[i] /= total
            s = satellite[i]
            for k in range(STEPS):
                amount = weight[i] * steps[c, k]
                rate[s, k] += amount
                time[s, k] += amount * slowness[i]
    for s in range(n):
        level[s] = min(affordable(time[s], rate[s], AIM * beams[s], feeder[s]), float(STEPS))
    for c in range(m):
        target[c] = 0.0
        for i in range(offset[c], offset[c + 1]):
            target[c] += weight[i] * level[satellite[i]]


@njit(cache=True)
def shortlist(offset, pair, satellite, weight, previous, most):
    """The `most` heaviest pairs of each cell, by satellite: offset (M+1,), pair (L,), satellite (L,).

    previous  bool (K,): the pair was used in the slot before; these come first
    """
    m = len(offset) - 1
    out_offset = np.zeros(m + 1, np.int64)
    out, sat, heavy = np.empty(m * most, np.int64), np.empty(m * most, np.int32), np.empty(most)
    n = 0
    for c in range(m):
        start, held, lightest = n, 0, 0
        for i in range(offset[c], offset[c + 1]):
            # No weight is above 1.
            weighs = weight[i] + (1.0 if previous[pair[i]] else 0.0)
            if held < most:
                at = held
                held += 1
            elif weighs > heavy[lightest]:
                at = lightest
            else:
                continue
            out[start + at], sat[start + at], heavy[at] = pair[i], satellite[i], weighs
            if held == most:
                lightest = 0
                for j in range(1, most):
                    if heavy[j] < heavy[lightest]:
                        lightest = j
        n += held
        for i in range(start + 1, n):
            p, s = out[i], sat[i]
            j = i
            while j > start and sat[j - 1] > s:
                out[j], sat[j] = out[j - 1], sat[j - 1]
                j -= 1
            out[j], sat[j] = p, s
        out_offset[c + 1] = n
    return out_offset, out[:n], sat[:n]


@njit(cache=True)
def others_above(offset, pair, satellite, listed, level, top, gap, barred, units):
    """Pairs left out whose satellite has a unit that fills above their cell by `gap`, on a channel where no
    other covers it: offset (M+1,), pair (L,), satellite (L,).

    offset, pair, satellite  of `usable_pairs`;  listed bool (K,)  pairs that are in the short list
    level (M,), top (N*F,)   as in even_kernel;  barred uint32 (K,);  units as in units_kernel
    """
    m, channels = len(offset) - 1, units[11].shape[1]
    peak = np.zeros(len(top) // channels)
    for u in range(len(top)):
        peak[u // channels] = max(peak[u // channels], top[u])
    out_offset = np.zeros(m + 1, np.int64)
    out, sat = np.empty(len(pair), np.int64), np.empty(len(pair), np.int32)
    owner, n = np.empty(channels, np.int64), 0
    for c in range(m):
        above, known = level[c] + gap, False
        for i in range(offset[c], offset[c + 1] if above < STEPS else offset[c]):
            s = satellite[i]
            if listed[pair[i]] or peak[s] <= above:
                continue
            if not known:
                find_owners(c, units, owner)
                known = True
            rest = all_channels(channels) & ~(shut_to(s, barred[pair[i]], owner) | units[9][c])
            while rest:
                f, bit = first_of(rest)
                rest ^= bit
                if top[s * channels + f] > above:
                    out[n], sat[n] = pair[i], s
                    n += 1
                    break
        out_offset[c + 1] = n
    return out_offset, out[:n], sat[:n]


@njit(**LEAN)
def _first_beyond(distance, first, last, reach_m, guess):
    """Where distances (ascending) in first:last pass a reach, sought from a guess on."""
    at = min(max(guess, first), last)
    while at < last and distance[at] <= reach_m:
        at += 1
    while at > first and distance[at - 1] > reach_m:
        at -= 1
    return at


@njit(cache=True)
def cones_of_pairs(offset, satellite, satellite_m, cell_m, near, angle):
    """Cells that the beam of each short-listed pair covers: offset (Q+1,), cell uint32 (L,), its own first.

    near  as in cones_kernel.cone. Returns empty arrays where it reaches too short. The rest of L is unused.
    """
    near_offset, found, distance, built_m = near
    m, q = len(offset) - 1, len(satellite)
    most, widest = 1, 1
    for c in range(m):
        most = max(most, near_offset[c + 1] - near_offset[c])
        widest = max(widest, offset[c + 1] - offset[c])
    dx, dy, dz, d2 = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    excess, reach_m = np.empty(most), np.empty(widest)
    out_offset = np.zeros(q + 1, np.int64)
    out = np.empty(max(32 * q, most), np.uint32)
    n, before = 0, 0
    # Wider by a hair, so that rounding never leaves out a cell.
    wide = math.tan(angle + 1e-9) ** 2
    sine, cosine = math.sin(angle), math.cos(angle)
    cell_x, cell_y, cell_z = cell_m[0], cell_m[1], cell_m[2]
    for c in range(m):
        if offset[c] == offset[c + 1]:
            continue
        first, x, y, z = near_offset[c], cell_x[c], cell_y[c], cell_z[c]
        farthest_m = 1.0
        for k in range(offset[c], offset[c + 1]):
            s = satellite[k]
            reach_m[k - offset[c]] = cone_reach_m(
                satellite_m[0, s], satellite_m[1, s], satellite_m[2, s], x, y, z, sine, cosine
            )
            farthest_m = max(farthest_m, reach_m[k - offset[c]])
        if farthest_m > built_m:
            return np.zeros(0, np.int64), np.empty(0, np.uint32)
        loaded = _first_beyond(distance, first, near_offset[c + 1], farthest_m, first + before) - first
        before = loaded
        here = found[first : first + loaded]
        for i in range(loaded):
            other = here[i]
            dx[i], dy[i], dz[i] = cell_x[other] - x, cell_y[other] - y, cell_z[other] - z
            d2[i] = distance[first + i] ** 2
        for k in range(offset[c], offset[c + 1]):
            s = satellite[k]
            ax, ay, az = x - satellite_m[0, s], y - satellite_m[1, s], z - satellite_m[2, s]
            slant = math.sqrt(ax * ax + ay * ay + az * az)
            ax, ay, az = ax / slant, ay / slant, az / slant
            # They stand by distance, about as evenly as cells in the plane: so many to the square of a reach.
            part = reach_m[k - offset[c]] / farthest_m
            guess = first + int(loaded * part * part)
            count = _first_beyond(distance, first, first + loaded, reach_m[k - offset[c]], guess) - first
            if n + count > len(out):
                grown = np.empty(2 * len(out) + count, np.uint32)
                grown[:n] = out[:n]
                out = grown
            # The cell itself stands first, at distance 0.
            for i in range(count):
                along = ax * dx[i] + ay * dy[i] + az * dz[i]
                reached = slant + along
                excess[i] = d2[i] - along * along - wide * reached * reached
            # Unsigned, so that no index need be looked at for being negative.
            at = np.uint64(n)
            for i in range(count):
                out[at] = here[i]
                at += np.uint64(excess[i] <= 0.0)
            out_offset[k + 1] = at
            n = out_offset[k + 1]
    return out_offset, out
