"""Reading things, personal rows and the journal, as they stand in one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
)

from skylift.adapters.sql.chain import canonical
from skylift.adapters.sql.counting import CountsSqlReader
from skylift.adapters.sql.faults import corrupt, told
from skylift.adapters.sql.ready import Ready, among
from skylift.adapters.sql.schema import LOGIN_FIELD, PERSONAL, REPLIES, THING_KEYS, THINGS
from skylift.base.things import Facets, Room
from skylift.ports.store import Reply, Stored, Wanted

T = TypeVar("T")

# How many things are looked up, or rows written, by one statement.
AT_ONCE = 500

_THING = (THINGS.c.id, THINGS.c.version, THINGS.c.body)

# Of a word of fewer letters PostgreSQL's guess is too high: all things are read, and then put in order.
LEAST_GUESSED = 3

_GET = Ready(select(*_THING).where(THINGS.c.kind == bindparam("of_kind"), THINGS.c.id == bindparam("of_id")))
_FIND = Ready(
    select(*_THING).where(
        THINGS.c.kind == bindparam("of_kind"),
        THINGS.c.id
        == select(THING_KEYS.c.id)
        .where(
            THING_KEYS.c.kind == bindparam("of_kind"),
            THING_KEYS.c.name == bindparam("of_name"),
            THING_KEYS.c.value == bindparam("of_value"),
        )
        .scalar_subquery(),
    )
)
_PERSONAL = Ready(
    select(PERSONAL.c.field, PERSONAL.c.value)
    .where(PERSONAL.c.subject_id == bindparam("of_id"))
    .order_by(PERSONAL.c.field)
)
_LOGIN = Ready(
    select(PERSONAL.c.subject_id).where(
        # Written out, so that the index of this field alone is used.
        PERSONAL.c.field == literal_column(f"'{LOGIN_FIELD}'"),
        PERSONAL.c.value == bindparam("of_value"),
    )
)
_GET_ALL = Ready(select(*_THING).where(THINGS.c.kind == bindparam("of_kind"), among(THINGS.c.id, "ids")))
_FIND_ALL = Ready(
    select(THING_KEYS.c.value, *_THING).where(
        THING_KEYS.c.kind == bindparam("of_kind"),
        THING_KEYS.c.name == bindparam("of_name"),
        among(THING_KEYS.c.value, "values"),
        THINGS.c.kind == THING_KEYS.c.kind,
        THINGS.c.id == THING_KEYS.c.id,
    )
)
_ANSWER = (REPLIES.c.at_us, REPLIES.c.asked, REPLIES.c.status, REPLIES.c.body)
_REPLIES = Ready(select(REPLIES.c.key, *_ANSWER).where(among(REPLIES.c.key, "keys")))
_REPLY = Ready(select(*_ANSWER).where(REPLIES.c.key == bindparam("of_key")))


class SqlReader(CountsSqlReader):
    """The Reader port on one connection, inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, room: Room[T], id: str) -> Stored[T] | None:
        return self._one(room, _GET, {"of_kind": room.kind, "of_id": id})

    def find(self, room: Room[T], key: str, value: str) -> Stored[T] | None:
        return self._one(room, _FIND, {"of_kind": room.kind, "of_name": key, "of_value": value})

    def get_all(self, room: Room[T], ids: Collection[str]) -> Mapping[str, Stored[T]]:
        found: dict[str, Stored[T]] = {}
        for some in _parts(ids):
            with told():
                rows = _GET_ALL.all(self._connection, {"of_kind": room.kind, "ids": some})
            found.update((row[0], to_stored(room, row)) for row in rows)
        return found

    def find_all(self, room: Room[T], key: str, values: Collection[str]) -> Mapping[str, Stored[T]]:
        found: dict[str, Stored[T]] = {}
        for some in _parts(values):
            given = {"of_kind": room.kind, "of_name": key, "values": some}
            with told():
                rows = _FIND_ALL.all(self._connection, given)
            found.update((value, to_stored(room, row)) for value, *row in rows)
        return found

    def list(self, room: Room[T], wanted: Wanted) -> Sequence[Stored[T]]:
        with told():
            rows = self._connection.execute(listing(room.kind, wanted, self._connection.dialect.name)).all()
        return [to_stored(room, row) for row in rows]

    def personal(self, subject_id: str) -> Mapping[str, Any]:
        return {field: json.loads(value) for field, value in self._personal(subject_id).items()}

    def find_login(self, email: str) -> str | None:
        with told():
            row = _LOGIN.first(self._connection, {"of_value": canonical(email)})
        return None if row is None else str(row[0])

    def reply(self, key: str) -> Reply | None:
        with told():
            row = _REPLY.first(self._connection, {"of_key": key})
        return None if row is None else Reply(*row)

    def replies(self, keys: Collection[str]) -> Mapping[str, Reply]:
        found: dict[str, Reply] = {}
        for some in _parts(keys):
            with told():
                rows = _REPLIES.all(self._connection, {"keys": some})
            found.update((key, Reply(*answer)) for key, *answer in rows)
        return found

    def _personal(self, subject_id: str) -> dict[str, str]:
        """Fields and their values as they are kept."""
        with told():
            return dict(_PERSONAL.all(self._connection, {"of_id": subject_id}))

    def _one(self, room: Room[T], wanted: Ready, given: Mapping[str, str]) -> Stored[T] | None:
        with told():
            row = wanted.first(self._connection, given)
        return None if row is None else to_stored(room, row)


