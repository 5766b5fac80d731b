"""Emulated dishes of a running service: the sky's side, and the process that serves them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest

from skylift.adapters import dish_live
from skylift.adapters.antennas import packaged_antenna, packaged_antennas
from skylift.adapters.dish_live import LiveDishes, ServersClock
from skylift.adapters.gateways_file import packaged_ground_segment
from skylift.adapters.live import LiveSky, OfficeAsking, hello
from skylift.adapters.sky_messages import Permits, SlotReport
from skylift.api.emulated import EmulatedDishes
from skylift.api.state import LiveState
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.geodesy import Place
from skylift.base.ids import TerminalId
from skylift.base.instants import InstantUs, parse_instant
from skylift.base.link import WhyDown
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms
from skylift.twin.permit import Permit, Serve, columns_of
from skylift.twin.roster import Antennas, Roster
from skylift.twin.world import Period, ServicePeriod, Terminal, Timeline, World
from skylift.wire.dish.told import DishSeen, ToldSlot, told_of, view_of
from skylift.wire.dish.view import Cause, SlotView

S = 1_000_000
AT = int(parse_instant("2024-03-09T10:00:00Z"))
SLOT_US = 15 * S
CELL = "851e5227fffffff"
ANTENNAS = Antennas(packaged_antennas(), packaged_antenna("starlink-standard-v2"))


class FakeClock:
    speed = 1.0
    paused = False

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> InstantUs:
        return InstantUs(self.at)

    def sleep_until(self, at: InstantUs) -> None:
        self.at = max(self.at, at)


@pytest.fixture(scope="module")
def world() -> World:
    return World(
        generate([Shell("s", 36, 20, 550e3, 53.0, 11.0)], AT),
        (Terminal(TerminalId("town"), Place(49.3, 25.1), ANTENNAS.otherwise, 0),),
        packaged_ground_segment(AT),
        Timeline((ServicePeriod(Period(), (0,)),)),
        packaged_antenna("starlink-gateway"),
        DelayTerms(),
        memory_us=2 * 60 * S,
    )


def reports(world: World, dishes: Sequence[tuple[tuple[str, str], ...]]) -> list[SlotReport]:
    """Slots, before each of which the office says these emulated dishes, and once its own terminal."""
    said = iter(dishes)
    permit = Permit("trm_1", CELL, "", "MINI", 1e8, 1e7, 4, 0, 0, 2**62)

    def ask(at_us: int, anew: bool) -> Sequence[Permits]:
        permits = columns_of([permit] if anew else [])
        return [Permits(at_us, anew, 1, 1, permits, ((),) if anew else (), dishes=next(said, ()))]

    asking = OfficeAsking(Roster(world, Serve.BOTH, ANTENNAS), ask)
    return list(islice(LiveSky(world, FakeClock(AT), asking).slots(), len(dishes)))  # type: ignore[arg-type]


def rows(report: SlotReport) -> dict[str, Any]:
    return {row["terminal"]: row for row in msgspec.json.decode(report.links)["links"]}


def test_a_dish_that_is_off_gets_no_link_in_the_next_slot_and_one_in_the_slot_after(world: World) -> None:
    on, off = (("town", ""), ("trm_1", "")), (("town", "stowed"), ("trm_1", "sleeping"), ("gone", "stowed"))
    first, second, third = reports(world, [on, off, on])
    assert [rows(report)["town"]["why_down"] for report in (first, second, third)] == [
        None,
        "terminal_off",
        None,
    ]
    whys = [report.seen["trm_1"].view.why_down for report in (first, second, third)]
    assert whys == [WhyDown.UP, WhyDown.TERMINAL_OFF, WhyDown.UP]


def test_a_dish_sees_what_the_links_say_and_its_satellite_all_along_the_slot(world: World) -> None:
    report, after = reports(world, [(("town", ""), ("nobody", "")), ()])
    assert after.seen == {}
    assert set(report.seen) == {"town"}
    seen, row = report.seen["town"], rows(report)["town"]
    up_us, down_us = row["one_way_delay_up_us"], row["one_way_delay_down_us"]
    assert seen.view.rtt_start_ms == pytest.approx((up_us + down_us) / 1_000)
    assert seen.view.satellite == row["satellite"]
    start = np.degrees(seen.view.track[0])
    assert start == pytest.approx([row["azimuth_deg"], row["elevation_deg"]], abs=1e-3)
    assert len(seen.view.track) == 3
    assert (seen.antenna, len(seen.cell)) == ("starlink-standard-v2", 15)


def test_a_slot_before_there_was_a_dish_is_told_as_its_links_have_it(world: World) -> None:
    """Of one of the scenario's and of one of the office's: the same but for the way across the sky."""
    ids = ["town", "trm_1"]

    def told(dishes: tuple[tuple[str, str], ...]) -> dict[str, ToldSlot]:
        state = LiveState(FakeClock(AT))  # type: ignore[arg-type]
        state.hello = hello(world, {"serve": "both"})
        state.told(1, [()])
        state._keep(reports(world, [dishes])[0])
        (slot,) = EmulatedDishes(state)._told(state.known_after(0), ids)
        return slot.dishes

    before, after = told(()), told((("town", ""), ("trm_1", "")))
    for id in ids:
        then, now = before[id], after[id]
        assert (then.cell, len(then.track), len(now.track)) == (None, 1, 3)
        assert then.track[0] == pytest.approx(now.track[0], abs=1e-3)
        assert then.rtt_end_ms == pytest.approx(now.rtt_end_ms, abs=1e-3)
        same = ("at_us", "why_down", "satellite", "gateway", "pop")
        assert [getattr(then, name) for name in same] == [getattr(now, name) for name in same]
        assert then.satellite is not None


# --- the process that serves them


class Service:
    """Answers as the door does, from slots that a test lists."""

    def __init__(self) -> None:
        self.now_us = AT + 40 * SLOT_US + 5 * S
        self.bodies: list[dict[str, Any]] = []
        self.gone = False
        self.why = WhyDown.UP

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.gone:
            raise Unavailable("server.silent", "the service", "it does not answer", "start it")
        self.bodies.append(body)
        present = (self.now_us - AT) // SLOT_US
        slots = [self.slot(k, body) for k in range(max(0, present - 60), present + 2)]
        return {
            "now_us": self.now_us, "speed": 1.0, "paused": False, "slot_length_us": SLOT_US,
            "slots": [slot for slot in slots if slot["at_us"] > body["after"]],
        }  # fmt: skip

    def slot(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        up = {"rtt_start_ms": 30.0, "rtt_end_ms": 40.0, "satellite": 44713} if self.why == WhyDown.UP else {}
        view = SlotView(AT + number * SLOT_US, SLOT_US, self.why, **up)  # type: ignore[arg-type]
        told = told_of(DishSeen(view, (0.0, 1.5), "starlink-mini", CELL), ())
        dishes = {id: msgspec.to_builtins(told) for id in body["dishes"]}
        return {"at_us": view.at_us, "dishes": dishes}


@pytest.fixture
def service() -> Service:
    return Service()


def test_a_dish_has_the_services_past_and_place_of_a_cell(service: Service) -> None:
    live = LiveDishes(service.ask, ["town"])
    live.find()
    dish = live.dishes["town"].dish
    assert dish.history.count >= 900
    # Forty slots are known; what was before, nobody knows.
    assert [(t.cause, t.end_us) for t in dish.history.troubles] == [(Cause.NO_PINGS, AT)]
    view = dish.slot_at(service.now_us)
    assert view is not None
    assert view.rtt_ms(service.now_us) == pytest.approx(30 + 10 / 3)
    assert dish.identity.sigma_m > 5_000
    assert dish.identity.power.on_w == 30


def test_it_says_how_its_dish_will_be_in_the_next_slot(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dish_live, "_PAUSE_S", 0.01)
    lost: list[SkyliftError | None] = []
    turns = 0

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        nonlocal turns
        turns += 1
        service.gone = turns == 2
        if turns == 3:
            live.stop()
        return service.ask(body)

    live = LiveDishes(ask, ["town"])
    live.find()
    live.dishes["town"].dish.stowed = True
    thread = threading.Thread(target=live.run, args=(lost.append,))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert service.bodies[-1]["dishes"] == {"town": "stowed"}
    # It was away for one turn, and is there again.
    assert [error is None for error in lost] == [False, True]


def test_a_clock_that_was_set_back_begins_a_new_life(service: Service) -> None:
    live = LiveDishes(service.ask, ["town"])
    live.find()
    service.now_us = AT + 5 * SLOT_US
    service.why = WhyDown.NO_GATEWAY
    live._hand_on(live._told().slots)
    live._hand_on(live._told().slots)
    dish = live.dishes["town"].dish
    assert live.clock.now() < AT + 6 * SLOT_US
    assert dish.trouble_at(service.now_us) == Cause.NO_DOWNLINK


def test_an_answer_of_another_version_is_refused(service: Service) -> None:
    with pytest.raises(Refused) as refused:
        LiveDishes(lambda body: {"now": 1}, ["town"]).find()
    assert refused.value.code == "server.strange"


def test_the_services_clock_goes_on_by_its_speed_and_never_back() -> None:
    seconds = [100.0]
    clock = ServersClock(lambda: seconds[0])
    clock.follow(AT, 10.0, False, 100.0)
    seconds[0] = 101.0
    assert clock.now() == AT + 10 * S
    clock.follow(AT + 9 * S, 10.0, False, 101.0)
    assert clock.now() == AT + 10 * S
    clock.follow(AT + 11 * S, 10.0, True, 101.0)
    seconds[0] = 200.0
    assert clock.now() == AT + 11 * S


def test_what_is_told_is_what_was_seen() -> None:
    up = SlotView(AT, SLOT_US, WhyDown.UP, 30.0, 31.0, 1e8, 1e7, 0.01, 44713, ((0.1, 1.0),), True, "g", "p")
    down = SlotView(AT, SLOT_US, WhyDown.NOT_PERMITTED, reasons=("account.suspended",))
    for view in (up, down):
        told = told_of(DishSeen(view, (0.0, 1.5), "starlink-mini", CELL), view.reasons)
        got = view_of(msgspec.json.decode(msgspec.json.encode(told), type=type(told)))
        assert repr(got) == repr(view)


def test_a_service_that_has_just_begun_is_waited_for_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dish_live, "_PAUSE_S", 0.0)
    begins: list[SkyliftError] = [Unavailable("service.not_ready", "the service", "not yet", "wait")] * 3

    def ask() -> str:
        if begins:
            raise begins.pop()
        return "there"

    assert dish_live.once_ready(ask) == "there"
    begins.append(Refused("login.needed", "the service", "it asks for a login", "log in"))
    with pytest.raises(Refused):
        dish_live.once_ready(ask)
    monkeypatch.setattr(dish_live, "_READY_WITHIN_S", -1.0)
    begins.append(Unavailable("service.not_ready", "the service", "not yet", "wait"))
    with pytest.raises(Unavailable):
        dish_live.once_ready(ask)
