"""Rows of the journal as events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select

from skylift.adapters.sql.faults import corrupt
from skylift.adapters.sql.ready import Ready
from skylift.adapters.sql.schema import JOURNAL, AnyRow
from skylift.base.events import Event, EventTypes
from skylift.ports.store import JournalRow


class Written(NamedTuple):
    """A row of the journal as it stands."""

    sequence: int
    at_us: int
    by_id: str
    name: str
    subject_id: str
    cause_id: str | None
    version: int
    payload: str
    previous_hash: str
    hash: str


COLUMNS = tuple(JOURNAL.c[name] for name in Written._fields)
_AFTER = Ready(
    select(*COLUMNS)
    .where(JOURNAL.c.sequence > bindparam("after"))
    .order_by(JOURNAL.c.sequence)
    .limit(bindparam("most"))
)


def read_journal(
    connection: Connection, types: EventTypes, after: int, limit: int, names: Sequence[str] = ()
) -> Sequence[JournalRow]:
    """Rows after a sequence number, in order; names: only events that are stored under these, () for all."""
    rows: Iterable[AnyRow | Written]
    if names:
        wanted = select(JOURNAL).where(JOURNAL.c.sequence > after, JOURNAL.c.name.in_(names))
        rows = connection.execute(wanted.order_by(JOURNAL.c.sequence).limit(limit))
    else:
        rows = rows_after(connection, after, limit)
    return [JournalRow(row.sequence, to_event(types, row), row.hash, row.version) for row in rows]


def read_history(
    connection: Connection, types: EventTypes, subject_id: str, before: int | None, limit: int
) -> Sequence[JournalRow]:
    """Rows of one subject before a sequence number (None: before none), the newest first."""
    wanted = select(JOURNAL).where(JOURNAL.c.subject_id == subject_id)
    if before is not None:
        wanted = wanted.where(JOURNAL.c.sequence < before)
    rows = connection.execute(wanted.order_by(JOURNAL.c.sequence.desc()).limit(limit))
    return [JournalRow(row.sequence, to_event(types, row), row.hash, row.version) for row in rows]


def rows_after(connection: Connection, after: int, limit: int) -> list[Written]:
    """Rows after a sequence number, in order, as they stand."""
    return [Written(*row) for row in _AFTER.all(connection, {"after": after, "most": limit})]


def to_event(types: EventTypes, row: AnyRow | Written) -> Event:
    """The event of a row. Refused where this version does not know it, Unavailable where it is none."""
    columns = {
        "at": row.at_us,
        "by": row.by_id,
        "subject_id": row.subject_id,
        "cause_id": row.cause_id,
    }
    try:
        return types.read(row.name, columns, msgspec.json.decode(row.payload))
    except (ValueError, TypeError):  # msgspec's errors are ValueErrors
        raise corrupt() from None