def _parts(names: Collection[str]) -> Iterator[Sequence[str]]:
    # Nothing kept has a zero character (writing._check_texts), and a database stops reading at one.
    every = sorted(name for name in names if "\0" not in name)
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))


def to_stored(room: Room[T], row: Sequence[Any]) -> Stored[T]:
    """Id, version and body as the thing; Unavailable where its body is not one."""
    id, version, body = row
    try:
        thing = room.reader.decode(body)
    except (ValueError, TypeError):  # msgspec's errors are ValueErrors
        raise corrupt() from None
    return Stored(id, thing, version)


def listing(kind: str, wanted: Wanted, dialect: str) -> Select[Any]:
    """The statement for a page of a list."""
    words = [word.casefold() for word in wanted.words if word]
    # By the index on status or region SQLite would fetch each thing, one by one, to see its words. Looking
    # through all of the narrow index takes the same short time whatever is asked for; an owner has few.
    looks_through = bool(words) and not wanted.owner and dialect == "sqlite"
    where: list[ColumnElement[bool]] = [THINGS.c.kind == kind]
    for name, value in (("status", wanted.status), ("region", wanted.region), ("owner", wanted.owner)):
        if value and looks_through:
            # A plus: "do not choose an index for this one" (sqlite.org/optoverview.html, 6.1).
            where.append(literal_column(f"+things.{name}", Text) == value)
        elif value:
            where.append(THINGS.c[name] == value)
    if wanted.after:
        where.append(THINGS.c.id < wanted.after if wanted.newest else THINGS.c.id > wanted.after)
    if dialect == "sqlite":
        where.extend(func.instr(THINGS.c.words, word) > 0 for word in words)
    else:
        where.extend(_like(word) for word in words)
    if not looks_through:
        order: ColumnElement[Any] = THINGS.c.id
        if words and max(map(len, words)) < LEAST_GUESSED and dialect == "postgresql":
            order = THINGS.c.id.concat("")
        return select(*_THING).where(*where).order_by(_turned(order, wanted)).limit(wanted.limit)
    # Nothing but what is in that index, so that SQLite takes it.
    ids = select(THINGS.c.id).where(*where).order_by(_turned(THINGS.c.id, wanted)).limit(wanted.limit)
    found = THINGS.alias("found")
    return (
        select(found.c.id, found.c.version, found.c.body)
        .where(found.c.kind == kind, found.c.id.in_(ids.scalar_subquery()))
        .order_by(_turned(found.c.id, wanted))
    )


def _turned(order: ColumnElement[Any], wanted: Wanted) -> ColumnElement[Any]:
    return order.desc() if wanted.newest else order


def _like(word: str) -> ColumnElement[bool]:
    """For PostgreSQL, whose planner guesses from the word itself how many things hold it.

    What few hold it finds by reading the table once from end to end, and what many hold by walking along the
    ids until the page is full. Of `strpos`, or of a word that it is not told, it would take a third of all
    things to hold it, and walk along all ids for one that none does.
    """
    escaped = word.replace("/", "//").replace("%", "/%").replace("_", "/_")
    pattern: BindParameter[str] = bindparam(None, f"%{escaped}%", literal_execute=True)
    return THINGS.c.words.like(pattern, escape="/")


def searched(id: str, facets: Facets) -> str:
    """What a search looks through: one a line, in one case, so that no word is found across two."""
    return "\n".join((id, *facets.keys.values(), *facets.words)).casefold()
