"""The `sgp4` package, for what our kernel leaves to it: deep-space objects and lanes it is not sure of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sgp4.api import WGS72, Satrec

from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

Floats = npt.NDArray[np.float64]

# 1949-12-31 00:00 UTC, from which sgp4init counts its days.
SGP4_EPOCH_US = -7_306 * US_PER_DAY
RAD_PER_S_OF_REV_PER_DAY = 2.0 * np.pi / 86_400.0


def satrec(catalogue: Catalogue, index: int) -> Any:
    """One object as the package's record, with the whole digits of its epoch."""
    record = Satrec()
    days, rest_us = divmod(int(catalogue.epoch_us[index]) - SGP4_EPOCH_US, US_PER_DAY)
    minutes_per_day = 1_440.0
    record.sgp4init(
        WGS72,
        "i",
        # Only a label inside the package, which refuses what Alpha-5 cannot write.
        int(catalogue.norad[index]) if catalogue.norad[index] < 340_000 else 0,
        days + rest_us / US_PER_DAY,
        float(catalogue.bstar_per_earth_radius[index]),
        float(catalogue.ndot_rev_per_day2[index]) * 2.0 * np.pi / minutes_per_day**2,
        float(catalogue.nddot_rev_per_day3[index]) * 2.0 * np.pi / minutes_per_day**3,
        float(catalogue.eccentricity[index]),
        float(catalogue.arg_perigee_rad[index]),
        float(catalogue.inclination_rad[index]),
        float(catalogue.mean_anomaly_rad[index]),
        float(catalogue.mean_motion_rad_per_s[index]) * 60.0,
        float(catalogue.raan_rad[index]),
    )
    # One float64 of days holds an epoch to 0.3 us, which is 2 mm of flight; day and fraction hold it all.
    record.jdsatepoch = days + 2_433_281.5
    record.jdsatepochF = rest_us / US_PER_DAY
    return record


def library_states(
    record: Any, epoch_us: int, at_us: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], Floats, Floats]:
    """Error codes (T,), positions (T, 3) in metres and velocities (T, 3) in m/s, TEME, of one record."""
    days, rest_us = np.divmod(at_us - np.int64(epoch_us), US_PER_DAY)
    error, position_km, velocity_km_per_s = record.sgp4_array(
        record.jdsatepoch + days.astype(np.float64), record.jdsatepochF + rest_us / US_PER_DAY
    )
    return error, position_km * 1e3, velocity_km_per_s * 1e3
