"""Which dishes are down and why, from the newest rows and from what the office knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from skylift.api.office.door import Call
from skylift.api.telemetry.intake import Intake
from skylift.api.telemetry.places import Placed
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import ROWS
from skylift.service.account.roles import Subject
from skylift.twin.office.known import Known
from skylift.watch.fleet import CONNECTED, SILENT_AFTER_US, WORDS, Dish, Verdict, Why, judged
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import LastState, Run, run_after

# Of so many that were down before this service began, history is asked since when.
MOST_ASKED = 200
MOST_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class DownShown:
    """One dish that is down. area: a coarse cell; silent: it has not reported for ten minutes."""

    terminal: str
    why: str
    says: str
    since: str
    area: str
    region: str
    silent: bool


@dataclass(frozen=True, slots=True)
class HealthShown:
    """terminals: those that ever reported; by: how many of each reason; down: the longest first, to 1,000."""

    at: str
    terminals: int
    up: int
    by: dict[str, int]
    down: list[DownShown]


class Judged(NamedTuple):
    """well: how many are up of whom nothing else is to be said; others, and their regions."""

    well: int
    verdicts: list[Verdict]
    regions: dict[str, str]

    def by_why(self) -> Counter[str]:
        found = Counter(one.why.value for one in self.verdicts)
        found[Why.UP.value] += self.well
        return +found


async def verdicts(intake: Intake, only: set[str] | None = None) -> Judged:
    """On every dish that ever reported, or on `only` some."""
    now = intake.desk.clock.now()
    well, others = intake.states.parted(now - SILENT_AFTER_US)

    def look(known: Known, permissions: object, sequence: int) -> tuple[Counter[str], dict[str, Placed]]:
        areas: Counter[str] = Counter()
        placed: dict[str, Placed] = {}
        of = intake.places.of
        for terminal in well if only is None else only.intersection(well):
            place = of(known, terminal)
            if place.barred:
                placed[terminal] = place
            else:
                areas[place.area] += 1
        for terminal in others if only is None else only.intersection(others):
            placed[terminal] = of(known, terminal)
        return areas, placed

    areas, placed = await intake.desk.facts.ask(look)
    # Some may have been forgotten meanwhile.
    states = [state for terminal in placed if (state := intake.states.get(terminal)) is not None]
    await asyncio.to_thread(_learn, intake, states)
    dishes = [_dish(intake, state, placed[state.terminal]) for state in states]
    found = await asyncio.to_thread(judged, dishes, now, areas)
    return Judged(areas.total(), found, {terminal: one.region for terminal, one in placed.items()})


async def health(call: Call, intake: Intake) -> Response:
    """The answer to GET /api/v1/fleet/health, of what the asker may know of."""
    office, actor = call.desk.office, call.asker()
    region = call.request.query_params.get("region", "")

    def look(known: Known, permissions: object, sequence: int) -> set[str]:
        return {
            id
            for id, subject in known.subjects.items()
            if (not region or subject.region == region) and office.allows(actor, "terminal.read", subject)
        }

    everything = not region and office.allows(actor, "terminal.read", Subject())
    only = None if everything else await call.desk.facts.ask(look)
    found = await verdicts(intake, only)
    is_down = (one for one in found.verdicts if one.is_down)
    down = sorted(is_down, key=lambda one: (one.since_us, one.terminal))
    by = found.by_why()
    shown = HealthShown(
        format_instant(call.desk.clock.now()),
        by.total(),
        by[Why.UP.value],
        dict(sorted(by.items())),
        [_shown(one, found.regions) for one in down[:MOST_SHOWN]],
    )
    return Response(msgspec.json.encode(shown), media_type="application/json")


def _shown(one: Verdict, regions: dict[str, str]) -> DownShown:
    return DownShown(
        one.terminal,
        one.why.value,
        WORDS[one.why],
        format_instant(one.since_us),
        one.area,
        regions.get(one.terminal, ""),
        one.silent,
    )


def _dish(intake: Intake, state: LastState, placed: Placed) -> Dish:
    run = intake.states.run_of(state.terminal)
    return Dish(
        state.terminal,
        placed.area,
        placed.barred,
        state.state,
        state.at_us,
        state.received_us,
        state.at_us if run is None else run.since_us,
        state.ping_drop_fraction,
        state.obstructed_fraction,
        state.snr_low,
    )


def _learn(intake: Intake, states: list[LastState]) -> None:
    """Since when those are down that were so before this service began."""
    unknown = [
        state for state in states if state.state != CONNECTED and intake.states.run_of(state.terminal) is None
    ]
    for state in unknown[:MOST_ASKED]:
        before = state.at_us - US_PER_DAY
        columns = intake.store.history(state.terminal, before, state.at_us + 1, ROWS).columns
        pairs = zip(columns.get("at_us", ()), columns.get("state", ()), strict=True)
        run = run_after(None, [Row(1, at_us, state=word) for at_us, word in pairs])
        intake.states.learn(state.terminal, run or Run(state.state, state.at_us, state.at_us))
