"""An owner's consent that their dish may be switched off from afar: given in writing, kept, taken back."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.command.kinds import OFF, CommandKind

KIND = "consent"


@dataclass(frozen=True, slots=True)
class ConsentEvent(Event):
    """Something that happened to a consent."""


@dataclass(frozen=True, slots=True)
class ConsentGiven(ConsentEvent):
    """kinds: what is consented to; document: where it is written; region, owner: of the terminal then."""

    NAME: ClassVar[str] = "consent.given/1"

    terminal: str
    kinds: tuple[CommandKind, ...]
    document: str
    region: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ConsentTakenBack(ConsentEvent):
    NAME: ClassVar[str] = "consent.taken-back/1"


class ConsentState(enum.Enum):
    """Whether it counts."""

    UNKNOWN = "unknown"
    GIVEN = "given"
    TAKEN_BACK = "taken-back"


@dataclass(frozen=True, slots=True)
class Consent:
    """One owner's word about one terminal. A terminal has one at a time."""

    id: str
    state: ConsentState = ConsentState.UNKNOWN
    terminal: str = ""
    kinds: tuple[CommandKind, ...] = ()
    document: str = ""
    region: str = ""
    owner: str = ""


_S = ConsentState
CYCLE = LifeCycle(
    thing=KIND,
    begins=_S.UNKNOWN,
    steps={(_S.UNKNOWN, ConsentGiven): _S.GIVEN, (_S.GIVEN, ConsentTakenBack): _S.TAKEN_BACK},
)


def apply(consent: Consent, event: Event) -> Consent:
    """The consent after an event. Raises Refused where its life cycle has no such step."""
    after = replace(consent, state=CYCLE.after(consent.id, consent.state, type(event)))
    if isinstance(event, ConsentGiven):
        return replace(
            after,
            terminal=event.terminal,
            kinds=event.kinds,
            document=event.document,
            region=event.region,
            owner=event.owner,
        )
    return after


def given(
    consent: Consent, who: Who, terminal: tuple[str, str, str], kinds: Sequence[CommandKind], document: str
) -> tuple[ConsentEvent, ...]:
    """`terminal`: its id, region and owner."""
    CYCLE.after(consent.id, consent.state, ConsentGiven)
    wanted = tuple(sorted(set(kinds), key=lambda kind: kind.value))
    if not wanted or not set(wanted) <= OFF:
        raise Refused(
            "consent.kinds",
            "kinds",
            f"consent is given to what switches off: {', '.join(sorted(kind.value for kind in OFF))}",
            "name one or more of these",
        )
    document = labels.reference(document, KIND, "document")
    id, region, owner = terminal
    return (ConsentGiven(who.at, who.by, consent.id, who.cause_id, id, wanted, document, region, owner),)


def taken_back(consent: Consent, who: Who) -> tuple[ConsentEvent, ...]:
    CYCLE.after(consent.id, consent.state, ConsentTakenBack)
    return (ConsentTakenBack(who.at, who.by, consent.id, who.cause_id),)


def facets(consent: Consent) -> Facets:
    """What lists of them are searched by; the one in force is found by its terminal."""
    in_force = consent.state is ConsentState.GIVEN
    return Facets(
        status=consent.state.value,
        region=consent.region,
        owner=consent.owner,
        keys={"terminal": consent.terminal} if in_force else {},
        words=(consent.terminal,),
    )


ROOM: Room[Consent] = Room(
    kind=KIND,
    prefix="cns",
    state=Consent,
    empty=Consent,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
