"""Reading gateways and PoPs: our own table (TOML) and other people's lists (JSON, CSV, GeoJSON)."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.ids import GatewayId, PopId
from skylift.base.instants import InstantUs, parse_instant
from skylift.sky.routing.ground import (
    DEFAULT_ANTENNAS,
    DEFAULT_MINIMUM_ELEVATION_DEG,
    Gateway,
    GroundSegment,
    Pop,
)

# Crowd-sourced lists were found 13 to 200 km off (docs/why/006); a file may state better.
CROWD_SOURCED_ACCURACY_M = 100_000.0
# FCC filings give a place to the second of arc (31 m); sites are some 100 m across.
FILED_ACCURACY_M = 200.0

Record = Mapping[str, Any]

_ALIASES = {
    "name": ("name", "title", "site", "id"),
    "latitude": ("latitude_deg", "latitude", "lat"),
    "longitude": ("longitude_deg", "longitude", "lon", "lng", "long"),
    "type": ("type", "kind"),
    "status": ("status", "active"),
    "antennas": ("antennas", "antenna_count", "quantity"),
    "minimum_elevation": ("minimum_elevation_deg", "min_elevation_deg", "minimum_elevation"),
    "accuracy": ("accuracy_m",),
    "altitude": ("altitude_m", "altitude", "alt"),
}
_IN_OPERATION = {"", "operational", "active", "live", "in operation", "true", "yes", "1"}
_GATEWAY_WORDS = {
    "",
    "gateway",
    "ground station",
    "ground_station",
    "groundstation",
    "earth station",
    "station",
}
_POP_WORDS = {"pop", "point of presence", "point_of_presence"}
_FILING = re.compile(r"SES-[A-Z]+-[A-Z]*\d{4,8}-\d{5}")
_FILED_ANTENNAS = re.compile(r"antenna count:\s*(\d+)", re.IGNORECASE)
# Letters that Unicode does not take apart into a base letter and an accent.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "đ": "d", "ı": "i", "œ": "oe"})


def slug(name: str) -> str:
    """A stable id from a name: "Villenave-d'Ornon, France" -> "villenave-d-ornon-france"."""
    # Taken apart first: what stands in one sign, such as "™", may hold capitals.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold().translate(_PLAIN))
    letters = "".join(c if c.isalnum() else "-" for c in plain if not unicodedata.combining(c))
    return re.sub("-+", "-", letters).strip("-")


def ground_segment(
    text: str, at_us: int | None = None, thing: str = "the table of gateways"
) -> GroundSegment:
    """Gateways and PoPs of a table in skylift's own format (TOML; see data/ground/ground-segment.toml).

    at_us  keep only the sites whose known dates allow them to be in operation then; None keeps all
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(
            "gateways.unreadable", thing, f"it is not valid TOML ({error})", "mend the line named"
        ) from None
    sources = table.get("sources", {})
    defaults = table.get("defaults", {})
    gateways, pops = [], []
    for kind in ("gateway", "pop"):
        for index, entry in enumerate(_list({kind: []} | table, kind, thing), 1):
            where = f"{thing}, {kind} {index}"
            record = _object(entry, where)
            site = _site({"type": kind, **defaults, **record}, where)
            source = _source(record, sources, where)
            if kind == "pop":
                pops.append(replace(_pop(site), source=source, code=str(record.get("code", ""))))
            else:
                gateways.append(
                    replace(_gateway(site), source=source, in_doubt=bool(record.get("in_doubt", False)))
                )
    segment = _checked(gateways, pops, thing)
    return segment if at_us is None else segment.at(at_us)


def packaged_ground_segment(at_us: int | None = None) -> GroundSegment:
    """skylift's own small table: the sites around Ukraine in 2022 and a spread over the world."""
    text = resources.files("skylift.data").joinpath("ground", "ground-segment.toml").read_text("utf-8")
    return ground_segment(text, at_us)


