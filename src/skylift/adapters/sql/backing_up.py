"""Backups of a store of SQLite: taken while it is in use, checked, and put back with every erasure since.

Telemetry is a database of its own, and a second file of a backup.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skylift.adapters.sql.erasing import copies_of
from skylift.adapters.sql.erasures import carry_out, list_beside
from skylift.adapters.sql.faults import THING
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.adapters.telemetry import erasures as of_telemetry
from skylift.base.errors import Refused, Unavailable
from skylift.base.things import Room
from skylift.ports.store import Audit


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup was found to be, and how many erasures were carried out on it that it did not know of."""

    audit: Audit
    erased_again: int


def telemetry_beside(backup: Path) -> Path:
    """Where a backup holds telemetry."""
    return backup.with_name(f"{backup.name}.telemetry")


def back_up(file: Path, to: Path, rooms: Sequence[Room[Any]], telemetry: Path | None = None) -> Audit:
    """Write all that the database holds at one instant into a file of its own, for this user alone.

    telemetry  its database, if it goes too: into a file beside, as of a moment later
    The service may go on meanwhile. What is written is checked before it gets its name.
    Raises Refused where there is such a file already, Unavailable where it cannot be written or is not whole.
    """
    second = telemetry_beside(to)
    for each in (to, second) if telemetry else (to,):
        if each.exists():
            raise Refused(
                "backup.exists", f"file {each}", "there is one already", "name another, or take it away first"
            )
    with _beside(to) as part:
        _copy(file, part)
        found = _checked(part, rooms)
        if telemetry is not None:
            # After the store: usage that is told meanwhile may be lacking there, and never counts twice.
            with _beside(second) as other:
                _copy(telemetry, other)
                of_telemetry.check(other)
                os.link(other, second)
        os.link(part, to)
    return found


def restore(
    backup: Path,
    file: Path,
    rooms: Sequence[Room[Any]],
    replace: bool = False,
    telemetry: Path | None = None,
) -> Restored:
    """Put a backup in the place of the database, after all that was erased since was erased in it too.

    replace    there may be a database already; its erasures are kept, the rest of it is not
    telemetry  where the database of telemetry belongs; one that is there stays if the backup has none
    Raises Refused where the backup is none, or the service still runs.
    """
    if not backup.is_file():
        raise Refused("backup.none", f"file {backup}", "there is no such file", "check its name")
    _learn_erasures(file, rooms, replace)
    with _beside(file) as part:
        _copy(backup, part)
        store = open_store(f"sqlite:///{part}", rooms, demo=None)
        try:
            before, _ = store.head()
            again = carry_out(store, list_beside(file))
            store.scrub()
            found = _valid(store)
            if telemetry is not None:
                _restore_telemetry(telemetry_beside(backup), telemetry, store, before, replace)
        finally:
            store.close()
        # Names of the part's own list and copy, which a migration may have left.
        for beside in (list_beside(part), *copies_of(part)):
            beside.unlink(missing_ok=True)
        _put(part, file)
    for copy in copies_of(file):
        copy.unlink()
    return Restored(found, again)


def _restore_telemetry(backup: Path, file: Path, store: SqlStore, head: int, replace: bool) -> None:
    """head: up to which the backup of the store held its journal."""
    if not backup.is_file():
        if file.is_file():
            of_telemetry.bring_in_line(file, store, head)
        return
    if file.exists() and not replace:
        raise Refused(
            "restore.exists", f"the database {file}", "there is one already", "give --replace if it is to go"
        )
    with _beside(file) as part:
        _copy(backup, part)
        of_telemetry.bring_in_line(part, store, head)
        _put(part, file)


def _put(part: Path, file: Path) -> None:
    for end in ("-wal", "-shm"):
        file.with_name(f"{file.name}{end}").unlink(missing_ok=True)
    os.replace(part, file)


def _learn_erasures(file: Path, rooms: Sequence[Room[Any]], replace: bool) -> None:
    """What was erased in the database that goes: it must not come back with the backup."""
    if not file.exists():
        return
    if not replace:
        raise Refused(
            "restore.exists",
            f"the database {file}",
            "there is one already",
            "give --replace if it is to go; its list of erasures stays",
        )
    _refuse_running(file)
    try:
        store = open_store(f"sqlite:///{file}", rooms, demo=None)
    except (Refused, Unavailable):
        # Damaged: the list beside it has to do.
        return
    try:
        carry_out(store, list_beside(file))
    finally:
        store.close()


def _refuse_running(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as connection:
            # Nobody else may so much as have it open.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise Refused(
                "restore.running", f"the database {file}", "another process uses it", "stop skylift first"
            ) from None
    except sqlite3.DatabaseError:
        return


@contextmanager
def _beside(to: Path) -> Iterator[Path]:
    """An empty file to write into, which is gone afterwards."""
    part = to.with_name(f".{to.name}.part{os.getpid()}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unwritable(to, error.strerror or "the system refuses") from None
    try:
        yield part
    except OSError as error:
        raise _unwritable(to, error.strerror or "the system refuses") from None
    finally:
        for end in ("", "-wal", "-shm", ".erased"):
            with suppress(OSError):
                part.with_name(f"{part.name}{end}").unlink(missing_ok=True)


def _copy(source: Path, to: Path) -> None:
    try:
        # Only to read: a backup is not changed by being put back. VACUUM INTO writes what the tables hold at
        # one instant, and nothing of what was deleted from them.
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Refused(
                "backup.damaged", f"file {source}", "it is damaged, or no database", "take another"
            ) from None
        raise _unwritable(to, "the database cannot be copied into it") from None
    with to.open("rb") as written:
        os.fsync(written.fileno())


def _checked(part: Path, rooms: Sequence[Room[Any]]) -> Audit:
    store = open_store(f"sqlite:///{part}", rooms, migrate=False, demo=None)
    try:
        return _valid(store)
    finally:
        store.close()


def _valid(store: SqlStore) -> Audit:
    found = store.verify()
    if not found.valid:
        raise Unavailable(
            "backup.not-whole",
            THING,
            f"what was copied is not as it was written: {found.why}",
            "keep everything as it is, and see docs/reference/store.md",
        )
    return found


def _unwritable(to: Path, why: str) -> Unavailable:
    return Unavailable("backup.unwritable", f"file {to}", why, "check its folder, rights and space")
