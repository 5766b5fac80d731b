"""Which dishes are down and why, from the newest rows and from what the office knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from starlette.responses import Response

from skylift.api.office.door import Call
from skylift.api.telemetry.intake import Intake
from skylift.api.telemetry.places import Placed
from skylift.api.telemetry.states import NOT_KNOWN, StateColumns
from skylift.base.instants import InstantUs, format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import ROWS
from skylift.service.account.roles import Subject
from skylift.twin.office.known import Known
from skylift.watch.fleet import CONNECTED, WHYS, WORDS, Dishes, Verdicts, Why, judged, number_of
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
    """Verdicts on terminals, and where those are."""

    names: list[str]
    placed: list[Placed]
    verdicts: Verdicts

    def by_why(self) -> Counter[str]:
        return Counter({why.value: count for why, count in self.verdicts.by_why().items()})

    def down(self, most: int) -> list[DownShown]:
        """The longest first."""
        down = np.flatnonzero(self.verdicts.is_down)
        since_us = self.verdicts.since_us
        if len(down) > most:
            # Nothing is sorted of what will not be shown.
            down = down[since_us[down] <= np.partition(since_us[down], most)[most]]
        places = sorted(down.tolist(), key=lambda place: (int(since_us[place]), self.names[place]))
        return [self._shown(place) for place in places[:most]]

    def _shown(self, place: int) -> DownShown:
        why = WHYS[self.verdicts.why[place]]
        placed = self.placed[place]
        since = format_instant(InstantUs(int(self.verdicts.since_us[place])))
        silent = bool(self.verdicts.silent[place])
        return DownShown(self.names[place], why.value, WORDS[why], since, placed.area, placed.region, silent)


async def verdicts(intake: Intake, only: set[str] | None = None) -> Judged:
    """On every dish that ever reported, or on `only` some."""
    now = intake.desk.clock.now()
    states = intake.states.columns()
    if only is not None:
        states = states.only([place for place, name in enumerate(states.names) if name in only])

    def look(known: Known, permissions: object, sequence: int) -> list[Placed]:
        return [intake.places.of(known, name) for name in states.names]

    placed = await intake.desk.facts.ask(look)
    await _learn(intake, states)
    return Judged(states.names, placed, await asyncio.to_thread(_judged, states, placed, now))


def _judged(states: StateColumns, placed: Sequence[Placed], now: int) -> Verdicts:
    areas: dict[str, int] = {"": -1}
    # Each area has the next number when it is met first.
    numbers = [areas.setdefault(one.area, len(areas) - 1) for one in placed]
    since_us = np.where(states.since_us == NOT_KNOWN, states.at_us, states.since_us)
    dishes = Dishes(
        np.array(numbers, dtype=np.int64),
        np.array([bool(one.barred) for one in placed], dtype=np.bool_),
        states.says, states.received_us, since_us, states.lossy, states.obstructed, states.weak,
    )  # fmt: skip
    return judged(dishes, now)


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
    by = found.by_why()
    shown = HealthShown(
        format_instant(call.desk.clock.now()),
        by.total(),
        by[Why.UP.value],
        dict(sorted(by.items())),
        found.down(MOST_SHOWN),
    )
    return Response(msgspec.json.encode(shown), media_type="application/json")


async def _learn(intake: Intake, states: StateColumns) -> None:
    """Since when those are down that were so before this service began."""
    unknown = np.flatnonzero((states.says != number_of(CONNECTED)) & (states.since_us == NOT_KNOWN))
    places = unknown[:MOST_ASKED].tolist()
    # Some may have been forgotten meanwhile.
    now = [(place, state) for place in places if (state := intake.states.get(states.names[place]))]
    runs = await asyncio.to_thread(lambda: [_run_of(intake, state) for _, state in now])
    for (place, state), run in zip(now, runs, strict=True):
        intake.states.learn(state.terminal, run)
        states.since_us[place] = run.since_us


def _run_of(intake: Intake, state: LastState) -> Run:
    before = state.at_us - US_PER_DAY
    columns = intake.store.history(state.terminal, before, state.at_us + 1, ROWS).columns
    pairs = zip(columns.get("at_us", ()), columns.get("state", ()), strict=True)
    run = run_after(None, [Row(1, at_us, state=word) for at_us, word in pairs])
    return run or Run(state.state, state.at_us, state.at_us)
