"""What a run leaves on the host: nothing, also after a kill. What it is joined to: as it was."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.adapters import tun
from skylift.adapters.packet_internet import HOST, check, host_addresses
from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_network import join
from skylift.adapters.packet_replay import replay_of
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Wanted
from skylift.base.errors import Refused, Unavailable
from skylift.cli.main import app
from skylift.wire.packet.trace import TracedSlot, header_line, slot_line
from skylift.wire.packet.uplinks import Fibre
from tests.packet_runs import alive, descendants, needs, wait_for

SKYLIFT = str(Path(sys.executable).with_name("skylift"))
# They count, and are set by nobody.
COUNTS = ("nf_conntrack_count", "/stat/", "flush")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A link of 10 ms each way, for ever."""
    edges = (0, 15_000_000_000, 10_000_000, 10_000_000, 1e8, 0.0, True)
    slot = TracedSlot(0, 15_000_000, "", 20.0, 0.0, ((edges,), (edges,)))
    file = tmp_path_factory.mktemp("trace") / "trace"
    file.write_text(header_line(1, None) + "\n" + slot_line(slot, False) + "\n", encoding="ascii")
    return file


def host() -> dict[str, str]:
    """Interfaces, addresses, routes, rules, settings and mounts of this machine."""
    said = {}
    for words in ("ip -br link", "ip -br addr", "ip route show table all", "ip rule", "nft list ruleset"):
        for family in ("-4", "-6") if words.startswith("ip r") else ("",):
            program, *rest = words.split()
            if shutil.which(program) is not None:
                asked = [program, *([family] if family else []), *rest]
                done = subprocess.run(asked, capture_output=True, text=True, check=False)
                said[" ".join(asked)] = done.stdout
    for file in Path("/proc/sys/net").rglob("*"):
        if file.is_file() and not any(part in str(file) for part in COUNTS):
            try:
                said[str(file)] = file.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
    for folder in ("/run", "/run/netns", "/run/wireguard", "/var/run/wireguard"):
        said[folder] = "\n".join(sorted(os.listdir(folder))) if os.path.isdir(folder) else "none"
    said["mounts"] = Path("/proc/mounts").read_text(encoding="utf-8")
    return said


