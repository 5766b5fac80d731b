"""The agent as a process, beside a dish and behind a link that is cut, over an hour of simulated time.

The dish is the emulated one behind its real gRPC server, the service the whole application behind its real
HTTP server, and between agent and service stands a proxy that refuses, cuts in the middle, or loses answers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from skylift.adapters.agent_doctor import examine
from skylift.adapters.agent_folder import AgentFolder
from skylift.adapters.agent_process import Options
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
class Proxy:
    """Between agent and service. mode: up, refuse, cut (in the middle of a request), lose (the answer)."""

    target: int
    mode: str = "up"
    met: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near, self.mode), daemon=True).start()

    def _serve(self, near: socket.socket, mode: str) -> None:
        self.met[mode] = self.met.get(mode, 0) + 1
        with near:
            if mode == "refuse":
                return
            near.settimeout(10)
            try:
                request = _message(near)
                with socket.create_connection(("127.0.0.1", self.target)) as far:
                    far.settimeout(10)
                    far.sendall(request[: len(request) // 2] if mode == "cut" else request)
                    if mode == "cut":
                        return
                    answered = _message(far)
                    if mode == "up":
                        near.sendall(answered)
            except OSError:
                return


def _message(source: socket.socket) -> bytes:
    """One HTTP message with its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = source.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += source.recv(65_536)
    return head + b"\r\n\r\n" + body


@dataclass
class Around:
    """All that stands around one agent."""

    town: Town
    intake: Intake
    clock: SimulatedClock
    dish: SteadyDish
    dish_port: int
    proxy: Proxy
    operator: Person
    terminal: str
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, code: str = "") -> subprocess.Popen[str]:
        """By the command line the first time; then as what that becomes, which starts sooner."""
        dish = f"127.0.0.1:{self.dish_port}"
        began_ns = self.clock.made_at_ns
        if code:
            told = ["--state-dir", str(self.folder), "--server", f"http://127.0.0.1:{self.proxy.port}"]
            told += ["--dish", dish, "--speed", str(SPEED), "--code", code]
            told += ["--at", format_instant(START_US), "--began-ns", str(began_ns)]
            command = [str(Path(sys.executable).with_name("skylift")), "agent", *told]
        else:
            options = Options(str(self.folder), dish, None, START_US, SPEED, began_ns)
            told = ["-OO", "-m", "skylift.adapters.agent_process", msgspec.json.encode(options).decode()]
            command = [sys.executable, *told]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        return process

    def stored(self) -> list[tuple[int, int, float]]:
        """(sequence, microseconds, span in seconds) of every row that the service has."""
        with self.intake.store.database.reading() as session:
            found = session.rows("SELECT sequence, at_us, span_s FROM telemetry_rows ORDER BY sequence")
        return [(int(sequence), int(at), float(span)) for sequence, at, span in found]


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
        town, desk.intake, clock, dish, dish_port, Proxy(listening.getsockname()[1]), operator,
        dish_made["id"], tmp_path / "agent",
    )  # fmt: skip
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    made.proxy.listening.close()
    running.stop(0)
    server.should_exit = True
    serving.join(10)
    client.close()
    assert store.verify().valid
    desk.close()


def test_an_hour_with_cuts_and_a_kill_and_every_row_arrives_once(around: Around) -> None:
    code = around.operator.made(f"terminals/{around.terminal}/enrolment-codes")["code"]
    agent = around.start(code)
    until(lambda: len(around.stored()) >= 4)
    began_us = around.clock.now()
    for mode in ("refuse", "lose", "up", "cut", "lose"):
        around.proxy.mode = mode
        time.sleep(0.8)
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait()
    agent = around.start()
    for mode in ("refuse", "up", "lose"):
        around.proxy.mode = mode
        time.sleep(0.5)
    around.proxy.mode = "up"
    until(lambda: around.clock.now() > began_us + 3_600 * S)
    light_enough(agent)
    before = len(around.stored())
    until(lambda: len(around.stored()) >= before + 8)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(10) == 0
    rows = around.stored()
    assert set(around.proxy.met) == {"up", "refuse", "cut", "lose"}
    assert [sequence for sequence, _, _ in rows] == list(range(1, len(rows) + 1))
    # No second of the hour twice, and none missing but those that left the dish's ring while no agent ran.
    holes_s = [(at - before) / S - span for (_, before, _), (_, at, span) in pairwise(rows)]
    # A delay of 10 ms here is 3 s there: each edge may be off by that, all together may not.
    small_s = [hole for hole in holes_s if hole < 20]
    assert min(small_s) > -10
    assert abs(sum(small_s)) < 20
    assert len(holes_s) - len(small_s) <= 1
    assert len(rows) >= 100


def light_enough(agent: subprocess.Popen[str]) -> None:
    """60 MB at rest, and no NumPy: it has compiled parts, which would be mapped."""
    maps = Path(f"/proc/{agent.pid}/maps").read_text()
    assert "agent_process" in Path(f"/proc/{agent.pid}/cmdline").read_text()
    assert not [line for line in maps.splitlines() if "numpy" in line or "numba" in line]
    found = [line for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines() if "VmRSS" in line]
    assert int(found[0].split()[1]) <= 60 * 1024


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
    before = len(around.stored())
    agent = around.start()
    until(lambda: (around.folder / "trouble.json").exists())
    agent.terminate()
    agent.wait(10)
    assert len(around.stored()) == before
    with DishClient(f"127.0.0.1:{around.dish_port}") as dish:
        found = {one.check: one for one in examine(AgentFolder(around.folder), dish)}
    assert found["dish"].ok
    assert found["service"].ok
    assert not found["sending"].ok
    assert "enrol with a new code" in found["sending"].way_out
    assert AgentFolder(around.folder).wipe() >= 5
    assert not around.folder.exists()
