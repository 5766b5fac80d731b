"""The agent's rows and notes on its disk: SQLite, each entry sealed with AES-256-GCM.

The key is a file of its own (mode 0600). A board that is lost with its key file gives away what is on it: the
rows hold no place, and `skylift agent wipe` removes both. In clear stand numbers and levels, no times.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skylift.base.errors import Unavailable
from skylift.wire.agent.agent import Mark
from skylift.wire.agent.noting import merged
from skylift.wire.agent.orders import Docket
from skylift.wire.agent.thinning import COARSE, FINE, GROUP, MIDDLE, Counts, group, level_to_thin
from skylift.wire.telemetry.rows import Row

# Measured: 356 bytes each, 14 MB; with thinning more than a year.
MOST_ROWS: Final = 40_000
_NONCE_BYTES: Final = 12  # NIST SP 800-38D: 96 bits, random; far fewer than 2^32 entries per key
# Numbers are set aside in blocks beside the database: should it be lost, none of them is used again.
RESERVED: Final = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (sequence INTEGER PRIMARY KEY, level INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS rows_by_level ON rows (level, sequence);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class SqlShelf:
    """The Shelf of wire/agent on a disk. Raises Unavailable where the disk refuses."""

    def __init__(
        self,
        path: Path,
        key: bytes,
        reserved: int = 0,
        reserve: Callable[[int], None] = lambda upto: None,
        most_rows: int = MOST_ROWS,
        durable: bool = True,
    ) -> None:
        """reserved: no number up to it is free where the database is new; reserve: keep that number.

        durable: whether what was kept outlives a loss of power, and not only a kill.
        """
        self._seal_key = AESGCM(key)
        self._most = most_rows
        self._reserve, self._reserved = reserve, reserved
        self._path, self._durable = path, durable
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise self._unavailable(error) from None
            # Damaged beyond reading: what is in it is lost, and what comes must not be.
            self._remove()
            self._open()

    def _open(self) -> None:
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        os.close(handle)
        self._db = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A row that was taken is not forgotten by a loss of power, and a number is never used twice.
        self._db.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'OFF'}")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute("PRAGMA cache_size=-512")
        self._db.executescript(_SCHEMA)
        self._next = self._number("next", self._reserved + 1)
        self._tried = self._number("tried", 0)
        rows = dict(self._db.execute("SELECT level, COUNT(*) FROM rows GROUP BY level").fetchall())
        self._counts = [rows.get(level, 0) for level in (FINE, MIDDLE, COARSE)]

    def close(self) -> None:
        self._db.close()

    # --- rows

    def keep(self, rows: Sequence[Row], mark: Mark | None) -> None:
        def work() -> None:
            for row in rows:
                self._put(msgspec.structs.replace(row, sequence=self._next), FINE)
                self._next += 1
            self._set("next", self._next)
            if mark is not None:
                self._note("mark", msgspec.msgpack.encode(mark))
            self._thin()

        if self._next + len(rows) > self._reserved:
            self._reserved = self._next + RESERVED
            self._reserve(self._reserved)
        self._change(work)

    def next_number(self) -> int:
        return self._next

    def date_anew(self, first: int, by_us: int) -> None:
        def work() -> None:
            found = self._db.execute(
                "SELECT sequence, level, sealed FROM rows WHERE sequence >= ?", (first,)
            ).fetchall()
            for sequence, level, sealed in found:
                row = self._row(sequence, sealed)
                if row is not None:
                    self._drop("sequence = ?", (sequence,))
                    self._put(msgspec.structs.replace(row, at_us=row.at_us + by_us), level)

        self._change(work)

    def oldest(self, most: int) -> list[Row]:
        found = self._db.execute(
            "SELECT sequence, sealed FROM rows ORDER BY sequence LIMIT ?", (most,)
        ).fetchall()
        rows = [self._row(sequence, sealed) for sequence, sealed in found]
        if found and found[-1][0] > self._tried:
            self._tried = found[-1][0]
            self._change(lambda: self._set("tried", self._tried))
        damaged = [sequence for (sequence, _), row in zip(found, rows, strict=True) if row is None]
        for sequence in damaged:
            self.settle([(sequence, sequence)])
        return [row for row in rows if row is not None]

    def settle(self, ranges: Sequence[tuple[int, int]]) -> None:
        def work() -> None:
            for first, last in ranges:
                # Never more than was sent, whatever the answer says.
                self._drop("sequence BETWEEN ? AND ?", (max(first, 0), min(last, self._tried)))

        self._change(work)

    def waiting(self) -> int:
        return sum(self._counts)

    def counts(self) -> Counts:
        """How many rows of each level there are."""
        fine, middle, coarse = self._counts
        return Counts(fine, middle, coarse, self._most)

    def dropped(self) -> int:
        """How many rows gave way altogether, with no coarser one in their place."""
        return self._number("dropped", 0)

    # --- notes

    def mark(self) -> Mark | None:
        raw = self._noted("mark")
        return None if raw is None else msgspec.msgpack.decode(raw, type=Mark)

    def docket(self) -> Docket:
        raw = self._noted("docket")
        return Docket() if raw is None else msgspec.msgpack.decode(raw, type=Docket)

    def keep_docket(self, docket: Docket) -> None:
        self._change(lambda: self._note("docket", msgspec.msgpack.encode(docket)))

    # --- thinning

    def _thin(self) -> None:
        while (level := level_to_thin(self.counts())) is not None:
            if level == COARSE:
                self._drop("sequence = (SELECT MIN(sequence) FROM rows WHERE level = ?)", (COARSE,))
                self._set("dropped", self._number("dropped", 0) + 1)
                continue
            self._coarsen(level)

    def _coarsen(self, level: int) -> None:
        """Make one row of a level's oldest. What was sent may be there already: it stays as it is."""
        found = self._db.execute(
            "SELECT sequence, sealed FROM rows WHERE level = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (level, self._tried, GROUP[level]),
        ).fetchall()
        rows = [self._row(sequence, sealed) for sequence, sealed in found]
        damaged = [sequence for (sequence, _), row in zip(found, rows, strict=True) if row is None]
        for sequence in damaged:
            self._drop("sequence = ?", (sequence,))
        if not found:
            self._drop("sequence = (SELECT MIN(sequence) FROM rows)", ())
        self._set("dropped", self._number("dropped", 0) + (len(damaged) if found else 1))
        whole = [row for row in rows if row is not None]
        if damaged or not whole:
            return
        whole = whole[: group(whole, level)]
        for row in whole:
            self._drop("sequence = ?", (row.sequence,))
        self._put(merged(whole), level + 1)

    # --- entries

    def _put(self, row: Row, level: int) -> None:
        sealed = self._sealed(f"row:{row.sequence}", msgspec.msgpack.encode(row))
        self._db.execute("INSERT INTO rows VALUES (?, ?, ?)", (row.sequence, level, sealed))
        self._counts[level] += 1

    def _drop(self, which: str, values: tuple[int, ...]) -> None:
        for (level,) in self._db.execute(
            f"DELETE FROM rows WHERE {which} RETURNING level", values
        ).fetchall():
            self._counts[level] -= 1

    def _row(self, sequence: int, sealed: bytes) -> Row | None:
        raw = self._opened(f"row:{sequence}", sealed)
        return None if raw is None else msgspec.msgpack.decode(raw, type=Row)

    def _note(self, name: str, raw: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, self._sealed(name, raw)))

    def _noted(self, name: str) -> bytes | None:
        found = self._db.execute("SELECT sealed FROM notes WHERE name = ?", (name,)).fetchone()
        return None if found is None else self._opened(name, found[0])

    def _sealed(self, name: str, raw: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        # The name is sealed with it: entries cannot be put in one another's place.
        return nonce + self._seal_key.encrypt(nonce, raw, name.encode())

    def _opened(self, name: str, sealed: bytes) -> bytes | None:
        """None where it was damaged, or sealed with another key."""
        try:
            return self._seal_key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            return None

    def _number(self, name: str, default: int) -> int:
        found = self._db.execute("SELECT value FROM numbers WHERE name = ?", (name,)).fetchone()
        return default if found is None else int(found[0])

    def _set(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, value))

    def _change(self, work: Callable[[], None]) -> None:
        """All of it, or nothing."""
        counts, following = list(self._counts), self._next
        try:
            self._db.execute("BEGIN IMMEDIATE")
            work()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._counts, self._next = counts, following
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._unavailable(error) from None

    def _unavailable(self, error: sqlite3.Error) -> Unavailable:
        return Unavailable(
            "agent.buffer",
            f"the agent's buffer {self._path.name}",
            f"the disk refuses ({error})",
            "free some space, and see that the folder is writable",
        )

    def _remove(self) -> None:
        self._db.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
