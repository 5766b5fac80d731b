"""A rollout over HTTP whose first dish keeps or falls silent: it ends by itself, with nobody there."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest

from skylift.api.telemetry.commanding import Brakes
from skylift.wire.agent.orders import Reply
from skylift.wire.telemetry.rows import Row
from tests.api.office.conftest import CELLS, Person, Town, agreed
from tests.api.office.test_telemetry import agent_of

MINUTE_US = 60_000_000


@pytest.fixture
def dishes(staff: dict[str, Person]) -> list[str]:
    operator = staff["operator"]
    owner = operator.made("accounts", holder="company", country="UA")["id"]
    ids = []
    for n in (1, 2, 3):
        id = operator.made("terminals", hardware="STD-V2", serial=f"KIT000000{n}", origin="gift")["id"]
        operator.made(f"terminals/{id}/register", owner=owner, cell=CELLS[0])
        ids.append(id)
    return ids


def begun(staff: dict[str, Person], ids: list[str]) -> str:
    asked = {"terminals": ids, "command": "reboot", "reason": "it hangs", "expires_min": 30}
    waiting = staff["operator"].post("rollouts", **asked)
    agreed(staff["approver"], waiting)
    return str(staff["operator"].made("rollouts", **asked, approval=waiting.json()["approval"])["id"])


def looked_at(town: Town, brakes: Brakes, operator: Person, rollout: str) -> tuple[str, str]:
    """Its state, and why, once the brakes have looked."""
    assert town.client.portal is not None
    town.client.portal.call(brakes.once)
    now = operator.get(f"rollouts/{rollout}").json()
    return now["state"], now["why"]


def test_a_silent_stage_ends_when_its_time_is_over(
    town: Town, staff: dict[str, Person], dishes: list[str]
) -> None:
    operator, rollout, brakes = staff["operator"], begun(staff, dishes), Brakes(town.desk)
    town.desk.advance(29 * MINUTE_US)
    assert looked_at(town, brakes, operator, rollout) == ("under-way", "")
    town.desk.advance(2 * MINUTE_US)
    assert looked_at(town, brakes, operator, rollout) == ("stopped", "wrong")
    assert {one["state"] for one in operator.get("commands").json()["items"]} == {"withdrawn"}
    (event,) = town.desk.store.journal(0, 1_000, ("rollout.stopped/1",))
    assert event.event.by == "sys_brakes"


@pytest.mark.parametrize(
    ("how", "heard_min", "stops"),
    [("board", 5, True), ("dish", 5, True), ("board", 65, False), ("neither", 5, False)],
)
def test_a_dish_that_is_lost_after_its_answer_ends_it_as_well(
    town: Town, staff: dict[str, Person], dishes: list[str], how: str, heard_min: int, stops: bool
) -> None:
    """Silent from some minutes after it had answered that all is done; or much later, for another reason."""
    operator = staff["operator"]
    agent, brakes = agent_of(operator, dishes[0]), Brakes(town.desk)
    rollout = begun(staff, dishes)
    sequence = count(1)

    def hears(state: str = "connected") -> None:
        one = Row(next(sequence), town.desk.clock.now(), state=state)
        assert agent.post(one).status_code == 200

    hears()
    command = operator.get(f"rollouts/{rollout}").json()["stages"][0][dishes[0]]
    reply = Reply(command, "done", "", "it restarts", int(town.desk.clock.now()))
    assert agent.send("/api/v1/agent/replies", msgspec.json.encode(reply)).json() == {"noted": True}
    town.desk.advance(heard_min * MINUTE_US)
    hears()
    for _ in range(11):
        town.desk.advance(MINUTE_US)
        if how != "board":
            hears("unknown" if how == "dish" else "connected")
    assert looked_at(town, brakes, operator, rollout) == (
        ("stopped", "wrong") if stops else ("under-way", "")
    )
