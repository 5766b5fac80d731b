"""Making sure that what was erased from tables stands in no file any more."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import DBAPIError

from skylift.adapters.sql.engine import WRITES
from skylift.adapters.sql.schema import META, PERSONAL
from skylift.adapters.sql.writing import TRACES

# Copies that are taken before a migration are called so, beside the database.
COPY_MARK = ".before-"

# secure_delete overwrites deleted rows and freed pages. It does not overwrite what is left of
# a row where it stood before its page was split or merged, so the whole table is put into fresh pages. The
# temporary table is in memory (engine.py); without WHERE all pages of the old one are freed.
WRITE_ANEW = (
    "CREATE TEMP TABLE kept AS SELECT subject_id, field, value FROM main.personal",
    "DELETE FROM main.personal",
    "INSERT INTO main.personal (subject_id, field, value) SELECT * FROM kept ORDER BY subject_id, field",
    "DROP TABLE kept",
)

# Both, or neither is of use (PostgreSQL 15, tables 9.91 and 22.1).
MAY_END_LOG = """SELECT has_function_privilege('pg_switch_wal()', 'EXECUTE')
    AND pg_has_role('pg_checkpoint', 'MEMBER')"""

# What tells when a terminal was used, or those of an account.
USAGE_OF = {"usage": "terminal = :id", "usage_days": "terminal = :id OR account = :id"}


def has_traces(connection: Connection) -> bool:
    """Whether something was erased, and the files have not been gone over since."""
    return connection.execute(select(META.c.value).where(META.c.name == TRACES)).first() is not None


def scrub(engine: Engine) -> bool:
    """Go over the files; whether nothing erased is left in them, which a reader can prevent.

    SQLite: the table is written anew; then the write-ahead log, which holds earlier pages, is moved into the
    database and cut to nothing. PostgreSQL: the table is written anew, as an ordinary VACUUM leaves the bytes
    where they were; then, where our role may, a new segment of the write-ahead log is begun and those before
    are given up.
    """
    try:
        if engine.dialect.name == "sqlite":
            with engine.execution_options(**{WRITES: True}).begin() as connection:
                for statement in WRITE_ANEW:
                    connection.exec_driver_sql(statement)
            with engine.connect() as connection:
                # Not inside a transaction: the driver, unlike SQLAlchemy, begins none.
                raw = connection.connection.driver_connection
                assert isinstance(raw, sqlite3.Connection)
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return False
        else:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(f"VACUUM (FULL) {PERSONAL.name}")
                if connection.exec_driver_sql(MAY_END_LOG).scalar_one():
                    connection.exec_driver_sql("SELECT pg_switch_wal()")
                    connection.exec_driver_sql("CHECKPOINT")
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            connection.execute(delete(META).where(META.c.name == TRACES))
    except (DBAPIError, sqlite3.Error):
        return False
    return True


def copies_of(file: Path) -> list[Path]:
    """Copies that were taken before a migration, oldest first by name."""
    return sorted(file.parent.glob(f"{file.name}{COPY_MARK}*"))


def erase_in_copies(file: Path | None, subject_id: str) -> None:
    """Erase from the copies too. One that cannot be erased from is removed: it must not outlive the wish."""
    for copy in copies_of(file) if file is not None else ():
        if not _erased_from(copy, subject_id):
            copy.unlink(missing_ok=True)


def _erased_from(copy: Path, subject_id: str) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(copy, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            # No write-ahead log: nothing of what is deleted may lie beside the copy.
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM personal WHERE subject_id = ?", (subject_id,))
            # A copy of before these were counted does not have them.
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            for table, whose in USAGE_OF.items():
                if table in there:
                    connection.execute(f"DELETE FROM {table} WHERE {whose}", {"id": subject_id})
            for statement in WRITE_ANEW:
                connection.execute(statement)
            connection.execute("COMMIT")
            return bool(mode == ("delete",))
    except sqlite3.Error:
        return False
