"""A catalogue: mean elements of many objects as a structure of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """SGP4 mean elements (TEME, WGS72 constants, as published), one column entry per object.

    norad            int32 (N,), unique, ascending
    name             N texts; "" where the source gives none
    shell            int32 (N,): index of the shell or preset shell; -1 where unknown
    epoch_us         int64 (N,), UTC microseconds since 1970
    inclination_rad, raan_rad, eccentricity, arg_perigee_rad, mean_anomaly_rad  (N,)
    mean_motion_rad_per_s  (N,), Kozai, as in a TLE
    bstar_per_earth_radius, ndot_rev_per_day2, nddot_rev_per_day3  (N,); ndot and nddot as printed in a TLE
                     (half, and a sixth, of the derivative); SGP4 does not use them, conversion keeps them
    cospar           N international designators such as "2019-074A"; "" where unknown
    classification, element_set, revolution  kept for conversion
    time_shift_us    how far all epochs were shifted from the published ones, together; 0 for none
    """

    norad: npt.NDArray[np.int32]
    name: tuple[str, ...]
    shell: npt.NDArray[np.int32]
    epoch_us: npt.NDArray[np.int64]
    inclination_rad: Floats
    raan_rad: Floats
    eccentricity: Floats
    arg_perigee_rad: Floats
    mean_anomaly_rad: Floats
    mean_motion_rad_per_s: Floats
    bstar_per_earth_radius: Floats
    ndot_rev_per_day2: Floats
    nddot_rev_per_day3: Floats
    cospar: tuple[str, ...]
    classification: tuple[str, ...]
    element_set: npt.NDArray[np.int32]
    revolution: npt.NDArray[np.int32]
    time_shift_us: int = 0

    def __len__(self) -> int:
        return len(self.norad)

    def take(self, indices: Sequence[int] | npt.NDArray[np.intp]) -> Catalogue:
        """The objects at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.intp)
        changes: dict[str, Any] = {
            field: getattr(self, field)[chosen]
            for field in self.__dataclass_fields__
            if isinstance(getattr(self, field), np.ndarray)
        }
        for field in ("name", "cospar", "classification"):
            texts = getattr(self, field)
            changes[field] = tuple(texts[i] for i in chosen)
        return replace(self, **changes)

    def shifted(self, shift_us: int) -> Catalogue:
        """The same objects with all epochs later by one constant; the shift is remembered."""
        return replace(
            self, epoch_us=self.epoch_us + np.int64(shift_us), time_shift_us=self.time_shift_us + shift_us
        )
