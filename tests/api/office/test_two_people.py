"""One person who tries to be two: by a second login, by ending the approvers, by taking over one's login."""

from __future__ import annotations

from typing import Any

import pytest

from skylift.service.account.roles import ALLOWS
from skylift.service.shipment.receive import listed
from skylift.twin.office.table import TABLE
from tests.api.office.conftest import PASSWORD, Person, Town, agreed
from tests.api.office.test_story import CELLS, activated_region, active_terminal, asked

DAY_S = 86_400


def named(operator: Person, **account: str) -> str:
    return str(operator.made("persons", **account)["id"])


def grant(operator: Person, id: str, role: str = "approver", **more: Any) -> Any:
    return operator.post(f"persons/{id}/grant", role=role, **more)


def logged_in(town: Town, operator: Person, id: str) -> Person:
    code = operator.made(f"persons/{id}/invite")["code"]
    body = {"code": code, "email": f"{id}@example.org", "password": PASSWORD}
    response = town.client.post("/api/v1/setup", json=body)
    assert response.status_code == 201, response.text
    return Person(town, id, response.json()["token"])


def test_no_second_approver_is_named_by_one_person(town: Town, staff: dict[str, Person]) -> None:
    puppet = named(staff["operator"])
    assert grant(staff["operator"], puppet).status_code == 202


