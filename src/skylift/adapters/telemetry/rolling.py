"""Rows become buckets of 5 minutes, an hour and a day; what is too old goes; what was erased is gone."""

from __future__ import annotations

from collections.abc import Sequence

from skylift.adapters.telemetry import heard, others
from skylift.adapters.telemetry.database import Database, Session
from skylift.adapters.telemetry.tables import (
    BUCKET_COLUMNS,
    HOUR_US,
    MEASURES,
    part_of,
)
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.telemetry import BUCKET_S, DAY, FIVE_MINUTES, HOUR, ROWS, Keep
from skylift.wire.telemetry.rows import CONNECTED

# Rows of an hour are awaited so long after its end before it is rolled; what comes later rolls it once more.
AWAITED_US = 600 * US_PER_S


def words_of(session: Session) -> tuple[int, int]:
    """The numbers of the words that measures ask about: the state "connected", and no alert."""
    found = dict(
        session.rows("SELECT word, number FROM telemetry_words WHERE word IN (?, ?)", (CONNECTED, ""))
    )
    return int(found.get(CONNECTED, -1)), int(found.get("", -1))


def measures_of_rows(words: tuple[int, int]) -> str:
    """What rows come to, as SQL; the numbers are ours."""
    texts = (measure.of_rows for measure in MEASURES)
    return ", ".join(
        text.replace(":connected", str(words[0])).replace(":none", str(words[1])) for text in texts
    )


def _into(table: str) -> str:
    return f"INSERT INTO {table} ({', '.join(BUCKET_COLUMNS)})"


_UPSERT = " ON CONFLICT (terminal, at_s) DO UPDATE SET " + ", ".join(
    f"{measure.name} = excluded.{measure.name}" for measure in MEASURES
)
_MERGED = ", ".join(f"{measure.merge}({measure.name})" for measure in MEASURES)


def roll(database: Database, now: int, most: int) -> int:
    """Roll hours that are over; at most so many; 1 where more are left, else 0."""
    before = (now - AWAITED_US) // HOUR_US
    sql = "SELECT hour, terminal FROM telemetry_touched WHERE hour < ? ORDER BY hour, terminal LIMIT ?"
    with database.reading() as session:
        if not session.rows(sql, (before, 1)):
            return 0
    with database.writing() as session:
        touched = [(int(hour), int(terminal)) for hour, terminal in session.rows(sql, (before, most))]
        words = words_of(session)
        for hour in sorted({hour for hour, _ in touched}):
            _roll_hour(database, session, hour, [number for at, number in touched if at == hour], words)
        days = {(hour // 24, number) for hour, number in touched}
        _roll_days(database, session, days)
        session.run_many("DELETE FROM telemetry_touched WHERE hour = ? AND terminal = ?", touched)
    return int(len(touched) == most)


def _roll_hour(
    database: Database, session: Session, hour: int, numbers: Sequence[int], words: tuple[int, int]
) -> None:
    begin_us, begin_s = hour * HOUR_US, hour * 3600
    rows = database.part(session, part_of(ROWS, begin_us))
    fives = database.part(session, part_of(FIVE_MINUTES, begin_us))
    hours = database.part(session, part_of(HOUR, begin_us))
    bucket_s = BUCKET_S[FIVE_MINUTES]
    at_s = f"at_us / {bucket_s * US_PER_S} * {bucket_s}"
    session.run_many(
        f"{_into(fives)} SELECT terminal, {at_s}, {measures_of_rows(words)}"
        f" FROM {rows} WHERE terminal = ? AND at_us >= {begin_us} AND at_us < {begin_us + HOUR_US}"
        f" GROUP BY 1, 2{_UPSERT}",
        [(number,) for number in numbers],
    )
    session.run_many(
        f"{_into(hours)} SELECT terminal, {begin_s}, {_MERGED} FROM {fives}"
        f" WHERE terminal = ? AND at_s >= {begin_s} AND at_s < {begin_s + 3600} GROUP BY 1, 2{_UPSERT}",
        [(number,) for number in numbers],
    )


def _roll_days(database: Database, session: Session, days: set[tuple[int, int]]) -> None:
    for day in sorted({day for day, _ in days}):
        begin_s = day * 86_400
        hours = database.part(session, part_of(HOUR, begin_s * US_PER_S))
        table = database.part(session, part_of(DAY, begin_s * US_PER_S))
        session.run_many(
            f"{_into(table)} SELECT terminal, {begin_s}, {_MERGED} FROM {hours}"
            f" WHERE terminal = ? AND at_s >= {begin_s} AND at_s < {begin_s + 86_400}"
            f" GROUP BY 1, 2{_UPSERT}",
            [(number,) for at, number in sorted(days) if at == day],
        )


def tidy(database: Database, now: int, keep: Keep) -> int:
    """Drop parts that are too old as a whole, and rows that were put aside; how many of both."""
    with database.reading() as session:
        parts = database.parts(session)
        waiting = session.rows("SELECT MIN(hour) FROM telemetry_touched")[0][0]
    oldest_waiting_us = now if waiting is None else int(waiting) * HOUR_US
    gone: int = 0
    for part in parts:
        too_old = part.end_us <= now - keep.days_of(part.level) * US_PER_DAY
        # What has not been rolled yet is not forgotten.
        if too_old and (part.level != ROWS or part.end_us <= oldest_waiting_us):
            with database.writing() as session:
                database.drop(session, part)
            gone += 1
    with database.writing() as session:
        before = now - keep.aside * US_PER_DAY
        gone += session.run("DELETE FROM telemetry_aside WHERE received_us < ?", (before,)).rowcount
        others.tidy(session, now)
        gone += heard.tidy(session, now - keep.five_minutes * US_PER_DAY)
        gone += session.run("DELETE FROM telemetry_turned WHERE last_us < ?", (before,)).rowcount
    return gone


def erase(database: Database, terminals: Sequence[str]) -> int:
    """Everything of these terminals, and then from the files; how many rows and buckets there were."""
    gone: int = 0
    numbers: list[int] = []
    with database.writing() as session:
        for terminal in terminals:
            found = session.rows("SELECT number FROM telemetry_terminals WHERE terminal = ?", (terminal,))
            for part in database.parts(session) if found else ():
                gone += session.run(f"DELETE FROM {part.table} WHERE terminal = ?", found[0]).rowcount
            if found:
                numbers.append(int(found[0][0]))
                session.run("DELETE FROM telemetry_touched WHERE terminal = ?", found[0])
            for table in ("telemetry_terminals", "telemetry_aside", "telemetry_turned", "telemetry_usage"):
                gone += session.run(f"DELETE FROM {table} WHERE terminal = ?", (terminal,)).rowcount
        if numbers:
            heard.erase(session, numbers)
    if gone:
        database.scrub()
    return gone
