"""A figure of somebody else about the app: a rank in a store, an estimate. It is kept with its source."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.labels import country as read_country
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.appstats.figures import WORLD, Imported

LONGEST_SOURCE = 200


class What(enum.Enum):
    """What a figure counts."""

    RANK = "rank"
    INSTALLS = "installs"
    ACTIVE = "active"


class FigureState(enum.Enum):
    """Whether a figure is told."""

    UNKNOWN = "unknown"
    IMPORTED = "imported"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class FigureEvent(Event):
    """Something that happened to a figure."""


@dataclass(frozen=True, slots=True)
class FigureImported(FigureEvent):
    """source: who says so, and where it stands; country: ISO 3166, or "world"."""

    NAME: ClassVar[str] = "app-figure.imported/1"

    country: str
    day: str
    what: What
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class FigureCorrected(FigureEvent):
    """Its source says otherwise, or it was copied wrongly."""

    NAME: ClassVar[str] = "app-figure.corrected/1"

    value: float


@dataclass(frozen=True, slots=True)
class FigureWithdrawn(FigureEvent):
    NAME: ClassVar[str] = "app-figure.withdrawn/1"

    reason: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its source."""

    id: str
    state: FigureState = FigureState.UNKNOWN
    country: str = ""
    day: str = ""
    what: What = What.RANK
    value: float = 0.0
    source: str = ""
    reason: str = ""

    def as_imported(self) -> Imported:
        return Imported(self.country, self.day, self.what.value, self.value, self.source)


_S = FigureState
CYCLE = LifeCycle(
    thing="app-figure",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, FigureImported): _S.IMPORTED,
        (_S.IMPORTED, FigureCorrected): _S.IMPORTED,
        (_S.IMPORTED, FigureWithdrawn): _S.WITHDRAWN,
    },
)


def apply(figure: Figure, event: Event) -> Figure:
    """The figure after an event. Raises Refused where its life cycle has no such step."""
    after = replace(figure, state=CYCLE.after(figure.id, figure.state, type(event)))
    match event:
        case FigureImported():
            return replace(
                after,
                country=event.country,
                day=event.day,
                what=event.what,
                value=event.value,
                source=event.source,
            )
        case FigureCorrected():
            return replace(after, value=event.value)
        case FigureWithdrawn():
            return replace(after, reason=event.reason)
    return after


def imported(figure: Figure, who: Who, given: Imported) -> tuple[FigureEvent, ...]:
    """Raises Refused for one without a source: figures of others are never made up here."""
    CYCLE.after(figure.id, figure.state, FigureImported)
    what = What(given.what)
    country = given.country if given.country == WORLD else read_country(given.country, "app-figure")
    source = " ".join(given.source.split())
    if not 5 <= len(source) <= LONGEST_SOURCE:
        raise Refused(
            "app-figure.source",
            "source",
            f"it says in 5 to {LONGEST_SOURCE} characters who published the figure, and where",
            "write for example: Sensor Tower, in the Wall Street Journal of 2022-03-15",
        )
    _refuse_day(given.day)
    _refuse_value(what, given.value)
    head = (who.at, who.by, figure.id, who.cause_id)
    return (FigureImported(*head, country, given.day, what, given.value, source),)


def corrected(figure: Figure, who: Who, value: float) -> tuple[FigureEvent, ...]:
    CYCLE.after(figure.id, figure.state, FigureCorrected)
    _refuse_value(figure.what, value)
    return (FigureCorrected(who.at, who.by, figure.id, who.cause_id, value),)


def withdrawn(figure: Figure, who: Who, reason: str) -> tuple[FigureEvent, ...]:
    CYCLE.after(figure.id, figure.state, FigureWithdrawn)
    return (FigureWithdrawn(who.at, who.by, figure.id, who.cause_id, reason),)


def _refuse_day(day: str) -> None:
    try:
        if date.fromisoformat(day).isoformat() == day:
            return
    except ValueError:
        pass
    raise Refused("app-figure.day", "day", "it is a day", "write for example 2022-03-13")


def _refuse_value(what: What, value: float) -> None:
    least = 1 if what is What.RANK else 0
    if not (math.isfinite(value) and value >= least and value == int(value)):
        raise Refused(
            "app-figure.value", "value", f"a {what.value} is a whole number from {least} on", "copy it again"
        )


def label(state: FigureState) -> str:
    """The words that people read."""
    match state:
        case FigureState.UNKNOWN:
            return "Not known"
        case FigureState.IMPORTED:
            return "Told with its source"
        case FigureState.WITHDRAWN:
            return "Withdrawn"
    assert_never(state)


def facets(figure: Figure) -> Facets:
    """What lists of figures are searched by; one source has one figure of a country, day and kind."""
    name = f"{figure.country}/{figure.day}/{figure.what.value}/{figure.source.casefold()}"
    told = figure.state is FigureState.IMPORTED
    return Facets(
        status=figure.state.value,
        keys={"figure": name} if told else {},
        words=(figure.country.lower(), figure.day, figure.what.value) if figure.day else (),
    )


ROOM: Room[Figure] = Room(
    kind="app-figure",
    prefix="fig",
    state=Figure,
    empty=Figure,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
