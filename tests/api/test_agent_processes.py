"""Service, emulated dish and agent as processes of their own, and an hour in which the link is cut.

`skylift run`, `skylift dish serve --server` for a terminal in Kyiv, and `skylift agent` beside that dish;
between agent and service a TCP proxy that cuts in the middle, loses answers, and then refuses all for an hour
of the simulated clock. Unmodified starlink-grpc-core and grpcurl look at the dish.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from skylift.adapters import agent_process
from skylift.base.instants import InstantUs, format_instant

SPEED = 240.0
S = 1_000_000
# A city's own, public, place; it is served from here on.
SCENARIO = """
title = "A dish in Kyiv"
start = 2022-02-27T03:00:00Z
duration_h = 24
memory_min = 3
[catalogue]
preset = "starlink-2022-02"
[[region]]
id = "ukraine"
country = "UA"
[[service]]
region = "ukraine"
[[terminal]]
id = "kyiv"
latitude_deg = 50.45
longitude_deg = 30.52
region = "ukraine"
antenna = "starlink-round-2021"
pop = "frankfurt"
"""


@dataclass
class Proxy:
    """mode: up, refuse, cut (in the middle of a request), lose (the answer)."""

    target: int
    mode: str = "up"
    met: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def meet(self, mode: str) -> None:
        """Until somebody has come to it in that mode."""
        before, self.mode = self.met.get(mode, 0), mode
        until(lambda: self.met.get(mode, 0) > before)

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
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    while len(body) < (int(length[1]) if length else 0):
        body += source.recv(65_536)
    return head + b"\r\n\r\n" + body


def until(true: Callable[[], Any], patience_s: float = 60.0) -> Any:
    end = time.monotonic() + patience_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
    return found


@dataclass
class Around:
    """All that stands around one agent."""

    folder: Path
    url: str
    token: str
    dish: str
    proxy: Proxy
    client: httpx.Client
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.client.request(method, f"/api/v1/{path}", headers=headers, json=body or None)
        assert answer.status_code < 300, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | environment,
        )
        self.processes.append(process)
        return process

    def start_agent(self, code: str = "") -> subprocess.Popen[str]:
        """By the command line the first time; then as what that becomes, which starts sooner."""
        state = self.folder / "agent"
        now_us, began_ns = self.clock
        if not code:
            options = agent_process.Options(str(state), self.dish, None, now_us, SPEED, began_ns)
            command, environment = agent_process.launch(options)
            return self.start(*command, **environment)
        told = ["--state-dir", str(state), "--server", f"http://127.0.0.1:{self.proxy.port}", "--code", code]
        told += ["--dish", self.dish, "--at", format_instant(InstantUs(now_us)), "--speed", str(SPEED)]
        return self.start(sys.executable, "-m", "skylift", "agent", *told, "--began-ns", str(began_ns))

    def now_us(self) -> int:
        return int(self.ask("GET", "clock")["now_us"])

    @functools.cached_property
    def clock(self) -> tuple[int, int]:
        """What the service's clock showed, and ours then, in nanoseconds: of the quickest of some answers."""
        tries = []
        for _ in range(10):
            before_ns, now_us, after_ns = time.monotonic_ns(), self.now_us(), time.monotonic_ns()
            tries.append((after_ns - before_ns, now_us, (before_ns + after_ns) // 2))
        return min(tries)[1:]

    def stored(self) -> list[tuple[int, int, float, float | None]]:
        """(sequence, microseconds, span in seconds, latency) of every row that the service has."""
        with closing(sqlite3.connect(self.folder / "data" / "skylift-telemetry.sqlite", timeout=30)) as store:
            found = store.execute(
                "SELECT sequence, at_us, span_s, ping_latency_ms FROM telemetry_rows ORDER BY sequence"
            )
            return found.fetchall()

    def latencies_ms(self) -> list[float]:
        """Of the rows that have one."""
        return [row[3] for row in self.stored() if row[3] is not None]


@pytest.fixture
def around(start_service: Callable[..., Any], tmp_path: Path) -> Iterator[Around]:
    scenario = tmp_path / "kyiv.toml"
    scenario.write_text(SCENARIO)
    clock = ("--at", "2022-02-27T03:00:00Z", "--speed", str(SPEED))
    service = start_service("--scenario", str(scenario), *clock, SKYLIFT_DATA_DIR=str(tmp_path / "data"))
    service.wait_until_ready()
    client = httpx.Client(base_url=service.url, timeout=30)
    made = Around(tmp_path, service.url, "", "", Proxy(int(service.url.rpartition(":")[2])), client)
    code = re.search(r"code=(\S+)", "".join(service.output))
    assert code
    person = {"code": code[1], "email": "first@example.org", "password": "a few words in a row"}
    made.token = made.ask("POST", "setup", **person)["token"]
    serving = (
        "dish",
        "serve",
        "--terminal",
        "kyiv",
        "--server",
        made.url,
        "--listen",
        "127.0.0.1:0",
        "--json",
    )
    dish = made.start(sys.executable, "-m", "skylift", *serving, SKYLIFT_TOKEN=made.token)
    assert dish.stdout is not None
    made.dish = json.loads(dish.stdout.readline())["dishes"][0]["address"]
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    made.proxy.listening.close()
    client.close()


def test_an_hour_with_cuts_and_a_kill_and_every_row_arrives_once(around: Around) -> None:
    public_clients_see_what_the_links_say(around)
    terminal = around.ask("POST", "terminals", hardware="ROUND-2021", serial="KIT-0001", origin="gift")["id"]
    agent = around.start_agent(around.ask("POST", f"terminals/{terminal}/enrolment-codes")["code"])
    until(lambda: len(around.stored()) >= 4)
    for mode in ("lose", "up", "cut", "lose"):
        around.proxy.meet(mode)
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait()
    around.proxy.mode = "refuse"
    cut_us = around.now_us()
    agent = around.start_agent()
    until(lambda: around.now_us() > cut_us + 3_600 * S)
    light_enough(agent)
    before = len(around.stored())
    around.proxy.mode = "up"
    # On a busy machine the sky is late: the dish has no link meanwhile, and tells of no latency.
    until(lambda: len(around.stored()) >= before + 240 and len(around.latencies_ms()) > 200)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(10) == 0
    rows = around.stored()
    assert set(around.proxy.met) == {"up", "refuse", "cut", "lose"}
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    # No second of the hour twice, and none missing but those that left the dish's ring while no agent ran.
    holes_s = [(after[1] - row[1]) / S - after[2] for row, after in pairwise(rows)]
    # A delay of 10 ms here is 2.4 s there, and whatever one reading found is as early by that as it was late:
    # the best of many readings counts. What was counted twice, or not at all, moves all that follows.
    moved_s = list(accumulate(hole for hole in holes_s if hole < 60))
    assert abs(max(moved_s[-40:]) - max(moved_s[:40])) < 7
    assert len(holes_s) - len(moved_s) <= 1
    latencies_ms = around.latencies_ms()
    assert 20 < sum(latencies_ms) / len(latencies_ms) < 60


def public_clients_see_what_the_links_say(around: Around) -> None:
    """While the clock stands still, as it would not for a moment at this speed."""
    import starlink_grpc

    def stands() -> dict[str, Any] | None:
        """The link of the slot in which the clock stands; None where there is none, or the sky is late."""
        around.ask("POST", "clock", advance_s=0, paused=False)
        time.sleep(0.2)
        around.ask("POST", "clock", advance_s=0, paused=True)
        document = around.ask("GET", "links")
        (link,) = document["links"]
        here = 0 <= around.now_us() - document["at_us"] < 15 * S and link["why_down"] is None
        return link | {"at_us": document["at_us"]} if here else None

    def agreed() -> float | None:
        """The round trip that the dish tells as well, once its process has heard of the link."""
        rtt_ms = _rtt_ms(until(stands), around.now_us())
        for _ in range(30):
            status, _, _ = starlink_grpc.status_data(context)
            seen = (status["state"], status["pop_ping_drop_rate"], status["pop_ping_latency_ms"])
            if seen == ("CONNECTED", 0, pytest.approx(rtt_ms, abs=1)):
                return rtt_ms
            time.sleep(0.1)
        # What is told while the clock stands may be of the slot before, if the sky was late with this one.
        return None

    with closing(starlink_grpc.ChannelContext(target=around.dish)) as context:
        rtt_ms = until(agreed)
    grpcurl = Path(sys.executable).with_name("grpcurl")
    tool = str(grpcurl) if grpcurl.exists() else shutil.which("grpcurl")
    if tool:
        asked = [
            tool,
            "-plaintext",
            "-d",
            '{"get_status":{}}',
            around.dish,
            "SpaceX.API.Device.Device/Handle",
        ]
        said = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
        assert said["dishGetStatus"]["popPingLatencyMs"] == pytest.approx(rtt_ms, abs=1)
        assert said["dishGetStatus"]["deviceInfo"]["id"] == "ut-emulated-kyiv"
    around.ask("POST", "clock", advance_s=0, paused=False)


def _rtt_ms(link: dict[str, Any], at_us: int) -> float:
    part = (at_us - link["at_us"]) / (15 * S)
    begin_ms, end_ms = (
        (link[f"one_way_delay_up{edge}_us"] + link[f"one_way_delay_down{edge}_us"]) / 1_000
        for edge in ("", "_end")
    )
    return float(begin_ms + (end_ms - begin_ms) * part)


def light_enough(agent: subprocess.Popen[str]) -> None:
    """60 MB at its peak, and no NumPy: it has compiled parts, which would be mapped."""
    of = Path(f"/proc/{agent.pid}")
    assert "agent_process" in (of / "cmdline").read_text()
    assert not re.search("numpy|numba", (of / "maps").read_text())
    peak = re.search(r"VmHWM:\s+(\d+) kB", (of / "status").read_text())
    assert peak
    assert int(peak[1]) * 1_024 <= 60_000_000
