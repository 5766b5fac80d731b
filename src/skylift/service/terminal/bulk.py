"""One decision about many terminals: that it was taken, why, and about which. What it does to each stands in
that terminal's own events, which name this as their cause.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

KIND = "bulk-change"
# In one transaction: about two seconds, in which nobody else can write.
MOST = 2000


class What(enum.Enum):
    """What is done to each of them."""

    ACTIVATE = "activate"
    PAUSE = "pause"
    BLOCK = "block"
    UNBLOCK = "unblock"


@dataclass(frozen=True, slots=True)
class BulkChanged(Event):
    """terminals: those that were changed; asked: how many it was asked for; agreement: of two people."""

    NAME: ClassVar[str] = "bulk-change.made/1"

    what: What
    terminals: tuple[str, ...]
    asked: int
    region: str = ""
    agreement: str = ""


class BulkState(enum.Enum):
    """Whether it was made."""

    UNKNOWN = "unknown"
    MADE = "made"


@dataclass(frozen=True, slots=True)
class BulkChange:
    """One decision about many terminals. region: of all of them, "" where they are of several."""

    id: str
    state: BulkState = BulkState.UNKNOWN
    what: What = What.PAUSE
    terminals: tuple[str, ...] = ()
    asked: int = 0
    region: str = ""
    agreement: str = ""


CYCLE = LifeCycle(
    thing=KIND, begins=BulkState.UNKNOWN, steps={(BulkState.UNKNOWN, BulkChanged): BulkState.MADE}
)


def apply(change: BulkChange, event: Event) -> BulkChange:
    """The decision after its event. Raises Refused for a second one."""
    after = replace(change, state=CYCLE.after(change.id, change.state, type(event)))
    assert isinstance(event, BulkChanged)
    after = replace(after, what=event.what, terminals=event.terminals, asked=event.asked)
    return replace(after, region=event.region, agreement=event.agreement)


def checked(terminals: Iterable[str]) -> tuple[str, ...]:
    """Their ids, each once, in order. Raises Refused for none, and for too many."""
    ids = tuple(sorted({labels.own_id(id, KIND, "terminals", "trm") for id in terminals}))
    if not 1 <= len(ids) <= MOST:
        raise Refused(f"{KIND}.terminals", "terminals", f"they are 1 to {MOST}", "give them in several parts")
    return ids


def made(
    change: BulkChange, who: Who, what: What, terminals: tuple[str, ...], asked: int, region: str = ""
) -> tuple[BulkChanged, ...]:
    """`terminals` are those of `asked` that it is done to."""
    CYCLE.after(change.id, change.state, BulkChanged)
    if not terminals:
        raise Refused(
            f"{KIND}.nothing",
            "terminals",
            f"none of them is in a state to {what.value} it",
            "look at them first",
        )
    return (BulkChanged(who.at, who.by, change.id, who.cause_id, what, terminals, asked, region),)


def facets(change: BulkChange) -> Facets:
    """What lists of them are searched by."""
    return Facets(status=change.state.value, region=change.region, words=(change.what.value,))


ROOM: Room[BulkChange] = Room(
    kind=KIND,
    prefix="blk",
    state=BulkChange,
    empty=BulkChange,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
