"""The service in one thread, on a simulated clock, over a database file whose driver can be made to fail.

Nothing here is faked that decides anything: gate, doors, office, rooms and store are those of `skylift run`.
Replaced are only the sources of chance: the clock, ids, threads, and the moment at which a group is written.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import Engine, event

from skylift.adapters.passwords import token_hash
from skylift.adapters.sql import store as store_module
from skylift.adapters.sql.engine import make_engine
from skylift.adapters.sql.group import Change, write_together
from skylift.adapters.sql.store import SqlStore, open_store, sqlite_url
from skylift.api import app as app_module
from skylift.api.office import desk as desk_module
from skylift.api.office import facts as facts_module
from skylift.api.office import things
from skylift.api.office import tokens as tokens_module
from skylift.api.office.desk import Desk
from skylift.api.office.door import Door
from skylift.api.office.gate import Gate
from skylift.base.instants import InstantUs
from skylift.service.rooms import ROOMS
from skylift.twin.office import imports
from skylift.twin.office.office import Office
from skylift.twin.office.table import TABLE

# The rules of the packaged allow-list are in force by then.
START_US = 1_772_107_200_000_000  # 2026-02-26T12:00:00Z
DATABASE = "skylift.sqlite"


class CrashedError(BaseException):
    """The process is gone. Nobody can catch it and go on."""


@dataclass
class Clock:
    """Shows what it is told to."""

    us: int = START_US
    speed: float = 1.0

    def now(self) -> InstantUs:
        return InstantUs(self.us)

    # What the service takes for the machine's own clock, in place of the module `time`.
    def monotonic(self) -> float:
        return self.us / 1e6

    def monotonic_ns(self) -> int:
        return self.us * 1000


class Ids:
    """Numbered ids: the same run gives the same."""

    def __init__(self, mark: str) -> None:
        self.mark, self.count = mark, 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.mark}{self.count}"

    def token(self) -> tuple[str, str]:
        secret = f"sky_{self.new('secret')}_of_a_simulation"
        return secret, token_hash(secret)


class AtOnce(Executor):
    """Runs what it is given on the spot."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        return


class StepWriter:
    """The group writer without its thread: it writes when it is told to, as many as it is told to."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.waiting: list[Change] = []

    def submit(self, work: Callable[[Any], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(Change(work, future))
        return future

    def step(self, most: int) -> None:
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        wanted = [change for change in taken if change.future.set_running_or_notify_cancel()]
        if wanted:
            write_together(self.store, wanted)

    def close(self) -> None:
        return


# --- a driver that fails when it is told to

FAILURES = {
    "locked": sqlite3.SQLITE_BUSY,
    "full": sqlite3.SQLITE_FULL,
    "disk": sqlite3.SQLITE_IOERR,
}


@dataclass
class Faults:
    """What happens at the n-th step of the driver from now on; `left` None: nothing.

    steps are statements, and the moments before and after a commit
    """

    folder: Path
    draw: random.Random
    clock: Clock
    what: str = ""
    left: int | None = None
    dead: bool = False
    wal_before: int = 0
    happened: list[str] = field(default_factory=list)

    def arm(self, what: str, left: int) -> None:
        self.what, self.left = what, left

    def step(self, where: str) -> None:
        if self.dead:
            raise CrashedError
        if self.left is None:
            return
        self.left -= 1
        # A commit that is torn is one that has begun to be written.
        if self.left > 0 or (self.what in {"torn", "unsure"} and where != "committed"):
            return
        if self.what in FAILURES and where == "committed":
            return
        self.left = None
        self.happened.append(f"{self.what} at {where}")
        self._happen(where)

    def _happen(self, where: str) -> None:
        if self.what == "slow":
            self.clock.us += self.draw.choice((2, 40, 4_000)) * 1_000_000
            return
        if self.what in {"crash", "torn"}:
            self.crash(torn=self.what == "torn")
        error = sqlite3.OperationalError(f"injected: {self.what} at {where}")
        # A commit of which nobody knows whether it was: what a lost connection leaves behind.
        error.sqlite_errorcode = FAILURES.get(self.what, sqlite3.SQLITE_IOERR)
        raise error

    def crash(self, torn: bool = False) -> None:
        """What stands in the files at this moment is all that is left."""
        after = self.folder.with_name(f"{self.folder.name}+")
        after.mkdir()
        for name in (DATABASE, f"{DATABASE}-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, after / name)
        log = after / f"{DATABASE}-wal"
        size = log.stat().st_size if log.exists() else 0
        if torn and self.wal_before < size:
            # The disk had not got all of the commit's frames: it must not count at all.
            with log.open("r+b") as file:
                file.truncate(self.draw.randrange(self.wal_before, size))
        elif size and self.draw.random() < 0.3:
            with log.open("ab") as file:
                file.write(self.draw.randbytes(self.draw.randrange(1, 5000)))
        self.dead = True
        raise CrashedError

    def commits(self) -> None:
        log = self.folder / f"{DATABASE}-wal"
        self.wal_before = log.stat().st_size if log.exists() else 0


def faulty(faults: Faults) -> type[sqlite3.Connection]:
    """A driver's connection that takes each of its steps by leave of `faults`."""

    class FaultyCursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            faults.step(sql.split(None, 2)[0].lower())
            return super().execute(sql, parameters)

        def executemany(self, sql: str, parameters: Any, /) -> Any:
            faults.step(sql.split(None, 2)[0].lower())
            return super().executemany(sql, parameters)

    class FaultyConnection(sqlite3.Connection):
        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(FaultyCursor)

        def commit(self) -> None:
            writes = self.in_transaction
            if writes and faults.left is not None:
                faults.commits()
                faults.step("commit")
            super().commit()
            if writes:
                faults.step("committed")

    return FaultyConnection


