"""What an owner shares of their dish's place: the fact that they do, by which agent's key, and since when.

The place itself stands in rows that can be erased, under the id of this thing, and in no event.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

KIND = "sharing"
_NEVER = InstantUs(0)


class SharedKind(enum.Enum):
    """What can be shared, each apart."""

    LOCATION = "location"
    LOCATION_EXACT = "location-exact"
    OBSTRUCTION_MAP = "obstruction-map"
    BORESIGHT = "boresight"
    SATELLITE_TRACE = "satellite-trace"


class SharingEnd(enum.Enum):
    """Why nothing is shared any more."""

    TAKEN_BACK = "taken-back"
    ERASED = "erased"
    NEW_OWNER = "new-owner"
    KEY_REVOKED = "key-revoked"


@dataclass(frozen=True, slots=True)
class SharingEvent(Event):
    """Something that happened to what is shared."""


@dataclass(frozen=True, slots=True)
class SharingSet(SharingEvent):
    """The owner's word at the dish. word: its number; region, owner: of the terminal then."""

    NAME: ClassVar[str] = "sharing.set/1"

    terminal: str
    key: str
    kinds: tuple[SharedKind, ...]
    word: int
    region: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SharingEnded(SharingEvent):
    """Nothing is shared, and what was is erased."""

    NAME: ClassVar[str] = "sharing.ended/1"

    why: SharingEnd


class SharingState(enum.Enum):
    """Whether it counts."""

    UNKNOWN = "unknown"
    SHARED = "shared"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the agent with one key may tell. since: of this word."""

    id: str
    state: SharingState = SharingState.UNKNOWN
    terminal: str = ""
    key: str = ""
    kinds: tuple[SharedKind, ...] = ()
    word: int = 0
    region: str = ""
    owner: str = ""
    since: InstantUs = _NEVER
    ended: SharingEnd | None = None


_S = SharingState
CYCLE = LifeCycle(
    thing=KIND,
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, SharingSet): _S.SHARED,
        (_S.SHARED, SharingSet): _S.SHARED,
        (_S.SHARED, SharingEnded): _S.ENDED,
        (_S.ENDED, SharingSet): _S.SHARED,
    },
)


def apply(sharing: Sharing, event: Event) -> Sharing:
    """What is shared after an event. Raises Refused where its life cycle has no such step."""
    after = replace(sharing, state=CYCLE.after(sharing.id, sharing.state, type(event)), since=event.at)
    if isinstance(event, SharingSet):
        return replace(
            after,
            terminal=event.terminal,
            key=event.key,
            kinds=event.kinds,
            word=event.word,
            region=event.region,
            owner=event.owner,
            ended=None,
        )
    assert isinstance(event, SharingEnded)
    return replace(after, kinds=(), ended=event.why)


def shared(
    sharing: Sharing, who: Who, of: tuple[str, str, str], word: int, kinds: Sequence[SharedKind]
) -> tuple[SharingEvent, ...]:
    """A new word of the owner's. of: the terminal's id, region and owner; who: by the agent's key.

    Raises Refused where it is no later word than the one before.
    """
    CYCLE.after(sharing.id, sharing.state, SharingSet)
    wanted = tuple(sorted(set(kinds), key=lambda kind: kind.value))
    if word <= sharing.word or not wanted:
        raise Refused(
            "sharing.word",
            "what is shared",
            "a later word of the owner's has come before",
            "say at the dish once more what is shared: skylift agent share",
        )
    terminal, *where = of
    return (SharingSet(who.at, who.by, sharing.id, who.cause_id, terminal, who.by, wanted, word, *where),)


def ended(sharing: Sharing, who: Who, why: SharingEnd) -> tuple[SharingEvent, ...]:
    CYCLE.after(sharing.id, sharing.state, SharingEnded)
    return (SharingEnded(who.at, who.by, sharing.id, who.cause_id, why),)


def facets(sharing: Sharing) -> Facets:
    """Found by the agent's key, and by its terminal."""
    return Facets(
        status=sharing.state.value,
        region=sharing.region,
        owner=sharing.owner,
        keys={"key": sharing.key} if sharing.key else {},
        words=(sharing.terminal,),
    )


ROOM: Room[Sharing] = Room(
    kind=KIND,
    prefix="shr",
    state=Sharing,
    empty=Sharing,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
