"""A statement: drafted, published after one more look at the record, withdrawn where it proves wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.statement.drafting import Claims, Kind, RecordedFacts, refuse_contradictions, texts

_NOTHING = Claims(Kind.SERVICE_ACTIVE, "")


@dataclass(frozen=True, slots=True)
class StatementEvent(Event):
    """Something that happened to a statement."""


@dataclass(frozen=True, slots=True)
class StatementDrafted(StatementEvent):
    NAME: ClassVar[str] = "statement.drafted/1"

    claims: Claims


@dataclass(frozen=True, slots=True)
class StatementPublished(StatementEvent):
    """texts: as they went out, in each language; templates may change later."""

    NAME: ClassVar[str] = "statement.published/1"

    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class StatementWithdrawn(StatementEvent):
    NAME: ClassVar[str] = "statement.withdrawn/1"

    reason: str


class StatementState(enum.Enum):
    """Where a statement stands."""

    UNKNOWN = "unknown"
    DRAFTED = "drafted"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Statement:
    """A word to the public. withdrawn_at: of one that was published; None where it was not."""

    id: str
    state: StatementState = StatementState.UNKNOWN
    claims: Claims = _NOTHING
    texts: dict[str, str] = field(default_factory=dict)
    published_at: InstantUs | None = None
    reason: str = ""
    withdrawn_at: InstantUs | None = None


_S = StatementState
CYCLE = LifeCycle(
    thing="statement",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, StatementDrafted): _S.DRAFTED,
        (_S.DRAFTED, StatementDrafted): _S.DRAFTED,
        (_S.DRAFTED, StatementPublished): _S.PUBLISHED,
        (_S.DRAFTED, StatementWithdrawn): _S.WITHDRAWN,
        (_S.PUBLISHED, StatementWithdrawn): _S.WITHDRAWN,
    },
)


def apply(statement: Statement, event: Event) -> Statement:
    """The statement after an event. Raises Refused where its life cycle has no such step."""
    after = replace(statement, state=CYCLE.after(statement.id, statement.state, type(event)))
    match event:
        case StatementDrafted():
            return replace(after, claims=event.claims)
        case StatementPublished():
            return replace(after, texts=event.texts, published_at=event.at)
        case StatementWithdrawn():
            gone_at = None if statement.published_at is None else event.at
            return replace(after, reason=event.reason, withdrawn_at=gone_at)
    return after


def drafted(
    statement: Statement, who: Who, claims: Claims, facts: RecordedFacts
) -> tuple[StatementEvent, ...]:
    CYCLE.after(statement.id, statement.state, StatementDrafted)
    refuse_contradictions(claims, facts)
    return (StatementDrafted(who.at, who.by, statement.id, who.cause_id, claims),)


def published(statement: Statement, who: Who, facts: RecordedFacts) -> tuple[StatementEvent, ...]:
    """`facts` as they are now: what was true when it was drafted may not be so any more."""
    CYCLE.after(statement.id, statement.state, StatementPublished)
    refuse_contradictions(statement.claims, facts)
    return (StatementPublished(who.at, who.by, statement.id, who.cause_id, texts(statement.claims)),)


def withdrawn(statement: Statement, who: Who, reason: str) -> tuple[StatementEvent, ...]:
    CYCLE.after(statement.id, statement.state, StatementWithdrawn)
    if not reason.strip():
        raise Refused("statement.reason", "reason", "readers are told why", "give a reason")
    return (StatementWithdrawn(who.at, who.by, statement.id, who.cause_id, reason),)


def label(state: StatementState) -> str:
    """The words that an operator reads."""
    match state:
        case StatementState.UNKNOWN:
            return "Not known"
        case StatementState.DRAFTED:
            return "Draft"
        case StatementState.PUBLISHED:
            return "Published"
        case StatementState.WITHDRAWN:
            return "Withdrawn"
    assert_never(state)


def facets(statement: Statement) -> Facets:
    """What lists of statements are searched by."""
    return Facets(
        status=statement.state.value,
        region=statement.claims.about,
        words=(statement.claims.kind.value,),
    )


ROOM: Room[Statement] = Room(
    kind="statement",
    prefix="sta",
    state=Statement,
    empty=Statement,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
