"""The process that holds the two namespaces of a run: behind the terminal, and at the PoP.

It is begun by adapters/packet_run.py with one end of a socket. It makes both namespaces with an interface
each, hands the interfaces over, and runs the user's command behind the terminal. Namespaces have no names:
they end with this process, and this process ends with the one that began it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from skylift.adapters import tun
from skylift.base.errors import SkyliftError, Unavailable

# Carrier-grade NAT's range (RFC 6598) and a unique local prefix: as customers have them, and never public.
TERMINAL4, TERMINAL6 = "100.127.0.2", "fd5c:1f70:0:1::2"
# What the PoP's own host answers to: a documentation range (RFC 5737), and a unique local address.
POP4, POP6 = "198.51.100.1", "fd5c:1f70:0:ff::1"
_MTU = 1500
_QUEUE_PACKETS = 10_000
_WIDEST = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Stage:
    """What to set up: names of hosts for /etc/hosts, the command, and one to run at the PoP ([] for none)."""

    hosts: dict[str, str]
    command: list[str]
    pop_command: list[str]


def main(channel: socket.socket) -> int:
    """Set up, hand over, wait for the word, run. Returns the command's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tun.die_with_parent(signal.SIGKILL)
    stage = Stage(**_receive(channel))
    try:
        tuns, terminal = _set_up(stage)
    except SkyliftError as error:
        channel.sendall(json.dumps({"error": error.as_dict()["error"]}).encode() + b"\n")
        return 1
    channel.sendall(json.dumps({"ready": True}).encode() + b"\n")
    socket.send_fds(channel, [b"tuns"], tuns)
    if channel.recv(1) != b"g":
        return 1
    at_pop = _begin(stage.pop_command, None) if stage.pop_command else None
    behind = _begin(stage.command, terminal)
    _, status = os.waitpid(behind, 0)
    if at_pop is not None:
        os.kill(at_pop, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _receive(channel: socket.socket) -> Any:
    text = b""
    while not text.endswith(b"\n"):
        part = channel.recv(65_536)
        if not part:
            raise SystemExit(1)
        text += part
    return json.loads(text)


def _set_up(stage: Stage) -> tuple[list[int], int]:
    """([terminal's TUN, PoP's TUN], descriptor of the terminal's network namespace); we stay in the PoP's."""
    if os.geteuid() != 0:
        tun.become_root_of_own()
    try:
        tun.unshare(tun.CLONE_NEWNS)
        lines = [
            "127.0.0.1 localhost",
            "::1 localhost",
            *(f"{address} {name}" for address, name in stage.hosts.items()),
        ]
        tun.cover_file("/etc/hosts", "\n".join(lines) + "\n")
        tun.unshare(tun.CLONE_NEWNET)
        outer = _interface("sky0", (TERMINAL4, TERMINAL6), ("0.0.0.0/0", "::/0"))
        terminal = os.open("/proc/self/ns/net", os.O_RDONLY)
        tun.unshare(tun.CLONE_NEWNET)
        inner = _interface("pop0", (POP4, POP6), ("100.64.0.0/10", "fd5c:1f70::/32"))
    except OSError as error:
        raise Unavailable(
            "packets.namespace",
            "a network namespace",
            f"it cannot be made ({os.strerror(error.errno or 0)})",
            "run as root, or allow user namespaces; in a container: --cap-add NET_ADMIN,SYS_ADMIN",
        ) from None
    return [outer, inner], terminal


def _interface(name: str, addresses: tuple[str, str], routes: tuple[str, str]) -> int:
    """A TUN interface with its addresses and routes, in the present namespace."""
    from pyroute2 import IPRoute

    descriptor = tun.open_tun(name)
    # Duplicate address detection would hold an address back for a second, and there is nobody else.
    for setting in ("accept_dad", "disable_ipv6"):
        _set(f"/proc/sys/net/ipv6/conf/{name}/{setting}", "0")
    with IPRoute() as ip:
        loopback, interface = ip.link_lookup(ifname="lo")[0], ip.link_lookup(ifname=name)[0]
        ip.link("set", index=loopback, state="up")
        ip.link("set", index=interface, mtu=_MTU, txqlen=_QUEUE_PACKETS, state="up")
        for address, length in zip(addresses, (32, 128), strict=True):
            ip.addr("add", index=interface, address=address, prefixlen=length)
        for route in routes:
            ip.route("add", dst=route, oif=interface)
    return descriptor


def _set(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as setting:
            setting.write(text)
    except OSError:
        # A kernel without IPv6 has none of them.
        return


def _begin(command: list[str], namespace: int | None) -> int:
    """Run a command, behind the terminal or here; returns its process id."""
    child = os.fork()
    if child:
        return child
    try:
        tun.die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        if namespace is not None:
            tun.set_namespace(namespace, tun.CLONE_NEWNET)
        else:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1):
                os.dup2(silence, stream)
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {os.strerror(error.errno or 0)}\n")
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
