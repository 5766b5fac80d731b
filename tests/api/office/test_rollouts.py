"""A rollout over HTTP whose first dish keeps silent: it ends by itself, with nobody there."""

from __future__ import annotations

import asyncio

from skylift.api.telemetry.commanding import Brakes
from tests.api.office.conftest import CELLS, Person, Town, agreed

MINUTE_US = 60_000_000


def test_a_silent_stage_ends_when_its_time_is_over(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    owner = operator.made("accounts", holder="company", country="UA")["id"]
    ids = []
    for n in (1, 2, 3):
        id = operator.made("terminals", hardware="STD-V2", serial=f"KIT000000{n}", origin="gift")["id"]
        operator.made(f"terminals/{id}/register", owner=owner, cell=CELLS[0])
        ids.append(id)
    asked = {"terminals": ids, "command": "reboot", "reason": "it hangs", "expires_min": 30}
    waiting = operator.post("rollouts", **asked)
    agreed(staff["approver"], waiting)
    made = operator.made("rollouts", **asked, approval=waiting.json()["approval"])
    brakes = Brakes(town.desk)

    def state_after(minutes: int) -> tuple[str, str]:
        town.desk.advance(minutes * MINUTE_US)
        asyncio.run(brakes.once())
        now = operator.get(f"rollouts/{made['id']}").json()
        return now["state"], now["why"]

    assert state_after(29) == ("under-way", "")
    assert state_after(2) == ("stopped", "wrong")
    assert {one["state"] for one in operator.get("commands").json()["items"]} == {"withdrawn"}
    (event,) = town.desk.store.journal(0, 1_000, ("rollout.stopped/1",))
    assert event.event.by == "sys_brakes"
