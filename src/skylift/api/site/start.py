"""The start page: the four times that count, and what waits for whoever looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from skylift.api.office.documents import readable
from skylift.api.office.problems import missing
from skylift.api.office.score import Shown, score_of
from skylift.api.site.details import carry_out
from skylift.api.site.inside import Answer
from skylift.api.site.kinds import KINDS, approval_heading, link_to
from skylift.api.site.things import Tried, came_of, shown, the_thing
from skylift.api.site.times import steps_of, tiles
from skylift.api.site.titles import render
from skylift.api.site.values import DAY_US, NONE, Badge, Link, Value, away, named, path_of, time_of
from skylift.api.site.visit import Visit
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.service.approval.state import Approval
from skylift.service.permission.decision import allowed_spans
from skylift.service.region.state import Region
from skylift.service.request.state import Request, RequestState
from skylift.twin.office.approvals import CAN_BE_CARRIED_OUT, standing_now

SHOWN = 6
LOOKED_AT = 200
SOON_US = 14 * DAY_US
# So many of the newest calls are measured for the tiles: a page is no report.
MEASURED = 2000
TRIAGED = 500


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that waits."""

    link: Link
    says: Value
    state: Badge


@dataclass(frozen=True, slots=True)
class Pile:
    """Things that wait for the same. more: beyond those shown; "+" where nobody counted further."""

    title: str
    to: str
    tasks: list[Task]
    count: str


async def start(visit: Visit) -> Response:
    measured = await visit.desk.milestones.now()
    calls = [] if measured is None else await _measured(visit, measured.latest(MEASURED))
    now = visit.now_us
    return await render(
        visit,
        "start.html",
        title="Start",
        piles=await visit.desk.read(lambda reader: piles(visit, reader)),
        tiles=tiles(calls, now) if visit.allows("request.read") else None,
        reading=measured is None,
        cut=len(calls) >= MEASURED,
        measured=MEASURED,
        latest=[
            {"link": Link(title, path_of("request", found.request)), "steps": steps_of(found, now)}
            for found, title in await _titles(visit, list(reversed(calls))[:5])
        ],
    )


async def _measured(visit: Visit, found: list[Any]) -> list[Any]:
    """Those of calls that the visitor may read; by their region alone, which is what roles are limited to."""
    office, actor = visit.desk.office, visit.who
    allowed: dict[str, bool] = {}
    for one in found:
        if one.region not in allowed:
            allowed[one.region] = office.allows(actor, "request.read", Subject(region=one.region))
    return [one for one in found if allowed[one.region] and not one.merged_into]


async def _titles(visit: Visit, found: list[Any]) -> list[tuple[Any, str]]:
    page = KINDS["request"]

    def read(reader: Reader) -> list[tuple[Any, str]]:
        things = [(one, reader.get(page.room, one.request)) for one in found]
        return [(one, page.heading(stored.thing)) for one, stored in things if stored is not None]

    return await visit.desk.read(read)


def piles(visit: Visit, reader: Reader) -> list[Pile]:
    """What waits for this visitor, by what it waits for; nothing that they could not do."""
    found = [_to_agree(visit, reader), _to_carry_out(visit, reader), _proposed(visit, reader)]
    for title, kind, status, verb in _WAITING:
        found.append(_pile(visit, reader, title, kind, status, verb))
    found.append(_running_out(visit, reader))
    return [pile for pile in found if pile is not None and pile.tasks]


_WAITING = (
    ("Drafts: does anybody need this?", "request", "draft", "request.confirm"),
    ("Calls that nobody has read", "request", "received", "request.acknowledge"),
    ("Calls to verify, accept or refuse", "request", "acknowledged", "request.accept"),
    ("Promised, and not there yet", "request", "accepted", "request.answer"),
    ("Regions that wait for your word", "region", "requested", "region.grant"),
    ("Allowed, and not switched on", "region", "authorised", "region.activate"),
    ("Shipments to unpack", "shipment", "arrived", "shipment.receive"),
    ("Received: confirm, resolve, close", "shipment", "received", "shipment.confirm"),
    ("Terminals to verify", "terminal", "registered", "terminal.verify"),
    ("Statements to publish", "statement", "drafted", "statement.publish"),
)


def _pile(visit: Visit, reader: Reader, title: str, kind: str, status: str, verb: str) -> Pile | None:
    if not visit.allows(verb):
        return None
    page = KINDS[kind]
    seen = reader.list(page.room, Wanted(status=status, limit=LOOKED_AT))
    mine = [one for one in seen if _mine(visit, page.room, one, verb)]
    now = visit.now_us
    tasks = [
        Task(link_to(kind, one.thing), _says(kind, one.thing, now), page.badge(one.thing, now))
        for one in mine
    ]
    return _cut(title, f"{path_of(kind)}?status={status}", tasks, len(seen) == LOOKED_AT)


def _mine(visit: Visit, room: Any, stored: Stored[Any], verb: str) -> bool:
    facets = room.facets(stored.thing)
    return readable(visit.desk.office, visit.who, room, stored.thing) and visit.allows(
        verb, Subject(facets.region, facets.owner)
    )


def _says(kind: str, thing: Any, now: int) -> Value:
    match kind:
        case "request":
            return away(thing.asked_at, now)
        case "shipment" | "terminal":
            return named(thing.region)
        case "region":
            return str(thing.country)
    return NONE


