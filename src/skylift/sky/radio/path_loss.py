"""How far a satellite is, and what free space leaves of its signal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.base.units import EARTH_MEAN_RADIUS_M, LIGHT_SPEED_M_PER_S

Floats = npt.NDArray[np.float64]


def slant_range_m(altitude_m: npt.ArrayLike, elevation_rad: npt.ArrayLike) -> Floats:
    """Distance to a satellite at `altitude_m` seen at `elevation_rad`; any shapes that broadcast.

    Spherical Earth of the mean radius: 1123 km for 550 km at 25 degrees, where WGS84 gives 1110 to 1150 km
    depending on latitude and azimuth. A link table uses the ranges of its pairs instead.
    """
    orbit_m = EARTH_MEAN_RADIUS_M + np.asarray(altitude_m, dtype=np.float64)
    sideways_m = EARTH_MEAN_RADIUS_M * np.cos(elevation_rad)
    upward_m = EARTH_MEAN_RADIUS_M * np.sin(elevation_rad)
    return np.asarray(np.sqrt(orbit_m**2 - sideways_m**2) - upward_m, dtype=np.float64)


def free_space_loss_db(range_m: npt.ArrayLike, frequency_hz: npt.ArrayLike) -> Floats:
    """20 log10(4 pi range f / c) (ITU-R P.525); any shapes that broadcast."""
    wavelengths = np.asarray(range_m, dtype=np.float64) * np.asarray(frequency_hz) / LIGHT_SPEED_M_PER_S
    return np.asarray(20.0 * np.log10(4.0 * np.pi * wavelengths), dtype=np.float64)
