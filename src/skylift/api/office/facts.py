"""What permission knows, kept in memory and renewed from the journal by its sequence number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from skylift.adapters.sql.store import SqlStore
from skylift.base.events import Event
from skylift.service.account.roles import Subject
from skylift.service.permission.decision import Permissions
from skylift.service.terminal import state as terminal_room
from skylift.twin.office.known import KNOWN_ROOMS, Known

R = TypeVar("R")

ROWS_AT_ONCE = 5000
# Another process may have written; beyond this the journal is looked at before an answer.
LOOK_AGAIN_S = 1.0

_KIND_OF: dict[type[Event], str] = {kind: room.kind for room in KNOWN_ROOMS for kind in room.events}
_ORDER = {room.kind: (order, room) for order, room in enumerate(KNOWN_ROOMS)}


class Facts:
    """A snapshot for `may_serve`; asking it touches no store.

    behind  whether something may have been written since; whoever writes sets it
    """

    def __init__(self, store: SqlStore, now: Callable[[], int] = lambda: 0) -> None:
        self.behind = True
        self._store = store
        self._now = now
        self._used_changed = 0
        self._known = Known()
        self._permissions = Permissions({}, {}, ())
        self._sequence: int | None = None
        self._looked_s = -1.0
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "facts")

    async def permissions(self) -> Permissions:
        """As of all that was written before this call."""
        await self._up_to_date()
        return self._permissions

    async def ask(self, work: Callable[[Known, Permissions, int], R]) -> R:
        """What `work` makes of all that was written before this call, and of the journal's number up to
        which that is. It is done on the one thread that changes what is known.
        """
        await self._up_to_date()

        def go() -> R:
            return work(self._known, self._permissions, self._sequence or 0)

        return await asyncio.get_running_loop().run_in_executor(self._thread, go)

    async def _up_to_date(self) -> None:
        # Whoever comes while another catches up waits for that: it may be about what they wrote themselves.
        async with self._one_at_a_time:
            ended = self._now() >= self._known.cycle_ends
            if self.behind or ended or time.monotonic() > self._looked_s + LOOK_AGAIN_S:
                self.behind = False
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._catch_up)
                except BaseException:
                    self.behind = True
                    raise
                self._looked_s = time.monotonic()

    def subject(self, terminal_id: str) -> Subject | None:
        """Whose a terminal is; None for one that is not known."""
        return self._known.subjects.get(terminal_id)

    def close(self) -> None:
        self._thread.shutdown()

    def _catch_up(self) -> None:
        if self._sequence is None:
            # The head first: what is written meanwhile is read once more, which changes nothing.
            self._sequence, _ = self._store.head()
            for room in KNOWN_ROOMS:
                for stored in self._store.things(room):
                    self._known.take(room.kind, stored.thing)
            self._rebuild()
        self._count()
        while rows := self._store.journal(self._sequence, ROWS_AT_ONCE):
            kinds = ((_KIND_OF.get(type(row.event)), row.event.subject_id) for row in rows)
            self._renew({(kind, id) for kind, id in kinds if kind is not None})
            self._sequence = rows[-1].sequence
            if len(rows) < ROWS_AT_ONCE:
                return

    def _count(self) -> None:
        """What was used: of a month that has begun all, else what has changed since."""
        now = self._now()
        with self._store.reading() as reader:
            if now >= self._known.cycle_ends:
                self._known.begin_cycle(now)
                whole = reader.used_in(self._known.cycle)
                self._known.take_used(whole)
                self._used_changed = max((one.changed for one in whole), default=self._used_changed)
            while used := reader.used_since(self._used_changed, ROWS_AT_ONCE):
                self._known.take_used(used)
                self._used_changed = used[-1].changed

    def _renew(self, changed: Collection[tuple[str, str]]) -> None:
        anew = lists = False
        if not changed:
            return
        with self._store.reading() as reader:
            for kind, id in sorted(changed, key=lambda one: _ORDER[one[0]][0]):
                stored = reader.get(_ORDER[kind][1], id)
                if stored is not None:
                    self._known.take(kind, stored.thing)
                    anew |= kind == "region"
                    lists |= kind == "allow-list"
        if lists:
            # Seldom, and it may concern every terminal.
            for stored in self._store.things(terminal_room.ROOM):
                self._known.take("terminal", stored.thing)
        if anew:
            self._rebuild()

    def _rebuild(self) -> None:
        known = self._known
        self._permissions = Permissions(known.terminals, known.accounts, list(known.regions.values()))
