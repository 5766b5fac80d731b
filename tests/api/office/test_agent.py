"""The agent as a process, and commands: issued, done or barred, answered; then its key is revoked."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from skylift.adapters import agent_process
from skylift.adapters.agent_doctor import examine
from skylift.adapters.agent_folder import AgentFolder
from skylift.adapters.clock import SimulatedClock
from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_grpc import DishServer, Served
from skylift.adapters.dish_schema import dish_schema
from skylift.adapters.keys import KeyPair
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.office.logins import make_setup_code
from skylift.api.state import LiveState
from skylift.api.telemetry.intake import Intake
from skylift.base.geodesy import Place
from skylift.base.instants import format_instant
from skylift.base.link import WhyDown
from skylift.service.rooms import ROOMS
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.view import SlotView
from tests.api.office.conftest import CELLS, START_US, Person, Town
from tests.known_authorities import record_known

SPEED = 300.0
S = 1_000_000


class SteadyDish(Dish):
    """It is served in every slot, whatever time it is."""

    def slot_at(self, at_us: int) -> SlotView:
        begin_us = at_us // (15 * S) * 15 * S
        return SlotView(begin_us, 15 * S, WhyDown.UP, 30.0, 40.0, 8e6, 8e5, 0.0, 44713, ((0.1, 1.0),) * 3)


@dataclass
class Around:
    """All that stands around one agent."""

    town: Town
    intake: Intake
    clock: SimulatedClock
    dish: SteadyDish
    dish_port: int
    url: str
    operator: Person
    terminal: str
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, code: str = "") -> subprocess.Popen[str]:
        """By the command line the first time; then as what that becomes, which starts sooner."""
        dish = f"127.0.0.1:{self.dish_port}"
        began_ns, environment = self.clock.made_at_ns, dict(os.environ)
        if code:
            told = ["--state-dir", str(self.folder), "--server", self.url]
            told += ["--dish", dish, "--speed", str(SPEED), "--code", code]
            told += ["--at", format_instant(START_US), "--began-ns", str(began_ns)]
            command = [str(Path(sys.executable).with_name("skylift")), "agent", *told]
        else:
            options = agent_process.Options(str(self.folder), dish, None, START_US, SPEED, began_ns)
            command, environment = agent_process.launch(options)
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True, env=environment)
        self.processes.append(process)
        return process

    def stored(self) -> int:
        with self.intake.store.database.reading() as session:
            ((count,),) = session.rows("SELECT count(*) FROM telemetry_rows")
        return int(count)


def until(true: Callable[[], Any], patience_s: float = 90.0) -> None:
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Around]:
    clock, leap = SimulatedClock(START_US, SPEED).leaping()
    store = open_store(sqlite_url(tmp_path), ROOMS)
    desk = Desk(store, clock, leap)
    desk.intake = Intake(desk, TelemetrySql(f"sqlite:///{tmp_path / 't.sqlite'}"), KeyPair.made())
    record_known(store, START_US)
    asyncio.run(make_setup_code(desk))
    app = create_app(LiveState(clock), desk)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    serving.start()
    dish = SteadyDish(Identity("ut-test", Place(10.0, 20.0, 100.0)), START_US - 1_000 * S)
    pool = futures.ThreadPoolExecutor(4)
    emulated = DishServer(Served(dish, threading.Lock()), dish_schema(), clock.now)
    running, dish_port = emulated.serve("127.0.0.1:0", pool)
    client = httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    until(lambda: server.started)
    town = Town(desk, client)  # type: ignore[arg-type]
    operator = town.first()
    operator.made("accounts", holder="company", country="UA")
    account = operator.get("accounts").json()["items"][0]["id"]
    dish_made = operator.made("terminals", hardware="ROUND-2021", serial="KIT0000001", origin="gift")
    operator.made(f"terminals/{dish_made['id']}/register", owner=account, cell=CELLS[0])
    made = Around(
        town, desk.intake, clock, dish, dish_port, str(client.base_url).rstrip("/"), operator,
        dish_made["id"], tmp_path / "agent",
    )  # fmt: skip
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    running.stop(0)
    server.should_exit = True
    serving.join(10)
    client.close()
    assert store.verify().valid
    desk.close()


def test_a_command_goes_the_whole_way_and_comes_back(around: Around) -> None:
    around.folder.mkdir()
    allow = around.folder / "allow.toml"
    allow.write_text('allow = ["rf-inhibit"]\n')
    allow.chmod(0o600)
    operator, terminal = around.operator, around.terminal
    code = operator.made(f"terminals/{terminal}/enrolment-codes")["code"]
    refused = operator.post("commands", terminal=terminal, command="rf-inhibit")
    assert refused.json()["error"]["code"] == "command.no-consent"
    operator.made("consents", terminal=terminal, kinds=["rf-inhibit"], document="letter 7")
    off = operator.made("commands", terminal=terminal, command="rf-inhibit", expires_min=600)["id"]
    other = operator.made("commands", terminal=terminal, command="gps-inhibit", expires_min=600)["id"]
    agent = around.start(code)
    until(lambda: all(operator.get(f"commands/{id}").json()["state"] != "issued" for id in (off, other)))
    done, barred = operator.get(f"commands/{off}").json(), operator.get(f"commands/{other}").json()
    assert (done["state"], barred["state"], barred["code"]) == ("done", "refused", "not_allowed")
    assert done["said"].startswith("the radio is off; it comes back by rf-allow")
    assert around.dish.radio_inhibited
    assert not around.dish.gps_inhibited
    # A command to many takes another person.
    waiting = operator.post("rollouts", terminals=[terminal, terminal], command="reboot", reason="hangs")
    assert waiting.status_code == 422
    agent.terminate()
    assert agent.wait(10) == 0
    revoke(around, agent)


def revoke(around: Around, agent: subprocess.Popen[str]) -> None:
    """A key that is revoked is believed no more; doctor says so, and wipe leaves nothing."""
    (key,) = around.operator.get(f"terminals/{around.terminal}/keys").json()["keys"]
    assert around.operator.ask("DELETE", f"terminals/{around.terminal}/keys/{key['id']}").status_code == 200
    before = around.stored()
    agent = around.start()
    until(lambda: (around.folder / "trouble.json").exists())
    agent.terminate()
    agent.wait(10)
    assert around.stored() == before
    with DishClient(f"127.0.0.1:{around.dish_port}") as dish:
        found = {one.check: one for one in examine(AgentFolder(around.folder), dish)}
    assert found["dish"].ok
    assert found["service"].ok
    assert not found["sending"].ok
    assert "enrol with a new code" in found["sending"].way_out
    assert AgentFolder(around.folder).wipe() >= 5
    assert not around.folder.exists()
