"""Pairs that can be used for a whole slot: everything holds at its start, in its middle and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.link import WhyDown
from skylift.sky.coverage.scratch import Scratch
from skylift.sky.coverage.sites import Sites
from skylift.sky.coverage.usable_kernel import into_site_order, slot_pairs
from skylift.sky.coverage.visible import PairFinder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# The float32 nearest to the asked separation may lie above it: what is equal must pass.
_F32_STEP_RAD = 2.4e-7


@dataclass(frozen=True, slots=True)
class UsablePairs:
    """K pairs that hold for a whole slot; the arrays are the caller's own.

    site_offset     int64 (M+1,): pairs of site m stand at site_offset[m]:site_offset[m+1]
    satellite       int32 (K,), ascending within a site
    elevation_rad, azimuth_rad, arc_rad  float32 (K,), at slot start; as in VisiblePairs
    range_start_m, range_end_m  float64 (K,)
    above_count     int64 (M,): satellites above the least elevation for the whole slot
    in_field_count  int64 (M,): how many of these are in the field of view and above the mask; of these again,
                    `clear_count` are clear of the arc, and so usable
    """

    site_offset: Ints
    satellite: npt.NDArray[np.int32]
    elevation_rad: npt.NDArray[np.float32]
    azimuth_rad: npt.NDArray[np.float32]
    range_start_m: Floats
    range_end_m: Floats
    arc_rad: npt.NDArray[np.float32]
    above_count: Ints
    in_field_count: Ints

    def __len__(self) -> int:
        return len(self.satellite)

    @property
    def clear_count(self) -> Ints:
        """(M,) satellites clear of the arc as well: the usable ones."""
        return np.diff(self.site_offset)

    def why_down(self) -> npt.NDArray[np.uint8]:
        """(M,) WhyDown of each site as far as the sky alone decides: UP where any satellite is usable."""
        why: npt.NDArray[np.uint8] = np.select(
            [self.clear_count > 0, self.in_field_count > 0, self.above_count > 0],
            [np.uint8(WhyDown.UP), np.uint8(WhyDown.GEO_ARC), np.uint8(WhyDown.OBSTRUCTED)],
            np.uint8(WhyDown.NO_SATELLITE),
        )
        return why


def usable_pairs(
    sites: Sites, positions_ecef_m: Floats, working: npt.NDArray[np.bool_] | None = None
) -> UsablePairs:
    """Pairs usable for a whole slot.

    positions_ecef_m  (3, 3, N): at slot start, middle and end, Earth-fixed; nan = not valid
    working           bool (N,): False = failed; None = all work
    """
    return UsableFinder(sites).find(positions_ecef_m, working)


class UsableFinder:
    """Finds usable pairs for the same sites slot after slot."""

    def __init__(self, sites: Sites) -> None:
        self.finder = PairFinder(sites)
        self._sin_floor = np.sin(sites.min_elevation_rad)
        self._arc_floor = sites.arc_separation_rad - _F32_STEP_RAD
        self._scratch = Scratch()

    def find(self, positions_ecef_m: Floats, working: npt.NDArray[np.bool_] | None = None) -> UsablePairs:
        """As usable_pairs, for this finder's sites."""
        positions = np.ascontiguousarray(positions_ecef_m, dtype=np.float64)
        finder, sites = self.finder, self.finder.sites
        order = finder.tiles.site_order
        seen = finder.search(positions[1], working)
        total, most = int(seen.site_offset[-1]), seen.most
        room = self._scratch.room
        columns = [
            room("satellite", total, np.int32),
            room("elevation", total, np.float32),
            room("azimuth", total, np.float32),
            room("range_start", total, np.float64),
            room("range_end", total, np.float64),
            room("arc", total, np.float32),
        ]
        count = np.zeros((3, len(sites)), dtype=np.int64)
        slot_pairs(
            positions, *seen.in_tiles, order, seen.site_offset, finder.table, self._sin_floor,
            self._arc_floor, sites.mask_elevation_rad, finder.masked,
            room("local", 28 * most, np.float64).reshape(28, most),
            room("angles", 5 * most, np.float32).reshape(5, most),
            room("flags", 2 * most, np.bool_).reshape(2, most), room("column", most + 1, np.int64), *columns,
            count,
        )  # fmt: skip
        site_offset = np.concatenate([np.zeros(1, np.int64), np.cumsum(count[2])])
        own: list[npt.NDArray[Any]] = [np.empty(site_offset[-1], dtype=column.dtype) for column in columns]
        for column, ordered in zip(columns, own, strict=True):
            into_site_order(column, order, site_offset, ordered)
        satellite, elevation, azimuth, start_m, end_m, arc = own
        return UsablePairs(
            site_offset, satellite, elevation, azimuth, start_m, end_m, arc, count[0], count[1]
        )
