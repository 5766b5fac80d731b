"""Sites that want service, from CSV or JSON, set into a capacity case.

A list of hospitals and shelters is a list of targets. Exact places are turned into cells on reading and kept
nowhere; names are not read at all; errors tell lines, never what stands in them.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h3
import numpy as np

from skylift.adapters.osm_sites import is_osm, osm_rows
from skylift.adapters.plan_disturbances import disturbed
from skylift.adapters.plan_sources import PlanInputs, PlanSources, alone, load_plan
from skylift.adapters.sites_cells import with_cells
from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.study.capacity import CLASS_NAMES, class_named
from skylift.study.readable import counted
from skylift.study.terminals import Site

KINDS_HELP = "docs/reference/plan-terminals.md tells of kinds and columns"
# Columns that a list may have and that are not looked at.
_IGNORED = ("name", "address", "note", "notes", "source", "district", "contact")
_COLUMNS = (
    "id", "latitude", "longitude", "cell", "people", "kind", "wanted_down_mbps", "terminals_allowed",
    "allowed", "class", "network",
)  # fmt: skip
_ALIASES = {
    "latitude_deg": "latitude", "lat": "latitude",
    "longitude_deg": "longitude", "lon": "longitude", "lng": "longitude",
    "wanted_mbps": "wanted_down_mbps",
}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_NETWORK = re.compile(r"AS[1-9]\d{0,9}")
_YES, _NO = {"", "yes", "true", "1"}, {"no", "false", "0"}
MOST_TOLD = 10
# 36 km2; a beam covers some 450.
FINEST_RESOLUTION = 6
# A list of a whole country's schools has some ten thousand; more is a slip.
MOST_SITES = 100_000
MOST_PEOPLE = 10_000_000


Rows = list[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of site: its class (0 to 3), what it wants at least and for each person, and who says so."""

    class_: int
    least_mbps: float
    per_person_mbps: float
    source: str


_ONC = "US Office of the National Coordinator for Health IT, minimum for a"
_SETDA = (
    "State Educational Technology Directors Association, taken over by the FCC in 2014: 100 Mbit/s for 1,000"
)
# FCC, minimum bandwidths named in its health-care broadband pages: video conferencing 2, in HD 10 Mbit/s.
_HD = "assumed: one video conference in HD (10 Mbit/s, FCC)"
KINDS: Mapping[str, Kind] = {
    "hospital": Kind(0, 100.0, 0.0, f"{_ONC} hospital"),
    "clinic": Kind(0, 10.0, 0.0, f"{_ONC} rural clinic or nursing home"),
    "rescue": Kind(0, 10.0, 0.0, _HD),
    "utility": Kind(1, 10.0, 0.0, _HD),
    "government": Kind(2, 25.0, 0.0, "assumed: as ONC's minimum for a larger practice"),
    "aid": Kind(2, 10.0, 0.0, _HD),
    "shelter": Kind(2, 2.0, 0.1, "assumed: each of its people as a pupil"),
    "school": Kind(3, 2.0, 0.1, _SETDA),
    "business": Kind(3, 10.0, 0.0, _HD),
    "household": Kind(3, 2.0, 0.5, "assumed: one video conference (2 Mbit/s, FCC) for each four people"),
    "other": Kind(3, 2.0, 0.0, "assumed: one video conference (2 Mbit/s, FCC)"),
}

# What lists call them besides, OpenStreetMap's values first.
_SAME_KINDS: Mapping[str, str] = {
    other: kind
    for kind, others in {
        "clinic": "nursing_home doctors ambulatory",
        "rescue": "fire_station police ambulance_station ambulance fire",
        "utility": "water_works waterworks water wastewater_plant pumping_station power_plant substation "
        "power energy electricity heating",
        "government": "townhall town_hall administration council",
        "aid": "food_bank humanitarian ngo",
        "shelter": "refugee_site bunker",
        "school": "university college kindergarten",
        "business": "company office shop",
        "household": "house home",
    }.items()
    for other in others.split()
}


@dataclass(frozen=True, slots=True)
class ReadSite:
    """A site as its file has it, its place made a cell. rate_source: "given", or where the rate is from.

    class_   0 to 3: as the file says, else that of its kind
    network  the network that it is connected by, "" where nobody says: AS64500
    """

    id: str
    cell: str
    kind: str
    class_: int
    people: int
    wanted_mbps: float
    rate_source: str
    most_terminals: int | None
    allowed: bool
    network: str = ""


@dataclass(frozen=True, slots=True)
class SitesInputs:
    """The case with all cells of the sites, and the sites in it; `read` goes with `sites`, one for one."""

    inputs: PlanInputs
    sites: tuple[Site, ...]
    read: tuple[ReadSite, ...]


