"""Setting up once, logging in, one-time codes, tokens that end, and tries that run out."""

from __future__ import annotations

import pyotp
import pytest

from skylift.adapters.clock import WallClock
from skylift.service.account.roles import Role
from tests.api.office.conftest import PASSWORD, Person, Town


def logged_in(town: Town, email: str, password: str = PASSWORD, **more: str) -> tuple[int, dict[str, object]]:
    response = town.client.post("/api/v1/login", json={"email": email, "password": password, **more})
    return response.status_code, response.json()


def test_the_service_is_set_up_once(town: Town) -> None:
    code = town.desk.setup_code
    body = {"code": code, "email": "first@example.org", "password": PASSWORD}
    assert town.client.post("/api/v1/setup", json=body | {"code": "wrong"}).status_code == 401
    assert town.client.post("/api/v1/setup", json=body | {"password": "short"}).status_code == 422
    assert town.client.post("/api/v1/setup", json=body | {"email": "nobody"}).status_code == 422
    first = town.client.post("/api/v1/setup", json=body)
    assert first.status_code == 201
    operator = Person(town, first.json()["person"], first.json()["token"])
    assert operator.get("me").json()["roles"] == [{"role": "operator", "regions": [], "authority": ""}]
    assert town.client.post("/api/v1/setup", json=body | {"email": "second@example.org"}).status_code == 401


def test_a_login_is_refused_in_the_same_words_whatever_was_wrong(town: Town) -> None:
    town.first()
    status, wrong = logged_in(town, "first@example.org", "wrong horse battery")
    assert status == 401
    assert logged_in(town, "nobody@example.org") == (401, wrong)
    assert logged_in(town, "") == (401, wrong)
    assert logged_in(town, " FIRST@example.org ")[0] == 201


def test_guessing_runs_out_of_tries(town: Town) -> None:
    town.first()
    answers = [logged_in(town, "first@example.org", f"wrong horse battery {i}")[0] for i in range(12)]
    assert answers == [401] * 10 + [429] * 2
    response = town.client.post("/api/v1/login", json={"email": "first@example.org", "password": PASSWORD})
    assert response.status_code == 429, "also the right one has to wait now"
    assert int(response.headers["retry-after"]) > 0
    assert logged_in(town, "other@example.org")[0] == 401, "others do not"


def test_one_time_codes_are_asked_for_and_work_once(town: Town) -> None:
    operator = town.first()
    assert operator.post("totp", password="wrong horse battery").status_code == 401
    secret = operator.made("totp", password=PASSWORD)["secret"]
    assert logged_in(town, "first@example.org")[0] == 201, "not before the app has shown that it works"
    totp = pyotp.TOTP(secret)
    now_s = WallClock().now() // 1_000_000
    assert operator.post("totp/confirm", code="000000").status_code in (422, 200)
    assert operator.post("totp/confirm", code=totp.at(now_s)).status_code == 200
    status, said = logged_in(town, "first@example.org")
    assert (status, said["error"]["code"]) == (401, "login.code-needed")  # type: ignore[index]
    assert logged_in(town, "first@example.org", code=totp.at(now_s))[0] == 401, "this code was used"
    assert logged_in(town, "first@example.org", code=totp.at(now_s + 30))[0] == 201
    assert logged_in(town, "first@example.org", code=totp.at(now_s + 30))[0] == 401
    assert operator.post("totp", password=PASSWORD).status_code == 409


def test_one_time_codes_end_with_the_password_and_a_code_together(town: Town) -> None:
    operator = town.first()
    end = {"password": PASSWORD, "code": "000000"}
    assert operator.ask("DELETE", "totp", end).status_code == 422, "none are asked for yet"
    totp = pyotp.TOTP(operator.made("totp", password=PASSWORD)["secret"])
    now_s = WallClock().now() // 1_000_000
    operator.made("totp/confirm", code=totp.at(now_s))
    assert operator.ask("DELETE", "totp", {**end, "code": ""}).status_code == 401
    assert operator.ask("DELETE", "totp", {**end, "code": totp.at(now_s)}).status_code == 401, "it was used"
    wrong = {"password": "wrong horse battery", "code": totp.at(now_s + 30)}
    assert operator.ask("DELETE", "totp", wrong).status_code == 401
    assert operator.ask("DELETE", "totp", {**end, "code": totp.at(now_s + 30)}).status_code == 200
    assert logged_in(town, "first@example.org")[0] == 201
    assert operator.get("me").json()["has_totp"] is False


