"""Between the office and the sky: what the sky may do before each slot, and what it did, as facts, after it.

The sky asks before it computes a slot and is told what has changed. Once the slot has begun, what it made
true is written down: what was switched on or cut off by it, and who was served for the first time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from skylift.adapters.sky_messages import Permits, PermitsWanted
from skylift.api.office.desk import Desk
from skylift.api.office_slot import BARRED
from skylift.api.state import Kept, LiveState
from skylift.base.errors import Refused, SkyliftError
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.link import WhyDown
from skylift.ports.store import Transaction
from skylift.service.permission.decision import Permissions
from skylift.service.terminal import decide
from skylift.service.terminal.state import ROOM, Terminal, apply
from skylift.twin.handle import change
from skylift.twin.office.known import Dish, Known
from skylift.twin.office.obeying import Feed, Told
from skylift.twin.permit import columns_of

log = logging.getLogger("skylift.obeying")

# On whose word it stands that a slot served a terminal, or did not.
SKY = "sys_sky"
# Facts of slots written at once: people's writes come in between.
FACTS_AT_ONCE = 200
# A server that cannot write for this many slots begins again with the newest.
MOST_WAITING = 40
_PATIENCE_S = 1.0


class Done(NamedTuple):
    """What a slot made of one terminal. asked: the command that is in force by it; "" for none."""

    terminal: str
    asked: str
    served: bool


class Obedience:
    """Lives in the event loop. `send` hands permits to the sky, and may wait for it."""

    def __init__(self, desk: Desk, state: LiveState, send: Callable[[Permits], None]) -> None:
        self._desk = desk
        self._state = state
        self._send = send
        self._feed: Feed | None = None
        self._life = 0
        self._in_turn = asyncio.Lock()
        self._waiting: dict[tuple[int, int], dict[str, Dish]] = {}
        self._answers: set[asyncio.Task[None]] = set()

    # --- before a slot

    def take(self, wanted: PermitsWanted) -> None:
        """The sky asks."""
        task = asyncio.get_running_loop().create_task(self._answer(wanted))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, wanted: PermitsWanted) -> None:
        async with self._in_turn:
            try:
                permits = await self._permits(wanted)
            except SkyliftError as error:
                # The sky goes on with what it knows, and serves nobody of ours when that grows too old.
                log.error("the sky is not told what it may do: %s: %s", error.thing, error.rule)
                held = self._state.dishes.held()
                permits = Permits(wanted.at_us, False, self._life, 0, columns_of(()), (), False, held)
            try:
                await asyncio.to_thread(self._send, permits)
            except BaseException:
                self._feed = None
                raise

    async def _permits(self, wanted: PermitsWanted) -> Permits:
        anew = wanted.anew or self._feed is None
        if anew:
            hello = self._state.need_hello()
            self._feed = Feed(dict(zip(hello.terminals, hello.cells, strict=True)))
            self._life += 1
            self._waiting.clear()
            self._state.told(self._life, self._feed.reasons)
        feed = self._feed
        assert feed is not None
        try:
            told, waiting, sequence = await self._desk.facts.ask(partial(_told, feed, wanted.at_us))
        except BaseException:
            # What it was told and what not, nobody knows now: next time all of it.
            self._feed = None
            raise
        self._waiting[self._life, sequence] = waiting
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        columns = columns_of(told.permits)
        held = self._state.dishes.held()
        return Permits(wanted.at_us, anew, self._life, sequence, columns, told.reasons, dishes=held)

    # --- after it has begun

    async def record(self) -> None:
        """Write down what each slot did, as it begins; returns when the service closes."""
        last_us: int | None = None
        while not self._state.closed:
            begun = self._state.after(-1 if last_us is None else last_us)
            for kept in begun[-MOST_WAITING:]:
                await self._record(kept)
            if begun:
                last_us = begun[-1].at_us
            elif not await self._state.changed(_PATIENCE_S) and self._state.newest_us is not None:
                # A clock that was set back: the slots that come now are earlier than those that were.
                last_us = None if last_us is not None and self._state.newest_us < last_us else last_us

    async def _record(self, kept: Kept) -> None:
        done = self.done_by(kept)
        for first in range(0, len(done), FACTS_AT_ONCE):
            if self._state.closed:
                return
            some = done[first : first + FACTS_AT_ONCE]
            try:
                await self._desk.write(partial(_write, some, kept.at_us, self._desk.clock.now()))
            except SkyliftError as error:
                # The next slot will find that it is still to be told.
                log.error("what a slot did is not written down: %s: %s", error.thing, error.rule)
                return

    def done_by(self, kept: Kept) -> list[Done]:
        """What a slot made true of what waited for it, when its permits were given."""
        slot = kept.office
        if slot is None:
            return []
        done: list[Done] = []
        for id, dish in self._waiting.get((slot.rows.life, slot.rows.sequence), {}).items():
            why = slot.why_down(id)
            let_in = why is not None and why not in BARRED
            asked = dish.asked if let_in is dish.lets_in else ""
            served = dish.unseen and why == WhyDown.UP
            if asked or served:
                done.append(Done(id, asked, served))
        return done


def _told(
    feed: Feed, at_us: int, known: Known, permissions: Permissions, sequence: int
) -> tuple[Told, dict[str, Dish], int]:
    told = feed.tell(known, permissions, at_us)
    return told, {id: known.dishes[id] for id in known.waiting}, sequence


def _write(done: Sequence[Done], slot_us: int, now_us: int, transaction: Transaction) -> None:
    who = Who(InstantUs(max(now_us, slot_us)), SKY)
    for one in done:
        change(ROOM, transaction, one.terminal, partial(_facts, one, slot_us, who))


def _facts(one: Done, slot_us: int, who: Who, terminal: Terminal) -> Sequence[Event]:
    events: list[Event] = []
    if one.asked:
        events += decide.confirmed_by_slot(terminal, who, slot_us, one.asked)
        for event in events:
            terminal = apply(terminal, event)
    if one.served:
        try:
            events += decide.served(terminal, who, InstantUs(slot_us))
        except Refused:
            # It was switched off meanwhile.
            return events
    return events
