"""Reading one thing, and lists of them page by page: only what the asker may read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.api.office.documents import document, etag, readable
from skylift.api.office.door import Call, Parameter, answer
from skylift.api.office.exports import csv_list
from skylift.api.office.problems import missing
from skylift.api.office.proposals import proposal_of
from skylift.base.errors import Refused
from skylift.base.things import Room
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import REACHES, Reach, Subject
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.service.approval.state import Approval, Standing
from skylift.service.command.rollout import ROOM as ROLLOUTS
from skylift.twin.office.approvals import standing_now
from skylift.twin.office.commands import healths_of
from skylift.twin.office.office import Office
from skylift.twin.office.verbs import Actor

LIMIT, MOST = 100, 1000
# How many things one request for a list looks at, however few of them its asker may read.
MOST_LOOKED_AT = 10_000
LIST_PARAMETERS = (
    Parameter("status", "Only those in this state."),
    Parameter("region", "Only those of this region."),
    Parameter("owner", "Only those of this account."),
    Parameter("q", "Only those with these words in id, keys or other words, in any case."),
    Parameter(
        "order",
        "Which come first: those that were begun first, or last.",
        {"type": "string", "enum": ["oldest", "newest"], "default": "oldest"},
    ),
    Parameter("cursor", "The `next` of the page before, of the same order."),
    Parameter(
        "limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}
    ),
    Parameter(
        "format",
        "csv: all of them as one table, whatever `cursor` and `limit` say.",
        {"type": "string", "enum": ["json", "csv"], "default": "json"},
    ),
)


def read_one(room: Room[Any]) -> Callable[[Call], Awaitable[Response]]:
    def look(reader: Reader, at: int, id: str) -> tuple[Stored[Any] | None, dict[str, Any]]:
        stored = reader.get(room, id)
        if stored is not None and room is ROLLOUTS:
            return stored, {"went": msgspec.to_builtins(healths_of(stored.thing, reader, at))}
        if stored is None or room is not APPROVALS:
            return stored, {}
        proposed = proposal_of(reader, stored)
        # What somebody is asked to agree to, word for word; null once it is not kept any more.
        return stored, stands(reader, stored, at) | {
            "proposed": None if proposed is None else proposed.arguments
        }

    async def handle(call: Call) -> Response:
        at = call.desk.clock.now()
        stored, more = await call.desk.read(lambda reader: look(reader, at, call.id))
        if stored is None or not readable(call.desk.office, call.asker(), room, stored.thing):
            raise missing(room.kind)
        return answer({**document(room, stored), **more}, ETag=etag(stored.version))

    return handle


def stands(reader: Reader, stored: Stored[Approval], at: int) -> dict[str, Any]:
    """How an agreement stands now; void: what it is about was changed since, to agree would lead nowhere."""
    standing = standing_now(reader, stored.thing, at)
    return {"stands": standing.value, "void": standing is Standing.VOID}


def read_list(room: Room[Any]) -> Callable[[Call], Awaitable[Response]]:
    def look(
        reader: Reader, office: Office, actor: Actor, wanted: Wanted, at: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        found, following = page_of(reader, office, actor, room, wanted)
        if room is APPROVALS:
            return [{**document(room, one), **stands(reader, one, at)} for one in found], following
        return [document(room, one) for one in found], following

    async def handle(call: Call) -> Response:
        actor, office = call.asker(), call.desk.office
        wanted = _wanted(call)
        reach = f"{room.kind}.read"
        if actor.scopes and reach not in actor.scopes:
            # Says why, rather than that there is nothing.
            office.refuse_strangers(actor, reach, Subject())
        wanted = only_own(actor, wanted)
        if _as_csv(call):
            return await csv_list(call, room, replace(wanted, after="", newest=False))
        items, following = await call.desk.read(
            lambda reader: look(reader, office, actor, wanted, call.desk.clock.now())
        )
        return answer({"items": items, "next": following})

    return handle


def _as_csv(call: Call) -> bool:
    return _one_of(call, "format", "json", "csv") == "csv"


def _one_of(call: Call, name: str, usual: str, other: str) -> str:
    said = call.request.query_params.get(name, usual)
    if said not in {usual, other}:
        raise Refused(
            f"parameter.{name}", f"parameter '{name}'", f"it is {usual} or {other}", "write one of these"
        )
    return said


def only_own(actor: Actor, wanted: Wanted) -> Wanted:
    """The same question for what the store can choose by itself, for those who may read little."""
    reaches = {REACHES[grant.role] for grant in actor.grants}
    if reaches == {Reach.OWN} and not wanted.owner:
        return replace(wanted, owner=actor.account)
    regions = {region for grant in actor.grants for region in grant.regions}
    if (
        actor.grants
        and all(grant.regions for grant in actor.grants)
        and len(regions) == 1
        and not wanted.region
    ):
        return replace(wanted, region=min(regions))
    return wanted


def page_of(
    reader: Reader, office: Office, actor: Actor, room: Room[Any], wanted: Wanted
) -> tuple[list[Stored[Any]], str | None]:
    """What the asker may read of it, and the cursor of the next page; None where there is no more."""
    found: list[Stored[Any]] = []
    after, looked_at = wanted.after, 0
    while True:
        ask = replace(wanted, after=after, limit=wanted.limit + 1)
        page = reader.list(room, ask)
        for stored in page[: wanted.limit]:
            if len(found) == wanted.limit:
                return found, _cursor(after)
            after = stored.id
            if readable(office, actor, room, stored.thing):
                found.append(stored)
        looked_at += len(page)
        if len(page) <= wanted.limit:
            return found, None
        if len(found) == wanted.limit or looked_at >= MOST_LOOKED_AT:
            return found, _cursor(after)


def _wanted(call: Call) -> Wanted:
    query = call.request.query_params
    limit = query.get("limit", str(LIMIT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 6 and 1 <= int(limit) <= MOST):
        raise Refused("parameter.limit", "parameter 'limit'", f"it is 1 to {MOST}", "ask for the next page")
    texts = [query.get(name, "") for name in ("status", "region", "owner", "q")]
    if any("\0" in text or len(text) > 200 for text in texts):
        raise Refused("parameter.text", "a parameter", "it is a text of at most 200 characters", "shorten it")
    status, region, owner, q = texts
    newest = _one_of(call, "order", "oldest", "newest") == "newest"
    after = after_cursor(query.get("cursor", ""))
    return Wanted(status, region, owner, tuple(q.split()[:8]), after, int(limit), newest)


def _cursor(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def after_cursor(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = "\0"
    if len(text) > 200 or (text and not text.isprintable()):
        raise Refused(
            "parameter.cursor", "parameter 'cursor'", "it is the `next` of a page", "begin anew without it"
        )
    return text


def page_schema(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{kind}"}},
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the next page; null at the end.",
            },
        },
        "required": ["items", "next"],
    }
