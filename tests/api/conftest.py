"""The real service as its own process, on a free port, with a scenario of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

SCENARIO = """
title = "Four towns"
start = 2023-04-05T06:00:00Z
duration_h = 1
memory_min = 3

[catalogue]
preset = "starlink-gen1-filed"

[[region]]
id = "poland"
country = "PL"

[[region]]
id = "ukraine"
country = "UA"

[[region]]
id = "romania"
country = "RO"

[[service]]
region = "poland"

[[service]]
region = "ukraine"
from = 2023-04-05T06:04:00Z

[[terminal]]
id = "rzeszow"
latitude_deg = 50.04
longitude_deg = 22.00
region = "poland"
antenna = "starlink-round-2021"

[[terminal]]
id = "chernivtsi"
latitude_deg = 48.29
longitude_deg = 25.94
region = "ukraine"
antenna = "starlink-round-2021"

[[terminal]]
id = "uzhhorod"
latitude_deg = 48.62
longitude_deg = 22.29
region = "ukraine"
antenna = "starlink-standard-v2"

[[terminal]]
id = "iasi"
latitude_deg = 47.16
longitude_deg = 27.58
region = "romania"
antenna = "starlink-standard-v2"
"""


@dataclass
class Service:
    """`skylift run` in a process of its own."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    url: str = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=10.0)

    def wait_until_listening(self) -> None:
        self._wait_for(r"listens on (http://\S+)")

    def wait_until_ready(self) -> None:
        self._wait_for(r"is ready after .*?: (http://\S+)")

    def _wait_for(self, pattern: str, patience_s: float = 120.0) -> None:
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if found := re.search(pattern, "".join(self.output)):
                self.url = found[1]
                return
            assert self.process.poll() is None, "".join(self.output)
            time.sleep(0.02)
        raise AssertionError(f"not within {patience_s} s: {pattern}\n{''.join(self.output)}")

    def descendants(self) -> set[int]:
        """All processes below it, by the kernel's own lists."""
        return _descendants(self.process.pid)

    @staticmethod
    def gone_within(pids: set[int], patience_s: float) -> bool:
        """Whether none of them runs any more; what only waits to be reaped does not run."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if not any(_runs(pid) for pid in pids):
                return True
            time.sleep(0.02)
        return False

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)


def _descendants(pid: int) -> set[int]:
    below: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            below |= {child} | _descendants(child)
    return below


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "four-towns.toml"
    path.write_text(SCENARIO)
    return path


@contextmanager
def _starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Begin a service with these arguments; whatever still runs at the end is ended."""
    begun: list[Service] = []

    def start(*arguments: str, **environment: str) -> Service:
        process = subprocess.Popen(
            [sys.executable, "-m", "skylift", "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "SKYLIFT_PORT": "0",
                "SKYLIFT_DATA_DIR": str(tmp_path_factory.mktemp("data")),
                "PYTHONUNBUFFERED": "1",
                **environment,
            },
        )
        service = Service(process)
        threading.Thread(target=service.read, daemon=True).start()
        begun.append(service)
        return service

    yield start
    for service in begun:
        if service.process.poll() is None:
            service.process.send_signal(signal.SIGTERM)
    for service in begun:
        try:
            service.process.wait(5)
        except subprocess.TimeoutExpired:
            service.process.kill()


@pytest.fixture(scope="module")
def start_for_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Begin a service for all tests of a file."""
    with _starting(tmp_path_factory) as start:
        yield start


@pytest.fixture
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Begin a service for one test. Not for longer: a sky whose slots pass in half a second takes time
    from all tests after it.
    """
    with _starting(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, scenario: Path) -> Iterator[Service]:
    """One service for all tests that only look: a slot passes in half a second."""
    with _starting(tmp_path_factory) as start:
        running = start("--scenario", str(scenario), "--at", "2023-04-05T06:02:00Z", "--speed", "30")
        running.wait_until_ready()
        yield running