def test_a_token_is_listed_revoked_and_ends(town: Town) -> None:
    operator = town.first()
    made = operator.made("tokens", title="import", lasts_s=3600)
    program = Person(town, operator.id, made["token"])
    listed = operator.get("tokens").json()["items"]
    assert {item["kind"] for item in listed} == {"program"}
    assert [item["title"] for item in listed if not item["this"]] == ["import"]
    assert made["token"] not in operator.get("tokens").text
    assert program.post("tokens", lasts_s=86_400).status_code == 422, "none outlives the one that made it"
    assert program.get("me").status_code == 200
    operator.made("clock", advance_s=3600)
    assert program.get("me").status_code == 401
    other = operator.made("tokens")
    assert operator.ask("DELETE", f"tokens/{other['id']}").status_code == 200
    assert Person(town, operator.id, other["token"]).get("me").status_code == 401
    assert operator.ask("DELETE", f"tokens/{other['id']}").status_code == 409
    assert operator.post("tokens", scopes=["no.verb"]).status_code == 422
    assert operator.post("logout").status_code == 200
    assert operator.get("me").status_code == 401


@pytest.mark.parametrize("ending", ["lock", "leave"])
def test_whoever_is_locked_or_has_left_is_out_at_once(
    town: Town, staff: dict[str, Person], ending: str
) -> None:
    operator = staff["operator"]
    viewer = town.person("viewer", by=operator, approver=staff["approver"])
    program = Person(town, viewer.id, viewer.made("tokens")["token"])
    assert program.get("regions").status_code == 200
    operator.made(f"persons/{viewer.id}/{ending}", **({"reason": "lost phone"} if ending == "lock" else {}))
    for person in (viewer, program):
        assert person.get("regions").status_code == 401
        assert person.post("requests", channel="phone", site_kind="hospital").status_code == 401
    assert logged_in(town, f"{viewer.id}@example.org")[0] == 401


def test_a_role_that_was_taken_counts_no_more(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    field = town.person("field", by=operator, approver=staff["approver"])
    assert field.post("requests", channel="phone", site_kind="hospital").status_code == 201
    operator.made(f"persons/{field.id}/take", role=Role.FIELD.value)
    assert field.post("requests", channel="phone", site_kind="hospital").status_code == 403


def test_an_invitation_works_once_and_sets_nobodys_login_anew(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    taken = operator.post(f"persons/{approver.id}/invite")
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "person.has-login")
    id = operator.made("persons")["id"]
    first = operator.made(f"persons/{id}/invite")["code"]
    second = operator.made(f"persons/{id}/invite")["code"]
    body = {"email": "new@example.org", "password": PASSWORD}
    assert town.client.post("/api/v1/setup", json=body | {"code": first}).status_code == 401, "replaced"
    taken = town.client.post("/api/v1/setup", json=body | {"code": second, "email": "First@example.org"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "login.taken")
    # An invitation is no token.
    assert Person(town, id, second).get("me").status_code == 401
    done = town.client.post("/api/v1/setup", json=body | {"code": second})
    assert (done.status_code, done.json()["person"]) == (201, id)
    assert (
        town.client.post("/api/v1/setup", json=body | {"code": second, "email": "x@example.org"}).status_code
        == 401
    )
    assert approver.post(f"persons/{id}/invite").status_code == 403


def test_erasing_a_person_ends_their_login(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    viewer = town.person("viewer", by=operator, approver=staff["approver"])
    assert logged_in(town, f"{viewer.id}@example.org")[0] == 201
    assert operator.ask("DELETE", f"persons/{viewer.id}/personal", {}).status_code == 200
    assert logged_in(town, f"{viewer.id}@example.org")[0] == 401
