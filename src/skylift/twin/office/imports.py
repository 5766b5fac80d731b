"""A table against what is there: what is new, what would change, what is the same, and what cannot be taken.

plan = planned(office, reader, actor, at, kind, table)     writes nothing
plan.hash                                                  names just this, for whoever applies it
writing(plan, ...)                                         see imports_writing.py

A row does what the verbs of the table do, with their rules, and to nothing that its person may not change
one by one. After its steps the thing must be what the row says; where an import has no step for that, the
row is bad.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.service.importing.state import Looked, Tally
from skylift.service.region import state as regions
from skylift.twin.office.imports_table import BadCell, Column, Table, guarded, places, read_row
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Actor, Moment, Verb

T = TypeVar("T")

# So many rows in one transaction: a quarter of a second, in which nobody else can write.
PART = 2_000

# As in base 32, in the order in which databases sort them.
_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"

Row = Mapping[str, Any]


class Verdict(enum.Enum):
    """What a row is."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    BAD = "bad"


class Step(NamedTuple):
    """A verb, and what it is told."""

    verb: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class ImportKind:
    """How a table of one kind of thing is read.

    needs      of each of these columns one must be there
    keys       columns whose value is unique among all things of the kind; none: rows that have been taken are
               remembered for a week instead
    begin      what is done to begin the thing of a row
    change     what is done so that a thing becomes what a row says
    show       a thing as a row shows it: what a row is compared with, before and after
    rows       a thing as its rows: what is exported
    together   several rows may be of one thing, as those of a consignment's lines are: those with the same
               value of this key
    limited    one person changes no more of what is there than alone.py allows
    """

    room: Room[Any]
    columns: tuple[Column, ...]
    needs: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...]
    begin: Callable[[Row], Sequence[Step]]
    change: Callable[[Any, Row], Sequence[Step]]
    show: Callable[[Any, Row], Mapping[str, Any]]
    rows: Callable[[Any], Sequence[Row]]
    together: str = ""
    limited: bool = False

    @property
    def kind(self) -> str:
        return self.room.kind


class Change(NamedTuple):
    """A thing that is there, and what of it would be otherwise: field -> (old, new)."""

    row: int
    id: str
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class ToWrite:
    """What a row does. stored: the thing after it, at the version that it was read at.

    events  those of later rows of the same thing and part are added to them
    """

    stored: Stored[Any]
    events: list[Event]
    personal: Mapping[str, Any]
    remember: str = ""


@dataclass
class Part:
    """Rows that are written together, or not at all. hash: of their verdicts, and of what they were told."""

    hash: str = ""
    writes: list[ToWrite] = field(default_factory=list)