def _cut(title: str, to: str, tasks: list[Task], is_more: bool) -> Pile:
    return Pile(title, to, tasks[:SHOWN], f"{len(tasks):,}{'+' if is_more else ''}")


def _open_approvals(visit: Visit, reader: Reader) -> list[Stored[Approval]]:
    page, now = KINDS["approval"], visit.now_us
    found = reader.list(page.room, Wanted(status="open", limit=LOOKED_AT))
    office, actor = visit.desk.office, visit.who
    return [
        one
        for one in found
        if readable(office, actor, page.room, one.thing)
        and standing_now(reader, one.thing, now) in CAN_BE_CARRIED_OUT
    ]


def _task(visit: Visit, stored: Stored[Approval]) -> Task:
    approval, now = stored.thing, visit.now_us
    link = Link(approval_heading(approval), path_of("approval", stored.id))
    return Task(link, named(approval.about), KINDS["approval"].badge(approval, now))


def _to_agree(visit: Visit, reader: Reader) -> Pile | None:
    if not visit.allows("approval.agree"):
        return None
    mine = [
        one
        for one in _open_approvals(visit, reader)
        if not one.thing.is_agreed and visit.who.person not in one.thing.people
    ]
    return _cut(
        "Changes that wait for your word", "/approvals?status=open", [_task(visit, o) for o in mine], False
    )


def _to_carry_out(visit: Visit, reader: Reader) -> Pile | None:
    ready = [
        one for one in _open_approvals(visit, reader) if one.thing.is_agreed and visit.allows(one.thing.verb)
    ]
    return _cut(
        "Agreed, to be carried out", "/approvals?status=open", [_task(visit, one) for one in ready], False
    )


def _proposed(visit: Visit, reader: Reader) -> Pile | None:
    tasks = [
        _task(visit, one)
        for one in _open_approvals(visit, reader)
        if not one.thing.is_agreed and one.thing.proposer == visit.who.person
    ]
    return _cut("Yours, waiting for a second person", "/approvals?status=open", tasks, False)


def _running_out(visit: Visit, reader: Reader) -> Pile | None:
    """Regions that are on, whose papers allow it for two weeks more at most."""
    page, now = KINDS["region"], visit.now_us
    tasks = []
    for one in reader.list(page.room, Wanted(status="active", limit=LOOKED_AT)):
        region: Region = one.thing
        if not readable(visit.desk.office, visit.who, page.room, region):
            continue
        until = next((end for start, end in allowed_spans(region) if start <= now < end), None)
        if until is None or until - now < SOON_US:
            badge = Badge("Papers are missing", "bad") if until is None else Badge("Runs out soon", "warn")
            tasks.append(Task(link_to("region", region), time_of(until, now), badge))
    return _cut("Papers that run out", "/regions?status=active", tasks, False)


# --- triage


@dataclass(frozen=True, slots=True)
class Scored:
    link: Link
    state: Badge
    score: Shown
    facts: list[Value]


async def triage(visit: Visit) -> Response:
    """Open calls by their score; each says what it is made of."""
    page, now = KINDS["request"], visit.now_us
    office, actor = visit.desk.office, visit.who
    if not visit.allows("request.read"):
        office.refuse_strangers(actor, "request.read", Subject())

    def read(reader: Reader) -> tuple[list[Request], bool]:
        found: list[Request] = []
        cut = False
        for state in (RequestState.RECEIVED, RequestState.ACKNOWLEDGED):
            rows = reader.list(page.room, Wanted(status=state.value, limit=TRIAGED))
            cut |= len(rows) == TRIAGED
            found += [one.thing for one in rows if readable(office, actor, page.room, one.thing)]
        return found, cut

    found, cut = await visit.desk.read(read)
    scored = [
        Scored(link_to("request", one), page.badge(one, now), score_of(one, now), list(page.row(one, now)))
        for one in found
    ]
    scored.sort(key=lambda one: (-one.score.points, one.link.to))
    return await render(
        visit,
        "triage.html",
        title="Triage",
        scored=scored[:100],
        looked_at=len(scored),
        cut=cut,
        columns=page.columns,
    )


# --- agreements


async def carry_out_page(visit: Visit) -> Response:
    """Do what was agreed to."""
    page = KINDS["approval"]
    stored = await the_thing(visit, page, visit.request.path_params["id"])
    answer: Answer = await carry_out(visit, stored)
    verb = visit.desk.office.verb(stored.thing.verb)
    if answer.is_done:
        return await came_of(visit, KINDS[verb.kind], verb, answer, Tried(verb.name))
    if answer.status == 404:
        raise missing(verb.kind)
    return await shown(visit, page, stored.id, Tried("", error=answer.error, status=answer.status))


# --- people


async def invite_page(visit: Visit) -> Response:
    """A link by which a person sets their own login, shown once."""
    page = KINDS["person"]
    stored = await the_thing(visit, page, visit.request.path_params["id"])
    answer = await visit.ask("POST", f"persons/{stored.id}/invite", {})
    if not answer.is_done:
        return await shown(visit, page, stored.id, Tried("", error=answer.error, status=answer.status))
    base = str(visit.request.base_url).rstrip("/")
    invitation = {
        "url": f"{base}/setup?code={answer.document['code']}",
        "until": time_of(answer.document["expires_at"], visit.now_us),
    }
    return await shown(visit, page, stored.id, invitation=invitation)
