"""An outage as its events make it, and the rules of what may happen next."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.base.units import US_PER_S
from skylift.service.outage.events import (
    Cause,
    Claim,
    Entity,
    EntityKind,
    Level,
    OutageClosed,
    OutageConfirmed,
    OutageDismissed,
    OutageEvent,
    OutageExplained,
    OutageHeld,
    OutageMerged,
    OutageOpened,
    OutageReleased,
    OutageUpdated,
)

# The public learns of an outage this long after it was recorded: people in it first, and time to hold it.
# Not after the detector was sure: what is found late in an old recording would be told before anybody saw it.
PUBLIC_DELAY_US = 30 * 60 * US_PER_S
# Own terminals are told of only together with so many others.
LEAST_TERMINALS = 20
_LONGEST_NAME = 200
_PUBLIC = (EntityKind.COUNTRY, EntityKind.REGION, EntityKind.AS, EntityKind.AS_WITH_CONE)
_NOWHERE = Entity(EntityKind.COUNTRY, "", "")
_ORDINARY = Level(1.0, 1.0, 1.0)


class OutageState(enum.Enum):
    """Where an outage stands."""

    UNKNOWN = "unknown"
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage of one entity.

    recorded_at   when the service learnt of it: from here on the public's delay counts
    level, worst  as last measured, and the lowest that was
    confirmed_by  the person who holds it to be real; "" for nobody yet
    """

    id: str
    state: OutageState = OutageState.UNKNOWN
    entity: Entity = _NOWHERE
    began_at: InstantUs | None = None
    confirmed_at: InstantUs | None = None
    ended_at: InstantUs | None = None
    measured_at: InstantUs | None = None
    level: Level = _ORDINARY
    worst: Level = _ORDINARY
    cause: Cause = Cause.UNKNOWN
    claims: tuple[Claim, ...] = ()
    confirmed_by: str = ""
    held: bool = False
    into: str = ""
    synthetic: bool = False
    detection: str = ""
    recorded_at: InstantUs | None = None

    @property
    def told_from(self) -> InstantUs | None:
        """When the public's delay is over; None where nobody knows since when it is on record: then never."""
        return None if self.recorded_at is None else InstantUs(self.recorded_at + PUBLIC_DELAY_US)


_S = OutageState
CYCLE = LifeCycle(
    thing="outage",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, OutageOpened): _S.OPEN,
        (_S.OPEN, OutageUpdated): _S.OPEN,
        (_S.OPEN, OutageClosed): _S.CLOSED,
        (_S.OPEN, OutageMerged): _S.MERGED,
        (_S.OPEN, OutageExplained): _S.OPEN,
        (_S.OPEN, OutageConfirmed): _S.OPEN,
        (_S.OPEN, OutageDismissed): _S.DISMISSED,
        (_S.OPEN, OutageHeld): _S.OPEN,
        (_S.OPEN, OutageReleased): _S.OPEN,
        (_S.CLOSED, OutageMerged): _S.MERGED,
        (_S.CLOSED, OutageExplained): _S.CLOSED,
        (_S.CLOSED, OutageConfirmed): _S.CLOSED,
        (_S.CLOSED, OutageDismissed): _S.DISMISSED,
        (_S.CLOSED, OutageHeld): _S.CLOSED,
        (_S.CLOSED, OutageReleased): _S.CLOSED,
    },
)


def apply(outage: Outage, event: Event) -> Outage:
    """The outage after an event. Raises Refused where its life cycle has no such step."""
    after = replace(outage, state=CYCLE.after(outage.id, outage.state, type(event)))
    match event:
        case OutageOpened():
            return replace(
                after,
                entity=event.entity,
                began_at=event.began_at,
                confirmed_at=event.confirmed_at,
                measured_at=event.confirmed_at,
                level=event.level,
                worst=event.level,
                synthetic=event.synthetic,
                detection=event.detection,
                recorded_at=event.at,
            )
        case OutageUpdated():
            worst = event.level if event.level.fraction < outage.worst.fraction else outage.worst
            return replace(after, measured_at=event.measured_at, level=event.level, worst=worst)
        case OutageClosed():
            return replace(after, ended_at=event.ended_at)
        case OutageMerged():
            return replace(after, into=event.into)
        case OutageExplained():
            return replace(after, cause=event.cause, claims=event.claims)
        case OutageConfirmed():
            return replace(after, confirmed_by=event.by)
        case OutageHeld() | OutageReleased():
            return replace(after, held=isinstance(event, OutageHeld))
    return after


def opened(
    outage: Outage,
    who: Who,
    entity: Entity,
    times: tuple[InstantUs, InstantUs],
    level: Level,
    marks: tuple[bool, str] = (False, ""),
) -> tuple[OutageEvent, ...]:
    """times: (the first bin below, the bin that made it sure); marks: (synthetic, detection)."""
    CYCLE.after(outage.id, outage.state, OutageOpened)
    began_at, confirmed_at = times
    if not entity.code or not began_at <= confirmed_at <= who.at:
        raise Refused(
            "outage.times",
            "the outage",
            "it begins before it is sure, and is sure by now, of an entity with a code",
            "check the detector's clock",
        )
    for name in (entity.code, entity.title, entity.title_uk):
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            raise Refused(
                "outage.entity",
                "the entity",
                f"its code and titles are one line of at most {_LONGEST_NAME} characters that can be printed",
                "take out what a terminal or a page would obey",
            )
    _refuse_levels(level)
    return (
        OutageOpened(who.at, who.by, outage.id, who.cause_id, entity, began_at, confirmed_at, level, *marks),
    )


