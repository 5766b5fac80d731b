"""Three terminals in one process: each has its own delay, reaches the PoP and the others; nothing stays."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skylift.adapters.packet_net_sky import notes_of
from skylift.adapters.packet_sky import LinkSlot
from skylift.base.errors import Refused
from skylift.cli.main import app
from tests.adapters.test_packet_server import SLOT_US, Service, document, row
from tests.packet_runs import alive, descendants, needs
from tests.trusted import Tried, tried

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ["--scenario", str(ROOT / "scenarios" / "ukraine-2022.toml"), "--at", "2022-02-27T03:05:00Z"]
EMULATE = [str(Path(sys.executable).with_name("skylift")), "emulate", *SCENARIO]
IDS = ["kyiv", "lviv", "odesa"]


def interfaces() -> list[str]:
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    return sorted(line.partition(":")[0] for line in lines)


Run = tuple[Path, dict[str, Any], int]
"""(folder of what the commands said, report, exit status)."""


@pytest.fixture(scope="module")
def tried_run(tmp_path_factory: pytest.TempPathFactory) -> Tried[Run]:
    """A run of three terminals."""
    needs("ping", "traceroute")
    return tried(lambda: once(tmp_path_factory.mktemp("emulated")), lambda run: run[1])


@pytest.fixture(scope="module")
def run(tried_run: Tried[Run]) -> Run:
    """The same, whether it is to be trusted or not."""
    return tried_run.outcome


def once(folder: Path) -> Run:
    before = interfaces()
    script = (
        "ping -4 -c 20 -i 0.05 pop; ping -6 -q -c 2 -i 0.1 lviv; traceroute -n -q 1 pop >&2;"
        " cat /etc/hosts | grep -c odesa; [ {terminal} != odesa ] && [ $SKYLIFT_TERMINAL = {terminal} ]"
    )
    done = subprocess.run(
        [*EMULATE, "--terminals", ",".join(IDS), "--set", "rate_mbps=50", "--output", str(folder),
         "--report", str(folder / "report.json"), "--", "sh", "-c", script],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert interfaces() == before
    return folder, json.loads((folder / "report.json").read_text(encoding="utf-8")), done.returncode


def test_each_terminal_has_its_own_delay(tried_run: Tried[Run]) -> None:
    folder, report, _ = tried_run.trusted()
    assert [one["terminal"] for one in report["terminals"]] == IDS
    for one in report["terminals"]:
        said = (folder / f"{one['terminal']}.log").read_text(encoding="utf-8")
        seen = [float(text) for text in re.findall(r"time=([\d.]+) ms", said)]
        assert len(seen) == 20
        slack_ms = 2.0 + 2 * report["lateness_us"]["p50"] / 1_000
        slots = [slot["rtt_set_ms"] for slot in one["slots"]]
        assert min(slots) - 0.7 < statistics.median(seen) < max(slots) + slack_ms


def test_terminals_reach_one_another_by_name_and_see_the_way(run: Run) -> None:
    folder, _, _ = run
    for id in IDS:
        said = (folder / f"{id}.log").read_text(encoding="utf-8")
        assert "2 received" in said
        assert re.findall(r"^ *(\d)  (100\.127\.1\.\d|198\.51\.100\.1) ", said, re.MULTILINE) == [
            ("1", "100.127.1.1"), ("2", "100.127.1.2"), ("3", "100.127.1.3"), ("4", "198.51.100.1")
        ]  # fmt: skip
        assert said.splitlines()[-1] == "2"


def test_the_exit_status_is_that_of_the_first_command_that_failed(
    run: Run,
) -> None:
    _, report, status = run
    assert status == 1
    assert [one["status"] for one in report["terminals"]] == [0, 0, 1]
    assert report["memory_mb"] < 100
    assert all(one["slots"][0]["up_bps"] > 0 for one in report["terminals"])


def test_notes_say_each_thing_once_and_name_few() -> None:
    up, dark = LinkSlot(0, SLOT_US, "", notes=("old elements",)), LinkSlot(0, SLOT_US, "no_satellite")
    told = [
        (0, up),
        (1, up),
        (2, LinkSlot(0, SLOT_US, "jammed")),
        *((number, dark) for number in range(3, 10)),
    ]
    assert notes_of("abcdefghij", told) == [
        "old elements",
        "c begins without a link: jammed",
        "d, e, f, g, h and 2 more begin without a link: no satellite",
    ]


def test_after_a_kill_no_process_and_no_namespace_is_left(tmp_path: Path) -> None:
    needs()
    told, said = tmp_path / "namespaces.json", tmp_path / "said"
    words = [*EMULATE[:-1], "2023-02-27T03:05:00Z", "--count", "3", "--namespaces", str(told)]
    words += ["--pop-run", "sleep 1000", "--", "sh", "-c", "sleep 1000 & sleep 1000"]
    with said.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(words, stderr=errors)
    try:
        for _ in range(600):
            if told.exists():
                break
            time.sleep(0.1)
        terminals = json.loads(told.read_text(encoding="utf-8"))
        assert [one["terminal"] for one in terminals] == ["made-up-1", "made-up-2", "made-up-3"]
        assert said.read_text(encoding="utf-8").count("note: this is outside the scenario's own time") == 1
        time.sleep(0.5)
        below = descendants(process.pid)
        # The sky, the packets, the first of their processes, one at the PoP, two behind each terminal.
        assert len(below) >= 10
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(100):
        left = [pid for pid in below if alive(pid)]
        if not left:
            break
        time.sleep(0.05)
    assert left == []
    assert not any(Path(one["namespace"]).exists() for one in terminals)


def test_a_signal_to_all_of_its_processes_ends_it_with_its_report(tmp_path: Path) -> None:
    """As `timeout` and supervisors send it; the commands get it as any program does."""
    needs()
    told, report = tmp_path / "namespaces.json", tmp_path / "report.json"
    words = [*EMULATE, "--terminals", "kyiv", "--namespaces", str(told), "--report", str(report)]
    words += ["--pop-run", "sleep 1000", "--", "sleep", "1000"]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        for _ in range(600):
            if told.exists():
                break
            time.sleep(0.1)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
    [kyiv] = json.loads(report.read_text(encoding="utf-8"))["terminals"]
    assert kyiv["status"] == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "thing"),
    [
        (["--terminals", "kyiv,", "--", "true"], "--terminals"),
        (["--terminals", "kyiv", "--count", "3"], "--terminals and --count"),
        (["--server", "http://127.0.0.1:1", "--count", "3"], "--server and --count"),
        (["--server", "http://127.0.0.1:1", "--at", "2022-02-27T03:05:00Z"], "--server and --at"),
        (["--encrypt"], "--encrypt"),
        (["--output", "/nowhere/at/all"], "--output"),
        (["--preset", "starlink-1999"], "preset"),
        (["--set", "delay_ms=-1"], "--set"),
        (["--pop-run", "sh -c 'true"], "--pop-run"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_begins(words: list[str], thing: str) -> None:
    done = CliRunner().invoke(app, ["emulate", *words])
    assert isinstance(done.exception, Refused)
    assert thing in done.exception.thing


def test_a_terminal_that_a_service_blocks_is_cut_as_the_slot_begins_and_the_other_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("ping")
    monkeypatch.setattr(Service, "asked", [])
    # The second slot begins five seconds after it is asked what time it is.
    monkeypatch.setattr(Service, "now_us", SLOT_US - 5_000_000)

    def run() -> tuple[int, dict[str, Any]]:
        blocked = document(1, row("kyiv"), row("lviv", "not_permitted"))
        monkeypatch.setattr(Service, "streams", [[document(0, row("kyiv"), row("lviv")), blocked]])
        return behind_a_service(tmp_path)

    status, report = tried(run, lambda outcome: outcome[1]).trusted()
    assert status == 0
    kyiv, lviv = (
        [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", (tmp_path / f"{id}.log").read_text())]
        for id in ("kyiv", "lviv")
    )
    assert kyiv == list(range(1, 31))
    assert lviv == list(range(1, len(lviv) + 1))
    assert 1 <= len(lviv) <= 5 / 0.2
    assert [slot["at_us"] for slot in report["terminals"][1]["slots"]] == [0, SLOT_US]


def behind_a_service(folder: Path) -> tuple[int, dict[str, Any]]:
    """(exit status, report) of 30 pings behind each terminal of a service."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        words = [*EMULATE[:2], "--server", f"http://127.0.0.1:{server.server_address[1]}"]
        words += ["--output", str(folder), "--report", str(folder / "report.json"), "--"]
        words += ["ping", "-c", "30", "-i", "0.2", "-W", "1", "pop"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    return done.returncode, json.loads((folder / "report.json").read_text(encoding="utf-8"))
