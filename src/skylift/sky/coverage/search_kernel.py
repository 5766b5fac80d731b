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
    runs,
    tile_start,
    tile_sites,
):
    """Runs of tiles that each satellite may be seen from, and how many satellites each tile gets.

    points          (5, N) as sub_points leaves them
    floor_rad       (C,) least geocentric elevation of each class of sites; floor_radius_m (C,) least radius
    class_band      (C + 1,) bands of a class; band_first (C, L + 1) first occupied band at or after a row of
                    latitude of band_height_rad; band_lat, band_sin (2, B) extent of a band's sites
    band_bin        (B + 1,) longitude bins of a band; bin_tile (bins + 1,) first tile at or after a bin
    runs            int32 (3, R), out: satellite, first tile, tile after the last
    tile_start      int64 (T + 1,), out
    tile_sites      int64 (T + 1,) first site of each tile
    returns         number of runs, satellites of all tiles together, most of one tile, site tests to come
    """
    radius, sin_lat, cos_lat, lat, lon = points[0], points[1], points[2], points[3], points[4]
    n_tiles = len(tile_start) - 1
    n_rows = band_first.shape[1] - 1
    tile_start[:] = 0
    n_runs = 0
    for c in range(len(floor_rad)):
        floor = floor_rad[c]
        reach_m = floor_radius_m[c] * math.cos(floor)
        last_tile = bin_tile[band_bin[class_band[c + 1]]]
        first_tile = bin_tile[band_bin[class_band[c]]]
        for i in range(len(radius)):
            r = radius[i]
            if not working[i] or not r > 0.0:
                continue
            psi = acos_fast(reach_m / r) - floor + _MARGIN_RAD
            if r <= floor_radius_m[c] or psi > 1.4:
                # Below the sites, or so high that the spherical cap is no help: everybody tests it.
                runs[0, n_runs] = i
                runs[1, n_runs] = first_tile
                runs[2, n_runs] = last_tile
                tile_start[first_tile] += 1
                tile_start[last_tile] -= 1
                n_runs += 1
                continue
            low, high = lat[i] - psi, lat[i] + psi
            row0 = min(max(math.floor((low + 0.5 * math.pi) / band_height_rad), 0), n_rows)
            row1 = min(max(math.floor((high + 0.5 * math.pi) / band_height_rad) + 1, 0), n_rows)
            if band_first[c, row0] == band_first[c, row1]:
                continue
            cos_psi = math.cos(psi)
            # The parallel on which the cap is widest; beyond a pole it is the pole.
            widest = sin_lat[i] / cos_psi
            for b in range(band_first[c, row0], band_first[c, row1]):
                if band_lat[1, b] < low or band_lat[0, b] > high:
                    continue
                s = min(max(widest, band_sin[0, b]), band_sin[1, b])
                across = math.sqrt(max(1.0 - s * s, 0.0)) * cos_lat[i]
                along = cos_psi - s * sin_lat[i]
                bins = band_bin[b + 1] - band_bin[b]
                first = band_bin[b]
                per_rad = bins / (2.0 * math.pi)
                half = math.pi
                if across > 1e-9 and along > -across:
                    half = acos_fast(along / across) + _MARGIN_RAD if along < across else _MARGIN_RAD
                if 2.0 * half * per_rad >= bins - 1.0:
                    bin0, bin1, wrapped0, wrapped1 = 0, bins, 0, 0
                else:
                    bin0 = math.floor((lon[i] - half + math.pi) * per_rad)
                    bin1 = math.floor((lon[i] + half + math.pi) * per_rad) + 1
                    wrapped0, wrapped1 = 0, 0
                    if bin0 < 0:
                        wrapped0, wrapped1 = bin0 + bins, bins
                        bin0 = 0
                        bin1 = max(bin1, 0)
                    elif bin1 > bins:
                        wrapped0, wrapped1 = 0, bin1 - bins
                        bin1 = bins
                        bin0 = min(bin0, bins)
                    wrapped0 = min(wrapped0, bins)
                for part in range(2):
                    a = bin_tile[first + (bin0 if part == 0 else wrapped0)]
                    z = bin_tile[first + (bin1 if part == 0 else wrapped1)]
                    if a < z:
                        runs[0, n_runs] = i
                        runs[1, n_runs] = a
                        runs[2, n_runs] = z
                        tile_start[a] += 1
                        tile_start[z] -= 1
                        n_runs += 1
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
    found   int32, out: satellites, sites in tile order; count int64 (M,), out, by site
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
                found[k] = mine[j]
                # Branch-free: half of the tests fail, in no order that a branch predictor could learn.
                k += 1 if margin[j] >= 0.0 else 0
            count[site_order[m]] = k - before
    return k
