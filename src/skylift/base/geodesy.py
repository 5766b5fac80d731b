"""Points on the WGS84 ellipsoid, and directions seen from them. Vectors are (3, ...), Earth-fixed metres."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import DEG_PER_RAD, EARTH_MEAN_RADIUS_M, RAD_PER_DEG, WGS84_A_M, WGS84_E2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the WGS84 ellipsoid. Its repr hides the numbers: a place in a log is a target in a war."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0

    def __post_init__(self) -> None:
        _check_degrees("latitude", self.latitude_deg, 90, "are latitude and longitude swapped?")
        _check_degrees(
            "longitude", self.longitude_deg, 180, "take 360 from it, or add 360, for the same place"
        )
        if not _is_finite_number(self.altitude_m) or not -500.0 <= self.altitude_m <= 9_000.0:
            raise Refused(
                "place.altitude",
                "altitude of a site",
                "it must lie between -500 and 9,000 m above the ellipsoid",
                "give metres, not feet or kilometres",
            )

    def __repr__(self) -> str:
        return "Place(hidden)"


def _is_finite_number(value: object) -> bool:
    # numbers.Real takes NumPy's scalars too; a bool is an int to Python and never a coordinate.
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_degrees(name: str, value: float, limit: int, hint: str) -> None:
    if not _is_finite_number(value):
        raise Refused(f"place.{name}", name, "it must be a finite number of degrees", "give decimal degrees")
    if not -limit <= value <= limit:
        raise Refused(f"place.{name}", name, f"it is outside -{limit}..{limit} degrees", hint)


def geodetic_to_ecef_m(
    latitude_rad: Floats | float, longitude_rad: Floats | float, altitude_m: Floats | float
) -> Floats:
    """Earth-fixed position of geodetic coordinates on WGS84, (3, ...)."""
    sin_latitude = np.sin(latitude_rad)
    cos_latitude = np.cos(latitude_rad)
    prime_vertical_m = WGS84_A_M / np.sqrt(1.0 - WGS84_E2 * sin_latitude**2)
    flat_m = (prime_vertical_m + altitude_m) * cos_latitude
    return np.stack(
        np.broadcast_arrays(
            flat_m * np.cos(longitude_rad),
            flat_m * np.sin(longitude_rad),
            (prime_vertical_m * (1.0 - WGS84_E2) + altitude_m) * sin_latitude,
        )
    )


def ecef_to_geodetic(position_ecef_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Latitude (rad), longitude (rad) and altitude (m) above WGS84 of points (3, ...).

    Fixed-point iteration on the latitude; each round gains a factor of about 1/e^2 = 150, so that five are
    exact to rounding from 500 m below ground to beyond geostationary. Longitude is 0 on the axis.
    Not for points near the Earth's centre.
    """
    x, y, z = position_ecef_m
    flat_m = np.hypot(x, y)
    latitude = np.arctan2(z, flat_m * (1.0 - WGS84_E2))
    prime_vertical_m = np.full_like(latitude, WGS84_A_M)
    for _ in range(5):
        sin_latitude = np.sin(latitude)
        prime_vertical_m = WGS84_A_M / np.sqrt(1.0 - WGS84_E2 * sin_latitude**2)
        latitude = np.arctan2(z + WGS84_E2 * prime_vertical_m * sin_latitude, flat_m)
    sin_latitude = np.sin(latitude)
    prime_vertical_m = WGS84_A_M / np.sqrt(1.0 - WGS84_E2 * sin_latitude**2)
    # This form holds at the poles, where flat / cos(latitude) does not.
    altitude_m = flat_m * np.cos(latitude) + z * sin_latitude - WGS84_A_M**2 / prime_vertical_m
    return latitude, np.arctan2(y, x), altitude_m


def geodetic_up(latitude_rad: Floats | float, longitude_rad: Floats | float) -> Floats:
    """Unit vector of the WGS84 vertical, (3, ...); the geocentric "up" is off by as much as 0.19 degrees."""
    flat = np.cos(latitude_rad)
    return np.stack(
        np.broadcast_arrays(flat * np.cos(longitude_rad), flat * np.sin(longitude_rad), np.sin(latitude_rad))
    )


def local_east(longitude_rad: Floats | float) -> Floats:
    """Unit vector to the east, (3, ...)."""
    return np.stack(
        np.broadcast_arrays(-np.sin(longitude_rad), np.cos(longitude_rad), np.zeros_like(longitude_rad))
    )


def local_north(latitude_rad: Floats | float, longitude_rad: Floats | float) -> Floats:
    """Unit vector to the north in the local horizontal plane, (3, ...)."""
    sin_latitude = np.sin(latitude_rad)
    return np.stack(
        np.broadcast_arrays(
            -sin_latitude * np.cos(longitude_rad), -sin_latitude * np.sin(longitude_rad), np.cos(latitude_rad)
        )
    )


def place_to_ecef_m(place: Place) -> Floats:
    """Earth-fixed position of one place, (3,)."""
    return geodetic_to_ecef_m(
        place.latitude_deg * RAD_PER_DEG, place.longitude_deg * RAD_PER_DEG, place.altitude_m
    )


def great_circle_m(a: Place, b: Place) -> float:
    """Length of the great circle between two places on the mean sphere; within 0.6 % of the ellipsoid's."""
    lat_a, lat_b = a.latitude_deg * RAD_PER_DEG, b.latitude_deg * RAD_PER_DEG
    half_lat = math.sin((lat_b - lat_a) / 2.0)
    half_lon = math.sin((b.longitude_deg - a.longitude_deg) * RAD_PER_DEG / 2.0)
    h = half_lat**2 + math.cos(lat_a) * math.cos(lat_b) * half_lon**2
    return 2.0 * EARTH_MEAN_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def sub_point_deg(position_ecef_m: Floats) -> tuple[Floats, Floats]:
    """Geodetic latitude and longitude in degrees beneath points (3, ...)."""
    latitude, longitude, _ = ecef_to_geodetic(position_ecef_m)
    return latitude * DEG_PER_RAD, longitude * DEG_PER_RAD
