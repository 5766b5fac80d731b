"""Writing: things with the events that made them so, and rows that can be erased."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from skylift.adapters.sql.chain import canonical, row_hash
from skylift.adapters.sql.counting import CountsSqlWriter
from skylift.adapters.sql.faults import CORRUPT, LOST, THING, told, translated
from skylift.adapters.sql.reading import AT_ONCE, SqlReader, searched
from skylift.adapters.sql.ready import Ready, among, say
from skylift.adapters.sql.schema import JOURNAL, JOURNAL_HEAD, META, PERSONAL, REPLIES, THING_KEYS, THINGS
from skylift.base.errors import Refused, Unavailable
from skylift.base.events import Event, to_payload
from skylift.base.things import Facets, Room
from skylift.ports.store import Conflict, Reply, Stored

T = TypeVar("T")

# The row of `meta` that says that what was erased may still stand in files.
TRACES = "traces"

_UPDATE_THING = Ready(
    update(THINGS)
    .where(THINGS.c.kind == bindparam("of_kind"), THINGS.c.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in ("version", "status", "region", "owner", "words", "body")})
)
_OF_THINGS = (
    select(THINGS.c.id, THINGS.c.version, THINGS.c.status, THING_KEYS.c.name, THING_KEYS.c.value)
    .outerjoin_from(
        THINGS, THING_KEYS, (THING_KEYS.c.kind == THINGS.c.kind) & (THING_KEYS.c.id == THINGS.c.id)
    )
    .where(THINGS.c.kind == bindparam("of_kind"))
)
_STANDING = Ready(_OF_THINGS.where(among(THINGS.c.id, "ids")))
_STANDING_ONE = Ready(_OF_THINGS.where(THINGS.c.id == bindparam("of_id")))
# One name at a time: for pairs of name and value SQLite would walk over all keys of the kind.
_OF_NAME = select(THING_KEYS.c.value, THING_KEYS.c.id).where(
    THING_KEYS.c.kind == bindparam("of_kind"), THING_KEYS.c.name == bindparam("of_name")
)
_TAKEN = Ready(_OF_NAME.where(among(THING_KEYS.c.value, "values")))
_TAKEN_ONE = Ready(_OF_NAME.where(THING_KEYS.c.value == bindparam("of_value")))
_HEAD = Ready(select(JOURNAL_HEAD.c.sequence, JOURNAL_HEAD.c.hash).with_for_update())
_SET_HEAD = Ready(update(JOURNAL_HEAD).values(sequence=bindparam("to_sequence"), hash=bindparam("to_hash")))
_DELETE_KEY = Ready(
    delete(THING_KEYS).where(
        THING_KEYS.c.kind == bindparam("of_kind"),
        THING_KEYS.c.name == bindparam("of_name"),
        THING_KEYS.c.value == bindparam("of_value"),
    )
)
_INSERT = {table: Ready(insert(table)) for table in (THINGS, THING_KEYS, PERSONAL, REPLIES, JOURNAL)}


@dataclass
class _Now:
    """A thing's row as it stands within a batch."""

    version: int
    status: str
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class _Batch:
    """What a batch found, and what it will write.

    facets  of its things as they are to be, in their order
    owners  (key, value) -> id of the thing that has it
    """

    facets: Sequence[Facets]
    now: dict[str, _Now]
    owners: dict[tuple[str, str], str]
    owners_before: dict[tuple[str, str], str]
    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)


