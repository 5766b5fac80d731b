"""What permission knows, kept in memory and renewed from the journal by its sequence number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from skylift.adapters.sql.store import SqlStore
from skylift.base.events import Event
from skylift.base.things import Room
from skylift.service.account import account as account_room
from skylift.service.account import plan as plan_room
from skylift.service.account.roles import Subject
from skylift.service.permission.decision import AccountFacts, Permissions, TerminalFacts
from skylift.service.region import state as region_room
from skylift.service.terminal import state as terminal_room
from skylift.service.terminal.allow_list import state as list_room
from skylift.twin.office.permits import InForce, account_facts, terminal_facts

ROWS_AT_ONCE = 5000
# Another process may have written; beyond this the journal is looked at before an answer.
LOOK_AGAIN_S = 1.0

# Plans before accounts, which look at them; terminals after all whose country or lists rule them.
_ROOMS: tuple[Room[Any], ...] = (
    plan_room.ROOM,
    account_room.ROOM,
    region_room.ROOM,
    list_room.ROOM,
    terminal_room.ROOM,
)
_KIND_OF: dict[type[Event], str] = {kind: room.kind for room in _ROOMS for kind in room.events}
_ORDER = {room.kind: (order, room) for order, room in enumerate(_ROOMS)}


@dataclass(slots=True)
class _Known:
    """Of each kind, by id."""

    terminals: dict[str, TerminalFacts] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    accounts: dict[str, AccountFacts] = field(default_factory=dict)
    plain_accounts: dict[str, account_room.Account] = field(default_factory=dict)
    plans: dict[str, plan_room.Plan] = field(default_factory=dict)
    regions: dict[str, region_room.Region] = field(default_factory=dict)
    lists: dict[str, list_room.AllowList] = field(default_factory=dict)
    in_force: InForce = field(default_factory=lambda: InForce(()))

    def take(self, kind: str, thing: Any) -> None:
        match kind:
            case "terminal":
                where = self.regions.get(thing.region) or self.plain_accounts.get(thing.owner)
                country = where.country if where else ""
                self.terminals[thing.id] = terminal_facts(thing, self.in_force, country)
                self.subjects[thing.id] = Subject(thing.region, thing.owner)
            case "account":
                self.plain_accounts[thing.id] = thing
                self.accounts[thing.id] = account_facts(thing, self.plans)
            case "plan":
                self.plans[thing.id] = thing
                for account in self.plain_accounts.values():
                    if account.plan == thing.id:
                        self.accounts[account.id] = account_facts(account, self.plans)
            case "region":
                self.regions[thing.id] = thing
            case "allow-list":
                self.lists[thing.id] = thing
                self.in_force = InForce(self.lists.values())


class Facts:
    """A snapshot for `may_serve`; asking it touches no store.

    behind  whether something may have been written since; whoever writes sets it
    """

    def __init__(self, store: SqlStore) -> None:
        self.behind = True
        self._store = store
        self._known = _Known()
        self._permissions = Permissions({}, {}, ())
        self._sequence: int | None = None
        self._looked_s = -1.0
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "facts")

    async def permissions(self) -> Permissions:
        """As of all that was written before this call."""
        while self.behind or time.monotonic() > self._looked_s + LOOK_AGAIN_S:
            async with self._one_at_a_time:
                if self.behind or time.monotonic() > self._looked_s + LOOK_AGAIN_S:
                    self.behind = False
                    try:
                        await asyncio.get_running_loop().run_in_executor(self._thread, self._catch_up)
                    except BaseException:
                        self.behind = True
                        raise
                    self._looked_s = time.monotonic()
        return self._permissions

    def subject(self, terminal_id: str) -> Subject | None:
        """Whose a terminal is; None for one that is not known."""
        return self._known.subjects.get(terminal_id)

    def close(self) -> None:
        self._thread.shutdown()

    def _catch_up(self) -> None:
        if self._sequence is None:
            # The head first: what is written meanwhile is read once more, which changes nothing.
            self._sequence, _ = self._store.head()
            for room in _ROOMS:
                for stored in self._store.things(room):
                    self._known.take(room.kind, stored.thing)
            self._rebuild()
        while rows := self._store.journal(self._sequence, ROWS_AT_ONCE):
            kinds = ((_KIND_OF.get(type(row.event)), row.event.subject_id) for row in rows)
            self._renew({(kind, id) for kind, id in kinds if kind is not None})
            self._sequence = rows[-1].sequence

    def _renew(self, changed: Iterable[tuple[str, str]]) -> None:
        anew = lists = False
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
