"""Rain at a place and a time: cells that drift, and what they take from the paths that cross them.

A share of the year that a loss is exceeded for (skylift.sky.radio.atmosphere.exceeded) is about one site;
here rain falls somewhere and nowhere else: a storm over one oblast leaves the next one dry, and a satellite
that is seen around the storm is a way out.

    field = rain_field(text, "storm.toml")
    rain = rain_along(field, at_us, paths)                    # mm/h along each path, once per slot
    loss_db = rain_loss_db(rain, 11.7e9)                      # for as many frequencies as are needed
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, geodetic_up, local_east, local_north
from skylift.base.instants import InstantUs
from skylift.base.strict import StrictTable, read_toml
from skylift.base.units import EARTH_MEAN_RADIUS_M, RAD_PER_DEG, US_PER_S
from skylift.sky.radio.atmosphere_rain import CIRCULAR_TILT_RAD, specific_attenuation_db_per_km

Floats = npt.NDArray[np.float64]

# Pieces of a path over the narrowest slope of rain that there is: docs/why/010-atmosphere.md has the error.
_PIECES_PER_SLOPE = 16
_LEAST_PIECES, _MOST_PIECES = 24, 200
# Beyond any rate that P.837 maps (161 mm/h), so that a slip of units is caught and no storm is.
_MOST_MM_PER_H = 500.0
# Below this the path runs along the ground for hundreds of kilometres, and the flat triangle no longer holds.
_LEAST_ELEVATION_RAD = 5.0 * RAD_PER_DEG
_KEYS = (
    "latitude_deg",
    "longitude_deg",
    "radius_km",
    "edge_fraction",
    "peak_mm_per_h",
    "speed_m_per_s",
    "toward_deg",
    "from",
    "until",
    "rain_height_km",
)


@dataclass(frozen=True, slots=True)
class RainCell:
    """A round area of rain with the same rate from its rain height down to the ground.

    centre           at from_us; its repr hides the place
    radius_m         beyond it, no rain
    peak_mm_per_h    in the middle
    edge_fraction    how much of the radius the slope takes: 1 is a shower that peaks in its centre (its mean
                     is 0.30 of the peak), 0.2 a wide sheet of even rain with a soft edge. A raised cosine:
                     our own choice, because it ends somewhere
    speed_m_per_s, toward_rad  the drift along a great circle, toward a bearing east of north at from_us
    from_us, until_us          it rains from the first to before the second
    rain_height_m    above sea level; nan: the site's own yearly mean (P.839). In winter it is lower
    """

    centre: Place
    radius_m: float
    peak_mm_per_h: float
    from_us: InstantUs
    until_us: InstantUs
    edge_fraction: float = 1.0
    speed_m_per_s: float = 0.0
    toward_rad: float = 0.0
    rain_height_m: float = math.nan

    def __post_init__(self) -> None:
        _require(0.0 < self.radius_m <= 2e6, "radius", "above 0 and at most 2,000 km")
        _require(
            0.0 <= self.peak_mm_per_h <= _MOST_MM_PER_H,
            "peak",
            f"0 to {_MOST_MM_PER_H:g} millimetres an hour",
        )
        _require(0.0 < self.edge_fraction <= 1.0, "edge_fraction", "above 0 and at most 1")
        _require(0.0 <= self.speed_m_per_s <= 100.0, "speed", "0 to 100 metres per second")
        _require(math.isfinite(self.toward_rad), "toward", "a finite bearing")
        _require(self.from_us < self.until_us, "until", "after from")
        height = self.rain_height_m
        _require(math.isnan(height) or 0.0 < height <= 10e3, "rain height", "above 0 and at most 10 km")

    def centre_at(self, at_us: int) -> Floats:
        """Unit vector from the Earth's centre to where the cell's middle is, (3,)."""
        latitude = self.centre.latitude_deg * RAD_PER_DEG
        longitude = self.centre.longitude_deg * RAD_PER_DEG
        ahead = math.cos(self.toward_rad) * local_north(latitude, longitude)
        ahead = ahead + math.sin(self.toward_rad) * local_east(longitude)
        angle = self.speed_m_per_s * (at_us - self.from_us) / US_PER_S / EARTH_MEAN_RADIUS_M
        return np.asarray(math.cos(angle) * geodetic_up(latitude, longitude) + math.sin(angle) * ahead)

    def rate_mm_per_h(self, distance_m: Floats) -> Floats:
        """The rain rate so far from the middle; any shape."""
        inner_m = (1.0 - self.edge_fraction) * self.radius_m
        slope = np.clip((distance_m - inner_m) / (self.radius_m - inner_m), 0.0, 1.0)
        return np.asarray(self.peak_mm_per_h * 0.5 * (1.0 + np.cos(np.pi * slope)))

    def top_m(self, paths: RainPaths) -> Floats:
        """Where its rain begins above each path's site, in metres above the sea, (M,)."""
        return (
            paths.rain_height_m
            if math.isnan(self.rain_height_m)
            else np.full(paths.rain_height_m.shape, self.rain_height_m)
        )


