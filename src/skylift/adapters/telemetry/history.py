"""One terminal's history: rows as they came, or buckets; what is not rolled yet is made while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.rolling import measures_of_rows, words_of
from skylift.adapters.telemetry.tables import (
    BUCKET_COLUMNS,
    HOUR_US,
    MEASURES,
    ROW_COLUMNS,
    Part,
    part_of,
)
from skylift.base.errors import Refused
from skylift.base.units import US_PER_S
from skylift.ports.telemetry import BUCKET_S, FIVE_MINUTES, HOUR, ROWS, History, PutAside, Turned

# Rows of 15 s of three days are 17,280: more than a picture or a page has use for.
MOST_ROWS_AT_ONCE = 200_000
_WORDED = {"state", "software", "alerts"}
# What buckets show: means, where rows kept sums over seconds.
_MEANS = {
    "ping_latency_ms": "latency",
    "ping_drop_fraction": "drop",
    "obstructed_fraction": "obstructed",
    "down_bps": "down",
    "up_bps": "up",
    "power_w": "power",
}


def history(database: Database, terminal: str, from_us: int, until_us: int, level: str) -> History:
    """Ascending by time, from_us <= at < until_us. Raises Refused for more than MOST_ROWS_AT_ONCE rows."""
    with database.reading() as session:
        found = session.rows("SELECT number FROM telemetry_terminals WHERE terminal = ?", (terminal,))
        if not found:
            return History(terminal, level, {})
        number = int(found[0][0])
        if level == ROWS:
            return History(terminal, level, _rows(database, session, number, from_us, until_us))
        buckets = _buckets(database, session, number, level, (from_us, until_us))
    return History(terminal, level, _shown(buckets))


def _parts(database: Database, session: Session, level: str, from_us: int, until_us: int) -> list[Part]:
    parts = (part for part in database.parts(session) if part.level == level)
    return [part for part in parts if part.begin_us < until_us and part.end_us > from_us]


def _rows(
    database: Database, session: Session, number: int, from_us: int, until_us: int
) -> dict[str, list[Any]]:
    names = ROW_COLUMNS[1:]
    found: list[tuple[Any, ...]] = []
    for part in _parts(database, session, ROWS, from_us, until_us):
        sql = (
            f"SELECT {', '.join(names)} FROM {part.table} WHERE terminal = ? AND at_us >= ? AND at_us < ?"
            " ORDER BY at_us, sequence LIMIT ?"
        )
        found += session.rows(sql, (number, from_us, until_us, MOST_ROWS_AT_ONCE + 1 - len(found)))
        if len(found) > MOST_ROWS_AT_ONCE:
            raise Refused(
                "history.rows",
                "this history",
                f"more than {MOST_ROWS_AT_ONCE:,} rows of 15 s are not given at once",
                "ask for a month at most, or for level=5min",
            )
    columns = {name: [row[place] for row in found] for place, name in enumerate(names)}
    words = dict(session.rows("SELECT number, word FROM telemetry_words"))
    for name in _WORDED:
        columns[name] = [words.get(word, "") for word in columns[name]]
    columns["alerts"] = [text.split(",") if text else [] for text in columns["alerts"]]
    columns["snr_low"] = [None if low is None else bool(low) for low in columns["snr_low"]]
    return columns


def _buckets(
    database: Database, session: Session, number: int, level: str, between_us: tuple[int, int]
) -> list[tuple[Any, ...]]:
    """Of a level, whole buckets that begin in [from, until); those with rows not rolled yet made anew."""
    from_us, until_us = between_us
    names = ", ".join(BUCKET_COLUMNS[1:])
    found: dict[int, tuple[Any, ...]] = {}
    for part in _parts(database, session, level, from_us, until_us):
        sql = f"SELECT {names} FROM {part.table} WHERE terminal = ? AND at_s >= ? AND at_s < ?"
        values = (number, -(-from_us // US_PER_S), -(-until_us // US_PER_S))
        found.update((int(row[0]), row) for row in session.rows(sql, values))
    open_hours = _open_hours(session, number, from_us, until_us)
    made = _made(database, session, number, level, open_hours)
    found |= {at_s: row for at_s, row in made if from_us <= at_s * US_PER_S < until_us}
    return [found[at_s] for at_s in sorted(found)]


def _open_hours(session: Session, number: int, from_us: int, until_us: int) -> list[int]:
    [(first, last)] = session.rows("SELECT MIN(hour), MAX(hour) FROM telemetry_touched")
    if first is None:
        return []
    # A day that begins before the range's end may have hours after it.
    hours = range(max(first, from_us // HOUR_US), min(last, until_us // HOUR_US + 24) + 1)
    found: list[int] = []
    for start in range(0, len(hours), 500):
        some = hours[start : start + 500]
        marks = ", ".join("?" * len(some))
        sql = f"SELECT hour FROM telemetry_touched WHERE terminal = ? AND hour IN ({marks})"
        found += [int(hour) for (hour,) in session.rows(sql, (number, *some))]
    return sorted(found)


def _made(
    database: Database, session: Session, number: int, level: str, hours: Sequence[int]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Buckets of a level from rows of hours that are not rolled yet, and what is stored of the others."""
    if not hours:
        return
    measures = measures_of_rows(words_of(session))
    there = {part.table for part in database.parts(session)}
    fives: dict[int, tuple[Any, ...]] = {}
    per_hour: dict[int, tuple[Any, ...]] = {}
    for hour in hours:
        table = part_of(ROWS, hour * HOUR_US).table
        if table not in there:
            continue
        bucket = BUCKET_S[FIVE_MINUTES]
        where = f"FROM {table} WHERE terminal = ? AND at_us >= ? AND at_us < ? GROUP BY 1"
        sql = f"SELECT at_us / {bucket * US_PER_S} * {bucket}, {measures} {where}"
        rows = session.rows(sql, (number, hour * HOUR_US, (hour + 1) * HOUR_US))
        fives.update((int(row[0]), row) for row in rows)
        if rows:
            per_hour[hour * 3600] = merged(hour * 3600, rows)
    if level == FIVE_MINUTES:
        yield from fives.items()
    elif level == HOUR:
        yield from per_hour.items()
    else:
        yield from _days(session, number, per_hour, there)


