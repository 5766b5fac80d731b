"""What can happen to an outage."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs


class EntityKind(enum.Enum):
    """What is cut off. The public is told of countries, regions and networks alone."""

    COUNTRY = "country"
    REGION = "region"
    AS = "as"
    AS_WITH_CONE = "as-with-customer-cone"
    CITY = "city"
    CELL = "cell"
    POLYGON = "polygon"
    TERMINALS = "own-terminals"


class Cause(enum.Enum):
    """Why; unknown until somebody says so."""

    UNKNOWN = "unknown"
    CYBER_ATTACK = "cyber-attack"
    PHYSICAL_DAMAGE = "physical-damage"
    POWER = "power"
    SHUTDOWN = "shutdown"
    POPULATION_FLIGHT = "population-flight"


@dataclass(frozen=True, slots=True)
class Entity:
    """What is measured: its kind, its code ("UA", "AS64500", an H3 index), names in English and Ukrainian."""

    kind: EntityKind
    code: str
    title: str
    title_uk: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """How much is left, as a fraction of ordinary, and between what about 90 % of the doubt lies.

    signals  those that agree: "ping-slash24", "bgp"
    targets  how many were asked; 0 where the recording does not say
    baseline "ordinary", or what was pinned: "pre-war"
    """

    fraction: float
    low: float
    high: float
    signals: tuple[str, ...] = ()
    targets: int = 0
    baseline: str = "ordinary"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a source says: who published it, where, when. Never a person."""

    publisher: str
    url: str
    published_at: InstantUs


@dataclass(frozen=True, slots=True)
class OutageEvent(Event):
    """Something that happened to an outage."""


@dataclass(frozen=True, slots=True)
class OutageOpened(OutageEvent):
    """A detector was sure. began_at: the first bin below; confirmed_at: the bin that made it sure.

    detection  what the detector calls it, the same on every reading of the same samples
    """

    NAME: ClassVar[str] = "outage.opened/1"

    entity: Entity
    began_at: InstantUs
    confirmed_at: InstantUs
    level: Level
    synthetic: bool = False
    detection: str = ""


@dataclass(frozen=True, slots=True)
class OutageUpdated(OutageEvent):
    """The level now. What was said before stays said."""

    NAME: ClassVar[str] = "outage.updated/1"

    measured_at: InstantUs
    level: Level


@dataclass(frozen=True, slots=True)
class OutageClosed(OutageEvent):
    """Ordinary again. ended_at: the first bin of the run that showed it."""

    NAME: ClassVar[str] = "outage.closed/1"

    ended_at: InstantUs


@dataclass(frozen=True, slots=True)
class OutageMerged(OutageEvent):
    """It is part of another."""

    NAME: ClassVar[str] = "outage.merged/1"

    into: str


@dataclass(frozen=True, slots=True)
class OutageExplained(OutageEvent):
    """A person names a cause, with the sources that say so."""

    NAME: ClassVar[str] = "outage.explained/1"

    cause: Cause
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class OutageConfirmed(OutageEvent):
    """A person looked at it and holds it to be real."""

    NAME: ClassVar[str] = "outage.confirmed/1"


@dataclass(frozen=True, slots=True)
class OutageDismissed(OutageEvent):
    """A person looked at it: it was none, or our own fault."""

    NAME: ClassVar[str] = "outage.dismissed/1"

    reason: str


@dataclass(frozen=True, slots=True)
class OutageHeld(OutageEvent):
    """The public is not told for now."""

    NAME: ClassVar[str] = "outage.held/1"

    reason: str


@dataclass(frozen=True, slots=True)
class OutageReleased(OutageEvent):
    """The public may be told, once its delay is over."""

    NAME: ClassVar[str] = "outage.released/1"
