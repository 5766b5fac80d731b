"""Calls that may be the same: found by likeness, merged by a person, who sees both side by side."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from skylift.api.office.documents import readable
from skylift.api.office.problems import missing
from skylift.api.site.kinds import KINDS, request_heading
from skylift.api.site.titles import render
from skylift.api.site.values import Link, Value, path_of, short
from skylift.api.site.visit import Visit
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.service.request.likeness import Told, alike
from skylift.service.request.state import ROOM, Request, RequestState

# So many calls are compared with one; each comparison of words takes a good part of a millisecond.
MOST_COMPARED = 300
MOST_SHOWN = 5
_OPEN = (RequestState.ACKNOWLEDGED, RequestState.RECEIVED, RequestState.ACCEPTED)


async def duplicates_of(visit: Visit, request: Request) -> list[dict[str, Any]]:
    """The likeliest, with reasons; nothing for those who merge no calls."""
    if not visit.allows("request.merge", Subject(region=request.region)):
        return []
    return await visit.desk.read(lambda reader: _likely(visit, reader, request))


def _likely(visit: Visit, reader: Reader, request: Request) -> list[dict[str, Any]]:
    others = _others(visit, reader, request)
    by_id = {one.id: one for one in others}
    # What is personal is compared here and shown nowhere: a reason says that it is the same, not what it is.
    told = [_told(visit, reader, one.thing) for one in others]
    found = alike(_told(visit, reader, request), told)
    return [
        {
            "link": Link(request_heading(by_id[like.request_id].thing), path_of("request", like.request_id)),
            "id": like.request_id,
            "short": short(like.request_id),
            "percent": round(100 * like.likeness),
            "reasons": like.reasons,
            "state": KINDS["request"].badge(by_id[like.request_id].thing, visit.now_us),
        }
        for like in found[:MOST_SHOWN]
    ]


def _others(visit: Visit, reader: Reader, request: Request) -> list[Stored[Request]]:
    found: list[Stored[Request]] = []
    for state in _OPEN:
        wanted = Wanted(status=state.value, region=request.region, limit=MOST_COMPARED)
        found += reader.list(ROOM, wanted)
    office, actor = visit.desk.office, visit.who
    return [
        one
        for one in found[:MOST_COMPARED]
        if one.id != request.id and readable(office, actor, ROOM, one.thing)
    ]


def _told(visit: Visit, reader: Reader, request: Request) -> Told:
    if not visit.allows("request.read-personal", Subject(region=request.region)):
        return Told(request)
    kept = reader.personal(request.id)
    return Told(request, *(str(kept.get(name, "")) for name in ("contact", "site", "words")))


async def side_by_side(visit: Visit) -> Response:
    """Two calls, row by row, and which goes on for both."""
    ids = [visit.request.path_params[name] for name in ("id", "other")]

    def read(reader: Reader) -> list[Stored[Request]]:
        office, actor = visit.desk.office, visit.who
        found = [reader.get(ROOM, id) for id in ids]
        return [one for one in found if one is not None and readable(office, actor, ROOM, one.thing)]

    both = await visit.desk.read(read)
    if len(both) < 2 or ids[0] == ids[1]:
        raise missing("request")
    now, page = visit.now_us, KINDS["request"]
    return await render(
        visit,
        "alike.html",
        title="The same call?",
        both=[
            {
                "id": one.id,
                "short": short(one.id),
                "link": Link(page.heading(one.thing), path_of("request", one.id)),
                "state": page.badge(one.thing, now),
                "version": one.version,
                "is_open": one.thing.is_open,
            }
            for one in both
        ],
        rows=_rows(both, now),
        may_merge=[visit.allows("request.merge", Subject(region=one.thing.region)) for one in both],
    )


def _rows(both: list[Stored[Request]], now: int) -> list[tuple[str, Value, Value, bool]]:
    """Facts of both under one name; and whether they are the same."""
    left, right = (dict(KINDS["request"].facts(one.thing, now)) for one in both)
    names = [*left, *(name for name in right if name not in left)]
    return [
        (name, left.get(name, "–"), right.get(name, "–"), left.get(name) == right.get(name)) for name in names
    ]
