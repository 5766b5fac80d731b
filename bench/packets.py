"""Real packets at full speed: iperf3 behind a terminal whose link is unlimited, beside what it goes over.

Both sides carry the same bytes, one after the other; the column of errors holds ours / theirs, of the medians
of what iperf3 received per second. CPU counts all processes of a side but its iperf3 server, start included.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness import Case, Result
from bench.packets_bare import received_mbps
from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_network import POP4
from skylift.adapters.packet_replay import Replay
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Outcome, Wanted
from skylift.wire.packet.trace import TracedSlot

# What was asked for: shares of what the bare way carries, and times of what goes without offload.
OF_VETH, OF_WIREGUARD, BY_OFFLOAD = 0.35, 0.60, 5.0
PLAIN_BYTES, ENCRYPTED_BYTES, SINGLE_BYTES = 2_000_000_000, 100_000_000, 200_000_000
_SLOT_NS = 15_000_000_000
_SLOTS = 100
# It would say that it was ended.
SERVER = ("/bin/sh", "-c", "exec iperf3 -s 2>&1")


def link(rate_bps: float = math.inf, delay_ms: float = 0.0, loss: float = 0.0) -> Replay:
    """A link that stays as it is. delay_ms is one way, each direction."""
    slots = []
    for k in range(_SLOTS):
        delay_ns = int(delay_ms * 1e6)
        piece = (k * _SLOT_NS, (k + 1) * _SLOT_NS, delay_ns, delay_ns, rate_bps, loss, True)
        at_us, length_us = k * _SLOT_NS // 1_000, _SLOT_NS // 1_000
        slots.append(TracedSlot(at_us, length_us, "", 2 * delay_ms, loss, ((piece,), (piece,))))
    return Replay(tuple(slots))


def behind(over: Replay, command: str, pop_command: tuple[str, ...] = (), **wanted: Any) -> Outcome:
    """A command of the shell, run behind a terminal with such a link."""
    asked = Wanted(Followed(over, "any", 0), ("/bin/sh", "-c", command), pop_command, **wanted)
    return run(asked)


def iperf(over: Replay, words: str, **wanted: Any) -> tuple[dict[str, Any], Outcome]:
    """What iperf3 says of a transfer, and the run's outcome. Raises RuntimeError with its error."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        # Its server may not listen yet, and with -J it ends well although it failed.
        command = (
            f"for k in $(seq 100); do iperf3 -J -c {POP4} {words} > {told}; "
            f"grep -q '\"error\"' {told} || break; sleep 0.05; done"
        )
        outcome = behind(over, command, SERVER, **wanted)
        said: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    if "error" in said:
        raise RuntimeError(f"iperf3: {said['error']}")
    return said, outcome


def missing(*programs: str) -> str:
    """Why nothing can be measured here; empty where it can."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    return next((f"{program} is not installed" for program in programs if shutil.which(program) is None), "")


def _ours(size: int, **wanted: Any) -> Callable[[], list[float]]:
    """All the rates so far, Mbit/s."""
    rates: list[float] = []

    def once() -> list[float]:
        said, _ = iperf(link(), f"-n {size}", **wanted)
        rates.append(received_mbps(said))
        return rates

    return once


def bare(kind: str, size: int) -> Callable[[], list[float]]:
    rates: list[float] = []

    def once() -> list[float]:
        done = subprocess.run(
            [sys.executable, "-m", "bench.packets_bare", kind, str(size)],
            stdout=subprocess.PIPE,
            check=True,
        )
        rates.append(float(done.stdout))
        return rates

    return once


def _ratio(ours: list[float], theirs: list[float]) -> float:
    # The first of each side warms up.
    return statistics.median(ours[1:] or ours) / statistics.median(theirs[1:] or theirs)


def _case(
    id: str, sides: tuple[Callable[[], object], Callable[[], object]], peer: str, least: float, seed: int
) -> Case:
    def ok(result: Result) -> bool:
        return result.max_error is not None and result.max_error >= least

    return Case(
        id=id,
        ours=sides[0],
        peer=sides[1],
        peer_name=peer,
        peer_version="",
        compare=_ratio,
        limit=f"ours / theirs (column error), Mbit/s by iperf3: >= {least:g}",
        ok=ok,
        seed=seed,
        threads=os.cpu_count() or 1,
        rounds=3,
    )


def cases(seed: int) -> list[Case]:
    why = missing("iperf3")
    no_wireguard = missing("wireguard-go")
    for reason in {why, no_wireguard} - {""} if "--child" not in sys.argv else ():
        print(f"real packets are measured in part, or not at all: {reason}", file=sys.stderr)
    if why:
        return []
    plain = _ours(PLAIN_BYTES), bare("veth", PLAIN_BYTES)
    single = _ours(SINGLE_BYTES), _ours(SINGLE_BYTES, offload=False)
    found = [
        _case("packets-plain", plain, "bare veth", OF_VETH, seed),
        _case("packets-offload", single, "without offload", BY_OFFLOAD, seed),
    ]
    if not no_wireguard:
        sides = _ours(ENCRYPTED_BYTES, encrypt=True), bare("wireguard", ENCRYPTED_BYTES)
        found.append(_case("packets-encrypted", sides, "wireguard-go over veth", OF_WIREGUARD, seed))
    return found