def test_the_approvers_are_not_done_away_with_by_one_person(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    alone = operator.post(f"persons/{approver.id}/take", role="approver")
    assert (alone.status_code, alone.json()["error"]["code"]) == (422, "person.last-approver")
    second = town.person("approver", by=operator, approver=approver)
    for verb, more in (("take", {"role": "approver"}), ("leave", {})):
        waiting = operator.post(f"persons/{second.id}/{verb}", **more)
        assert waiting.status_code == 202, "it takes another approver"
    # To lock is to stop somebody, and waits for nobody; but it makes room for no other.
    assert operator.post(f"persons/{approver.id}/lock", reason="lost phone").status_code == 200
    assert operator.post(f"persons/{second.id}/lock", reason="lost phone").status_code == 200
    assert grant(operator, named(operator)).status_code == 202
    assert operator.post(f"persons/{second.id}/leave").status_code in (409, 422)


def test_an_approver_leaves_with_the_word_of_another(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    second = town.person("approver", by=operator, approver=approver)
    waiting = operator.post(f"persons/{approver.id}/leave")
    agreed(second, waiting)
    done = operator.post(f"persons/{approver.id}/leave", approval=waiting.json()["approval"])
    assert (done.status_code, done.json()["status"]) == (200, "gone")
    assert grant(operator, named(operator)).status_code == 202, "there was one once"


def test_an_erased_login_is_nobody_elses_to_take(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    assert operator.ask("DELETE", f"persons/{approver.id}/personal", {"ground": "asked"}).status_code == 200
    invited = operator.post(f"persons/{approver.id}/invite")
    assert (invited.status_code, invited.json()["error"]["code"]) == (409, "person.has-login")


def test_a_first_approver_who_is_named_long_after_the_start_waits_a_day(town: Town) -> None:
    operator = town.first()
    operator.made("clock", advance_s=2 * DAY_S)
    puppet = named(operator)
    assert grant(operator, puppet).status_code == 200, "there is nobody else who could agree"
    approver = logged_in(town, operator, puppet)
    waiting = grant(operator, named(operator), "viewer")
    assert waiting.status_code == 202
    told = {"change": waiting.json()["change"]}
    early = approver.post(f"approvals/{waiting.json()['approval']}/agree", **told)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "approval.too-new")
    operator.made("clock", advance_s=DAY_S)
    waiting = grant(operator, named(operator), "viewer")
    agreed(approver, waiting)


def test_on_the_first_day_the_first_approver_counts_at_once(town: Town, staff: dict[str, Person]) -> None:
    waiting = grant(staff["operator"], named(staff["operator"]), "viewer")
    agreed(staff["approver"], waiting)


@pytest.mark.parametrize(
    ("parts", "said"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_what_lacks_is_said_as_people_say_it(parts: list[str], said: str) -> None:
    assert listed(parts) == said


def test_no_service_is_ended_by_a_second_region_over_the_same_cells(
    town: Town, staff: dict[str, Person]
) -> None:
    """Every region that holds a cell has to allow it, so one more is a change of where service is."""
    operator, approver = staff["operator"], staff["approver"]
    region, _ = activated_region(town, operator, approver)
    terminal = active_terminal(operator, region)
    over = {"country": "UA", "title": "The same again", "cells": CELLS}
    waiting = operator.post("regions", **over)
    assert waiting.status_code == 202, waiting.text
    assert asked(operator, terminal, CELLS[0])["allowed"]
    assert operator.post("regions", **over, approval=waiting.json()["approval"]).status_code == 409
    agreed(approver, waiting)
    assert operator.post("regions", **over, approval=waiting.json()["approval"]).status_code == 201
    assert not asked(operator, terminal, CELLS[0])["allowed"], "two people knew what they did"
    elsewhere = {"country": "MD", "title": "Moldova", "cells": ["851e4b67fffffff"]}
    assert operator.post("regions", **elsewhere).status_code == 201


def test_whoever_is_asked_to_agree_is_told_to_what(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    waiting = operator.post(
        f"regions/{region}/cells", cells=CELLS[:1], mode="restricted", limits={"roaming": False}
    )
    shown = approver.get(f"approvals/{waiting.json()['approval']}").json()
    assert shown["proposed"] == {"cells": CELLS[:1], "mode": "restricted", "limits": {"roaming": False}}
    assert shown["proposed_version"] == 1


def stands(person: Person, approval: str) -> tuple[str, str]:
    """How an agreement stands: as it says itself, and as the list says."""
    listed = {one["id"]: one["stands"] for one in person.get("approvals").json()["items"]}
    return person.get(f"approvals/{approval}").json()["stands"], listed[approval]


def refused_agreement(approver: Person, waiting: dict[str, Any]) -> dict[str, Any]:
    """What an approver is told who agrees to what cannot be agreed to any more; nothing is written."""
    said = approver.post(f"approvals/{waiting['approval']}/agree", change=waiting["change"])
    assert said.status_code == 409, said.text
    told: dict[str, Any] = said.json()
    assert approver.id not in approver.get(f"approvals/{waiting['approval']}").json()["people"]
    return told


def test_what_was_changed_meanwhile_is_void_and_said_to_be_so(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    account = operator.made("persons")["id"]
    waiting = operator.post(f"persons/{account}/grant", role="viewer").json()
    id = waiting["approval"]
    assert waiting["stands"] == "open"
    assert approver.get(f"approvals/{id}").json()["void"] is False
    operator.made(f"persons/{account}/lock", reason="lost a telephone")
    assert approver.get(f"approvals/{id}").json()["void"] is True
    listed = {one["id"]: one["void"] for one in approver.get("approvals?status=open").json()["items"]}
    assert listed == {id: True}
    assert stands(approver, id) == ("void", "void")
    told = refused_agreement(approver, waiting)
    assert told["error"]["code"] == "approval.void"
    assert f"person {account} is at version 2 and locked by now, not at version 1" in told["error"]["rule"]
    assert told["now"] == {"version": 1, "status": "open", "stands": "void", "void": True}
    # Whoever tidies up may still say no to it.
    assert approver.made(f"approvals/{id}/decline")["stands"] == "declined"


def test_what_is_over_is_not_agreed_to(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]

    def proposed() -> dict[str, Any]:
        waiting: dict[str, Any] = grant(operator, named(operator), "viewer").json()
        return waiting

    lapsing, declined, done = proposed(), proposed(), proposed()
    approver.made(f"approvals/{declined['approval']}/decline")
    assert refused_agreement(approver, declined)["now"]["stands"] == "declined"
    second = town.person("approver", by=operator, approver=approver)
    assert second.made(f"approvals/{done['approval']}/agree", change=done["change"])["stands"] == "agreed"
    used = operator.post(f"persons/{done['about']}/grant", role="viewer", approval=done["approval"])
    assert used.status_code == 200
    assert stands(approver, done["approval"]) == ("used", "used"), "what it was used for does not void it"
    assert refused_agreement(approver, done)["now"]["stands"] == "used"
    operator.made("clock", advance_s=DAY_S)
    assert stands(approver, lapsing["approval"]) == ("lapsed", "lapsed")
    told = refused_agreement(approver, lapsing)
    assert (told["error"]["code"], told["now"]["stands"]) == ("approval.lapsed", "lapsed")


def test_whoever_proposed_it_takes_it_back_and_nobody_else(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    waiting = grant(operator, named(operator), "viewer").json()
    withdraw = f"approvals/{waiting['approval']}/withdraw"
    other = town.person("operator", by=operator, approver=approver)
    assert approver.post(withdraw).status_code == 403
    refused = other.post(withdraw)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "approval.not-yours")
    agreed(approver, waiting_response := grant(operator, waiting["about"], "field"))
    assert operator.made(withdraw)["stands"] == "withdrawn"
    assert stands(approver, waiting["approval"]) == ("withdrawn", "withdrawn")
    assert refused_agreement(approver, waiting)["now"]["stands"] == "withdrawn"
    used = operator.post(f"persons/{waiting['about']}/grant", role="viewer", approval=waiting["approval"])
    assert (used.status_code, used.json()["error"]["code"]) == (409, "approval.wrong-state")
    # What has everybody's agreement is still theirs to take back, until it is carried out.
    late = waiting_response.json()["approval"]
    assert operator.made(f"approvals/{late}/withdraw")["stands"] == "withdrawn"
    told = [row.event for row in town.desk.store.journal(limit=10_000) if row.event.subject_id == late]
    assert [type(event).NAME for event in told] == [
        "approval.proposed/1", "approval.agreed/1", "approval.withdrawn/1"
    ]  # fmt: skip
    assert told[-1].by == operator.id


def test_who_is_limited_to_a_region_sees_and_takes_back_what_they_proposed_there(
    town: Town, staff: dict[str, Person]
) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region, _ = activated_region(town, operator, approver)
    local = town.person("operator", region, by=operator, approver=approver)
    elsewhere = town.person("operator", "rgn_other", by=operator, approver=approver)
    waiting = local.post(f"regions/{region}/suspend", reason="test").json()["approval"]
    assert [one["id"] for one in local.get("approvals?status=open").json()["items"]] == [waiting]
    assert local.get(f"approvals/{waiting}").json()["proposed"] == {"reason": "test"}
    assert elsewhere.get("approvals").json()["items"] == []
    assert elsewhere.get(f"approvals/{waiting}").status_code == 404
    assert elsewhere.post(f"approvals/{waiting}/withdraw").status_code == 404
    assert local.made(f"approvals/{waiting}/withdraw")["stands"] == "withdrawn"


def test_every_role_that_may_have_to_ask_may_take_back(town: Town) -> None:
    for role, verbs in ALLOWS.items():
        asks = any(TABLE.verbs[name].may_take_two for name in verbs & set(TABLE.verbs))
        if "approval.read" in verbs and (asks or any(name.endswith(".import") for name in verbs)):
            assert "approval.withdraw" in verbs, role


def test_what_is_not_there_yet_is_not_void(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    activated_region(town, operator, approver)
    over = {"country": "UA", "title": "The same again", "cells": CELLS}
    waiting = operator.post("regions", **over)
    assert stands(approver, waiting.json()["approval"]) == ("open", "open"), "it is not there yet"


def test_lists_are_in_the_order_in_which_things_were_begun(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    call = {"channel": "phone", "site_kind": "hospital"}
    begun = [operator.made("requests", **call)["id"] for _ in range(12)]
    listed, cursor = [], ""
    while cursor is not None:
        page = operator.get(f"requests?limit=5&cursor={cursor}").json()
        listed += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if len(listed) == 5:
            # What is begun while somebody turns pages comes at the end, and moves nothing.
            begun.append(operator.made("requests", **call)["id"])
    assert listed == begun
    newest, cursor = [], ""
    while cursor is not None:
        page = operator.get(f"requests?order=newest&limit=5&cursor={cursor}").json()
        newest += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if len(newest) == 5:
            # What is begun meanwhile stands above all that was turned, and moves nothing either.
            operator.made("requests", **call)
    assert newest == begun[::-1]
    assert operator.get("requests?order=latest").status_code == 400
