"""One import of a table: the plan that was looked at, and which parts of it are written.

A part is written with its event in one transaction: after a crash it is known which parts there are. What
the rows did stands in the events of the things themselves, which name the import as their cause. Nothing of
the table is kept.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

KIND = "import"


@dataclass(frozen=True, slots=True)
class ImportEvent(Event):
    """Something that happened to an import."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there are of each sort."""

    new: int = 0
    changed: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class ImportBegun(ImportEvent):
    """of: the kind of thing; plan: hash of what was looked at; parts: the hash of each of its parts.

    table  digest of the file.  agreement: of two people, where it takes two
    """

    NAME: ClassVar[str] = "import.begun/1"

    of: str
    plan: str
    table: str
    parts: tuple[str, ...]
    tally: Tally
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class PartWritten(ImportEvent):
    """number: from 0 on, in order; the last one ends the import."""

    NAME: ClassVar[str] = "import.part-written/1"

    number: int


@dataclass(frozen=True, slots=True)
class ImportDone(ImportEvent):
    """Every part is written."""

    NAME: ClassVar[str] = "import.done/1"


@dataclass(frozen=True, slots=True)
class ImportAbandoned(ImportEvent):
    """What is left of it will not be written."""

    NAME: ClassVar[str] = "import.abandoned/1"


class ImportState(enum.Enum):
    """Where an import stands."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under-way"
    DONE = "done"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Import:
    """An import. written: how many of its parts are."""

    id: str
    state: ImportState = ImportState.UNKNOWN
    of: str = ""
    plan: str = ""
    table: str = ""
    parts: tuple[str, ...] = ()
    tally: Tally = Tally()
    agreement: str = ""
    written: int = 0


_S = ImportState
CYCLE = LifeCycle(
    thing=KIND,
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, ImportBegun): _S.UNDER_WAY,
        (_S.UNDER_WAY, PartWritten): _S.UNDER_WAY,
        (_S.UNDER_WAY, ImportDone): _S.DONE,
        (_S.UNDER_WAY, ImportAbandoned): _S.ABANDONED,
    },
)


def apply(run: Import, event: Event) -> Import:
    """The import after an event. Raises Refused where its life cycle has no such step."""
    after = replace(run, state=CYCLE.after(run.id, run.state, type(event)))
    match event:
        case ImportBegun():
            after = replace(after, of=event.of, plan=event.plan, table=event.table, parts=event.parts)
            return replace(after, tally=event.tally, agreement=event.agreement)
        case PartWritten():
            return replace(after, written=event.number + 1)
    return after


@dataclass(frozen=True, slots=True)
class Looked:
    """What people looked at and agreed to."""

    of: str
    plan: str
    table: str
    parts: tuple[str, ...]
    tally: Tally


def begun(run: Import, who: Who, looked: Looked, agreement: str = "") -> tuple[ImportEvent, ...]:
    CYCLE.after(run.id, run.state, ImportBegun)
    of, plan, table, parts = looked.of, looked.plan, looked.table, looked.parts
    return (
        ImportBegun(who.at, who.by, run.id, who.cause_id, of, plan, table, parts, looked.tally, agreement),
    )


def written(run: Import, who: Who, number: int) -> tuple[ImportEvent, ...]:
    """A part; the last one ends it."""
    CYCLE.after(run.id, run.state, PartWritten)
    if number != run.written or number >= len(run.parts):
        raise Refused(
            "import.part",
            f"import {run.id}",
            f"{run.written} of its {len(run.parts)} parts are written: another one writes it as well",
            "wait for that one, and begin again",
        )
    event = PartWritten(who.at, who.by, run.id, who.cause_id, number)
    if number + 1 < len(run.parts):
        return (event,)
    return (event, ImportDone(who.at, who.by, run.id, who.cause_id))


def abandoned(run: Import, who: Who) -> tuple[ImportEvent, ...]:
    CYCLE.after(run.id, run.state, ImportAbandoned)
    return (ImportAbandoned(who.at, who.by, run.id, who.cause_id),)


LABELS = {
    ImportState.UNKNOWN: "Not known",
    ImportState.UNDER_WAY: "Not finished",
    ImportState.DONE: "Done",
    ImportState.ABANDONED: "Given up half-way",
}


def label(state: ImportState) -> str:
    """The words that people read on its card."""
    return LABELS[state]


def facets(run: Import) -> Facets:
    """What lists of imports are searched by. One that was given up may be planned again."""
    keys = {"plan": run.plan} if run.plan and run.state is not ImportState.ABANDONED else {}
    return Facets(status=run.state.value, keys=keys, words=(run.of,) if run.of else ())


ROOM: Room[Import] = Room(
    kind=KIND,
    prefix="imp",
    state=Import,
    empty=Import,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
