"""The store on one core: commits with synchronous=FULL, imports, lists and searches of 100,000 things.

SQLite, in the system's folder for temporary files: a commit waits for the disk beneath it. BENCH_STORE_URL
names an empty, up-to-date PostgreSQL database to measure instead.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.harness import Case, Result
from skylift.adapters.sql.group import GroupWriter
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Stored, Wanted
from skylift.service.region import decide
from skylift.service.region.state import ROOM, Region
from skylift.twin.handle import begin

WHO = Who(InstantUs(1_645_876_800_000_000), "acc_bench")
COMMITS = 1_000
WAITING = 32
IMPORTED = 20_000
THINGS = 100_000
AT_ONCE = 1_000
SEARCHES = 200
CELLS = ("851e5227fffffff",)


class Sides:
    """One store, filled once where a case reads it."""

    def __init__(self, seed: int, things: int = 0) -> None:
        self.draw = random.Random(seed)
        self.things = things
        self.number = 0
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.store: SqlStore | None = None

    def prepare(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "store.sqlite"
        self.store = open_store(os.environ.get("BENCH_STORE_URL", f"sqlite:///{file}"), (ROOM,))
        if self.things:
            self.fill(self.things)

    def opened(self) -> SqlStore:
        assert self.store is not None
        return self.store

    def new(self) -> tuple[str, Any]:
        """An id in no order and the event of a new thing, with words to search for."""
        self.number += 1
        id = f"rgn_{self.draw.getrandbits(100):025x}"
        title = f"Region {self.number} {self.draw.choice(WORDS)} {self.draw.choice(WORDS)}"
        return id, decide.opened(Region(id), WHO, self.draw.choice(("UA", "PL", "MD")), title, CELLS)

    def fill(self, many: int) -> int:
        """An import: things with their first event, a thousand in a transaction."""
        store = self.opened()
        for _ in range(many // AT_ONCE):
            changes = []
            for _ in range(AT_ONCE):
                id, events = self.new()
                changes.append((Stored(id, ROOM.replayed(id, events), 0), events))
            with store.transaction() as transaction:
                transaction.commit_all(ROOM, changes)
        return many

    def commits_alone(self) -> int:
        """One caller, who waits for each of its commits."""
        store = self.opened()
        for _ in range(COMMITS // 10):
            id, events = self.new()
            with store.transaction() as transaction:
                begin(ROOM, transaction, id, events)
        return COMMITS // 10

    def commits_together(self) -> int:
        """32 callers at any time, each with one thing and one event, through the group writer."""
        writer = GroupWriter(self.opened())
        waiting: list[Future[Any]] = []
        for _ in range(COMMITS):
            if len(waiting) == WAITING:
                waiting.pop(0).result()
            waiting.append(writer.submit(self._making()))
        for future in waiting:
            future.result()
        writer.close()
        return COMMITS

    def _making(self) -> Callable[[Any], Any]:
        id, events = self.new()
        return lambda transaction: begin(ROOM, transaction, id, events)

    def searched(self) -> list[float]:
        """Seconds of each of many lists and searches, of every kind that an API offers."""
        return [self._timed(self._wanted(number)) for number in range(SEARCHES)]

    def _timed(self, wanted: Wanted) -> float:
        began = time.perf_counter()
        with self.opened().reading() as reader:
            reader.list(ROOM, wanted)
        return time.perf_counter() - began

    def _wanted(self, number: int) -> Wanted:
        after = f"rgn_{self.draw.getrandbits(100):025x}"
        one = f"region {self.draw.randrange(self.things)} "
        return (
            Wanted(status="closed", after=after),
            Wanted(words=(one,)),
            Wanted(words=("not there at all",)),
            Wanted(words=(self.draw.choice(WORDS), "ua"), status="closed"),
            Wanted(words=("nowhere",), status="closed", after=after),
            Wanted(words=("e",)),
            Wanted(status="active", words=("region",)),
            Wanted(after=after),
        )[number % 8]

    def close(self) -> None:
        if self.store is not None:
            self.store.close()


WORDS = ("kharkiv", "odesa", "lviv", "hospital", "north", "south", "bridge", "temporary", "школа", "міст")


def _p95(output: list[float]) -> float:
    return statistics.quantiles(output, n=20)[-1]


def _rate(least: float, work: float) -> Callable[[Result], bool]:
    return lambda result: work / max(result.ours.wall_s, result.ours.cpu_s) >= least


def cases(seed: int) -> list[Case]:
    def case(id: str, sides: Sides, call: Callable[[], object], limit: str, **more: Any) -> Case:
        return Case(
            id=id,
            ours=call,
            peer=None,
            peer_name="",
            peer_version="",
            compare=more.pop("compare", None),
            limit=limit,
            seed=seed,
            prepare=sides.prepare,
            **more,
        )

    alone, together, imported, filled = Sides(seed), Sides(seed), Sides(seed), Sides(seed, THINGS)
    return [
        case(
            "store-commits-alone",
            alone,
            alone.commits_alone,
            "one caller, each commit on the disk: what the disk allows",
            ok=lambda result: True,
            work=COMMITS // 10,
            unit="commits",
        ),
        case(
            "store-commits-together",
            together,
            together.commits_together,
            "32 callers, synchronous=FULL: >= 600 commits/s, twice what HTTP is asked for",
            ok=_rate(600, COMMITS),
            work=COMMITS,
            unit="commits",
        ),
        case(
            "store-import",
            imported,
            lambda: imported.fill(IMPORTED),
            "rows with an event each: >= 5,000/s",
            ok=_rate(5_000, IMPORTED),
            work=IMPORTED,
            unit="rows",
            rounds=1,
        ),
        case(
            "store-search",
            filled,
            filled.searched,
            f"lists and searches of {THINGS:,} things: p95 < 0.1 s",
            ok=lambda result: result.max_error is not None and result.max_error < 0.1,
            compare=lambda ours, _: _p95(ours),
            work=SEARCHES,
            unit="lists",
            rounds=1,
        ),
    ]
