"""wireguard-go as it is set up here: what it holds when much comes at once, and what it drops is counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

BURST, FLOOD = 1_500, 10_000

# The gateway's wireguard-go is stopped, so that what comes stays at its socket.
STOPPED = """
import json, os, signal, socket, sys
from skylift.adapters import tun
from skylift.adapters.packet_network import UNDER_GATEWAY, Stage, dropped, open_way, set_up
from skylift.adapters.packet_wireguard import PORT

ends = set_up(Stage({}, [], [], encrypt=True))
told = {"kind": ends.tunnel.kind, "dropped": [], "ways": []}
at_pop = os.open("/proc/self/ns/net", os.O_RDONLY)
for then in (open_way, lambda _: None):
    tun.set_namespace(ends.terminal, tun.CLONE_NEWNET)
    routes = [line.split() for line in open("/proc/self/net/route")]
    told["ways"].append(sorted(words[1] for words in routes if words[0] == "wg0"))
    tun.set_namespace(at_pop, tun.CLONE_NEWNET)
    then(ends)
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


@pytest.fixture(scope="module")
def set_up() -> dict[str, Any]:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here")
    if shutil.which("wireguard-go") is None:
        pytest.skip("wireguard-go is not installed")
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(BURST), str(FLOOD)],
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_until_the_tunnel_is_measured_nothing_but_the_pop_is_reached_through_it(
    set_up: dict[str, Any],
) -> None:
    """Who joined the link would be served without its delay, and a barred one at all."""
    before, after = set_up["ways"]
    assert before == ["016433C6"]
    assert after == ["00000000", "016433C6"]


def test_a_burst_that_comes_while_the_gateway_waits_is_held_and_what_is_not_is_counted(
    set_up: dict[str, Any],
) -> None:
    """By itself the system holds 92 packets of 1,480 bytes."""
    if set_up["kind"] != "wireguard-go":
        pytest.skip("this kernel has WireGuard itself")
    held, flooded = set_up["dropped"]
    assert held == 0
    assert FLOOD // 2 < flooded < FLOOD
