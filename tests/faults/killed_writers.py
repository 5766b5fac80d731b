"""Writers over HTTP that know what they were promised, however often the server dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from dataclasses import dataclass, field

# A server that has only just begun, or is busy with all the others, is waited for.
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One write. people: a number that only this call for help has."""

    method: str
    path: str
    body: str
    key: str
    people: int = 0


@dataclass(slots=True)
class Promised:
    """A write that was answered with 2xx, and what it said."""

    asked: Asked
    status: int
    text: bytes

    @property
    def id(self) -> str:
        return str(json.loads(self.text).get("id", ""))

    @property
    def version(self) -> int:
        return int(json.loads(self.text).get("version", 0))


class Unanswered(Exception):
    """The connection ended before an answer: nobody knows."""


@dataclass
class Writers:
    """All of them together. asked_of: every call for help by its number, answered or not."""

    port: int
    token: str
    draw: random.Random
    promised: list[Promised] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    asked_of: set[int] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    same_again: int = 0
    after_unanswered: int = 0
    stopping: bool = False
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def write_until_stopped(self, many: int) -> None:
        """`many` writers at once, each waiting for the answer before it goes on."""
        await asyncio.gather(*(self._write(number) for number in range(many)))

    async def _write(self, number: int) -> None:
        connection = Connection(self.port, self.token)
        mine: list[Promised] = []
        while not self.stopping:
            answer = await self._insist(connection, self._next(number, mine))
            if answer is not None:
                mine.append(answer)
            if mine and self.draw.random() < 0.08:
                await self._check_same(connection, self.draw.choice(mine))
        connection.close()

    def _next(self, number: int, mine: list[Promised]) -> Asked:
        key = f"{number}-{len(mine)}-{self.draw.getrandbits(64):x}"
        draw, last = self.draw.random(), mine[-1] if mine else None
        calls = [one for one in mine[-6:] if one.asked.people and one.id not in self.erased]
        if calls and draw < 0.12:
            return Asked("DELETE", f"requests/{calls[0].id}/personal", "{}", key)
        if last is not None and last.asked.people and draw < 0.45:
            return Asked("POST", f"requests/{last.id}/acknowledge", "{}", key)
        if draw < 0.6:
            serial = f"K{next(self._numbers):07d}"
            body = {"hardware": "STD-V2", "serial": serial, "origin": "gift"}
            return Asked("POST", "terminals", json.dumps(body), key)
        people = next(self._numbers)
        self.asked_of.add(people)
        call = {"channel": "phone", "site_kind": "hospital", "people": people, "asker": f"CANARY-{people}-"}
        return Asked("POST", "requests", json.dumps(call), key, people)

    async def _insist(self, connection: Connection, asked: Asked) -> Promised | None:
        """Ask with the same key until there is an answer; None where it is a refusal, or we stop."""
        unanswered = False
        while True:
            try:
                status, text = await connection.ask(asked)
            except Unanswered:
                if self.stopping:
                    return None
                unanswered = True
                await asyncio.sleep(0.01)
                continue
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status in (429, 503):
                if self.stopping:
                    return None
                await asyncio.sleep(0.02)
                continue
            assert status < 500, (asked, status, text)
            if status not in (200, 201):
                # An erasure that came twice, or the like: nothing was promised.
                return None
            self.after_unanswered += unanswered
            promised = Promised(asked, status, text)
            self.promised.append(promised)
            if asked.method == "DELETE":
                self.erased.add(asked.path.split("/")[1])
            return promised

    async def _check_same(self, connection: Connection, before: Promised) -> None:
        """The same key gives the same answer, also when the one who gave it is dead."""
        with contextlib.suppress(Unanswered):
            status, text = await connection.ask(before.asked)
            if status not in (429, 503):
                assert (status, text) == (before.status, before.text), before.asked
                self.same_again += 1


class Connection:
    """One connection, made anew when it ends."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, asked: Asked) -> tuple[int, bytes]:
        """Status and body. Raises Unanswered."""
        try:
            return await asyncio.wait_for(self._ask(asked), PATIENCE_S)
        except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError):
            self.close()
            raise Unanswered from None

    async def _ask(self, asked: Asked) -> tuple[int, bytes]:
        if self._open is None:
            self._open = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._open
        head = (
            f"{asked.method} /api/v1/{asked.path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {self._token}\r\nIdempotency-Key: {asked.key}\r\n"
            f"Content-Length: {len(asked.body)}\r\n\r\n"
        )
        writer.write(f"{head}{asked.body}".encode())
        said = await reader.readuntil(b"\r\n\r\n")
        length = int(said.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        return int(said.split(b" ", 2)[1]), await reader.readexactly(length)

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
