"""One command to many dishes, with its brakes: two people, a limit to what one person and one region take,
stages of 1, 10 and 100, a gate before each, and an end as soon as too many go wrong.

In February 2022 lawful management commands, sent to tens of thousands of modems at once, destroyed them
(viasat.com, overview of the attack on KA-SAT): who may do all this at once needs no enemy.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.command.kinds import CommandKind, Told
from skylift.service.command.state import Order

KIND = "rollout"
STAGES: Final = (1, 10, 100)
# Of a stage: more than this share gone wrong, and it ends; of the first, any.
MOST_WRONG_FRACTION: Final = 0.05
MOST: Final = 1_000
# The blast radius of a day, whoever agreed: of one person, and in one region.
MOST_BY_PERSON: Final = 500
MOST_IN_REGION: Final = 1_000
WINDOW_US: Final = 86_400_000_000
_NEVER = InstantUs(0)


@dataclass(frozen=True, slots=True)
class RolloutEvent(Event):
    """Something that happened to a rollout."""


@dataclass(frozen=True, slots=True)
class RolloutBegun(RolloutEvent):
    """terminals: in the order in which it reaches them; regions: how many of them are in each."""

    NAME: ClassVar[str] = "rollout.begun/1"

    kind: CommandKind
    arguments: Mapping[str, int | bool]
    expires_min: int
    terminals: tuple[str, ...]
    regions: Mapping[str, int]
    region: str
    reason: str
    agreement: str


@dataclass(frozen=True, slots=True)
class StageBegun(RolloutEvent):
    """commands: by terminal, of the stage that begins now."""

    NAME: ClassVar[str] = "rollout.stage-begun/1"

    commands: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RolloutStopped(RolloutEvent):
    """why: "wrong" where too many went wrong, "asked" where somebody stopped it."""

    NAME: ClassVar[str] = "rollout.stopped/1"

    why: str


@dataclass(frozen=True, slots=True)
class RolloutEnded(RolloutEvent):
    """All stages were done."""

    NAME: ClassVar[str] = "rollout.ended/1"


class RolloutState(enum.Enum):
    """Where a rollout stands."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under-way"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One command to many dishes.

    stages      commands by terminal, of each stage that was begun
    reached_at  when the last of them was
    """

    id: str
    state: RolloutState = RolloutState.UNKNOWN
    kind: CommandKind = CommandKind.REBOOT
    arguments: Mapping[str, int | bool] = field(default_factory=dict)
    expires_min: int = 60
    terminals: tuple[str, ...] = ()
    regions: Mapping[str, int] = field(default_factory=dict)
    region: str = ""
    reason: str = ""
    by: str = ""
    begun_at: InstantUs = _NEVER
    stages: tuple[Mapping[str, str], ...] = ()
    why: str = ""
    reached_at: InstantUs = _NEVER

    @property
    def order(self) -> Order:
        given = self.arguments
        on = given.get("on")
        told = Told(
            None if on is None else bool(on), given.get("start_minutes"), given.get("duration_minutes")
        )
        return Order(self.kind, told, self.expires_min)

    def reached(self) -> int:
        """How many terminals were sent a command so far."""
        return sum(len(stage) for stage in self.stages)

    def counts_at(self, at: int) -> bool:
        """Whether it is part of what a day allows: as long as it may reach somebody, and for a day after."""
        last_at = max(self.begun_at, self.reached_at)
        return self.state is RolloutState.UNDER_WAY or last_at > at - WINDOW_US

    def next_stage(self) -> tuple[str, ...]:
        """The terminals of the stage after the last one; () where there is none."""
        size = STAGES[min(len(self.stages), len(STAGES) - 1)]
        return self.terminals[self.reached() : self.reached() + size]


_S = RolloutState
CYCLE = LifeCycle(
    thing=KIND,
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, RolloutBegun): _S.UNDER_WAY,
        (_S.UNDER_WAY, StageBegun): _S.UNDER_WAY,
        (_S.UNDER_WAY, RolloutStopped): _S.STOPPED,
        (_S.UNDER_WAY, RolloutEnded): _S.ENDED,
    },
)


def apply(rollout: Rollout, event: Event) -> Rollout:
    """The rollout after an event. Raises Refused where its life cycle has no such step."""
    after = replace(rollout, state=CYCLE.after(rollout.id, rollout.state, type(event)))
    match event:
        case RolloutBegun():
            return replace(
                after,
                kind=event.kind,
                arguments=dict(event.arguments),
                expires_min=event.expires_min,
                terminals=event.terminals,
                regions=dict(event.regions),
                region=event.region,
                reason=event.reason,
                by=event.by,
                begun_at=event.at,
            )
        case StageBegun():
            return replace(after, stages=(*rollout.stages, dict(event.commands)), reached_at=event.at)
        case RolloutStopped():
            return replace(after, why=event.why)
    return after


def checked(terminals: Sequence[str]) -> tuple[str, ...]:
    """Their ids, each once, in the order in which they are given: the first is the first to be tried."""
    ids = tuple(dict.fromkeys(labels.own_id(id, KIND, "terminals", "trm") for id in terminals))
    if not 2 <= len(ids) <= MOST:
        raise Refused(
            f"{KIND}.terminals",
            "terminals",
            f"they are 2 to {MOST}",
            "for one, issue a command; for more, begin several rollouts on several days",
        )
    return ids


def refuse_blast(before: Sequence[Rollout], person: str, regions: Mapping[str, int], at: int) -> None:
    """Raises Refused where it would be more than one person, or one region, takes in a day."""
    recent = [one for one in before if one.counts_at(at)]
    mine = sum(len(one.terminals) for one in recent if one.by == person) + sum(regions.values())
    if mine > MOST_BY_PERSON:
        raise Refused(
            f"{KIND}.too-many-by-person",
            "terminals",
            f"one person begins rollouts to at most {MOST_BY_PERSON} in a day; these make {mine}",
            "take fewer, have another person begin it, or wait: those under way count until they have ended",
        )
    there: Counter[str] = Counter()
    for one in recent:
        there.update(one.regions)
    for region, count in regions.items():
        if there[region] + count > MOST_IN_REGION:
            # Those that are in no region have a limit as if that were one: they must not be a way around it.
            raise Refused(
                f"{KIND}.too-many-in-region",
                f"region {region}" if region else "terminals of no region",
                f"rollouts reach at most {MOST_IN_REGION} terminals of a region in a day; "
                f"these make {there[region] + count}",
                "take fewer there, or wait until those under way have ended and a day is over",
            )


def begun(
    rollout: Rollout, who: Who, order: tuple[CommandKind, Mapping[str, int | bool], int], to: RolloutTo
) -> tuple[RolloutEvent, ...]:
    """`order`: kind, arguments and minutes until each command expires."""
    CYCLE.after(rollout.id, rollout.state, RolloutBegun)
    if not to.reason.strip():
        raise Refused(f"{KIND}.reason", "reason", "it says why", "say it in a few words, without names")
    return (
        RolloutBegun(
            who.at, who.by, rollout.id, who.cause_id, *order, to.terminals, to.regions, to.region, to.reason,
            to.agreement,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RolloutTo:
    """Whom it is for, why, and who agreed."""

    terminals: tuple[str, ...]
    regions: Mapping[str, int]
    region: str
    reason: str
    agreement: str


@dataclass(frozen=True, slots=True)
class StageHealth:
    """How a stage goes. wrong: refused, failed, or not answered within its time."""

    done: int
    wrong: int
    waiting: int

    @property
    def total(self) -> int:
        return self.done + self.wrong + self.waiting

    @property
    def is_bad(self) -> bool:
        """More went wrong than a stage may have."""
        return self.wrong > self.total * MOST_WRONG_FRACTION

    @property
    def is_over(self) -> bool:
        return self.waiting == 0


def proceeded(
    rollout: Rollout, who: Who, health: StageHealth, commands: Mapping[str, str]
) -> tuple[RolloutEvent, ...]:
    """The next stage; `commands`: its ids by terminal. Raises Refused where the gate is shut."""
    if rollout.state is not RolloutState.UNDER_WAY:
        raise Refused(
            f"{KIND}.wrong-state",
            f"rollout {rollout.id}",
            f"it is {rollout.state.value}: it has no next stage",
            "nothing follows this state; begin a new one, once it is known why",
        )
    by = (who.at, who.by, rollout.id, who.cause_id)
    if rollout.stages:
        if health.is_bad:
            return (RolloutStopped(*by, "wrong"),)
        if not health.is_over:
            raise Refused(
                f"{KIND}.gate",
                f"rollout {rollout.id}",
                f"the gate is shut: of {health.total} in this stage {health.done} are done, "
                f"{health.waiting} have not answered",
                "wait until all have answered, or their time is over",
            )
        if not commands:
            return (RolloutEnded(*by),)
    return (StageBegun(*by, dict(commands)),)


def judged(rollout: Rollout, who: Who, health: StageHealth) -> tuple[RolloutEvent, ...]:
    """After each answer: it ends by itself where too many go wrong."""
    if rollout.state is RolloutState.UNDER_WAY and rollout.stages and health.is_bad:
        return (RolloutStopped(who.at, who.by, rollout.id, who.cause_id, "wrong"),)
    return ()


def stopped(rollout: Rollout, who: Who) -> tuple[RolloutEvent, ...]:
    CYCLE.after(rollout.id, rollout.state, RolloutStopped)
    return (RolloutStopped(who.at, who.by, rollout.id, who.cause_id, "asked"),)


def facets(rollout: Rollout) -> Facets:
    """What lists of them are searched by."""
    return Facets(status=rollout.state.value, region=rollout.region, words=(rollout.kind.value,))


ROOM: Room[Rollout] = Room(
    kind=KIND,
    prefix="rol",
    state=Rollout,
    empty=Rollout,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
