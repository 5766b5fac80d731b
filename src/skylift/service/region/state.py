"""A region, its life cycle, and what every event makes of it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.region.events import (
    CHAIN,
    CellMode,
    CellsRemoved,
    CellsSet,
    Limits,
    Paper,
    PaperGranted,
    PaperRevoked,
    ProhibitionLifted,
    RegionActivated,
    RegionEvent,
    RegionOpened,
    RegionProhibited,
    RegionRefused,
    RegionRequested,
    RegionSuspended,
)


class RegionState(enum.Enum):
    """Where a region stands."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    PROHIBITED = "prohibited"


@dataclass(frozen=True, slots=True)
class Granted:
    """One paper as it was granted."""

    authority: str
    document: str
    valid_from: InstantUs
    valid_until: InstantUs

    def holds_at(self, at: int) -> bool:
        return self.valid_from <= at < self.valid_until


@dataclass(frozen=True, slots=True)
class Cell:
    """How one cell is served."""

    mode: CellMode
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Region:
    """A country or a part of it.

    papers  what was granted, by kind, as it holds now
    cells   by H3 index; a cell that nobody has set is disabled
    """

    id: str
    state: RegionState = RegionState.UNKNOWN
    country: str = ""
    title: str = ""
    papers: Mapping[Paper, Granted] = field(default_factory=dict)
    cells: Mapping[str, Cell] = field(default_factory=dict)
    reason: str = ""

    def missing_papers(self, at: int) -> tuple[Paper, ...]:
        """What service still lacks at an instant; nothing where a temporary authorisation holds."""
        if self._holds(Paper.TEMPORARY, at):
            return ()
        return tuple(paper for paper in CHAIN if not self._holds(paper, at))

    def _holds(self, paper: Paper, at: int) -> bool:
        granted = self.papers.get(paper)
        return granted is not None and granted.holds_at(at)


def _steps() -> dict[tuple[RegionState, type[Event]], RegionState]:
    s = RegionState
    steps: dict[tuple[RegionState, type[Event]], RegionState] = {
        (s.UNKNOWN, RegionOpened): s.CLOSED,
        (s.CLOSED, RegionRequested): s.REQUESTED,
        # An authority may act before anybody asks: a minister's decision comes first, the form later.
        (s.CLOSED, PaperGranted): s.AUTHORISED,
        (s.REQUESTED, PaperGranted): s.AUTHORISED,
        (s.REQUESTED, RegionRefused): s.CLOSED,
        (s.AUTHORISED, RegionActivated): s.ACTIVE,
        (s.AUTHORISED, RegionRefused): s.CLOSED,
        (s.ACTIVE, RegionSuspended): s.SUSPENDED,
        (s.SUSPENDED, RegionActivated): s.ACTIVE,
        (s.PROHIBITED, ProhibitionLifted): s.CLOSED,
    }
    for state in (s.AUTHORISED, s.ACTIVE, s.SUSPENDED):
        steps[state, PaperGranted] = state
        steps[state, PaperRevoked] = state
    # A revoked paper leaves the region where it is: whether it may be served is asked anew in every slot.
    for state in (s.CLOSED, s.REQUESTED, s.AUTHORISED, s.ACTIVE, s.SUSPENDED):
        steps[state, RegionProhibited] = s.PROHIBITED
        steps[state, CellsSet] = state
        steps[state, CellsRemoved] = state
    return steps


CYCLE = LifeCycle(thing="region", begins=RegionState.UNKNOWN, steps=_steps())


def apply(region: Region, event: Event) -> Region:
    """The region after an event. Raises Refused where its life cycle has no such step."""
    after = replace(region, state=CYCLE.after(region.id, region.state, type(event)))
    assert isinstance(event, RegionEvent)
    match event:
        case RegionOpened():
            cells = {cell: Cell(CellMode.DISABLED) for cell in event.cells}
            return replace(after, country=event.country, title=event.title, cells=cells)
        case PaperGranted():
            granted = Granted(event.authority, event.document, event.valid_from, event.valid_until)
            return replace(after, papers={**region.papers, event.paper: granted})
        case PaperRevoked():
            return replace(after, papers=_without(region.papers, (event.paper,)), reason=event.reason)
        case RegionRefused() | RegionSuspended() | RegionProhibited() | ProhibitionLifted():
            return replace(after, reason=event.reason)
        case CellsSet():
            cell = Cell(event.mode, event.limits or Limits())
            return replace(after, cells={**region.cells, **dict.fromkeys(event.cells, cell)})
        case CellsRemoved():
            return replace(after, cells=_without(region.cells, event.cells))
    return replace(after, reason="") if isinstance(event, RegionActivated) else after


K = TypeVar("K")
V = TypeVar("V")


def _without(mapping: Mapping[K, V], keys: Iterable[K]) -> dict[K, V]:
    gone = set(keys)
    return {key: value for key, value in mapping.items() if key not in gone}


def label(state: RegionState) -> str:
    """The words that a coordinator reads on the region's card."""
    match state:
        case RegionState.UNKNOWN:
            return "Not known"
        case RegionState.CLOSED:
            return "No service here"
        case RegionState.REQUESTED:
            return "Waiting for the authority"
        case RegionState.AUTHORISED:
            return "Allowed, not switched on yet"
        case RegionState.ACTIVE:
            return "Service is on"
        case RegionState.SUSPENDED:
            return "Service is paused"
        case RegionState.PROHIBITED:
            return "Service is forbidden"
    assert_never(state)


def facets(region: Region) -> Facets:
    """What lists of regions are searched by."""
    return Facets(
        status=region.state.value, region=region.id, words=(region.country.lower(), region.title.lower())
    )


ROOM: Room[Region] = Room(
    kind="region",
    prefix="rgn",
    state=Region,
    empty=Region,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