def _days(
    session: Session, number: int, per_hour: dict[int, tuple[Any, ...]], there: set[str]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    names = ", ".join(BUCKET_COLUMNS[1:])
    for day in sorted({at_s // 86_400 for at_s in per_hour}):
        table = part_of(HOUR, day * 86_400 * US_PER_S).table
        sql = f"SELECT {names} FROM {table} WHERE terminal = ? AND at_s >= ? AND at_s < ?"
        kept = session.rows(sql, (number, day * 86_400, (day + 1) * 86_400)) if table in there else []
        hours = {int(row[0]): row for row in kept}
        hours |= {at_s: row for at_s, row in per_hour.items() if at_s // 86_400 == day}
        yield day * 86_400, merged(day * 86_400, list(hours.values()))


_MERGES: dict[str, Callable[[list[Any]], Any]] = {"SUM": sum, "MIN": min, "MAX": max}


def merged(at_s: int, rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Buckets as one that begins at at_s: what the same SQL makes of them."""
    found: list[Any] = [at_s]
    for place, measure in enumerate(MEASURES, 1):
        known = [row[place] for row in rows if row[place] is not None]
        found.append(_MERGES[measure.merge](known) if known else None)
    return tuple(found)


def _shown(buckets: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Columns for people and programs: sums over seconds as means."""
    raw = {name: [row[place] for row in buckets] for place, name in enumerate(BUCKET_COLUMNS[1:])}
    shown: dict[str, list[Any]] = {"at_us": [int(at_s) * US_PER_S for at_s in raw["at_s"]]}
    shown["rows"], shown["span_s"] = raw["rows"], raw["span_s"]
    shown["connected_fraction"] = _ratios(raw["connected_s"], raw["span_s"])
    shown["alerted_fraction"] = _ratios(raw["alerted_s"], raw["span_s"])
    for name, stem in _MEANS.items():
        shown[name] = _ratios(raw[f"{stem}_sum"], raw[f"{stem}_s"])
    shown["ping_latency_min_ms"], shown["ping_latency_max_ms"] = raw["latency_min_ms"], raw["latency_max_ms"]
    shown["down_max_bps"], shown["up_max_bps"] = raw["down_max_bps"], raw["up_max_bps"]
    for name in ("down_bytes", "up_bytes"):
        shown[name] = [None if value is None else int(value) for value in raw[name]]
    shown["uptime_min_s"] = raw["uptime_min_s"]
    return shown


def _ratios(sums: Sequence[float | None], seconds: Sequence[float | None]) -> list[float | None]:
    return [total / of if total is not None and of else None for total, of in zip(sums, seconds, strict=True)]


def put_aside(database: Database, terminal: str, limit: int) -> list[PutAside]:
    """What was kept out of history, the newest first; terminal: "" for all."""
    where = "WHERE terminal = ? " if terminal else ""
    sql = (
        "SELECT terminal, sequence, received_us, code, reason, row_text FROM telemetry_aside"
        f" {where}ORDER BY received_us DESC, sequence DESC LIMIT ?"
    )
    with database.reading() as session:
        return [PutAside(*row) for row in session.rows(sql, (*((terminal,) if terminal else ()), limit))]


def turned(database: Database, terminal: str, limit: int) -> list[Turned]:
    """Requests that were refused as a whole, the newest first."""
    where = "WHERE terminal = ? " if terminal else ""
    sql = (
        "SELECT terminal, code, reason, times, first_us, last_us FROM telemetry_turned"
        f" {where}ORDER BY last_us DESC LIMIT ?"
    )
    with database.reading() as session:
        return [Turned(*row) for row in session.rows(sql, (*((terminal,) if terminal else ()), limit))]
