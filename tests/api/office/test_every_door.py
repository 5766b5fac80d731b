"""That tests of all doors are of all doors; names given at any of them stand in rows of their own alone."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from skylift.adapters.webhooks import Message, Sender, Told
from skylift.api.office import delivering
from skylift.api.office.delivering import Deliveries
from skylift.api.office.door import Door
from skylift.api.telemetry import enrolment
from skylift.twin.office.table import TABLE
from tests.api.office.conftest import CELLS, Person, Town
from tests.api.office.test_doors import every_door, path_of, sample

# What the sky says; it has no tenants and no roles, and tests of its own.
OF_SKY = {"sky", "service", "health", "weather"}
# Whatever of it is kept is kept there, and goes with an erasure.
ERASABLE = {"personal"}


def test_every_path_that_is_described_is_a_door_that_tests_walk_or_the_skys(town: Town) -> None:
    document = town.client.get("/openapi.json").json()
    described = {
        (method.upper(), path): set(operation.get("tags", ()))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    walked = {(door.method, door.path) for door in every_door(town)}
    assert walked <= set(described), walked - set(described)
    others = {at: tags for at, tags in described.items() if at not in walked}
    # The feeds are for everybody, agents sign their posts, and both have tests of their own.
    unknown = {at for at, tags in others.items() if not tags or not tags <= OF_SKY}
    unknown -= {(door.method, door.path) for door in enrolment.described()}
    assert {path for _, path in unknown if not path.startswith("/feeds/")} == set()


def test_whatever_is_served_is_described(town: Town) -> None:
    """A route that the document does not name would be walked by no test at all."""
    described = set(town.client.get("/openapi.json").json()["paths"])
    app = town.client.app
    while not hasattr(app, "routes"):
        app = app.app  # type: ignore[attr-defined]
    served = {route.path for route in app.routes if route.path.startswith("/api/")}
    assert served <= described, served - described


class Listening(Sender):
    """Whoever subscribed to all that happens, without a network between: it keeps all that they are sent."""

    def __init__(self, town: Town, operator: Person) -> None:
        super().__init__()
        self.town, self.operator = town, operator
        self.id = operator.made("webhooks", url="https://93.184.216.34/all")["id"]
        self.got: list[str] = []

    async def send(self, url: str, message: Message) -> Told:
        self.got.append(f"{message.headers()} {message.body.decode()}")
        return Told(200)

    def heard(self) -> str:
        """Everything since it subscribed, until an event of its own that is asked for now."""
        self.operator.made(f"webhooks/{self.id}/test")
        asyncio.run(self._until_tested())
        return "\n".join(self.got)

    async def _until_tested(self) -> None:
        # Events of the town's own loop can be waited for in that one alone.
        self.town.desk._changed = asyncio.Event()
        running = asyncio.create_task(Deliveries(self.town.desk, self).run())
        async with asyncio.timeout(30):
            while not (self.got and f'"id":"{self.id}"' in self.got[-1]):
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
def hook(town: Town, staff: dict[str, Person], monkeypatch: pytest.MonkeyPatch) -> Listening:
    monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.03)
    return Listening(town, staff["operator"])


@pytest.fixture
def things(town: Town, staff: dict[str, Person]) -> dict[str, str]:
    operator = staff["operator"]
    return {
        "request": operator.made("requests", channel="phone", site_kind="hospital")["id"],
        "person": operator.made("persons")["id"],
        "region": operator.made("regions", country="UA", title="Ukraine", cells=CELLS)["id"],
        "account": operator.made("accounts", holder="company", country="UA")["id"],
        "terminal": operator.made("terminals", hardware="STD-V2", serial="KIT-0001", origin="gift")["id"],
        "authority": "aut_mdt",
    }


def test_names_given_at_any_door_stand_in_no_table_but_theirs(
    town: Town,
    staff: dict[str, Person],
    things: dict[str, str],
    hook: Listening,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every verb of the table that takes something personal, with a name in each such field."""
    caplog.set_level(logging.DEBUG)
    tried: set[str] = set()
    for door in every_door(town):
        verb = TABLE.verbs.get(_verb_of(door))
        if verb is None or door.method != "POST" or not verb.personal:
            continue
        texts = {name: f"CANARY-{verb.name}-{name}" for name in verb.personal if not name.endswith("_deg")}
        body = {**sample(verb.arguments), **texts}
        response = staff["operator"].ask(door.method, path_of(door, things), body, Idempotency_Key=verb.name)
        assert response.status_code < 500
        assert "CANARY" not in response.text, response.text
        tried.add(verb.name)
    assert tried == {verb.name for verb in TABLE.verbs.values() if verb.personal}
    heard = hook.heard()
    assert {f'"type":"{kind}"' for kind in ("request.received", "account.opened")} <= set(_typed(heard))
    assert "CANARY" not in heard
    assert "CANARY" not in caplog.text
    for row in town.desk.store.journal(limit=100_000):
        assert "CANARY" not in repr(row.event)
    with closing(sqlite3.connect(tmp_path / "skylift.sqlite")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert len(tables) > 6
        for table in set(tables) - ERASABLE:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                assert "CANARY" not in repr(row), table
        kept = database.execute("SELECT count(*) FROM personal WHERE value LIKE '%CANARY%'").fetchone()[0]
    assert kept >= len(tried)


PLACE = "48.123456"


def placed(kind: type) -> dict[str, Any]:
    """A body with an exact place in whatever takes a text or a coordinate, also where it may be left out."""
    hints = get_type_hints(kind)
    texts = {name: f"at {PLACE}, 37.654321" for name, hint in hints.items() if str in (hint, *get_args(hint))}
    degrees = {name: float(PLACE) for name in hints if name.endswith("_deg")}
    return {**sample(kind), **texts, **degrees}


def test_a_place_given_at_any_door_stands_in_no_table_but_the_erasable_and_in_no_answer(
    town: Town,
    staff: dict[str, Person],
    things: dict[str, str],
    hook: Listening,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every door that takes a body: all fields at once, and each text by itself, so that others hide none."""
    caplog.set_level(logging.DEBUG)
    town.person("logistics", by=staff["operator"], approver=staff["approver"])
    doors = [door for door in every_door(town) if door.body is not None]
    assert {_verb_of(door) for door in doors if door.method == "POST"} >= set(TABLE.verbs)
    for door in doors:
        assert door.body is not None
        whole, least = placed(door.body), sample(door.body)
        bodies = [whole, *({**least, name: value} for name, value in whole.items() if PLACE in str(value))]
        for body in [*bodies, {**least, PLACE: PLACE}]:
            response = staff["operator"].ask(door.method, path_of(door, things), body)
            assert response.status_code < 500, (door.path, body)
            assert PLACE not in response.text, (door.path, body, response.text)
    heard = hook.heard()
    assert len(set(_typed(heard))) > 15, "hardly anything happened"
    assert PLACE not in heard
    assert PLACE not in caplog.text
    for row in town.desk.store.journal(limit=100_000):
        assert PLACE not in repr(row.event)
    with closing(sqlite3.connect(tmp_path / "skylift.sqlite")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in set(tables) - ERASABLE:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                assert PLACE not in repr(row), (table, row)
        kept = database.execute("SELECT count(*) FROM personal WHERE value LIKE ?", (f"%{PLACE}%",))
        assert kept.fetchone()[0]


def _typed(heard: str) -> list[str]:
    return re.findall(r'"type":"[a-z.-]+"', heard)


def _verb_of(door: Door) -> str:
    parts = door.path.removeprefix("/api/v1/").split("/")
    return f"{door.tag}.{'create' if len(parts) == 1 else parts[-1]}"
