"""What a reckoning of need is made from: detected outages, areas, people, sites."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h3

from skylift.adapters.outlines import country_outline
from skylift.adapters.packaged import packaged_bytes
from skylift.adapters.sites_file import read_sites
from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.base.places import cells_of, outline_of_geojson
from skylift.study.need import Cut, NeedSite

# Of the packaged people; finer cells would say more than is known.
RESOLUTION = 5


@dataclass(frozen=True, slots=True)
class Areas:
    """Where entities are: a GeoJSON file whose features are named by these properties, joined by a slash."""

    features: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, properties: Iterable[str]) -> Areas:
        names = tuple(properties)
        document = _json(path)
        features: dict[str, list[Any]] = {}
        for feature in document.get("features", []) if isinstance(document, dict) else []:
            values = (feature.get("properties") or {}) if isinstance(feature, dict) else {}
            name = "/".join(str(values.get(one, "")).strip() for one in names)
            features.setdefault(name, []).append(feature)
        features.pop("", None)
        if not features:
            raise Refused(
                "need.areas",
                path.name,
                f"no feature has the properties {', '.join(names)}",
                "give a GeoJSON FeatureCollection, and name its properties with --area-properties",
            )
        return cls({name: {"type": "FeatureCollection", "features": some} for name, some in features.items()})

    def cells(self, entity: str) -> frozenset[str] | None:
        """The cells of an entity's area; None where the file has none of this name."""
        found = self.features.get(entity)
        return None if found is None else frozenset(cells_of(outline_of_geojson(found, "area"), RESOLUTION))


def people_of(countries: Iterable[str]) -> dict[str, int]:
    """People by cell in these countries (ISO 3166 alpha-2), from the packaged list."""
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    table = parquet.read_table(pa.BufferReader(packaged_bytes("people/people.parquet")))
    wanted = pa.array(sorted(set(countries)), pa.string())
    table = table.filter(compute.is_in(table["country"].cast(pa.string()), value_set=wanted))
    cells, people = table["cell"].to_pylist(), table["people"].to_pylist()
    found: dict[str, int] = {}
    for cell, count in zip(cells, people, strict=True):
        name = f"{cell:x}"
        found[name] = found.get(name, 0) + count
    return found


def read_people(path: Path) -> dict[str, int]:
    """People by cell from one's own list: CSV with `people` and `cell`, or `latitude` and `longitude`.

    A raster is given as the centres of its pixels. Raises Refused with the line of the first fault.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Refused("need.people", path.name, "it is no readable UTF-8 file", "check the name") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = set(reader.fieldnames or ())
    if "people" not in columns or not ("cell" in columns or {"latitude", "longitude"} <= columns):
        raise Refused(
            "need.people",
            path.name,
            "it has no columns people and cell, or people, latitude and longitude",
            "name them so in its first line",
        )
    found: dict[str, int] = {}
    for row in reader:
        cell, count = _people_row(row, path.name, reader.line_num)
        found[cell] = found.get(cell, 0) + count
    return found


def _people_row(row: Mapping[str, str], name: str, line: int) -> tuple[str, int]:
    wrong = Refused(
        "need.people",
        f"{name}, line {line}",
        "a place or a number of people cannot be read",
        "mend that line",
    )
    try:
        count = float(row["people"])
        if not 0 <= count < 1e9:
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


def read_cuts(
    path: Path, at_us: int, area_of: Callable[[str], frozenset[str] | None], shares: Mapping[str, float]
) -> tuple[list[Cut], list[str]]:
    """Outages that last at an instant, from what `skylift outages detect --json` wrote; and who has no area.

    An outage counts with the lowest level that it had: what is left now, a detection does not say.
    """
    document = _json(path)
    cuts, nowhere = [], []
    try:
        for event in document["events"]:
            began_us = parse_instant(event["opened_at"])
            ended = event["closed_at"]
            if began_us > at_us or (ended is not None and parse_instant(ended) <= at_us):
                continue
            cells = area_of(event["entity"])
            if cells is None:
                nowhere.append(event["entity"])
                continue
            share = shares.get(event["entity"], 1.0)
            numbers = (float(event["min_fraction"]), float(event["low"]), float(event["high"]))
            cuts.append(Cut(event["entity"], cells, *numbers, began_us, share))
    except (KeyError, TypeError, ValueError):
        raise Refused(
            "need.events",
            path.name,
            "it is not what `skylift outages detect --json` prints",
            "write its output into a file, and give that",
        ) from None
    return cuts, nowhere


def area_of_entity(areas: Areas | None) -> Callable[[str], frozenset[str] | None]:
    """By the file of areas; country/UA, or UA alone, by the packaged outlines as well."""

    def cells(entity: str) -> frozenset[str] | None:
        found = None if areas is None else areas.cells(entity)
        if found is not None:
            return found
        code = entity.removeprefix("country/")
        if len(code) == 2 and code.isalpha() and code.isupper():
            # Towns on a coast or a border: the centre of their cell may lie outside.
            return frozenset(cells_of(country_outline(code), RESOLUTION)) | people_of([code]).keys()
        return None

    return cells


def need_sites(path: Path | None) -> list[NeedSite]:
    """Sites as `plan terminals` reads them; their places are cells from here on."""
    if path is None:
        return []
    return [
        NeedSite(one.id, one.cell, one.kind, one.people, one.wanted_mbps * 1e6, one.class_)
        for one in read_sites(path, RESOLUTION)
    ]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        raise Refused("need.file", path.name, "it is no readable JSON", "check the name") from None
