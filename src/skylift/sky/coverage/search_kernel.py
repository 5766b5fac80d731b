"""Which satellites can a tile of sites see, and which of them does each site see.

Sites stand in tiles (a latitude band cut into longitude bins). Each satellite's footprint marks runs of
tiles, so that satellites come to a tile in ascending order without a sort; each site then tests its tile's
satellites in one vectorised loop.
"""

from __future__ import annotations

import math

from numba import njit

from skylift.sky.coverage.math_kernel import FAST, acos_fast

# Added to every footprint: fifty times the error of acos_fast, 6 m on the ground.
_MARGIN_RAD = 1e-6


# Wider caps than this, from beyond 30,000 km, are not cut to size.
_WIDEST_RAD = 1.4


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def sub_points(x, y, z, out):  # type: ignore[no-untyped-def]
    """Radius, sine and cosine of the geocentric latitude, latitude and longitude, into out (5, N)."""
    radius, sin_lat, cos_lat, lat, lon = out[0], out[1], out[2], out[3], out[4]
    for i in range(len(x)):
        flat2 = x[i] * x[i] + y[i] * y[i]
        flat = math.sqrt(flat2)
        r = math.sqrt(flat2 + z[i] * z[i])
        s = z[i] / r
        radius[i] = r
        sin_lat[i] = s
        cos_lat[i] = flat / r
        lat[i] = 0.5 * math.pi - acos_fast(s)
        # The tiny term keeps a satellite exactly above a pole from 0 / 0; its longitude is then any.
        a = acos_fast(x[i] / (flat + 1e-300))
        lon[i] = -a if y[i] < 0.0 else a


@njit(inline="always")
def _add_run(satellite, first, last, runs, n_runs, tile_start):  # type: ignore[no-untyped-def]
    """Append a run of tiles, if it holds any; tile_start gathers the differences of the tiles' counts."""
    runs[0, n_runs] = satellite
    runs[1, n_runs] = first
    runs[2, n_runs] = last
    some = 1 if first < last else 0
    tile_start[first] += some
    tile_start[last] -= some
    return n_runs + some


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _footprints(points, working, floor, radius_m, caps):  # type: ignore[no-untyped-def]
    """Lowest and highest latitude of each satellite's footprint, cosine of its half width: caps (3, N).

    The lowest latitude is nan for a satellite that is not there, and the cosine -2 where a cap is no help:
    below the sites, or so far out that everybody had better test it.
    """
    radius, lat = points[0], points[3]
    low, high, cos_psi = caps[0], caps[1], caps[2]
    reach_m = radius_m * math.cos(floor)
    for i in range(len(radius)):
        psi = acos_fast(reach_m / radius[i]) - floor + _MARGIN_RAD
        everybody = radius[i] <= radius_m or psi > _WIDEST_RAD
        low[i] = lat[i] - psi if working[i] else math.nan
        high[i] = lat[i] + psi
        cos_psi[i] = -2.0 if everybody else psi
    for i in range(len(radius)):
        # cos(psi) = sin(pi / 2 - psi), and psi lies within -0.1 .. 1.4: Taylor to x^14, within 1e-11.
        psi = cos_psi[i]
        q = psi * psi
        c = 1.0 - q / 182.0
        c = 1.0 - q / 132.0 * c
        c = 1.0 - q / 90.0 * c
        c = 1.0 - q / 56.0 * c
        c = 1.0 - q / 30.0 * c
        c = 1.0 - q / 12.0 * c
        c = 1.0 - q / 2.0 * c
        cos_psi[i] = -2.0 if psi == -2.0 else c


