"""Which dishes are down and why, from the newest rows and from what the office knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from starlette.responses import Response

from skylift.api.office.door import Call
from skylift.api.telemetry.followed import LastRow, Radios
from skylift.api.telemetry.intake import Intake
from skylift.api.telemetry.places import Placed
from skylift.api.telemetry.states import NOT_KNOWN, StateColumns
from skylift.base.instants import InstantUs, format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import ROWS
from skylift.service.account.roles import Subject
from skylift.service.command.kinds import MAY_TRANSMIT
from skylift.service.command.state import Command, CommandState
from skylift.service.terminal.service_line import LineOff
from skylift.twin.office.known import Known
from skylift.watch.fleet import (
    CONNECTED,
    NO_ORDER,
    ORDER_SENT,
    ORDERED_OFF,
    WHYS,
    WORDS,
    Dishes,
    Verdicts,
    Why,
    judged,
    number_of,
)
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import LastState, Run, run_after

# Of so many that were down before this service began, history is asked since when.
MOST_ASKED = 200
MOST_SHOWN = 1000


# Said in place of what is said of all that may not be served.
_OF_LINES = {
    LineOff.ENDED: "its service line has ended: renew it with the operator, then import lines again",
    LineOff.INACTIVE: "its service line is inactive: ask the operator, then import lines again",
    LineOff.NONE: "its operator has no service line for it: put it on one, then import lines again",
}


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
    """Verdicts on terminals as they were at an instant, where those are, and orders that explain silence."""

    names: list[str]
    placed: list[Placed]
    verdicts: Verdicts
    at: InstantUs
    orders: Mapping[int, Command]

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
        off = placed.line.off(self.at) if placed.line is not None and not placed.barred else None
        says = _OF_LINES[off] if off is not None and why is Why.NO_ACCOUNT else WORDS[why]
        if why in (Why.RADIO_OFF, Why.MAY_TRANSMIT):
            says = _said_of(self.orders[place])
        return DownShown(self.names[place], why.value, says, since, placed.area, placed.region, silent)


def _said_of(order: Command) -> str:
    issued = format_instant(order.issued_at)
    if order.state is CommandState.DONE:
        return f"its radio was switched off by order {order.id} of {issued}, as the dish said"
    return f"order {order.id} of {issued} to switch its radio off is not confirmed: {MAY_TRANSMIT}"


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
    orders = await asyncio.to_thread(_orders, intake.radios, states)
    found = await asyncio.to_thread(_judged, states, placed, now, orders)
    return Judged(states.names, placed, found, now, orders)


def _orders(radios: Radios, states: StateColumns) -> dict[int, Command]:
    """By place: the order to its radio by which a dish would be silent, if it is."""
    radios.catch_up()
    if not radios:
        return {}
    connected = number_of(CONNECTED)
    found = {}
    for place, name in enumerate(states.names):
        if name in radios:
            at_us, received_us = int(states.at_us[place]), int(states.received_us[place])
            order = radios.behind(name, LastRow(at_us, received_us, int(states.says[place]) == connected))
            if order is not None:
                found[place] = order
    return found


def _judged(
    states: StateColumns, placed: Sequence[Placed], now: int, orders: Mapping[int, Command]
) -> Verdicts:
    areas: dict[str, int] = {"": -1}
    # Each area has the next number when it is met first.
    numbers = [areas.setdefault(one.area, len(areas) - 1) for one in placed]
    since_us = np.where(states.since_us == NOT_KNOWN, states.at_us, states.since_us)
    ordered = np.full(len(placed), NO_ORDER, dtype=np.int8)
    for place, order in orders.items():
        ordered[place] = ORDERED_OFF if order.state is CommandState.DONE else ORDER_SENT
    dishes = Dishes(
        np.array(numbers, dtype=np.int64),
        np.array([bool(one.barred) for one in placed], dtype=np.bool_),
        np.array([one.line is not None and one.line.off(now) is not None for one in placed], dtype=np.bool_),
        states.says, states.received_us, since_us, states.lossy, states.obstructed, states.weak, ordered,
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
