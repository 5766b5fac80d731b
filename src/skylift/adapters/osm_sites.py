"""Sites that matter from OpenStreetMap: Overpass JSON, or GeoJSON with OSM's tags, as a list's rows.

What is none of these kinds is passed over. Names are not read. A shelter is a social facility: most of what
OSM calls amenity=shelter keeps the rain off those who wait for a bus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# (key, value) of OSM -> kind of adapters/sites_file.py; the first that fits counts.
KINDS: tuple[tuple[str, str, str], ...] = (
    ("amenity", "hospital", "hospital"),
    ("healthcare", "hospital", "hospital"),
    ("amenity", "clinic", "clinic"),
    ("healthcare", "clinic", "clinic"),
    ("amenity", "nursing_home", "clinic"),
    ("amenity", "fire_station", "rescue"),
    ("emergency", "ambulance_station", "rescue"),
    ("amenity", "police", "rescue"),
    ("man_made", "water_works", "utility"),
    ("man_made", "wastewater_plant", "utility"),
    ("man_made", "pumping_station", "utility"),
    ("power", "plant", "utility"),
    ("power", "substation", "utility"),
    ("amenity", "townhall", "government"),
    ("office", "government", "government"),
    ("social_facility", "shelter", "shelter"),
    ("amenity", "refugee_site", "shelter"),
    ("social_facility", "food_bank", "aid"),
    ("amenity", "school", "school"),
    ("amenity", "university", "school"),
    ("amenity", "college", "school"),
)
_PEOPLE = ("capacity:persons", "capacity", "beds", "capacity:beds")
_ID = re.compile(r"(node|way|relation)[/-]?(\d{1,18})")
_WHOLE = re.compile(r"\d{1,7}")


def is_osm(document: Any) -> bool:
    """Whether a JSON document is of one of the two forms."""
    return isinstance(document, dict) and (
        document.get("type") == "FeatureCollection" or isinstance(document.get("elements"), list)
    )


def osm_rows(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where, row) of each site that is known by its tags; a place that cannot be read is an empty one."""
    things = document.get("features") if "features" in document else document.get("elements")
    for number, thing in enumerate(things if isinstance(things, list) else [], 1):
        if not isinstance(thing, dict):
            continue
        tags = thing.get("properties" if "properties" in thing else "tags")
        if not isinstance(tags, dict):
            continue
        kind = next((kind for key, value, kind in KINDS if tags.get(key) == value), "")
        if not kind:
            continue
        latitude, longitude = _place(thing)
        row = {
            "id": _id(thing, tags, number),
            "kind": kind,
            "latitude": latitude,
            "longitude": longitude,
            "people": _people(tags),
        }
        yield f"feature {number}", row


def _id(thing: Mapping[str, Any], tags: Mapping[str, Any], number: int) -> str:
    written = f"{thing.get('type')}/{thing.get('id')}"
    for text in (written, str(tags.get("@id", "")), str(thing.get("id", ""))):
        found = _ID.fullmatch(text)
        if found:
            return f"osm-{found[1]}-{found[2]}"
    return f"feature-{number}"


def _people(tags: Mapping[str, Any]) -> str:
    texts = (str(tags.get(key, "")).strip() for key in _PEOPLE)
    return next((text for text in texts if _WHOLE.fullmatch(text)), "")


def _place(thing: Mapping[str, Any]) -> tuple[Any, Any]:
    """Of an area the middle of the box around it: good enough for a cell."""
    centre = thing.get("center", thing)
    if isinstance(centre, dict) and "lat" in centre:
        return centre["lat"], centre.get("lon")
    geometry = thing.get("geometry")
    points = list(_points(geometry.get("coordinates") if isinstance(geometry, dict) else geometry))
    if not points:
        return "", ""
    longitudes, latitudes = zip(*points, strict=True)
    return (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2


def _points(nested: Any) -> Iterator[tuple[float, float]]:
    """(longitude, latitude) of each, however deep."""
    if not isinstance(nested, list):
        return
    if len(nested) >= 2 and all(isinstance(one, (int, float)) for one in nested[:2]):
        yield float(nested[0]), float(nested[1])
        return
    for one in nested:
        if isinstance(one, dict) and {"lat", "lon"} <= one.keys():  # Overpass' `out geom`
            yield float(one["lon"]), float(one["lat"])
        else:
            yield from _points(one)
