"""Every door and every role: who is let in is what the table of roles says, read here on its own."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from skylift.api.app import office_doors
from skylift.api.office.door import Door
from skylift.base.instants import InstantUs
from skylift.service.account.roles import ALLOWS, REACHES, Reach, Role
from skylift.twin.office.table import TABLE
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import encoded
from tests.api.office.conftest import CELLS, Person, Town, make_town

LET_IN = {200, 201, 202, 400, 409, 422}


def sample(kind: type) -> dict[str, Any]:
    """A body whose types are right, with nothing that may be left out."""
    hints = get_type_hints(kind)
    return {
        field.name: _value(hints[field.name], field.name)
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }


def _value(hint: Any, name: str) -> Any:
    if hint is InstantUs or name == "at":
        return "2022-02-27T00:00:00Z"
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next(iter(hint)).value
    if is_dataclass(hint):
        return sample(hint)  # type: ignore[arg-type]
    if hint is str:
        return {"country": "UA", "cell": CELLS[0], "hardware": "STD-V2"}.get(name, "TEXT-1")
    if hint in (int, float, bool):
        return hint(1)
    if get_args(hint) and getattr(hint, "__origin__", None) is tuple:
        return [_value(get_args(hint)[0], "cell" if name == "cells" else name)]
    return None


@dataclass
class Walk:
    town: Town
    ids: dict[str, str]
    people: dict[str, Person]
    region: str


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    towns = make_town(tmp_path_factory.mktemp("walk"))
    town = next(towns)
    operator = town.first()
    approver = town.person("approver", by=operator)
    region = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    account = operator.made("accounts", holder="company", country="UA")["id"]
    people = {"operator": operator, "approver": approver, "stranger": town.person("", by=operator)}
    for role in ("viewer", "field", "logistics", "auditor"):
        people[role] = town.person(role, by=operator, approver=approver)
    people["subscriber"] = town.person("subscriber", by=operator, approver=approver, account=account)
    # The authority of another country.
    people["authority"] = town.person("authority", "rgn_elsewhere", by=operator, approver=approver)
    ids = {
        "region": region,
        "account": operator.made("accounts", holder="company", country="UA", name="CANARY")["id"],
        "person": operator.made("persons", name="CANARY")["id"],
        "plan": operator.made("plans", **sample(TABLE.verbs["plan.create"].arguments))["id"],
        "terminal": operator.made("terminals", hardware="STD-V2", serial="KIT-0001", origin="gift")["id"],
        "request": operator.made("requests", channel="phone", site_kind="hospital", asker="CANARY")["id"],
        "token": "tok_unknown",
    }
    box = {"reference": "TRK-1", "origin": "WAW-1", "destination": "KBP-1", "recipient": ids["account"]}
    ids["shipment"] = operator.made("shipments", **box)["id"]
    for room in TABLE.rooms():
        # Of what is only made with much else around it, there is none: 404 is an answer then.
        ids.setdefault(room.kind, f"{room.prefix}_absent")
    grant = {"role": "viewer"}
    ids["approval"] = operator.post(f"persons/{ids['person']}/grant", **grant).json()["approval"]
    # A dish that reports: there is something to be read of telemetry.
    row = Row(1, int(town.desk.clock.now()), state="obstructed")
    reported = encoded(ids["terminal"], row.at_us, row)
    town.desk.intake.states.put(ids["terminal"], reported, [row])
    yield Walk(town, ids, people, region)
    for _ in towns:
        pass


def every_door(town: Town) -> list[Door]:
    return office_doors(town.desk)


def path_of(door: Door, ids: dict[str, str]) -> str:
    path = door.path.removeprefix("/api/v1/").replace("{id}", ids.get(door.id_kind, "x"))
    return path.replace("{key}", "key_absent")


def verb_of(door: Door) -> str:
    """What a role must allow for it; "" where any login will do."""
    parts = door.path.removeprefix("/api/v1/").split("/")
    if door.path == "/api/v1/clock" and door.method == "POST":
        return "clock.advance"
    if door.path.endswith("/invite"):
        return "person.create"
    if door.path == "/api/v1/may-serve":
        return "terminal.read"
    if door.tag in {"login", "clock", "journal", "permission"} or door.open_to_all:
        return ""
    if door.tag == "telemetry":
        return of_telemetry(door, parts[-1])
    if parts[-1] == "imports":
        return f"{door.tag}.{'create' if door.tag == 'allow-list' else 'import'}"
    if parts[-1] == "check-scans":
        return "shipment.read"
    if parts[-1] == "personal":
        return f"{door.tag}.{'erase' if door.method == 'DELETE' else 'read-personal'}"
    if door.method == "GET":
        return f"{door.tag}.read"
    return f"{door.tag}.{'create' if len(parts) == 1 else parts[2]}"


def of_telemetry(door: Door, last: str) -> str:
    if door.method == "GET":
        return "terminal.read-personal" if last == "place" else "terminal.read"
    if door.method == "DELETE":
        return "agent-key.revoke"
    return "agent-key.offer" if last == "enrolment-codes" else "telemetry.write"


# Lists of all terminals that report: what is in them for whoever may read nothing.
EMPTY = {
    "/api/v1/terminals/state": "terminals",
    "/api/v1/fleet/health": "down",
    "/api/v1/fleet/online": "items",
}
# Of these, lists in which fewer than twenty show for nobody.
CROWDS = {"/api/v1/fleet/online"}


def test_every_kind_of_thing_is_walked(walk: Walk) -> None:
    assert {door.id_kind for door in every_door(walk.town)} - {""} <= set(walk.ids)
    assert {verb for door in every_door(walk.town) if (verb := verb_of(door))} >= set(TABLE.verbs)


def test_without_a_token_nothing_but_the_login_is_open(walk: Walk) -> None:
    for door in every_door(walk.town):
        if (door.method, door.path) == ("GET", "/api/v1/terminals"):
            continue  # without a token it is the sky's, as documented
        for headers in (
            {},
            {"Authorization": "Bearer sky_wrong-wrong-wrong"},
            {"Authorization": "Basic eDp5"},
        ):
            response = walk.town.client.request(
                door.method, f"/api/v1/{path_of(door, walk.ids)}", headers=headers
            )
            if door.open_to_all:
                # What is for the public is told; a login and a use of the app want a body.
                assert response.status_code == (200 if door.method == "GET" else 400), door.path
            else:
                assert response.status_code == 401, f"{door.method} {door.path}"
                assert response.headers["www-authenticate"] == "Bearer"
                assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("role", ["stranger", *(role.value for role in Role)])
def test_every_door_lets_in_whom_the_roles_name(walk: Walk, role: str) -> None:
    allowed = ALLOWS[Role(role)] if role != "stranger" else frozenset()
    everywhere = role != "stranger" and REACHES[Role(role)] is Reach.ALL
    person = walk.people[role]
    for door in every_door(walk.town):
        verb = verb_of(door)
        if not verb or door.path == "/api/v1/clock":
            continue
        body = None if door.body is None else sample(door.body)
        if door.path == "/api/v1/may-serve":
            body = {"terminal": walk.ids["terminal"], "cell": CELLS[0]}
        response = person.ask(door.method, path_of(door, walk.ids), body)
        where = f"{role}: {door.method} {door.path} -> {response.status_code} {response.text[:300]}"
        # Stock is by place and not by region: those who are limited to regions are told why.
        no_list = door.tag == "appstats" or door.path == "/api/v1/stock"
        is_list = door.method == "GET" and "{id}" not in door.path and not no_list
        if verb in allowed and everywhere:
            absent = walk.ids.get(door.id_kind, "").endswith("_absent") or "{key}" in door.path
            assert response.status_code in LET_IN | ({404} if absent else set()), where
            assert door.path not in EMPTY.keys() - CROWDS or response.json()[EMPTY[door.path]], where
        elif is_list:
            # Whoever may read nothing of it gets an empty list.
            assert response.status_code == 200, where
            assert verb in allowed or response.json()[EMPTY.get(door.path, "items")] == [], where
        elif verb not in allowed:
            assert response.status_code in {403, 404}, where
        else:
            assert response.status_code in LET_IN | {403, 404}, where


def test_another_tenant_sees_nothing_of_it(walk: Walk) -> None:
    """A subscriber is let into their own account, and told of no other that it is there."""
    subscriber = walk.people["subscriber"]
    own = subscriber.get("accounts").json()["items"]
    assert len(own) == 1
    for kind, absent in (("account", "acc_absent"), ("terminal", "trm_absent"), ("request", "req_absent")):
        there = subscriber.get(f"{kind}s/{walk.ids[kind]}")
        none = subscriber.get(f"{kind}s/{absent}")
        assert (there.status_code, there.json()) == (none.status_code, none.json()) == (404, none.json())
        there = subscriber.ask("GET", f"{kind}s/{walk.ids[kind]}/personal")
        none = subscriber.ask("GET", f"{kind}s/{absent}/personal")
        assert (there.status_code, there.json()) == (404, none.json())
    assert subscriber.get(f"accounts/{own[0]['id']}").status_code == 200
    assert subscriber.get(f"accounts/{own[0]['id']}/personal").status_code == 200


def test_an_authority_decides_for_its_own_territory_alone(walk: Walk) -> None:
    response = walk.people["authority"].post(
        f"regions/{walk.region}/prohibit", authority="regulator", reason="none"
    )
    assert response.status_code == 404, "of another's region it is not even told"
    assert walk.people["authority"].get("regions").json()["items"] == []


@pytest.mark.parametrize("scopes", [["terminal.read"], ["region.read", "request.create"]])
def test_a_token_with_scopes_does_no_more_than_these(walk: Walk, scopes: list[str]) -> None:
    operator = walk.people["operator"]
    made = operator.made("tokens", scopes=scopes, title="program")
    program = Person(walk.town, operator.id, made["token"])
    for door in every_door(walk.town):
        verb = verb_of(door)
        if not verb or verb in scopes or door.path == "/api/v1/clock":
            continue
        body = None if door.body is None else sample(door.body)
        response = program.ask(door.method, path_of(door, walk.ids), body)
        if door.path in EMPTY:
            assert response.json()[EMPTY[door.path]] == [], f"{door.path} {response.text}"
            continue
        assert response.status_code in {403, 404}, f"{door.method} {door.path} {response.text}"
    assert program.post("tokens").status_code == 403, "it makes itself no other token"
    assert program.post("totp", password="x").status_code == 403
    for verb in scopes:
        kind, _, action = verb.partition(".")
        assert action != "read" or program.get(f"{kind}s").status_code == 200
