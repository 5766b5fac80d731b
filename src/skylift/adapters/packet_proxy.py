"""A proxy whose byte streams take the terminal's delay, rate, loss and gaps: no rights, on any system.

SOCKS 5 (RFC 1928, CONNECT without a login) and HTTP (CONNECT, and requests for http:// addresses), on one
port of loopback. Connections come out on this machine's own network, as they would at the PoP; names are
looked up there, which takes a round trip, and so does a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from skylift.adapters.packet_link import Followed, LinkCourses, begin_sky, first_slot
from skylift.adapters.packet_sky import LinkSlot
from skylift.base.errors import Unavailable
from skylift.base.randomness import random_stream
from skylift.wire.packet.pipe import Counters, Lateness
from skylift.wire.packet.report import Kept
from skylift.wire.packet.stream import FIRST_RETRY_NS, RETRY_NS, StreamLine

# So much of one stream may be on its way: what 400 Mbit/s carry in 160 ms.
_IN_FLIGHT = 8_000_000
_HEAD_BYTES = 65_536
_HEAD_WITHIN_S = 30.0
# A connection through a link that stays down is given up after as long as browsers wait.
_CONNECT_WITHIN_S = 30.0
_MOST_CONNECTIONS = 512
# The other end of the link, by the name that it has behind `skylift exec`.
_POP = {"pop": "127.0.0.1"}
_UP, _DOWN = 0, 1


class _Refusal(Exception):
    """What the client is answered instead: SOCKS's reply, HTTP's status."""

    def __init__(self, socks: int, http: str) -> None:
        super().__init__(http)
        self.socks, self.http = socks, http


class Proxy:
    """One terminal's link for streams."""

    def __init__(self, followed: Followed, first: LinkSlot) -> None:
        self.link = LinkCourses(followed)
        self.link.learn(first)
        courses = self.link.courses
        self._lines = tuple(
            StreamLine(courses[side], courses[1 - side], random_stream(followed.seed, f"streams/{name}"))
            for side, name in ((_UP, "up"), (_DOWN, "down"))
        )
        self._counted = [Counters(), Counters()]
        self._lateness = Lateness()
        self._open = 0

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, from its first byte on."""
        self._open += 1
        far: asyncio.StreamWriter | None = None
        try:
            if self._open > _MOST_CONNECTIONS:
                return
            far_reader, far, first = await self._begin(reader, writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(_UP, reader, far, first))
                group.create_task(self._carry(_DOWN, far_reader, writer, b""))
        except (OSError, EOFError, TimeoutError, ExceptionGroup):
            # Either end has gone: so does the other.
            pass
        finally:
            self._open -= 1
            for end in (writer, far):
                if end is not None:
                    end.close()

    async def _begin(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """The connection at the other end, and what is to be sent there first."""
        async with asyncio.timeout(_HEAD_WITHIN_S):
            version = await reader.readexactly(1)
            if version == b"\x04":
                # SOCKS 4: no, rather than silence.
                writer.write(struct.pack(">BBHI", 0, 91, 0, 0))
                await writer.drain()
                raise EOFError
            socks = version == b"\x05"
            asked = await (_socks_asked(reader, writer) if socks else _http_asked(reader, version))
        try:
            if isinstance(asked, _Refusal):
                raise asked
            host, port, first, answer = asked
            far_reader, far = await self._connect(host, port)
        except _Refusal as refusal:
            if socks:
                writer.write(struct.pack(">BBBBIH", 5, refusal.socks, 0, 1, 0, 0))
            else:
                body = f"skylift: {refusal.http}\n"
                writer.write(
                    f"HTTP/1.1 {refusal.http}\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
            await writer.drain()
            raise EOFError from None
        writer.write(answer)
        return far_reader, far, first

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                if not _is_address(host) and host not in _POP:
                    await self._round_trip()
                await self._one_way(_UP)
                ends = await asyncio.open_connection(_POP.get(host, host), port)
                await self._one_way(_DOWN)
                return ends
        except TimeoutError:
            raise _Refusal(3, "504 The link was down, or nobody answered") from None
        except ConnectionRefusedError:
            await self._one_way(_DOWN)
            raise _Refusal(5, "502 The other end refuses the connection") from None
        except (OSError, UnicodeError):
            raise _Refusal(4, "502 There is no such host, or no way to it") from None

    async def _round_trip(self) -> None:
        await self._one_way(_UP)
        await self._one_way(_DOWN)

    async def _one_way(self, side: int) -> None:
        wait_ns = FIRST_RETRY_NS
        while (due_ns := self._lines[side].control(time.monotonic_ns())) is None:
            await asyncio.sleep(wait_ns / 1e9)
            wait_ns *= 2
        await _until(due_ns)

    async def _carry(
        self, side: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes
    ) -> None:
        """One direction of one stream until it ends."""
        flow = _Flow()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(self._lines[side], reader, flow, first))
            group.create_task(self._write(writer, flow))

    async def _read(self, line: StreamLine, reader: asyncio.StreamReader, flow: _Flow, data: bytes) -> None:
        while True:
            if not data:
                while wait_ns := line.wait_ns(time.monotonic_ns()):
                    await asyncio.sleep(wait_ns / 1e9)
                data = await reader.read(line.chunk_bytes(time.monotonic_ns()))
            while (due_ns := line.send(len(data), time.monotonic_ns())) is None:
                await asyncio.sleep(RETRY_NS / 1e9)
            await flow.put(due_ns, data)
            if not data:
                return
            data = b""

    async def _write(self, writer: asyncio.StreamWriter, flow: _Flow) -> None:
        while True:
            due_ns, data = await flow.get()
            await _until(due_ns)
            self._lateness.note(time.monotonic_ns() - due_ns)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    def count(self) -> None:
        """Book what the lines did since the last time under the slot under way."""
        _, seen = self.link.under_way(time.monotonic_ns())
        for side, line in enumerate(self._lines):
            seen.count(side, self._counted[side], line.counters)
            self._counted[side] = replace(line.counters)

    def report(self) -> dict[str, Any]:
        """The run as a document, as that of packets; a stream's transit holds its losses' round trips."""
        self.count()
        kept = Kept(self._lateness.percentile_us(50), self._lateness.percentile_us(99), 0, False)
        slots = [seen.as_dict() for seen in self.link.begun(time.monotonic_ns())]
        return {**kept.as_dict(), "slots": slots}


class _Flow:
    """What is on its way in one direction of one stream."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._last_ns = 0
        self._more, self._less = asyncio.Event(), asyncio.Event()

    async def put(self, due_ns: int, data: bytes) -> None:
        while self._bytes > _IN_FLIGHT:
            self._less.clear()
            await self._less.wait()
        # Nothing in a stream overtakes.
        self._last_ns = max(due_ns, self._last_ns)
        self._waiting.append((self._last_ns, data))
        self._bytes += len(data)
        self._more.set()

    async def get(self) -> tuple[int, bytes]:
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        due_ns, data = self._waiting.popleft()
        self._bytes -= len(data)
        self._less.set()
        return due_ns, data


