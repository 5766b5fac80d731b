"""Demand from a CSV file: who wants how much, where, and of which class."""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Mapping
from pathlib import Path

import h3
import numpy as np
import numpy.typing as npt

from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.study.capacity import CLASS_NAMES, EVERYBODY, Demand, Region, class_named

_COLUMNS = ("cell", "latitude_deg", "longitude_deg", "wanted_mbps", "class")


def read_demand(
    path: Path, region: Region, barred: npt.NDArray[np.uint8], resolution: int, notes: list[str]
) -> Demand:
    """The demand of a file, by cell of the region; what lies outside is counted and not served.

    A line names a place by its H3 cell (of any resolution; a coarser one is spread evenly over its children)
    or by latitude_deg and longitude_deg. class is a name or a number from 1; without it, everybody.
    Raises Refused with the line; no coordinate is repeated.
    """
    index = {cell: i for i, cell in enumerate(region.cells)}
    wanted, outside_bps, outside = np.zeros((len(region), len(CLASS_NAMES))), 0.0, 0
    for line, row in _rows(path):
        where = f"{path.name}, line {line}"
        bps, class_ = _wanted_bps(row, where), _class(row, where)
        cells = _cells(row, resolution, where)
        missed = [cell for cell in cells if cell not in index]
        for cell in cells:
            if cell in index:
                wanted[index[cell], class_] += bps / len(cells)
        outside_bps += bps * len(missed) / len(cells)
        outside += bool(missed)
    if outside:
        notes.append(
            f"{outside:,} {'line' if outside == 1 else 'lines'} of {path.name} outside {region.name}, wholly "
            f"or in part: the {outside_bps / 1e6:,.1f} Mbit/s wanted there are not served"
        )
    if not wanted.any():
        raise Refused(
            "plan.demand", path.name, "nothing is wanted in any cell of the region", "check the places"
        )
    return Demand(wanted, barred, outside_bps=outside_bps)


def _rows(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(
            "plan.demand", path.name, f"it cannot be read ({error.strerror})", "check the path"
        ) from None
    except UnicodeDecodeError:
        raise Refused("plan.demand", path.name, "it is not UTF-8 text", "save it as UTF-8") from None
    reader = csv.DictReader(io.StringIO(text), restkey="", restval="")
    columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    _check_columns(columns, path.name)
    try:
        return [(reader.line_num, _checked(row, f"{path.name}, line {reader.line_num}")) for row in reader]
    except csv.Error:
        raise Refused(
            "plan.demand", f"{path.name}, line {reader.line_num}", "it is no CSV", "mend that line"
        ) from None


def _checked(row: Mapping[str, object], where: str) -> dict[str, str]:
    if "" in row:
        raise Refused("plan.demand", where, "it has more fields than the first line", "mend that line")
    return {key: str(value).strip() for key, value in row.items()}


def _check_columns(columns: list[str], file: str) -> None:
    for name in columns:
        if name not in _COLUMNS:
            near = difflib.get_close_matches(name, _COLUMNS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(_COLUMNS)}"
            raise Refused("plan.demand", f"{file}: column {name[:40]!r}", "it is not known", hint)
    placed = "cell" in columns or {"latitude_deg", "longitude_deg"} <= set(columns)
    if "wanted_mbps" not in columns or not placed or len(set(columns)) < len(columns):
        raise Refused(
            "plan.demand",
            file,
            "its first line must name wanted_mbps, and cell or latitude_deg and longitude_deg, each once",
            "add that line; class is optional",
        )


def _number(row: Mapping[str, str], key: str, where: str, limits: tuple[float, float]) -> float:
    try:
        number = float(row[key])
    except ValueError:
        number = math.nan
    # Written so that nan fails as well.
    if not limits[0] <= number <= limits[1]:
        raise Refused(
            "plan.demand",
            f"{where}: {key}",
            f"it is a number from {limits[0]:g} to {limits[1]:g}",
            "mend that line",
        )
    return number


def _wanted_bps(row: Mapping[str, str], where: str) -> float:
    # 1e9 Mbit/s is a slip of units, and no slip smaller than that can be told from a wish.
    return 1e6 * _number(row, "wanted_mbps", where, (0.0, 1e9))


def _class(row: Mapping[str, str], where: str) -> int:
    text = row.get("class", "").strip()
    if not text:
        return EVERYBODY
    numbers = [str(number + 1) for number in range(len(CLASS_NAMES))]
    found = numbers.index(text) if text in numbers else class_named(text)
    if found is None:
        near = difflib.get_close_matches(text.lower(), CLASS_NAMES, n=1, cutoff=0.3)
        raise Refused(
            "plan.demand",
            f"{where}: class",
            f"it is one of {', '.join(CLASS_NAMES)}, or 1 to {len(CLASS_NAMES)}",
            f"did you mean {near[0]}?" if near else "choose one",
        )
    return found


def _cells(row: Mapping[str, str], resolution: int, where: str) -> list[str]:
    """The cells of the study's resolution that a line is about."""
    cell = row.get("cell", "").lower()
    if not cell:
        if "latitude_deg" not in row or "longitude_deg" not in row:
            raise Refused("plan.demand", f"{where}: cell", "it is empty", "name a cell")
        latitude = _number(row, "latitude_deg", where, (-90.0, 90.0))
        return [
            h3.latlng_to_cell(latitude, _number(row, "longitude_deg", where, (-180.0, 180.0)), resolution)
        ]
    if not is_cell(cell):
        raise Refused(
            "plan.demand", f"{where}: cell", "it is no H3 cell", "skylift cells lists those of a country"
        )
    finer = h3.get_resolution(cell) - resolution
    if finer >= 0:
        return [h3.cell_to_parent(cell, resolution)]
    if finer < -4:
        raise Refused(
            "plan.demand", f"{where}: cell", "it is far coarser than the study's cells", "name finer cells"
        )
    return list(h3.cell_to_children(cell, resolution))
