"""Areas on the map: outlines of countries and of one's own, points in them, and the H3 cells of them.

Edges are straight in longitude and latitude, as GeoJSON (RFC 7946) has it. No file is read here: adapters
hand the packaged outlines in.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import h3
import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.units import EARTH_MEAN_RADIUS_M, RAD_PER_DEG, WGS84_A_M, WGS84_E2

Floats = npt.NDArray[np.float64]

# The mean cell of resolution 5 has 253 km2 (h3geo.org, table of cell statistics), about a beam's footprint.
DEFAULT_RESOLUTION = 5
FINEST_RESOLUTION = 15
# H3's Earth: the authalic radius of WGS84 (h3 library, src/h3lib/include/constants.h).
H3_RADIUS_M = 6_371_007.180918475
# All of Russia at resolution 7; beyond it a list of cells fills memory without anybody reading it.
MOST_CELLS = 5_000_000


@dataclass(frozen=True)
class Polygon:
    """One outer ring and its holes: rings of (2, P) degrees, longitude then latitude, first point = last."""

    rings: tuple[Floats, ...]

    @cached_property
    def bounds_deg(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        west, south = self.rings[0].min(axis=1)
        east, north = self.rings[0].max(axis=1)
        return float(west), float(south), float(east), float(north)

    @cached_property
    def _edges(self) -> Floats:
        """(4, E): longitude and latitude of each edge's beginning and end."""
        return np.hstack([np.vstack([r[:, :-1], r[:, 1:]]) for r in self.rings])

    def contains(self, latitude_deg: float, longitude_deg: float) -> bool:
        """Even-odd rule over all rings; a point on an edge counts as inside on one of its two sides."""
        west, south, east, north = self.bounds_deg
        if not (south <= latitude_deg <= north and west <= longitude_deg <= east):
            return False
        lon_a, lat_a, lon_b, lat_b = self._edges
        crossed = (lat_a <= latitude_deg) != (lat_b <= latitude_deg)
        lon_a, lat_a, lon_b, lat_b = (v[crossed] for v in (lon_a, lat_a, lon_b, lat_b))
        at = lon_a + (latitude_deg - lat_a) / (lat_b - lat_a) * (lon_b - lon_a)
        return bool(np.count_nonzero(at > longitude_deg) % 2)

    def distance_m(self, latitude_deg: float, longitude_deg: float) -> float:
        """Distance to the nearest edge in a local flat map; good to a percent within 100 km of it."""
        scale = np.array([math.cos(latitude_deg * RAD_PER_DEG), 1.0]) * RAD_PER_DEG * EARTH_MEAN_RADIUS_M
        here = np.array([longitude_deg, latitude_deg])
        start = (self._edges[:2].T - here) * scale
        along = (self._edges[2:].T - here) * scale - start
        length2 = np.maximum((along**2).sum(axis=1), 1e-12)
        share = np.clip(-(start * along).sum(axis=1) / length2, 0.0, 1.0)
        return float(np.hypot(*(start + share[:, np.newaxis] * along).T).min())


@dataclass(frozen=True)
class Outline:
    """An area: polygons that may touch. Its repr hides the numbers: a place in a log is a target in a war."""

    name: str
    polygons: tuple[Polygon, ...]

    def __repr__(self) -> str:
        return f"Outline({self.name!r}, hidden)"


def contains(outline: Outline, latitude_deg: float, longitude_deg: float, within_m: float = 0.0) -> bool:
    """Whether a point lies in an area, or no further than within_m from its edge.

    A coast drawn to a kilometre leaves a harbour in the sea: allow for it with within_m.
    """
    if any(p.contains(latitude_deg, longitude_deg) for p in outline.polygons):
        return True
    margin_deg = within_m / (RAD_PER_DEG * EARTH_MEAN_RADIUS_M)
    widened_deg = margin_deg / max(math.cos(latitude_deg * RAD_PER_DEG), 1e-3)
    for polygon in outline.polygons if within_m > 0 else ():
        west, south, east, north = polygon.bounds_deg
        near = (
            south - margin_deg <= latitude_deg <= north + margin_deg
            and west - widened_deg <= longitude_deg <= east + widened_deg
        )
        if near and polygon.distance_m(latitude_deg, longitude_deg) <= within_m:
            return True
    return False


