"""A dish that changed hands: what its former owner shared of its place is erased."""

from __future__ import annotations

import asyncio

from skylift.api.office.desk import Desk
from skylift.base.events import Who
from skylift.service.terminal import events, sharing
from skylift.service.terminal import state as terminals
from skylift.service.terminal.sharing import SharingState
from skylift.twin.office.sharing import end_of_others

# On whose word it is.
BY = "sys_sharing"
# After these a terminal may be somebody else's.
_NEW_OWNER = tuple(
    event.NAME
    for event in (
        events.HandOverAccepted,
        events.TerminalUnregistered,
        events.TerminalRegistered,
        events.TerminalFound,
        events.TerminalReleased,
        events.TerminalRestored,
    )
)


class NewOwners:
    """Erases what former owners shared; until then nobody is shown it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sequence = -1

    async def erase(self) -> int:
        """Of how many agents. Raises what the store does; what was not done is done the next time."""
        terminals_of, sequence = await asyncio.to_thread(self._others)
        ended = 0
        for id in terminals_of:
            ended += await self._desk.write(
                lambda transaction, id=id: end_of_others(transaction, id, Who(self._desk.clock.now(), BY))  # type: ignore[misc]
            )
        self._sequence = sequence
        return ended

    def _others(self) -> tuple[list[str], int]:
        """Terminals of which somebody shares who owns them no more; and how far the journal was read."""
        store = self._desk.store
        head, _ = store.head()
        if 0 <= self._sequence <= head and not store.journal(self._sequence, 1, _NEW_OWNER):
            return [], head
        ones = [one.thing for one in store.things(sharing.ROOM) if one.thing.state is SharingState.SHARED]
        with store.reading() as reader:
            now = reader.get_all(terminals.ROOM, {one.terminal for one in ones})
        return [one.terminal for one in ones if now[one.terminal].thing.owner != one.owner], head
