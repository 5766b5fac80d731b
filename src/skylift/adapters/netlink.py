"""Addresses and routes of an interface, over rtnetlink (rtnetlink(7)).

pyroute2 does as much and far more; but its import takes 23 MB and half a second, and making an interface
ready three times as long, which counts where there are hundreds.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_ERROR = 2
# NLM_F_REQUEST and NLM_F_ACK; NLM_F_CREATE and NLM_F_EXCL.
_ASK, _MAKE = 0x1 | 0x4, 0x400 | 0x200
_MTU, _QUEUE = 4, 13
_ADDRESS, _LOCAL = 1, 2
_DESTINATION, _INTERFACE = 1, 4
_UP = 0x1
# The main table; made by an administrator; reached directly; to one host.
_MAIN, _STATIC, _ON_LINK, _UNICAST = 254, 4, 253, 1
_HEADER = struct.Struct("=IHHII")


def configure(
    name: str, addresses: Sequence[str], routes: Sequence[str], mtu: int, queue: int, loopback: bool
) -> None:
    """Bring up an interface of the present network namespace, and give it addresses and routes.

    addresses  of one host each, IPv4 or IPv6;  routes  networks, reached over it;  queue  frames;
    loopback  whether that is brought up as well
    Raises OSError as the kernel says.
    """
    index = socket.if_nametoindex(name)
    attributes = _attribute(_MTU, struct.pack("=I", mtu)) + _attribute(_QUEUE, struct.pack("=I", queue))
    messages = [_link(socket.if_nametoindex("lo"), b"")] if loopback else []
    messages.append(_link(index, attributes))
    for address in addresses:
        host = ip_interface(address)
        body = struct.pack("=BBBBI", _family(host.network), host.network.prefixlen, 0, 0, index)
        body += _attribute(_LOCAL, host.packed) + _attribute(_ADDRESS, host.packed)
        messages.append((_NEW_ADDRESS, _ASK | _MAKE, body))
    for route in routes:
        network = ip_network(route)
        family, length = _family(network), network.prefixlen
        scope = _ON_LINK if family == socket.AF_INET else 0
        body = struct.pack("=BBBBBBBBI", family, length, 0, 0, _MAIN, _STATIC, scope, _UNICAST, 0)
        body += _attribute(_INTERFACE, struct.pack("=I", index))
        body += _attribute(_DESTINATION, network.network_address.packed)
        messages.append((_NEW_ROUTE, _ASK | _MAKE, body))
    _say(messages)


def _link(index: int, attributes: bytes) -> tuple[int, int, bytes]:
    return _NEW_LINK, _ASK, struct.pack("=BBHiII", 0, 0, 0, index, _UP, _UP) + attributes


def _family(network: IPv4Network | IPv6Network) -> int:
    return socket.AF_INET if network.version == 4 else socket.AF_INET6


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _say(messages: Sequence[tuple[int, int, bytes]]) -> None:
    """Say all of it at once, and hear an answer to each. Raises OSError of the first that failed."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    ) as link:
        link.bind((0, 0))
        said = [
            _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body
            for number, (kind, flags, body) in enumerate(messages)
        ]
        link.send(b"".join(said))
        left = len(messages)
        while left:
            heard, at = link.recv(65_536), 0
            while at < len(heard):
                length, kind, _, number, _ = _HEADER.unpack_from(heard, at)
                code = struct.unpack_from("=i", heard, at + _HEADER.size)[0] if kind == _ERROR else 0
                if code:
                    raise OSError(-code, f"{os.strerror(-code)} (message {number})")
                left -= kind == _ERROR
                at += (length + 3) & ~3
