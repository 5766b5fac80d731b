"""Posts of a fleet, signed before a run and sent by the clock: the sender takes little from the server."""

from __future__ import annotations

import asyncio
import heapq
import mmap
import multiprocessing
import re
import time
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.telemetry_fleet import ROWS_A_BATCH, member, request_of

CONNECTIONS = 64
RETRY_S, LONGEST_RETRY_S, PATIENCE_S = 0.5, 8.0, 30.0
TICK_S, SWEEP_S = 0.004, 1.0
AT_ONCE = 2_000
_LENGTH = re.compile(rb"content-length: (\d+)")


class Prepared:
    """Signed requests in a file, by number: terminal `number % fleet` posts its batch `number // fleet`."""

    def __init__(self, path: Path, ends: array[int], fleet: int) -> None:
        self.fleet = fleet
        self._ends = ends
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._ends)

    def request(self, number: int) -> bytes:
        return self._bytes[self._ends[number - 1] if number else 0 : self._ends[number]]

    def wanted(self, number: int) -> bytes:
        """How its answer begins."""
        first = number // self.fleet * ROWS_A_BATCH + 1
        return b'{"acknowledged":[[%d,%d]]' % (first, first + ROWS_A_BATCH - 1)

    def close(self) -> None:
        self._bytes.close()


def prepare(path: Path, shape: tuple[int, int, int], rate: float, say: Callable[[float], None]) -> Prepared:
    """shape: seed, terminals, requests. Rows are of when they will be sent if that begins now."""
    seed, fleet, requests = shape
    began_us = int(time.time() * 1e6)
    ends = array("Q")
    end = 0
    parts = [
        (seed, fleet, first, min(first + AT_ONCE, requests), began_us, rate)
        for first in range(0, requests, AT_ONCE)
    ]
    with (
        path.open("wb") as file,
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool,
    ):
        for some in pool.map(_signed, parts):
            for request in some:
                end += len(request)
                ends.append(end)
            file.write(b"".join(some))
            say(len(ends) / requests)
    return Prepared(path, ends, fleet)


def _signed(part: tuple[int, int, int, int, int, float]) -> list[bytes]:
    seed, fleet, first, last, began_us, rate = part
    return [
        request_of(member(seed, number % fleet), number // fleet, began_us + int(number / rate * 1e6))
        for number in range(first, last)
    ]


@dataclass(slots=True)
class Tally:
    """What the sender saw. answers: seconds from when each was due to its answer."""

    answers: list[float] = field(default_factory=list)
    acknowledged: int = 0
    again: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self.number = -1
        self.since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        number, self.number = self.number, -1
        self._sender.lost(self, number)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if separator else None
        if length is not None and len(body) >= int(length[1]):
            self._buffer = b""
            number, self.number = self.number, -1
            self._sender.answered(self, number, head[9:12].decode(), body)

    def send(self, number: int, request: bytes) -> None:
        assert self.transport is not None
        self.number, self.since_s = number, time.monotonic()
        self.transport.write(request)


class Sender:
    """Requests leave when they are due, whatever became of earlier ones, and again until answered."""

    def __init__(self, port: int, prepared: Prepared, rate: float, say: Callable[[Tally], None]) -> None:
        self._port = port
        self._prepared = prepared
        self._rate = rate
        self._say = say
        self._next = 0
        self._ready: deque[int] = deque()
        self._later: list[tuple[float, int]] = []
        self._waits: dict[int, float] = {}
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self.tally = Tally()
        self.refused = ""

    async def run(self) -> None:
        """Raises SystemExit where a request is refused for good."""
        self._began_s = time.monotonic()
        sweep_s = 0.0
        while len(self.tally.answers) < len(self._prepared):
            now_s = time.monotonic()
            self._gather(now_s)
            self._dispatch()
            if now_s > sweep_s:
                sweep_s = now_s + SWEEP_S
                for connection in list(self._open):
                    if connection.number >= 0 and now_s > connection.since_s + PATIENCE_S:
                        assert connection.transport is not None
                        connection.transport.abort()
                self._say(self.tally)
            if self.refused:
                raise SystemExit(f"refused: {self.refused}")
            await asyncio.sleep(TICK_S)
        for connection in list(self._open):
            if connection.transport is not None:
                connection.transport.close()

    def answered(self, connection: Connection, number: int, status: str, body: bytes) -> None:
        tally = self.tally
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        if status == "200" and body.startswith(self._prepared.wanted(number)):
            tally.answers.append(time.monotonic() - self._began_s - number / self._rate)
            tally.acknowledged += ROWS_A_BATCH
            self._waits.pop(number, None)
        elif status in ("400", "401", "403", "422"):
            self.refused = f"{status} {body[:300]!r}"
        else:
            self._again(number)
        self._idle.append(connection)
        self._dispatch()

    def lost(self, connection: Connection, number: int) -> None:
        self._open.discard(connection)
        if number >= 0:
            self.tally.statuses["0"] = self.tally.statuses.get("0", 0) + 1
            self._again(number)

    def _again(self, number: int) -> None:
        """As agents do: whoever waits for a server that is away must not keep it from coming back."""
        self.tally.again += 1
        wait_s = self._waits.get(number, RETRY_S)
        self._waits[number] = min(2 * wait_s, LONGEST_RETRY_S)
        heapq.heappush(self._later, (time.monotonic() + wait_s, number))

    def _gather(self, now_s: float) -> None:
        due = min(len(self._prepared), int((now_s - self._began_s) * self._rate) + 1)
        self._ready.extend(range(self._next, due))
        self._next = max(self._next, due)
        while self._later and self._later[0][0] <= now_s:
            self._ready.append(heapq.heappop(self._later)[1])

    def _dispatch(self) -> None:
        while self._ready and self._idle:
            connection = self._idle.pop()
            if connection.transport is not None:
                number = self._ready.popleft()
                connection.send(number, self._prepared.request(number))
        missing = CONNECTIONS - len(self._open) - len(self._connecting)
        for _ in range(min(len(self._ready), missing)):
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            # Nobody listens: not asked again before the next moment.
            await asyncio.sleep(RETRY_S)
            return
        self._open.add(made)
        self._idle.append(made)
