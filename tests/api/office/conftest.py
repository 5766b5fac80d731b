"""The whole application over a store of its own, in this process, with people who have logins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from skylift.adapters import passwords
from skylift.adapters.clock import SimulatedClock
from skylift.adapters.keys import KeyPair
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.office.logins import make_setup_code
from skylift.api.state import LiveState
from skylift.api.telemetry.intake import Intake
from skylift.base.instants import parse_instant
from skylift.service.rooms import ROOMS
from tests.known_authorities import record_known

START_US = int(parse_instant("2022-02-26T12:00:00Z"))
CELLS = ["851e5227fffffff", "851e5237fffffff"]
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True, scope="module")
def _quick_hashes() -> Iterator[None]:
    """Passwords are hashed with the least that the library allows: these tests are not about the hash.

    Undone after each file: tests of the hash itself may follow in the same process.
    """
    from argon2 import PasswordHasher

    with pytest.MonkeyPatch.context() as patch:
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_HASHER", hasher)
        patch.setattr(passwords, "_NOBODY", hasher.hash("nobody at all"))
        yield


@dataclass
class Person:
    """Somebody with a token."""

    town: Town
    id: str
    token: str
    answers: list[httpx.Response] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {"Authorization": f"Bearer {self.token}", **headers}
        return self.town.client.request(
            method, f"/api/v1/{path}", json=body, headers={k.replace("_", "-"): v for k, v in named.items()}
        )

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.ask("POST", path, body)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, **headers)

    def made(self, path: str, **body: Any) -> dict[str, Any]:
        """What a call made; it must be done."""
        response = self.post(path, **body)
        assert response.status_code in (200, 201), response.text
        document: dict[str, Any] = response.json()
        return document


@dataclass
class Town:
    """A service with nobody in it yet."""

    desk: Desk
    client: TestClient
    people: dict[str, Person] = field(default_factory=dict)

    def first(self) -> Person:
        """The first operator."""
        body = {"code": self.desk.setup_code, "email": "first@example.org", "password": PASSWORD}
        response = self.client.post("/api/v1/setup", json=body)
        assert response.status_code == 201, response.text
        return Person(self, response.json()["person"], response.json()["token"])

    def person(
        self, role: str, *regions: str, by: Person, approver: Person | None = None, account: str = ""
    ) -> Person:
        """Somebody new with this role, invited and logged in."""
        id = by.made("persons", account=account, name=f"CANARY {role}")["id"]
        if role:
            grant = {"role": role, "regions": list(regions)}
            response = by.post(f"persons/{id}/grant", **grant)
            if response.status_code == 202:
                assert approver is not None
                agreed(approver, response)
                response = by.post(f"persons/{id}/grant", approval=response.json()["approval"], **grant)
            assert response.status_code == 200, response.text
        code = by.made(f"persons/{id}/invite")["code"]
        body = {"code": code, "email": f"{id}@example.org", "password": PASSWORD}
        response = self.client.post("/api/v1/setup", json=body)
        assert response.status_code == 201, response.text
        return Person(self, id, response.json()["token"])


def agreed(approver: Person, waiting: httpx.Response) -> None:
    """The approver reads what waits, and agrees to just that."""
    approval = waiting.json()["approval"]
    shown = approver.get(f"approvals/{approval}").json()
    assert shown["change"] == waiting.json()["change"]
    assert approver.post(f"approvals/{approval}/agree", change=shown["change"]).status_code == 200


@pytest.fixture
def town_url(tmp_path: Path) -> str:
    """Of the town's store: SQLite, where a file of tests has no fixture of its own that says another."""
    return sqlite_url(tmp_path)


@pytest.fixture
def town(town_url: str) -> Iterator[Town]:
    yield from make_town(town_url)


def make_town(where: str | Path, telemetry: bool = True, telemetry_url: str = "") -> Iterator[Town]:
    """where: the store's URL, or a folder for one of SQLite, with telemetry beside it or where told."""
    url = sqlite_url(where) if isinstance(where, Path) else where
    store = open_store(url, ROOMS)
    clock, leap = SimulatedClock(START_US).leaping()
    desk = Desk(store, clock, leap)
    if telemetry and (telemetry_url or url.startswith("sqlite")):
        # As `skylift run` has it, beside the office's own file.
        desk.intake = Intake(desk, TelemetrySql(telemetry_url or f"{url}.telemetry"), KeyPair.made())
    record_known(store, START_US)
    asyncio.run(make_setup_code(desk))
    app = create_app(LiveState(clock), desk)
    with TestClient(app, base_url="http://127.0.0.1:8480", raise_server_exceptions=True) as client:
        yield Town(desk, client)
    assert store.verify().valid
    desk.close()


@pytest.fixture
def staff(town: Town) -> dict[str, Person]:
    """An operator, an approver, an authority of rgn-to-come is named by the tests themselves."""
    operator = town.first()
    approver = town.person("approver", by=operator)
    return {"operator": operator, "approver": approver}