class SqlTransaction(SqlReader, CountsSqlWriter):
    """The Transaction port on one connection. Writers take turns, at the journal's head if nowhere else.

    erased           whether it removed or replaced anything personal
    erased_subjects  of whom everything was to be erased, whether or not there was anything
    written          how many new things
    is_lost          the database has given it up; nothing more can be done in it
    """

    def __init__(self, connection: Connection, known_events: frozenset[type[Event]]) -> None:
        super().__init__(connection)
        self._known_events = known_events
        # On PostgreSQL this is what a second writer waits at; on SQLite it has waited at BEGIN IMMEDIATE.
        head = _HEAD.first(connection, {})
        if head is None:
            raise Unavailable("store.corrupt", THING, "the journal has lost its head row", CORRUPT[2])
        self._sequence: int = head[0]
        self._hash: str = head[1]
        self._journal: list[dict[str, Any]] = []
        self._broken = False
        self._depth = 0
        self.written = 0
        self.erased = self.is_lost = False
        self.erased_subjects: list[str] = []

    @property
    def written_rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of the journal that it adds."""
        return self._journal

    def commit(self, room: Room[T], stored: Stored[T], events: Sequence[Event]) -> Stored[T]:
        return self.commit_all(room, [(stored, events)])[0]

    def commit_all(
        self, room: Room[T], changes: Sequence[tuple[Stored[T], Sequence[Event]]]
    ) -> Sequence[Stored[T]]:
        written: list[Stored[T]] = []
        # Refused in a later part must not leave an earlier one written.
        with self.savepoint() if len(changes) > AT_ONCE else contextlib.nullcontext():
            for start in range(0, len(changes), AT_ONCE):
                part = changes[start : start + AT_ONCE]
                with self._whole():
                    batch = self._looked_up(room, part)
                    sequence, last_hash = self._sequence, self._hash
                    try:
                        for (stored, events), facets in zip(part, batch.facets, strict=True):
                            written.append(self._change(batch, room, stored, facets, events))
                    except BaseException:
                        # Nothing of the part is written yet: the batch is forgotten, and the chain goes back.
                        self._sequence, self._hash = sequence, last_hash
                        raise
                    self._write(batch, room)
        return written

    def keep_personal(self, subject_id: str, fields: Mapping[str, Any]) -> None:
        rows = [
            {"subject_id": subject_id, "field": name, "value": canonical(value)}
            for name, value in fields.items()
            if value is not None
        ]
        for name in fields:
            _check_texts({"subject_id": subject_id, "field": name})
        with self._whole():
            kept = self._personal(subject_id)
            before = {name: kept[name] for name in fields if name in kept}
            rows = [row for row in rows if before.get(row["field"]) != row["value"]]
            gone = [name for name in before if fields[name] is None or any(r["field"] == name for r in rows)]
            if gone:
                self._connection.execute(
                    delete(PERSONAL).where(PERSONAL.c.subject_id == subject_id, PERSONAL.c.field.in_(gone))
                )
                self._leaves_traces()
            if rows:
                insert_all(self._connection, PERSONAL, rows)

    def keep_all_personal(self, fields_of: Mapping[str, Mapping[str, Any]]) -> None:
        rows = [
            {"subject_id": subject_id, "field": name, "value": canonical(value)}
            for subject_id, fields in fields_of.items()
            for name, value in fields.items()
            if value is not None
        ]
        for row in rows:
            _check_texts(row)
        with self._whole():
            for start in range(0, len(rows), AT_ONCE):
                insert_all(self._connection, PERSONAL, rows[start : start + AT_ONCE])

    def erase_personal(self, subject_id: str) -> bool:
        with self._whole():
            gone = self._connection.execute(delete(PERSONAL).where(PERSONAL.c.subject_id == subject_id))
            self._erase_usage(subject_id)
            self.erased_subjects.append(subject_id)
            if gone.rowcount:
                self._leaves_traces()
            return bool(gone.rowcount)

    def keep_reply(self, key: str, reply: Reply) -> None:
        self.keep_replies({key: reply})

    def keep_replies(self, replies: Mapping[str, Reply]) -> None:
        rows = [
            {"key": key, "at_us": r.at, "asked": r.asked, "status": r.status, "body": r.body}
            for key, r in replies.items()
        ]
        for row in rows:
            _check_texts(row)
        with self._whole():
            for start in range(0, len(rows), AT_ONCE):
                insert_all(self._connection, REPLIES, rows[start : start + AT_ONCE])

    def drop_replies(self, before: int) -> int:
        with self._whole():
            return self._connection.execute(delete(REPLIES).where(REPLIES.c.at_us < before)).rowcount

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone: what it wrote is undone, the rest of the transaction stands."""
        sequence, last_hash, erased, rows = self._sequence, self._hash, self.erased, len(self._journal)
        self._depth += 1
        name = f"part_{self._depth}"
        with self._or_lost():
            say(self._connection, f"SAVEPOINT {name}")
        try:
            yield
        except BaseException as error:
            self._depth -= 1
            if not self._undone(name):
                self._broken = self.is_lost = True
                if isinstance(error, Unavailable) or not isinstance(error, Exception):
                    raise
                raise Unavailable(LOST[0], THING, *LOST[1:]) from None
            self._sequence, self._hash, self.erased, self._broken = sequence, last_hash, erased, False
            del self._journal[rows:]
            raise
        self._depth -= 1
        with self._or_lost():
            say(self._connection, f"RELEASE SAVEPOINT {name}")

    @contextlib.contextmanager
    def _or_lost(self) -> Iterator[None]:
        """Where a savepoint cannot be set or let go, the whole transaction is given up."""
        try:
            with told():
                yield
        except BaseException:
            self._broken = self.is_lost = True
            raise

    def _undone(self, name: str) -> bool:
        """Go back to a savepoint; False where the database has given up the whole transaction already."""
        if self._connection.invalidated:
            return False
        try:
            say(self._connection, f"ROLLBACK TO SAVEPOINT {name}")
            say(self._connection, f"RELEASE SAVEPOINT {name}")
        except DBAPIError:
            return False
        return True

    def finish(self) -> None:
        """Write the rows of the journal. The last thing before the transaction is committed."""
        if self._broken:
            raise Unavailable(
                "store.half-done",
                THING,
                "a statement of this change failed before; nothing of it was written",
                "try again",
            )
        with self._whole():
            for start in range(0, len(self._journal), AT_ONCE):
                insert_all(self._connection, JOURNAL, self._journal[start : start + AT_ONCE])
            if self._journal:
                _SET_HEAD.run(self._connection, {"to_sequence": self._sequence, "to_hash": self._hash})

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Statements that belong together: if the database fails amid them, nothing more is committed."""
        try:
            yield
        except DBAPIError as error:
            self._broken = True
            raise translated(error) from None

    def _leaves_traces(self) -> None:
        self.erased = True
        self._connection.execute(delete(META).where(META.c.name == TRACES))
        self._connection.execute(insert(META), {"name": TRACES, "value": "1"})

    def _looked_up(self, room: Room[T], part: Sequence[tuple[Stored[T], Sequence[Event]]]) -> _Batch:
        """What stands in the database about the things of a batch, and about the keys that they want."""
        facets = [room.facets(stored.thing) for stored, _ in part]
        for (stored, _), of_it in zip(part, facets, strict=True):
            _check_texts({"id": stored.id, **of_it.keys})
        now: dict[str, _Now] = {}
        owners: dict[tuple[str, str], str] = {}
        for id, version, status, name, value in self._standing(room.kind, {stored.id for stored, _ in part}):
            thing = now.setdefault(id, _Now(version, status))
            if name is not None:
                thing.keys[name] = value
                owners[name, value] = id
        wanted = {key for of_it in facets for key in of_it.keys.items()} - set(owners)
        for name in {name for name, _ in wanted}:
            values = [value for of_name, value in wanted if of_name == name]
            owners.update({(name, value): id for value, id in self._taken(room.kind, name, values)})
        return _Batch(facets, now, owners, dict(owners))

    def _standing(self, kind: str, ids: Collection[str]) -> Iterable[Sequence[Any]]:
        if len(ids) == 1:
            return _STANDING_ONE.all(self._connection, {"of_kind": kind, "of_id": next(iter(ids))})
        return _STANDING.all(self._connection, {"of_kind": kind, "ids": list(ids)})

    def _taken(self, kind: str, name: str, values: Sequence[str]) -> Iterable[Sequence[Any]]:
        given = {"of_kind": kind, "of_name": name}
        if len(values) == 1:
            return _TAKEN_ONE.all(self._connection, {**given, "of_value": values[0]})
        return _TAKEN.all(self._connection, {**given, "values": values})

    def _change(
        self, batch: _Batch, room: Room[T], stored: Stored[T], facets: Facets, events: Sequence[Event]
    ) -> Stored[T]:
        now = batch.now.get(stored.id)
        if (now.version if now else 0) != stored.version:
            raise _changed(room, stored, now)
        if not events:
            raise ValueError("a thing is written with the events that made it so")
        keys = dict(facets.keys)
        for key in keys.items():
            if batch.owners.get(key, stored.id) != stored.id:
                raise Conflict(
                    f"{room.kind}.duplicate",
                    f"{room.kind} {stored.id}",
                    f"its {key[0]} belongs to another {room.kind} already",
                    f"check the {key[0]}, or find the other {room.kind} by it",
                )
        for key in now.keys.items() if now else ():
            batch.owners.pop(key, None)
        batch.owners.update(dict.fromkeys(keys.items(), stored.id))
        version = stored.version + 1
        row = {
            "kind": room.kind,
            "id": stored.id,
            "version": version,
            "status": facets.status,
            "region": facets.region,
            "owner": facets.owner,
            "words": searched(stored.id, facets),
            "body": canonical(room.to_plain(stored.thing)),
        }
        _check_texts(row)
        (batch.changed if now else batch.new).append(row)
        batch.now[stored.id] = _Now(version, facets.status, keys)
        for event in events:
            batch.journal.append(self._link(event, stored.id, version))
        return Stored(stored.id, stored.thing, version)

    def _link(self, event: Event, id: str, version: int) -> dict[str, Any]:
        """The event as the next row of the chain."""
        if type(event) not in self._known_events or event.subject_id != id:
            raise ValueError(f"{type(event).__name__} is no event of a room of this store about {id}")
        sequence = self._sequence + 1
        row: dict[str, Any] = {
            "sequence": sequence,
            "at_us": event.at,
            "by_id": event.by,
            "name": event.NAME,
            "subject_id": event.subject_id,
            "cause_id": event.cause_id,
            "version": version,
            "payload": canonical(to_payload(event)),
            "previous_hash": self._hash,
        }
        _check_texts(row)
        row["hash"] = row_hash(row)
        self._sequence, self._hash = sequence, row["hash"]
        return row

    def _write(self, batch: _Batch, room: Room[Any]) -> None:
        before, after = batch.owners_before, batch.owners
        gone = [
            {"of_kind": room.kind, "of_name": key[0], "of_value": key[1]}
            for key in before
            if after.get(key) != before[key]
        ]
        come = [
            {"kind": room.kind, "name": key[0], "value": key[1], "id": id}
            for key, id in after.items()
            if before.get(key) != id
        ]
        if batch.new:
            insert_all(self._connection, THINGS, batch.new)
        if batch.changed:
            rows = [{**row, "of_kind": row.pop("kind"), "of_id": row.pop("id")} for row in batch.changed]
            _UPDATE_THING.run_each(self._connection, rows)
        _DELETE_KEY.run_each(self._connection, gone)
        if come:
            insert_all(self._connection, THING_KEYS, come)
        self._journal.extend(batch.journal)
        self.written += len(batch.new)


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that all have every column, with plain values."""
    _INSERT[table].run_each(connection, rows)


def _changed(room: Room[T], stored: Stored[T], now: _Now | None) -> Conflict:
    if now is None:
        rule = "it is not there any more"
    elif not stored.version:
        rule = f"it is there already: version {now.version}; it is {now.status} now"
    else:
        rule = (
            f"it was changed meanwhile: version {now.version}, not {stored.version}; it is {now.status} now"
        )
    return Conflict(
        f"{room.kind}.changed", f"{room.kind} {stored.id}", rule, "read it again, and decide anew"
    )


def _check_texts(row: Mapping[str, Any]) -> None:
    """PostgreSQL has no zero character; neither database has half of one."""
    every = "".join([value for value in row.values() if isinstance(value, str)])
    if "\0" not in every and _is_whole(every):
        return
    for name, value in row.items():
        if isinstance(value, str) and ("\0" in value or not _is_whole(value)):
            raise Refused(
                "store.text", name, "a text is made of whole characters, without zeros", "correct the text"
            )


def _is_whole(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
