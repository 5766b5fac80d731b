"""Tells webhooks what happens: reads the journal by sequence number, one subscription after its own rows.

How far each has come is written down after every event that was taken, so a crash repeats at most the one
that was on its way: each is told at least once, in order. A subscription that fails waits alone.

    look     what is to be told next, and whether it still may be
    tell     one event, signed
    note     that it was taken; or how long to wait; or that it is given up
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import msgspec

from skylift.adapters.clock import WallClock
from skylift.adapters.webhooks import Message, Sender, Told
from skylift.api.office.desk import Desk
from skylift.api.office.serving import may_hear
from skylift.base.errors import SkyliftError
from skylift.base.events import Event, Who
from skylift.base.instants import format_instant
from skylift.base.things import Room
from skylift.base.units import US_PER_S
from skylift.ports.counts import Progress
from skylift.ports.store import JournalRow, Reader, Stored, Transaction, Wanted
from skylift.service.account import person as persons
from skylift.service.rooms import ROOMS
from skylift.service.webhook import state as webhooks
from skylift.service.webhook.patience import is_enough, wait_us
from skylift.service.webhook.state import Ended, Webhook, WebhookState, wants
from skylift.twin.handle import change
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor
from skylift.twin.office.webhooks import UNTOLD

BY = "webhooks"
URL, SECRETS = "url", "webhook_secrets"
MOST_AT_ONCE = 16
ROWS_AT_ONCE, MOST_TOLD_AT_ONCE = 200, 50
ATTEMPTS_KEPT = 20
LOOK_EVERY_S = 1.0
# What was looked up is told within this time; then it is asked again whether it still may be.
TRUSTED_S = 1.0
# Rows that concern nobody are passed over in memory; so many of them are written down.
SKIPPED_KEPT = 2000

_LOG = logging.getLogger("skylift.webhooks")
_ROOM_OF: dict[type[Event], Room[Any]] = {kind: room for room in ROOMS for kind in room.events}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to tell one event: when, what HTTP said (0: nothing), and in words where nobody did."""

    sequence: int
    at: int
    status: int
    error: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class Note:
    """What is remembered of a subscription beside how far it has come.

    failures  of the event that comes next;  told  how many events were taken
    """

    rewound: int = 0
    tried_anew: int = 0
    failures: int = 0
    next_at: int = 0
    told: int = 0
    attempts: tuple[Attempt, ...] = ()

    def taken(self, attempt: Attempt) -> Self:
        return replace(
            self,
            failures=0,
            next_at=0,
            told=self.told + 1,
            attempts=(*self.attempts, attempt)[-ATTEMPTS_KEPT:],
        )

    def failed(self, attempt: Attempt, next_at: int) -> Self:
        attempts = (*self.attempts, attempt)[-ATTEMPTS_KEPT:]
        return replace(self, failures=self.failures + 1, next_at=next_at, attempts=attempts)


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be told to one subscription. version: of it, when this was looked up."""

    version: int
    sequence: int
    note: Note
    url: str = ""
    secrets: tuple[str, ...] = ()
    rows: tuple[JournalRow, ...] = ()
    scanned: int = 0
    more: bool = False
    ends: Ended | None = None
    looked_s: float = field(default_factory=time.monotonic)


def progress_name(webhook_id: str) -> str:
    return f"webhook/{webhook_id}"


def standing(reader: Reader, webhook: Webhook) -> tuple[int, Note]:
    """How far a subscription has come, as it was rewound or resumed since."""
    kept = reader.progress(progress_name(webhook.id)) or Progress(webhook.after or 0)
    note = msgspec.json.decode(kept.note, type=Note)
    sequence = kept.sequence
    if note.rewound != webhook.rewound:
        sequence = webhook.after or 0
    if note.tried_anew != webhook.tried_anew:
        note = replace(note, failures=0, next_at=0)
    return sequence, replace(note, rewound=webhook.rewound, tried_anew=webhook.tried_anew)


def body_of(row: JournalRow, kind: str, region: str) -> bytes:
    """What is told of an event: ids, kinds and times, and nothing of what it says."""
    event = row.event
    return msgspec.json.encode(
        {
            "type": event.NAME.partition("/")[0],
            "timestamp": format_instant(event.at),
            "data": {
                "sequence": row.sequence,
                "event": event.NAME,
                "kind": kind,
                "id": event.subject_id,
                "version": row.version,
                "region": region,
                "cause": event.cause_id,
            },
        }
    )


class Deliveries:
    """One task for each subscription that is active. It lives in the server's event loop.

    jitter  0 to 1 at random;  wall_s  the wall's seconds since 1970, which receivers compare stamps with
    """

    def __init__(self, desk: Desk, sender: Sender, jitter: Callable[[], float] = random.random) -> None:
        self._desk = desk
        self._sender = sender
        self._jitter = jitter
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._following: dict[str, asyncio.Task[None]] = {}
        self._grown = asyncio.Event()
        self._head = -1

    async def run(self) -> None:
        """Until it is cancelled, or the desk is closed."""
        try:
            while not self._desk.closed:
                await self._look_round()
                await self._desk.changed(LOOK_EVERY_S)
                # Many writes in a row are looked at together.
                await asyncio.sleep(0.05)
        finally:
            await self._leave_off()

    async def _leave_off(self) -> None:
        tasks = list(self._following.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._following.clear()

    async def _look_round(self) -> None:
        # Several servers may share one database: each event is told by one of them.
        if not await asyncio.to_thread(self._desk.store.lead.holds):
            await self._leave_off()
            self._head = -1
            return
        try:
            head, _ = await asyncio.to_thread(self._desk.store.head)
            if head == self._head:
                return
            active = await self._desk.read(
                lambda reader: [s.id for s in every(reader, webhooks.ROOM, Wanted(status="active"))]
            )
        except SkyliftError:
            # The store is away: those who ask are told; here it is tried again.
            return
        except Exception as error:
            # Whatever it is: others must not wait for ever.
            _LOG.error("webhooks: %s", type(error).__name__)
            return
        self._head = head
        for id in active:
            if id not in self._following or self._following[id].done():
                self._following[id] = asyncio.create_task(self._follow(id))
                self._following[id].add_done_callback(self._look_anew)
        self._grown.set()
        self._grown = asyncio.Event()

    def _look_anew(self, task: asyncio.Task[None]) -> None:
        # It may have been resumed just as its task found that it is not active.
        self._head = -1

    async def _follow(self, id: str) -> None:
        """Tell one subscription all that comes, as long as it is active."""
        scanned, version = 0, 0
        while not self._desk.closed:
            try:
                grown = self._grown
                look = await asyncio.to_thread(self._look, id, version, scanned)
                if look is None:
                    return
                if look.ends is not None:
                    await ended(self._desk, id, look.ends)
                    return
                scanned, version = await self._tell(id, look), look.version
                if not look.more and scanned >= look.scanned:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY_S):
                            await grown.wait()
            except SkyliftError:
                await asyncio.sleep(LOOK_EVERY_S)
            except Exception as error:
                # Nothing of it is repeated: it may hold the address.
                _LOG.error("webhook %s: %s", id, type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_S)

    # --- look

    def _look(self, id: str, version: int, scanned: int) -> Look | None:
        """What comes next; None where it is not active any more. On a thread of its own.

        scanned  how far its version `version` has been looked through, whatever is written down
        """
        with self._desk.store.reading() as reader:
            stored = reader.get(webhooks.ROOM, id)
            if stored is None or stored.thing.state is not WebhookState.ACTIVE:
                return None
            sequence, note = standing(reader, stored.thing)
            look = Look(stored.version, sequence, note)
            actor = actor_of(reader, stored.thing)
            url, secrets = address_of(reader, id, self._desk.clock.now())
            if actor is None:
                return replace(look, ends=Ended.NOBODY)
            if not url:
                return replace(look, ends=Ended.NO_ADDRESS)
            after = max(sequence, scanned) if stored.version == version else sequence
            rows = self._desk.store.journal(after, ROWS_AT_ONCE)
            told = [row for row in rows if self._is_told(reader, stored, actor, row.event)]
        few = told[:MOST_TOLD_AT_ONCE]
        return replace(
            look,
            url=url,
            secrets=secrets,
            rows=tuple(few),
            scanned=few[-1].sequence if len(few) < len(told) else (rows[-1].sequence if rows else after),
            more=len(rows) == ROWS_AT_ONCE or len(few) < len(told),
        )

    def _is_told(self, reader: Reader, stored: Stored[Webhook], actor: Actor, event: Event) -> bool:
        room = _ROOM_OF[type(event)]
        if room.kind in UNTOLD:
            return False
        region = _region_of(reader, room, event) if stored.thing.regions else ""
        return wants(stored.thing, event, room.kind, region) and may_hear(self._desk, reader, actor, event)

    # --- tell

    async def _tell(self, id: str, look: Look) -> int:
        """Tell what was found; how far it has come by that."""
        note = look.note
        for row in look.rows:
            if time.monotonic() > look.looked_s + TRUSTED_S and row is not look.rows[0]:
                return 0
            now = self._desk.clock.now()
            if now < note.next_at:
                # Of a simulated clock nobody knows when it will leap.
                left_s = (note.next_at - now) / US_PER_S / self._desk.clock.speed
                await asyncio.sleep(min(LOOK_EVERY_S, left_s))
                return 0
            told = await self._attempt(id, look, row)
            after = await self._note(id, look, row, (told, note))
            if after is None or after.failures:
                return 0
            note = after
        skipped = look.scanned - (look.rows[-1].sequence if look.rows else look.sequence)
        if skipped >= SKIPPED_KEPT:
            await self._write(lambda transaction: _keep(transaction, id, look.version, look.scanned, note))
        return look.scanned

    async def _attempt(self, id: str, look: Look, row: JournalRow) -> Told:
        room = _ROOM_OF[type(row.event)]
        region = await self._desk.read(lambda reader: _region_of(reader, room, row.event))
        stamp_s = WallClock().now() // US_PER_S
        message = Message(f"{id}_{row.sequence}", stamp_s, body_of(row, room.kind, region), look.secrets)
        async with self._at_once:
            return await self._sender.send(look.url, message)

    # --- note

    async def _note(self, id: str, look: Look, row: JournalRow, came: tuple[Told, Note]) -> Note | None:
        """Write down what came of an attempt; None where the subscription was changed meanwhile."""
        told, note = came
        at = self._desk.clock.now()
        attempt = Attempt(row.sequence, at, told.status, told.error, told.took_ms)
        if told.is_taken:
            after = note.taken(attempt)
            return await self._write(lambda t: _keep(t, id, look.version, row.sequence, after))
        after = note.failed(attempt, at + wait_us(note.failures + 1, self._jitter(), told.retry_after_s))
        kept = await self._write(lambda t: _keep(t, id, look.version, row.sequence - 1, after))
        if told.status == 410:
            await ended(self._desk, id, Ended.GONE, row.sequence, 410)
        elif is_enough(after.failures):
            await ended(self._desk, id, Ended.GAVE_UP, row.sequence, told.status)
        return kept

    async def _write(self, work: Callable[[Transaction], Note | None]) -> Note | None:
        # Past the desk's own way of writing: this tells nobody that there is something new.
        return await asyncio.wrap_future(self._desk.writer.submit(work))


async def ended(desk: Desk, id: str, why: Ended, sequence: int = 0, status: int = 0) -> None:
    """Nobody is told any more, and why."""

    def work(transaction: Transaction) -> None:
        def decide(webhook: Webhook) -> Sequence[Event]:
            if webhook.state is not WebhookState.ACTIVE:
                return ()
            return webhooks.disabled(webhook, Who(desk.clock.now(), BY), why, sequence, status)

        change(webhooks.ROOM, transaction, id, decide)

    await desk.write(work)


def address_of(reader: Reader, id: str, at: int) -> tuple[str, tuple[str, ...]]:
    """Where to, "" where that was erased, and the secrets that count now, the newest first."""
    kept = reader.personal(id)
    secrets = (one["secret"] for one in kept.get(SECRETS, ()) if one["until"] is None or at < one["until"])
    return str(kept.get(URL) or ""), tuple(secrets)


def _keep(transaction: Transaction, id: str, version: int, sequence: int, note: Note) -> Note | None:
    """Unless it was changed since it was looked up: then it is looked up anew, and told again if need be."""
    stored = transaction.get(webhooks.ROOM, id)
    if stored is None or stored.version != version:
        return None
    text = msgspec.json.encode(note).decode()
    transaction.keep_progress(progress_name(id), Progress(sequence, text))
    return note


def actor_of(reader: Reader, webhook: Webhook) -> Actor | None:
    """Whose rights decide what is told, as they are now; None where they may not act."""
    person = reader.get(persons.ROOM, webhook.person)
    if person is None or person.thing.state is not persons.PersonState.ACTIVE:
        return None
    return Actor(person.id, person.thing.account, person.thing.grants, webhook.scopes)


def _region_of(reader: Reader, room: Room[Any], event: Event) -> str:
    stored = reader.get(room, event.subject_id)
    return "" if stored is None else room.facets(stored.thing).region
