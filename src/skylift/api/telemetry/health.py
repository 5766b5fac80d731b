"""Which dishes are down and why, from the newest rows and from what the office knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import h3
import msgspec
from starlette.responses import Response

from skylift.api.office.door import Call
from skylift.api.telemetry.intake import Intake
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import ROWS
from skylift.service.account.roles import Subject
from skylift.service.permission.reasons import Code
from skylift.twin.office.known import Known
from skylift.watch.fleet import CONNECTED, WORDS, Dish, Verdict, Why, judged
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import LastState, Run, run_after

# About 60 km across half: a town and what is around it fail together.
AREA_RESOLUTION = 3
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


@dataclass(frozen=True, slots=True)
class _Placed:
    area: str
    region: str
    barred: str


async def verdicts(intake: Intake, only: set[str] | None = None) -> tuple[list[Verdict], dict[str, str]]:
    """On every dish that ever reported, or on `only` some; and their regions."""
    states = await asyncio.to_thread(intake.states.all)
    if only is not None:
        states = [state for state in states if state.terminal in only]

    def look(known: Known, permissions: object, sequence: int) -> dict[str, _Placed]:
        return {state.terminal: _placed(known, state.terminal) for state in states}

    placed = await intake.desk.facts.ask(look)
    await asyncio.to_thread(_learn, intake, states)
    dishes = [_dish(intake, state, placed[state.terminal]) for state in states]
    regions = {terminal: one.region for terminal, one in placed.items()}
    found = await asyncio.to_thread(judged, dishes, intake.desk.clock.now())
    return found, regions


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
    found, regions = await verdicts(intake, only)
    down = sorted((one for one in found if one.is_down), key=lambda one: (one.since_us, one.terminal))
    by = Counter(one.why.value for one in found)
    shown = HealthShown(
        format_instant(call.desk.clock.now()),
        len(found),
        by[Why.UP.value],
        dict(sorted(by.items())),
        [_shown(one, regions) for one in down[:MOST_SHOWN]],
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


def _placed(known: Known, terminal: str) -> _Placed:
    facts, subject = known.terminals.get(terminal), known.subjects.get(terminal, Subject())
    if facts is None:
        return _Placed("", "", "")
    account = known.accounts.get(facts.account)
    against = (*facts.against, *(account.against if account is not None else ()))
    # One that nobody has activated here may be served by another's network all the same.
    barred = next((why.code.value for why in against if why.code is not Code.TERMINAL_NOT_ACTIVE), "")
    return _Placed(area_of(facts.home_cell), subject.region, barred)


def area_of(cell: str) -> str:
    """The coarse cell around a terminal's home."""
    if not cell or h3.get_resolution(cell) < AREA_RESOLUTION:
        return cell
    return str(h3.cell_to_parent(cell, AREA_RESOLUTION))


def _dish(intake: Intake, state: LastState, placed: _Placed) -> Dish:
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
