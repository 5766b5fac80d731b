"""The four times from a call: acknowledged, authorised, activated, first terminal on. From the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from skylift.adapters.sql.store import SqlStore
from skylift.api.site.values import NONE, Value, span, time_of
from skylift.twin.office.milestones import BENCHMARK_US, Measured, Milestones

ROWS_AT_ONCE = 5000
# A page does not wait longer for the journal to be read; it says how far that has come instead.
PATIENCE_S = 2.0

STEPS = (
    ("acknowledged_at", "Acknowledged"),
    ("authorised_at", "Authorised"),
    ("activated_at", "Service on"),
    ("first_on_at", "First terminal online"),
)


class Times:
    """Follows the journal on a thread of its own, and holds what was first for each call and region."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._measured = Measured()
        self._sequence = 0
        self._one_at_a_time = asyncio.Lock()
        self._reading: asyncio.Future[None] | None = None

    async def now(self) -> Measured | None:
        """As of all that is written; None while a long journal is still being read for the first time."""
        async with self._one_at_a_time:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.ensure_future(asyncio.to_thread(self._catch_up))
            reading = self._reading
        try:
            await asyncio.wait_for(asyncio.shield(reading), PATIENCE_S)
        except TimeoutError:
            return None
        return self._measured

    def _catch_up(self) -> None:
        while rows := self._store.journal(self._sequence, ROWS_AT_ONCE):
            for row in rows:
                self._measured.take(row.event)
            self._sequence = rows[-1].sequence
            # Others want the processor too, while years of journal are read.
            time.sleep(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One of the four. after: from the call; before: it was so before anybody asked."""

    name: str
    at: Value
    after: str
    fraction: float
    done: bool


def steps_of(found: Milestones, now: int) -> list[Step]:
    return [_step(found, attribute, name, now) for attribute, name in STEPS]


def _step(found: Milestones, attribute: str, name: str, now: int) -> Step:
    at: int | None = getattr(found, attribute)
    if at is None:
        return Step(name, NONE, "not yet", 0.0, False)
    gap_us = max(at - found.asked_at, 0)
    words = f"after {span(gap_us)}" if at >= found.asked_at else "before the call"
    return Step(name, time_of(at, now), words, min(gap_us / BENCHMARK_US, 1.0), True)


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the four over all calls that a visitor may read."""

    name: str
    figure: str
    detail: str
    tone: str


def tiles(found: Sequence[Milestones], now: int) -> list[Tile]:
    """The middle call of each step: half of them were faster."""
    return [_tile(found, attribute, name, now) for attribute, name in STEPS]


def _tile(found: Sequence[Milestones], attribute: str, name: str, now: int) -> Tile:
    gaps = [max(at - one.asked_at, 0) for one in found if (at := getattr(one, attribute)) is not None]
    waiting = len(found) - len(gaps)
    if not gaps:
        return Tile(name, NONE, "no call has come so far", "calm")
    middle = int(median(gaps))
    tone = "good" if middle <= BENCHMARK_US else "warn"
    rest = f"{waiting:,} still wait" if waiting else "none waits"
    return Tile(name, span(middle), f"median of {len(gaps):,}; {rest}", tone)
