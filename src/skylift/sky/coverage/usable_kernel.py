"""Pairs that hold for a whole slot: least elevation, field, mask and arc, at its start, middle and end."""

from __future__ import annotations

import math

from numba import njit

from skylift.sky.coverage.angles_kernel import arc_angles, directions, elevation_azimuth


@njit(cache=True, nogil=True, error_model="numpy")
def _hold(east, north, up, site, sin_floor, mask, masked, elevation, azimuth, above, seen):  # type: ignore[no-untyped-def]
    """Clear `above` below the least elevation, `seen` outside the field of view or behind the mask."""
    be, bn, bu, cos_field = site[12], site[13], site[14], site[15]
    for j in range(len(up)):
        # nan, a satellite without a position at this instant, fails the comparison.
        above[j] = above[j] & (up[j] >= sin_floor)
        seen[j] = seen[j] & (be * east[j] + bn * north[j] + bu * up[j] >= cos_field)
    if masked:
        elevation_azimuth(east, north, up, elevation, azimuth)
        for j in range(len(up)):
            if up[j] == up[j]:
                degree = min(int(azimuth[j] * (180.0 / math.pi)), 359)
                seen[j] = seen[j] and elevation[j] >= mask[degree]


@njit(cache=True, nogil=True, error_model="numpy")
def slot_pairs(  # type: ignore[no-untyped-def]
    positions, tile_start, candidates, tile_sites, found, site_order, found_offset, table, sin_floor,
    arc_floor, masks, masked, local, angles, flags, column, satellite, elevation, azimuth, range_start,
    range_end, arc, count,
):  # fmt: skip
    """Pairs usable for a whole slot, sites in tile order, written one site after the other.

    positions  (3 instants, 3, N): start, middle, end
    found      satellites above the least elevation in the middle, and their tiles, as search_kernel leaves
               them; found_offset (M + 1,) by site; table (M, 21) by site as in visible.site_table
    sin_floor, arc_floor  (M,) sine of the least elevation, least separation from the arc (rad)
    local      (28, n) float64, angles (5, n) float32, flags (2, n) bool, column (n + 1,) int64: scratch, n
               the most candidates of a tile; the last nine rows of local hold the tile's satellites
    count      int64 (3, M), out by site: above the floor, of these in the field, of these clear of the arc,
               each for the whole slot
    """
    k, out = 0, 0
    for t in range(len(tile_start) - 1):
        held = candidates[tile_start[t] : tile_start[t + 1]]
        for row in range(9):
            for j in range(len(held)):
                local[19 + row, j] = positions[row // 3, row % 3, held[j]]
        for m in range(tile_sites[t], tile_sites[t + 1]):
            s = site_order[m]
            site = table[s]
            n = found_offset[s + 1] - found_offset[s]
            above, seen = flags[0, :n], flags[1, :n]
            above[:] = True
            seen[:] = True
            for instant in range(3):
                for j in range(n):
                    i = found[k + j]
                    local[0, j] = local[19 + 3 * instant, i]
                    local[1, j] = local[20 + 3 * instant, i]
                    local[2, j] = local[21 + 3 * instant, i]
                # Rows 3 to 14: east, north, up and range of each instant.
                row = 3 + 4 * instant
                east, north, up = local[row, :n], local[row + 1, :n], local[row + 2, :n]
                directions(
                    local[0, :n], local[1, :n], local[2, :n], site, east, north, up, local[row + 3, :n]
                )
                _hold(
                    east, north, up, site, sin_floor[s], masks[s], masked[s], angles[0, :n], angles[1, :n],
                    above, seen,
                )  # fmt: skip
            left = 0
            for j in range(n):
                count[0, s] += 1 if above[j] else 0
                column[left] = j
                left += 1 if above[j] & seen[j] else 0
            count[1, s] = left
            # What is left moves to the front: roots are dear, and a tilted dish sees half of the pairs.
            for row in range(3, 15):
                for j in range(left):
                    local[row, j] = local[row, column[j]]
            angles[3:, :left] = math.pi
            # Who keeps no distance from the arc is told it at slot start alone.
            for instant in range(3 if arc_floor[s] > 0.0 else 1):
                row = 3 + 4 * instant
                arc_angles(
                    local[row, :left], local[row + 1, :left], local[row + 2, :left], site, local[15, :left],
                    local[16, :left], local[17, :left], local[18, :left], angles[2 + instant, :left],
                )  # fmt: skip
            elevation_azimuth(
                local[3, :left], local[4, :left], local[5, :left], angles[0, :left], angles[1, :left]
            )
            before = out
            for j in range(left):
                if min(angles[2, j], angles[3, j], angles[4, j]) >= arc_floor[s]:
                    satellite[out] = held[found[k + column[j]]]
                    elevation[out] = angles[0, j]
                    azimuth[out] = angles[1, j]
                    range_start[out] = local[6, j]
                    range_end[out] = local[14, j]
                    arc[out] = angles[2, j]
                    out += 1
            count[2, s] = out - before
            k += n
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def into_site_order(column, site_order, site_offset, ordered):  # type: ignore[no-untyped-def]
    """Copy a column whose sites stand in tile order to one in their own order."""
    k = 0
    for m in range(len(site_order)):
        first, last = site_offset[site_order[m]], site_offset[site_order[m] + 1]
        for j in range(first, last):
            ordered[j] = column[k]
            k += 1
