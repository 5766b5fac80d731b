"""Group commit for telemetry: one thread, one transaction and one wait for the disk for all that wait."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from skylift.base.errors import Unavailable
from skylift.ports.telemetry import Posted, Taken

log = logging.getLogger("skylift.telemetry")

# Two thousand rows or so take about 10 ms to write; more at once would only make the first of them wait.
MOST_TOGETHER = 128
MOST_WAITING = 2048
# How long the thread sleeps while nobody posts, before it looks after what was put off.
IDLE_S = 1.0
# While more than one posts at a time, those of so long go together.
GATHER_S = 0.02


class _Store(Protocol):
    def take(self, posted: Sequence[Posted]) -> Sequence[Taken]: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    posted: Posted
    future: asyncio.Future[Taken]


class TelemetryWriter:
    """Answers futures of the event loop once what they are about is on the disk.

    between  called on the thread after each group, and now and then while nobody posts: what can be put off
    """

    def __init__(self, store: _Store, loop: asyncio.AbstractEventLoop, between: Callable[[], None]) -> None:
        self._store = store
        self._loop = loop
        self._between = between
        self._gathered: list[_Waiting] = []
        self._handing = threading.Lock()
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="telemetry-writer", daemon=True)
        self._thread.start()

    def submit(self, posted: Posted) -> asyncio.Future[Taken]:
        """Called in the event loop. Raises Unavailable where too many wait."""
        if self._closed or self._waiting >= MOST_WAITING:
            raise Unavailable(
                "telemetry.busy",
                "telemetry",
                "more batches are waiting than can be written",
                "keep them, and send them again in a moment",
            )
        self._waiting += 1
        future: asyncio.Future[Taken] = self._loop.create_future()
        with self._handing:
            self._gathered.append(_Waiting(posted, future))
            is_first = len(self._gathered) == 1
        if is_first:
            # The thread is woken once for all of a moment: each time costs as much as reading a batch. While
            # many post, a commit costs the same for one as for twenty.
            self._loop.call_later(GATHER_S if self._busy else 0.0, self._hand_over)
        return future

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        self._thread.join()

    def _hand_over(self) -> None:
        with self._handing:
            group, self._gathered = self._gathered, []
            self._queue.put(group)

    def _run(self) -> None:
        while True:
            group, ends = self._next()
            if group:
                self._write(group)
            if ends:
                return
            try:
                self._between()
            except Exception:
                # What can be put off must never keep those waiting who post.
                log.exception("telemetry's upkeep broke")

    def _next(self) -> tuple[list[_Waiting], bool]:
        """What was handed over, and more of it while that is little; is it the end?"""
        group: list[_Waiting] = []
        try:
            while len(group) < MOST_TOGETHER:
                some = self._queue.get_nowait() if group else self._queue.get(timeout=IDLE_S)
                if some is None:
                    return group, True
                group += some
        except queue.Empty:
            pass
        self._busy = len(group) > 1
        return group, False

    def _write(self, group: list[_Waiting]) -> None:
        try:
            done: Sequence[Taken] | BaseException = self._store.take([one.posted for one in group])
        except BaseException as error:
            done = error
        try:
            self._loop.call_soon_threadsafe(self._answer, group, done)
        except RuntimeError:
            # The loop has ended: nobody waits any more, and what was written stands.
            return

    def _answer(self, group: list[_Waiting], done: Sequence[Taken] | BaseException) -> None:
        self._waiting -= len(group)
        for place, one in enumerate(group):
            if one.future.done():
                continue
            if isinstance(done, BaseException):
                one.future.set_exception(done)
            else:
                one.future.set_result(done[place])
