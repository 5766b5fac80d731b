"""What can be done to regions. Whatever changes where service is on takes two people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.ports.store import Reader
from skylift.service.account.roles import Subject
from skylift.service.authority.events import Matter
from skylift.service.region import decide
from skylift.service.region.events import CellMode, Limits, Paper
from skylift.service.region.state import ROOM, Region
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor, Because, Moment, Nothing, Verb
from skylift.twin.office.vouching import of_paper, of_region, own_word, vouched

TWO = 2


@dataclass(frozen=True, slots=True)
class Open:
    """country: ISO 3166; cells: H3 indices of resolution 5."""

    country: str
    title: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One paper of the chain, or the temporary authorisation; document: the authority's reference."""

    paper: Paper
    authority: str
    document: str
    valid_from: InstantUs
    valid_until: InstantUs


@dataclass(frozen=True, slots=True)
class Revoke:
    paper: Paper
    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an authority orders, and why."""

    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetCells:
    """How these cells are served from the next slot on."""

    cells: tuple[str, ...]
    mode: CellMode
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class RemoveCells:
    cells: tuple[str, ...]


def _open(region: Region, moment: Moment, given: Open) -> Sequence[Event]:
    return decide.opened(region, moment.who, given.country, given.title, given.cells)


def _granted(region: Region, moment: Moment, given: Grant) -> Sequence[Event]:
    validity = (given.valid_from, given.valid_until)
    return decide.granted(region, moment.who, given.paper, given.authority, given.document, validity)


def _nowhere_yet(given: Any, actor: Actor) -> Subject:
    # A region that is being opened has no id yet: only whoever may act everywhere opens one.
    return Subject()


def _people_to_open(region: Region, given: Open, reader: Reader) -> int:
    """Every region that holds a cell has to allow it: a new one ends service in the cells of another."""
    cells = set(given.cells)
    for other in every(reader, ROOM):
        theirs = other.thing.cells
        if any(theirs[name].mode is not CellMode.DISABLED for name in cells & theirs.keys()):
            return TWO
    return 1


VERBS = (
    Verb(
        "region.create",
        ROOM,
        Open,
        _open,
        "Begin to know a region.",
        creates=True,
        subject_of=_nowhere_yet,
        people_for=_people_to_open,
    ),
    Verb(
        "region.request",
        ROOM,
        Nothing,
        lambda r, m, a: decide.requested(r, m.who),
        "Ask the authority for service.",
    ),
    Verb(
        "region.grant",
        ROOM,
        Grant,
        vouched(_granted, of_region, of_paper),
        "Grant one of the papers that service needs.",
    ),
    Verb(
        "region.revoke",
        ROOM,
        Revoke,
        own_word(lambda r, m, a: decide.revoked(r, m.who, a.paper, a.authority, a.reason)),
        "Take a paper back.",
    ),
    Verb(
        "region.refuse",
        ROOM,
        Order,
        own_word(lambda r, m, a: decide.refused(r, m.who, a.authority, a.reason)),
        "Refuse what was asked for.",
    ),
    Verb(
        "region.activate",
        ROOM,
        Nothing,
        lambda r, m, a: decide.activated(r, m.who, m.approval),
        "Switch service on.",
        people=TWO,
    ),
    Verb(
        "region.suspend",
        ROOM,
        Because,
        lambda r, m, a: decide.suspended(r, m.who, a.reason, m.approval),
        "Switch service off for now.",
        people=TWO,
    ),
    Verb(
        "region.prohibit",
        ROOM,
        Order,
        own_word(lambda r, m, a: decide.prohibited(r, m.who, a.authority, a.reason)),
        "Forbid service.",
    ),
    Verb(
        "region.lift",
        ROOM,
        Order,
        vouched(
            lambda r, m, a: decide.lifted(r, m.who, a.authority, a.reason),
            of_region,
            lambda a: Matter.LICENCES,
        ),
        "Lift a prohibition.",
    ),
    Verb(
        "region.cells",
        ROOM,
        SetCells,
        lambda r, m, a: decide.cells_set(r, m.who, a.cells, a.mode, a.limits, m.approval),
        "Change how cells are served.",
        people=TWO,
    ),
    Verb(
        "region.cells-remove",
        ROOM,
        RemoveCells,
        lambda r, m, a: decide.cells_removed(r, m.who, a.cells, m.approval),
        "Take cells out of the region.",
        people=TWO,
    ),
)
