"""May it be served, what time is it, and the journal as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skylift.adapters.clock import WallClock
from skylift.api.office.desk import Desk, holder_of
from skylift.api.office.door import Call, Door, Parameter, answer, instant, read_as
from skylift.api.office.shapes import Advance, ClockShown, Question, Reason, Verdict
from skylift.api.stream import HEARTBEAT_S, MOST_STREAMS, RETRY_MS, SEND_WITHIN_S
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.events import Event, to_payload
from skylift.base.instants import format_instant
from skylift.base.things import Room
from skylift.base.units import US_PER_S
from skylift.ports.store import JournalRow, Reader
from skylift.service.account.roles import Subject
from skylift.service.region.decide import CELL_RESOLUTION, is_cell
from skylift.service.rooms import ROOMS
from skylift.twin.office.verbs import Actor

ROWS_AT_ONCE = 500
# Another process may write; its rows are looked for this often.
LOOK_EVERY_S = 1.0
LONGEST_ADVANCE_S = 366 * 86_400

_ROOM_OF: dict[type[Event], Room[Any]] = {kind: room for room in ROOMS for kind in room.events}
# What speaks of people and of what was read about them is the auditor's.
_AUDITED = frozenset({"access", "erasure", "token"})
# A terminal that somebody may not know of is answered for as if there were none.
_NOBODYS = "trm_"

_EVENT_ID = Parameter("Last-Event-ID", "The sequence number of the last event received.", where="header")
_AFTER = Parameter(
    "after", "As Last-Event-ID; 0 for all from the beginning.", {"type": "integer", "minimum": 0}
)
_STREAM = {
    "type": "string",
    "description": "Events whose id is their sequence number, and whose data is JSON.",
}


def doors() -> list[Door]:
    """All of them."""
    return [
        Door(
            "POST",
            "/api/v1/may-serve",
            may_serve,
            "May this terminal be served in this cell?",
            "permission",
            {200: Verdict},
            Question,
        ),
        Door("GET", "/api/v1/clock", clock_shown, "What time the service has.", "clock", {200: ClockShown}),
        Door(
            "POST",
            "/api/v1/clock",
            advance,
            "Let a simulated clock leap ahead, stand still, or go on.",
            "clock",
            {200: ClockShown},
            Advance,
        ),
        Door(
            "GET",
            "/api/v1/events",
            events,
            "The journal as it grows, as server-sent events.",
            "journal",
            {200: {"text/event-stream": _STREAM}},
            parameters=(_EVENT_ID, _AFTER),
        ),
    ]


async def may_serve(call: Call) -> Response:
    given: Question = read_as(Question, await call.body())
    desk, actor = call.desk, call.asker()
    at = desk.clock.now() if given.at is None else instant(given.at, "field 'at'")
    if not is_cell(given.cell):
        raise Refused(
            "may-serve.cell",
            "field 'cell'",
            f"it is an H3 cell of resolution {CELL_RESOLUTION}, such as 851e6387fffffff",
            "give the cell, or its parent, of that resolution",
        )
    permissions = await desk.facts.permissions()
    subject = desk.facts.subject(given.terminal)
    if not _somewhere(desk, actor):
        desk.office.refuse_strangers(actor, "terminal.read", Subject())
    known = subject is not None and desk.office.allows(actor, "terminal.read", subject)
    decision = permissions.may_serve(given.terminal if known else _NOBODYS, given.cell, at)
    reasons = tuple(Reason(why.code.value, why.authority, why.would_change) for why in decision.reasons)
    return answer(Verdict(decision.allowed, reasons, decision.cap_bps, at))


def _somewhere(desk: Desk, actor: Actor) -> bool:
    """Whether there is any terminal that the actor might read."""
    subjects = (Subject(owner=actor.account), *(Subject(r) for grant in actor.grants for r in grant.regions))
    return any(desk.office.allows(actor, "terminal.read", subject) for subject in (Subject(), *subjects))


async def clock_shown(call: Call) -> Response:
    clock = call.desk.clock
    now = clock.now()
    kind = type(clock).__name__.removesuffix("Clock").lower()
    return answer(ClockShown(format_instant(now), now, kind, clock.speed, clock.paused))


async def advance(call: Call) -> Response:
    given: Advance = read_as(Advance, await call.body())
    desk = call.desk
    actor = (await desk.read(lambda reader: holder_of(reader, call.token_hash, desk.clock.now()))).actor
    desk.office.refuse_strangers(actor, "clock.advance", Subject())
    if isinstance(desk.clock, WallClock) or desk.advance is None:
        raise Refused(
            "clock.wall", "the clock", "it is the wall's, which nobody sets", "run with --clock simulated"
        )
    if not 0 <= given.advance_s <= LONGEST_ADVANCE_S:
        raise Refused("clock.advance", "advance_s", "a clock leaps ahead, by at most 366 days", "correct it")
    if given.paused is not None:
        (desk.clock.pause if given.paused else desk.clock.go_on)()
    desk.advance(int(given.advance_s * US_PER_S))
    desk.forget()
    return await clock_shown(call)


# --- the journal


async def events(call: Call) -> Response:
    said = call.request.headers.get("last-event-id") or call.request.query_params.get("after")
    if said is not None and not (said.isascii() and said.isdecimal() and len(said) <= 18):
        raise Refused(
            "parameter.event-id",
            "Last-Event-ID",
            "an event's id is a whole number",
            "send the id as it was received",
        )
    if len(_STREAMS) >= MOST_STREAMS:
        raise Unavailable(
            "stream.too_many", "the journal's stream", f"{MOST_STREAMS} are open", "close some of them"
        )
    after = int(said) if said is not None else (await asyncio.to_thread(call.desk.store.head))[0]
    return JournalStream(call, after)


_STREAMS: set[JournalStream] = set()


class JournalStream(Response):
    """Rows to one reader, each once and in order; nothing is queued, the journal itself is read."""

    def __init__(self, call: Call, after: int) -> None:
        super().__init__(media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._call, self._after = call, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _STREAMS.add(self)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for chunk in chunks(self._call, self._after):
                if gone.done():
                    return
                body = {"type": "http.response.body", "body": chunk, "more_body": True}
                async with asyncio.timeout(SEND_WITHIN_S):
                    await send(body)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # A reader that does not read: the connection is closed by leaving the response unfinished.
            return
        finally:
            gone.cancel()
            _STREAMS.discard(self)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def chunks(call: Call, after: int) -> AsyncIterator[bytes]:
    """The rows after a sequence number that the asker may read, for as long as their token works."""
    desk = call.desk
    yield b"retry: %d\n\n" % RETRY_MS
    quiet_s = 0.0
    while not desk.closed:
        try:
            rows, shown = await asyncio.to_thread(_rows, desk, call.token_hash, after)
        except SkyliftError:
            # The token has ended, or the store is away: the reader comes back, and is told.
            return
        if shown:
            yield b"".join(shown)
            quiet_s = 0.0
        if rows:
            after = rows[-1].sequence
            continue
        quiet_s += LOOK_EVERY_S
        if quiet_s >= HEARTBEAT_S:
            yield b": still here\n\n"
            quiet_s = 0.0
        await desk.changed(LOOK_EVERY_S)


def _rows(desk: Desk, hashed: str, after: int) -> tuple[Sequence[JournalRow], list[bytes]]:
    rows = desk.store.journal(after, ROWS_AT_ONCE)
    with desk.store.reading() as reader:
        actor = holder_of(reader, hashed, desk.clock.now()).actor
        return rows, [_event(row) for row in rows if may_hear(desk, reader, actor, row.event)]


def may_hear(desk: Desk, reader: Reader, actor: Actor, event: Event) -> bool:
    """Whether somebody may know of an event: an auditor of all, others of the things that they may read."""
    allows = desk.office.allows
    if allows(actor, "audit.read", Subject()):
        return True
    room = _ROOM_OF[type(event)]
    if room.kind in _AUDITED:
        return False
    if allows(actor, f"{room.kind}.read", Subject()):
        return True
    stored = reader.get(room, event.subject_id)
    if stored is None:
        return False
    facets = room.at_a_glance(stored.thing)
    return allows(actor, f"{room.kind}.read", Subject(facets.region, facets.owner))


def _event(row: JournalRow) -> bytes:
    event = row.event
    told = to_payload(event)
    told.pop("hash", None)
    document = {
        "sequence": row.sequence,
        "at": format_instant(event.at),
        "at_us": event.at,
        "name": event.NAME,
        "subject": event.subject_id,
        "by": event.by,
        "cause": event.cause_id,
        "version": row.version,
        "told": told,
        "hash": row.hash,
    }
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        row.sequence,
        event.NAME.encode(),
        msgspec.json.encode(document),
    )
