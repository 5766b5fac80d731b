"""The two namespaces of a run, behind the terminal and at the PoP: interfaces, addresses and routes."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from skylift.adapters import netlink, packet_internet, packet_wireguard, tun
from skylift.adapters.packet_wireguard import Tunnel
from skylift.base.errors import Refused, Unavailable

# Carrier-grade NAT's range (RFC 6598) and a unique local prefix: as customers have them, and never public.
TERMINAL4, TERMINAL6 = "100.127.0.2", "fd5c:1f70:0:1::2"
# What the PoP's own host answers to: a documentation range (RFC 5737), and a unique local address.
POP4, POP6 = "198.51.100.1", "fd5c:1f70:0:ff::1"
OWN = (f"{TERMINAL4}/32", f"{TERMINAL6}/128")
_MTU = 1500
_QUEUE_PACKETS = 10_000
# What a file of a namespace is asked for its kind (linux/nsfs.h).
_NS_GET_NSTYPE = 0xB703
_JOINABLE = "name one that is there (ip netns list), as root; one left over: ip netns delete NAME"

# Between the two ends of the tunnel, where there is one: what is encrypted travels under these.
UNDER_TERMINAL, UNDER_GATEWAY = "100.127.8.1", "100.127.9.1"
_ALL = ("0.0.0.0/0", "::/0")
_CUSTOMERS = ("100.127.0.0/16", "fd5c:1f70::/32")


@dataclass(frozen=True, slots=True)
class Stage:
    """What to set up: names of hosts for /etc/hosts, the command, and one to run at the PoP ([] for none).

    hops       how many routers there are before the PoP
    command    [] waits until it is ended, for a link that others use
    encrypt    whether WireGuard goes from the terminal to the gateway
    internet   whether the PoP reaches this machine's network
    namespace  file of a network namespace that gets the link, instead of one of our own
    interface  TUN interface of this machine that becomes the terminal's end
    offload    whether frames come as superpackets
    """

    hosts: dict[str, str]
    command: list[str]
    pop_command: list[str]
    hops: int = 0
    encrypt: bool = False
    internet: bool = False
    namespace: str = ""
    interface: str = ""
    offload: bool = True


Watched = tuple[int, Callable[[], int], int]


@dataclass(slots=True)
class Ends:
    """What was set up; this process stays in the PoP's namespaces."""

    tuns: list[int]
    terminal: int
    tunnel: Tunnel | None = None
    # Where drops count: the namespace, what tells them there, and what it told before.
    watched: list[Watched] = field(default_factory=list)
    # How the PoP reaches this machine's network; "" for not at all.
    internet: str = ""


def set_up(stage: Stage) -> Ends:
    """Both ends of the link."""
    outside = packet_internet.begin(os.getpid()) if stage.internet else None
    # Where somebody else's is joined, before we are in a user namespace that has no say there.
    attached = tun.open_tun(stage.interface, stage.offload) if stage.interface else None
    theirs = [_watched(_here(), partial(dropped_by, stage.interface))] if stage.interface else []
    joined = join(stage.namespace) if stage.namespace else None
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
        # Without a way out names are asked of the PoP, which says at once that it knows none.
        resolver = POP4 if outside is None else packet_internet.RESOLVER
        tun.cover_file("/etc/resolv.conf", f"nameserver {resolver}\noptions timeout:2 attempts:2\n")
        ends = _encrypted(stage, joined) if stage.encrypt else _plain(stage, joined, attached)
        ends.watched += theirs
        # Whoever asks for a host beyond the PoP is told at once that there is no way, not left to wait.
        _set("/proc/sys/net/ipv4/ip_forward", "1")
        _set("/proc/sys/net/ipv6/conf/all/forwarding", "1")
        if outside is not None:
            ends.internet = outside.connect((POP4, POP6, *_CUSTOMERS))
        return ends
    except OSError as error:
        raise Unavailable(
            "packets.namespace",
            "a network namespace",
            f"it cannot be made ({os.strerror(error.errno or 0)})",
            "run as root, or allow user namespaces; in a container: --cap-add NET_ADMIN,SYS_ADMIN",
        ) from None


