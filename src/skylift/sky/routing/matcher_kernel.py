"""Compiled: which satellites of a real catalogue point their lasers at each other."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from skylift.sky.routing.lasers_kernel import beam_m


@njit(cache=True)
def feasible(u, v, cross, position_m, working, clear_m, stretch, max_range_m, max_sine):
    """Length of the beam between u and v, or inf where the rules forbid it at this instant."""
    if not (working[u] and working[v]):
        return np.inf
    a, b = (u, v) if u < v else (v, u)
    ax, ay, az = position_m[0, a], position_m[1, a], position_m[2, a]
    bx, by, bz = position_m[0, b], position_m[1, b], position_m[2, b]
    if cross:
        limit = max_sine * max_sine
        if az * az > limit * (ax * ax + ay * ay + az * az) or bz * bz > limit * (bx * bx + by * by + bz * bz):
            return np.inf
    return beam_m(ax, ay, az, bx, by, bz, clear_m, stretch, max_range_m)


@njit(cache=True)
def drop(neighbour, position_m, working, laser_working, first_cross, clear_m, stretch, max_range_m, max_sine):
    """Take out the links that can no longer be held, at both ends."""
    count, degree = neighbour.shape
    for u in range(count):
        for k in range(degree):
            v = neighbour[u, k]
            if v < 0:
                continue
            held = laser_working[u, k] and (
                feasible(u, v, k >= first_cross, position_m, working, clear_m, stretch, max_range_m, max_sine)
                < np.inf
            )
            if not held:
                neighbour[u, k] = -1
                for j in range(degree):
                    if neighbour[v, j] == u:
                        neighbour[v, j] = -1


@njit(cache=True)
def _best(score, other, best, partner, used):
    """Keep the lowest scores of a satellite, lowest number first among equals; returns how many it has."""
    room = len(best)
    if used == room and not score < best[room - 1]:
        return used
    at = used if used < room else room - 1
    while at > 0 and (best[at - 1] > score or (best[at - 1] == score and partner[at - 1] > other)):
        best[at], partner[at] = best[at - 1], partner[at - 1]
        at -= 1
    best[at], partner[at] = score, other
    return min(used + 1, room)


@njit(cache=True)
def candidates(
    mode,
    keys,
    order,
    sorted_keys,
    neighbour,
    laser_working,
    working,
    position_m,
    normal,
    forward,
    ahead_m,
    coplanar_cos,
    reach_m,
    lasers,
    first_cross,
    clear_m,
    stretch,
    max_range_m,
    max_sine,
    best,
    partner,
):
    """Up to K partners for every satellite with a free laser, into best and partner (N, K); -1 ends a row.

    mode 0  ahead in the plane; score: angle along the orbit
    mode 1  in another plane, to the east; score: longest distance at the instants of ahead_m
    mode 2  in another plane, any side; score as in 1 over the instants of ahead_m
    The cells (keys) are cubes of the normals in mode 0 and of the positions otherwise.
    """
    count = neighbour.shape[0]
    for u in range(count):
        partner[u, :] = -1
        if keys[u] < 0 or not working[u]:
            continue
        if mode == 0:
            mine = neighbour[u, 0] < 0 and laser_working[u, 0]
        elif mode == 1:
            mine = neighbour[u, 2] < 0 and laser_working[u, 2] and lasers > 2
        else:
            mine = (neighbour[u, 2] < 0 and laser_working[u, 2] and lasers > 2) or (
                neighbour[u, 3] < 0 and laser_working[u, 3] and lasers > 3
            )
        if not mine:
            continue
        used = 0
        limit = reach_m * reach_m
        for di in range(-1, 2):
            for dj in range(-1, 2):
                base = keys[u] + (((di << 20) + dj) << 20)
                i = np.searchsorted(sorted_keys, base - 1)
                while i < count and sorted_keys[i] <= base + 1:
                    v = order[i]
                    i += 1
                    if v == u or not working[v]:
                        continue
                    if mode > 0:
                        # Most of the cells' satellites are too far already: the cheapest test comes first.
                        dx = position_m[0, u] - position_m[0, v]
                        dy = position_m[1, u] - position_m[1, v]
                        dz = position_m[2, u] - position_m[2, v]
                        if dx * dx + dy * dy + dz * dz > limit:
                            continue
                    flat = (
                        normal[0, u] * normal[0, v]
                        + normal[1, u] * normal[1, v]
                        + normal[2, u] * normal[2, v]
                    )
                    if mode == 0:
                        if flat < coplanar_cos or neighbour[v, 1] >= 0 or not laser_working[v, 1]:
                            continue
                        dot, side = 0.0, 0.0
                        for c in range(3):
                            dot += position_m[c, u] * position_m[c, v]
                            side += forward[c, u] * position_m[c, v]
                        score = np.arctan2(side, dot)
                        # Behind, or beyond any clearance; at one place the lower number is behind.
                        if score < 0.0 or score > 1.6 or (score == 0.0 and v < u):
                            continue
                    else:
                        if flat >= coplanar_cos:
                            continue
                        east = normal[0, u] * normal[1, v] - normal[1, u] * normal[0, v]
                        if mode == 1:
                            if not (east > 0.0 or (east == 0.0 and u < v)):
                                continue
                            if lasers > 3:
                                if neighbour[v, 3] >= 0 or not laser_working[v, 3]:
                                    continue
                            elif neighbour[v, 2] >= 0 or not laser_working[v, 2]:
                                continue
                        else:
                            free = neighbour[v, 2] < 0 and laser_working[v, 2]
                            free = free or (lasers > 3 and neighbour[v, 3] < 0 and laser_working[v, 3])
                            if u > v or not free:
                                continue
                        score = 0.0
                        for t in range(ahead_m.shape[0]):
                            dx = ahead_m[t, 0, u] - ahead_m[t, 0, v]
                            dy = ahead_m[t, 1, u] - ahead_m[t, 1, v]
                            dz = ahead_m[t, 2, u] - ahead_m[t, 2, v]
                            score = max(score, dx * dx + dy * dy + dz * dz)
                            if score > limit:
                                break
                        if not score <= limit:
                            continue
                        linked = False
                        for k in range(neighbour.shape[1]):
                            linked = linked or neighbour[u, k] == v
                        if linked:
                            continue
                    if used == best.shape[1] and not score < best[u, used - 1]:
                        continue
                    if (
                        feasible(u, v, mode > 0, position_m, working, clear_m, stretch, max_range_m, max_sine)
                        < np.inf
                    ):
                        used = _best(score, v, best[u], partner[u], used)
                        if used == best.shape[1] and mode > 0:
                            limit = best[u, used - 1]
