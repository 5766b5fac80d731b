"""A run of real packets: the namespaces' process, the sky's, and the loop between them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from skylift.adapters.packet_link import begin_sky, first_slot
from skylift.adapters.packet_loop import Loop
from skylift.adapters.packet_network import POP4, POP6
from skylift.adapters.packet_sky import LinkSlot
from skylift.adapters.packet_tunnel import carry
from skylift.adapters.packet_wanted import Outcome, Wanted
from skylift.base.errors import SkyliftError, Unavailable
from skylift.wire.packet.hops import Hop


def run(wanted: Wanted, ready: Callable[[], None] = lambda: None) -> Outcome:
    """Run a command behind a terminal until it ends. Raises Refused or Unavailable before it begins.

    ready  called when packets go through
    """
    with ExitStack() as stack:
        sky = begin_sky(stack, wanted.followed)
        first = first_slot(sky, wanted.followed.say)
        hosts = _hosts(first, wanted)
        stage, channel = _begin_stage(stack, wanted, hosts)
        said, tuns = _handed_over(channel, stage)
        for descriptor in tuns:
            stack.callback(os.close, descriptor)
        rest_ns = [0, 0]
        if said["encrypted"] is not None:
            carry(tuns, channel)
            rest_ns = json.loads(_line(channel, stage))
        said["tunnel_ms"] = round(sum(rest_ns) / 1e6, 3) if said["encrypted"] else None
        loop = Loop(wanted, (sky, channel), tuns, first, hosts, rest_ns)
        stack.callback(loop.close)
        channel.sendall(b"g")
        ready()
        status = loop.until_ends(stage)
        report = {**loop.report(), **said}
        return Outcome(status, report, loop.began_ns)


def _hosts(first: LinkSlot, wanted: Wanted) -> list[Hop]:
    """The routers on the way, and behind them (part above 1) the hosts that have a name."""
    whole = max(1.0, first.up_us[0]) if first.up else 1.0
    # Where on the way they lie changes with every slot; for traceroute the first slot's is near enough.
    satellites = max(1, first.satellites)
    names = [f"satellite-{number + 1}" for number in range(satellites)] if satellites > 1 else ["satellite"]
    hops = []
    for number, name in enumerate([*names, "gateway", "pop-router"]):
        part = min(1.0, (number + 1) / (satellites + 1)) if whole else 1.0
        hops.append(
            Hop(
                name,
                IPv4Address(f"100.127.1.{number + 1}"),
                IPv6Address(f"fd5c:1f70:0:2::{number + 1:x}"),
                part,
            )
        )
    return hops


def _begin_stage(
    stack: ExitStack, wanted: Wanted, hops: Sequence[Hop]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    stage = subprocess.Popen(
        [sys.executable, "-m", "skylift.adapters.packet_stage", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
    )
    stack.callback(stage.wait)
    stack.callback(stage.kill)
    theirs.close()
    hosts = {str(address): hop.name for hop in hops for address in (hop.address4, hop.address6)}
    hosts |= dict.fromkeys((POP4, POP6), "pop")
    document = {
        "hosts": hosts,
        "command": list(wanted.command),
        "pop_command": list(wanted.pop_command),
        "hops": len(hops),
        "encrypt": wanted.encrypt,
        "internet": wanted.internet,
        "namespace": wanted.join.namespace,
        "interface": wanted.join.interface,
        "offload": wanted.offload,
    }
    ours.sendall(json.dumps(document).encode() + b"\n")
    return stage, ours


def _handed_over(channel: socket.socket, stage: subprocess.Popen[bytes]) -> tuple[dict[str, Any], list[int]]:
    """What the stage says, and the two interfaces. Raises what it says went wrong."""
    said = json.loads(_line(channel, stage))
    if "error" in said:
        error: SkyliftError = Unavailable(**said["error"])
        raise error
    _, descriptors, _, _ = socket.recv_fds(channel, 16, 3)
    return said, list(descriptors)


def _line(channel: socket.socket, stage: subprocess.Popen[bytes]) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        part = channel.recv(1)
        if not part:
            raise Unavailable(
                "packets.stage", "the namespaces", f"their process ended ({stage.wait()})", "see above"
            )
        text += part
    return text
