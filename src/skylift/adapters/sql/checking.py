"""Checking the journal: that each row is as it was written, and that state is what the events made of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, bindparam, func, select, tuple_

from skylift.adapters.sql.chain import canonical, row_hash
from skylift.adapters.sql.journal import COLUMNS, Written, rows_after, to_event
from skylift.adapters.sql.reading import searched
from skylift.adapters.sql.ready import Ready, among
from skylift.adapters.sql.schema import JOURNAL, JOURNAL_HEAD, THING_KEYS, THINGS
from skylift.base.errors import SkyliftError
from skylift.base.events import EventTypes
from skylift.base.things import Room
from skylift.ports.store import Audit

ROWS_AT_ONCE = 2000
# More differing things are not named: the first hundred say enough.
MOST_NAMED = 100

# A number that whoever wrote the table anew may have begun with.
_BEFORE_ALL = -(2**63)
_OF_SUBJECTS = Ready(
    select(*COLUMNS)
    .where(
        tuple_(JOURNAL.c.subject_id, JOURNAL.c.sequence)
        > tuple_(bindparam("of_subject", type_=Text), bindparam("after", type_=BigInteger))
    )
    .order_by(JOURNAL.c.subject_id, JOURNAL.c.sequence)
    .limit(ROWS_AT_ONCE)
)
_STATE = tuple(THINGS.c[name] for name in ("version", "status", "region", "owner", "words", "body"))
_STATES_OF = Ready(
    select(THINGS.c.id, *_STATE).where(THINGS.c.kind == bindparam("of_kind"), among(THINGS.c.id, "ids"))
)
_KEYS_OF = Ready(
    select(THING_KEYS.c.id, THING_KEYS.c.name, THING_KEYS.c.value).where(
        THING_KEYS.c.kind == bindparam("of_kind"), among(THING_KEYS.c.id, "ids")
    )
)


def check(
    connection: Connection, rooms: Sequence[Room[Any]], head: str | None, progress: Callable[[int], None]
) -> Audit:
    """What `Store.verify` finds, all at one instant."""
    rows, last_hash, bad, why, head_seen = _check_rows(connection, head, progress)
    if bad is None:
        bad, why = _check_head(connection, rows, last_hash)
    if bad is None and head and not head_seen:
        bad, why = rows + 1, "the given head is not in the chain: it was cut, or written anew"
    differing: tuple[tuple[str, str], ...] = ()
    if bad is None:
        bad, why, differing = _check_state(connection, rooms)
    return Audit(rows, not why, bad, last_hash, why, differing)


def _check_rows(
    connection: Connection, head: str | None, progress: Callable[[int], None]
) -> tuple[int, str, int | None, str, bool]:
    """How many rows, the last good one's hash, the first bad one and why, whether `head` is there."""
    rows, last_hash, head_seen = 0, "", False
    for row in _paged(connection):
        rows += 1
        if row.sequence != rows:
            why = f"row {rows} is missing"
        elif row.previous_hash != last_hash:
            why = f"row {rows} does not follow from the row before it"
        elif not _is_as_written(row):
            why = f"row {rows} is not as it was written"
        else:
            last_hash = row.hash
            head_seen |= last_hash == head
            if rows % ROWS_AT_ONCE == 0:
                progress(ROWS_AT_ONCE)
            continue
        everything = connection.execute(select(func.count()).select_from(JOURNAL)).scalar_one()
        return everything, last_hash, rows, why, head_seen
    progress(rows % ROWS_AT_ONCE)
    return rows, last_hash, None, "", head_seen


def _is_as_written(row: Written) -> bool:
    try:
        return row_hash(row._asdict()) == row.hash
    except SkyliftError:
        return False


def _paged(connection: Connection) -> Iterator[Written]:
    after = _BEFORE_ALL
    while True:
        page = rows_after(connection, after, ROWS_AT_ONCE)
        yield from page
        if len(page) < ROWS_AT_ONCE:
            return
        after = page[-1].sequence


def _check_head(connection: Connection, rows: int, last_hash: str) -> tuple[int | None, str]:
    head = connection.execute(select(JOURNAL_HEAD.c.sequence, JOURNAL_HEAD.c.hash)).one_or_none()
    if head is None:
        return rows + 1, "the journal's head row is missing"
    if head.sequence > rows:
        return rows + 1, f"row {rows + 1} is missing: there were {head.sequence}"
    if head.sequence < rows:
        return head.sequence + 1, f"row {head.sequence + 1} was added by something else"
    if head.hash != last_hash:
        return max(rows, 1), "the journal's head row does not agree with its last row"
    return None, ""


def _check_state(
    connection: Connection, rooms: Sequence[Room[Any]]
) -> tuple[int | None, str, tuple[tuple[str, str], ...]]:
    """Every thing replayed from its events, against its rows."""
    of_event = {kind.NAME: room for room in rooms for kind in room.events}
    types = EventTypes(kind for room in rooms for kind in room.events)
    differing: list[tuple[str, str]] = []
    seen = keys = 0
    for group in _by_subject(connection):
        expected: dict[tuple[str, str], _Replayed] = {}
        for row in group:
            room = of_event.get(row.name)
            if room is None:
                return row.sequence, f"row {row.sequence} is of a kind that this version does not know", ()
            replayed = expected.setdefault((room.kind, row.subject_id), _Replayed(room, row.subject_id))
            replayed.add(types, row)
        stored = _states(connection, list(expected))
        seen += len(stored)
        keys += sum(len(state[-1]) for state in stored.values())
        differing.extend(key for key, replayed in expected.items() if not replayed.stands_as(stored.get(key)))
    if keys != connection.execute(select(func.count()).select_from(THING_KEYS)).scalar_one():
        differing.extend(_keys_of_nothing(connection))
    if seen != connection.execute(select(func.count()).select_from(THINGS)).scalar_one():
        differing.extend(_without_events(connection, rooms))
    if not differing:
        return None, "", ()
    many = len(set(differing))
    whose = "thing is not what its events make of it"
    if many > 1:
        whose = "things are not what their events make of them"
    why = f"{many} {whose}"
    return None, why, tuple(sorted(set(differing))[:MOST_NAMED])


