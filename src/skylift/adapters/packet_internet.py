"""The PoP's way out into this machine's network: by slirp4netns, without a rule on the host.

slirp4netns is a TCP/IP stack in a program: it takes packets from an interface in the PoP's namespace and
opens ordinary connections of this machine for them. Routes, firewall and settings of the host stay untouched,
and when it ends, also by a kill, nothing is left. The host's own loopback is not reached.

It takes 64 kB of a connection at a time, so customers' TCP ends at the PoP (adapters/packet_relay.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from skylift.adapters import packet_relay, tun
from skylift.base.errors import Unavailable

_PROGRAM = "slirp4netns"
_INTERFACE = "host0"
# Its own, in a network that the PoP alone sees.
RESOLVER = "10.0.2.3"
# What it would take for this machine's loopback, if it were let.
HOST = "10.0.2.2"
# Its network of IPv6 cannot be chosen: its router there, and what the PoP takes.
_NETWORK6, _ROUTER6, _POP6 = "fd00::/64", "fd00::2", "fd00::100"
# Nothing of it goes over the link: the larger its packets, the fewer.
_MTU = 65_520
_WITHIN_S = 10.0
# What the run itself uses; hosts of this machine's network under these could not be reached.
_OURS = ("100.127.0.0/16", "198.51.100.0/24", "10.0.2.0/24")


@dataclass(slots=True)
class Outside:
    """A process that waits on the host's side of the namespaces until the PoP's is there."""

    go: int
    ready: int
    sixth: bool

    def connect(self, own: tuple[str, ...]) -> str:
        """Give the PoP, whose namespace we are in, its way out: what it is. Raises Unavailable.

        own  the PoP's addresses, and the networks of its customers
        """
        with contextlib.suppress(OSError):
            # Its address of the link would be tried for two seconds first.
            Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0", encoding="ascii")
        os.write(self.go, b"g")
        readable, _, _ = select.select([self.ready], [], [], _WITHIN_S)
        if not readable or os.read(self.ready, 1) != b"1":
            raise Unavailable(
                "packets.internet_start",
                _PROGRAM,
                "it does not start",
                "try it by hand, or leave --internet out",
            )
        for file, text in (
            # It asks who has a customer's address, and the PoP answers for all of them.
            (f"/proc/sys/net/ipv4/conf/{_INTERFACE}/proxy_arp", "1"),
            # At once: by default such answers wait up to 0.8 s, for somebody nearer.
            (f"/proc/sys/net/ipv4/neigh/{_INTERFACE}/proxy_delay", "0"),
        ):
            with contextlib.suppress(OSError):
                Path(file).write_text(text, encoding="ascii")
        families = [socket.AF_INET, *([socket.AF_INET6] if self.sixth and _configure_sixth() else [])]
        not_beyond = {
            family: ", ".join(one for one in own if (":" in one) is (family == socket.AF_INET6))
            for family in families
        }
        if packet_relay.begin(_INTERFACE, not_beyond):
            return f"{_PROGRAM}, TCP ends at the PoP"
        sys.stderr.write(
            "--internet without nft: of each connection 64 kB are on the way, 12 Mbit/s at 40 ms "
            "(as root: apt-get install nftables)\n"
        )
        return _PROGRAM


def _configure_sixth() -> bool:
    """IPv6 of the PoP's way out. slirp4netns sends nothing to customers' addresses, so they share the PoP's.

    Without nft, or a kernel for it, there is none: whoever asks is told so at once.
    """
    from pyroute2 import IPRoute

    shared = (
        "table ip6 skylift { chain out {\n type nat hook postrouting priority srcnat;\n"
        f'oifname "{_INTERFACE}" masquerade\n}}\n}}\n'
    )
    try:
        subprocess.run(
            ["nft", "-f", "-"], input=shared, text=True, check=True, capture_output=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return False
    with IPRoute() as ip:
        interface = ip.link_lookup(ifname=_INTERFACE)[0]
        ip.addr("add", index=interface, address=_POP6, prefixlen=64)
        ip.route("add", dst="::/0", gateway=_ROUTER6, oif=interface)
    return True


def check(addresses: list[str], has_way_out: bool) -> None:
    """Raise Unavailable where this machine has no way out, or addresses that the run uses."""
    if shutil.which(_PROGRAM) is None:
        raise Unavailable(
            "packets.internet", "--internet", f"it takes {_PROGRAM}", f"as root: apt-get install {_PROGRAM}"
        )
    if not has_way_out:
        raise Unavailable(
            "packets.no_way_out",
            "the PoP",
            "this machine has no default route, so the PoP has no way out",
            "connect this machine, or leave --internet out",
        )
    networks = [ipaddress.ip_network(one) for one in _OURS]
    for address in addresses:
        within = [str(one) for one in networks if ipaddress.ip_address(address) in one]
        if within:
            raise Unavailable(
                "packets.addresses",
                "an address of this machine",
                f"it lies in {within[0]}, which the run uses itself",
                "leave --internet out, or run where that network is not",
            )


def host_addresses() -> tuple[list[str], bool]:
    """(this machine's IPv4 addresses, whether it has a default route)."""
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        addresses = [str(one.get_attr("IFA_ADDRESS")) for one in ip.get_addr(family=2)]
        return addresses, bool(list(ip.get_default_routes(family=2)))


def has_sixth() -> bool:
    """Whether this machine has a way out by IPv6, and no address where slirp4netns would have its own."""
    from pyroute2 import IPRoute

    taken = ipaddress.ip_network(_NETWORK6)
    with IPRoute() as ip:
        addresses = [ipaddress.ip_address(str(one.get_attr("IFA_ADDRESS"))) for one in ip.get_addr(family=10)]
        ways_out = list(ip.get_default_routes(family=10))
    return bool(ways_out) and not any(address in taken for address in addresses)


def begin(pop_process: int) -> Outside:
    """Leave a process behind on the host's side, before there are namespaces."""
    sixth = has_sixth()
    wait, go = os.pipe()
    ready, told = os.pipe()
    os.set_inheritable(told, True)
    if os.fork():
        os.close(wait)
        os.close(told)
        return Outside(go, ready, sixth)
    os.close(go)
    try:
        tun.die_with_parent(signal.SIGKILL)
        os.setsid()
        if os.read(wait, 1) != b"g":
            os._exit(1)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        words = ["--configure", f"--mtu={_MTU}", "--disable-host-loopback", f"--ready-fd={told}"]
        words += ["--enable-ipv6"] if sixth else []
        os.execvp(_PROGRAM, [_PROGRAM, *words, str(pop_process), _INTERFACE])
    except OSError:
        os._exit(127)
