"""Commands, consents and rollouts on people's pages: asked by form, agreed to by another, stopped."""

from __future__ import annotations

from tests.api.office.conftest import CELLS
from tests.api.site.conftest import House
from tests.api.site.test_outage_pages import opened

MINUTE_US = 60_000_000


def dishes(house: House, number: int) -> list[str]:
    operator = house.people["operator"]
    owner = operator.made("accounts", holder="company", country="UA")["id"]
    ids = []
    for n in range(number):
        made = operator.made("terminals", hardware="ROUND-2021", serial=f"KIT{n:07}", origin="gift")
        operator.made(f"terminals/{made['id']}/register", owner=owner, cell=CELLS[0])
        ids.append(str(made["id"]))
    return ids


def test_what_switches_off_takes_the_owners_word_and_says_when_it_was_asked_and_confirmed(
    house: House,
) -> None:
    (dish,) = dishes(house, 1)
    operator = house.operator
    page = opened(operator, f"/terminals/{dish}")
    begin = next(href for href, text in page.read.links if text == "Ask something of a dish")
    asked = {"command": "sleep-schedule", "on": "yes", "start_minutes": "130", "duration_minutes": "240"}
    refused = operator.send(opened(operator, begin), "/new", **asked)
    assert "has not consented to sleep-schedule from afar" in refused.text
    said = {"terminal": dish, "kinds": "stow sleep-schedule", "document": "letter 7"}
    assert "letter 7" in operator.send(opened(operator, "/consents/new"), "/new", **said).text
    page = operator.send(opened(operator, begin), "/new", **asked)
    assert "Sleep schedule: daily from 02:10 UTC for 240 minutes" in page.text
    for words in ("Sent, not answered: nothing is known", "No answer", "Not confirmed", "end of each sleep"):
        assert words in page.text
    house.town.desk.advance(61 * MINUTE_US)  # type: ignore[misc]
    assert "Not answered in time" in opened(operator, page.url).text
    assert "transmit" not in page.text
    # Of a radio nobody knows that it is off until the dish says so.
    radio = operator.send(opened(operator, begin), "/new", command="stow")
    assert "it may still transmit; pull the power" in radio.text
    # What needs to be told nothing is told nothing, though the form has the fields.
    page = operator.send(opened(operator, begin), "/new", command="reboot")
    assert "Reboot" in page.text
    page = operator.send(page, "/withdraw", reason="it came back by itself")
    assert "Taken back; may have been done" in page.text


def test_a_rollout_waits_for_another_person_and_says_what_holds_it_back(house: House) -> None:
    ids = dishes(house, 3)
    asked = {"terminals": " ".join(ids), "command": "reboot", "reason": "it hangs"}
    waiting = house.operator.send(opened(house.operator, "/rollouts/new"), "/new", **asked)
    agree = opened(house.approver, waiting.url)
    house.approver.send(agree, "/agree")
    begun = house.operator.send(opened(house.operator, waiting.url), "/carry-out")
    (listed,) = {
        href for href, _ in opened(house.operator, "/rollouts").read.links if "/rollouts/rol_" in href
    }
    page = opened(house.operator, listed)
    assert begun.status == 200
    for words in ("1 of 3", "Stage 1: 0 of 1 done", "Shut: 1 not answered", "The next stage has 2.", "5%"):
        assert words in page.text
    assert "the gate is shut" in house.operator.send(page, "/proceed").text
    rollout = house.people["operator"].get(listed.removeprefix("/")).json()
    assert rollout["went"] == [{"done": 0, "wrong": 0, "waiting": 1}]
    page = house.operator.send(page, "/stop")
    assert "Somebody stopped it" in page.text
    assert "Taken back" in page.text
