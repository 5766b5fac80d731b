"""Lists and searches of a store as full as a large service, on SQLite and PostgreSQL, as its reader answers.

No peer. By the clock, as that is what somebody waits; where others took more than a twentieth of the
machine's CPU meanwhile, in CPU time of ours and of the database together, and it is said. All that is read is
in memory. PostgreSQL starts itself where its binaries are installed, and its case is left out elsewhere; it
may not share a list among several processes, whose time nobody would count.
"""

from __future__ import annotations

import atexit
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.filled import SHIPMENTS, TERMINALS, fill
from bench.harness import Case
from bench.machine import QUIET_FRACTION, Others

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
        """Seconds of each: by the clock on a quiet machine, of CPU on another."""
        assert self.store is not None
        taken: dict[int, list[tuple[float, float]]] = {}
        others = Others(lambda: time.process_time() + self.database_s())
        for number in range(LISTS):
            room, wanted = self.wanted(number)
            began, cpu_s = time.perf_counter(), time.thread_time() + self.database_s()
            with self.store.reading() as reader:
                reader.list(room, wanted)
            spent_s = time.thread_time() + self.database_s() - cpu_s
            taken.setdefault(number % 12, []).append((time.perf_counter() - began, spent_s))
        clock_s, cpus_s = zip(*[one for some in taken.values() for one in some], strict=True)
        fraction = others.fraction()
        medians = ", ".join(f"{1e3 * statistics.median(s for s, _ in some):.1f}" for some in taken.values())
        print(
            f"lists-{self.kind}: 95 of 100 within {1e3 * p95_s(clock_s):.0f} ms by the clock and "
            f"{1e3 * p95_s(cpus_s):.0f} ms of CPU; others took {100 * fraction:.0f} % of the machine; "
            f"medians of the twelve kinds of lists by the clock, in ms: {medians}",
            flush=True,
        )
        return list(clock_s if fraction < QUIET_FRACTION else cpus_s)


def p95_s(each: Sequence[float]) -> float:
    return statistics.quantiles(each, n=20)[-1]


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
            compare=lambda ours, _: p95_s(ours),
            limit=f"100,000 terminals, 50,000 requests, 10,000 consignments: p95 < {MOST_S:g} s",
            ok=lambda result: result.max_error is not None and result.max_error < MOST_S,
            seed=seed,
            prepare=sides.prepare,
            work=LISTS,
            unit="lists",
            rounds=1,
        )

    return [case("sqlite"), *([case("postgresql")] if find_binaries() is not None else [])]
