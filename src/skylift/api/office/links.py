"""Links with a token: besides the scenario's terminals those of the office that one may read, and why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.api.errors import problem
from skylift.api.office.desk import holder_of
from skylift.api.office.door import Call, Door, Parameter, answer
from skylift.api.office.problems import Missing, missing
from skylift.api.office_slot import Ground, OfficeSlot
from skylift.api.slots import event_id, slot_of
from skylift.api.state import Kept, LiveState
from skylift.api.stream import MOST_STREAMS, LiveStream
from skylift.base.errors import Refused, Unavailable
from skylift.service.account.roles import Subject
from skylift.twin.office.verbs import Actor

MOST_AT_ONCE, AT_ONCE = 5_000, 1_000
_AT = Parameter("at", "An instant within a recent slot: ISO 8601, or microseconds since 1970.")
_TERMINAL = Parameter("terminal", "One terminal of the office, by its id; no others are given then.")
_AFTER = Parameter("after", "The `next` of the page before: the office's terminals after this id.")
_LIMIT = Parameter(
    "limit",
    f"So many of the office's terminals at most; {AT_ONCE} without it.",
    {"type": "integer", "minimum": 0, "maximum": MOST_AT_ONCE},
)
_EVENT_ID = Parameter("Last-Event-ID", "The id of the last event received.", where="header")
_LINKS = {"$ref": "#/components/schemas/Links"}
_STREAM = {"type": "string", "description": "Events `slot` with a `Links` document each."}


class Links:
    """The doors of one sky."""

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._streams: set[LiveStream] = set()

    def doors(self) -> list[Door]:
        """All of them. Without a token their paths lead to what the scenario's terminals have."""
        return [
            Door(
                "GET",
                "/api/v1/links",
                self.links,
                "The links of the scenario's terminals, and of those of the office that you may read.",
                "sky",
                {200: _LINKS},
                parameters=(_AT, _TERMINAL, _AFTER, _LIMIT),
            ),
            Door(
                "GET",
                "/api/v1/live",
                self.live,
                "The same as each slot begins, as server-sent events.",
                "sky",
                {200: {"text/event-stream": _STREAM}},
                parameters=(_EVENT_ID, _LIMIT),
            ),
        ]

    async def links(self, call: Call) -> Response:
        asked = call.request.query_params
        try:
            kept = slot_of(self._state, asked.get("at"))
        except Refused as refused:
            # As it is without a token.
            return problem(refused)
        actor, limit = call.asker(), _limit(asked.get("limit"))
        if "terminal" in asked:
            return answer(self._one(call, kept, actor, asked["terminal"]))
        after = asked.get("after", "")
        make = partial(self._document, call, kept, actor, after, limit)
        return Response(await asyncio.to_thread(make), media_type="application/json")

    async def live(self, call: Call) -> Response:
        if len(self._streams) >= MOST_STREAMS:
            raise Unavailable(
                "stream.too_many", "the live stream", f"{MOST_STREAMS} streams are open", "close some of them"
            )
        limit = _limit(call.request.query_params.get("limit"))
        try:
            last_us = event_id(call.request.headers.get("last-event-id"))
        except Refused as refused:
            return problem(refused)

        def make(kept: Kept) -> bytes:
            # Whose token has ended meanwhile is told no more: the stream breaks off, and is refused anew.
            with call.desk.store.reading() as reader:
                actor = holder_of(reader, call.token_hash, call.desk.clock.now()).actor
            return self._document(call, kept, actor, "", limit)

        return LiveStream(self._state, last_us, self._streams, make)

    def _one(self, call: Call, kept: Kept, actor: Actor, terminal: str) -> dict[str, Any]:
        slot = kept.office
        subject = call.desk.facts.subject(terminal)
        if slot is None or subject is None or not call.desk.office.allows(actor, "terminal.read", subject):
            raise missing("terminal")
        document = _header(kept)
        row = slot.row.get(terminal)
        if row is None:
            raise Missing(
                "terminal.not-in-sky",
                f"terminal {terminal}",
                "this sky does not have it: it has no home, or is on another network",
                "register it with a home cell",
            )
        if row < 0:
            scenario = self._state.need_hello().terminals[row]
            rows = [one for one in msgspec.json.decode(kept.links)["links"] if one["terminal"] == scenario]
        else:
            rows = slot.links(kept.at_us, [terminal], self._ground())
        name = rows[0]["terminal"]
        return {**document, "links": rows, "reasons": {name: slot.reasons_of(terminal)}}

    def _document(self, call: Call, kept: Kept, actor: Actor, after: str, limit: int) -> bytes:
        slot = kept.office
        if slot is None:
            return kept.links
        document: dict[str, Any] = msgspec.json.decode(kept.links, type=dict[str, msgspec.Raw])
        reasons = msgspec.json.decode(document["reasons"])
        for terminal, row in ((id, slot.row[id]) for id in slot.rows.matched if id):
            if _may_read(call, actor, terminal):
                reasons[self._state.need_hello().terminals[row]] = slot.reasons_of(terminal)
        page = list(islice(_readable(call, actor, slot, after), limit + 1))
        document["next"] = page[limit - 1] if len(page) > limit and limit else None
        page = page[:limit]
        reasons |= {id: slot.reasons_of(id) for id in page}
        rows: list[Any] = msgspec.json.decode(document["links"], type=list[msgspec.Raw])
        document["links"] = rows + slot.links(kept.at_us, page, self._ground())
        document["reasons"] = {name: why for name, why in reasons.items() if why}
        return msgspec.json.encode(document)

    def _ground(self) -> Ground:
        told = msgspec.json.decode(self._state.need_hello().gateways_document)
        return Ground([g["gateway"] for g in told["gateways"]], [p["pop"] for p in told["pops"]])


def _header(kept: Kept) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(kept.links, type=dict[str, msgspec.Raw])
    return {name: value for name, value in document.items() if name not in ("links", "reasons")}


def _may_read(call: Call, actor: Actor, terminal: str) -> bool:
    subject = call.desk.facts.subject(terminal)
    return subject is not None and call.desk.office.allows(actor, "terminal.read", subject)


def _readable(call: Call, actor: Actor, slot: OfficeSlot, after: str) -> Iterator[str]:
    if call.desk.office.allows(actor, "terminal.read", Subject()):
        return (id for id in slot.terminals if id > after)
    return (id for id in slot.terminals if id > after and _may_read(call, actor, id))


def _limit(said: str | None) -> int:
    if said is None:
        return AT_ONCE
    if not (said.isascii() and said.isdecimal() and int(said[:9]) <= MOST_AT_ONCE):
        raise Refused(
            "parameter.limit", "limit", f"it is a whole number up to {MOST_AT_ONCE:,}", "correct it"
        )
    return int(said)
