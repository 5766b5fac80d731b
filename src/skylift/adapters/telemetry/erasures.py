"""What was erased in the service's store goes from telemetry too, as far as its journal tells of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from skylift.adapters.sql.store import SqlStore
from skylift.adapters.telemetry import accounting
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.base.errors import Refused
from skylift.ports.store import Reader, Wanted
from skylift.service import erasure
from skylift.service.terminal import state as terminals

ROWS_AT_ONCE = 1000


def erased_since(store: SqlStore, after: int) -> tuple[list[str], int]:
    """Terminals whose own data was erased, or their account's, and how far the journal was read."""
    # The head first: what is written meanwhile is looked at the next time.
    head, _ = store.head()
    if after > head:
        # Somebody put an older store in its place by hand: what was read is another journal.
        after = 0
    found: dict[str, None] = {}
    while rows := store.journal(after, ROWS_AT_ONCE, (erasure.Erased.NAME,)):
        with store.reading() as reader:
            for row in rows:
                found.update(dict.fromkeys(_terminals_of(reader, row.event.subject_id)))
        after = rows[-1].sequence
    return list(found), max(after, head)


def bring_in_line(file: Path, store: SqlStore, head: int) -> int:
    """Erase in a database of telemetry what its service's store, put back from a backup, tells of.

    head  the last number of the journal that the backup held: what was carried out after it tells nothing
    Returns of how many terminals. Raises Refused where the file is no such database, or damaged.
    """
    check(file)
    telemetry = TelemetrySql(f"sqlite:///{file}")
    try:
        through = min(accounting.erased_through(telemetry.database), head)
        gone, sequence = erased_since(store, through)
        telemetry.erase(gone)
        accounting.note_erased(telemetry.database, sequence)
        return len(gone)
    finally:
        telemetry.close()


def check(file: Path) -> None:
    """Raises Refused where a file is no database of telemetry, or damaged."""
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            whole = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            connection.execute("SELECT value FROM telemetry_meta WHERE name = 'version'").fetchone()
        except sqlite3.DatabaseError:
            whole = False
    if not whole:
        raise Refused("backup.damaged", f"file {file}", "it is damaged, or no telemetry", "take another")


def _terminals_of(reader: Reader, subject: str) -> list[str]:
    if subject.startswith(f"{terminals.ROOM.prefix}_"):
        return [subject]
    found: list[str] = []
    while some := reader.list(
        terminals.ROOM, Wanted(owner=subject, after=found[-1] if found else "", limit=ROWS_AT_ONCE)
    ):
        found += [one.id for one in some]
    return found
