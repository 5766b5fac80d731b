"""The server is killed at random moments while many write over HTTP: every 2xx stands, and nothing is half.

25 kills by default; the whole of it, 200 on each store, is `make faults`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from skylift.adapters.passwords import token_hash
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import JournalRow
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.roles import Grant, Role
from skylift.service.account.token import LONGEST_TOKEN_US, Issue, TokenKind
from skylift.service.request.state import ROOM as REQUESTS
from skylift.service.rooms import ROOMS
from skylift.twin.handle import begin, change
from tests.faults.killed_writers import Writers

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("SKYLIFT_TEST_KILLS", "25"))
WRITERS = 32
# Writes that a server answers before it is killed.
MOST_IN_A_LIFE = 60
TOKEN = "sky_of_the_operator_in_this_test"


def add_operator(store: SqlStore) -> None:
    who = Who(InstantUs(time.time_ns() // 1000), "setup")
    with store.transaction() as transaction:
        begin(persons.ROOM, transaction, "per_1", persons.added(persons.ROOM.empty("per_1"), who))
        change(persons.ROOM, transaction, "per_1", lambda p: persons.granted(p, who, Grant(Role.OPERATOR)))
        issue = Issue(TokenKind.PROGRAM, "per_1", token_hash(TOKEN), LONGEST_TOKEN_US)
        begin(tokens.ROOM, transaction, "tok_1", tokens.issued(tokens.ROOM.empty("tok_1"), who, issue))


@dataclass
class Killer:
    """The process that forks a server for each life, and its pipes."""

    process: asyncio.subprocess.Process
    writers: Writers

    async def lives(self, kills: int, draw: random.Random) -> None:
        """Kill so many, each at a random moment: one in five as it begins, the others amid writing.

        The one after the last kill lives on.
        """
        assert self.process.stdin is not None
        begins_s = 0.5
        for _ in range(kills):
            began = time.monotonic()
            pid = int((await self._line(b"pid"))[1])
            if draw.random() < 0.2:
                await asyncio.sleep(draw.uniform(0.0, begins_s))
            else:
                await self._line(b"up")
                begins_s = time.monotonic() - began
                await self._written(draw.randrange(MOST_IN_A_LIFE))
                await asyncio.sleep(draw.uniform(0.0, 0.005))
            os.kill(pid, signal.SIGKILL)
            died = await self._line(b"died")
            assert died[1] == str(-signal.SIGKILL).encode(), died
            self.process.stdin.write(b"again\n")
            await self.process.stdin.drain()

    async def _written(self, more: int) -> None:
        """Wait for so many more promises: a clock would say little on a busy machine."""
        until = len(self.writers.promised) + more
        while len(self.writers.promised) < until:
            await asyncio.sleep(0.001)

    async def _line(self, wanted: bytes) -> list[bytes]:
        """The next line that begins with this word."""
        assert self.process.stdout is not None
        while words := (await self.process.stdout.readline()).split():
            if words[0] == wanted:
                return words
            assert words[0] == b"up", words
        raise AssertionError("the process that forks the servers has ended")


@contextlib.asynccontextmanager
async def killer(listening: socket.socket, url: str, writers: Writers) -> AsyncIterator[Killer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.killed_server", str(listening.fileno()), url,
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[listening.fileno()],
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Killer(process, writers)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def write_and_kill(url: str, kills: int) -> Writers:
    draw = random.Random(20220226)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        listening.set_inheritable(True)
        writers = Writers(listening.getsockname()[1], TOKEN, random.Random(7))
        async with killer(listening, url, writers) as killing:
            writing = asyncio.ensure_future(writers.write_until_stopped(WRITERS))
            lives = asyncio.ensure_future(killing.lives(kills, draw))
            await asyncio.wait({writing, lives}, return_when=asyncio.FIRST_COMPLETED)
            writers.stopping = True
            # One that is not killed lets everybody come to an end.
            await asyncio.gather(lives, writing)
    return writers


def check(url: str, writers: Writers) -> None:
    store = open_store(url, ROOMS)
    found = store.verify()
    assert found.valid, found
    rows = {(row.event.subject_id, row.version) for row in journal_of(store)}
    for promised in writers.promised:
        if promised.version:
            assert (promised.id, promised.version) in rows, promised
    written = [stored.thing.people for stored in store.things(REQUESTS)]
    assert len(set(written)) == len(written), "a call with a key was written twice"
    assert {one.asked.people for one in writers.promised} - {0} <= set(written) <= writers.asked_of
    with store.reading() as reader:
        for id in writers.erased:
            assert reader.personal(id) == {}, id
        for promised in writers.promised:
            if promised.asked.people and promised.id not in writers.erased:
                assert reader.personal(promised.id) == {"asker": f"CANARY-{promised.asked.people}-"}
    store.close()


def journal_of(store: SqlStore) -> Iterator[JournalRow]:
    after = 0
    while rows := store.journal(after, 5000):
        yield from rows
        after = rows[-1].sequence


@pytest.mark.parametrize("kills", [KILLS])
def test_every_2xx_survives(store_url: str, kills: int) -> None:
    store = open_store(store_url, ROOMS)
    add_operator(store)
    store.close()
    began = time.monotonic()
    writers = asyncio.run(write_and_kill(store_url, kills))
    check(store_url, writers)
    print(
        f"{kills} kills, {WRITERS} writers, {time.monotonic() - began:.0f} s: {len(writers.promised)} writes "
        f"answered with 2xx, all there; {writers.same_again} asked again with their key, all answered alike; "
        f"{writers.after_unanswered} answered only after a death; statuses {writers.statuses}"
    )
    assert len(writers.promised) > 5 * kills
    assert writers.same_again > kills / 5
