"""Elevation, azimuth, range and separation from the geostationary arc of pairs already found.

The loops are short on purpose: each is one chain of roots and divisions per pair, and a processor keeps
several of a short chain in flight but only one of a long one (measured: half the time of one long loop).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.base.units import GEOSTATIONARY_RADIUS_M
from skylift.sky.coverage.math_kernel import FAST, acos_fast

_GEO_M = GEOSTATIONARY_RADIUS_M
_TWO_PI_F32 = np.float32(2.0 * math.pi)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def directions(x, y, z, site, east, north, up, distance):  # type: ignore[no-untyped-def]
    """Unit direction from the site in its own east, north and up, and the range."""
    px, py, pz = site[0], site[1], site[2]
    ex, ey, ez = site[3], site[4], site[5]
    nx, ny, nz = site[6], site[7], site[8]
    ux, uy, uz = site[9], site[10], site[11]
    for j in range(len(x)):
        dx, dy, dz = x[j] - px, y[j] - py, z[j] - pz
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        inverse = 1.0 / d
        distance[j] = d
        east[j] = (ex * dx + ey * dy + ez * dz) * inverse
        north[j] = (nx * dx + ny * dy + nz * dz) * inverse
        up[j] = (ux * dx + uy * dy + uz * dz) * inverse


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def elevation_azimuth(east, north, up, elevation, azimuth):  # type: ignore[no-untyped-def]
    for j in range(len(east)):
        e, n, u = east[j], north[j], up[j]
        elevation[j] = np.float32(0.5 * math.pi - acos_fast(u))
        # The tiny term: straight overhead is some azimuth, not 0 / 0.
        a = acos_fast(n / math.sqrt(e * e + n * n + 1e-300))
        turn = np.float32(2.0 * math.pi - a if e < 0.0 else a)
        azimuth[j] = turn if turn < _TWO_PI_F32 else np.float32(0.0)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _arc_start(sx, sy, sz, px, pz, cos_end, sin_end, c, s):  # type: ignore[no-untyped-def]
    """First guess: where the ray meets the geostationary sphere, put onto the equator, within the ends."""
    beyond = _GEO_M * _GEO_M - px * px - pz * pz
    for j in range(len(sx)):
        outward = sx[j] * px + sz[j] * pz
        ray_m = math.sqrt(outward * outward + beyond) - outward
        qx, qy = px + ray_m * sx[j], ray_m * sy[j]
        scale = 1.0 / math.sqrt(qx * qx + qy * qy + 1e-6)
        cj, sj = qx * scale, qy * scale
        outside = cj < cos_end
        c[j] = cos_end if outside else cj
        s[j] = (-sin_end if sj < 0.0 else sin_end) if outside else sj


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _arc_newton(sx, sy, sz, px, pz, cos_end, sin_end, c, s):  # type: ignore[no-untyped-def]
    """One Newton step on the derivative of the cosine of the angle to the arc's point (c, s)."""
    base = px * px + pz * pz + _GEO_M * _GEO_M
    slope = 2.0 * _GEO_M * px
    for j in range(len(sx)):
        cj, sj = c[j], s[j]
        outward = sx[j] * px + sz[j] * pz
        near = _GEO_M * (sx[j] * cj + sy[j] * sj)
        n0 = near - outward
        n1 = _GEO_M * (sy[j] * cj - sx[j] * sj)
        d0 = base - slope * cj
        half_d1 = 0.5 * slope * sj
        g = n1 * d0 - n0 * half_d1
        dg = n1 * half_d1 - near * d0 - 0.5 * n0 * slope * cj
        # Where the cosine is not concave, Newton's step would run to the least cosine: climb instead.
        step = g / (abs(dg) + 1e-3)
        step = min(max(step, -0.5), 0.5)
        # A turn by 2 atan(step / 2): as good as one by `step`, and it keeps the length.
        h = 0.25 * step * step
        w = 1.0 / (1.0 + h)
        turned = ((1.0 - h) * cj - step * sj) * w
        sj = ((1.0 - h) * sj + step * cj) * w
        outside = turned < cos_end
        c[j] = cos_end if outside else turned
        s[j] = (-sin_end if sj < 0.0 else sin_end) if outside else sj


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _arc_angle(sx, sy, sz, px, pz, cos_end, sin_end, c, s, arc):  # type: ignore[no-untyped-def]
    """Angle to the arc's point (c, s), or to the nearer end of the arc where that is less."""
    base = px * px + pz * pz + _GEO_M * _GEO_M
    slope = 2.0 * _GEO_M * px
    per_end_m = 1.0 / math.sqrt(base - slope * cos_end)
    for j in range(len(sx)):
        outward = sx[j] * px + sz[j] * pz
        best = (_GEO_M * (sx[j] * c[j] + sy[j] * s[j]) - outward) / math.sqrt(base - slope * c[j])
        end = (_GEO_M * (sx[j] * cos_end + abs(sy[j]) * sin_end) - outward) * per_end_m
        arc[j] = np.float32(acos_fast(max(best, end)))


