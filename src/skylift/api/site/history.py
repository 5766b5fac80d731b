"""What happened to a thing, from the journal: when, on whose authority, what. Nothing in it is personal."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, get_args, get_type_hints

from skylift.api.office.desk import Desk
from skylift.api.office.serving import may_hear
from skylift.api.site.fields import typed, without_none
from skylift.api.site.values import (
    NONE,
    Badge,
    Link,
    Mono,
    Value,
    kind_of,
    named,
    path_of,
    rate,
    several,
    short,
    time_of,
)
from skylift.api.site.visit import Visit
from skylift.api.site.words import choice_label, field_label, plain, verb_label
from skylift.base.events import Event, to_payload
from skylift.base.instants import InstantUs, format_instant
from skylift.base.life_cycle import verb
from skylift.ports.store import JournalRow, Reader
from skylift.service.account.person import ROOM as PERSONS
from skylift.service.account.roles import Subject
from skylift.service.rooms import ROOMS
from skylift.twin.office.table import TABLE
from skylift.twin.office.verbs import Actor

AT_ONCE = 40
MOST_OF_A_LIST = 6


def _fields(kind: type) -> Iterator[tuple[str, Any]]:
    """What an event or a proposal is made of, and the parts of its parts."""
    for name, hint in get_type_hints(kind).items():
        bare = without_none(hint)[0]
        yield name, bare
        for part in (bare, *get_args(bare)):
            if isinstance(part, type) and is_dataclass(part):
                yield from _fields(part)


_HINTS = [
    found
    for kind in (*(e for room in ROOMS for e in room.events), *(v.arguments for v in TABLE.verbs.values()))
    for found in _fields(kind)
]
INSTANTS = frozenset(name for name, hint in _HINTS if hint is InstantUs)
# Words that are picked from a list, as against those that somebody typed.
CHOSEN = frozenset(
    str(one.value)
    for _, hint in _HINTS
    if isinstance(hint, type) and issubclass(hint, enum.Enum)
    for one in hint
)
NOTHING: tuple[Any, ...] = ("", None, [], (), {})
_HASHES = ("change", "hash", "seen")


@dataclass(frozen=True, slots=True)
class Happened:
    """One row. version: of the thing after it; sequence: in the journal."""

    sequence: int
    version: int
    at: Value
    what: str
    who: Value
    details: list[tuple[str, Value]]


@dataclass(frozen=True, slots=True)
class History:
    """The newest first; older: where the next ones begin, None at the beginning of all."""

    rows: list[Happened]
    older: int | None


async def history_of(visit: Visit, subject_id: str, before: int | None = None) -> History:
    """What this visitor may know of what happened to a thing that they may read."""
    return await visit.desk.read(lambda reader: _read(visit.desk, reader, visit.who, subject_id, before))


def _read(desk: Desk, reader: Reader, actor: Actor, subject_id: str, before: int | None) -> History:
    rows = desk.store.history(subject_id, before, AT_ONCE)
    now = int(desk.clock.now())
    heard = [row for row in rows if may_hear(desk, reader, actor, row.event)]
    people = _people(desk, reader, actor, {row.event.by for row in heard})
    older = rows[-1].sequence if len(rows) == AT_ONCE else None
    return History([_happened(row, people, now) for row in heard], older)


def _people(desk: Desk, reader: Reader, actor: Actor, ids: set[str]) -> Mapping[str, Value]:
    """Who they are: oneself, or roles and an id, never a name."""
    found: dict[str, Value] = {}
    for id in ids:
        stored = reader.get(PERSONS, id) if id.startswith(PERSONS.prefix) else None
        if id == actor.person:
            found[id] = Badge("you", "calm")
        elif stored is None:
            found[id] = plain(id) if id.isalpha() else named(id)
        else:
            readable = desk.office.allows(actor, "person.read", Subject(owner=stored.thing.account))
            roles = ", ".join(choice_label(g.role).lower() for g in stored.thing.grants) or "somebody"
            found[id] = Link(f"{roles} {short(id)}", path_of("person", id)) if readable else roles
    return found


def _happened(row: JournalRow, people: Mapping[str, Value], now: int) -> Happened:
    event = row.event
    return Happened(
        row.sequence,
        row.version,
        time_of(event.at, now),
        sentence(event),
        people[event.by],
        details_of(event, now),
    )


def sentence(event: Event) -> str:
    """ "Asker verified", "Licence granted": what the event's name says."""
    return plain(verb(type(event)))


def details_of(event: Event, now: int) -> list[tuple[str, Value]]:
    """What the event tells beside who and when."""
    kind = event.NAME.partition(".")[0]
    found = [
        (field_label(f"{kind}.{verb(type(event))}", name), shown(name, value, now))
        for name, value in to_payload(event).items()
        if name not in ("hash",) and value not in NOTHING
    ]
    if event.cause_id:
        found.append(("Because of", named(event.cause_id)))
    return found


def shown(name: str, value: Any, now: int) -> Value:
    """A plain value of an event or of a proposal."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() if name in INSTANTS:
            return time_of(value, now)
        case int() | float():
            return rate(value) if name.endswith("_bps") else f"{value:,}"
        case str():
            return _text(name, value)
        case list() | tuple():
            return _list(name, value, now)
        case dict() if "product" in value:
            return Mono(line_words(value))
        case dict():
            told = [(key, part) for key, part in value.items() if part not in NOTHING]
            words = (f"{_part_label(name, key)}: {_flat(key, part)}" for key, part in told)
            return several(words, MOST_OF_A_LIST)
    return NONE


def _text(name: str, value: str) -> Value:
    if name in _HASHES and len(value) == 64:
        return Mono(f"{value[:16]}…")
    if name in ("cell", "serial", "kit", "dish_id", "number", "former", "product"):
        return Mono(value)
    if name == "verb":
        return verb_label(value)
    if name == "command_id":
        return Mono(short(value))
    return choice_label(value) if value in CHOSEN else named(value)


def _list(name: str, value: Sequence[Any], now: int) -> Value:
    if value and isinstance(value[0], dict) and "product" in value[0]:
        return several((Mono(line_words(line)) for line in value), MOST_OF_A_LIST)
    if name == "cells" and len(value) > MOST_OF_A_LIST:
        return f"{len(value):,} cells"
    return several((shown("cell" if name == "cells" else "", part, now) for part in value), MOST_OF_A_LIST)


def line_words(line: Mapping[str, Any]) -> str:
    """A line of a consignment in one row."""
    if line.get("serial"):
        return f"{line['serial']} ({line['product']})"
    return f"{line.get('quantity', 1)} × {line['product']}"


def _part_label(name: str, key: str) -> str:
    """Of one part of a value: its field, or the thing that it is told of; "" is what is of none."""
    if not key:
        return f"No {name.removesuffix('s')}"
    return short(key) if kind_of(key) else field_label("", f"{name}.{key}")


def _flat(name: str, value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() if name.endswith("_bps"):
            return rate(value)
        case int() if name in INSTANTS:
            return format_instant(value)
        case str():
            return choice_label(value) if value in CHOSEN else short(value) if kind_of(value) else value
        case list() | tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(_flat(key, part) for key, part in value.items())
    return typed(value)
