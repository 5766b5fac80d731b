"""Telemetry follows the office: what was erased there goes here too, and what was used is told there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from skylift.adapters.telemetry import accounting
from skylift.adapters.telemetry.accounting import Due
from skylift.adapters.telemetry.erasures import erased_since
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.api.office.desk import Desk
from skylift.api.telemetry.new_owners import NewOwners
from skylift.api.telemetry.states import LastStates
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.ports.store import Transaction
from skylift.service.account.usage import Report
from skylift.service.terminal import state as terminals
from skylift.twin.office.usage import count_usage

log = logging.getLogger("skylift.telemetry")

# Usage is told so often, and of so many terminals in one transaction: people's writes come in between.
TELL_EVERY_S = 900.0
AT_ONCE = 50


class Following:
    """For one service. Two on one store do nothing twice: an erasure done again finds nothing."""

    def __init__(self, desk: Desk, store: TelemetrySql, states: LastStates) -> None:
        self._desk = desk
        self._store = store
        self._states = states
        self._sequence: int | None = None
        self._new_owners = NewOwners(desk)

    async def erase(self) -> int:
        """Carry out what the journal says was erased since; of how many terminals."""
        await self._new_owners.erase()
        gone, sequence = await asyncio.to_thread(self._erased)
        if not gone:
            return 0
        await asyncio.to_thread(self._store.erase, gone)
        for terminal in gone:
            self._states.forget(terminal)
        await asyncio.to_thread(accounting.note_erased, self._store.database, sequence)
        return len(gone)

    def _erased(self) -> tuple[list[str], int]:
        before = self._sequence
        if before is None:
            before = accounting.erased_through(self._store.database)
        gone, self._sequence = erased_since(self._desk.store, before)
        return gone, self._sequence

    async def tell_usage(self) -> int:
        """Tell the office what terminals used since; of how many."""
        told = 0
        while due := await asyncio.to_thread(
            accounting.due, self._store.database, self._desk.clock.now(), AT_ONCE
        ):
            await self._desk.write(lambda transaction, some=tuple(due): self._count(transaction, some))  # type: ignore[misc]
            await asyncio.to_thread(accounting.told, self._store.database, [one.terminal for one in due])
            told += len(due)
        return told

    def _count(self, transaction: Transaction, due: Sequence[Due]) -> None:
        now = self._desk.clock.now()
        for one in due:
            stored = transaction.get(terminals.ROOM, one.terminal)
            if stored is None:
                continue
            report = Report(one.number, InstantUs(one.at_us), one.down_bytes, one.up_bytes)
            try:
                count_usage(transaction, stored.thing, [report], now)
            except Refused as error:
                # It will not be taken later either; what the dish said of it stands in its history.
                log.warning("usage of a terminal is not counted: %s", error.code)
