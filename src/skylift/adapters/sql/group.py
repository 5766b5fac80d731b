"""Group commit: many callers' changes in one transaction, so that they share one wait for the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from skylift.adapters.sql.faults import THING
from skylift.adapters.sql.store import SqlStore
from skylift.adapters.sql.writing import SqlTransaction
from skylift.base.errors import Unavailable
from skylift.ports.store import Transaction

R = TypeVar("R")

# As many as can be written while the disk is waited for; more would only make the first of them wait.
MOST_TOGETHER = 64
MOST_WAITING = 4096


class GroupWriter:
    """One thread that writes for all. Whoever waits while it writes goes into its next transaction.

    A change that is refused is undone alone. A future is done when its change is on the disk, and not before;
    when the database fails, all changes of that transaction fail with the same Unavailable.
    """

    def __init__(self, store: SqlStore, most_together: int = MOST_TOGETHER) -> None:
        self._store = store
        self._most_together = most_together
        self._waiting: queue.Queue[Change | None] = queue.Queue(MOST_WAITING)
        # Nothing may be put behind the mark that ends the queue: nobody would ever answer it.
        self._putting = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], R]) -> Future[R]:
        """Let `work` write. It runs on the writer's thread: it must be quick, and wait for nothing.

        Cancelling the future before its turn takes the change back. Raises Unavailable where too many wait.
        """
        future: Future[R] = Future()
        with self._putting:
            if self._closed:
                raise Unavailable("store.closed", THING, "it is being closed", "start skylift again")
            try:
                self._waiting.put_nowait(Change(work, future))
            except queue.Full:
                raise Unavailable(
                    "store.busy",
                    THING,
                    f"{MOST_WAITING} changes are waiting already",
                    "try again a little later",
                ) from None
        return future

    def write(self, work: Callable[[Transaction], R]) -> R:
        """`submit`, and wait for it."""
        return self.submit(work).result()

    def close(self) -> None:
        """Write what is waiting, then stop. The store stays open."""
        with self._putting:
            closed, self._closed = self._closed, True
        if not closed:
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ends = False
        while not ends:
            changes, ends = self._next()
            wanted = [change for change in changes if change.future.set_running_or_notify_cancel()]
            if wanted:
                write_together(self._store, wanted)

    def _next(self) -> tuple[list[Change], bool]:
        """All that wait, at least one and at most so many; whether they are the last."""
        changes: list[Change] = []
        while len(changes) < self._most_together:
            try:
                change = self._waiting.get(block=not changes)
            except queue.Empty:
                break
            if change is None:
                return changes, True
            changes.append(change)
        return changes, False


def write_together(store: SqlStore, changes: Sequence[Change]) -> None:
    """All of them in one transaction; then each is answered. Nothing is raised: the futures are told."""
    try:
        with store.writing() as transaction:
            for change in changes:
                change.run(transaction, alone=len(changes) == 1)
    except BaseException as error:
        # Whatever it is: a caller must not wait for ever.
        for change in changes:
            change.future.set_exception(error)
    else:
        for change in changes:
            change.answer()


class Change:
    """One caller's change, and what became of it."""

    def __init__(self, work: Callable[[SqlTransaction], Any], future: Future[Any]) -> None:
        self._work = work
        self.future = future
        self._result: Any = None
        self.error: Exception | None = None

    def run(self, transaction: SqlTransaction, alone: bool) -> None:
        if alone:
            self._result = self._work(transaction)
            return
        try:
            with transaction.savepoint():
                self._result = self._work(transaction)
        except Exception as error:
            if transaction.is_lost:
                raise
            self.error = error

    def answer(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self._result)
