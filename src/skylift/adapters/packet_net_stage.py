"""Network namespaces of many terminals and their PoP, none of them named, and commands in them."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import quote

from skylift.adapters import tun
from skylift.adapters.packet_network import POP4, POP6, configure, new_namespace
from skylift.adapters.packet_processes import Processes, gather, unrunnable
from skylift.base.errors import Unavailable
from skylift.wire.packet.hops import Hop

# Of carrier-grade NAT's range (RFC 6598), the part that single runs do not use, and a unique local prefix.
FIRST4, FIRST6 = IPv4Address("100.96.0.2"), IPv6Address("fd5c:1f70:0:3::2")
_ALL4, _ALL6 = "100.96.0.0/12", "fd5c:1f70:0:3::/64"
# What every frame passes: the same names as a single run's, over one satellite.
HOPS = tuple(
    Hop(name, IPv4Address(f"100.127.1.{number}"), IPv6Address(f"fd5c:1f70:0:2::{number:x}"), part)
    for number, (name, part) in enumerate(
        (("satellite", 0.5), ("gateway", 1.0), ("pop-router", 1.0)), start=1
    )
)
MOST = 10_000
_MTU = 1500
# Of each terminal: its namespace, its interface, its command. Of all: what Python has open, and some room.
_DESCRIPTORS_EACH, _DESCRIPTORS = 3, 64
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Stage:
    """What was set up: interfaces and namespaces by terminal, and those of the PoP. We are in the PoP's."""

    ids: tuple[str, ...]
    tuns: tuple[int, ...]
    namespaces: tuple[int, ...]
    pop_tun: int
    pop_namespace: int
    processes: Processes

    def told(self) -> list[dict[str, str]]:
        """Each terminal's id, addresses, and the file by which others can join its namespace."""
        return [
            {
                "terminal": id,
                "address4": str(FIRST4 + number),
                "address6": str(FIRST6 + number),
                "namespace": f"/proc/{os.getpid()}/fd/{descriptor}",
            }
            for number, (id, descriptor) in enumerate(zip(self.ids, self.namespaces, strict=True))
        ]


def set_up(ids: Sequence[str]) -> Stage:
    """A namespace with an interface for each terminal, and one for the PoP. Raises Unavailable."""
    _make_room(len(ids))
    if os.geteuid() != 0:
        tun.become_root_of_own()
    try:
        tun.unshare(tun.CLONE_NEWNS)
        tun.cover_file("/etc/hosts", _hosts(ids))
        # Without a way out names are asked of the PoP, which says at once that it knows none.
        tun.cover_file("/etc/resolv.conf", f"nameserver {POP4}\noptions timeout:2 attempts:2\n")
        namespaces, tuns = [], []
        for number in range(len(ids)):
            namespaces.append(new_namespace())
            tuns.append(tun.open_tun("sky0"))
            addresses = (str(FIRST4 + number), str(FIRST6 + number))
            configure("sky0", addresses, ("0.0.0.0/0", "::/0"), _MTU)
        pop_namespace = new_namespace()
        pop_tun = tun.open_tun("pop0")
        configure("pop0", (POP4, POP6), (_ALL4, _ALL6), _MTU)
    except OSError as error:
        raise Unavailable(
            "packets.namespace",
            f"network namespaces for {len(ids)} terminals",
            f"they cannot be made ({os.strerror(error.errno or 0)})",
            "run as root, or allow user namespaces; as root: sysctl -w user.max_net_namespaces=20000",
        ) from None
    return Stage(tuple(ids), tuple(tuns), tuple(namespaces), pop_tun, pop_namespace, gather())


def _make_room(terminals: int) -> None:
    """Allow this process as many descriptors as it will need. Raises Unavailable where it may not."""
    needed = _DESCRIPTORS + _DESCRIPTORS_EACH * terminals
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Unavailable(
            "packets.descriptors",
            f"{terminals} terminals",
            f"they take {needed} open files, and this process may have {hard}",
            f"ulimit -n {needed} as root, or fewer terminals",
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _hosts(ids: Sequence[str]) -> str:
    """/etc/hosts with the PoP, and each terminal whose id can be a host's name."""
    lines = ["127.0.0.1 localhost", "::1 localhost", f"{POP4} pop", f"{POP6} pop"]
    lines += [f"{address} {hop.name}" for hop in HOPS for address in (hop.address4, hop.address6)]
    for number, id in enumerate(ids):
        if _HOST_NAME.fullmatch(id) and id.lower() not in ("localhost", "pop"):
            lines += [f"{FIRST4 + number} {id}", f"{FIRST6 + number} {id}"]
    return "\n".join(lines) + "\n"


def begin(stage: Stage, command: Sequence[str], number: int | None, folder: Path | None) -> int:
    """Run a command behind a terminal; its id is in SKYLIFT_TERMINAL and replaces {terminal}. Its pid.

    number  of the terminal; None: at the PoP
    folder    where what it says goes, into a file named for the terminal; None: where ours goes
    """
    child = os.fork()
    if child:
        return child
    terminal = "" if number is None else stage.ids[number]
    namespace = stage.pop_namespace if number is None else stage.namespaces[number]
    words = [word.replace("{terminal}", terminal) for word in command]
    try:
        tun.die_with_parent(signal.SIGKILL)
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(signal_number, signal.SIG_DFL)
        tun.set_namespace(namespace, tun.CLONE_NEWNET)
        stage.processes.enter()
        os.environ["SKYLIFT_TERMINAL"] = terminal
        if folder is not None or not terminal:
            name = os.devnull if folder is None else str(folder / f"{quote(terminal or 'pop', safe='')}.log")
            said = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(said, 1)
            if folder is not None:
                os.dup2(said, 2)
        silence = os.open(os.devnull, os.O_RDONLY)
        os.dup2(silence, 0)
        os.execvp(words[0], words)
    except OSError as error:
        sys.stderr.write(f"{words[0]}: {os.strerror(error.errno or 0)}\n")
        os._exit(unrunnable(error))