def open_way(ends: Ends) -> None:
    """Let all that is behind the terminal into the tunnel."""
    here = _here()
    tun.set_namespace(ends.terminal, tun.CLONE_NEWNET)
    configure("wg0", (), _ALL, packet_wireguard.MTU, loopback=False)
    tun.set_namespace(here, tun.CLONE_NEWNET)
    os.close(here)


def check_namespace(namespace: str) -> None:
    """Raises Refused where a file is that of no network namespace; needs no rights."""
    try:
        file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = fcntl.ioctl(file, _NS_GET_NSTYPE) == tun.CLONE_NEWNET
        finally:
            os.close(file)
    except PermissionError:
        # It is there, and whoever joins it says what is missing.
        return
    except OSError:
        found = False
    if not found:
        raise Refused(
            "packets.join",
            f"the network namespace {namespace[:40]!r}",
            "there is none of this name" if not os.path.exists(namespace) else "the file is that of none",
            _JOINABLE,
        )


def join(namespace: str) -> int:
    """Descriptor of somebody else's network namespace, tried by going there. Raises Unavailable."""
    try:
        there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        tun.set_namespace(there, tun.CLONE_NEWNET)
        tun.set_namespace(here, tun.CLONE_NEWNET)
        os.close(here)
    except OSError as error:
        raise Unavailable(
            "packets.join",
            "the network namespace",
            f"it cannot be joined ({os.strerror(error.errno or 0)})",
            _JOINABLE,
        ) from None
    return there


def dropped(ends: Ends) -> int:
    """Frames that the system dropped on both sides, since the run began."""
    here, total = _here(), 0
    for namespace, told, before in ends.watched:
        try:
            tun.set_namespace(namespace, tun.CLONE_NEWNET)
        except OSError:
            # Somebody else's, and we are root in our own alone.
            continue
        total += told() - before
    tun.set_namespace(here, tun.CLONE_NEWNET)
    os.close(here)
    return total


def _watched(namespace: int, told: Callable[[], int]) -> Watched:
    return namespace, told, told()


def dropped_by(name: str) -> int:
    """Frames that an interface of the present namespace has dropped, either way."""
    lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()
    for line in lines:
        told, _, numbers = line.partition(":")
        if told.strip() == name:
            columns = numbers.split()
            return int(columns[3]) + int(columns[11])
    return 0


def _here() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _plain(stage: Stage, joined: int | None, attached: int | None) -> Ends:
    watched = []
    if attached is not None:
        terminal, outer = new_namespace(), attached
    else:
        terminal = _terminal(joined)
        outer = tun.open_tun("sky0", stage.offload)
        configure("sky0", (TERMINAL4, TERMINAL6), _ALL, _MTU, loopback=joined is None)
        watched.append(_watched(terminal, partial(dropped_by, "sky0")))
    at_pop = new_namespace()
    inner = tun.open_tun("pop0", stage.offload)
    # Whose addresses come in through somebody else's interface, is not for us to say.
    configure("pop0", (POP4, POP6), _CUSTOMERS if attached is None else _ALL, _MTU)
    return Ends([outer, inner], terminal, watched=[*watched, _watched(at_pop, partial(dropped_by, "pop0"))])


def _terminal(joined: int | None) -> int:
    """Go into the terminal's namespace: a new one, or somebody else's, where nothing may be in the way."""
    if joined is None:
        return new_namespace()
    tun.set_namespace(joined, tun.CLONE_NEWNET)
    _refuse_what_is_in_the_way()
    return joined


def _refuse_what_is_in_the_way() -> None:
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        taken = [str(one.get_attr("IFA_ADDRESS")) for one in ip.get_addr()]
        names = [str(one.get_attr("IFLA_IFNAME")) for one in ip.get_links()]
        defaults = list(ip.get_default_routes(family=socket.AF_INET))
    ours = ("an interface sky0 or wg0", any(name in names for name in ("sky0", "wg0")))
    address = ("an address that the terminal would have", TERMINAL4 in taken or TERMINAL6 in taken)
    way_out = ("a default route of its own", bool(defaults))
    for what, there in (ours, address, way_out):
        if there:
            raise Unavailable(
                "packets.in_the_way",
                "the network namespace",
                f"it has {what}",
                "take that away first, or join a namespace of its own: ip netns add NAME",
            )


