"""One way to speak to both databases, without a layer between: rows come by the ten thousand a second."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from skylift.adapters.sql.engine import BUSY_TIMEOUT_S, make_engine
from skylift.adapters.sql.faults import locked, translated
from skylift.adapters.telemetry.tables import (
    FIXED,
    LEVEL_NAMES,
    VERSION,
    WRITTEN,
    Part,
    columns_of,
    part_named,
)
from skylift.base.errors import Unavailable
from skylift.ports.telemetry import ROWS

# All who write take turns on it, in every process: "skytel" in ASCII.
_TURN = 0x736B7974656C
# 16 MB of write-ahead log.
CHECKPOINT_PAGES = 4000
# In telemetry_meta: the parts of rows from before there were bits of whom was heard (heard.py), as JSON.
UNMADE = "heard_unmade"


class Session:
    """One transaction. SQL has ? for what is filled in, and excluded.column for what an upsert brings."""

    def __init__(self, connection: Any, is_sqlite: bool) -> None:
        self.connection = connection
        self.is_sqlite = is_sqlite
        self._cursor = connection.cursor()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self.run(sql, values).fetchall())

    def run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        self._cursor.execute(self._of(sql), values)
        return self._cursor

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        self._cursor.executemany(self._of(sql), values)

    def write(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """New rows of a table, as fast as the database takes them."""
        if self.is_sqlite:
            marks = ", ".join("?" * len(columns))
            self.run_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
            return
        with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)

    def _of(self, sql: str) -> str:
        return sql if self.is_sqlite else sql.replace("?", "%s")


class Database:
    """A file of SQLite, or a database of PostgreSQL, with the tables of telemetry."""

    def __init__(self, url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._engine: Engine = make_engine(url, busy_timeout_s)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._busy_timeout_s = busy_timeout_s
        self._turn = threading.Lock()
        self._writer: Any = None
        self._parts: set[str] = set()
        self._ready = False

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes, committed at the end. Raises Unavailable: it is undone, or unsure."""
        if not self._turn.acquire(timeout=self._busy_timeout_s):
            raise locked()
        try:
            try:
                with _told():
                    session = self._begun()
                    yield session
                with _told(last_step=True):
                    self._end(session)
            except BaseException:
                # A connection may have died while nobody wrote, too.
                self._drop()
                raise
        finally:
            self._turn.release()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """What stood at one instant; waits for no writer."""
        with _told():
            connection = self._engine.raw_connection()
        try:
            with _told():
                session = Session(connection.driver_connection, self.is_sqlite)
                if self.is_sqlite:
                    session.run("BEGIN")
                yield session
        finally:
            # The pool rolls back: nothing was written.
            connection.close()

    def part(self, session: Session, part: Part) -> str:
        """The table of a part, made if it is not there."""
        if part.table not in self._parts:
            self._make(session, part)
        return part.table

    def parts(self, session: Session) -> list[Part]:
        """Every part that there is, by name."""
        if self.is_sqlite:
            names = session.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        else:
            names = session.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        found = (part_named(str(name)) for (name,) in names)
        return sorted((part for part in found if part is not None), key=lambda part: part.table)

    def drop(self, session: Session, part: Part) -> None:
        """Forget a part, with all that is in it."""
        self._parts.discard(part.table)
        if self.is_sqlite:
            session.run(f"DROP VIEW IF EXISTS {part.parent}")
            session.run(f"DROP TABLE {part.table}")
            self._view(session, part.level)
        else:
            session.run(f"DROP TABLE {part.table}")

    def scrub(self) -> bool:
        """Put everything into fresh pages, so that nothing deleted is left in any; whether that was done."""
        try:
            with self._turn:
                self._drop()
                with contextlib.closing(self._engine.raw_connection()) as connection:
                    raw = connection.driver_connection
                    assert raw is not None
                    if self.is_sqlite:
                        raw.execute("VACUUM")
                        busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                        return not busy
                    raw.rollback()
                    raw.autocommit = True
                    with raw.cursor() as cursor:
                        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'telemetry_%'")
                        for (name,) in cursor.fetchall():
                            cursor.execute(f"VACUUM (FULL) {name}")
                    connection.invalidate()
                    return True
        except Exception as error:
            if not _is_of_driver(error):
                raise
            return False

    def close(self) -> None:
        with self._turn:
            self._drop()
            self._engine.dispose()

    def _begun(self) -> Session:
        if self._writer is None:
            self._writer = self._engine.raw_connection()
            if self.is_sqlite:
                # Rows of a large fleet fall on pages all over: each is moved once for many changes.
                self._writer.driver_connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        session = Session(self._writer.driver_connection, self.is_sqlite)
        if self.is_sqlite:
            session.run("BEGIN IMMEDIATE")
        else:
            session.run("SELECT pg_advisory_xact_lock(?)", (_TURN,))
        if not self._ready:
            self._prepare(session)
            self._ready = True
        return session

    def _prepare(self, session: Session) -> None:
        for table in FIXED if self.is_sqlite else (*FIXED, WRITTEN):
            session.run(f"CREATE TABLE IF NOT EXISTS {_in_dialect(table, self.is_sqlite)}")
        session.run(
            "INSERT INTO telemetry_meta VALUES ('version', ?) ON CONFLICT (name) DO NOTHING", (VERSION,)
        )
        [(version,)] = session.rows("SELECT value FROM telemetry_meta WHERE name = 'version'")
        if version != VERSION:
            raise Unavailable(
                "telemetry.version",
                "the store of telemetry",
                "another version of skylift made it",
                "use that version, or move the file away",
            )
        for level, name in LEVEL_NAMES.items():
            if not self.is_sqlite:
                key = "at_us" if level == "15s" else "at_s"
                session.run(
                    f"CREATE TABLE IF NOT EXISTS {name} ({columns_of(level)}) PARTITION BY RANGE ({key})"
                )
            elif not session.rows("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)):
                self._view(session, level)
        parts = self.parts(session)
        self._parts = {part.table for part in parts}
        older = json.dumps([[part.table, 0] for part in parts if part.level == ROWS])
        session.run("INSERT INTO telemetry_meta VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (UNMADE, older))

    def _make(self, session: Session, part: Part) -> None:
        if self.is_sqlite:
            columns = columns_of(part.level)
            session.run(f"CREATE TABLE IF NOT EXISTS {part.table} ({columns}) WITHOUT ROWID")
            session.run(f"DROP VIEW IF EXISTS {part.parent}")
            self._view(session, part.level)
        else:
            begin, end = part.bounds()
            session.run(
                f"CREATE TABLE IF NOT EXISTS {part.table} PARTITION OF {part.parent}"
                f" FOR VALUES FROM ({begin}) TO ({end})"
            )
        self._parts.add(part.table)

    def _view(self, session: Session, level: str) -> None:
        tables = [part.table for part in self.parts(session) if part.level == level]
        if not tables:
            # A view of nothing, with the right columns.
            names = [column.split()[0] for column in columns_of(level).partition(", PRIMARY")[0].split(", ")]
            nothing = ", ".join(f"NULL AS {name}" for name in names)
            session.run(f"CREATE VIEW {LEVEL_NAMES[level]} AS SELECT {nothing} WHERE 0")
            return
        every = " UNION ALL ".join(f"SELECT * FROM {table}" for table in tables)
        session.run(f"CREATE VIEW {LEVEL_NAMES[level]} AS {every}")

    def _end(self, session: Session) -> None:
        if self.is_sqlite:
            session.run("COMMIT")
        else:
            session.connection.commit()

    def _drop(self) -> None:
        """Let go of the writer's connection and of what was believed through it."""
        self._parts.clear()
        self._ready = False
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(Exception):
                writer.driver_connection.rollback()
            with contextlib.suppress(Exception):
                writer.invalidate()


def _in_dialect(table: str, is_sqlite: bool) -> str:
    return table if is_sqlite else table.replace(" BLOB ", " BYTEA ")


def _is_of_driver(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error | DBAPIError):
        return True
    return type(error).__module__.partition(".")[0] == "psycopg"


@contextlib.contextmanager
def _told(last_step: bool = False) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise translated(error, last_step) from None
    except Exception as error:
        if not _is_of_driver(error):
            raise
        raise translated(DBAPIError("", None, error), last_step) from None