@njit(cache=True, nogil=True, error_model="numpy")
def mark_tiles(  # type: ignore[no-untyped-def]
    points,
    working,
    floor_rad,
    floor_radius_m,
    class_band,
    band_height_rad,
    band_first,
    band_lat,
    band_sin,
    band_bin,
    bin_tile,
    caps,
    runs,
    tile_start,
    tile_sites,
):
    """Runs of tiles that each satellite may be seen from, and how many satellites each tile gets.

    points          (5, N) as sub_points leaves them; caps (3, N), scratch
    floor_rad       (C,) least geocentric elevation of each class of sites; floor_radius_m (C,) least radius
    class_band      (C + 1,) bands of a class; band_first (C, L + 1) first occupied band at or after a row of
                    latitude of band_height_rad; band_lat, band_sin (2, B) extent of a band's sites
    band_bin        (B + 1,) longitude bins of a band; bin_tile (bins + 1,) first tile at or after a bin
    runs            int32 (3, R), out: satellite, first tile, tile after the last
    tile_start      int64 (T + 1,), out
    tile_sites      int64 (T + 1,) first site of each tile
    returns         number of runs, satellites of all tiles together, most of one tile, site tests to come
    """
    sin_lat, cos_lat, lon = points[1], points[2], points[4]
    low, high, cos_psi = caps[0], caps[1], caps[2]
    n_tiles = len(tile_start) - 1
    n_rows = band_first.shape[1] - 1
    per_row = 1.0 / band_height_rad
    tile_start[:] = 0
    n_runs = 0
    for c in range(len(floor_rad)):
        _footprints(points, working, floor_rad[c], floor_radius_m[c], caps)
        for i in range(len(lon)):
            if not low[i] <= high[i]:
                continue
            if cos_psi[i] == -2.0:
                n_runs = _add_run(
                    i, bin_tile[band_bin[class_band[c]]], bin_tile[band_bin[class_band[c + 1]]], runs, n_runs,
                    tile_start,
                )  # fmt: skip
                continue
            row0 = min(max(int((low[i] + 0.5 * math.pi) * per_row), 0), n_rows)
            row1 = min(int((high[i] + 0.5 * math.pi) * per_row) + 1, n_rows)
            # The parallel on which the cap is widest; beyond a pole it is the pole.
            widest = sin_lat[i] / cos_psi[i]
            for b in range(band_first[c, row0], band_first[c, row1]):
                s = min(max(widest, band_sin[0, b]), band_sin[1, b])
                across = math.sqrt(max(1.0 - s * s, 0.0)) * cos_lat[i]
                along = cos_psi[i] - s * sin_lat[i]
                first, last = band_bin[b], band_bin[b + 1]
                bins = last - first
                per_rad = bins / (2.0 * math.pi)
                # Beyond 1 the parallel and the cap do not meet (but for rounding: keep its one bin).
                half = acos_fast(min(along / across, 1.0)) + _MARGIN_RAD
                if not (across > 1e-9 and along > -across and 2.0 * half * per_rad < bins - 1.0):
                    n_runs = _add_run(i, bin_tile[first], bin_tile[last], runs, n_runs, tile_start)
                    continue
                # One whole turn more, so that int() cuts towards the west everywhere.
                bin0 = int((lon[i] - half + 3.0 * math.pi) * per_rad) - bins
                bin1 = int((lon[i] + half + 3.0 * math.pi) * per_rad) - bins + 1
                a, z = bin_tile[first + max(bin0, 0)], bin_tile[first + min(bin1, bins)]
                n_runs = _add_run(i, a, z, runs, n_runs, tile_start)
                if bin0 < 0:
                    n_runs = _add_run(i, bin_tile[last + bin0], bin_tile[last], runs, n_runs, tile_start)
                elif bin1 > bins:
                    a, z = bin_tile[first], bin_tile[first + bin1 - bins]
                    n_runs = _add_run(i, a, z, runs, n_runs, tile_start)
    held, most, tests, here = 0, 0, 0, 0
    for t in range(n_tiles + 1):
        here += tile_start[t]
        tile_start[t] = held
        if t < n_tiles:
            held += here
            most = max(most, here)
            tests += here * (tile_sites[t + 1] - tile_sites[t])
    return n_runs, held, most, tests


@njit(cache=True, nogil=True, error_model="numpy")
def fill_tiles(runs, n_runs, tile_start, cursor, candidates):  # type: ignore[no-untyped-def]
    """Satellites of every tile, ascending, into candidates; cursor int64 (T,) is scratch."""
    for t in range(len(cursor)):
        cursor[t] = tile_start[t]
    for k in range(n_runs):
        satellite = runs[0, k]
        for t in range(runs[1, k], runs[2, k]):
            candidates[cursor[t]] = satellite
            cursor[t] += 1


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def above_margin(x, y, z, frame, out):  # type: ignore[no-untyped-def]
    """Positive or zero where a satellite stands at or above the site's least elevation, without a root.

    frame  position (3), up (3), signed square of the sine of the least elevation
    """
    px, py, pz = frame[0], frame[1], frame[2]
    ux, uy, uz = frame[3], frame[4], frame[5]
    signed_square = frame[6]
    for j in range(len(x)):
        dx, dy, dz = x[j] - px, y[j] - py, z[j] - pz
        up = ux * dx + uy * dy + uz * dz
        out[j] = up * abs(up) - signed_square * (dx * dx + dy * dy + dz * dz)


@njit(cache=True, nogil=True, error_model="numpy")
def search(x, y, z, tile_start, candidates, tile_sites, site_order, frames, local, found, count):  # type: ignore[no-untyped-def]
    """Satellites at or above each site's least elevation.

    frames  (M, 7) as in above_margin, in tile order like site_order (M,)
    local   (4, most satellites of a tile), scratch
    found   int32, out: places in the tile's candidates, sites in tile order; count int64 (M,), out, by site
    returns number of pairs
    """
    k = 0
    for t in range(len(tile_start) - 1):
        first = tile_start[t]
        n = tile_start[t + 1] - first
        lx, ly, lz, margin = local[0, :n], local[1, :n], local[2, :n], local[3, :n]
        mine = candidates[first : first + n]
        for j in range(n):
            s = mine[j]
            lx[j] = x[s]
            ly[j] = y[s]
            lz[j] = z[s]
        for m in range(tile_sites[t], tile_sites[t + 1]):
            above_margin(lx, ly, lz, frames[m], margin)
            before = k
            for j in range(n):
                found[k] = j
                # Branch-free: half of the tests fail, in no order that a branch predictor could learn.
                k += 1 if margin[j] >= 0.0 else 0
            count[site_order[m]] = k - before
    return k
