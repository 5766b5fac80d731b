"""Real packets behind a terminal: ping, traceroute, transfers, exit statuses, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import random
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packet_runs import needs, wait_for
from tests.trusted import tried

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "ukraine-2022.toml"
AT = "2022-02-27T03:05:00Z"
SKYLIFT = str(Path(sys.executable).with_name("skylift"))


def behind(
    *command: str, options: tuple[str, ...] = (), at: str = AT, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*exec_words(*options, at=at), "--", *command],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def exec_words(*options: str, at: str = AT) -> list[str]:
    return [SKYLIFT, "exec", "kyiv", "--scenario", str(SCENARIO), "--at", at, "--no-encrypt", *options]


@pytest.fixture(scope="module")
def rtt_ms() -> float:
    """What the twin sets for the slot in which the runs begin."""
    from skylift.adapters.scenario_files import Sources, load_world
    from skylift.base.instants import parse_instant
    from skylift.twin.tick import Twin

    world = load_world(Sources(SCENARIO)).world
    row = [str(one.id) for one in world.terminals].index("kyiv")
    start_us = world.slots.start(parse_instant(AT))
    _, links = next(iter(Twin(world).links(start_us, start_us + 1)))
    return float(links.delay_up_us[row] + links.delay_down_us[row]) / 1_000


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The words that do a run again, for tests to which the sky does not matter: that begins slowly."""
    needs()
    trace = tmp_path_factory.mktemp("replay") / "trace"
    assert behind("sh", "-c", "exit 7", options=("--trace", str(trace))).returncode == 7
    return (SKYLIFT, "exec", "any", "--replay", str(trace), "--no-encrypt")


def round_trips_ms(said: str) -> list[float]:
    return [float(text) for text in re.findall(r"time=([\d.]+) ms", said)]


def test_ping_sees_the_delay_of_the_slot(rtt_ms: float, tmp_path: Path) -> None:
    needs("ping")
    report = tmp_path / "report.json"

    def ping() -> subprocess.CompletedProcess[str]:
        return behind("ping", "-4", "-c", "40", "-i", "0.05", "pop", options=("--report", str(report)))

    def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """The report; not to be trusted either where the quickest see the link and most something besides.

        A frame that comes waits until the loop is awake to read it, which no lateness counts. Whatever the
        engine itself adds, the quickest have as well.
        """
        said: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        seen = round_trips_ms(done.stdout)
        hindered = bool(seen) and statistics.median(seen) - sorted(seen)[len(seen) // 10] > 0.8
        return {**said, "trustworthy": said["trustworthy"] and not hindered}

    done = tried(ping, told).trusted()
    assert done.returncode == 0, done.stderr
    seen = round_trips_ms(done.stdout)
    assert len(seen) == 40
    said = json.loads(report.read_text(encoding="utf-8"))
    # How late this machine is comes on top.
    slack_ms = 1.0 + 2 * said["lateness_us"]["p50"] / 1_000
    assert rtt_ms - 0.5 < statistics.median(seen) < rtt_ms + slack_ms
    assert said["slots"][0]["gateway"]
    assert abs(said["slots"][0]["rtt_set_ms"] - rtt_ms) < 1.0


def test_traceroute_names_the_way_and_packets_have_their_size() -> None:
    needs("ping", "traceroute")
    largest = "ping {} -M do -s {} -c 1 -W 2 pop"
    # 1,500 bytes are 1,472 behind the headers of IPv4 and ICMP, 1,452 behind those of IPv6.
    sizes = (("-4", 1472), ("-4", 1473), ("-6", 1452), ("-6", 1453))
    words = ["traceroute -4 -q 1 pop", "traceroute -6 -q 1 pop"]
    words += [f"{largest.format(*size)} > /dev/null 2>&1; echo status $?" for size in sizes]
    done = behind("sh", "-c", "; ".join(words))
    names = re.findall(r"^ *\d+ +(\S+) \(", done.stdout, re.MULTILINE)
    assert names == ["satellite", "gateway", "pop-router", "pop"] * 2, done.stdout + done.stderr
    assert re.findall(r"status (\d)", done.stdout) == ["0", "1", "0", "1"]


@pytest.mark.parametrize("address", ["198.51.100.1", "[fd5c:1f70:0:ff::1]"])
def test_what_is_sent_with_losses_arrives_whole(
    address: str, tmp_path: Path, replay: tuple[str, ...]
) -> None:
    """20 MB over TCP with 1 % of wire packets lost: superpackets are cut right, or the hash differs."""
    body = random.Random(7).randbytes(20_000_000)
    (tmp_path / "body").write_bytes(body)
    report = tmp_path / "report.json"
    serve = f"{sys.executable} -m http.server 8000 --bind :: --directory {tmp_path}"
    program = (
        "import hashlib, sys, time, urllib.request\n"
        "for attempt in range(50):\n"
        "    try:\n"
        "        body = urllib.request.urlopen(sys.argv[1], timeout=60).read()\n"
        "        break\n"
        "    except ConnectionError: time.sleep(0.1)\n"
        "    except urllib.error.URLError: time.sleep(0.1)\n"
        "print(len(body), hashlib.sha256(body).hexdigest())\n"
    )
    options = ("--pop-run", serve, "--set", "loss=0.01,delay_ms=5", "--report", str(report))
    done = subprocess.run(
        [*replay, *options, "--", sys.executable, "-c", program, f"http://{address}:8000/body"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == [str(len(body)), hashlib.sha256(body).hexdigest()], done.stderr
    slots = json.loads(report.read_text(encoding="utf-8"))["slots"]
    assert any((slot["loss_seen"] or 0) > 0.002 for slot in slots)


def test_where_there_is_no_service_nothing_comes_back() -> None:
    needs("ping")
    done = behind("ping", "-c", "2", "-i", "0.2", "-W", "1", "pop", at="2022-02-26T12:05:00Z")
    assert done.returncode == 1
    assert "100% packet loss" in done.stdout


def test_the_exit_status_is_the_commands(replay: tuple[str, ...]) -> None:
    for command, status in ((("sh", "-c", "kill -9 $$"), 137), (("no-such-command-here",), 127)):
        done = subprocess.run(
            [*replay, "--", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status
        assert (command[0] in done.stderr) is (status == 127)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--set", "delay_ms=-1"), 2),
        (("--set", "loss=2"), 2),
        (("--set", "speed=9"), 2),
        (("--scenario", "nowhere.toml"), 2),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    words: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    done = behind("touch", str(mark), options=words)
    assert done.returncode == code
    assert not mark.exists()


def test_an_unknown_terminal_names_near_ones() -> None:
    done = subprocess.run(
        [SKYLIFT, "exec", "kiev", "--scenario", str(SCENARIO), "--at", AT, "--", "true"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "kyiv" in done.stderr


def test_nothing_is_left_after_it_was_killed() -> None:
    """Interfaces, routes and processes of the host are what they were, also after SIGKILL."""
    needs()
    before = host()
    run = subprocess.Popen([*exec_words(), "--", "sleep", "1234.5"])
    try:
        wait_for("sleep 1234.5", there=True)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait(30)
    wait_for("sleep 1234.5", there=False)
    assert host() == before


def host() -> list[str]:
    names = ("/proc/net/dev", "/proc/net/route", "/proc/net/ipv6_route", "/proc/net/if_inet6", "/proc/mounts")
    texts = []
    for name in names:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
        # Of interfaces their names, of routes all but the counters.
        texts += [
            line.split(":")[0] if name.endswith("dev") else " ".join(line.split()[:5]) for line in lines
        ]
    return texts
