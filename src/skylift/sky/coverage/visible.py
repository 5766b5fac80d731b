"""All pairs of a site and a satellite above the site's least elevation, without a dense M x N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import GEOSTATIONARY_RADIUS_M
from skylift.sky.coverage.angles_kernel import pair_angles
from skylift.sky.coverage.pairs import VisiblePairs
from skylift.sky.coverage.scratch import Scratch
from skylift.sky.coverage.search_kernel import fill_tiles, mark_tiles, search, sub_points
from skylift.sky.coverage.sites import Sites

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Sites whose least elevations differ by less than this share one search.
_CLASS_RAD = np.radians(5.0)
# Geodetic and geocentric vertical differ by at most 0.1924 degrees on WGS84; rounded up.
_DEFLECTION_RAD = np.radians(0.2)


def visible_pairs(
    position_ecef_m: Floats, sites: Sites, working: npt.NDArray[np.bool_] | None = None
) -> VisiblePairs:
    """All pairs at or above the sites' least elevations at one instant.

    position_ecef_m  (3, N), Earth-fixed; nan = not valid, never visible
    working          bool (N,): False = failed, never visible; None = all work
    errors           elevation, azimuth and arc within 1e-6 rad (6e-5 degrees), range within 1e-8 m
    """
    return PairFinder(sites).find(position_ecef_m, working)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a search found.

    site_offset  int64 (M + 1,) of the sites in their own order
    most         satellites of the fullest tile, and so no fewer than of any site
    in_tiles     first candidate of each tile, candidates, first site of each tile, and for each pair, sites
                 in tile order (`tiles.site_order`), its place among the tile's candidates
    """

    site_offset: Ints
    most: int
    in_tiles: tuple[Ints, npt.NDArray[np.int32], Ints, npt.NDArray[np.int32]]


class PairFinder:
    """Finds pairs for the same sites again and again; what depends on the sites alone is done once."""

    def __init__(self, sites: Sites, tile_deg: float = 8.0) -> None:
        self.sites = sites
        self.tiles = _Tiles(sites, np.radians(tile_deg))
        self.table = site_table(sites)
        self.masked = np.asarray((sites.mask_elevation_rad > -np.pi / 2.0).any(axis=1))
        sine = np.sin(sites.min_elevation_rad)
        self._frames = np.ascontiguousarray(
            np.vstack([sites.position_ecef_m, sites.up, sine * np.abs(sine)]).T[self.tiles.site_order]
        )
        self._scratch = Scratch()

    def find(self, position_ecef_m: Floats, working: npt.NDArray[np.bool_] | None = None) -> VisiblePairs:
        """As visible_pairs. The columns are the finder's own and are overwritten by its next find."""
        x, y, z = np.ascontiguousarray(position_ecef_m, dtype=np.float64)
        tiles = self.tiles
        seen = self.search(position_ecef_m, working)
        site_offset, total = seen.site_offset, int(seen.site_offset[-1])
        columns = (
            self._scratch.room("satellite", total, np.int32),
            self._scratch.room("elevation", total, np.float32),
            self._scratch.room("azimuth", total, np.float32),
            self._scratch.room("range", total, np.float64),
            self._scratch.room("arc", total, np.float32),
            self._scratch.room("in_field", total, np.bool_),
        )
        local = self._scratch.room("local", 13 * seen.most, np.float64).reshape(13, seen.most)
        pair_angles(
            x, y, z, *seen.in_tiles, tiles.site_order, site_offset, self.table, self.sites.mask_elevation_rad,
            self.masked, local, *columns,
        )  # fmt: skip
        satellite, elevation, azimuth, distance, arc, in_field = columns
        return VisiblePairs(site_offset, satellite, elevation, azimuth, distance, arc, in_field)

    def search(self, position_ecef_m: Floats, working: npt.NDArray[np.bool_] | None = None) -> Seen:
        """Satellites at or above each site's least elevation, without angles; in the finder's own arrays."""
        x, y, z = np.ascontiguousarray(position_ecef_m, dtype=np.float64)
        tiles = self.tiles
        n = len(x)
        points = self._scratch.room("points", 5 * n, np.float64).reshape(5, n)
        caps = self._scratch.room("caps", 3 * n, np.float64).reshape(3, n)
        sub_points(x, y, z, points)
        works = np.ones(n, dtype=np.bool_) if working is None else working
        # A satellite meets a band in at most two runs, before and after the antimeridian; one is spare.
        runs = self._scratch.room("runs", 6 * (n * max(1, len(tiles.band_bin) - 1) + 1), np.int32).reshape(
            3, -1
        )
        tile_start = self._scratch.room("tile_start", len(tiles.tile_sites), np.int64)
        n_runs, held, most, tests = mark_tiles(
            points, works, *tiles.for_marking(), caps, runs, tile_start, tiles.tile_sites
        )
        candidates = self._scratch.room("candidates", held, np.int32)
        fill_tiles(
            runs, n_runs, tile_start, self._scratch.room("cursor", len(tile_start) - 1, np.int64), candidates
        )
        local = self._scratch.room("local", 4 * most, np.float64).reshape(4, most)
        # One more than the tests: a branch-free append writes before it knows whether to keep.
        found = self._scratch.room("found", tests + 1, np.int32)
        count = np.zeros(len(self.sites), dtype=np.int64)
        search(
            x, y, z, tile_start, candidates, tiles.tile_sites, tiles.site_order, self._frames, local, found,
            count,
        )  # fmt: skip
        site_offset = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])
        return Seen(site_offset, most, (tile_start, candidates, tiles.tile_sites, found))