_DRIVER: list[type[sqlite3.Connection]] = []


@cache
def engine_of(url: str, busy_timeout_s: float = 5.0) -> Engine:
    """One engine for all lives at a place: what it has compiled is always the same."""
    engine = make_engine(url, busy_timeout_s)

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, arguments: Any, more: dict[str, Any]) -> None:
        if _DRIVER:
            more["factory"] = _DRIVER[0]

    return engine


# --- the service


@contextmanager
def simulated(clock: Clock, ids: Ids) -> Iterator[None]:
    """Where the service asks for the machine's time, chance or a thread, it gets what the seed says."""
    with (
        patch.object(desk_module, "GroupWriter", StepWriter),
        patch.object(desk_module, "time", clock),
        patch.object(facts_module, "time", clock),
        patch.object(tokens_module, "new_token", ids.token),
        patch.object(asyncio, "to_thread", _at_once),
        # So small that tables have several, and something can come between them.
        patch.object(imports, "PART", 2),
    ):
        yield


async def _at_once(work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return work(*args, **kwargs)


class Service:
    """One life of the process, from start to crash."""

    def __init__(self, folder: Path, seed: int, clock: Clock, ids: Ids, fault_free: bool = False) -> None:
        self.folder, self.clock, self.ids = folder, clock, ids
        _DRIVER.clear()
        with patch.object(store_module, "make_engine", engine_of):
            self.store = open_store(sqlite_url(folder), ROOMS)
        self.faults = Faults(folder, random.Random(f"{seed} faults"), clock)
        self.store.engine.dispose()
        if not fault_free:
            _DRIVER.append(faulty(self.faults))
        self.desk = self._desk()
        self.gate = Gate(_nothing_else, self.desk, _doors(self.desk))

    def _desk(self) -> Desk:
        desk = Desk(self.store, self.clock, self._leap)  # type: ignore[arg-type]
        self.writer: StepWriter = desk.writer  # type: ignore[assignment]
        desk.ids = self.ids  # type: ignore[assignment]
        desk.office = Office(desk.office.table, self.ids, desk.office.rules)
        desk._readers = desk._hashers = AtOnce()  # type: ignore[assignment]
        desk.facts._thread = AtOnce()  # type: ignore[assignment]
        return desk

    def _leap(self, by_us: int) -> None:
        self.clock.us += by_us

    async def ask(self, method: str, path: str, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
        """One HTTP request, as the server hands it over."""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/v1/{path}",
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "server": ("127.0.0.1", 8480),
            "http_version": "1.1",
        }
        parts: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            parts.append(message)

        await self.gate(scope, receive, send)
        return Answer(parts[0]["status"], b"".join(part.get("body", b"") for part in parts[1:]))

    def close(self) -> None:
        """Let go of the files; after a crash they are nobody's any more."""
        self.faults.left = None
        self.store.engine.dispose()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


def _doors(desk: Desk) -> list[Door]:
    """All of them. Those of the table are of no desk in particular, and are made once: that takes longer than
    a crash should.
    """
    if not _OF_THE_TABLE:
        _OF_THE_TABLE.extend(things.doors(TABLE))
    with patch.object(things, "doors", lambda table: _OF_THE_TABLE):
        return app_module.office_doors(desk)


_OF_THE_TABLE: list[Door] = []


async def _nothing_else(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def settle() -> None:
    """Let every task go on until it waits for the writer: until nothing is left that could go on."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:
        await asyncio.sleep(0)
