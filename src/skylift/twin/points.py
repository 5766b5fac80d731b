"""Points of demand: terminals of one H3 cell with one model of antenna, as the beam schedule sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place
from skylift.sky.coverage.sites import Sites, sites_of
from skylift.sky.coverage.usable import UsablePairs
from skylift.twin.points_kernel import common_pairs
from skylift.twin.world import Terminal

Ints = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SlotPoints:
    """The points of one slot: the P fixed ones, then those split off in this slot alone.

    point_of  int32 (M,): each terminal's point; -1 where it asks for nothing, or can use no satellite
    pairs     usable by all terminals of a point, by point; each as the terminal sees it that sees it lowest
    home      int32: the fixed point in whose place each stands
    """

    point_of: Ints
    pairs: UsablePairs
    home: Ints

    def __len__(self) -> int:
        return len(self.home)


class Points:
    """Where demand may arise in a world. A point stands in the middle of its cell."""

    def __init__(self, terminals: Sequence[Terminal], resolution: int) -> None:
        cells = [
            h3.latlng_to_cell(t.place.latitude_deg, t.place.longitude_deg, resolution) for t in terminals
        ]
        keys = [(cell, t.antenna.name) for cell, t in zip(cells, terminals, strict=True)]
        # In the order of the first terminal of each, so that one more terminal at the end moves no other.
        index: dict[tuple[str, str], int] = {}
        fixed = np.array([index.setdefault(key, len(index)) for key in keys], dtype=np.int32)
        self._member = np.argsort(fixed, kind="stable")
        self._member_offset = np.concatenate([[0], np.cumsum(np.bincount(fixed, minlength=len(index)))])
        self.cell = np.array([int(cell, 16) for cell, _ in index], dtype=np.uint64)
        first = [terminals[self._member[at]] for at in self._member_offset[:-1]]
        self.sites: Sites = sites_of(
            [Place(*h3.cell_to_latlng(cell)) for cell, _ in index], [t.antenna for t in first]
        )

    def __len__(self) -> int:
        return len(self.cell)

    def of_slot(self, users: UsablePairs, asking: Flags, allowed: Flags) -> SlotPoints:
        """Points and their pairs. asking (M,): who wants anything; allowed (K,): which pairs may serve."""
        m, p = len(asking), len(self)
        point_of, home = np.empty(m, dtype=np.int32), np.empty(p + m, dtype=np.int32)
        offset, pair = np.empty(p + m + 1, dtype=np.int64), np.empty(len(users), dtype=np.int64)
        total = common_pairs(
            self._member_offset.astype(np.int64), self._member.astype(np.int64), asking, users.site_offset,
            users.satellite, users.elevation_rad, allowed, point_of, home, offset, pair,
        )  # fmt: skip
        pair = pair[: offset[total]]
        counts = np.diff(offset[: total + 1])
        pairs = UsablePairs(
            site_offset=offset[: total + 1],
            satellite=users.satellite[pair],
            elevation_rad=users.elevation_rad[pair],
            azimuth_rad=users.azimuth_rad[pair],
            range_start_m=users.range_start_m[pair],
            range_end_m=users.range_end_m[pair],
            arc_rad=users.arc_rad[pair],
            above_count=counts,
            in_field_count=counts,
        )
        return SlotPoints(point_of, pairs, home[:total])


def taken(sites: Sites, index: Ints) -> Sites:
    """The sites with these numbers, which may repeat."""
    return Sites(
        position_ecef_m=np.ascontiguousarray(sites.position_ecef_m[:, index]),
        up=sites.up[:, index],
        east=sites.east[:, index],
        north=sites.north[:, index],
        boresight=sites.boresight[:, index],
        latitude_rad=sites.latitude_rad[index],
        longitude_rad=sites.longitude_rad[index],
        altitude_m=sites.altitude_m[index],
        min_elevation_rad=sites.min_elevation_rad[index],
        cos_field_of_view=sites.cos_field_of_view[index],
        arc_separation_rad=sites.arc_separation_rad[index],
        mask_elevation_rad=sites.mask_elevation_rad[index],
    )