def changed(before: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    after = host()
    names = sorted({*before, *after})
    return {n: (before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)}


def everything_on() -> list[str]:
    """The options that touch most, as far as their programs are here."""
    words = ["--fibre", "100,2,0"]
    if shutil.which("wireguard-go") is not None:
        words.append("--encrypt")
    if shutil.which("slirp4netns") is not None and host_addresses()[1]:
        words.append("--internet")
    return words


def test_the_host_is_as_it_was_after_an_exit_after_a_kill_and_after_the_next_start(trace: Path) -> None:
    needs("ip")
    before = host()
    assert run(with_everything(trace)).status == 0
    assert changed(before) == {}
    words = [SKYLIFT, "exec", "any", "--replay", str(trace), *everything_on(), "--"]
    killed = subprocess.Popen([*words, "sleep", "4321.5"])
    wait_for("sleep 4321.5", there=True)
    below = descendants(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    until = time.monotonic() + 60
    while any(alive(pid) for pid in below):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert run(with_everything(trace)).status == 0
    assert changed(before) == {}


def with_everything(trace: Path) -> Wanted:
    on = everything_on()
    return Wanted(
        Followed(replay_of(trace), "any", 0),
        ("true",),
        encrypt="--encrypt" in on,
        internet="--internet" in on,
        fibre=Fibre(1e8, 2_000_000, 0.0),
    )


@pytest.fixture
def namespace() -> Iterator[str]:
    needs("ip", "ping")
    if os.geteuid() != 0:
        pytest.skip("a named namespace is made by root alone")
    name = f"skylift-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_namespace_of_others_gets_the_link_and_loses_it(namespace: str, trace: Path) -> None:
    inside = ["ip", "netns", "exec", namespace]
    before = links(namespace)
    words = [SKYLIFT, "connect", "any", "--namespace", namespace, "--replay", str(trace), "--no-encrypt"]
    linked = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert linked.stderr is not None
        assert "is behind any" in linked.stderr.readline()
        pinged = subprocess.run([*inside, "ping", "-c", "1", "198.51.100.1"], check=False)
        assert pinged.returncode == 0
    finally:
        linked.send_signal(signal.SIGINT)
        assert linked.wait(30) == 0
    assert before.split()[:2] == ["lo", "DOWN"]
    assert links(namespace) == before
    routes = subprocess.run([*inside, "ip", "route"], capture_output=True, text=True, check=True)
    assert routes.stdout == ""
    # With a way out of its own it is left alone.
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    subprocess.run([*inside, "ip", "route", "add", "default", "dev", "lo"], check=True)
    program = (
        "from skylift.adapters import packet_network\n"
        "try: packet_network._refuse_what_is_in_the_way()\n"
        "except Exception as error: print(error.rule)\n"
    )
    asked = [*inside, sys.executable, "-c", program]
    refused = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "default route" in refused.stdout


def links(namespace: str) -> str:
    """The interfaces of a namespace, and whether each is up."""
    asked = ["ip", "-n", namespace, "-br", "link"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def test_what_cannot_be_joined_is_named(tmp_path: Path) -> None:
    left_over = tmp_path / "left-over"
    left_over.touch()
    for name in (str(left_over), "/run/netns/no-such", "/proc/0/ns/net"):
        with pytest.raises(Unavailable) as told:
            join(name)
        assert "namespace" in told.value.thing
        assert "ip netns" in told.value.way_out
        early = CliRunner().invoke(app, ["connect", "any", "--namespace", name])
        assert isinstance(early.exception, Refused)
        assert "ip netns" in early.exception.way_out
    for there in (str(os.getpid()), "/proc/self/ns/net"):
        # It is the terminal that the scenario does not have.
        later = CliRunner().invoke(app, ["connect", "any", "--namespace", there])
        assert isinstance(later.exception, Refused)
        assert "terminal" in later.exception.thing
    neither = CliRunner().invoke(app, ["connect", "any"])
    assert isinstance(neither.exception, Refused)


def test_the_pop_reaches_this_machines_network_and_not_its_loopback(trace: Path, tmp_path: Path) -> None:
    needs("slirp4netns", "curl")
    out = tmp_path / "out"
    addresses, has_way_out = host_addresses()
    outer = [one for one in addresses if not one.startswith("127.")]
    if not outer or not has_way_out:
        pytest.skip("this machine has no network")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        port = server.server_address[1]
        ask = "curl -sS -o /dev/null -m 5 -w '%{http_code} %{time_total}\\n' "
        script = f"({ask} http://{outer[0]}:{port}/; {ask} http://{HOST}:{port}/) > {out}"
        followed = Followed(replay_of(trace), "any", 0)
        run(Wanted(followed, ("sh", "-c", script), internet=True))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    first, second = out.read_text(encoding="utf-8").splitlines()
    assert first.startswith("200 ")
    # Two round trips at the least.
    assert float(first.split()[1]) > 2 * 0.020
    assert second.startswith("000 ")


def test_a_pop_without_a_way_out_and_addresses_that_collide_are_named() -> None:
    if shutil.which("slirp4netns") is None:
        with pytest.raises(Unavailable, match="slirp4netns"):
            check(["192.0.2.7"], True)
        return
    check(["192.0.2.7"], True)
    with pytest.raises(Unavailable) as told:
        check(["192.0.2.7"], False)
    assert told.value.code == "packets.no_way_out"
    with pytest.raises(Unavailable) as told:
        check(["192.0.2.7", "100.127.3.4"], True)
    assert "100.127.0.0/16" in told.value.rule
    assert "100.127.3.4" not in str(told.value)


def test_what_a_machine_lacks_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    def forbidden(_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(tun.os, "open", nothing)
    with pytest.raises(Unavailable) as told:
        tun.open_tun("sky0")
    assert told.value.thing == "/dev/net/tun"
    assert "mknod" in told.value.way_out
    monkeypatch.undo()
    monkeypatch.setattr(tun, "unshare", forbidden)
    with pytest.raises(Unavailable) as told:
        tun.become_root_of_own()
    assert "user namespace" in told.value.thing
    assert "run as root" in told.value.way_out
