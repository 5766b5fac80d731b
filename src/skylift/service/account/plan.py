"""A plan: how fast, how much, and how early in the queue; and what of it has been used.

A plan never changes: a better one is a new plan, so that what was agreed stays readable.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room


class ServiceClass(enum.IntEnum):
    """The order in which classes are served when there is too little for all; the schedule has the same."""

    LIFE = 1
    CRITICAL = 2
    GOVERNMENT = 3
    EVERYBODY = 4


class PlanState(enum.Enum):
    """Whether a plan can be chosen."""

    UNKNOWN = "unknown"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class PlanEvent(Event):
    """Something that happened to a plan."""


@dataclass(frozen=True, slots=True)
class PlanOffered(PlanEvent):
    """allowance_bytes: of a cycle, both directions together; None: as much as one likes."""

    NAME: ClassVar[str] = "plan.offered/1"

    title: str
    service_class: ServiceClass
    down_bps: float
    up_bps: float
    allowance_bytes: int | None = None
    slow_bps: float | None = None


@dataclass(frozen=True, slots=True)
class PlanWithdrawn(PlanEvent):
    """Nobody new gets it; who has it keeps it."""

    NAME: ClassVar[str] = "plan.withdrawn/1"


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan. slow_bps: what is left beyond the allowance; None: nothing is."""

    id: str
    state: PlanState = PlanState.UNKNOWN
    title: str = ""
    service_class: ServiceClass = ServiceClass.EVERYBODY
    down_bps: float = 0.0
    up_bps: float = 0.0
    allowance_bytes: int | None = None
    slow_bps: float | None = None

    def rates_bps(self, used_bytes: int) -> tuple[float, float]:
        """Down and up with so much of the allowance used."""
        if self.allowance_bytes is None or used_bytes < self.allowance_bytes:
            return self.down_bps, self.up_bps
        slow = self.slow_bps or 0.0
        return min(slow, self.down_bps), min(slow, self.up_bps)


_S = PlanState
CYCLE = LifeCycle(
    thing="plan",
    begins=_S.UNKNOWN,
    steps={(_S.UNKNOWN, PlanOffered): _S.OFFERED, (_S.OFFERED, PlanWithdrawn): _S.WITHDRAWN},
)


def apply(plan: Plan, event: Event) -> Plan:
    """The plan after an event. Raises Refused where its life cycle has no such step."""
    after = replace(plan, state=CYCLE.after(plan.id, plan.state, type(event)))
    if isinstance(event, PlanOffered):
        return replace(
            after,
            title=event.title,
            service_class=event.service_class,
            down_bps=event.down_bps,
            up_bps=event.up_bps,
            allowance_bytes=event.allowance_bytes,
            slow_bps=event.slow_bps,
        )
    return after


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan offers."""

    title: str
    service_class: ServiceClass
    down_bps: float
    up_bps: float
    allowance_bytes: int | None = None
    slow_bps: float | None = None


def offered(plan: Plan, who: Who, terms: Terms) -> tuple[PlanEvent, ...]:
    CYCLE.after(plan.id, plan.state, PlanOffered)
    for name, rate_bps in (("down_bps", terms.down_bps), ("up_bps", terms.up_bps)):
        if not (math.isfinite(rate_bps) and rate_bps > 0.0):
            raise Refused("plan.rate", name, "a rate is finite and above 0", "give bits per second")
    if terms.allowance_bytes is not None and terms.allowance_bytes <= 0:
        raise Refused(
            "plan.allowance", "allowance_bytes", "it is above 0", "give it, or leave it out for no limit"
        )
    if terms.slow_bps is not None and (terms.allowance_bytes is None or not 0.0 < terms.slow_bps < math.inf):
        raise Refused(
            "plan.slow", "slow_bps", "it is the rate beyond an allowance, above 0", "give both or none"
        )
    return (
        PlanOffered(
            who.at, who.by, plan.id, who.cause_id, terms.title, terms.service_class, terms.down_bps,
            terms.up_bps, terms.allowance_bytes, terms.slow_bps,
        ),
    )  # fmt: skip


def withdrawn(plan: Plan, who: Who) -> tuple[PlanEvent, ...]:
    CYCLE.after(plan.id, plan.state, PlanWithdrawn)
    return (PlanWithdrawn(who.at, who.by, plan.id, who.cause_id),)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a terminal's counter stood at; it begins at 0 again when the terminal restarts."""

    at: int
    counter_bytes: int


def used_bytes(readings: Iterable[Reading], from_us: int, until_us: int) -> int:
    """Bytes between the first and the last reading in [from, until), over restarts.

    Readings in any order, doubled ones count once. What was sent between the last reading before `from`
    and the first in it belongs to neither cycle: nobody is charged for what nobody measured.
    """
    inside = sorted(
        {r for r in readings if from_us <= r.at < until_us}, key=lambda r: (r.at, r.counter_bytes)
    )
    total = 0
    for before, after in pairwise(inside):
        step = after.counter_bytes - before.counter_bytes
        total += step if step >= 0 else after.counter_bytes
    return total


def label(state: PlanState) -> str:
    """The words that an operator reads."""
    match state:
        case PlanState.UNKNOWN:
            return "Not known"
        case PlanState.OFFERED:
            return "Can be chosen"
        case PlanState.WITHDRAWN:
            return "For those who have it"
    assert_never(state)


def facets(plan: Plan) -> Facets:
    """What lists of plans are searched by."""
    return Facets(status=plan.state.value, words=(plan.title.lower(), plan.service_class.name.lower()))


ROOM: Room[Plan] = Room(
    kind="plan",
    prefix="pln",
    state=Plan,
    empty=Plan,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
