"""Compiled: geometry of lasers between satellites."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, inline="always")
def beam_m(ax, ay, az, bx, by, bz, clear_m, stretch, max_range_m):
    """Length of the beam from a to b, or inf where it is too long, grazes the Earth, or an end is nan."""
    dx = bx - ax
    dy = by - ay
    dz = bz - az
    length_m = np.sqrt(dx * dx + dy * dy + dz * dz)
    if not length_m <= max_range_m:
        return np.inf
    # Nearest point of the segment to the centre, where the ellipsoid to be cleared is a sphere.
    sz = az * stretch
    tz = dz * stretch
    along = -(ax * dx + ay * dy + sz * tz)
    whole = dx * dx + dy * dy + tz * tz
    share = min(max(along / whole, 0.0), 1.0) if whole > 0.0 else 0.0
    nx = ax + share * dx
    ny = ay + share * dy
    nz = sz + share * tz
    if not nx * nx + ny * ny + nz * nz >= clear_m * clear_m:
        return np.inf
    return length_m


@njit(cache=True)
def hops(
    neighbour,
    position_m,
    working,
    laser_working,
    check_lasers,
    clear_m,
    stretch,
    max_range_m,
    max_sine,
    first_cross,
    us_per_m,
    hop_us,
):
    """Fill hop_us (N, D) with the light time of each link, inf where it does not carry."""
    count, degree = neighbour.shape
    for u in range(count):
        ax, ay, az = position_m[0, u], position_m[1, u], position_m[2, u]
        low = az * az <= max_sine * max_sine * (ax * ax + ay * ay + az * az)
        for k in range(degree):
            v = neighbour[u, k]
            hop_us[u, k] = np.inf
            if v < 0 or not working[u] or not working[v]:
                continue
            bx, by, bz = position_m[0, v], position_m[1, v], position_m[2, v]
            if k >= first_cross and not (
                low and bz * bz <= max_sine * max_sine * (bx * bx + by * by + bz * bz)
            ):
                continue
            if check_lasers:
                both = laser_working[u, k]
                mirrored = False
                for j in range(degree):
                    if neighbour[v, j] == u:
                        mirrored = mirrored or laser_working[v, j]
                if not (both and mirrored):
                    continue
            # One order for both directions, so that both get the same bits.
            if u < v:
                length_m = beam_m(ax, ay, az, bx, by, bz, clear_m, stretch, max_range_m)
            else:
                length_m = beam_m(bx, by, bz, ax, ay, az, clear_m, stretch, max_range_m)
            hop_us[u, k] = length_m * us_per_m


@njit(cache=True)
def is_symmetric(neighbour):
    """The first (u, k) whose link is not answered from its other end, or (-1, -1)."""
    count, degree = neighbour.shape
    for u in range(count):
        for k in range(degree):
            v = neighbour[u, k]
            if v < 0:
                continue
            answered = False
            if v != u and v < count:
                for j in range(degree):
                    answered = answered or neighbour[v, j] == u
            if not answered:
                return u, k
    return -1, -1
