"""Commands as the journal tells of them: those that wait, and the last word to each radio."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final, NamedTuple

from skylift.adapters.sql.store import SqlStore
from skylift.base.units import US_PER_S
from skylift.ports.store import Reader, Wanted
from skylift.service.command import state as commands
from skylift.service.command.kinds import RADIO_OFF, RADIO_ON
from skylift.service.command.state import Command, CommandState
from skylift.twin.office.commands import open_commands
from skylift.twin.office.pages import every

ROWS_AT_ONCE = 5000
NAMES = tuple(event.NAME for event in commands.ROOM.events)
# Twice as long as an agent goes without a word: by then an order has reached it, or it was gone before.
REACHED_WITHIN_US: Final = 600 * US_PER_S


class Followed(ABC):
    """Commands of some kind, renewed from the journal. `catch_up` runs on a thread."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._sequence: int | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def first(self, reader: Reader) -> Iterable[Command]:
        """Those of before."""

    @abstractmethod
    def take(self, command: Command) -> None:
        """What has become of a command."""

    def catch_up(self) -> None:
        """Read what the journal tells of commands. Raises Unavailable."""
        with self._lock:
            self._catch_up()

    def _catch_up(self) -> None:
        head, _ = self._store.head()
        if head == self._sequence:
            return
        if self._sequence is None:
            with self._store.reading() as reader:
                for one in self.first(reader):
                    self.take(one)
        else:
            while rows := self._store.journal(self._sequence, ROWS_AT_ONCE, NAMES):
                with self._store.reading() as reader:
                    found = reader.get_all(commands.ROOM, {row.event.subject_id for row in rows})
                for stored in found.values():
                    self.take(stored.thing)
                self._sequence = rows[-1].sequence
        self._sequence = max(self._sequence or 0, head)


class Waiting(Followed):
    """The commands that wait for each terminal."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store)
        self._open: dict[str, dict[str, Command]] = {}

    def first(self, reader: Reader) -> Iterable[Command]:
        return [one for ones in open_commands(reader).values() for one in ones]

    def of(self, terminal: str, at: int) -> list[Command]:
        """In the order of their numbers."""
        ones = [one for one in self._open.get(terminal, {}).values() if one.waits_at(at)]
        return sorted(ones, key=lambda one: one.number)

    def take(self, command: Command) -> None:
        if command.state is CommandState.ISSUED:
            self._open.setdefault(command.terminal, {})[command.id] = command
            return
        ones = self._open.get(command.terminal, {})
        ones.pop(command.id, None)
        if not ones:
            self._open.pop(command.terminal, None)


class LastRow(NamedTuple):
    """Of a terminal: when its newest row was noted, by the board, and came, by the service."""

    at_us: int
    received_us: int
    connected: bool


class Radios(Followed):
    """The last words to each radio. What a dish is silent by may be the order that it obeyed."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store)
        # Of each terminal: the last that its dish confirmed, and the last off that nothing confirms.
        self._confirmed: dict[str, Command] = {}
        self._sent: dict[str, Command] = {}

    def first(self, reader: Reader) -> Iterable[Command]:
        kinds = sorted(kind.value for kind in RADIO_OFF | RADIO_ON)
        return [
            stored.thing for kind in kinds for stored in every(reader, commands.ROOM, Wanted(words=(kind,)))
        ]

    def __contains__(self, terminal: str) -> bool:
        return terminal in self._sent or terminal in self._confirmed

    def __len__(self) -> int:
        return len(self._sent) + len(self._confirmed)

    def take(self, command: Command) -> None:
        if command.kind not in RADIO_OFF | RADIO_ON:
            return
        done = command.state is CommandState.DONE
        _put_last(self._confirmed, command, done)
        # One that was refused at the dish, or came too late, has switched nothing off.
        open_ = command.state in (CommandState.ISSUED, CommandState.WITHDRAWN, CommandState.FAILED)
        _put_last(self._sent, command, command.kind in RADIO_OFF and open_)

    def behind(self, terminal: str, last: LastRow) -> Command | None:
        """The order by which a dish that sends no rows any more may be silent.

        One that is not confirmed: only if the last rows came when it was under way, as it goes with their
        answer. One that is: unless rows say that the dish was on again since.
        """
        confirmed, sent = self._confirmed.get(terminal), self._sent.get(terminal)
        if sent is not None and (confirmed is None or confirmed.number < sent.number):
            since_us = last.received_us - sent.issued_at
            if 0 <= since_us <= REACHED_WITHIN_US:
                return sent
        if confirmed is None or confirmed.kind in RADIO_ON:
            return None
        return None if last.connected and last.at_us > (confirmed.answered_at or 0) else confirmed


def _put_last(by_terminal: dict[str, Command], command: Command, belongs: bool) -> None:
    """Keep the one with the highest number; one that was kept and does not belong any more goes."""
    kept = by_terminal.get(command.terminal)
    if belongs and (kept is None or kept.number <= command.number):
        by_terminal[command.terminal] = command
    elif not belongs and kept is not None and kept.id == command.id:
        del by_terminal[command.terminal]
