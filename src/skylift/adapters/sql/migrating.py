"""Bringing a database's tables up to date: SQLite at start, PostgreSQL when somebody asks."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select, text

from skylift.adapters.sql.engine import WRITES, make_engine, sqlite_file
from skylift.adapters.sql.erasing import COPY_MARK, copies_of
from skylift.adapters.sql.faults import THING, corrupt, told
from skylift.adapters.sql.schema import META, REVISION
from skylift.base.errors import Refused, Unavailable

VERSION_TABLE = "alembic_version"
# A row of `meta`: the store holds a demo. It is written with the tables, or never.
DEMO = "demo"


def make_ready(engine: Engine, migrate: bool, demo: bool | None = False) -> bool:
    """See that the tables are those of this version; make or migrate those of SQLite. Whether it is a demo's.

    demo  what is asked for: a demo's store, for which tables are also made in an empty PostgreSQL database;
          a real one; None for either

    Raises Refused for tables of a later version, where an older one may not be migrated here, and for a
    store of the other kind.
    """
    file = sqlite_file(engine)
    with told(), engine.connect() as connection:
        found = revision(connection)
        is_demo = _is_demo(connection) if found is not None else bool(demo)
    if found is not None:
        _refuse_other_kind(is_demo, demo)
    if found == REVISION:
        return is_demo
    _refuse_newer(found)
    makes = file is not None or (found is None and demo is True)
    if not makes or not migrate:
        raise Refused(
            "store.older",
            THING,
            "its tables are not made yet" if found is None else f"its tables are of version {found}",
            "bring it up to date with: skylift upgrade",
        )
    _upgrade(engine, found, demo)
    return is_demo


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring a database up to date, SQLite after taking a copy; the versions before and after."""
    engine = make_engine(url)
    try:
        with told(), engine.connect() as connection:
            found = revision(connection)
        _refuse_newer(found)
        if found != REVISION:
            _upgrade(engine, found, None)
    finally:
        engine.dispose()
    return found, REVISION


def revision(connection: Connection) -> str | None:
    """The version of a database's tables; None where it has none."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise Refused(
                "store.foreign",
                THING,
                "the database holds tables of something else",
                "name a database of its own for skylift",
            )
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    if row is None or not re.fullmatch(r"\d{4}", row[0]):
        raise corrupt()
    return str(row[0])


def _refuse_newer(found: str | None) -> None:
    if found is not None and found > REVISION:
        raise Refused(
            "store.newer",
            THING,
            f"its tables are of version {found}; this skylift knows those up to {REVISION}",
            "use the version of skylift that wrote it, or a later one",
        )


def _is_demo(connection: Connection) -> bool:
    return connection.execute(select(META.c.value).where(META.c.name == DEMO)).first() is not None


def _refuse_other_kind(is_demo: bool, wanted: bool | None) -> None:
    if wanted is None or is_demo is wanted:
        return
    if is_demo:
        raise Refused(
            "store.demo",
            THING,
            "it holds a demo: what stands in it is invented, and it never becomes a real one",
            "run it with --demo, or name another folder or database for what is real",
        )
    raise Refused(
        "store.real",
        THING,
        "it is a real one: no demo is played in it, whether it holds anything yet or not",
        "leave out --data-dir and --store-url (and SKYLIFT_DATA_DIR, SKYLIFT_STORE__URL): a demo has a "
        "store of its own; or name an empty folder or database",
    )


def _upgrade(engine: Engine, found: str | None, demo: bool | None) -> None:
    from alembic import command
    from alembic.config import Config

    file = sqlite_file(engine)
    if file is not None and found is not None:
        _take_copy(file, found)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    # One transaction: a migration that fails leaves the tables as they were.
    with told(), engine.execution_options(**{WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            # Of two that upgrade at once, the second waits, and finds nothing to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(7355608001)"))
        is_new = revision(connection) is None
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if not is_new:
            # Somebody else may have made them since we looked, for the other kind.
            _refuse_other_kind(_is_demo(connection), demo)
        elif demo:
            connection.execute(insert(META), {"name": DEMO, "value": "1"})


def _take_copy(file: Path, found: str) -> None:
    """A copy beside the database, for this user alone; only the newest is kept.

    What is erased later is erased from it too (erasing.erase_in_copies).
    """
    copy = file.with_name(f"{file.name}{COPY_MARK}{found}")
    try:
        for older in copies_of(file):
            older.unlink()
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        # VACUUM INTO writes what the tables hold, and nothing of what was deleted from them.
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    except (OSError, sqlite3.Error):
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        raise Unavailable(
            "store.copy",
            THING,
            "no copy could be taken before its tables are changed, so nothing was changed",
            "free as much space as the database takes, and start again",
        ) from None
