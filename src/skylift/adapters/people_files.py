"""People by cell from one's own data: a CSV list, GeoJSON, or a raster as an ESRI ASCII grid."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h3
import numpy as np

from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.places import cells_of, outline_of_geojson

# Of the packaged people; finer cells would say more than is known.
RESOLUTION = 5
# The world in pixels of 30 arc seconds has nearly a thousand million; a country's part of it has fewer.
_MOST_PIXELS = 100_000_000
_MOST_PEOPLE = 1e9


def read_people(path: Path) -> dict[str, int]:
    """People by cell of resolution 5. Raises Refused with the line of the first fault.

    .csv                people and cell, or people, latitude and longitude
    .geojson or .json   features with the property people: points, or areas over which they are spread evenly
    .asc                an ESRI ASCII grid in degrees, people in each pixel; its NODATA_value is nobody
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Refused("need.people", path.name, "it is no readable UTF-8 file", "check the name") from None
    suffix = path.suffix.lower()
    if suffix == ".asc":
        return _grid(text, path.name)
    return _geojson(text, path.name) if suffix in (".geojson", ".json") else _csv(text, path.name)


def _wrong(name: str, where: str, rule: str = "a place or a number of people cannot be read") -> Refused:
    return Refused("need.people", f"{name}, {where}", rule, "mend it")


def _csv(text: str, name: str) -> dict[str, int]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = set(reader.fieldnames or ())
    if "people" not in columns or not ("cell" in columns or {"latitude", "longitude"} <= columns):
        raise Refused(
            "need.people",
            name,
            "it has no columns people and cell, or people, latitude and longitude",
            "name them so in its first line",
        )
    found: dict[str, int] = {}
    for row in reader:
        cell, count = _csv_row(row, name, reader.line_num)
        found[cell] = found.get(cell, 0) + count
    return found


def _csv_row(row: Mapping[str, str], name: str, line: int) -> tuple[str, int]:
    wrong = _wrong(name, f"line {line}")
    try:
        count = float(row["people"])
        if not 0 <= count < _MOST_PEOPLE:
            raise wrong
        cell = (row.get("cell") or "").lower() or h3.latlng_to_cell(
            float(row["latitude"]), float(row["longitude"]), RESOLUTION
        )
    except (ValueError, TypeError, KeyError):
        raise wrong from None
    # Of a coarser cell nobody knows in which of its parts the people live.
    if not is_cell(cell) or h3.get_resolution(cell) < RESOLUTION:
        raise wrong
    if h3.get_resolution(cell) > RESOLUTION:
        cell = h3.cell_to_parent(cell, RESOLUTION)
    return cell, round(count)


def _geojson(text: str, name: str) -> dict[str, int]:
    try:
        features = json.loads(text)["features"]
    except (ValueError, KeyError, TypeError):
        raise Refused("need.people", name, "it is no GeoJSON FeatureCollection", "check the file") from None
    found: dict[str, float] = {}
    for number, feature in enumerate(features, 1):
        try:
            count = float(feature["properties"]["people"])
            geometry = feature["geometry"]
            if not 0 <= count < _MOST_PEOPLE or isinstance(feature["properties"]["people"], bool):
                raise ValueError
            cells = _cells(geometry)
        except (KeyError, TypeError, ValueError, Refused):
            raise _wrong(name, f"feature {number}") from None
        for cell in cells:
            found[cell] = found.get(cell, 0.0) + count / len(cells)
    return {cell: round(count) for cell, count in found.items()}


def _cells(geometry: Mapping[str, Any]) -> list[str]:
    """Those of an area whose centres it holds; of a point, or of a small area, the one that it is in."""
    if geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        return [_cell(float(latitude), float(longitude))]
    cells = sorted(
        cells_of(outline_of_geojson({"type": "Feature", "geometry": geometry}, "area"), RESOLUTION)
    )
    if cells:
        return cells
    ring = geometry["coordinates"][0] if geometry["type"] == "Polygon" else geometry["coordinates"][0][0]
    longitude, latitude = np.asarray(ring, dtype=float)[:, :2].mean(axis=0).tolist()
    return [_cell(latitude, longitude)]


def _cell(latitude: float, longitude: float) -> str:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError
    return str(h3.latlng_to_cell(latitude, longitude, RESOLUTION))


def _grid(text: str, name: str) -> dict[str, int]:
    lines = text.splitlines()
    head: dict[str, float] = {}
    while lines[len(head) :] and lines[len(head)].split()[:1] and lines[len(head)].split()[0][0].isalpha():
        words = lines[len(head)].split()
        try:
            head[words[0].lower()] = float(words[1])
        except (ValueError, IndexError):
            raise _wrong(name, f"line {len(head) + 1}", "its head has a name and a number a line") from None
    needed = {"ncols", "nrows", "cellsize"}
    corner = "corner" if "xllcorner" in head else "center"
    if not needed <= head.keys() or not {f"xll{corner}", f"yll{corner}"} <= head.keys():
        raise _wrong(name, "its head", "it has ncols, nrows, xllcorner, yllcorner and cellsize")
    columns, rows, size = int(head["ncols"]), int(head["nrows"]), head["cellsize"]
    if not (0 < columns * rows <= _MOST_PIXELS and 0 < size <= 10):
        raise _wrong(name, "its head", f"it has 1 to {_MOST_PIXELS:,} pixels, of degrees")
    values = " ".join(lines[len(head) :]).split()
    try:
        people = np.array(values, dtype=np.float64).reshape(rows, columns)
    except ValueError:
        raise _wrong(name, "its rows", f"{columns} x {rows} numbers were announced") from None
    people[people == head.get("nodata_value", -9999.0)] = 0.0
    if not (np.isfinite(people).all() and (people >= 0).all() and (people < _MOST_PEOPLE).all()):
        raise _wrong(name, "its rows", "a number of people is negative or none")
    half = 0.5 if corner == "corner" else 0.0
    west, south = head[f"xll{corner}"] + half * size, head[f"yll{corner}"] + half * size
    found: dict[str, float] = {}
    # The first row is the northernmost.
    for row, column in zip(*np.nonzero(people), strict=True):
        try:
            cell = _cell(south + (rows - 1 - int(row)) * size, west + int(column) * size)
        except ValueError:
            raise _wrong(name, "its head", "it lies outside the world: its numbers are degrees") from None
        found[cell] = found.get(cell, 0.0) + float(people[row, column])
    return {cell: math.floor(count + 0.5) for cell, count in found.items()}
