"""Several services on one PostgreSQL: each notes of which terminals it wrote, and reads what others did."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence

from skylift.adapters.telemetry.database import Database, Session
from skylift.base.units import US_PER_S

# Notes are kept for an hour; whoever did not look for half of that reads everything anew.
KEPT_US, TRUSTED_S = 3_600 * US_PER_S, 1_800.0
AT_ONCE = 1_000


class Others:
    """What other processes have written into a database. SQLite's file is one process's: nothing is noted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = secrets.token_hex(8)
        self._read: int | None = None
        self._looked_s = 0.0

    def note(self, session: Session, at_us: int, numbers: Iterable[int]) -> None:
        """In the transaction that writes: those take turns, so notes show in the order of their numbers."""
        if not session.is_sqlite:
            session.run(
                "INSERT INTO telemetry_written (writer, at_us, terminals) VALUES (?, ?, ?)",
                (self._name, at_us, ",".join(map(str, numbers))),
            )

    def states(self) -> Iterator[tuple[str, bytes]]:
        """Newest rows, as they are now, of terminals that others wrote of since this was asked before: none
        the first time, and all after a long while.
        """
        if self._database.is_sqlite:
            return
        now_s = time.monotonic()
        with self._database.reading() as session:
            last = int(session.rows("SELECT COALESCE(MAX(number), 0) FROM telemetry_written")[0][0])
            if self._read is not None and now_s > self._looked_s + TRUSTED_S:
                yield from newest_rows(session)
            elif self._read is not None and last > self._read:
                yield from _some(session, self._numbers(session, self._read, last))
        self._read, self._looked_s = last, now_s

    def _numbers(self, session: Session, after: int, last: int) -> list[int]:
        sql = "SELECT terminals FROM telemetry_written WHERE number > ? AND number <= ? AND writer <> ?"
        noted = session.rows(sql, (after, last, self._name))
        return sorted({int(number) for (text,) in noted for number in text.split(",")})


def tidy(session: Session, now: int) -> None:
    """Forget old notes."""
    if not session.is_sqlite:
        session.run("DELETE FROM telemetry_written WHERE at_us < ?", (now - KEPT_US,))


def newest_rows(session: Session) -> Iterator[tuple[str, bytes]]:
    """Of every terminal."""
    cursor = session.run("SELECT terminal, state FROM telemetry_terminals WHERE state <> ''")
    while some := cursor.fetchmany(5000):
        for terminal, state in some:
            yield str(terminal), str(state).encode()


def _some(session: Session, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        marks = ", ".join("?" * len(some))
        sql = f"SELECT terminal, state FROM telemetry_terminals WHERE state <> '' AND number IN ({marks})"
        for terminal, state in session.rows(sql, some):
            yield str(terminal), str(state).encode()
