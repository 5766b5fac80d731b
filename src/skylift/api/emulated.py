"""The door of emulated dishes: what they do reaches the sky's next slot, and what the sky gives, them.

A process that serves dishes asks every moment. What it said of them holds for a while only: dishes whose
process is gone are no longer there, and their terminals are as if they had never had one.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.api.office.door import Call, Door, answer, read_as
from skylift.api.office.problems import missing
from skylift.api.office_slot import Ground
from skylift.api.state import Kept, LiveState, not_ready
from skylift.base.errors import Refused
from skylift.service.account.roles import Subject
from skylift.twin.permit import Serve
from skylift.wire.dish.told import ToldSlot, told_of
from skylift.wire.dish.view import Cause

MOST_DISHES = 1_000
# A dish remembers a quarter of an hour.
MOST_SLOTS_BACK = 60
_CAUSES = frozenset({"", *(cause.name.lower() for cause in Cause)})


@dataclass(frozen=True, slots=True)
class DishesSaid:
    """dishes: terminal -> why its dish will be off the air in the slot that begins next; "" for on the air.

    after: slots after this start, microseconds since 1970
    """

    dishes: dict[str, str]
    after: int = 0


@dataclass(frozen=True, slots=True)
class SlotTold:
    at_us: int
    dishes: dict[str, ToldSlot]


@dataclass(frozen=True, slots=True)
class DishesTold:
    """now_us, speed and paused: the service's clock. slots: oldest first, the next one once known."""

    now_us: int
    speed: float
    paused: bool
    slot_length_us: int
    slots: tuple[SlotTold, ...]


class EmulatedDishes:
    """The door of one sky."""

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._of: tuple[str, ...] = ()
        self._place: dict[str, int] = {}

    def doors(self) -> list[Door]:
        return [
            Door(
                "POST",
                "/api/v1/sky/emulated-dishes",
                self.dishes,
                "Say how emulated dishes are, and hear what the sky gives their terminals, slot by slot.",
                "sky",
                {200: DishesTold},
                DishesSaid,
            )
        ]

    async def dishes(self, call: Call) -> Response:
        said: DishesSaid = read_as(DishesSaid, await call.body())
        state = self._state
        self._check(call, said)
        present = state.present()
        if present is None:
            raise not_ready(state.why_not_ready() or "no slot yet")
        state.dishes.say(said.dishes)
        since_us = max(said.after, present.at_us - MOST_SLOTS_BACK * state.slot_length_us - 1)
        told = await asyncio.to_thread(self._told, state.known_after(since_us), list(said.dishes))
        clock = state.clock
        return answer(DishesTold(clock.now(), clock.speed, clock.paused, state.slot_length_us, told))

    def _check(self, call: Call, said: DishesSaid) -> None:
        hello, actor = self._state.need_hello(), call.asker()
        if hello.about["serve"] == Serve.SCENARIO:
            raise Refused(
                "dishes.scenario-only",
                "emulated dishes of this service",
                "its sky asks nobody before a slot, so a dish could change nothing",
                "run it with --serve both, or serve the dish with --scenario",
            )
        if not 0 < len(said.dishes) <= MOST_DISHES:
            raise Refused(
                "dishes.many", "dishes", f"there are 1 to {MOST_DISHES:,} of them", "ask for others apart"
            )
        strange = {off for off in said.dishes.values() if off not in _CAUSES}
        if strange:
            known = ", ".join(sorted(_CAUSES - {""}))
            raise Refused(
                "dishes.off", "why a dish is off", "it is none of the causes", f"say one of {known}"
            )
        scenario, present = self._places(), self._state.newest()
        for id in said.dishes:
            subject = Subject() if id in scenario else call.desk.facts.subject(id)
            # An emulated dish speaks for its terminal, as whoever reports what the true one uses.
            if subject is None or not call.desk.office.allows(actor, "telemetry.write", subject):
                raise missing("terminal")
            office = None if present is None else present.office
            if id not in scenario and (office is None or id not in office.row):
                raise Refused(
                    "dishes.no-home",
                    f"terminal {id}",
                    "it has no home cell that the sky knows, so nothing can be above it",
                    "register it (skylift terminal register); the sky knows it from the next slot on",
                )

    def _told(self, slots: list[Kept], ids: list[str]) -> tuple[SlotTold, ...]:
        return tuple(SlotTold(kept.at_us, self._of_slot(kept, ids)) for kept in slots)

    def _of_slot(self, kept: Kept, ids: list[str]) -> dict[str, ToldSlot]:
        found: dict[str, ToldSlot] = {}
        rows: dict[str, dict[str, Any]] | None = None
        for id in ids:
            seen = kept.seen.get(id)
            if seen is not None:
                found[id] = told_of(seen, self._reasons(kept, id))
                continue
            # Before it had a dish: as the links tell it.
            if rows is None:
                document = msgspec.json.decode(kept.links)
                rows = {row["terminal"]: row for row in document.get("links", ())}
            office = kept.office
            if office is not None and office.row.get(id, -1) >= 0:
                (rows[id],) = office.links(kept.at_us, [id], self._ground())
            if id in rows:
                found[id] = self._of_row(rows[id], self._reasons(kept, id))
        return found

    def _reasons(self, kept: Kept, id: str) -> list[str]:
        if kept.office is None:
            return []
        matched, place = kept.office.rows.matched, self._places().get(id)
        office = id if place is None else matched[place] if place < len(matched) else ""
        return [reason["code"] for reason in kept.office.reasons_of(office)] if office else []

    def _places(self) -> dict[str, int]:
        """Where each of the scenario's terminals stands in its list."""
        terminals = self._state.need_hello().terminals
        if self._of != terminals:
            self._of, self._place = terminals, {id: place for place, id in enumerate(terminals)}
        return self._place

    def _ground(self) -> Ground:
        told = msgspec.json.decode(self._state.need_hello().gateways_document)
        return Ground([g["gateway"] for g in told["gateways"]], [p["pop"] for p in told["pops"]])

    def _of_row(self, row: dict[str, Any], reasons: list[str]) -> ToldSlot:
        up = row["why_down"] is None
        there = row["azimuth_deg"] is not None and row["elevation_deg"] is not None
        return ToldSlot(
            at_us=row["at_us"],
            length_us=self._state.slot_length_us,
            why_down=row["why_down"],
            rtt_start_ms=_rtt_ms(row, "") if up else None,
            rtt_end_ms=_rtt_ms(row, "_end") if up else None,
            down_bps=row["down_bps"],
            up_bps=row["up_bps"],
            loss_fraction=row["loss_fraction"],
            satellite=row["satellite"],
            track=((math.radians(row["azimuth_deg"]), math.radians(row["elevation_deg"])),) if there else (),
            handover=row["handover"],
            gateway=row["gateway"],
            pop=row["pop"],
            reasons=tuple(reasons),
        )


def _rtt_ms(row: dict[str, Any], edge: str) -> float:
    up_us, down_us = (row[f"one_way_delay_{way}{edge}_us"] for way in ("up", "down"))
    return float(up_us + down_us) / 1_000
