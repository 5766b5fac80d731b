"""Which cells a beam covers: those within an angle of its axis, seen from the satellite."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from skylift.sky.schedule.lean import LEAN

# Least and greatest distance of the ground from the Earth's centre, with hills: for safe bounds.
_LOWEST_M = 6_350_000.0
_HIGHEST_M = 6_390_000.0


@njit(cache=True)
def neighbours(position_m, reach_m):
    """Cells within reach_m of each, itself first, then by distance: offset (M+1,), cell and metres (L,)."""
    m = position_m.shape[1]
    if m == 0:
        return np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0)
    side = max(reach_m, 100_000.0)
    low = np.array([position_m[0].min(), position_m[1].min(), position_m[2].min()])
    size = np.array([int((position_m[i].max() - low[i]) / side) + 1 for i in range(3)])
    cube = np.empty(m, np.int64)
    for c in range(m):
        x = int((position_m[0, c] - low[0]) / side)
        y = int((position_m[1, c] - low[1]) / side)
        z = int((position_m[2, c] - low[2]) / side)
        cube[c] = (x * size[1] + y) * size[2] + z
    order = np.argsort(cube, kind="mergesort")
    start = np.searchsorted(cube[order], np.arange(size[0] * size[1] * size[2] + 1))
    offset = np.zeros(m + 1, np.int64)
    found = np.empty(0, np.int32)
    distance = np.empty(0)
    near_cell = np.empty(m, np.int32)
    near_m = np.empty(m)
    for fill in range(2):
        for c in range(m):
            n = 0
            cx, rest = divmod(cube[c], size[1] * size[2])
            cy, cz = divmod(rest, size[2])
            for x in range(max(cx - 1, 0), min(cx + 2, size[0])):
                for y in range(max(cy - 1, 0), min(cy + 2, size[1])):
                    first = (x * size[1] + y) * size[2] + max(cz - 1, 0)
                    last = (x * size[1] + y) * size[2] + min(cz + 2, size[2])
                    for i in range(start[first], start[last]):
                        other = order[i]
                        dx = position_m[0, other] - position_m[0, c]
                        dy = position_m[1, other] - position_m[1, c]
                        dz = position_m[2, other] - position_m[2, c]
                        apart = math.sqrt(dx * dx + dy * dy + dz * dz)
                        if apart <= reach_m or other == c:
                            near_cell[n] = other
                            near_m[n] = apart if other != c else -1.0
                            n += 1
            if fill == 0:
                offset[c + 1] = offset[c] + n
            else:
                by_distance = np.argsort(near_m[:n], kind="mergesort")
                for i in range(n):
                    found[offset[c] + i] = near_cell[by_distance[i]]
                    distance[offset[c] + i] = max(near_m[by_distance[i]], 0.0)
        if fill == 0:
            found = np.empty(offset[m], np.int32)
            distance = np.empty(offset[m])
    return offset, found, distance


@njit(cache=True)
def crowding(steps, near, radius_m):
    """Bps wanted within a radius of a cell, itself included: the mean, weighted by what each cell wants.

    steps  (M, 5) bps;  near  as in `cone`
    """
    offset, found, distance, _ = near
    wants = steps.sum(axis=1)
    total, weighted = 0.0, 0.0
    for c in range(len(wants)):
        around = 0.0
        for i in range(offset[c], offset[c + 1]):
            if distance[i] > radius_m:
                break
            around += wants[found[i]]
        total += wants[c]
        weighted += wants[c] * around
    return weighted / total if total > 0.0 else 0.0


@njit(cache=True, inline="always")
def cone_reach_m(sx, sy, sz, cx, cy, cz, sine, cosine):
    """No place within an angle of a cell, seen from a satellite, lies farther from it than this."""
    dx, dy, dz = cx - sx, cy - sy, cz - sz
    slant = math.sqrt(dx * dx + dy * dy + dz * dz)
    radius = math.sqrt(sx * sx + sy * sy + sz * sz)
    # Off nadir, and by the angle more and less; trigonometric functions took as long as the whole cone.
    off_cosine = min(max(-(dx * sx + dy * sy + dz * sz) / (slant * radius), -1.0), 1.0)
    off_sine = math.sqrt(1.0 - off_cosine * off_cosine)
    far_cosine = off_cosine * cosine - off_sine * sine
    sideways = radius * (off_sine * cosine + off_cosine * sine)
    far_slant = math.sqrt(max(radius * radius - _LOWEST_M * _LOWEST_M, 0.0))
    if far_cosine > 0.0 and sideways < _LOWEST_M:
        far_slant = radius * far_cosine - math.sqrt(_LOWEST_M * _LOWEST_M - sideways * sideways)
    near_cosine, sideways = 1.0, 0.0
    if off_cosine < cosine:
        near_cosine = off_cosine * cosine + off_sine * sine
        sideways = radius * (off_sine * cosine - off_cosine * sine)
    near_slant = slant
    if sideways < _HIGHEST_M:
        near_slant = radius * near_cosine - math.sqrt(_HIGHEST_M * _HIGHEST_M - sideways * sideways)
    # The chord is a convex function of the other slant, so one of its ends is the greatest.
    reach2 = max(
        slant * slant + far_slant * far_slant - 2.0 * slant * far_slant * cosine,
        slant * slant + near_slant * near_slant - 2.0 * slant * near_slant * cosine,
    )
    return math.sqrt(max(reach2, 0.0))


@njit(**LEAN)
def cone(s, c, satellite_m, cell_m, near, angle, out):
    """Cells covered by the beam from s to c, into out; how many, or -1 where the neighbours reach too short.

    near  (offset, found, distance, reach_m): what `neighbours` gave, and for which reach
    """
    offset, found, distance, built_m = near
    sx, sy, sz = satellite_m[0, s], satellite_m[1, s], satellite_m[2, s]
    cx, cy, cz = cell_m[0, c], cell_m[1, c], cell_m[2, c]
    reach_m = cone_reach_m(sx, sy, sz, cx, cy, cz, math.sin(angle), math.cos(angle))
    if reach_m > built_m:
        return -1
    ax, ay, az = cx - sx, cy - sy, cz - sz
    slant = math.sqrt(ax * ax + ay * ay + az * az)
    ax, ay, az = ax / slant, ay / slant, az / slant
    # Wider by a hair, so that rounding never leaves out a cell.
    cosine = math.cos(angle + 1e-9)
    out[0] = c
    n = 1
    for i in range(offset[c] + 1, offset[c + 1]):
        if distance[i] > reach_m:
            break
        other = found[i]
        bx, by, bz = cell_m[0, other] - sx, cell_m[1, other] - sy, cell_m[2, other] - sz
        if ax * bx + ay * by + az * bz >= cosine * math.sqrt(bx * bx + by * by + bz * bz):
            out[n] = other
            n += 1
    return n