def _require(holds: bool, what: str, rule: str) -> None:
    if not holds:
        raise Refused("rain.cell", f"{what} of a rain cell", f"it must be {rule}", "mend the cell")


@dataclass(frozen=True, slots=True)
class RainPaths:
    """Paths (M,) from sites upwards. rain_height_m is the yearly mean at each site (SiteClimate has it)."""

    latitude_rad: Floats
    longitude_rad: Floats
    altitude_m: Floats
    rain_height_m: Floats
    elevation_rad: Floats
    azimuth_rad: Floats

    def take(self, path: npt.NDArray[np.int64]) -> RainPaths:
        """Some of the paths."""
        return RainPaths(
            self.latitude_rad[path],
            self.longitude_rad[path],
            self.altitude_m[path],
            self.rain_height_m[path],
            self.elevation_rad[path],
            self.azimuth_rad[path],
        )


@dataclass(frozen=True, slots=True)
class RainAlong:
    """Rain at one instant on those of `count` = M paths that come near any: W paths, each in S equal pieces.

    path (W,) their places among the M; rate_mm_per_h (S, W); piece_km (W,) how long a piece is; elevation_rad
    """

    count: int
    path: npt.NDArray[np.int64]
    rate_mm_per_h: Floats
    piece_km: Floats
    elevation_rad: Floats


def rain_along(cells: Sequence[RainCell], at_us: int, paths: RainPaths) -> RainAlong:
    """The rain that each path runs through. Overlapping cells add up.

    A piece of a path is rainy where it lies in a cell, below the cell's rain height. Great circles on a mean
    sphere; paths are straight, so below 5 degrees it raises Refused.
    """
    if np.any(paths.elevation_rad < _LEAST_ELEVATION_RAD - 1e-6):
        raise Refused(
            "rain.elevation",
            "elevation",
            "rain along a path is modelled from 5 degrees of elevation up",
            "leave lower satellites out",
        )
    falling = [cell for cell in cells if cell.from_us <= at_us < cell.until_us and cell.peak_mm_per_h > 0.0]
    centres = [cell.centre_at(at_us) for cell in falling]
    touches = _touches(falling, centres, paths)
    near = np.flatnonzero(touches.any(axis=0))
    wet = paths.take(near)
    deep_m = _deep_m(falling, wet)
    pieces = _pieces(falling, deep_m, wet)
    number = np.arange(pieces)[:, np.newaxis]
    rates = np.zeros((pieces, near.size))
    points = _points(wet, (number + 0.5) / pieces * deep_m)
    # Above the rain height a path has pieces without thickness; 1 m keeps the division away from zero.
    thick_m = np.maximum(deep_m, 1.0) / pieces
    for cell, centre, touch in zip(falling, centres, touches[:, near], strict=True):
        # Of hundreds of showers a path meets a few: the others are not worth a cosine.
        here = np.flatnonzero(touch)
        # The piece that the rain height cuts counts by the part of it that is in the rain.
        inside = np.clip(((cell.top_m(wet) - wet.altitude_m) / thick_m)[here] - number, 0.0, 1.0)
        rates[:, here] += inside * cell.rate_mm_per_h(_distance_m(points[..., here], centre))
    piece_km = deep_m / np.sin(wet.elevation_rad) / pieces / 1e3
    return RainAlong(paths.latitude_rad.size, near, rates, piece_km, wet.elevation_rad)


def sites_near_rain(cells: Sequence[RainCell], at_us: int, paths: RainPaths) -> npt.NDArray[np.bool_]:
    """Which of M sites have rain within reach at this instant, (M,).

    paths  one for each site, at the lowest elevation that any of its satellites has; azimuths do not matter
    """
    falling = [cell for cell in cells if cell.from_us <= at_us < cell.until_us and cell.peak_mm_per_h > 0.0]
    touches = _touches(falling, [cell.centre_at(at_us) for cell in falling], paths)
    return np.asarray(touches.any(axis=0))


def _touches(cells: Sequence[RainCell], centres: Sequence[Floats], paths: RainPaths) -> npt.NDArray[np.bool_]:
    """Which paths may touch which cell, (C, M): the others cost nothing more."""
    sites = geodetic_up(paths.latitude_rad, paths.longitude_rad)
    touches = np.zeros((len(cells), paths.latitude_rad.size), dtype=bool)
    flatness = 1.0 / np.tan(paths.elevation_rad)
    for cell, centre, touch in zip(cells, centres, touches, strict=True):
        reach_m = np.maximum(cell.top_m(paths) - paths.altitude_m, 0.0) * flatness
        touch[:] = _distance_m(sites, centre) <= cell.radius_m + reach_m
    return touches