def site_table(sites: Sites) -> Floats:
    """What the angle kernel reads of each site, (M, 21); the order is the kernel's."""
    x, y, z = sites.position_ecef_m
    sin_lat, cos_lat = np.sin(sites.latitude_rad), np.cos(sites.latitude_rad)
    upward_m = np.sum(sites.up * sites.position_ecef_m, axis=0)
    return np.ascontiguousarray(
        np.vstack(
            [
                sites.position_ecef_m,
                sites.east,
                sites.north,
                sites.up,
                np.sum(sites.east * sites.boresight, axis=0),
                np.sum(sites.north * sites.boresight, axis=0),
                np.sum(sites.up * sites.boresight, axis=0),
                sites.cos_field_of_view,
                sin_lat,
                cos_lat,
                np.hypot(x, y),
                z,
                # Longitude, from the site's own, at which the arc sets; above 1 it never rises.
                upward_m / np.maximum(GEOSTATIONARY_RADIUS_M * cos_lat, 1.0),
            ]
        ).T
    )


class _Tiles:
    """Sites sorted by class of least elevation, band of geocentric latitude, bin of longitude."""

    def __init__(self, sites: Sites, size_rad: float) -> None:
        x, y, z = sites.position_ecef_m
        radius_m = np.sqrt(x * x + y * y + z * z)
        latitude, longitude = np.arcsin(z / radius_m), np.arctan2(y, x)
        rows = int(np.ceil(np.pi / size_rad))
        self.band_height_rad = np.pi / rows
        row = np.clip(((latitude + np.pi / 2) / self.band_height_rad).astype(np.int64), 0, rows - 1)
        _, kind = np.unique(np.floor(sites.min_elevation_rad / _CLASS_RAD), return_inverse=True)
        classes = int(kind.max(initial=-1)) + 1
        bins_of_row = _bins(rows, size_rad)
        column = ((longitude + np.pi) / (2 * np.pi) * bins_of_row[row]).astype(np.int64)
        column = np.clip(column, 0, bins_of_row[row] - 1)

        bands, band = np.unique(kind * rows + row, return_inverse=True)
        self.class_band = np.searchsorted(bands // rows, np.arange(classes + 1)).astype(np.int64)
        self.band_first = np.stack(
            [np.searchsorted(bands, c * rows + np.arange(rows + 1)) for c in range(classes)]
        ).astype(np.int64) if classes else np.zeros((0, rows + 1), np.int64)  # fmt: skip
        self.band_bin = np.concatenate([[0], np.cumsum(bins_of_row[bands % rows])]).astype(np.int64)
        place = self.band_bin[band] + column
        self.site_order = np.argsort(place, kind="stable").astype(np.int64)
        tiles, starts = np.unique(place[self.site_order], return_index=True)
        self.tile_sites = np.append(starts, len(sites)).astype(np.int64)
        self.bin_tile = np.searchsorted(tiles, np.arange(self.band_bin[-1] + 1)).astype(np.int64)
        low, high = np.full(len(bands), np.pi), np.full(len(bands), -np.pi)
        np.minimum.at(low, band, latitude)
        np.maximum.at(high, band, latitude)
        self.band_lat = np.stack([low, high])
        self.band_sin = np.sin(self.band_lat)
        self.floor_rad = np.full(classes, np.pi)
        np.minimum.at(self.floor_rad, kind, sites.min_elevation_rad - _DEFLECTION_RAD)
        self.floor_radius_m = np.full(classes, np.inf)
        np.minimum.at(self.floor_radius_m, kind, radius_m)

    def for_marking(self) -> tuple[object, ...]:
        return (
            self.floor_rad,
            self.floor_radius_m,
            self.class_band,
            self.band_height_rad,
            self.band_first,
            self.band_lat,
            self.band_sin,
            self.band_bin,
            self.bin_tile,
        )


def _bins(rows: int, size_rad: float) -> Ints:
    """How many bins of longitude each row of latitude has, so that tiles are about square."""
    edges = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)
    widest = np.cos(np.clip(0.0, edges[:-1], edges[1:]))
    bins: Ints = np.maximum(1, np.ceil(2 * np.pi * widest / size_rad)).astype(np.int64)
    return bins
