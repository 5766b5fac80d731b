"""What one person has changed of late without a second one: many small changes are one large one.

Kept as a thing of its own beside the person, so that it holds over restarts and in every process. What two
people agreed to is not counted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

# No window may be longer than what is remembered.
KEPT_US = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class ChangedAlone(Event):
    """The subject is the person. sort: what is counted together; changed: ids of things."""

    NAME: ClassVar[str] = "alone.changed/1"

    sort: str
    changed: tuple[str, ...]


class AloneState(enum.Enum):
    """Whether they ever changed anything that counts."""

    NEVER = "never"
    CHANGED = "changed"


class Entry(NamedTuple):
    """When a thing was changed last."""

    at: InstantUs
    sort: str
    thing: str


@dataclass(frozen=True, slots=True)
class Alone:
    """done: of the last week, each thing once."""

    id: str
    state: AloneState = AloneState.NEVER
    done: tuple[Entry, ...] = ()

    def since(self, sort: str, at: int) -> frozenset[str]:
        """Things of a sort that were changed after an instant."""
        return frozenset(one.thing for one in self.done if one.sort == sort and one.at > at)


CYCLE = LifeCycle(
    thing="alone",
    begins=AloneState.NEVER,
    steps={(state, ChangedAlone): AloneState.CHANGED for state in AloneState},
)


def apply(alone: Alone, event: Event) -> Alone:
    """After another change."""
    after = replace(alone, state=CYCLE.after(alone.id, alone.state, type(event)))
    assert isinstance(event, ChangedAlone)
    anew = {(event.sort, thing) for thing in event.changed}
    kept = [one for one in alone.done if one.at > event.at - KEPT_US and (one.sort, one.thing) not in anew]
    return replace(after, done=(*kept, *(Entry(event.at, event.sort, thing) for thing in event.changed)))


def changed(alone: Alone, who: Who, sort: str, things: tuple[str, ...]) -> tuple[ChangedAlone, ...]:
    """They have changed these without a second person."""
    if not things:
        return ()
    return (ChangedAlone(who.at, who.by, alone.id, who.cause_id, sort, things),)


def facets(alone: Alone) -> Facets:
    """Nobody searches for it."""
    return Facets(status=alone.state.value)


ROOM: Room[Alone] = Room(
    kind="alone",
    prefix="per",
    state=Alone,
    empty=Alone,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