def read_ground_segment(
    path: Path | str, at_us: int | None = None, any_status: bool = False
) -> GroundSegment:
    """Gateways and PoPs of a file: JSON, CSV, GeoJSON or skylift's own TOML, told apart by content.

    Sites that are not in operation are left out and counted in `skipped`, unless any_status (for sites that
    are only thought of). A file without PoPs gets those of the packaged table, and says so in `notes`.
    Errors name the record, never its coordinates.
    """
    path = Path(path)
    thing = f"gateway list {path.name}"
    text = _read_text(path, thing)
    if path.suffix.lower() == ".toml":
        segment = ground_segment(text, at_us, thing)
    else:
        segment = _listed(_records(text, thing), thing, any_status)
        segment = segment if at_us is None else segment.at(at_us)
    if not segment.gateways:
        raise Refused(
            "gateways.none",
            thing,
            "no gateway in it is in operation at the time asked for",
            "use a list with at least one gateway whose status is operational and whose dates fit",
        )
    if segment.pops:
        return segment
    pops = packaged_ground_segment(at_us).pops
    note = f"{thing} has no PoPs: the {len(pops)} of skylift's own table are used"
    return replace(segment, pops=pops, notes=(*segment.notes, note))


def _read_text(path: Path, thing: str) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(
            "gateways.no_file", thing, f"it cannot be read ({error.strerror})", "check the path"
        ) from None
    except UnicodeDecodeError:
        raise Refused("gateways.unreadable", thing, "it is not UTF-8 text", "save it as UTF-8") from None
    if not text.strip():
        raise Refused("gateways.empty", thing, "the file is empty", "give JSON, CSV, GeoJSON or TOML")
    return text


def _records(text: str, thing: str) -> list[Record]:
    if text.lstrip()[0] not in "[{":
        return _csv_records(text, thing)
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(
            "gateways.unreadable",
            thing,
            f"the JSON breaks off or is malformed{line}",
            "fetch the file again, or mend that line",
        ) from None
    if isinstance(data, dict) and data.get("type") == "FeatureCollection":
        return [_feature(f, f"{thing}, record {i}") for i, f in enumerate(_list(data, "features", thing), 1)]
    if isinstance(data, dict):
        data = _list(data, "stations", thing)
    return [_object(record, f"{thing}, record {i}") for i, record in enumerate(data, 1)]


def _list(data: Mapping[str, Any], key: str, thing: str) -> list[Any]:
    if not isinstance(data.get(key), list):
        raise Refused(
            "gateways.shape",
            thing,
            f"it must hold a list named {key!r}",
            'give {"stations": [...]}, a list of sites, a GeoJSON FeatureCollection of points, or our TOML',
        )
    found: list[Any] = data[key]
    return found


def _object(record: object, where: str) -> Record:
    if not isinstance(record, dict):
        raise Refused("gateways.record", where, "a site must be a JSON object", "give name, lat and lon")
    record = {str(key).lower(): value for key, value in record.items()}
    if "coordinates" in record:
        record = {**record, **_lon_lat(record["coordinates"], where)}
    return record


def _feature(feature: object, where: str) -> Record:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if (
        not isinstance(feature, dict)
        or not isinstance(geometry, dict)
        or geometry.get("type") != "Point"
        or "coordinates" not in geometry
    ):
        raise Refused(
            "gateways.record",
            where,
            "a site must be a GeoJSON Feature with a Point",
            "give points, not areas",
        )
    properties = {str(k).lower(): v for k, v in (feature.get("properties") or {}).items()}
    return {**properties, **_lon_lat(geometry["coordinates"], where)}


def _lon_lat(coordinates: object, where: str) -> Record:
    if not isinstance(coordinates, list) or len(coordinates) not in (2, 3):
        raise Refused(
            "gateways.record", where, "coordinates are [longitude, latitude] or with an altitude", "mend them"
        )
    names = ("longitude_deg", "latitude_deg", "altitude_m")
    return dict(zip(names, coordinates, strict=False))