def run_proxy(followed: Followed, host: str, port: int, ready: Callable[[int], None]) -> dict[str, Any]:
    """Serve until Ctrl-C; returns the report. `ready` is told the port. Raises before it begins."""
    with ExitStack() as stack:
        sky = begin_sky(stack, followed)
        first = first_slot(sky, followed.say)
        proxy = Proxy(followed, first)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(proxy, sky, host, port, ready))
        proxy.link.close()
        return proxy.report()


async def _serve(proxy: Proxy, sky: Connection, host: str, port: int, ready: Callable[[int], None]) -> None:
    try:
        server = await asyncio.start_server(proxy.serve_one, host, port, limit=_HEAD_BYTES)
    except OSError as error:
        raise Unavailable(
            "proxy.port", f"port {port}", f"it cannot be listened on ({error.strerror})", "name another"
        ) from None
    loop = asyncio.get_running_loop()

    # A pipe cannot be waited for in every system's event loop; a thread can wait for it in all.
    def hear() -> None:
        with contextlib.suppress(EOFError, OSError, RuntimeError):
            while True:
                said = sky.recv()
                if isinstance(said, LinkSlot):
                    loop.call_soon_threadsafe(proxy.link.learn, said)

    threading.Thread(target=hear, daemon=True).start()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where an event loop knows no signals, Ctrl-C still interrupts it.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    async with server:
        ready(server.sockets[0].getsockname()[1])
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await ended.wait()
            proxy.count()


async def _until(due_ns: int) -> None:
    while (left_ns := due_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left_ns / 1e9)


_Asked = tuple[str, int, bytes, bytes]


async def _socks_asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Asked | _Refusal:
    methods = await reader.readexactly((await reader.readexactly(1))[0])
    if 0 not in methods:
        writer.write(b"\x05\xff")
        raise EOFError
    writer.write(b"\x05\x00")
    version, command, _, kind = await reader.readexactly(4)
    if version != 5:
        raise EOFError
    if kind == 1:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind == 4:
        host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
    elif kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii", "replace")
    else:
        return _Refusal(8, "")
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    if command != 1:
        return _Refusal(7, "")
    return host, port, b"", struct.pack(">BBBBIH", 5, 0, 0, 1, 0, 0)


async def _http_asked(reader: asyncio.StreamReader, begun: bytes) -> _Asked | _Refusal:
    try:
        head = begun + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return _Refusal(1, "431 Request Header Fields Too Large")
    first, *fields = head[:-4].split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return _Refusal(1, "400 Bad Request")
    method, target = words[0], words[1].decode("ascii", "replace")
    try:
        parts = urlsplit(f"//{target}" if method == b"CONNECT" else target)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if method == b"CONNECT":
        if not host or not port:
            return _Refusal(1, "400 CONNECT names a host and a port")
        return host, port, b"", b"HTTP/1.1 200 Connection established\r\n\r\n"
    if parts.scheme != "http" or not host:
        return _Refusal(1, "400 This is a proxy: ask it for http:// addresses, or to CONNECT")
    kept = [one for one in fields if one.split(b":")[0].lower() not in (b"connection", b"proxy-connection")]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = b" ".join((method, path.encode("ascii", "replace"), b"HTTP/1.1"))
    whole = b"\r\n".join([request, *kept, b"Connection: close"]) + b"\r\n\r\n"
    return host, port or 80, whole, b""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