def _deep_m(cells: Sequence[RainCell], paths: RainPaths) -> Floats:
    """How far above each site the highest rain begins; 0 for a site above it."""
    top_m = np.max([cell.top_m(paths) for cell in cells], axis=0, initial=0.0)
    return np.asarray(np.maximum(top_m - paths.altitude_m, 0.0))


def _pieces(cells: Sequence[RainCell], deep_m: Floats, paths: RainPaths) -> int:
    slope_m = min((cell.edge_fraction * cell.radius_m for cell in cells), default=math.inf)
    ground_m = float(np.max(deep_m / np.tan(paths.elevation_rad), initial=0.0))
    return min(max(_LEAST_PIECES, math.ceil(_PIECES_PER_SLOPE * ground_m / slope_m)), _MOST_PIECES)


def rain_loss_db(
    rain: RainAlong, frequency_hz: Floats | float, tilt_rad: float = CIRCULAR_TILT_RAD
) -> Floats:
    """What the rain takes, dB: P.838-3's specific attenuation of each piece, added up.

    frequency_hz  one, or (M,) for each path, or (F, 1) for several on all: the answer is (M,) or (F, M)
    """
    frequency = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
    each = np.broadcast_to(frequency, (*frequency.shape[:-1], rain.count))[..., rain.path]
    gamma = specific_attenuation_db_per_km(
        rain.rate_mm_per_h, each[..., np.newaxis, :], rain.elevation_rad, tilt_rad
    )
    loss_db = np.zeros((*frequency.shape[:-1], rain.count))
    loss_db[..., rain.path] = np.sum(gamma, axis=-2) * rain.piece_km
    return loss_db


def rain_rate_mm_per_h(
    cells: Sequence[RainCell], at_us: int, latitude_rad: Floats, longitude_rad: Floats
) -> Floats:
    """Rain on the ground at places (M,): for maps and for the words of an operator."""
    rates = np.zeros(np.shape(latitude_rad))
    points = geodetic_up(latitude_rad, longitude_rad)
    for cell in cells:
        if cell.from_us <= at_us < cell.until_us:
            rates += cell.rate_mm_per_h(_distance_m(points, cell.centre_at(at_us)))
    return rates


def _points(paths: RainPaths, above_m: Floats) -> Floats:
    """Unit vectors (3, S, M) to the ground beneath points so high above the sites along their paths."""
    angle = above_m / np.tan(paths.elevation_rad) / EARTH_MEAN_RADIUS_M
    ahead = np.cos(paths.azimuth_rad) * local_north(paths.latitude_rad, paths.longitude_rad)
    ahead = ahead + np.sin(paths.azimuth_rad) * local_east(paths.longitude_rad)
    up = geodetic_up(paths.latitude_rad, paths.longitude_rad)
    return np.asarray(np.cos(angle) * up[:, np.newaxis] + np.sin(angle) * ahead[:, np.newaxis])


def _distance_m(points: Floats, centre: Floats) -> Floats:
    # From the chord, which keeps its digits for near points, where an arc cosine of the dot product does not.
    chord = np.sqrt(np.sum((points - centre.reshape(3, *[1] * (points.ndim - 1))) ** 2, axis=0))
    return np.asarray(2.0 * EARTH_MEAN_RADIUS_M * np.arcsin(np.minimum(0.5 * chord, 1.0)))


def rain_field(text: str, source: str) -> tuple[RainCell, ...]:
    """Cells from TOML, a [[cell]] each; `source` names the file in errors. See docs/reference/rain-file.md.

    Raises Refused with the line of what is wrong.
    """
    root = read_toml(text, source).table(known=("cell",))
    return tuple(_cell(table) for table in root.tables("cell", known=_KEYS))


def _cell(table: StrictTable) -> RainCell:
    starts, ends = table.instant("from"), table.instant("until")
    if ends <= starts:
        raise table.refused("until", "a cell of rain ends after it began", "give a later until")
    height_m = math.nan
    if table.has("rain_height_km"):
        height_m = 1e3 * table.number("rain_height_km", minimum=0.1, maximum=10.0)
    return RainCell(
        Place(
            table.number("latitude_deg", minimum=-90.0, maximum=90.0),
            table.number("longitude_deg", minimum=-180.0, maximum=180.0),
        ),
        1e3 * table.number("radius_km", minimum=0.1, maximum=2_000.0),
        table.number("peak_mm_per_h", minimum=0.0, maximum=_MOST_MM_PER_H),
        starts,
        ends,
        table.number("edge_fraction", default=1.0, minimum=0.01, maximum=1.0),
        table.number("speed_m_per_s", default=0.0, minimum=0.0, maximum=100.0),
        table.number("toward_deg", default=0.0, minimum=0.0, maximum=360.0) * RAD_PER_DEG,
        height_m,
    )