def updated(outage: Outage, who: Who, measured_at: InstantUs, level: Level) -> tuple[OutageEvent, ...]:
    """Nothing where it is no news: older than what is known, or the same."""
    CYCLE.after(outage.id, outage.state, OutageUpdated)
    _refuse_levels(level)
    if measured_at > who.at:
        raise Refused(
            "outage.times", "measured_at", "nothing is measured in the future", "check the detector's clock"
        )
    if outage.measured_at is not None and measured_at <= outage.measured_at:
        return ()
    return (OutageUpdated(who.at, who.by, outage.id, who.cause_id, measured_at, level),)


def closed(outage: Outage, who: Who, ended_at: InstantUs) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageClosed)
    if outage.began_at is None or not outage.began_at < ended_at <= who.at:
        raise Refused(
            "outage.times", "ended_at", "it ends after it began, and not in the future", "check the times"
        )
    return (OutageClosed(who.at, who.by, outage.id, who.cause_id, ended_at),)


def merged(outage: Outage, who: Who, into: Outage) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageMerged)
    if into.id == outage.id or into.state not in (OutageState.OPEN, OutageState.CLOSED):
        raise Refused(
            "outage.merge",
            f"outage {into.id}",
            "an outage is merged into another one that is open or closed",
            "name the one that stays",
        )
    return (OutageMerged(who.at, who.by, outage.id, who.cause_id, into.id),)


def explained(outage: Outage, who: Who, cause: Cause, claims: Sequence[Claim]) -> tuple[OutageEvent, ...]:
    """Raises Refused where somebody is blamed without a source."""
    CYCLE.after(outage.id, outage.state, OutageExplained)
    if cause in (Cause.CYBER_ATTACK, Cause.SHUTDOWN) and not claims:
        raise Refused(
            "outage.unsourced",
            f"cause {cause.value}",
            "that somebody did it is told only as what a source says",
            "give the publisher, the address and the time of at least one source",
        )
    if any(not claim.url.startswith("https://") or not claim.publisher.strip() for claim in claims):
        raise Refused("outage.source", "a source", "it has a publisher and an https address", "give both")
    return (OutageExplained(who.at, who.by, outage.id, who.cause_id, cause, tuple(claims)),)


def confirmed(outage: Outage, who: Who) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageConfirmed)
    return () if outage.confirmed_by else (OutageConfirmed(who.at, who.by, outage.id, who.cause_id),)


def dismissed(outage: Outage, who: Who, reason: str) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageDismissed)
    _refuse_silence(reason)
    return (OutageDismissed(who.at, who.by, outage.id, who.cause_id, reason),)


def held(outage: Outage, who: Who, reason: str) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageHeld)
    _refuse_silence(reason)
    return () if outage.held else (OutageHeld(who.at, who.by, outage.id, who.cause_id, reason),)


def released(outage: Outage, who: Who) -> tuple[OutageEvent, ...]:
    CYCLE.after(outage.id, outage.state, OutageReleased)
    return (OutageReleased(who.at, who.by, outage.id, who.cause_id),) if outage.held else ()


def is_public(outage: Outage, at: InstantUs) -> bool:
    """Whether the public may see it now: no cell or site ever, own terminals as a crowd, after a delay."""
    if outage.held or outage.state not in (OutageState.OPEN, OutageState.CLOSED):
        return False
    if outage.told_from is None or at < outage.told_from:
        return False
    if outage.entity.kind is EntityKind.TERMINALS:
        # The level now is told as well, so its crowd counts too.
        return min(outage.worst.targets, outage.level.targets) >= LEAST_TERMINALS
    return outage.entity.kind in _PUBLIC


def label(state: OutageState) -> str:
    """The words that an operator reads."""
    match state:
        case OutageState.UNKNOWN:
            return "Not known"
        case OutageState.OPEN:
            return "Not known to be over"
        case OutageState.CLOSED:
            return "Over"
        case OutageState.MERGED:
            return "Part of another"
        case OutageState.DISMISSED:
            return "Was none"
    assert_never(state)


def facets(outage: Outage) -> Facets:
    """What lists of outages are searched by."""
    entity = outage.entity
    words = (
        entity.kind.value,
        entity.code,
        entity.country,
        entity.title,
        entity.title_uk,
        outage.cause.value,
    )
    return Facets(
        status=outage.state.value,
        keys={"detection": outage.detection} if outage.detection else {},
        words=tuple(word for word in (*words, outage.detection) if word),
    )


def _refuse_levels(level: Level) -> None:
    if not 0.0 <= level.low <= level.fraction <= level.high:
        raise Refused(
            "outage.level",
            "the level",
            "it is a fraction of ordinary, between its bounds, and not below zero",
            "check the detector",
        )


def _refuse_silence(reason: str) -> None:
    if not reason.strip():
        raise Refused("outage.reason", "reason", "those who read it later need it", "give a reason")


ROOM: Room[Outage] = Room(
    kind="outage",
    prefix="out",
    state=Outage,
    empty=Outage,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
