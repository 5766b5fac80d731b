"""Which site sees which satellite: sparse, sorted by site, then by satellite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class VisiblePairs:
    """K pairs above the site's minimum elevation at one instant; never a dense M x N.

    site_offset     int64 (M+1,): pairs of site m stand at site_offset[m]:site_offset[m+1]
    satellite       int32 (K,), ascending within a site
    elevation_rad, azimuth_rad  float32 (K,); azimuth from north over east, 0..2 pi
    range_m         float64 (K,)
    arc_rad         float32 (K,): smallest topocentric angle between the satellite and any point of the
                    geostationary arc above the site's horizon; pi where the arc is below it
    in_field        bool (K,): within the field of view and above the horizon mask
    """

    site_offset: npt.NDArray[np.int64]
    satellite: npt.NDArray[np.int32]
    elevation_rad: npt.NDArray[np.float32]
    azimuth_rad: npt.NDArray[np.float32]
    range_m: npt.NDArray[np.float64]
    arc_rad: npt.NDArray[np.float32]
    in_field: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.satellite)

    def copy(self) -> VisiblePairs:
        """The same in arrays of its own: those of a PairFinder are overwritten by its next find."""
        return VisiblePairs(*(getattr(self, name).copy() for name in self.__dataclass_fields__))
