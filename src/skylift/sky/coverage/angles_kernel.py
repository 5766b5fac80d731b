"""Elevation, azimuth, range and separation from the geostationary arc of pairs already found."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.base.units import GEOSTATIONARY_RADIUS_M
from skylift.sky.coverage.math_kernel import FAST, acos_fast

_GEO_M = GEOSTATIONARY_RADIUS_M
_TWO_PI_F32 = np.float32(2.0 * math.pi)


@njit(inline="always")
def _arc_cosine(sx, sy, sz, px, pz, cos_end, sin_end):  # type: ignore[no-untyped-def]
    """Cosine of the least angle between the direction s and the arc, both from a site at (px, 0, pz).

    The x axis lies in the equator's plane below the site's meridian. Points of the arc are
    (cos, sin, 0) R out to the ends at the horizon. Start: where the ray meets the geostationary sphere,
    put onto the equator; then Newton's method on the derivative of the cosine.
    """
    outward = sx * px + sz * pz
    ray_m = math.sqrt(outward * outward + (_GEO_M * _GEO_M - px * px - pz * pz)) - outward
    qx, qy = px + ray_m * sx, ray_m * sy
    scale = 1.0 / math.sqrt(qx * qx + qy * qy + 1e-6)
    c, s = qx * scale, qy * scale
    side = -1.0 if sy < 0.0 else 1.0
    base = px * px + pz * pz + _GEO_M * _GEO_M
    slope = 2.0 * _GEO_M * px
    for _ in range(3):
        outside = c < cos_end
        c = cos_end if outside else c
        s = side * sin_end if outside else s
        near = _GEO_M * (sx * c + sy * s)
        n0 = near - outward
        n1 = _GEO_M * (sy * c - sx * s)
        d0 = base - slope * c
        half_d1 = 0.5 * slope * s
        g = n1 * d0 - n0 * half_d1
        dg = n1 * half_d1 - near * d0 - 0.5 * n0 * slope * c
        # Where the cosine is not concave, Newton's step would run to the least cosine: climb instead.
        step = g / (abs(dg) + 1e-3)
        step = min(max(step, -0.5), 0.5)
        # A turn by 2 atan(step / 2): as good as one by `step`, and it keeps the length.
        h = 0.25 * step * step
        w = 1.0 / (1.0 + h)
        turned_c = ((1.0 - h) * c - step * s) * w
        s = ((1.0 - h) * s + step * c) * w
        c = turned_c
    outside = c < cos_end
    c = cos_end if outside else c
    s = (-sin_end if s < 0.0 else sin_end) if outside else s
    best = (_GEO_M * (sx * c + sy * s) - outward) / math.sqrt(base - slope * c)
    end = (_GEO_M * (sx * cos_end + abs(sy) * sin_end) - outward) / math.sqrt(base - slope * cos_end)
    return max(best, end)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def look_angles(x, y, z, site, elevation, azimuth, distance, arc, in_field):  # type: ignore[no-untyped-def]
    """Angles (float32) and ranges (float64) of satellites from one site; arrays are (n,).

    site    (21,) as in visible.site_table
    errors  elevation, azimuth and arc within 3e-7 rad, most of it float32's own; range to float64's rounding
    """
    px, py, pz = site[0], site[1], site[2]
    ex, ey, ez = site[3], site[4], site[5]
    nx, ny, nz = site[6], site[7], site[8]
    ux, uy, uz = site[9], site[10], site[11]
    bx, by, bz = site[12], site[13], site[14]
    cos_field = site[15]
    sin_lat, cos_lat = site[16], site[17]
    flat_m, axial_m = site[18], site[19]
    cos_end = site[20]
    sin_end = math.sqrt(max(1.0 - cos_end * cos_end, 0.0))
    has_arc = cos_end <= 1.0
    for j in range(len(x)):
        dx, dy, dz = x[j] - px, y[j] - py, z[j] - pz
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        inverse = 1.0 / d
        dx, dy, dz = dx * inverse, dy * inverse, dz * inverse
        e = ex * dx + ey * dy + ez * dz
        n = nx * dx + ny * dy + nz * dz
        u = ux * dx + uy * dy + uz * dz
        distance[j] = d
        elevation[j] = np.float32(0.5 * math.pi - acos_fast(u))
        a = acos_fast(n / math.sqrt(e * e + n * n + 1e-300))
        turn = np.float32(2.0 * math.pi - a if e < 0.0 else a)
        azimuth[j] = turn if turn < _TWO_PI_F32 else np.float32(0.0)
        in_field[j] = bx * dx + by * dy + bz * dz >= cos_field
        sx, sz = cos_lat * u - sin_lat * n, cos_lat * n + sin_lat * u
        cosine = _arc_cosine(sx, e, sz, flat_m, axial_m, cos_end, sin_end)
        arc[j] = np.float32(acos_fast(cosine)) if has_arc else np.float32(math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def pair_angles(  # type: ignore[no-untyped-def]
    x, y, z, found, site_order, site_offset, table, masks, masked, local, satellite, elevation, azimuth,
    distance, arc, in_field,
):  # fmt: skip
    """Fill the columns of all pairs; `found` holds the satellites of the sites in tile order.

    table (M, 21) by site; masks float32 (M, 360), masked bool (M,); local (3, most pairs of a site), scratch
    """
    k = 0
    for m in range(len(site_order)):
        site = site_order[m]
        first, last = site_offset[site], site_offset[site + 1]
        n = last - first
        lx, ly, lz = local[0, :n], local[1, :n], local[2, :n]
        for j in range(n):
            s = found[k + j]
            satellite[first + j] = s
            lx[j] = x[s]
            ly[j] = y[s]
            lz[j] = z[s]
        k += n
        look_angles(
            lx, ly, lz, table[site], elevation[first:last], azimuth[first:last], distance[first:last],
            arc[first:last], in_field[first:last],
        )  # fmt: skip
        if masked[site]:
            for j in range(first, last):
                degree = min(int(azimuth[j] * (180.0 / math.pi)), 359)
                in_field[j] = in_field[j] and elevation[j] >= masks[site, degree]
