"""The door of emulated dishes: who may speak for which terminal, and what is held of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from skylift.adapters.sky_messages import Hello, SlotReport
from skylift.api.dish_leases import HOLDS_S, DishLeases
from skylift.api.state import LiveState
from skylift.base.link import WhyDown
from skylift.wire.dish.told import DishSeen
from skylift.wire.dish.view import SlotView
from tests.api.office.conftest import START_US, Person, Town

SLOT_US = 15_000_000
PATH = "sky/emulated-dishes"
ROW = {
    "at_us": START_US, "terminal": "kyiv", "why_down": None, "azimuth_deg": 90.0, "elevation_deg": 45.0,
    "one_way_delay_up_us": 14_000.0, "one_way_delay_down_us": 16_000.0, "one_way_delay_up_end_us": 15_000.0,
    "one_way_delay_down_end_us": 17_000.0, "down_bps": None, "up_bps": None, "loss_fraction": None,
    "satellite": 44713, "handover": False, "gateway": "somewhere", "pop": "frankfurt",
}  # fmt: skip


def state_of(town: Town) -> LiveState:
    """The state that the application was made with."""
    app: Any = town.client.app
    while not hasattr(app, "routes"):
        app = app.app
    for cell in app.routes[-1].endpoint.__closure__ or ():
        if isinstance(cell.cell_contents, LiveState):
            return cell.cell_contents
    route = next(route for route in app.routes if getattr(route, "path", "") == "/api/v1/about")
    cells = (cell.cell_contents for cell in route.endpoint.__closure__)
    return next(one for one in cells if isinstance(one, LiveState))


@pytest.fixture
def sky(town: Town) -> LiveState:
    state = state_of(town)
    state.hello = Hello(b"", (), ("kyiv",), SLOT_US, b"", b'{"gateways":[],"pops":[]}', {"serve": "both"})
    seen = SlotView(START_US + SLOT_US, SLOT_US, WhyDown.NO_GATEWAY)
    for number, told in (
        (0, {}),
        (1, {"kyiv": DishSeen(seen, (0.0, 1.5), "starlink-mini", "851e5227fffffff")}),
    ):
        links = msgspec.json.encode({"links": [ROW]})
        state._keep(SlotReport(START_US + number * SLOT_US, False, links, *(b"",) * 8, seen=told))
    return state


def test_it_holds_what_is_said_and_tells_slots_also_the_next_one(
    sky: LiveState, staff: dict[str, Person]
) -> None:
    response = staff["operator"].post(PATH, dishes={"kyiv": "stowed"}, after=0)
    assert response.status_code == 200, response.text
    told = response.json()
    assert sky.dishes.held() == (("kyiv", "stowed"),)
    assert (told["speed"], told["slot_length_us"]) == (1.0, SLOT_US)
    first, following = (slot["dishes"]["kyiv"] for slot in told["slots"])
    assert (first["rtt_start_ms"], first["rtt_end_ms"], first["cell"]) == (30.0, 32.0, None)
    assert (following["why_down"], following["antenna"]) == ("no_gateway", "starlink-mini")
    again = staff["operator"].post(PATH, dishes={"kyiv": ""}, after=START_US).json()
    assert [slot["at_us"] for slot in again["slots"]] == [START_US + SLOT_US]
    assert sky.dishes.held() == (("kyiv", ""),)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"dishes": {"nobody": ""}}, 404, "terminal.unknown"),
    ({"dishes": {"trm_1": ""}}, 404, "terminal.unknown"),
    ({"dishes": {}}, 422, "dishes.many"),
    ({"dishes": {f"t{k}": "" for k in range(1_001)}}, 422, "dishes.many"),
    ({"dishes": {"kyiv": "on fire"}}, 422, "dishes.off"),
    ({"dishes": {"kyiv": 1}}, 400, "body.argument"),
    ({"dishes": {"kyiv": ""}, "after": "now"}, 400, "body.argument"),
    ({"dishes": {"kyiv": ""}, "more": 1}, 400, "body.argument"),
    ({}, 400, "body.argument"),
]


def test_what_cannot_be_is_refused(sky: LiveState, town: Town, staff: dict[str, Person]) -> None:
    for body, status, code in REFUSED:
        response = staff["operator"].ask("POST", PATH, body)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), body
    made = staff["operator"].made("terminals", hardware="MINI", dish_id="ut-1")["id"]
    town.desk.facts._catch_up()
    response = staff["operator"].post(PATH, dishes={made: ""})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "dishes.no-home")
    assert sky.dishes.held() == ()


def test_only_whoever_speaks_for_terminals_may_and_only_where_the_sky_asks(
    sky: LiveState, town: Town, staff: dict[str, Person]
) -> None:
    assert town.client.post(f"/api/v1/{PATH}", json={"dishes": {"kyiv": ""}}).status_code == 401
    viewer = town.person("viewer", by=staff["operator"], approver=staff["approver"])
    assert viewer.post(PATH, dishes={"kyiv": "stowed"}).status_code == 404
    assert sky.dishes.held() == ()
    assert sky.hello is not None
    sky.hello.about["serve"] = "scenario"
    refused = staff["operator"].post(PATH, dishes={"kyiv": ""})
    assert refused.json()["error"]["code"] == "dishes.scenario-only"


def test_what_was_said_is_forgotten_when_nobody_says_it_any_more() -> None:
    seconds = [0.0]
    leases = DishLeases(lambda: seconds[0])
    leases.say({"kyiv": "stowed", "lviv": ""})
    seconds[0] = HOLDS_S - 1
    leases.say({"lviv": "sleeping"})
    assert leases.held() == (("kyiv", "stowed"), ("lviv", "sleeping"))
    seconds[0] = HOLDS_S + 1
    assert leases.held() == (("lviv", "sleeping"),)