def _csv_records(text: str, thing: str) -> list[Record]:
    header = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text.lstrip()), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise Refused(
            "gateways.unreadable", thing, f"the CSV is malformed ({error})", "mend the quotes"
        ) from None
    records: list[Record] = []
    for index, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise Refused(
                "gateways.record",
                f"{thing}, record {index}",
                "it has not as many fields as the header",
                "mend that line",
            )
        # An empty field is a field not stated.
        records.append({key.strip().lower(): value.strip() for key, value in row.items() if value.strip()})
    return records


@dataclass(frozen=True, slots=True)
class _Site:
    id: str
    name: str
    is_pop: bool
    place: Place
    antennas: int
    minimum_elevation_deg: float
    source: str
    accuracy_m: float
    assumed_accuracy: bool
    pop: PopId | None
    since_us: InstantUs | None
    until_us: InstantUs | None


def _first(record: Record, key: str, default: Any = None) -> Any:
    return next((record[name] for name in _ALIASES[key] if record.get(name) is not None), default)


def _listed(records: Iterable[Record], thing: str, any_status: bool = False) -> GroundSegment:
    """Gateways and PoPs of a list; what is not in operation is counted, not taken, unless any_status."""
    gateways, pops = [], []
    skipped: Counter[str] = Counter()
    assumed = silent = total = 0
    for index, record in enumerate(records, 1):
        site = _site(record, f"{thing}, record {index}")
        total += 1
        silent += _first(record, "status") is None
        status = None if any_status else _status(record)
        if status is not None:
            skipped[status] += 1
            continue
        assumed += site.assumed_accuracy
        if site.is_pop:
            pops.append(_pop(site))
        else:
            gateways.append(_gateway(site))
    notes = []
    if 0 < silent < total:
        notes.append(
            f"{thing}: {silent} of {total} sites do not say whether they are in operation; taken as if so"
        )
    if assumed:
        notes.append(
            f"{thing}: {assumed} sites state no accuracy; {CROWD_SOURCED_ACCURACY_M / 1e3:.0f} km is assumed"
        )
    segment = _checked(gateways, pops, thing)
    return replace(segment, skipped=tuple(sorted(skipped.items())), notes=tuple(notes))


def _status(record: Record) -> str | None:
    """Why a site is not in operation; None: it is, or the list does not say."""
    status = _first(record, "status", "")
    if isinstance(status, bool):
        return None if status else "not active"
    word = str(status).strip().lower()
    if word in _IN_OPERATION:
        return None
    return "not active" if word in {"false", "no", "0", "inactive"} else word


def _site(record: Record, where: str) -> _Site:
    name = str(_first(record, "name", "")).strip()
    if not slug(name):
        raise Refused("gateways.record", where, "a site must have a name", "give it one")
    kind = str(_first(record, "type", "")).strip().lower()
    if kind not in _GATEWAY_WORDS | _POP_WORDS:
        raise Refused(
            "gateways.record",
            where,
            "its type is neither gateway nor pop",
            "write gateway or pop, or leave it",
        )
    description = str(record.get("description", ""))
    filing = _FILING.search(description) or _FILING.search(str(record.get("application", "")))
    filed = _FILED_ANTENNAS.search(description)
    accuracy = _first(record, "accuracy")
    antennas = _first(record, "antennas", filed.group(1) if filed else DEFAULT_ANTENNAS)
    best_guess = FILED_ACCURACY_M if filing else CROWD_SOURCED_ACCURACY_M
    stated = str(record.get("source", "")).strip()
    return _Site(
        id=slug(str(record.get("id") or name)),
        name=name,
        is_pop=kind in _POP_WORDS,
        place=_place(record, where),
        antennas=int(_number(antennas, "antennas", where, (1, 1_000))),
        minimum_elevation_deg=_number(
            _first(record, "minimum_elevation", DEFAULT_MINIMUM_ELEVATION_DEG),
            "the minimum elevation",
            where,
            (0, 90),
        ),
        source=stated or (f"FCC filing {filing.group()}" if filing else where.rsplit(",", 1)[0]),
        accuracy_m=best_guess if accuracy is None else _number(accuracy, "accuracy_m", where, (0, 2.1e7)),
        assumed_accuracy=accuracy is None and filing is None,
        pop=PopId(slug(str(record["pop"]))) if record.get("pop") else None,
        since_us=_day(record.get("since"), "since", where),
        until_us=_day(record.get("until"), "until", where),
    )