def load_sites(
    sources: PlanSources,
    path: Path,
    background_mbps_per_km2: float = 0.0,
    read: tuple[ReadSite, ...] | None = None,
) -> SitesInputs:
    """Read sites and all else that `sources` names. Raises Refused; writes nothing.

    sources.region  "" for the cells of the sites alone; else everybody else in the region wants
                    background_mbps_per_km2
    read            those of the list that count; None: all
    """
    read = read_sites(path, sources.resolution) if read is None else read
    if sources.region:
        density = background_mbps_per_km2 if background_mbps_per_km2 > 0.0 else 1e-6
        inputs = load_plan(replace(sources, demand_mbps_per_km2=density))
    else:
        # load_plan wants a region. A small one will do, for none of its cells is kept.
        inputs = load_plan(replace(sources, region="LU", resolution=5, left_out=None))
        there = alone(inputs.case.region.name)
        notes = tuple(alone("the sites of this list") if n == there else n for n in inputs.notes)
        inputs = replace(inputs, notes=notes)
    inputs, index = with_cells(
        inputs, [one.cell for one in read], keep=bool(sources.region), left_out=sources.left_out
    )
    if not background_mbps_per_km2 > 0.0 and sources.demand is None:
        case = inputs.case
        demand = replace(case.demand, wanted_bps=np.zeros_like(case.demand.wanted_bps), even=False)
        inputs = replace(inputs, case=replace(case, demand=demand))
    inputs = replace(inputs, case=disturbed(inputs.case, sources.rain, sources.jam))
    sites = tuple(
        Site(
            id=one.id,
            cell=index[one.cell],
            class_=one.class_,
            people=one.people,
            wanted_bps=one.wanted_mbps * 1e6,
            most_terminals=one.most_terminals,
            allowed=one.allowed,
        )
        for one in read
    )
    return SitesInputs(inputs, sites, read)


def read_sites(path: Path, resolution: int = 5) -> tuple[ReadSite, ...]:
    """The sites of a CSV or JSON file. Raises one Refused for all that is wrong; nothing is half read."""
    name = path.name
    if not 0 <= resolution <= FINEST_RESOLUTION:
        raise Refused(
            "plan.resolution",
            "resolution",
            f"sites are told by cells of resolution 0 to {FINEST_RESOLUTION}; finer ones give them away",
            "5, about 253 km2, is a good start",
        )
    return sites_of(_rows(path), name, resolution)


def sites_of(rows: Rows, name: str, resolution: int = 5) -> tuple[ReadSite, ...]:
    """The same of rows, each with where it stands; `name` stands in what is refused."""
    if not rows:
        raise Refused("plan.sites", name, "there is no site in it", "name at least one")
    if len(rows) > MOST_SITES:
        raise Refused("plan.sites", name, f"it has more than {MOST_SITES:,} sites", "split the list")
    found: list[ReadSite] = []
    wrong: list[tuple[str, str]] = []
    where_of: dict[str, str] = {}
    for where, row in rows:
        try:
            site = _Row(row).site(resolution)
        except _WrongError as error:
            wrong.append((where, str(error)))
            continue
        if site.id in where_of:
            wrong.append((where, f"the same id stands in {where_of[site.id]}"))
            continue
        where_of[site.id] = where
        found.append(site)
    if wrong:
        told = "; ".join(f"{where}: {rule}" for where, rule in wrong[:MOST_TOLD])
        more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
        raise Refused(
            "plan.sites",
            f"{name}, {len(wrong):,} of {counted(len(rows), 'site')}",
            told + more,
            f"mend them; nothing was read. {KINDS_HELP}",
        )
    return tuple(found)


class _WrongError(Exception):
    """What is wrong with a row, without its contents."""


