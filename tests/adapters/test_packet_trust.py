"""A run says itself whether it is to be trusted: not when frames left late, or the system dropped some."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packet_runs import needs
from tests.trusted import tried

# The loop's process gets no more of its processor than the two busy loops beside it leave.
STARVED = """
import json, os, subprocess, sys
from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_replay import Replay
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Wanted
from skylift.wire.packet.trace import TracedSlot

piece = (0, 15_000_000_000, 5_000_000, 5_000_000, 1e9, 0.0, True)
slot = TracedSlot(0, 15_000_000, "", 10.0, 0.0, ((piece,), (piece,)))
loops = []

def begin_loops():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    for _ in range(int(sys.argv[2])):
        loops.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
    if loops:
        os.nice(19)

if __name__ == "__main__":
    words = ("/bin/sh", "-c", sys.argv[1].replace("LOOP", str(os.getpid())))
    report = run(Wanted(Followed(Replay((slot,)), "any", 0), words), begin_loops).report
    for loop in loops:
        loop.kill()
    print(json.dumps(report))
"""
FLOOD = (
    "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    'for k in range(12_000): s.sendto(bytes(100), ("198.51.100.1", 9))\n'
)


def reported(command: str, loops: int = 0) -> dict[str, Any]:
    needs()
    done = subprocess.run(
        [sys.executable, "-c", STARVED, command, str(loops)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def test_a_run_with_nothing_beside_it_is_trusted() -> None:
    if shutil.which("ping") is None:
        pytest.skip("ping is not installed")
    run = tried(lambda: reported("ping -c 60 -i 0.01 198.51.100.1 > /dev/null"), lambda report: report)
    report = run.trusted()
    assert report["trustworthy"]
    assert report["tun_dropped"] == 0
    # No frame leaves in no time: lateness has been taken note of.
    assert 0 < report["lateness_us"]["p50"] <= report["lateness_us"]["p99"] <= 10_000


def test_beside_two_busy_loops_it_says_that_frames_left_late() -> None:
    if shutil.which("ping") is None:
        pytest.skip("ping is not installed")
    report = reported("ping -c 60 -i 0.01 198.51.100.1 > /dev/null", loops=2)
    assert report["lateness_us"]["p99"] > 10_000
    assert report["cpu_starved"] or not Path("/proc/self/schedstat").exists()
    assert not report["trustworthy"]


def test_what_the_system_drops_while_nobody_reads_is_counted(tmp_path: Path) -> None:
    """12,000 datagrams at once into a queue of 10,000, while the loop is stopped from outside."""
    wait = "while [ ! -s {} ]; do sleep 0.01; done"
    stop = f"{wait.format('pid')}; kill -STOP $(cat pid); echo > stopped"
    stop += f"; {wait.format('flooded')}; kill -CONT $(cat pid)"
    flood = f"cd {tmp_path}; echo LOOP > pid; {wait.format('stopped')}"
    flood += f"; {sys.executable} -c '{FLOOD}'; echo > flooded"
    stopper = subprocess.Popen(["sh", "-c", stop], cwd=tmp_path)
    try:
        report = reported(f"{flood}; sleep 0.3")
    finally:
        stopper.kill()
        stopper.wait()
    assert 1_000 <= report["tun_dropped"] <= 12_000
    assert not report["trustworthy"]
