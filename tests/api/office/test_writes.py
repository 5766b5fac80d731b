"""Versions, keys that make a write happen once, lists page by page, what is personal and stands in no log."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.office.desk import Desk
from skylift.service.rooms import ROOMS
from tests.api.office.conftest import CELLS, Person, Town, agreed

CALL = {"channel": "phone", "site_kind": "hospital"}


def test_a_version_is_an_etag_and_a_stale_one_is_told_what_it_is_now(staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    made = operator.post("requests", **CALL)
    path = f"requests/{made.json()['id']}"
    assert made.headers["etag"] == '"1"'
    done = operator.ask("POST", f"{path}/acknowledge", {}, If_Match='"1"')
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    stale = operator.ask("POST", f"{path}/verify", {"authority": "ministry", "how": "letter"}, If_Match='"1"')
    assert stale.status_code == 409
    assert stale.json()["now"] == {"version": 2, "status": "acknowledged"}
    assert "version 2, not 1" in stale.json()["error"]["rule"]
    assert operator.ask("POST", f"{path}/verify", {}, If_Match="two").status_code == 400
    assert operator.get(path).headers["etag"] == '"2"'


def test_a_write_with_a_key_is_done_once_also_after_a_restart(
    town: Town, staff: dict[str, Person], tmp_path: Path
) -> None:
    operator = staff["operator"]
    first = operator.ask("POST", "requests", CALL, Idempotency_Key="key-1")
    head = town.desk.store.head()
    again = operator.ask("POST", "requests", CALL, Idempotency_Key="key-1")
    assert (again.status_code, again.content, again.headers["etag"]) == (
        201,
        first.content,
        first.headers["etag"],
    )
    assert town.desk.store.head() == head
    other = operator.ask("POST", "requests", CALL | {"people": 3}, Idempotency_Key="key-1")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency.other-request")
    # The same key of another person is another key.
    approver_like = town.person("field", by=operator, approver=staff["approver"])
    assert (
        approver_like.ask("POST", "requests", CALL, Idempotency_Key="key-1").json()["id"]
        != first.json()["id"]
    )
    # What was refused may be tried again.
    path = f"requests/{first.json()['id']}"
    assert operator.ask("POST", f"{path}/reopen", {}, Idempotency_Key="key-2").status_code == 409
    assert operator.ask("POST", f"{path}/acknowledge", {}, Idempotency_Key="key-2").status_code == 200
    assert operator.ask("POST", f"{path}/acknowledge", {}, Idempotency_Key="key-2").status_code == 200
    assert operator.ask("POST", f"{path}/acknowledge", {}, Idempotency_Key="bad key").status_code == 400
    with sqlite3.connect(tmp_path / "skylift.sqlite") as database:
        # Three answers, and the words of the one proposal that the staff was made by.
        assert database.execute("SELECT count(*) FROM replies").fetchone() == (4,)


def test_an_agreed_change_repeated_with_its_key_is_made_once(staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    person = operator.made("persons")["id"]
    asked = {"role": "viewer"}
    waiting = operator.ask("POST", f"persons/{person}/grant", asked, Idempotency_Key="a")
    assert (
        operator.ask("POST", f"persons/{person}/grant", asked, Idempotency_Key="a").json() == waiting.json()
    )
    assert set(waiting.json()) >= {"id", "change", "people", "needed", "lapses_at"}
    same = operator.post(f"approvals/{waiting.json()['id']}/agree", change=waiting.json()["change"])
    assert same.status_code == 403, "an operator is no approver"
    agreed(approver, waiting)
    twice = approver.post(f"approvals/{waiting.json()['id']}/agree", change=waiting.json()["change"])
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "approval.same-person")
    body = asked | {"approval": waiting.json()["id"]}
    first = operator.ask("POST", f"persons/{person}/grant", body, Idempotency_Key="b")
    assert first.status_code == 200
    assert operator.ask("POST", f"persons/{person}/grant", body, Idempotency_Key="b").content == first.content
    assert operator.post(f"persons/{person}/grant", **body).status_code == 409, "an agreement is used once"


def test_lists_give_every_thing_once_page_by_page(staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    ids = {operator.made("terminals", hardware="STD-V2", serial=f"KIT-{i:04d}")["id"] for i in range(7)}
    found: list[str] = []
    cursor = ""
    for _ in range(10):
        page = operator.get(f"terminals?limit=3&cursor={cursor}").json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert found == sorted(ids)
    assert [t["serial"] for t in operator.get("terminals?q=kit-0003").json()["items"]] == ["KIT-0003"]
    assert operator.get("terminals?status=active").json() == {"items": [], "next": None}
    for query in ("limit=0", "limit=x", "cursor=%00", "colour=blue", "q=" + "x" * 300):
        assert operator.get(f"terminals?{query}").status_code == 400, query


def test_the_sky_has_its_own_terminals(town: Town, staff: dict[str, Person]) -> None:
    assert staff["operator"].get("terminals").json() == {"items": [], "next": None}
    for path in ("/api/v1/sky/terminals", "/api/v1/terminals"):
        # Nothing of the sky is known in this town; that it is the sky that says so is enough.
        assert town.client.get(path).json()["error"]["code"] == "service.not_ready"


# --- what is personal

CANARIES = {
    "asker": "CANARY-NAME", "contact": "CANARY-PHONE", "site": "CANARY-SITE", "words": "CANARY-WORDS",
    "link": "https://example.org/CANARY", "author": "CANARY-AUTHOR", "latitude_deg": 12.3456789,
    "longitude_deg": 98.7654321,
}  # fmt: skip


def test_what_is_personal_is_shown_to_few_and_each_time_journalled(
    town: Town, staff: dict[str, Person]
) -> None:
    operator, approver = staff["operator"], staff["approver"]
    made = operator.made("requests", **CALL, **CANARIES)
    assert "CANARY" not in str(made)
    path = f"requests/{made['id']}/personal"
    assert approver.get(path).status_code == 403
    before = town.desk.store.head()[0]
    assert operator.get(path).json() == CANARIES
    [row] = town.desk.store.journal(before)
    assert (row.event.NAME, row.event.by, row.event.subject_id) == (
        "store.personal-read/1", operator.id, made["id"],
    )  # fmt: skip
    assert operator.ask("DELETE", path, {"ground": "danger"}).status_code == 200
    assert operator.get(path).json() == {}
    assert town.desk.store.journal(before)[-1].event.NAME == "store.erased/1"


def test_a_password_and_a_secret_are_never_shown(staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    shown = operator.get(f"persons/{operator.id}/personal").json()
    assert shown == {"login_email": "first@example.org"}


def _texts(value: Any, canary: Any) -> Any:
    """A body with the canary in each of its texts."""
    if isinstance(value, dict):
        return {key: _texts(part, canary) for key, part in value.items()}
    return [_texts(part, canary) for part in value] if isinstance(value, list) else canary


@pytest.mark.parametrize("canary", ["50.45012, 30.52345", "olena.canary@example.org", "+380 44 123 45 67"])
def test_places_and_numbers_sent_through_every_door_stand_nowhere(
    town: Town, staff: dict[str, Person], tmp_path: Path, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.api.office.test_doors import every_door, path_of, sample

    caplog.set_level(logging.DEBUG, "skylift")
    operator = staff["operator"]
    ids = {"request": operator.made("requests", **CALL)["id"], "person": operator.made("persons")["id"]}
    ids["region"] = operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"]
    ids["account"] = operator.made("accounts", holder="company", country="UA")["id"]
    ids["terminal"] = operator.made("terminals", hardware="STD-V2", serial="KIT-0001", origin="gift")["id"]
    for door in every_door(town):
        if door.body is None or door.tag == "login":
            continue
        plain = sample(door.body)
        for body in (
            _texts(plain, canary),
            *({**plain, name: canary} for name in plain),
            {**plain, canary: 1},
        ):
            response = operator.ask(door.method, path_of(door, ids), body)
            assert response.status_code < 500, response.text
            for part in canary.split(", "):
                assert part not in response.text, f"{door.method} {door.path}: {response.text}"
    for row in town.desk.store.journal(limit=100_000):
        for part in canary.split(", "):
            assert part not in repr(row.event)
    assert canary not in caplog.text


def test_names_given_as_what_is_personal_stand_in_no_row_but_theirs(
    town: Town, staff: dict[str, Person], tmp_path: Path
) -> None:
    operator = staff["operator"]
    operator.made("requests", **CALL, **CANARIES)
    operator.made(
        "accounts", holder="company", country="UA", name="CANARY", contact="CANARY", address="CANARY"
    )
    operator.made("persons", name="CANARY", contact="CANARY")
    for row in town.desk.store.journal(limit=100_000):
        assert "CANARY" not in repr(row.event)
    with sqlite3.connect(tmp_path / "skylift.sqlite") as database:
        for table in ("journal", "things", "thing_keys", "replies", "meta"):
            for row in database.execute(f"SELECT * FROM {table}"):
                assert "CANARY" not in repr(row), table
                assert "example.org" not in repr(row), table
        assert database.execute("SELECT count(*) FROM personal WHERE value LIKE '%CANARY%'").fetchone()[0] > 8


# --- faults


def test_what_the_store_cannot_do_is_a_503_and_leaves_nothing(
    town: Town, staff: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    from skylift.adapters.sql.faults import locked

    operator = staff["operator"]
    head = town.desk.store.head()

    def fail(*_: object, **__: object) -> None:
        raise locked()

    with monkeypatch.context() as patch:
        patch.setattr(type(town.desk.store), "writing", fail)
        response = operator.post("requests", **CALL)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "store.locked")
    assert "retry-after" in response.headers
    assert town.desk.store.head() == head
    assert operator.post("requests", **CALL).status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"\xff", 400), (b"[" * 5000, 400),
        (b'{"channel":1e999}', 400),
        (b'{"channel":"\\ud800","site_kind":"hospital"}', 400), (b"x" * (4 * 1024 * 1024 + 1), 413),
        (b'{"channel":"phone","site_kind":"hospital","people":123456789012345678901234567890}', 422),
        (b'{"channel":"phone","site_kind":"hospital","cell":"a\\u0000b"}', 422),
        (b'{"channel":"phone","site_kind":"hospital","region":"' + b"x" * 4001 + b'"}', 422),
    ],
)  # fmt: skip
def test_bodies_that_are_none(staff: dict[str, Person], body: bytes, status: int) -> None:
    operator = staff["operator"]
    response = operator.town.client.post(
        "/api/v1/requests", content=body, headers={"Authorization": f"Bearer {operator.token}"}
    )
    assert response.status_code == status, response.text


def test_the_journal_is_whole_after_all_that(town: Town, staff: dict[str, Person], tmp_path: Path) -> None:
    staff["operator"].made("requests", **CALL, asker="CANARY")
    store = open_store(sqlite_url(tmp_path), ROOMS)
    assert store.verify().valid
    store.close()
    assert isinstance(town.desk, Desk)


@pytest.mark.parametrize("place", [(150.45, 1.0), (-90.1, 1.0), (1.0, 180.5), (50.4, None)])
def test_a_call_is_from_somewhere_on_earth(
    staff: dict[str, Person], place: tuple[float | None, float | None]
) -> None:
    named = {
        name: x for name, x in zip(("latitude_deg", "longitude_deg"), place, strict=True) if x is not None
    }
    refused = staff["operator"].post("requests", channel="phone", site_kind="school", **named)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "request.place")


@pytest.mark.parametrize("cell", ["zzz", "", "841e639ffffffff", "8a1e63870007fff"])
def test_service_is_asked_for_in_a_cell(staff: dict[str, Person], cell: str) -> None:
    refused = staff["operator"].post("may-serve", terminal="trm_1", cell=cell)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "may-serve.cell")
