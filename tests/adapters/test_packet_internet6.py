"""The PoP's way out by IPv6, from a network that stands in for this machine's, which may have none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

NETWORK = """
ip link set lo up
ip link add near0 type veth peer name far0 && ip link set near0 up && ip link set far0 up
ip addr add 192.0.2.9/24 dev near0 && ip route add default via 192.0.2.1
ip -6 addr add 2001:db8::9/64 dev near0 nodad && ip -6 route add default via 2001:db8::1
exec "$@"
"""
RUN = """
import http.server, socket, sys, threading
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
    piece = (0, 15_000_000_000, 10_000_000, 10_000_000, 1e8, 0.0, True)
    slot = TracedSlot(0, 15_000_000, "", 20.0, 0.0, ((piece,), (piece,)))
    ask = "curl -gsS -o /dev/null -w '%{http_code} %{time_total}\\n' http://"
    hosts = [("[2001:db8::9]", 8), ("[fd00::2]", 2), ("192.0.2.9", 8)]
    words = ";".join(f"{ask}{host}:{server.server_port}/ -m {patience_s}" for host, patience_s in hosts)
    run(Wanted(Followed(Replay((slot,)), "any", 0), ("sh", "-c", words), internet=True))
"""


def test_the_internet_is_reached_by_both_versions_and_loopback_by_none() -> None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here")
    for program in ("slirp4netns", "nft", "curl", "unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    words = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    done = subprocess.run(
        [*words, "sh", "-ec", NETWORK, "sh", sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answers = [line.split() for line in done.stdout.splitlines()]
    assert [code for code, _ in answers] == ["200", "000", "200"], done.stdout + done.stderr
    # Two round trips at the least.
    assert all(float(seconds) > 2 * 0.020 for code, seconds in answers if code == "200")
