"""Connections: what is asked of SQLite and PostgreSQL before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from skylift.adapters.sql.ready import say
from skylift.base.errors import Refused, Unavailable

BUSY_TIMEOUT_S = 5.0
# Set on a connection's options: the transaction is one that writes.
WRITES = "skylift_writes"
# A dozen of the sizes that a search looks through would fit; the system's file cache holds the rest.
SQLITE_CACHE_KIB = 32 * 1024
# A write-ahead log that grew under a long read is cut to this when it starts over.
SQLITE_WAL_LIMIT_BYTES = 16 * 1024 * 1024


# A server that has vanished without a word, with its machine or its cable, is noticed in half a minute
# (https://www.postgresql.org/docs/15/libpq-connect.html); by itself the system would wait for hours.
_NOTICED_SOON = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def make_engine(url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine for "sqlite:///FILE" or "postgresql://...". Raises Refused for any other."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, busy_timeout_s)
    return _postgresql(parsed, busy_timeout_s)


def sqlite_file(engine: Engine) -> Path | None:
    """The database's file; None for PostgreSQL."""
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    known = parsed is not None and parsed.get_backend_name() in {"sqlite", "postgresql"}
    if parsed is None or not known or not parsed.database:
        # The URL itself is not said: it may hold a password.
        raise Refused(
            "store.url",
            "the store's URL",
            "it names a file of SQLite or a database of PostgreSQL",
            "write sqlite:///FILE or postgresql://USER@HOST/DATABASE",
        )
    return parsed


def _sqlite(url: URL, busy_timeout_s: float) -> Engine:
    file = Path(str(url.database))
    _make_private(file)
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), hide_parameters=True, connect_args={"timeout": busy_timeout_s}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        # The driver's own handling of transactions is off: it would begin them late, and not around DDL.
        connection.isolation_level = None
        for statement in (
            "PRAGMA journal_mode = WAL",
            # An acknowledged change survives a loss of power, not only a crash of skylift.
            "PRAGMA synchronous = FULL",
            # What is deleted is overwritten with zeros.
            "PRAGMA secure_delete = ON",
            "PRAGMA temp_store = MEMORY",
            f"PRAGMA cache_size = -{SQLITE_CACHE_KIB}",
            f"PRAGMA journal_size_limit = {SQLITE_WAL_LIMIT_BYTES}",
        ):
            connection.execute(statement)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its turn at once: one that reads first and then writes could be refused half-way.
        writes = connection.get_execution_options().get(WRITES)
        say(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_private(file: Path) -> None:
    """The file, made empty if it is not there, for this user alone; SQLite's other files take its rights."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except PermissionError:
        # It may still be read; the first write says what is wrong.
        if not os.access(file, os.R_OK):
            raise _unusable(file, "it may not be read") from None
    except OSError as error:
        if error.errno != 30 or not os.access(file, os.R_OK):  # EROFS
            raise _unusable(file, error.strerror or "the system refuses") from None


def _unusable(file: Path, why: str) -> Unavailable:
    return Unavailable(
        "store.unusable",
        f"the store's file {file}",
        f"it must be a file that can be written ({why})",
        "check its folder and rights, or name another folder with --data-dir or SKYLIFT_DATA_DIR",
    )


def _postgresql(url: URL, busy_timeout_s: float) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            # A connection of before the server's last restart is found and replaced, not used.
            pool_pre_ping=True,
            # Whoever waits for a connection is told of it, rather than hung up on.
            pool_timeout=busy_timeout_s,
            connect_args={
                "connect_timeout": max(2, int(busy_timeout_s)),
                "application_name": "skylift",
                **_NOTICED_SOON,
            },
        )
    except ModuleNotFoundError:
        raise Unavailable(
            "store.driver",
            "PostgreSQL",
            "its driver psycopg is not installed",
            "install skylift with the extra postgres: pip install 'skylift[postgres]'",
        ) from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                # A server may be set up to acknowledge before it has written.
                "SELECT set_config('synchronous_commit',"
                " CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
                " ELSE current_setting('synchronous_commit') END, false),"
                f" set_config('lock_timeout', '{int(busy_timeout_s * 1000)}', false),"
                # A writer that stopped half-way does not keep all others waiting for ever.
                " set_config('idle_in_transaction_session_timeout', '60000', false)"
            )
        connection.commit()

    return engine
