"""The `sgp4` package, for what our kernel leaves to it: deep-space objects and lanes it is not sure of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sgp4.api import WGS72, Satrec

from skylift.base.instants import julian_date
from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

Floats = npt.NDArray[np.float64]

# 1949-12-31 00:00 UTC, from which sgp4init counts its days.
SGP4_EPOCH_JD = 2_433_281.5


def satrec(catalogue: Catalogue, index: int) -> Any:
    """One object as the package's record, with the whole digits of its epoch."""
    record = Satrec()
    day, fraction = julian_date(int(catalogue.epoch_us[index]))
    minutes_per_day = 1_440.0
    record.sgp4init(
        WGS72,
        "i",
        # Only a label inside the package, which refuses what Alpha-5 cannot write.
        int(catalogue.norad[index]) if catalogue.norad[index] < 340_000 else 0,
        # Sun, moon and sidereal time start from one float64 of days, good to 40 us. The package does the
        # same with a TLE; better digits would move an eccentric deep-space object by 4 mm from it.
        (day + fraction) - SGP4_EPOCH_JD,
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
    # The time since epoch, however, is counted from day and fraction, which hold all digits.
    record.jdsatepoch = day
    record.jdsatepochF = fraction
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
