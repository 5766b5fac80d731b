"""Results of `skylift plan capacity` on disk: one to compare with later, or its cells for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h3
import msgspec

from skylift.adapters.atomic import write_atomically
from skylift.adapters.capacity_report import CapacityReport
from skylift.adapters.capacity_shape import ResultShape
from skylift.base.errors import Refused
from skylift.base.places import cell_rings

KIND = "skylift plan capacity"
FORMAT = 1
_COLUMNS = ("cell", "latitude_deg", "longitude_deg", "area_km2", "allowed", "wanted_mbps", "served_mbps")
_LAST_COLUMNS = ("least_served_mbps", "served_mbps_per_km2")


def write_report(path: Path, report: CapacityReport) -> None:
    """The whole result as .json, or its cells as .csv or .geojson: one of ENDINGS."""
    write_atomically(path, _WRITERS[path.suffix.lower()](report))


def read_report(path: Path) -> CapacityReport:
    """A result that write_report has written as .json. Raises Refused for anything else."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Refused(
            "plan.result", path.name, f"it cannot be read ({error.strerror})", "check the path"
        ) from None
    except (ValueError, RecursionError):
        raise _no_result(path) from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _no_result(path)
    if document.get("format") != FORMAT:
        raise Refused(
            "plan.result", path.name, "another version of skylift wrote it", "run plan capacity again"
        )
    try:
        found = msgspec.convert(document, ResultShape)
    except msgspec.ValidationError as error:
        # It names the key and what it should be, and repeats no value.
        raise _damaged(path, str(error)) from None
    if not found.is_whole():
        raise _damaged(path, "its lists do not fit one another")
    return CapacityReport(document["summary"], document["detail"])


def _damaged(path: Path, why: str) -> Refused:
    return Refused("plan.result", path.name, f"it is damaged: {why}", "run plan capacity again")


def _no_result(path: Path) -> Refused:
    return Refused(
        "plan.result",
        path.name,
        "it is no result of skylift plan capacity",
        "write one with skylift plan capacity ... -o result.json",
    )


def rows_of(report: CapacityReport) -> list[dict[str, Any]]:
    """A row for each cell, in Mbit/s."""
    cells = report.detail["cells"]
    rows = []
    for i, cell in enumerate(cells["cell"]):
        latitude, longitude = h3.cell_to_latlng(cell)
        served = cells["served_bps"][i] / 1e6
        values = (
            cell, round(latitude, 6), round(longitude, 6), cells["area_km2"][i], bool(cells["allowed"][i]),
            cells["wanted_bps"][i] / 1e6, served, cells["least_served_bps"][i] / 1e6,
            round(served / cells["area_km2"][i], 6),
        )  # fmt: skip
        rows.append(dict(zip((*_COLUMNS, *_LAST_COLUMNS), values, strict=True)))
    return rows


def _json(report: CapacityReport) -> str:
    document = {"kind": KIND, "format": FORMAT, "summary": report.summary, "detail": report.detail}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _csv(report: CapacityReport) -> str:
    lines = [",".join((*_COLUMNS, *_LAST_COLUMNS))]
    lines += [",".join(str(value).lower() for value in row.values()) for row in rows_of(report)]
    return "\n".join(lines) + "\n"


def _geojson(report: CapacityReport) -> str:
    features = []
    for row in rows_of(report):
        rings = [[[round(x, 6), round(y, 6)] for x, y in ring.T.tolist()] for ring in cell_rings(row["cell"])]
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": rings}
        if len(rings) > 1:
            geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
        properties = {k: v for k, v in row.items() if k not in ("cell", "latitude_deg", "longitude_deg")}
        features.append(
            {"type": "Feature", "id": row["cell"], "properties": properties, "geometry": geometry}
        )
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")) + "\n"


_WRITERS = {".json": _json, ".csv": _csv, ".geojson": _geojson}
ENDINGS = tuple(_WRITERS)
