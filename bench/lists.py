"""Lists and searches of a store as full as a large service, on SQLite and PostgreSQL, as its reader answers.

No peer. In CPU time, of ours and of the database together, as other work on the machine is not ours; all that
is read is in memory. PostgreSQL starts itself where its binaries are installed, and its case is left out
elsewhere; it may not share a list among several processes, whose time nobody would count.
"""

from __future__ import annotations

import atexit
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.filled import SHIPMENTS, TERMINALS, fill
from bench.harness import Case

if TYPE_CHECKING:
    from skylift.adapters.sql.store import SqlStore

LISTS = 300
MOST_S = 0.100


class Sides:
    """One store, filled once; what was slowest is said."""

    def __init__(self, seed: int, kind: str) -> None:
        self.draw = random.Random(seed)
        self.kind = kind
        self.store: SqlStore | None = None
        self.backend: Path | None = None

    def prepare(self) -> None:
        from skylift.adapters.sql.store import open_store
        from skylift.service.rooms import ROOMS

        self.store = open_store(_sqlite() if self.kind == "sqlite" else _postgresql(), ROOMS)
        fill(self.store)
        if self.kind == "postgresql":
            with self.store.engine.connect() as connection:
                pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            self.backend = Path(f"/proc/{pid}/schedstat")

    def database_s(self) -> float:
        """CPU seconds of PostgreSQL's process that answers us (proc(5): the first of schedstat's numbers)."""
        if self.backend is None:
            return 0.0
        return int(self.backend.read_text().split()[0]) / 1e9

    def wanted(self, number: int) -> tuple[Any, Any]:
        """What the API's lists ask for, in turn: the room and the page."""
        from skylift.ports.store import Wanted
        from skylift.service.request.state import ROOM as REQUESTS
        from skylift.service.shipment.state import ROOM as SHIPMENTS_ROOM
        from skylift.service.terminal.state import ROOM as ROOM_OF_TERMINALS

        n = self.draw.randrange(TERMINALS)
        after = f"trm_{self.draw.getrandbits(100):025x}"
        return (
            (ROOM_OF_TERMINALS, Wanted(words=(f"kit{n:08d}",))),
            (ROOM_OF_TERMINALS, Wanted(words=(f"{n % 1000:03d}",), limit=50)),
            (ROOM_OF_TERMINALS, Wanted(status="manufactured", after=after)),
            (ROOM_OF_TERMINALS, Wanted(words=("nothing-such",))),
            (ROOM_OF_TERMINALS, Wanted(words=("q",), limit=50)),
            (ROOM_OF_TERMINALS, Wanted(owner=f"acc_{n % 100}", words=("std",))),
            (ROOM_OF_TERMINALS, Wanted(after=after, newest=True)),
            (ROOM_OF_TERMINALS, Wanted(status="active", words=("nothing-such",), after=after)),
            (REQUESTS, Wanted(words=("hospital",), region=f"rgn_{n % 4}")),
            (REQUESTS, Wanted(words=("zz",))),
            (SHIPMENTS_ROOM, Wanted(words=(f"sl-{n % SHIPMENTS:06d}",))),
            (SHIPMENTS_ROOM, Wanted(words=(f"box{n:08d}",))),
        )[number % 12]

    def listed(self) -> list[float]:
        """CPU seconds of each."""
        assert self.store is not None
        taken: dict[int, list[float]] = {}
        for number in range(LISTS):
            room, wanted = self.wanted(number)
            began = time.thread_time() + self.database_s()
            with self.store.reading() as reader:
                reader.list(room, wanted)
            spent = time.thread_time() + self.database_s() - began
            taken.setdefault(number % 12, []).append(spent)
        medians = ", ".join(f"{1e3 * statistics.median(some):.1f}" for some in taken.values())
        print(f"lists-{self.kind}: medians of the twelve kinds of lists, in ms: {medians}", flush=True)
        return [one for some in taken.values() for one in some]


def _sqlite() -> str:
    from skylift.adapters.sql.store import sqlite_url

    folder = tempfile.mkdtemp(prefix="skylift-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return sqlite_url(Path(folder))


def _postgresql() -> str:
    """An up-to-date, empty database on a server that ends with this process."""
    from skylift.adapters.sql.migrating import upgrade
    from tests.stores import running_server

    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    server = stack.enter_context(running_server())
    server.psql("postgres", "CREATE DATABASE lists TEMPLATE template0")
    upgrade(server.url("lists"))
    return server.url("lists") + "&options=-cmax_parallel_workers_per_gather%3D0"


def cases(seed: int) -> list[Case]:
    from tests.stores import find_binaries

    def case(kind: str) -> Case:
        sides = Sides(seed, kind)
        return Case(
            id=f"lists-{kind}",
            ours=sides.listed,
            peer=None,
            peer_name="",
            peer_version="",
            compare=lambda ours, _: statistics.quantiles(ours, n=20)[-1],
            limit=f"100,000 terminals, 50,000 requests, 10,000 consignments: p95 < {MOST_S:g} s",
            ok=lambda result: result.max_error is not None and result.max_error < MOST_S,
            seed=seed,
            prepare=sides.prepare,
            work=LISTS,
            unit="lists",
            rounds=1,
        )

    return [case("sqlite"), *([case("postgresql")] if find_binaries() is not None else [])]