@dataclass
class Plan:
    """What a table would do. bad: every reason; where there is one, nothing can be applied."""

    kind: str
    table: str
    rows: int = 0
    empty: int = 0
    new: int = 0
    same: int = 0
    changed: list[Change] = field(default_factory=list)
    bad: list[BadCell] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def hash(self) -> str:
        parts = "".join(part.hash for part in self.parts)
        return hashlib.sha256(f"{self.kind}\0{self.table}\0{parts}".encode()).hexdigest()

    @property
    def looked(self) -> Looked:
        parts = tuple(part.hash for part in self.parts)
        return Looked(self.kind, self.hash, self.table, parts, Tally(self.new, len(self.changed), self.same))

    @property
    def writes(self) -> int:
        return sum(len(part.writes) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who hands a table in, and when. cause: the import's id, once there is to be one."""

    actor: Actor
    at: InstantUs
    cause: str | None = None


def planned(office: Office, reader: Reader, asker: Asker, kind: ImportKind, table: Table) -> Plan:
    """What a table would do to the things as they are. Raises Refused where it cannot be read at all."""
    by_name = {column.name: column for column in kind.columns}
    columns = [by_name[name] for name in places(table, kind.columns, kind.needs, kind.kind)]
    planner = _Planner(office, cast(Reader, _Remembering(reader)), asker, kind)
    plan = Plan(kind.kind, table.digest, len(table.rows), table.empty)
    rows: list[_Read] = []
    for number, cells in table.rows:
        row, bad = read_row(number, cells, columns, table.odd)
        # Rows of one thing that stand together are written together.
        apart = not kind.together or not rows or rows[-1].row.get(kind.together) != row.get(kind.together)
        if len(rows) >= PART and apart:
            planner.part(plan, rows)
            rows = []
        rows.append(_Read(number, row, bad))
    if rows:
        planner.part(plan, rows)
    return plan


class _Now(NamedTuple):
    """A thing of several rows, after those before; of, place: where it is written."""

    stored: Stored[Any]
    of: Part
    place: int
    told: str

    def for_part(self, part: Part) -> Stored[Any]:
        """At the version that it will have when the part is written."""
        later = 0 if self.of is part else 1
        return Stored(self.stored.id, self.stored.thing, self.stored.version + later)


class _Read(NamedTuple):
    number: int
    row: dict[str, Any]
    bad: list[BadCell]


class _Planner:
    """Goes through a table part by part; what earlier rows have named is known to later ones."""

    def __init__(self, office: Office, reader: Reader, asker: Asker, kind: ImportKind) -> None:
        self._office, self._reader, self._actor, self._kind = office, reader, asker.actor, kind
        who = Who(asker.at, asker.actor.person, asker.cause)
        self._moment = Moment(who, reader, asker.actor, office.ids, "", office.rules)
        self._seen: dict[tuple[str, str], int] = {}
        self._times: dict[str, int] = {}
        self._may: set[tuple[str, str, str]] = set()
        self._begins, self._count = "", -1
        self._now: dict[Any, _Now] = {}
        self._personal = frozenset(column.name for column in kind.columns if column.personal)
        self._fixed = {column.name: column.fixed for column in kind.columns}

    def part(self, plan: Plan, rows: Sequence[_Read]) -> None:
        """Adds the next part to the plan."""
        part = Part()
        digest = hashlib.sha256()
        found = self._found([read.row for read in rows])
        remembered = [("" if self._kind.keys or read.bad else self._row_key(read.row)) for read in rows]
        replies = self._reader.replies([key for key in remembered if key])
        for read, key in zip(rows, remembered, strict=True):
            verdict, told = Verdict.BAD, ""
            if key in replies:
                verdict, told = Verdict.SAME, replies[key].body
            elif not read.bad:
                try:
                    verdict, told = self._row(plan, part, read, found, key)
                except Refused as error:
                    column = error.thing if error.thing in self._fixed else ""
                    read.bad.append(BadCell(read.number, column, error.rule, error.way_out))
            plan.bad += read.bad
            plan.new += verdict is Verdict.NEW
            plan.same += verdict is Verdict.SAME
            digest.update(f"{read.number} {verdict.value} {told}\n".encode())
        part.hash = digest.hexdigest()
        plan.parts.append(part)

    def _row(
        self, plan: Plan, part: Part, read: _Read, found: Mapping[tuple[str, str], Stored[Any]], key: str
    ) -> tuple[Verdict, str]:
        row, kind = read.row, self._kind
        now = self._now.get(row.get(kind.together, "")) if kind.together else None
        if not kind.together:
            self._refuse_twice(read)
        stored = now.for_part(part) if now is not None else self._meant(row, found)
        if stored is None:
            id = self._new_id()
            empty = Stored(id, kind.room.empty(id), 0)
            self._take(part, row, self._walked(empty, kind.begin(row), row, key), "")
            return Verdict.NEW, ""
        told = now.told if now is not None else f"{stored.id} {stored.version}"
        before = kind.show(stored.thing, row)
        fields = {
            name: (before.get(name), value)
            for name, value in row.items()
            if name in self._personal or before.get(name) != value
        }
        if not fields:
            return Verdict.SAME, told
        personal = sorted(set(fields) & self._personal)
        if personal:
            raise Refused(
                "", personal[0], "an import does not change what is personal", "leave the cell empty"
            )
        self._take(part, row, self._walked(stored, kind.change(stored.thing, row), row, ""), told)
        if not told:
            return Verdict.NEW, ""
        plan.changed.append(Change(read.number, stored.id, fields))
        return Verdict.CHANGED, told

    def _take(self, part: Part, row: Row, write: ToWrite, told: str) -> None:
        """Adds it to the part; a thing that an earlier row of the same part has changed is written once."""
        key = row.get(self._kind.together) if self._kind.together else None
        now = self._now.get(key) if key is not None else None
        if now is not None and now.of is part:
            # Added to, not made anew: with 20,000 rows of one thing that would be most of the time.
            events = part.writes[now.place].events
            events += write.events
            part.writes[now.place] = replace(write, events=events)
            self._now[key] = now._replace(stored=write.stored)
            return
        if key is not None:
            self._now[key] = _Now(write.stored, part, len(part.writes), told)
        part.writes.append(write)

    def _walked(self, stored: Stored[Any], steps: Sequence[Step], row: Row, key: str) -> ToWrite:
        """The thing after all steps. Raises Refused where it is not what the row says then."""
        thing = stored.thing
        events: list[Event] = []
        personal: dict[str, Any] = {}
        for step in steps:
            verb = self._office.verb(step.verb)
            arguments: Any = msgspec.convert(step.arguments, verb.arguments)
            self._allowed(verb, thing, arguments)
            for event in verb.decide(thing, self._moment, arguments):
                thing = verb.room.apply(thing, event)
                events.append(event)
            personal |= {name: step.arguments[name] for name in verb.personal if name in step.arguments}
        after = self._kind.show(thing, row)
        for name, value in row.items():
            if name not in self._personal and after.get(name) != value:
                raise Refused(
                    "", name, "it is otherwise, and an import does not change it", self._fixed[name]
                )
        return ToWrite(Stored(stored.id, thing, stored.version), events, personal, key)

    def _allowed(self, verb: Verb, thing: Any, arguments: Any) -> None:
        creates = verb.creates
        subject = verb.subject_of(arguments, self._actor) if creates else verb.subject(thing, arguments)
        known = (verb.name, subject.region, subject.owner)
        if known not in self._may:
            self._office.refuse_strangers(self._actor, verb.name, subject)
            self._may.add(known)
        if verb.people_needed(thing, arguments, self._reader) > 1:
            raise Refused("", "", f"{verb.name} takes two people", "do it by itself, and not by a table")

    def _new_id(self) -> str:
        """Ids of one import stand together, so that a database finds and writes them together; 14 letters of
        each, 70 bits, are its own secret.
        """
        prefix, _, secret = self._office.ids.new(self._kind.room.prefix).partition("_")
        self._begins = self._begins or secret[:-18]
        self._count += 1
        counted = "".join(_LETTERS[self._count >> shift & 31] for shift in (15, 10, 5, 0))
        return f"{prefix}_{self._begins}{counted}{secret[-14:]}"

    # --- which thing a row means

    def _found(self, rows: Sequence[Row]) -> dict[tuple[str, str], Stored[Any]]:
        """Things that the rows name, by column and value."""
        found: dict[tuple[str, str], Stored[Any]] = {}
        ids = {row["id"] for row in rows if "id" in row}
        if ids:
            found |= {("id", id): one for id, one in self._reader.get_all(self._kind.room, ids).items()}
        for key in self._kind.keys:
            values = {row[key] for row in rows if key in row}
            if values:
                of_key = self._reader.find_all(self._kind.room, key, values)
                found |= {(key, value): one for value, one in of_key.items()}
        return found

    def _meant(self, row: Row, found: Mapping[tuple[str, str], Stored[Any]]) -> Stored[Any] | None:
        """The thing that a row names, if there is one that its person may see."""
        named = {name: found.get((name, row[name])) for name in ("id", *self._kind.keys) if name in row}
        things = {one.id: one for one in named.values() if one is not None}
        if len(things) > 1:
            raise Refused("", "", f"its {' and '.join(named)} belong to several things", "correct the row")
        stored = next(iter(things.values()), None)
        if "id" in row and named["id"] is None:
            raise Refused("", "id", "there is none", "leave the cell empty for one that is new")
        if stored is not None:
            facets = self._kind.room.at_a_glance(stored.thing)
            subject = Subject(facets.region, facets.owner)
            if not self._office.allows(self._actor, f"{self._kind.kind}.read", subject):
                column = "id" if "id" in row else next(iter(named))
                raise Refused("", column, "it belongs to something else already", "check it")
        return stored

    def _refuse_twice(self, read: _Read) -> None:
        for name in ("id", *self._kind.keys):
            if name in read.row:
                first = self._seen.setdefault((name, read.row[name]), read.number)
                if first != read.number:
                    raise Refused("", name, f"it is the same as in row {first}", "name each once")

    def _row_key(self, row: Row) -> str:
        """Under which a row is remembered that names nothing: the same row again is the same call."""
        if "id" in row:
            return ""
        text = msgspec.json.encode(["import-row", self._kind.kind, sorted(row.items())]).decode()
        times = self._times[text] = self._times.get(text, 0) + 1
        return hashlib.sha256(f"{times}\0{text}".encode()).hexdigest()


class _Remembering:
    """A reader that asks for each thing once: thousands of rows name the same account.

    So of lists of regions, which no table changes.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._got: dict[tuple[str, str], Stored[Any] | None] = {}
        self._regions: dict[Wanted, Sequence[Stored[Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get(self, room: Room[T], id: str) -> Stored[T] | None:
        key = (room.kind, id)
        if key not in self._got:
            self._got[key] = self._reader.get(room, id)
        return self._got[key]

    def list(self, room: Room[T], wanted: Wanted) -> Sequence[Stored[T]]:
        if room.kind != regions.ROOM.kind:
            return self._reader.list(room, wanted)
        if wanted not in self._regions:
            self._regions[wanted] = self._reader.list(room, wanted)
        return self._regions[wanted]


def exported(kind: ImportKind, things: Iterable[Any]) -> Iterator[list[str]]:
    """Headings, and the rows of each thing: `planned` finds no change in them. Nothing of it is personal."""
    columns = [column for column in kind.columns if not column.personal]
    yield [column.name for column in columns]
    for thing in things:
        for shown in kind.rows(thing):
            yield [_cell(column, shown.get(column.name)) for column in columns]


def _cell(column: Column, value: Any) -> str:
    return "" if value is None else guarded(column.write(value))
