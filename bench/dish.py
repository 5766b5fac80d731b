"""What an emulated dish costs: CPU of the serving process for each request, memory of a thousand dishes.

The very command is run, `skylift dish serve`, over a scenario made here and the packaged satellites; it is
asked by gRPC over a socket. What is counted is all CPU of that process, its slots included. No peer: no other
emulated dish is at hand.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from bench.harness import Case, Result

DISHES = 1_000
ASKED = 500
MOST_MS = {"get_status": 1.0, "get_history": 2.0}
MOST_BYTES = 1_000_000_000
AT = "2026-05-30T11:30:00Z"
_TERMINAL = """[[terminal]]
id = "t{k}"
latitude_deg = {latitude:.3f}
longitude_deg = {longitude:.3f}
region = "UA"
antenna = "starlink-mini"
pop = "frankfurt"
"""
_HEAD = """title = "dishes"
start = 2026-05-30T11:00:00Z
duration_h = 2
seed = {seed}
[[region]]
id = "UA"
country = "UA"
[[service]]
region = "UA"
"""


@dataclass(frozen=True, slots=True)
class Serving:
    process: subprocess.Popen[str]
    addresses: list[str]

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@cache
def serving(count: int, seed: int) -> Serving:
    """The command with so many dishes, once it says that they are there; ended with this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    scenario = Path(folder.name) / "dishes.toml"
    terminals = (
        _TERMINAL.format(k=k, latitude=48.5 + k % 40 * 0.03, longitude=27 + k // 40 * 0.3)
        for k in range(count)
    )
    scenario.write_text(_HEAD.format(seed=seed) + "".join(terminals), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "skylift", "dish", "serve", "--scenario", str(scenario), "--at", AT,
         "--count", str(count), "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    atexit.register(process.kill)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    return Serving(process, [dish["address"] for dish in said["dishes"]])


def prepare(count: int, seed: int) -> None:
    serving(count, seed)


def cost_ms(kind: str, seed: int) -> float:
    """CPU of the serving process for one request, milliseconds."""
    from skylift.adapters.dish_client import DishClient

    one = serving(1, seed)

    def fill(request: Any) -> None:
        getattr(request, kind).SetInParent()

    with DishClient(one.addresses[0]) as client:
        client.status()
        before_s = one.cpu_s()
        for _ in range(ASKED):
            client.ask(fill)
        return (one.cpu_s() - before_s) / ASKED * 1_000


def all_asked(seed: int) -> int:
    """Peak memory of the process, in bytes, once each dish was asked for its status, history and map."""
    from skylift.adapters.dish_client import DishClient

    many = serving(DISHES, seed)
    for address in many.addresses:
        with DishClient(address) as client:
            assert client.status().state != "unknown"
            assert client.history().count >= 900
            client.obstruction_map()
    return many.peak_bytes()


def cases(seed: int) -> list[Case]:
    def request(kind: str, most_ms: float) -> Case:
        def ok(result: Result) -> bool:
            return result.max_error is not None and result.max_error <= most_ms

        return Case(
            id=f"dish-{kind.removeprefix('get_')}",
            ours=lambda: cost_ms(kind, seed),
            peer=None,
            peer_name="",
            peer_version="",
            compare=lambda ours, peer: float(ours),
            limit=f"{kind} <= {most_ms:g} ms CPU of the dish's process (column error: ms)",
            ok=ok,
            seed=seed,
            prepare=partial(prepare, 1, seed),
            work=ASKED,
            unit="requests",
        )

    return [
        *(request(kind, most_ms) for kind, most_ms in MOST_MS.items()),
        Case(
            id="dish-1000",
            ours=lambda: all_asked(seed),
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit=f"{DISHES:,} dishes in one process <= 1 GB",
            ok=lambda result: 0 < result.ours.peak_rss_bytes <= MOST_BYTES,
            seed=seed,
            prepare=partial(prepare, DISHES, seed),
            work=DISHES,
            unit="dishes",
            rounds=1,
            peak_of=int,
        ),
    ]