@njit(cache=True, nogil=True, error_model="numpy")
def arc_angles(east, north, up, site, sx, sz, c, s, arc):  # type: ignore[no-untyped-def]
    """Least angle (float32) between directions and the geostationary arc above the horizon; pi without one.

    The arc's points are (c, s, 0) R in axes whose x lies below the site's meridian, the site at (px, 0, pz).
    sx, sz, c, s  (n,), scratch
    """
    sin_lat, cos_lat = site[16], site[17]
    px, pz, cos_end = site[18], site[19], site[20]
    if cos_end > 1.0:
        arc[:] = np.float32(math.pi)
        return
    sin_end = math.sqrt(1.0 - cos_end * cos_end)
    for j in range(len(up)):
        sx[j] = cos_lat * up[j] - sin_lat * north[j]
    for j in range(len(up)):
        sz[j] = cos_lat * north[j] + sin_lat * up[j]
    _arc_start(sx, east, sz, px, pz, cos_end, sin_end, c, s)
    for _ in range(3):
        _arc_newton(sx, east, sz, px, pz, cos_end, sin_end, c, s)
    _arc_angle(sx, east, sz, px, pz, cos_end, sin_end, c, s, arc)


@njit(cache=True, nogil=True, error_model="numpy")
def look_angles(local, n, site, mask, masked, elevation, azimuth, distance, arc, in_field):  # type: ignore[no-untyped-def]
    """Angles (float32) and ranges (float64) of n satellites from one site.

    local   (10, n or more): positions in the first three rows, all rows are overwritten
    site    (21,) as in visible.site_table; mask float32 (360,), read where masked
    errors  elevation, azimuth and arc within 3e-7 rad, most of it float32's own; range to float64's rounding
    """
    east, north, up = local[3, :n], local[4, :n], local[5, :n]
    directions(local[0, :n], local[1, :n], local[2, :n], site, east, north, up, distance)
    elevation_azimuth(east, north, up, elevation, azimuth)
    arc_angles(east, north, up, site, local[6, :n], local[7, :n], local[8, :n], local[9, :n], arc)
    be, bn, bu, cos_field = site[12], site[13], site[14], site[15]
    for j in range(n):
        in_field[j] = be * east[j] + bn * north[j] + bu * up[j] >= cos_field
    if masked:
        for j in range(n):
            degree = min(int(azimuth[j] * (180.0 / math.pi)), 359)
            in_field[j] = in_field[j] and elevation[j] >= mask[degree]


@njit(cache=True, nogil=True, error_model="numpy")
def pair_angles(  # type: ignore[no-untyped-def]
    x, y, z, tile_start, candidates, tile_sites, found, site_order, site_offset, table, masks, masked, local,
    satellite, elevation, azimuth, distance, arc, in_field,
):  # fmt: skip
    """Fill the columns of all pairs; `found` and the tiles as search_kernel leaves them.

    table (M, 21) by site; masks float32 (M, 360), masked bool (M,)
    local (13, most candidates of a tile), scratch: its last three rows hold the tile's satellites, because
          their neighbours see them as well and memory is slower than arithmetic
    """
    k = 0
    for t in range(len(tile_start) - 1):
        held = candidates[tile_start[t] : tile_start[t + 1]]
        for j in range(len(held)):
            local[10, j] = x[held[j]]
            local[11, j] = y[held[j]]
            local[12, j] = z[held[j]]
        for m in range(tile_sites[t], tile_sites[t + 1]):
            site = site_order[m]
            first, last = site_offset[site], site_offset[site + 1]
            n = last - first
            for j in range(n):
                i = found[k + j]
                satellite[first + j] = held[i]
                local[0, j] = local[10, i]
                local[1, j] = local[11, i]
                local[2, j] = local[12, i]
            k += n
            look_angles(
                local, n, table[site], masks[site], masked[site], elevation[first:last], azimuth[first:last],
                distance[first:last], arc[first:last], in_field[first:last],
            )  # fmt: skip