def _source(record: Record, sources: Mapping[str, str], where: str) -> str:
    key = str(record.get("source", ""))
    if not key:
        raise Refused("gateways.record", where, "a site of our own table must name its source", "give one")
    filing = record.get("filing")
    return f"{sources.get(key, key)}: {filing}" if filing else sources.get(key, key)


def _place(record: Record, where: str) -> Place:
    latitude = _number(_first(record, "latitude"), "latitude", where, (-math.inf, math.inf))
    longitude = _number(_first(record, "longitude"), "longitude", where, (-math.inf, math.inf))
    altitude_m = _number(_first(record, "altitude", 0.0), "altitude", where, (-math.inf, math.inf))
    try:
        return Place(latitude, longitude, altitude_m)
    except Refused as refused:
        raise Refused("gateways.record", f"{where}: {refused.thing}", refused.rule, refused.way_out) from None


def _number(value: object, name: str, where: str, limits: tuple[float, float]) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    # Written so that nan fails as well.
    if not (math.isfinite(number) and limits[0] <= number <= limits[1]):
        rule = "must be given as a finite number"
        if math.isfinite(limits[1]):
            rule += f" from {limits[0]:g} to {limits[1]:g}"
        raise Refused("gateways.record", f"{where}: {name}", f"it {rule}", "mend that record")
    return number


def _day(value: object, name: str, where: str) -> InstantUs | None:
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return parse_instant(text, f"{where}: {name}")


def _gateway(site: _Site) -> Gateway:
    return Gateway(
        id=GatewayId(site.id),
        name=site.name,
        place=site.place,
        antennas=site.antennas,
        minimum_elevation_deg=site.minimum_elevation_deg,
        source=site.source,
        accuracy_m=site.accuracy_m,
        pop=site.pop,
        since_us=site.since_us,
        until_us=site.until_us,
    )


def _pop(site: _Site) -> Pop:
    return Pop(
        id=PopId(site.id),
        name=site.name,
        place=site.place,
        source=site.source,
        accuracy_m=site.accuracy_m,
        since_us=site.since_us,
        until_us=site.until_us,
    )


def _refuse_twice(kind: str, sites: Sequence[Gateway] | Sequence[Pop], thing: str) -> None:
    """One site may stand there several times for different years, as when its antennas became more."""
    periods: dict[str, list[tuple[float, float]]] = {}
    for site in sites:
        since = -math.inf if site.since_us is None else float(site.since_us)
        until = math.inf if site.until_us is None else float(site.until_us)
        for other_since, other_until in periods.setdefault(str(site.id), []):
            if since < other_until and other_since < until:
                raise Refused(
                    "gateways.duplicate",
                    f"{thing}: {kind} {site.id}",
                    "a name may stand only once in a list, or once for each time (since, until)",
                    "take out or rename the other one, or give them times that do not overlap",
                )
        periods[str(site.id)].append((since, until))


def _checked(gateways: list[Gateway], pops: list[Pop], thing: str) -> GroundSegment:
    """Every id once at any time, and every gateway's PoP there."""
    _refuse_twice("gateway", gateways, thing)
    _refuse_twice("PoP", pops, thing)
    known = {p.id for p in pops}
    for gateway in gateways:
        if gateway.pop is not None and known and gateway.pop not in known:
            raise Refused(
                "gateways.unknown_pop",
                f"{thing}: gateway {gateway.id}",
                f"its PoP {gateway.pop} is not among the PoPs",
                "add that PoP or mend the name",
            )
    return GroundSegment(tuple(gateways), tuple(pops))
