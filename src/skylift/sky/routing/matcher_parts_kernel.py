"""Compiled: where satellites will be, cells to find them by, and links made from pairs in order."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def orbits(position_m, velocity_m_per_s, spin_rad_per_s, cosine, sine, normal, forward, ahead_m):
    """Plane normals, directions of flight, and positions after T parts of an orbit, (T, 3, N).

    The frame turns with the Earth; for the moment it is taken as at rest, and every orbit as a circle: good
    enough to say who will still be near in half an orbit.
    """
    for u in range(position_m.shape[1]):
        x, y, z = position_m[0, u], position_m[1, u], position_m[2, u]
        vx = velocity_m_per_s[0, u] - spin_rad_per_s * y
        vy = velocity_m_per_s[1, u] + spin_rad_per_s * x
        vz = velocity_m_per_s[2, u]
        nx, ny, nz = y * vz - z * vy, z * vx - x * vz, x * vy - y * vx
        size = np.sqrt(nx * nx + ny * ny + nz * nz)
        nx, ny, nz = nx / size, ny / size, nz / size
        normal[0, u], normal[1, u], normal[2, u] = nx, ny, nz
        fx, fy, fz = ny * z - nz * y, nz * x - nx * z, nx * y - ny * x
        forward[0, u], forward[1, u], forward[2, u] = fx, fy, fz
        for t in range(len(cosine)):
            c, s = cosine[t], sine[t]
            ahead_m[t, 0, u] = c * x + s * fx
            ahead_m[t, 1, u] = c * y + s * fy
            ahead_m[t, 2, u] = c * z + s * fz


@njit(cache=True)
def cell_keys(points, size, keys):
    """One number per point (3, N): its cube of edge `size`; neighbours in z have successive numbers."""
    for u in range(points.shape[1]):
        x, y, z = points[0, u], points[1, u], points[2, u]
        if not (x * x + y * y + z * z < np.inf):
            keys[u] = -1
            continue
        i = np.int64(np.floor(x / size)) + (1 << 19)
        j = np.int64(np.floor(y / size)) + (1 << 19)
        k = np.int64(np.floor(z / size)) + (1 << 19)
        keys[u] = (((i << 20) | j) << 20) | k


@njit(cache=True)
def accept(mode, first, second, neighbour, carries_from_us, from_us, laser_working, lasers):
    """Link pairs in the order given wherever both still have a free laser; returns how many were linked."""
    linked = 0
    for i in range(len(first)):
        u, v = first[i], second[i]
        mine, theirs = -1, -1
        if mode == 0:
            if neighbour[u, 0] < 0 and neighbour[v, 1] < 0 and neighbour[u, 1] != v:
                mine, theirs = 0, 1
        elif mode == 1 and lasers > 3:
            if neighbour[u, 2] < 0 and neighbour[v, 3] < 0:
                mine, theirs = 2, 3
        else:
            for k in range(lasers - 1, 1, -1):
                if neighbour[u, k] < 0 and laser_working[u, k]:
                    mine = k
                if neighbour[v, k] < 0 and laser_working[v, k]:
                    theirs = k
        if mine < 0 or theirs < 0:
            continue
        if mode > 0 and (neighbour[u, 2] == v or neighbour[u, 3] == v):
            continue
        neighbour[u, mine], neighbour[v, theirs] = v, u
        carries_from_us[u, mine] = carries_from_us[v, theirs] = from_us
        linked += 1
    return linked
