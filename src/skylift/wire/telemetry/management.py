"""What the operator's public management API (V2) answers, read for terminals, service lines and telemetry.

Shapes as its published descriptions have them (starlink.readme.io, July 2026); tested against a local server
alone, never against the operator's. Nicknames and addresses are not read: they name people and places. Nor is
the cell of a dish. Order of columns and codes of alerts differ from answer to answer, and are read from each.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_S
from skylift.wire.dish.fields import plain
from skylift.wire.telemetry.rows import CONNECTED, MOST_ROWS, USUAL_SPAN_S, Row

# Device types: user terminal, router, addresses.
USER_TERMINAL: Final = "u"
_TYPE: Final = "DeviceType"
_MBPS: Final = 1e6
# A mark of ours on rows that no dish's own key has signed.
NOT_SIGNED: Final = "by_operators_api"
_NUMBERS: Final = ("down_bps", "up_bps", "latency_ms", "drop", "obstruction", "signal", "uptime_s")
# Whoever lost nearly all pings of 15 s had no link.
_NO_LINK_DROP: Final = 0.99
_YEAR_9999_US: Final = 253_402_300_799_000_000


@dataclass(frozen=True, slots=True)
class ManagedTerminal:
    """One dish of an account. dish_id: as the network calls it; service_line: "" where it has none."""

    dish_id: str
    kit: str
    serial: str
    service_line: str


@dataclass(frozen=True, slots=True)
class ManagedLine:
    """One subscription of an account; instants as the operator writes them, "" for none."""

    number: str
    product: str
    active: bool | None
    started: str
    ended: str


@dataclass(frozen=True, slots=True)
class ManagedReading:
    """15 s of one dish; None for what it does not say. drop: 0 to 1; obstruction: percent of the time, a
    moving average; signal: 0 to 1 for 0 to 10 dB."""

    dish_id: str
    at_us: int
    down_bps: float | None
    up_bps: float | None
    latency_ms: float | None
    drop: float | None
    obstruction: float | None
    signal: float | None
    uptime_s: float | None
    software: str
    alerts: tuple[str, ...]


def row_of(reading: ManagedReading) -> Row:
    """As the telemetry store has it, numbered by its 15 s since 1970: read twice, it counts once."""
    drop, percent = reading.drop, reading.obstruction
    return Row(
        max(1, reading.at_us // round(USUAL_SPAN_S * US_PER_S)),
        reading.at_us,
        uptime_s=reading.uptime_s,
        down_bps=reading.down_bps,
        up_bps=reading.up_bps,
        ping_drop_fraction=drop,
        ping_latency_ms=reading.latency_ms,
        obstructed_fraction=None if percent is None else percent / 100.0,
        signal=reading.signal,
        state=_state(reading),
        software=reading.software,
        alerts=reading.alerts,
    )


def table_of(text: str) -> Iterator[ManagedReading]:
    """Readings from the table that `skylift management telemetry` writes. Raises Refused for another one."""
    table = csv.DictReader(io.StringIO(text))
    for number, row in enumerate(table, 2):
        try:
            numbers = {name: float(row[name]) if row[name] else None for name in _NUMBERS}
            # A text that a spreadsheet would take for a formula stands there with this before it.
            software, alerts = (row[name].removeprefix("'") for name in ("software", "alerts"))
            at_us = parse_instant(row["at"], "at")
            yield ManagedReading(
                row["dish_id"],
                at_us,
                **numbers,
                software=software,
                alerts=tuple(filter(None, alerts.split(";"))),
            )
        except (KeyError, TypeError, ValueError, AttributeError, Refused):
            raise Refused(
                "management.table",
                f"line {number} of the table",
                "it is not as skylift management telemetry writes it",
                "give that table, unchanged",
            ) from None


def by_dish(readings: Iterable[ManagedReading], most: int = MOST_ROWS) -> Iterator[tuple[str, list[Row]]]:
    """Rows of one dish at a time, at most so many, each of its 15 s once."""
    found: dict[str, dict[int, Row]] = {}
    for reading in readings:
        row = row_of(reading)
        found.setdefault(reading.dish_id, {}).setdefault(row.sequence, row)
    for dish_id, by_number in found.items():
        rows = [by_number[number] for number in sorted(by_number)]
        for first in range(0, len(rows), most):
            yield dish_id, rows[first : first + most]


def _state(reading: ManagedReading) -> str:
    if any(alert.startswith("disabled_") for alert in reading.alerts):
        return "disabled"
    if "thermal_shutdown" in reading.alerts:
        return "thermal"
    if reading.drop is None:
        return "unknown" if reading.latency_ms is None else CONNECTED
    return "unknown" if reading.drop >= _NO_LINK_DROP else CONNECTED


@dataclass(frozen=True, slots=True)
class Page:
    """count: of things on all pages; None where it does not say, as is_last."""

    things: tuple[Mapping[str, Any], ...]
    is_last: bool | None
    count: int | None


def page_of(document: Any) -> Page:
    """Raises Refused with what the operator says."""
    if not isinstance(document, Mapping):
        raise unreadable()
    if document.get("isValid") is False or document.get("errors"):
        raise Refused(
            "management.refused", "the operator's API", _errors(document), "see the account's rights"
        )
    content = document.get("content", document)
    # Its description allows null where there is nothing.
    results = content.get("results", False) if isinstance(content, Mapping) else False
    if results is not None and not isinstance(results, list):
        raise unreadable()
    is_last, count = content.get("isLastPage"), content.get("totalCount")
    return Page(
        tuple(one for one in results or () if isinstance(one, Mapping)),
        is_last if isinstance(is_last, bool) else None,
        count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _errors(document: Mapping[str, Any]) -> str:
    errors = document.get("errors")
    said = [
        plain(str(one.get("errorMessage", "")))
        for one in (errors if isinstance(errors, list) else ())
        if isinstance(one, Mapping)
    ]
    return "; ".join(text for text in said[:3] if text) or "it says no more than that it refuses"


def terminal_of(thing: Mapping[str, Any]) -> ManagedTerminal:
    return ManagedTerminal(
        _text(thing, "userTerminalId"),
        _text(thing, "kitSerialNumber"),
        _text(thing, "dishSerialNumber"),
        _text(thing, "serviceLineNumber"),
    )


def line_of(thing: Mapping[str, Any]) -> ManagedLine:
    active = thing.get("active")
    return ManagedLine(
        _text(thing, "serviceLineNumber"),
        _text(thing, "productReferenceId"),
        active if isinstance(active, bool) else None,
        _text(thing, "startDate"),
        _text(thing, "endDate"),
    )


LINE_COLUMNS: Final = (
    "dish_id", "kit", "serial", "line", "line_product", "line_standing", "line_started", "line_ended",
    "line_source",
)  # fmt: skip
_STANDINGS: Final = {True: "active", False: "inactive", None: "not-said"}


@dataclass(frozen=True, slots=True)
class LinesOfDishes:
    """rows: of LINE_COLUMNS, of each dish.  idle: lines without a dish.  unlisted: those that dishes name and
    no list has; of such dishes there is no row.
    """

    rows: list[tuple[str, ...]]
    idle: list[str]
    unlisted: list[str]


def lines_of_dishes(terminals: Iterable[ManagedTerminal], lines: Iterable[ManagedLine]) -> LinesOfDishes:
    """As `skylift terminal import` takes them: "none" where the operator has none, which empties what was."""
    known = {line.number: line for line in lines if line.number}
    used: set[str] = set()
    rows: list[tuple[str, ...]] = []
    for one in terminals:
        names, number = (one.dish_id, one.kit, one.serial), one.service_line
        used.add(number)
        if not number:
            rows.append((*names, "none", "", "", "", "", "operators-api"))
        elif number in known:
            line = known[number]
            told = (line.product, _STANDINGS[line.active], line.started, line.ended)
            rows.append((*names, number, *(text or "none" for text in told), "operators-api"))
    return LinesOfDishes(rows, sorted(known.keys() - used), sorted(used - known.keys() - {""}))


def names_of(text: str) -> frozenset[str]:
    """What dishes of a table are called by, in small letters. Raises Refused for one without such names."""
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    here = [name for name in LINE_COLUMNS[:3] if name in (table.fieldnames or ())]
    if not here:
        raise Refused(
            "management.table",
            "the table",
            "it has none of the columns dish_id, kit and serial",
            "give one as skylift terminal list --csv writes it",
        )
    return frozenset(row[name].lower() for row in table for name in here if row[name])


def readings_of(document: Any) -> Iterator[ManagedReading]:
    """The rows of dishes in an answer to /telemetry/stream. Raises Unavailable for what is no such answer."""
    data = document.get("data") if isinstance(document, Mapping) else None
    names = data.get("columnNamesByDeviceType") if isinstance(data, Mapping) else None
    values = data.get("values") if isinstance(data, Mapping) else None
    if not isinstance(names, Mapping) or not isinstance(values, list):
        raise unreadable()
    columns = names.get(USER_TERMINAL)
    if not isinstance(columns, list):
        return
    alerts = _alert_names(document)
    place = columns.index(_TYPE) if _TYPE in columns else 0
    for row in values:
        if isinstance(row, list) and len(row) > place and row[place] == USER_TERMINAL:
            found = _reading(dict(zip(columns, row, strict=False)), alerts)
            if found is not None:
                yield found


def _alert_names(document: Mapping[str, Any]) -> Mapping[str, str]:
    here: Any = document
    for name in ("metadata", "enums", "AlertsByDeviceType", USER_TERMINAL):
        here = here.get(name) if isinstance(here, Mapping) else None
    return {str(code): plain(str(name)) for code, name in here.items()} if isinstance(here, Mapping) else {}


def _reading(row: Mapping[str, Any], names: Mapping[str, str]) -> ManagedReading | None:
    at_ns = _number(row, "UtcTimestampNs")
    dish_id = _text(row, "DeviceId")
    if at_ns is None or not 0 <= at_ns // 1_000 <= _YEAR_9999_US or not dish_id:
        return None
    # Its guides have it in both ways.
    codes = row.get("ActiveAlert", row.get("ActiveAlerts"))
    active: Sequence[Any] = codes if isinstance(codes, list) else ()
    down, up = _number(row, "DownlinkThroughput"), _number(row, "UplinkThroughput")
    return ManagedReading(
        dish_id,
        int(at_ns) // 1_000,
        None if down is None else down * _MBPS,
        None if up is None else up * _MBPS,
        _number(row, "PingLatencyMsAvg"),
        _number(row, "PingDropRateAvg"),
        _number(row, "ObstructionPercentTime"),
        _number(row, "SignalQuality"),
        _number(row, "Uptime"),
        _text(row, "RunningSoftwareVersion"),
        tuple(names.get(str(code), f"alert {plain(str(code))}") for code in active[:32]),
    )


def _text(thing: Mapping[str, Any], name: str) -> str:
    value = thing.get(name)
    return plain(value) if isinstance(value, str) else ""


def _number(thing: Mapping[str, Any], name: str) -> float | None:
    value = thing.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def unreadable() -> Unavailable:
    return Unavailable(
        "management.unreadable",
        "the operator's API",
        "its answer is not as it is described",
        "it may have changed: report what version of it you use",
    )
