"""Outages, as people and detectors record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.outage import state as decide
from skylift.service.outage.events import Cause, Claim, Entity, Level
from skylift.service.outage.state import ROOM, Outage
from skylift.twin.handle import load
from skylift.twin.office.verbs import Because, Moment, Nothing, Verb


@dataclass(frozen=True, slots=True)
class Open:
    """began_at: the first bin below; confirmed_at: the bin that made it sure. synthetic: made-up data.

    detection: what the detector calls it; the same one is recorded once
    """

    entity: Entity
    began_at: InstantUs
    confirmed_at: InstantUs
    level: Level
    synthetic: bool = False
    detection: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    measured_at: InstantUs
    level: Level


@dataclass(frozen=True, slots=True)
class Ended:
    ended_at: InstantUs


@dataclass(frozen=True, slots=True)
class Into:
    """into: the outage that stays."""

    into: str


@dataclass(frozen=True, slots=True)
class Why:
    cause: Cause
    claims: tuple[Claim, ...] = ()


def _merged(outage: Outage, moment: Moment, given: Into) -> Sequence[Event]:
    return decide.merged(outage, moment.who, load(ROOM, moment.reader, given.into).thing)


VERBS = (
    Verb(
        "outage.create",
        ROOM,
        Open,
        lambda t, m, a: decide.opened(
            t, m.who, a.entity, (a.began_at, a.confirmed_at), a.level, (a.synthetic, a.detection)
        ),
        "Record an outage that a detector is sure of.",
        creates=True,
    ),
    Verb(
        "outage.update",
        ROOM,
        Measured,
        lambda t, m, a: decide.updated(t, m.who, a.measured_at, a.level),
        "Record how much is left now.",
    ),
    Verb(
        "outage.close",
        ROOM,
        Ended,
        lambda t, m, a: decide.closed(t, m.who, a.ended_at),
        "Record that it is over.",
    ),
    Verb("outage.merge", ROOM, Into, _merged, "Say that it is part of another."),
    Verb(
        "outage.explain",
        ROOM,
        Why,
        lambda t, m, a: decide.explained(t, m.who, a.cause, a.claims),
        "Name a cause; whoever is said to have done it, only by what a source says.",
    ),
    Verb("outage.confirm", ROOM, Nothing, lambda t, m, a: decide.confirmed(t, m.who), "Hold it to be real."),
    Verb(
        "outage.dismiss",
        ROOM,
        Because,
        lambda t, m, a: decide.dismissed(t, m.who, a.reason),
        "Say that it was none, or our own fault.",
    ),
    Verb(
        "outage.hold",
        ROOM,
        Because,
        lambda t, m, a: decide.held(t, m.who, a.reason),
        "Do not tell the public for now.",
    ),
    Verb(
        "outage.release",
        ROOM,
        Nothing,
        lambda t, m, a: decide.released(t, m.who),
        "The public may be told, after its delay.",
    ),
)