class _Row:
    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = {_ALIASES.get(key, key): value for key, value in row.items()}

    def site(self, resolution: int) -> ReadSite:
        for key in self._row:
            if key not in _COLUMNS and key not in _IGNORED:
                near = difflib.get_close_matches(key, _COLUMNS, n=1, cutoff=0.5)
                hint = f", did you mean {near[0]}?" if near else ""
                raise _WrongError(f"column {key[:30]!r} is not known{hint}")
        kind = self._kind()
        people = self._whole("people", 0, MOST_PEOPLE, 0)
        assert people is not None
        return ReadSite(
            id=self._id(),
            cell=self._cell(resolution),
            kind=kind,
            class_=self._class(kind),
            people=people,
            **self._rate(kind, people),
            most_terminals=self._whole("terminals_allowed", 0, MOST_SITES, None),
            allowed=self._allowed(),
            network=self._network(),
        )

    def _network(self) -> str:
        text = self._text("network").upper()
        if text and not _NETWORK.fullmatch(text):
            raise _WrongError("network must be the number of one, like AS64500")
        return text

    def _text(self, key: str) -> str:
        value = self._row.get(key)
        return "" if value is None else str(value).strip()

    def _id(self) -> str:
        text = self._text("id")
        if not _ID.fullmatch(text):
            raise _WrongError(
                "id must be 1 to 40 Latin letters, digits, points, dashes or underscores, no spaces"
            )
        return text

    def _kind(self) -> str:
        text = re.sub(r"[ -]+", "_", self._text("kind").lower()) or "other"
        kind = _SAME_KINDS.get(text, text)
        if kind not in KINDS:
            near = difflib.get_close_matches(text, (*KINDS, *_SAME_KINDS), n=1, cutoff=0.5)
            hint = f", did you mean {near[0]}?" if near else ";"
            raise _WrongError(f"kind is not known{hint} one of {', '.join(KINDS)}")
        return kind

    def _class(self, kind: str) -> int:
        text = self._text("class")
        if not text:
            return KINDS[kind].class_
        found = class_named(text)
        if found is None:
            near = difflib.get_close_matches(text.lower(), CLASS_NAMES, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(CLASS_NAMES)}"
            raise _WrongError(f"class is not known; {hint}")
        return found

    def _rate(self, kind: str, people: int) -> dict[str, Any]:
        if self._text("wanted_down_mbps"):
            rate = self._number("wanted_down_mbps", 0.0, 100_000.0)
            return {"wanted_mbps": rate, "rate_source": "given"}
        default = KINDS[kind]
        rate = max(default.least_mbps, default.per_person_mbps * people)
        return {"wanted_mbps": rate, "rate_source": default.source}

    def _allowed(self) -> bool:
        text = self._text("allowed").lower()
        if text not in _YES | _NO:
            raise _WrongError("allowed must be yes or no")
        return text in _YES

    def _cell(self, resolution: int) -> str:
        cell = self._text("cell").lower()
        if not cell:
            latitude = self._number("latitude", -90.0, 90.0)
            longitude = self._number("longitude", -180.0, 180.0)
            return str(h3.latlng_to_cell(latitude, longitude, resolution))
        if self._text("latitude") or self._text("longitude"):
            raise _WrongError("give a cell, or latitude and longitude, not both")
        if not is_cell(cell):
            raise _WrongError("cell is no H3 cell")
        if h3.get_resolution(cell) < resolution:
            raise _WrongError(f"cell is coarser than resolution {resolution}")
        return str(h3.cell_to_parent(cell, resolution))

    def _number(self, key: str, least: float, most: float) -> float:
        value = self._row.get(key)
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        # Written so that nan fails as well.
        if not least <= number <= most:
            raise _WrongError(f"{key} must be a number from {least:g} to {most:g}")
        return number

    def _whole(self, key: str, least: int, most: int, default: int | None) -> int | None:
        if not self._text(key):
            return default
        number = self._number(key, least, most)
        if number != int(number):
            raise _WrongError(f"{key} must be a whole number")
        return int(number)


def _rows(path: Path) -> Rows:
    """(where, row) of each site; keys in small letters."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(
            "plan.sites", path.name, f"it cannot be read ({error.strerror})", "check the path"
        ) from None
    except UnicodeDecodeError:
        raise Refused("plan.sites", path.name, "it is not UTF-8 text", "save it as UTF-8") from None
    return _json_rows(text, path.name) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text, path.name)


def _json_rows(text: str, file: str) -> Rows:
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused("plan.sites", file, f"the JSON is malformed{line}", "mend it") from None
    if is_osm(data):
        return list(osm_rows(data))
    listed = data.get("sites") if isinstance(data, dict) else data
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Refused(
            "plan.sites", file, "it must hold a list of objects", 'give {"sites": [{"id": ...}]} or [{...}]'
        )
    return [(f"site {i}", _keyed(one.items())) for i, one in enumerate(listed, 1)]


def _csv_rows(text: str, file: str) -> Rows:
    first = text.splitlines()[0] if text.strip() else ""
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        lines = [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except csv.Error:
        raise Refused(
            "plan.sites", f"{file}, line {reader.line_num}", "it is no CSV", "mend that line"
        ) from None
    if "id" not in header or len(set(header)) < len(header):
        raise Refused(
            "plan.sites", file, "its first line must name the columns, id among them, each once", KINDS_HELP
        )
    uneven = [line for line, row in lines if len(row) != len(header)]
    if uneven:
        told = ", ".join(str(line) for line in uneven[:MOST_TOLD])
        raise Refused(
            "plan.sites",
            file,
            f"lines {told} have not as many fields as the first",
            "mend them; nothing was read",
        )
    return [(f"line {line}", dict(zip(header, row, strict=True))) for line, row in lines]


def _keyed(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {str(key).strip().lower(): value for key, value in items}