class _Replayed:
    """A thing as its events make it."""

    def __init__(self, room: Room[Any], id: str) -> None:
        self._room = room
        self._thing = room.empty(id)
        self._id = id
        self._version = 0
        self._possible = True

    def add(self, types: EventTypes, row: Written) -> None:
        # Versions of a thing's rows go up by one with each change, and never skip.
        self._possible &= row.version in (self._version, self._version + 1) and row.version > 0
        self._version = row.version
        try:
            if self._possible:
                self._thing = self._room.apply(self._thing, to_event(types, row))
        except SkyliftError:
            self._possible = False

    def stands_as(self, stored: tuple[Any, ...] | None) -> bool:
        """Whether `stored`, as `_states` gives it, is what the events made."""
        if not self._possible or stored is None:
            return False
        facets = self._room.facets(self._thing)
        words = searched(self._id, facets)
        keys = tuple(sorted(facets.keys.items()))
        *columns, body, stored_keys = stored
        made = [self._version, facets.status, facets.region, facets.owner, words]
        return columns == made and stored_keys == keys and self._is_body(body)

    def _is_body(self, body: str) -> bool:
        plain = self._room.to_plain(self._thing)
        if body == canonical(plain):
            return True
        # An older version wrote it, before states had some fields that are read as their defaults.
        try:
            read, older = self._room.reader.decode(body), json.loads(body)
        except ValueError:
            return False
        return read == self._thing and body == canonical(_as_old_as(older, plain))


def _as_old_as(older: Any, plain: Any) -> Any:
    """`plain` without the fields that `older` lacks."""
    if isinstance(older, dict) and isinstance(plain, dict):
        return {name: _as_old_as(older[name], value) for name, value in plain.items() if name in older}
    if isinstance(older, list) and isinstance(plain, list) and len(older) == len(plain):
        return [_as_old_as(*pair) for pair in zip(older, plain, strict=True)]
    return plain


def _by_subject(connection: Connection) -> Iterator[list[Written]]:
    """All rows about some subjects at a time, those of one subject together and in order."""
    after: Written | None = None
    waiting: list[Written] = []
    while True:
        given = {"of_subject": after.subject_id if after else "", "after": after.sequence if after else 0}
        page = [Written(*row) for row in _OF_SUBJECTS.all(connection, given)]
        waiting.extend(page)
        if len(page) < ROWS_AT_ONCE:
            if waiting:
                yield waiting
            return
        after = page[-1]
        whole = [row for row in waiting if row.subject_id != after.subject_id]
        if whole:
            yield whole
        waiting = waiting[len(whole) :]


def _states(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(kind, id) -> version, facets, words, body and keys, as they are stored."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    ids: dict[str, list[str]] = defaultdict(list)
    for kind, id in wanted:
        ids[kind].append(id)
    for kind, some in ids.items():
        keys: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for id, name, value in _KEYS_OF.all(connection, {"of_kind": kind, "ids": some}):
            keys[id].append((name, value))
        for id, *columns in _STATES_OF.all(connection, {"of_kind": kind, "ids": some}):
            found[kind, id] = (*columns, tuple(sorted(keys[id])))
    return found


def _keys_of_nothing(connection: Connection) -> Iterator[tuple[str, str]]:
    """(kind, id) of keys whose thing is not there."""
    of_key = (THINGS.c.kind == THING_KEYS.c.kind) & (THINGS.c.id == THING_KEYS.c.id)
    found = connection.execute(
        select(THING_KEYS.c.kind, THING_KEYS.c.id)
        .outerjoin_from(THING_KEYS, THINGS, of_key)
        .where(THINGS.c.id.is_(None))
        .limit(MOST_NAMED)
    )
    return ((row.kind, row.id) for row in found)


def _without_events(connection: Connection, rooms: Sequence[Room[Any]]) -> Iterator[tuple[str, str]]:
    """Things that no event speaks of."""
    known: dict[str, list[str]] = {room.kind: [kind.NAME for kind in room.events] for room in rooms}
    of_thing = select(THINGS.c.kind, THINGS.c.id).order_by(THINGS.c.kind, THINGS.c.id)
    for kind, rows in groupby(connection.execute(of_thing).all(), key=lambda row: row.kind):
        ids = [row.id for row in rows]
        for start in range(0, len(ids), ROWS_AT_ONCE):
            some = ids[start : start + ROWS_AT_ONCE]
            told = set(
                connection.execute(
                    select(JOURNAL.c.subject_id).where(
                        JOURNAL.c.subject_id.in_(some), JOURNAL.c.name.in_(known.get(kind, []))
                    )
                ).scalars()
            )
            yield from ((kind, id) for id in some if id not in told)
