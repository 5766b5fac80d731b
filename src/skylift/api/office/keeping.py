"""Lets lists of authorities do by themselves what was decided: at the end of their grace, part by part."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from skylift.api.office.desk import Desk
from skylift.base.errors import SkyliftError
from skylift.ports.store import Reader
from skylift.service.terminal.allow_list.state import ROOM, AllowListState
from skylift.twin.office.list_keeping import apply_due, carry_on, is_due

# On the wall; on the service's clock this may be days.
LOOK_EVERY_S = 1.0
ROWS_AT_ONCE = 500
_NAMES = tuple(kind.NAME for kind in ROOM.events)
_ENDED = frozenset({AllowListState.APPLIED, AllowListState.WITHDRAWN})


@dataclass(slots=True)
class _Waiting:
    """What is known of lists without reading them again. due: by when; left: to be carried out."""

    due: dict[str, int]
    left: set[str]


class ListKeeper:
    """One for each service. Two services on one store do nothing twice: each part is a transaction."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sequence: int | None = None
        self._waiting = _Waiting({}, set())

    async def run(self) -> None:
        """Until it is cancelled."""
        while not self._desk.closed:
            try:
                while await self.once():
                    # Others want to write in between.
                    await asyncio.sleep(0.01)
            except SkyliftError as error:
                logging.getLogger("skylift.lists").warning("lists wait: %s", error.code)
            await asyncio.sleep(LOOK_EVERY_S)

    async def once(self) -> bool:
        """One thing that is to be done; whether there was any."""
        await asyncio.to_thread(self._catch_up)
        desk, at = self._desk, self._desk.clock.now()
        for id in sorted(id for id, due in self._waiting.due.items() if due <= at):
            # If it may not after all, somebody has to look at it: it is not tried in every second.
            del self._waiting.due[id]
            if await desk.write(partial(apply_due, office=desk.office, list_id=id, at=at)):
                return True
        for id in sorted(self._waiting.left):
            if await desk.write(partial(carry_on, office=desk.office, list_id=id, at=at)):
                return True
            self._waiting.left.discard(id)
        return False

    def _catch_up(self) -> None:
        """Which lists have changed since: only these are read."""
        store = self._desk.store
        if self._sequence is None:
            self._sequence, _ = store.head()
            changed = {one.id for one in store.things(ROOM)}
        else:
            changed = set()
            while rows := store.journal(self._sequence, ROWS_AT_ONCE, _NAMES):
                changed |= {row.event.subject_id for row in rows}
                self._sequence = rows[-1].sequence
        if changed:
            with store.reading() as reader:
                for id in changed:
                    self._take(reader, id)

    def _take(self, reader: Reader, id: str) -> None:
        stored = reader.get(ROOM, id)
        if stored is None:
            return
        thing = stored.thing
        self._waiting.due.pop(id, None)
        if thing.apply_after is not None and is_due(thing, thing.apply_after):
            self._waiting.due[id] = thing.apply_after
        if thing.state in _ENDED and thing.applied_at is not None:
            self._waiting.left.add(id)
