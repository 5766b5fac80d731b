"""wireguard-go as it is set up here: what it holds when much comes at once, and what it drops is counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

# The gateway's wireguard-go is stopped, so that what comes stays at its socket.
STOPPED = """
import json, os, signal, socket, sys
from skylift.adapters.packet_network import UNDER_GATEWAY, Stage, dropped, set_up
from skylift.adapters.packet_wireguard import PORT

ends = set_up(Stage({}, [], [], encrypt=True))
told = {"kind": ends.tunnel.kind, "dropped": []}
if told["kind"] == "wireguard-go":
    os.kill(ends.tunnel._gateway._pid, signal.SIGSTOP)
    sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for count in map(int, sys.argv[1:]):
        for _ in range(count):
            sending.sendto(bytes(1_452), (UNDER_GATEWAY, PORT))
        told["dropped"].append(dropped(ends))
    ends.tunnel.close()
print(json.dumps(told))
"""


def test_a_burst_that_comes_while_the_gateway_waits_is_held_and_what_is_not_is_counted() -> None:
    """By itself the system holds 92 packets of 1,480 bytes, twice as many for everybody who asks."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here")
    if shutil.which("wireguard-go") is None:
        pytest.skip("wireguard-go is not installed")
    burst, flood = (1_500 if os.geteuid() == 0 else 150), 10_000
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(burst), str(flood)],
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    if told["kind"] != "wireguard-go":
        pytest.skip("this kernel has WireGuard itself")
    held, flooded = told["dropped"]
    assert held == 0
    assert flood // 2 < flooded < flood
