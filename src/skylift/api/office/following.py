"""Reads the journal as it grows, for the four times of every call."""

from __future__ import annotations

import asyncio
import time

from skylift.adapters.sql.store import SqlStore
from skylift.twin.office.milestones import NAMES, Measured

ROWS_AT_ONCE = 5000
# Nobody waits longer for a long journal to be read for the first time.
PATIENCE_S = 2.0


class Following:
    """Follows the journal on a thread of its own, and holds what was first for each call and region."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._measured = Measured()
        self._sequence = 0
        self._reading: asyncio.Future[None] | None = None

    async def now(self) -> Measured | None:
        """As of all that was written before this call; None while a long journal is still being read."""
        while self._reading is not None and not self._reading.done():
            # It may have looked before what the asker wrote.
            if not await self._finished(self._reading):
                return None
        self._reading = reading = asyncio.ensure_future(asyncio.to_thread(self._catch_up))
        if not await self._finished(reading):
            return None
        # Raises what went wrong with the store.
        reading.result()
        return self._measured

    async def _finished(self, reading: asyncio.Future[None]) -> bool:
        done, _ = await asyncio.wait({reading}, timeout=PATIENCE_S)
        return bool(done)

    def _catch_up(self) -> None:
        head, _ = self._store.head()
        while rows := self._store.journal(self._sequence, ROWS_AT_ONCE, NAMES):
            for row in rows:
                self._measured.take(row.event)
            self._sequence = rows[-1].sequence
            # Others want the processor too, while years of journal are read.
            time.sleep(0)
        # What lies between concerns nobody here, and need not be passed over again.
        self._sequence = max(self._sequence, head)
