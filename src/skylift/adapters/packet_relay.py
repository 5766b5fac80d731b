"""TCP of customers ends at the PoP and goes on from there, so that each side has windows and pace of its own.

The way out of the PoP (adapters/packet_internet.py) takes 64 kB of a connection at a time. Over the link that
would be 12 Mbit/s where a round trip takes 40 ms; from the PoP it is no distance. Over the link the kernel's
TCP of both namespaces talks, as it does to the PoP's own host.

A connection is up when the PoP has answered; where the host beyond refuses, it is reset right after.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess

from skylift.adapters import tun

_PORT = 18_080
# linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h: where a redirected connection was to go.
_ORIGINAL_DST = 80
_FAMILIES = {socket.AF_INET: ("ip", socket.SOL_IP, 16), socket.AF_INET6: ("ip6", socket.IPPROTO_IPV6, 28)}
_AT_ONCE = 1 << 18


def begin(outward: str, not_beyond: dict[socket.AddressFamily, str]) -> bool:
    """A process that carries TCP on, in the network namespace that we are in; false where it cannot be.

    outward     interface that leads out of the PoP
    not_beyond  networks of this side, whose connections stay whole; each version of IP named is carried on
    """
    rules = "".join(
        f"table {_FAMILIES[family][0]} skylift-relay {{ chain in {{\n"
        " type nat hook prerouting priority dstnat;\n"
        f'iifname != "{outward}" {_FAMILIES[family][0]} daddr != {{ {networks} }} meta l4proto tcp '
        f"redirect to :{_PORT}\n}}\n}}\n"
        for family, networks in not_beyond.items()
    )
    try:
        subprocess.run(
            ["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True, timeout=10
        )
        listening = [socket.create_server(("", _PORT), family=family) for family in not_beyond]
    except (OSError, subprocess.SubprocessError):
        return False
    if os.fork() == 0:
        try:
            tun.die_with_parent(signal.SIGKILL)
            # Ctrl-C is for the command.
            os.setsid()
            asyncio.run(_serve(listening))
        finally:
            os._exit(1)
    for one in listening:
        one.close()
    return True


async def _serve(listening: list[socket.socket]) -> None:
    servers = [await asyncio.start_server(_carry_on, sock=one, limit=_AT_ONCE) for one in listening]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _carry_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One customer's connection."""
    near: socket.socket = writer.get_extra_info("socket")
    far: asyncio.StreamWriter | None = None
    try:
        far_reader, far = await asyncio.open_connection(*_meant(near), limit=_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(reader, far))
            group.create_task(_pass_on(far_reader, writer))
    except (OSError, ExceptionGroup):
        # No answer, or one end is gone: the other is told so by a reset.
        for end in (writer, far):
            if end is not None:
                with contextlib.suppress(OSError):
                    reset = struct.pack("ii", 1, 0)
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    finally:
        for end in (writer, far):
            if end is not None:
                end.close()


def _meant(near: socket.socket) -> tuple[str, int]:
    """The host and port that a connection was meant for. Raises OSError where it was meant for us."""
    _, level, length = _FAMILIES[near.family]
    told = near.getsockopt(level, _ORIGINAL_DST, length)
    (port,) = struct.unpack_from("!H", told, 2)
    address = told[4:8] if near.family == socket.AF_INET else told[8:24]
    meant = socket.inet_ntop(near.family, address), port
    if meant == near.getsockname()[:2]:
        raise ConnectionRefusedError
    return meant


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until it ends."""
    while data := await reader.read(_AT_ONCE):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
