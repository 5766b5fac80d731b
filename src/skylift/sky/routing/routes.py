"""Routes from one site to another at one instant: up, over lasers, down; never down and up again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, geodetic_up
from skylift.base.units import (
    RAD_PER_DEG,
    WGS72_A_M,
    WGS84_A_M,
    WGS84_F,
)
from skylift.sky.routing.delay import light_us
from skylift.sky.routing.search import lowest_delay, path_from

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# WGS72: flattening of the ellipsoid (Seppelin, "The Department of Defense World Geodetic System 1972").
WGS72_F = 1.0 / 298.26


@dataclass(frozen=True, slots=True)
class EarthModel:
    """The ellipsoid that sites stand on; flattening 0 is a sphere."""

    radius_m: float = WGS84_A_M
    flattening: float = WGS84_F

    def position_ecef_m(self, place: Place) -> Floats:
        """Earth-fixed position (3,), the place's latitude being geodetic on this ellipsoid."""
        e2 = self.flattening * (2.0 - self.flattening)
        latitude, longitude = place.latitude_deg * RAD_PER_DEG, place.longitude_deg * RAD_PER_DEG
        prime_vertical_m = self.radius_m / math.sqrt(1.0 - e2 * math.sin(latitude) ** 2)
        flat_m = (prime_vertical_m + place.altitude_m) * math.cos(latitude)
        polar_m = (prime_vertical_m * (1.0 - e2) + place.altitude_m) * math.sin(latitude)
        return np.array([flat_m * math.cos(longitude), flat_m * math.sin(longitude), polar_m])


EARTH_MODELS = {"wgs84": EarthModel(), "wgs72": EarthModel(WGS72_A_M, WGS72_F)}


@dataclass(frozen=True, slots=True)
class GroundLink:
    """How far a site reaches: from a least elevation up, to a longest range, or both."""

    minimum_elevation_deg: float | None = 25.0
    maximum_range_m: float | None = None

    def __post_init__(self) -> None:
        elevation, reach = self.minimum_elevation_deg, self.maximum_range_m
        if elevation is None and reach is None:
            raise Refused(
                "ground.unlimited",
                "link to the ground",
                "a site needs a least elevation or a longest range",
                "give a minimum elevation, such as 25 degrees, or a maximum range",
            )
        if elevation is not None and not 0.0 <= elevation < 90.0:
            raise Refused(
                "ground.elevation",
                "minimum elevation",
                "it must lie between 0 and 90 degrees",
                "25 degrees is what Starlink's terminals are filed with",
            )
        if reach is not None and not 100e3 <= reach <= 50_000e3:
            raise Refused(
                "ground.range",
                "maximum range to the ground",
                "it must lie between 100 and 50,000 km",
                "mind the unit",
            )


class Ground:
    """A site made ready: its place on the Earth model, its vertical, and how far it reaches."""

    def __init__(self, place: Place, link: GroundLink, earth: EarthModel) -> None:
        self._position_m = earth.position_ecef_m(place)[:, np.newaxis]
        self._up = geodetic_up(place.latitude_deg * RAD_PER_DEG, place.longitude_deg * RAD_PER_DEG)
        self._sine = -2.0
        if link.minimum_elevation_deg is not None:
            self._sine = math.sin(link.minimum_elevation_deg * RAD_PER_DEG)
        self._reach_m = math.inf if link.maximum_range_m is None else link.maximum_range_m

    def legs_us(self, position_ecef_m: Floats, working: Flags) -> Floats:
        """Light time to every satellite, (N,); inf where it is out of reach, failed, or has no position."""
        towards_m = position_ecef_m - self._position_m
        range_m = np.sqrt(np.einsum("in,in->n", towards_m, towards_m))
        # A comparison with nan is false, so a satellite without a position is out of reach.
        reached = (self._up @ towards_m >= self._sine * range_m) & (range_m <= self._reach_m) & working
        return np.where(reached, light_us(range_m), np.inf)


@dataclass(frozen=True, slots=True)
class Route:
    """One route; delay_us is inf and path empty where there is none.

    delay_us  one way, light time only (with the fibre where the last leg has some)
    path      int32, the satellites from the first to the last
    end       which of the ends it leads to
    """

    delay_us: float
    path: Ints
    end: int


NO_ROUTE = Route(math.inf, np.zeros(0, dtype=np.int32), -1)


def best_route(neighbour: Ints, hop_us: Floats, start_us: Floats, ends_us: Sequence[Floats]) -> Route:
    """The lowest-delay route from one site to the nearest in delay of several ends.

    neighbour, hop_us  lasers, as for `lowest_delay`
    start_us           (N,): light time from the site to each satellite; inf where out of reach
    ends_us            for each end, (N,): what it costs to leave the sky there

    Of equal routes, the one that begins at the satellite with the lower number.
    """
    costs = np.stack(ends_us)
    end_of = np.argmin(costs, axis=0)
    cost_us, next_hop = lowest_delay(neighbour, hop_us, np.min(costs, axis=0)[np.newaxis, :])
    total_us = start_us + cost_us[0]
    first = int(np.argmin(total_us)) if len(total_us) else -1
    if first < 0 or not math.isfinite(total_us[first]):
        return NO_ROUTE
    path = path_from(next_hop[0], first)
    return Route(float(total_us[first]), path, int(end_of[path[-1]]))
