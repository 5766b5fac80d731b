"""Countries around the terminals, coarse enough for a picture of a thousand pixels."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place, place_to_ecef_m
from skylift.base.places import Countries
from skylift.twin.world import World

Floats = npt.NDArray[np.float64]

# Two hops of at most some 940 km over the ground (550 km high, 25 degrees) reach further, but mostly do not
# need to: a link to a gateway beyond runs off the map.
NEAR_M = 1_300_000.0
MARGIN_DEG = 2.0
# One point for each two pixels of a picture that is a thousand wide: what is finer is not seen.
PIXELS = 500
DECIMALS = 2


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees; the whole world where the terminals lie on both sides of the antimeridian."""

    west: float
    south: float
    east: float
    north: float


def map_document(world: World, countries: Countries) -> bytes:
    """JSON: the box to draw, and rings of [longitude, latitude, ...] in degrees that lie in it."""
    box = box_of(world)
    step_deg = max((box.east - box.west) / PIXELS, 10.0**-DECIMALS)
    rings = []
    for code in countries.names:
        for polygon in countries.outline(code).polygons:
            west, south, east, north = polygon.bounds_deg
            if west < box.east and east > box.west and south < box.north and north > box.south:
                rings += [thin for ring in polygon.rings if len(thin := _thinned(ring, box, step_deg)) >= 6]
    return msgspec.json.encode(
        {"west": box.west, "south": box.south, "east": box.east, "north": box.north, "rings": rings}
    )


def box_of(world: World) -> Box:
    """Around all terminals and the gateways that may serve them."""
    terminals = [t.place for t in world.terminals]
    shown = terminals + [g.place for g in world.ground.gateways if _is_near(g.place, terminals)]
    if not shown:
        return Box(-180.0, -60.0, 180.0, 80.0)
    latitudes = [p.latitude_deg for p in shown]
    longitudes = [p.longitude_deg for p in shown]
    west, east = min(longitudes) - MARGIN_DEG, max(longitudes) + MARGIN_DEG
    if east - west > 200.0:
        west, east = -180.0, 180.0
    south, north = max(-85.0, min(latitudes) - MARGIN_DEG), min(85.0, max(latitudes) + MARGIN_DEG)
    # Whole degrees: the box must not tell where the outermost terminal stands.
    return Box(float(np.floor(west)), float(np.floor(south)), float(np.ceil(east)), float(np.ceil(north)))


def _is_near(place: Place, others: list[Place]) -> bool:
    here_m = place_to_ecef_m(place)
    return any(float(np.linalg.norm(place_to_ecef_m(other) - here_m)) < NEAR_M for other in others)


def _thinned(ring: Floats, box: Box, step_deg: float) -> list[float]:
    """The ring moved onto the box's border where it is outside, one point for each run within a grid cell."""
    longitude = np.clip(ring[0], box.west - 1.0, box.east + 1.0)
    latitude = np.clip(ring[1], box.south - 1.0, box.north + 1.0)
    cells = np.floor(np.stack([longitude, latitude]) / step_deg)
    keep = np.concatenate([[True], (np.diff(cells, axis=1) != 0).any(axis=0)])
    points = np.round(np.stack([longitude[keep], latitude[keep]], axis=1), DECIMALS)
    flat: list[float] = points.ravel().tolist()
    return flat