def _encrypted(stage: Stage, joined: int | None) -> Ends:
    """The underlay has a namespace of its own at the terminal's end: there is no way round the tunnel."""
    under = new_namespace()
    outer = tun.open_tun("sky0", stage.offload)
    configure("sky0", (UNDER_TERMINAL,), (f"{UNDER_GATEWAY}/32",), _MTU)
    at_terminal = packet_wireguard.make("wg0")
    terminal = _terminal(joined)
    tun.set_namespace(under, tun.CLONE_NEWNET)
    _move("wg0", terminal)
    tun.set_namespace(terminal, tun.CLONE_NEWNET)
    # Nobody else's packets while the tunnel is measured: `open_way` lets them through.
    near = (f"{POP4}/32",)
    configure("wg0", (TERMINAL4, TERMINAL6), near, packet_wireguard.MTU, loopback=joined is None)
    ending = [] if joined is not None else _ending(stage.hops)
    at_pop = new_namespace()
    inner = tun.open_tun("pop0", stage.offload)
    configure("pop0", (UNDER_GATEWAY,), (f"{UNDER_TERMINAL}/32",), _MTU)
    at_gateway = packet_wireguard.make("wg1")
    configure("wg1", (POP4, POP6), _CUSTOMERS, packet_wireguard.MTU)
    # All of it is new: nothing has been dropped yet.
    interfaces = ((under, "sky0"), (terminal, "wg0"), (at_pop, "pop0"), (at_pop, "wg1"))
    watched: list[Watched] = [(namespace, partial(dropped_by, name), 0) for namespace, name in interfaces]
    watched += [(namespace, packet_wireguard.dropped_packets, 0) for namespace in (under, at_pop)]
    endpoints = (f"{UNDER_TERMINAL}:{packet_wireguard.PORT}", f"{UNDER_GATEWAY}:{packet_wireguard.PORT}")
    tunnel = Tunnel(at_terminal, at_gateway, endpoints)
    tunnel.renew(OWN)
    return Ends([outer, inner, *ending], terminal, tunnel, watched)


def _ending(hops: int) -> list[int]:
    """An interface for packets whose TTL ends before the PoP: they never enter the tunnel, and are answered.

    Without nft, or a kernel for it, there is none, and traceroute sees the PoP alone.
    """
    from pyroute2 import IPRoute

    mark, table = 0x5C1F, 92
    rules = (
        "table inet skylift { chain out {\n type route hook output priority mangle;\n"
        f'oifname "wg0" ip ttl <= {hops} meta mark set {mark}\n'
        f'oifname "wg0" ip6 hoplimit <= {hops} meta mark set {mark}\n}}\n}}\n'
    )
    try:
        subprocess.run(
            ["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return []
    descriptor = tun.open_tun("hops0")
    configure("hops0", (), (), packet_wireguard.MTU)
    for name in ("all", "hops0"):
        _set(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
    with IPRoute() as ip:
        interface = ip.link_lookup(ifname="hops0")[0]
        for family, route in zip((socket.AF_INET, socket.AF_INET6), _ALL, strict=True):
            ip.route("add", dst=route, oif=interface, table=table)
            ip.rule("add", family=family, fwmark=mark, table=table)
    return [descriptor]


def new_namespace() -> int:
    """Go into a new network namespace; its descriptor."""
    tun.unshare(tun.CLONE_NEWNET)
    return _here()


def _move(name: str, namespace: int) -> None:
    from pyroute2 import IPRoute

    with IPRoute() as ip:
        ip.link("set", index=ip.link_lookup(ifname=name)[0], net_ns_fd=namespace)


def configure(
    name: str, addresses: tuple[str, ...], routes: tuple[str, ...], mtu: int, loopback: bool = True
) -> None:
    """Addresses and routes of an interface in the present namespace.

    loopback  whether it is brought up too: in somebody else's namespace it stays as it is
    """
    # Duplicate address detection would hold an address back for a second, and there is nobody else.
    for setting in ("accept_dad", "disable_ipv6"):
        _set(f"/proc/sys/net/ipv6/conf/{name}/{setting}", "0")
    netlink.configure(name, addresses, routes, mtu, _QUEUE_PACKETS, loopback)


def _set(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as setting:
            setting.write(text)
    except OSError:
        # A kernel without IPv6 has none of them.
        return
