"""An authority's list, its life cycle, and what every event makes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.terminal.allow_list.events import (
    AllowListAccepted,
    AllowListApplied,
    AllowListEvent,
    AllowListReplaced,
    AllowListWithdrawn,
    ApplicationScheduled,
    GraceExtended,
)
from skylift.service.terminal.allow_list.rows import Entry


class AllowListState(enum.Enum):
    """Where a list stands."""

    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What people looked at when they let it apply by itself. by: who said so."""

    by: str
    cut_off: tuple[str, ...]
    flagged: tuple[str, ...]
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class AllowList:
    """One list of one authority.

    cut, stays   terminals, as they were when it was applied
    region       whose authority gave it
    scheduled    what it may do by itself when its grace ends; None: somebody has to apply it
    applied_at   None before;  ended_at  when it was withdrawn or replaced, None where it was not
    """

    id: str
    state: AllowListState = AllowListState.UNKNOWN
    rules: str = ""
    version: int = 0
    country: str = ""
    authority: str = ""
    document: str = ""
    entries: tuple[Entry, ...] = ()
    apply_after: InstantUs | None = None
    cut: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    applied_at: InstantUs | None = None
    ended_at: InstantUs | None = None
    region: str = ""
    scheduled: Scheduled | None = None

    def in_force(self, at: int) -> bool:
        """Whether it ruled at an instant."""
        return (
            self.applied_at is not None
            and self.applied_at <= at
            and (self.ended_at is None or at < self.ended_at)
        )

    def cut_off(self, at: int) -> frozenset[str]:
        """Ids of the terminals that this list had cut off at an instant: none in the grace, none after its
        end.
        """
        return frozenset(self.cut) if self.in_force(at) else frozenset()


_S = AllowListState
CYCLE: LifeCycle[AllowListState] = LifeCycle(
    thing="allow-list",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, AllowListAccepted): _S.ACCEPTED,
        (_S.ACCEPTED, GraceExtended): _S.ACCEPTED,
        (_S.ACCEPTED, ApplicationScheduled): _S.ACCEPTED,
        (_S.ACCEPTED, AllowListApplied): _S.APPLIED,
        (_S.ACCEPTED, AllowListWithdrawn): _S.WITHDRAWN,
        (_S.APPLIED, AllowListWithdrawn): _S.WITHDRAWN,
        (_S.APPLIED, AllowListReplaced): _S.REPLACED,
    },
)


def apply(allow_list: AllowList, event: Event) -> AllowList:
    """The list after an event. Raises Refused where its life cycle has no such step."""
    after = replace(allow_list, state=CYCLE.after(allow_list.id, allow_list.state, type(event)))
    assert isinstance(event, AllowListEvent)
    match event:
        case AllowListAccepted():
            after = replace(after, rules=event.rules, version=event.version, country=event.country)
            after = replace(after, authority=event.authority, document=event.document)
            after = replace(after, region=event.region)
            return replace(after, entries=event.entries, apply_after=event.apply_after)
        case GraceExtended():
            return replace(after, apply_after=event.apply_after)
        case ApplicationScheduled():
            said = Scheduled(event.by, event.cut_off, event.flagged, event.agreement)
            return replace(after, scheduled=said)
        case AllowListApplied():
            return replace(after, cut=event.cut_off, stays=event.stays, applied_at=event.at)
    return replace(after, ended_at=event.at)


LABELS = {
    AllowListState.UNKNOWN: "Not known",
    AllowListState.ACCEPTED: "Taken, in its grace",
    AllowListState.APPLIED: "In force",
    AllowListState.WITHDRAWN: "Taken back",
    AllowListState.REPLACED: "Replaced by a later list",
}


def label(state: AllowListState) -> str:
    """The words that people read on the list's card."""
    return LABELS[state]


def facets(allow_list: AllowList) -> Facets:
    """What lists of lists are searched by."""
    words = (allow_list.country, allow_list.rules, allow_list.document)
    return Facets(
        status=allow_list.state.value,
        region=allow_list.region,
        owner=allow_list.authority,
        words=tuple(word.lower() for word in words if word),
    )


ROOM: Room[AllowList] = Room(
    kind="allow-list",
    prefix="alw",
    state=AllowList,
    empty=AllowList,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