class Countries:
    """The packaged outlines by ISO 3166 alpha-2 code; rings are unpacked when first asked for.

    document  the packaged file, parsed: {"units_per_degree", "countries": [{"code", "alpha3", "name", "also",
              "polygons"}]}; rings are whole units: first point, then differences, without the closing point
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._units = float(document["units_per_degree"])
        self._packed: dict[str, Any] = {c["code"]: c["polygons"] for c in document["countries"]}
        self._outlines: dict[str, Outline] = {}
        self.names: dict[str, str] = {c["code"]: c["name"] for c in document["countries"]}
        self._codes: dict[str, str] = {}
        for country in document["countries"]:
            for word in (country["code"], country["alpha3"], country["name"], *country["also"]):
                self._codes[word.casefold()] = country["code"]

    def code(self, wanted: str) -> str:
        """The alpha-2 code of a country given by code or name, in any case of letters."""
        found = self._codes.get(wanted.strip().casefold())
        if found is None:
            raise Refused(
                "country.unknown",
                f"country {wanted.strip()[:40]!r}",
                "it is no ISO 3166 code and no country's name in English",
                f"near ones: {', '.join(self._near(wanted))}",
            )
        return found

    def _near(self, wanted: str) -> list[str]:
        word = wanted.strip().casefold()
        # Codes are too short to tell likeness by; a mistyped code begins with the same letter.
        if len(word) <= 3:
            codes = [c for c in self.names if word and c.casefold().startswith(word[0])]
        else:
            names = [n.casefold() for n in self.names.values()]
            codes = [self._codes[n] for n in difflib.get_close_matches(word, names, n=5, cutoff=0.5)]
        chosen = codes[:30] or ["UA", "PL", "US"]
        return [f"{c} ({self.names[c]})" for c in chosen]

    def outline(self, wanted: str) -> Outline:
        """The outline of a country given by code or name."""
        code = self.code(wanted)
        if code not in self._outlines:
            polygons = tuple(
                Polygon(tuple(self._ring(ring) for ring in packed)) for packed in self._packed[code]
            )
            self._outlines[code] = Outline(self.names[code], polygons)
        return self._outlines[code]

    def _ring(self, steps: Sequence[int]) -> Floats:
        points = np.array([list(accumulate(steps[0::2])), list(accumulate(steps[1::2]))], dtype=np.float64)
        return np.hstack([points, points[:, :1]]) / self._units

    @cached_property
    def _index(self) -> tuple[Floats, list[tuple[str, Polygon]]]:
        """Bounds of every polygon, (n, 4), and whose it is."""
        owned = [(code, p) for code in self.names for p in self.outline(code).polygons]
        return np.array([p.bounds_deg for _, p in owned]), owned

    def country_of(self, place: Place) -> str | None:
        """The code of the country that a place lies in; None at sea."""
        bounds, owned = self._index
        west, south, east, north = bounds.T
        latitude_deg, longitude_deg = place.latitude_deg, place.longitude_deg
        near = (
            (south <= latitude_deg)
            & (latitude_deg <= north)
            & (west <= longitude_deg)
            & (longitude_deg <= east)
        )
        for candidate in np.flatnonzero(near):
            code, polygon = owned[candidate]
            if polygon.contains(latitude_deg, longitude_deg):
                return code
        return None


def country_of(place: Place, countries: Countries) -> str | None:
    """The alpha-2 code of the country that a place lies in; None at sea."""
    return countries.country_of(place)


def cells_of(outline: Outline, resolution: int = DEFAULT_RESOLUTION, *, touching: bool = False) -> list[str]:
    """The H3 cells of an area, sorted.

    A cell belongs to the area that its centre lies in, so neighbouring areas share none and areas add up;
    with `touching`, every cell that the area reaches into. An area smaller than a cell can have none.
    """
    if isinstance(resolution, bool) or not 0 <= resolution <= FINEST_RESOLUTION:
        raise Refused(
            "cells.resolution",
            "resolution",
            f"H3 has resolutions 0 to {FINEST_RESOLUTION}",
            "5 is a good start",
        )
    about = sum(_box_area_km2(p) for p in outline.polygons) / h3.average_hexagon_area(resolution, "km^2")
    # Boxes are up to a few times the area; the true count is what must not exceed the limit.
    if about > 3 * MOST_CELLS:
        raise Refused(
            "cells.too_many",
            f"resolution {resolution} over {outline.name}",
            f"it would give about {about:.1g} cells and {MOST_CELLS:,} is the limit",
            "take a coarser resolution or a smaller area",
        )
    found: set[str] = set()
    for polygon in outline.polygons:
        outer, *holes = ([(lat, lon) for lon, lat in ring.T.tolist()] for ring in polygon.rings)
        shape = h3.LatLngPoly(outer, *holes)
        found.update(h3.h3shape_to_cells_experimental(shape, resolution, "overlap" if touching else "center"))
    return sorted(found)


def _box_area_km2(polygon: Polygon) -> float:
    west, south, east, north = polygon.bounds_deg
    band = math.sin(north * RAD_PER_DEG) - math.sin(south * RAD_PER_DEG)
    return (EARTH_MEAN_RADIUS_M / 1e3) ** 2 * band * (east - west) * RAD_PER_DEG


def cells_area_km2(cells: Sequence[str]) -> float:
    """Area of cells on the WGS84 ellipsoid.

    H3 takes geodetic latitudes for those of a sphere with the ellipsoid's surface: a cell comes out 0.45 %
    too large at the equator and 0.9 % too small at the poles. The ratio of the two surface elements at the
    cell's centre mends it.
    """
    if not cells:
        return 0.0
    on_sphere_km2 = np.array([h3.cell_area(cell, "km^2") for cell in cells])
    sin2_latitude = np.sin(np.array([h3.cell_to_latlng(cell)[0] for cell in cells]) * RAD_PER_DEG) ** 2
    ellipsoid_m2 = WGS84_A_M**2 * (1.0 - WGS84_E2) / (1.0 - WGS84_E2 * sin2_latitude) ** 2
    return math.fsum(on_sphere_km2 * ellipsoid_m2 / H3_RADIUS_M**2)


def cell_rings(cell: str) -> list[Floats]:
    """The outline of a cell as one closed ring of (2, P) degrees, or two where the antimeridian cuts it.

    The cells about the poles come out as the band between their corners and the pole.
    """
    ring = np.array([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)]).T
    ring = np.hstack([ring, ring[:, :1]])
    steps = (np.diff(ring[0]) + 180.0) % 360.0 - 180.0
    if np.abs(np.diff(ring[0])).max() <= 180.0:
        return [ring]
    unwrapped = ring.copy()
    unwrapped[0] = ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
    if abs(steps.sum()) > 180.0:
        pole = math.copysign(90.0, ring[1].mean())
        ends = [[unwrapped[0, -1], unwrapped[0, 0], unwrapped[0, 0]], [pole, pole, ring[1, 0]]]
        unwrapped = np.hstack([unwrapped, ends])
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        part = _clipped(_clipped(unwrapped - [[turn], [0.0]], -180.0, 1.0), 180.0, -1.0)
        if part.shape[1] >= 4:
            parts.append(part)
    return parts


def _clipped(ring: Floats, at_deg: float, side: float) -> Floats:
    """The part of a closed ring with longitudes beyond at_deg (side 1) or short of it (side -1), closed."""
    out: list[tuple[float, float]] = []
    points = list(zip(*ring.tolist(), strict=True))
    for (lon_a, lat_a), (lon_b, lat_b) in pairwise(points):
        inside_a, inside_b = (lon_a - at_deg) * side >= 0.0, (lon_b - at_deg) * side >= 0.0
        if inside_a:
            out.append((lon_a, lat_a))
        if inside_a != inside_b:
            out.append((at_deg, lat_a + (at_deg - lon_a) / (lon_b - lon_a) * (lat_b - lat_a)))
    return np.array([*out, out[0]]).T if out else np.empty((2, 0))


def outline_of_geojson(data: object, thing: str = "area") -> Outline:
    """An area from parsed GeoJSON: Polygon, MultiPolygon, Feature or FeatureCollection of these.

    Coordinates are [longitude, latitude] in degrees, rings are closed, and none crosses the antimeridian
    (RFC 7946, 3.1.6 and 3.1.9). Errors name the ring, never its coordinates.
    """
    polygons = [
        Polygon(tuple(_ring_of(ring, f"{where}, ring {i}") for i, ring in enumerate(rings, 1)))
        for where, rings in _polygons_in(data, thing)
    ]
    if not polygons:
        raise Refused("area.empty", thing, "it holds no polygon", "give at least one Polygon or MultiPolygon")
    return Outline(thing, tuple(polygons))


def _polygons_in(data: object, where: str) -> Iterator[tuple[str, list[object]]]:
    kind = data.get("type") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(kind, str):
        raise Refused("area.shape", where, "it is not a GeoJSON object with a type", "see RFC 7946")
    if kind == "FeatureCollection":
        for index, feature in enumerate(_list_of(data, "features", where), 1):
            yield from _polygons_in(feature, f"{where}, feature {index}")
    elif kind == "Feature":
        yield from _polygons_in(data.get("geometry"), where)
    elif kind == "Polygon":
        yield where, _rings_in(data.get("coordinates"), where)
    elif kind == "MultiPolygon":
        for index, rings in enumerate(_list_of(data, "coordinates", where), 1):
            yield f"{where}, polygon {index}", _rings_in(rings, f"{where}, polygon {index}")
    else:
        raise Refused(
            "area.shape",
            f"{where}: {kind[:40]}",
            "an area is a Polygon, a MultiPolygon, or features of these",
            "take out points and lines",
        )


def _list_of(data: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = data.get(key)
    if not isinstance(found, list):
        raise Refused("area.shape", where, f"{key} must be a list", "see RFC 7946")
    return found


def _rings_in(rings: object, where: str) -> list[object]:
    if not isinstance(rings, list) or not rings:
        raise Refused("area.shape", where, "a polygon is a list of at least one ring", "see RFC 7946, 3.1.6")
    return rings


def _ring_of(ring: object, where: str) -> Floats:
    points = _numbers(ring, where)
    longitude, latitude = points
    if np.abs(latitude).max() > 90.0:
        raise Refused(
            "area.latitude",
            where,
            "a latitude is outside -90..90 degrees",
            "GeoJSON writes longitude first: are latitude and longitude swapped?",
        )
    if np.abs(longitude).max() > 180.0:
        raise Refused(
            "area.longitude",
            where,
            "a longitude is outside -180..180 degrees",
            "take 360 from it, or add 360",
        )
    if (points[:, 0] != points[:, -1]).any():
        raise Refused("area.open", where, "the ring is not closed", "repeat its first position at its end")
    if np.abs(np.diff(longitude)).max() > 180.0:
        raise Refused(
            "area.antimeridian",
            where,
            "an edge is longer than 180 degrees of longitude",
            "cut the area at the antimeridian into a MultiPolygon (RFC 7946, 3.1.9)",
        )
    # Twice the area in square degrees; a ring that runs back on itself encloses nothing.
    if abs(float(np.sum(longitude[:-1] * latitude[1:] - longitude[1:] * latitude[:-1]))) == 0.0:
        raise Refused("area.empty", where, "the ring encloses nothing", "give at least three corners")
    return points


def _numbers(ring: object, where: str) -> Floats:
    """A ring's positions as (2, P); an altitude is allowed and dropped."""
    if not isinstance(ring, list) or len(ring) < 4:
        raise Refused("area.ring", where, "a ring has at least four positions", "see RFC 7946, 3.1.6")
    points = np.empty((2, len(ring)))
    for index, position in enumerate(ring):
        good = isinstance(position, list) and len(position) in (2, 3)
        if not good or not all(_is_finite_number(v) for v in position):
            raise Refused(
                "area.position",
                f"{where}, position {index + 1}",
                "a position is [longitude, latitude], both finite numbers",
                "mend it",
            )
        points[:, index] = position[:2]
    return points


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
