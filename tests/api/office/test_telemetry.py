"""Agents enrol and post over the whole application; people read what they may, and nothing else."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.keys import KeyPair, public_of, text_of
from skylift.adapters.outage_terminals import LATE_US, FleetProbes
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.adapters.telemetry import accounting
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.office.logins import make_setup_code
from skylift.api.state import LiveState
from skylift.api.telemetry.intake import Intake
from skylift.base.units import US_PER_S
from skylift.ports.probes import Signal
from skylift.service.account.attempts import Attempts
from skylift.service.rooms import ROOMS
from skylift.wire.telemetry import signing
from skylift.wire.telemetry.rows import Batch, Row, SignedCommand

from .conftest import CELLS, START_US, Person, Town, make_town

SPAN = 15 * US_PER_S


@dataclass
class Agent:
    """One beside a dish, with a key of its own."""

    town: Town
    terminal: str
    pair: KeyPair = field(default_factory=KeyPair.made)
    key_id: str = "new"

    def send(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        kind = headers.pop("kind", "application/json")
        at_s = int(self.town.desk.clock.now() // US_PER_S)
        signed = signing.signed_headers(("POST", path, kind), body, self.key_id, at_s, self.pair.sign)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.town.client.post(path, content=body, headers={**signed, **named})

    def enrol(self, code: str) -> httpx.Response:
        asked = {"code": code, "public_key": text_of(self.pair.public), "agent_version": "0.1"}
        response = self.send("/api/v1/agent/enrol", msgspec.json.encode(asked))
        if response.status_code == 201:
            self.key_id = response.json()["key_id"]
        return response

    def post(self, *rows: Row, **more: Any) -> httpx.Response:
        batch = Batch(more.pop("terminal", self.terminal), self.town.desk.clock.now(), list(rows))
        return self.send("/api/v1/telemetry", msgspec.json.encode(batch), **more)


def row(number: int, **more: Any) -> Row:
    fields = {"state": "connected", "ping_latency_ms": 40.0, "down_bytes": 1000, "up_bytes": 10}
    return Row(number, START_US + number * SPAN, **{**fields, **more})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Town]:
    store = open_store(sqlite_url(tmp_path), ROOMS)
    clock, leap = SimulatedClock(START_US + 3600 * US_PER_S).leaping()
    desk = Desk(store, clock, leap)
    kept = TelemetrySql(f"sqlite:///{tmp_path / 'telemetry.sqlite'}")
    desk.intake = Intake(desk, kept, KeyPair.made())
    asyncio.run(make_setup_code(desk))
    app = create_app(LiveState(clock), desk)
    with TestClient(app, base_url="http://127.0.0.1:8480", raise_server_exceptions=True) as client:
        yield Town(desk, client)
    assert store.verify().valid
    desk.close()


@pytest.fixture
def operator(place: Town) -> Person:
    return place.first()


def intake_of(town: Town) -> Intake:
    assert town.desk.intake is not None
    return town.desk.intake


def made(operator: Person, serial: str = "KIT1") -> str:
    return str(operator.made("terminals", serial=serial, hardware="REV4", network="ours")["id"])


def agent_of(operator: Person, terminal: str) -> Agent:
    agent = Agent(operator.town, terminal)
    code = operator.made(f"terminals/{terminal}/enrolment-codes")["code"]
    assert agent.enrol(code).status_code == 201
    return agent


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_from_a_code_to_the_last_state(place: Town, operator: Person) -> None:
    terminal = made(operator)
    agent = Agent(place, terminal)
    offered = operator.made(f"terminals/{terminal}/enrolment-codes")
    assert offered["expires_at"].startswith("2022-02-27T13:00:0")
    # As somebody types it who was told it on the phone.
    told = agent.enrol(offered["code"].upper().replace("-", " "))
    assert told.status_code == 201
    assert public_of(told.json()["server_public_key"]) == intake_of(place).service_key.public
    assert (told.json()["terminal"], told.json()["next_sequence"]) == (terminal, 1)
    # The answer was lost, and it asks again; nobody else can with that code.
    assert agent.enrol(offered["code"]).json()["key_id"] == agent.key_id
    assert code_of(Agent(place, terminal).enrol(offered["code"])) == (401, "agent-key.code")

    intake_of(place).commands = lambda id: (SignedCommand("cGF5", "c2ln"),) if id == terminal else ()
    answered = agent.post(row(1), row(2, ping_latency_ms=-1.0), row(3))
    assert answered.json()["acknowledged"] == [[1, 3]]
    assert [one["sequence"] for one in answered.json()["quarantined"]] == [2]
    assert answered.json()["commands"] == [{"payload": "cGF5", "signature": "c2ln"}]

    states = operator.get("terminals/state").json()
    [shown] = [dict(zip(states["columns"], one, strict=True)) for one in states["terminals"]]
    assert (shown["terminal"], shown["sequence"], shown["ping_latency_ms"]) == (terminal, 3, 40.0)
    assert operator.get(f"terminals/{terminal}/state").json()["row"]["sequence"] == 3
    history = operator.get(f"terminals/{terminal}/history?level=15s&columns=sequence").json()
    assert history["columns"]["sequence"] == [1, 3]
    table = operator.get(f"terminals/{terminal}/history?level=15s&format=csv").text.splitlines()
    assert table[0].startswith("at,sequence,")
    assert table[1].startswith("2022-02-26T12:00:15Z,1,")
    kept = operator.get(f"terminals/{terminal}/quarantine").json()
    assert kept["rows"][0]["reason"].startswith("ping_latency_ms is -1")


def test_nothing_that_is_not_signed_by_the_terminals_own_key_is_taken(
    place: Town, operator: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    one, two = (agent_of(operator, made(operator, f"KIT{n}")) for n in (1, 2))
    good = msgspec.json.encode(Batch(one.terminal, START_US, [row(1)]))
    assert code_of(one.post(row(1), terminal=two.terminal)) == (403, "telemetry.other-terminal")
    stranger = Agent(place, one.terminal, key_id=one.key_id)
    assert code_of(stranger.post(row(1))) == (401, "key.not-known")
    assert code_of(Agent(place, one.terminal, key_id="key_nobody").post(row(1))) == (401, "key.not-known")
    unsigned = place.client.post("/api/v1/telemetry", content=good)
    assert code_of(unsigned) == (422, "signature.missing")
    signed = signing.signed_headers(
        ("POST", "/api/v1/telemetry", "application/json"), good, one.key_id, 1, one.pair.sign
    )
    changed = place.client.post("/api/v1/telemetry", content=good.replace(b"40.0", b"41.0"), headers=signed)
    assert code_of(changed) == (422, "signature.digest")
    code = operator.made(f"terminals/{one.terminal}/enrolment-codes")["code"]
    asked = msgspec.json.encode({"code": code, "public_key": text_of(one.pair.public)})
    for_another = signing.signed_headers(
        ("POST", "/api/v1/telemetry", "application/json"), asked, "new", 1, KeyPair.made().sign
    )
    elsewhere = place.client.post("/api/v1/agent/enrol", content=asked, headers=for_another)
    assert code_of(elsewhere) == (401, "agent-key.code")
    # A token opens nothing here, and a key nothing there.
    assert operator.post("telemetry", rows=[]).status_code == 422
    assert place.client.get("/api/v1/terminals/state", headers=signed).status_code == 401
    assert operator.get("terminals/state").json()["terminals"] == []
    asyncio.run(intake_of(place)._write_counts())
    [refused] = operator.get(f"terminals/{one.terminal}/quarantine").json()["requests"]
    assert (refused["code"], refused["times"]) == ("telemetry.other-terminal", 1)
    assert not caplog.records


def test_a_revoked_or_expired_way_in_is_closed(place: Town, operator: Person) -> None:
    terminal = made(operator)
    agent = agent_of(operator, terminal)
    assert agent.post(row(1)).status_code == 200
    path = f"terminals/{terminal}/keys"
    assert [key["status"] for key in operator.get(path).json()["keys"]] == ["in-force"]
    assert operator.ask("DELETE", f"{path}/{agent.key_id}").status_code == 200
    assert code_of(agent.post(row(2))) == (401, "key.not-known")
    assert operator.ask("DELETE", f"{path}/key_nobody").status_code == 404
    # The revoked key does not come back by its old code, nor by a new one.
    again = operator.made(f"terminals/{terminal}/enrolment-codes")["code"]
    assert agent.enrol(again).status_code == 401
    late = Agent(place, terminal)
    operator.post("clock", advance_s=86_401)
    assert code_of(late.enrol(again)) == (401, "agent-key.code")


def test_who_may_hand_out_codes_and_who_sees_what(place: Town, operator: Person) -> None:
    terminal = made(operator)
    agent = agent_of(operator, terminal)
    agent.post(row(1))
    account = operator.made("accounts", holder="person", country="UA")["id"]
    subscriber = place.person("subscriber", by=operator, account=account)
    viewer = place.person("viewer", by=operator)
    assert subscriber.get("terminals/state").json()["terminals"] == []
    for path in ("state", "history", "quarantine", "keys"):
        assert subscriber.get(f"terminals/{terminal}/{path}").status_code == 404
        assert viewer.get(f"terminals/{terminal}/{path}").status_code == 200
    assert subscriber.get("fleet/health").json()["terminals"] == 0
    assert len(viewer.get("terminals/state").json()["terminals"]) == 1
    for who, status in ((viewer, 403), (subscriber, 403)):
        assert who.post(f"terminals/{terminal}/enrolment-codes").status_code == status
    logistics = place.person("logistics", by=operator)
    assert logistics.post(f"terminals/{terminal}/enrolment-codes").status_code == 201


def test_floods_and_bombs_of_one_terminal_are_told_off_and_the_others_are_not(
    place: Town, operator: Person
) -> None:
    flooding, calm = (agent_of(operator, made(operator, f"KIT{n}")) for n in (1, 2))
    intake_of(place)._per_terminal = Attempts("this terminal", 3, 10**9)
    statuses = [flooding.post(row(1)).status_code for _ in range(6)]
    assert statuses == [200] * 3 + [429] * 3
    assert int(flooding.post(row(1)).headers["retry-after"]) > 0
    # Somebody without its key uses up nothing of what the other may send.
    stranger = Agent(place, calm.terminal, key_id=calm.key_id)
    assert {stranger.post(row(1)).status_code for _ in range(5)} == {401}
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert code_of(calm.send("/api/v1/telemetry", bomb, content_encoding="gzip")) == (422, "telemetry.large")
    big = calm.send("/api/v1/telemetry", b"x" * 1_100_000)
    assert big.status_code == 413
    packed = gzip.compress(msgspec.json.encode(Batch(calm.terminal, START_US, [row(1)])))
    assert calm.send("/api/v1/telemetry", packed, content_encoding="gzip").status_code == 200


def test_what_was_used_is_counted_once_for_the_account(place: Town, operator: Person) -> None:
    terminal = made(operator)
    agent = agent_of(operator, terminal)
    agent.post(row(1), row(2))
    intake = intake_of(place)
    portal = place.client.portal
    assert portal is not None
    assert portal.call(intake.following.tell_usage) == 1
    assert portal.call(intake.following.tell_usage) == 0
    agent.post(row(3))
    # The office counted it, and we died before we could strike it off: told again, it counts once.
    due = accounting.due(intake.store.database, place.desk.clock.now() + US_PER_S, 10)
    assert [(one.down_bytes, one.up_bytes) for one in due] == [(1000, 10)]
    place.desk.writer.write(lambda transaction: intake.following._count(transaction, due))
    assert portal.call(intake.following.tell_usage) == 1
    used = operator.get(f"terminals/{terminal}/usage").json()
    assert (used["down_bytes"], used["up_bytes"]) == (3000, 30)


def test_an_erasure_reaches_telemetry(place: Town, operator: Person) -> None:
    gone, stays = (agent_of(operator, made(operator, f"KIT{n}")) for n in (1, 2))
    for agent in (gone, stays):
        assert agent.post(row(1)).status_code == 200
    erased = operator.ask("DELETE", f"terminals/{gone.terminal}/personal", {"ground": "asked"})
    assert erased.status_code == 200, erased.text
    intake = intake_of(place)
    portal = place.client.portal
    assert portal is not None
    assert portal.call(intake.following.erase) == 1
    assert portal.call(intake.following.erase) == 0
    assert [one[0] for one in operator.get("terminals/state").json()["terminals"]] == [stays.terminal]
    day = operator.get(f"terminals/{gone.terminal}/history?level=1d&from=2022-02-20").json()
    assert day["columns"] == {}


def test_health_and_metrics_name_reasons_and_no_dish(place: Town, operator: Person) -> None:
    agents = [agent_of(operator, made(operator, f"KIT{n}")) for n in range(3)]
    agents[0].post(row(1), row(2))
    agents[1].post(row(1), row(2, state="obstructed"), row(3, state="obstructed"))
    agents[2].post(row(1, state="stowed"))
    found = operator.get("fleet/health").json()
    assert found["by"] == {"chosen": 1, "obstruction": 1, "up": 1}
    [down] = found["down"]
    assert (down["terminal"], down["since"]) == (agents[1].terminal, "2022-02-26T12:00:30Z")
    text = place.client.get("/metrics").text
    assert not any(agent.terminal in text for agent in agents)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["skylift_telemetry_rows"].samples[0].value == 6
    states = {sample.labels["state"]: sample.value for sample in families["skylift_terminals"].samples}
    assert states == {"connected": 1, "obstructed": 1, "stowed": 1}


def test_dishes_are_sensors_in_crowds_alone(
    place: Town, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = operator.made("regions", country="UA", title="Kyiv", cells=CELLS)["id"]
    account = operator.made("accounts", holder="person", country="UA")["id"]
    dishes = [made(operator, f"KIT{n}") for n in range(3)]
    for dish in dishes:
        operator.made(f"terminals/{dish}/deliver", place=account)
        operator.made(f"terminals/{dish}/register", owner=account, cell=CELLS[0], region=region)
    for number, dish in enumerate(dishes):
        agent_of(operator, dish).post(
            *(row(n, state="no-pings" if number else "connected") for n in range(1, 41))
        )
    viewer = place.person("viewer", by=operator)
    asked = "fleet/online?step=300&from=2022-02-26T12:00:00Z&until=2022-02-26T12:12:00Z&by="
    assert viewer.get(f"{asked}country").json()["items"] == []
    monkeypatch.setattr("skylift.api.telemetry.sensors.LEAST_TERMINALS", 3)
    for by, code in (("country", "UA"), ("region", region)):
        found = viewer.get(f"{asked}{by}").json()["items"]
        assert found == [[START_US, code, 1, 3], [START_US + 300 * US_PER_S, code, 1, 3]]
    # The outage monitor asks just so.
    monkeypatch.setattr("skylift.adapters.outage_terminals.LEAST_TERMINALS", 3)
    probes = FleetProbes(Signal("own", "fleet", 300 * US_PER_S, 1.0), lambda path: viewer.get(path).json())
    samples = probes.gather(START_US, START_US + 720 * US_PER_S + LATE_US).samples
    assert [(one.at_us, one.of.code, one.targets) for one in samples] == [
        (START_US, "UA", 3.0),
        (START_US + 300 * US_PER_S, "UA", 3.0),
    ]
    elsewhere = operator.made("accounts", holder="person", country="UA")["id"]
    subscriber = place.person("subscriber", by=operator, account=elsewhere)
    assert subscriber.get(f"{asked}country").json()["items"] == []
    for step in ("1", "0", "450", "86700", "x"):
        assert code_of(viewer.get(f"fleet/online?step={step}")) == (400, "parameter.step")
    assert code_of(viewer.get("fleet/online?by=street")) == (400, "parameter.by")


def test_a_history_is_drawn_and_nothing_is_not(operator: Person) -> None:
    agent = agent_of(operator, made(operator))
    asked = f"terminals/{agent.terminal}/history?format=png&from=2022-02-26"
    assert code_of(operator.get(asked)) == (422, "picture.empty")
    agent.post(*[row(number, ping_latency_ms=30.0 + number) for number in range(1, 9)])
    picture = operator.get(asked)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_what_was_down_before_a_restart_is_down_since_then(place: Town, operator: Person) -> None:
    agent = agent_of(operator, made(operator))
    agent.post(row(1), *[row(n, state="no-satellites") for n in range(2, 30)])
    intake = intake_of(place)
    after = Intake(place.desk, intake.store, intake.service_key)
    after.states.put_all(intake.store.last_states())
    place.desk.intake = None
    try:
        from skylift.api.telemetry.health import verdicts

        portal = place.client.portal
        assert portal is not None
        [down] = portal.call(verdicts, after).down(10)
        assert down.since == "2022-02-26T12:00:30Z"
    finally:
        place.desk.intake = intake


def test_a_service_without_telemetry_says_so(tmp_path: Path) -> None:
    for town in make_town(tmp_path, telemetry=False):
        operator = town.first()
        assert code_of(operator.get("terminals/state")) == (503, "telemetry.off")
        agent = Agent(town, "trm_1")
        assert code_of(agent.post(row(1))) == (503, "telemetry.off")
