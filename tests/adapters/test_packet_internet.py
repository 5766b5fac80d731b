"""The PoP's way out: what is reached by it, and how fast; a network stands in for this machine's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.packet_runs import needs
from tests.trusted import tried

RATE_BPS = 100e6
# A host with both versions of IP, and one beyond it, whose namespace is that of process $FAR.
NETWORK = """
ip link set lo up
unshare --net sleep 300 & FAR=$!
trap "kill $FAR" EXIT
while [ $(readlink /proc/$FAR/ns/net) = $(readlink /proc/self/ns/net) ]; do sleep 0.01; done
ip link add near0 type veth peer name far0 netns $FAR && ip link set near0 up
ip addr add 192.0.2.9/24 dev near0 && ip -6 addr add 2001:db8::9/64 dev near0 nodad
nsenter --net=/proc/$FAR/ns/net sh -c "ip link set lo up; ip link set far0 up;
 ip addr add 192.0.2.1/24 dev far0; ip -6 addr add 2001:db8::1/64 dev far0 nodad"
ip route add default via 192.0.2.1 && ip -6 route add default via 2001:db8::1
export FAR
"$@"
"""
RUN = """
import http.server, json, os, socket, subprocess, sys, threading
from skylift.adapters.packet_link import Followed
from skylift.adapters.packet_replay import Replay
from skylift.adapters.packet_run import run
from skylift.adapters.packet_wanted import Wanted
from skylift.wire.packet.trace import TracedSlot

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

if __name__ == "__main__":
    server = Server(("::", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    beyond = ["nsenter", f"--net=/proc/{os.environ['FAR']}/ns/net", "iperf3", "-s"]
    iperf = subprocess.Popen(beyond, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    piece = (0, 60_000_000_000, 5_000_000, 5_000_000, RATE_BPS, 0.0, True)
    slot = TracedSlot(0, 60_000_000, "", 10.0, 0.0, ((piece,), (piece,)))
    command = sys.argv[1].replace("PORT", str(server.server_port))
    outcome = run(Wanted(Followed(Replay((slot,)), "any", 0), ("sh", "-c", command), internet=True))
    iperf.kill()
    print(json.dumps(outcome.report))
""".replace("RATE_BPS", str(RATE_BPS))


def behind(command: str, folder: Path | None = None) -> tuple[list[str], dict[str, Any], str]:
    """(lines that a command behind the terminal said, report, what was said beside it).

    folder  of programs that go before others
    """
    needs("slirp4netns", "nft", "curl", "iperf3", "unshare", "nsenter", "ip")
    words = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    path = os.environ["PATH"] if folder is None else f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(
        [*words, "sh", "-ec", NETWORK, "sh", sys.executable, "-c", RUN, command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, report = done.stdout.splitlines()
    return lines, json.loads(report), done.stderr


def asked(*hosts: str, patience_s: int = 8) -> str:
    """Ask each host for a page: a line with the answer's code and how long it took."""
    ask = f"curl -gsS -m {patience_s} -o /dev/null -w '%{{http_code}} %{{time_total}}\\n' http://"
    return ";".join(f"{ask}{host}:PORT/" for host in hosts)


def test_the_internet_is_reached_by_both_versions_and_loopback_by_none() -> None:
    lines, report, told = behind(asked("[2001:db8::9]", "192.0.2.9", "[fd00::2]", "10.0.2.2"))
    answers = [line.split() for line in lines]
    assert [code for code, _ in answers] == ["200", "200", "000", "000"], lines
    # Two round trips at the least.
    assert all(float(seconds) > 2 * 0.010 for code, seconds in answers if code == "200")
    assert report["internet"] == "slirp4netns, TCP ends at the PoP"
    assert "--internet" not in told


def test_a_download_and_an_upload_are_as_fast_as_the_link(tmp_path: Path) -> None:
    ways = {way: tmp_path / f"told{way}" for way in ("", "-R")}
    # More than the link holds, which is 125 kB, and less than its queue, so that none is lost.
    once = "iperf3 -J -c 192.0.2.1 -C cubic -w 400K -O 1 -t 1 {} > {}"
    command = "; ".join(once.format(way, told) for way, told in ways.items())
    tried(lambda: behind(command), lambda said: said[1]).trusted()
    # Of 1,500 bytes 52 are headers.
    ceiling_bps = RATE_BPS * 1448 / 1500
    for told in ways.values():
        seen_bps = json.loads(told.read_text(encoding="utf-8"))["end"]["sum_received"]["bits_per_second"]
        # What was on its way between the PoP and the host when counting began comes on top.
        assert 0.93 * ceiling_bps < seen_bps < 1.07 * ceiling_bps


def test_without_nft_the_internet_is_reached_and_it_is_said_what_that_costs(tmp_path: Path) -> None:
    nft = tmp_path / "nft"
    nft.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    nft.chmod(0o755)
    lines, report, told = behind(asked("192.0.2.9"), tmp_path)
    assert [line.split()[0] for line in lines] == ["200"]
    assert report["internet"] == "slirp4netns"
    assert "64 kB" in told
