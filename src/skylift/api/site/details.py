"""What a kind's own page shows beside what every page does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from skylift.api.office.proposals import Proposed, proposal_of
from skylift.api.office.score import score_of
from skylift.api.site.alike import duplicates_of
from skylift.api.site.cells_picture import picture_of
from skylift.api.site.command_facts import rollout_extra
from skylift.api.site.given import discrepancy_words
from skylift.api.site.history import shown as shown_value
from skylift.api.site.inside import Answer
from skylift.api.site.kinds import KINDS, standing_badge
from skylift.api.site.outage_facts import bars
from skylift.api.site.terminal_pictures import has_map, has_year
from skylift.api.site.times import Step, steps_of
from skylift.api.site.values import DAY_US, NONE, Badge, Link, Mono, Value, kind_of, named, path_of, time_of
from skylift.api.site.visit import Visit
from skylift.api.site.words import choice_label, field_label, verb_label
from skylift.base.errors import Refused
from skylift.base.labels import plural
from skylift.ports.store import Reader, Stored
from skylift.service.account.person import Person, PersonState
from skylift.service.account.roles import Subject
from skylift.service.approval.state import Approval, Standing
from skylift.service.outage.public import told_at
from skylift.service.outage.state import Outage
from skylift.service.outage.words import is_stale, sentence
from skylift.service.permission.decision import allowed_spans
from skylift.service.region.events import CHAIN, Paper
from skylift.service.region.state import Region
from skylift.service.request.state import Request
from skylift.service.shipment.state import Shipment
from skylift.service.statement.drafting import texts
from skylift.service.statement.state import Statement
from skylift.service.terminal.state import Terminal
from skylift.twin.office.approvals import about_now, standing_now
from skylift.twin.office.sharing import of_terminal

Extra = Callable[[Visit, Stored[Any]], Awaitable[dict[str, Any]]]

SOON_US = 14 * DAY_US
MOST_LINES = 500
LANGUAGES = {"en": "English", "uk": "Ukrainian"}


# --- requests


async def _request(visit: Visit, stored: Stored[Request]) -> dict[str, Any]:
    request = stored.thing
    return {
        "score": score_of(request, visit.now_us) if request.is_open else None,
        "times": await _times(visit, request),
        "alike": await duplicates_of(visit, request) if request.is_open else [],
    }


async def _times(visit: Visit, request: Request) -> list[Step] | None:
    """The four times of one call; None while they are not known yet."""
    measured = await visit.desk.milestones.now()
    found = None if measured is None else measured.of(request.id)
    return None if found is None else steps_of(found, visit.now_us)


# --- regions


async def _region(visit: Visit, stored: Stored[Region]) -> dict[str, Any]:
    region, now = stored.thing, visit.now_us
    spans = allowed_spans(region)
    return {
        "papers": [_paper(region, paper, now) for paper in CHAIN],
        "temporary": _paper(region, Paper.TEMPORARY, now),
        "lacking": [choice_label(paper).lower() for paper in region.missing_papers(now)],
        "until": next((time_of(end, now) for start, end in spans if start <= now < end), None),
        "picture": picture_of(region),
    }


def _paper(region: Region, paper: Paper, now: int) -> dict[str, Any]:
    granted = region.papers.get(paper)
    row: dict[str, Any] = {
        "name": choice_label(paper),
        "authority": NONE,
        "document": NONE,
        "from": NONE,
        "until": NONE,
    }
    if granted is None:
        return row | {"state": Badge("Not granted", "calm")}
    if now < granted.valid_from:
        state = Badge("Not yet in force", "wait")
    elif now >= granted.valid_until:
        state = Badge("Has run out", "bad")
    elif granted.valid_until - now < SOON_US:
        state = Badge("Runs out soon", "warn")
    else:
        state = Badge("Holds", "good")
    return row | {
        "state": state,
        "authority": granted.authority,
        "document": granted.document,
        "from": time_of(granted.valid_from, now),
        "until": time_of(granted.valid_until, now),
    }


# --- terminals


async def _terminal(visit: Visit, stored: Stored[Terminal]) -> dict[str, Any]:
    terminal, now = stored.thing, visit.now_us
    query = visit.request.query_params
    cell = query.get("cell", "").strip()[:40] or terminal.cell
    verdict: Answer | None = None
    if cell:
        verdict = await visit.ask("POST", "may-serve", {"terminal": terminal.id, "cell": cell})
    commands = (*terminal.commands.pending, *terminal.commands.overtaken, *terminal.commands.confirmed)
    shared = await visit.desk.read(lambda reader: of_terminal(reader, terminal.id, terminal.owner))
    return {
        "cell": cell,
        "year": has_year(visit, terminal.id),
        "map": has_map(visit, terminal, shared),
        "shared": [(choice_label(kind), time_of(one.since, now)) for one in shared for kind in one.kinds],
        "verdict": verdict.document if verdict is not None and verdict.is_done else None,
        "verdict_error": verdict.error if verdict is not None and not verdict.is_done else None,
        "commands": [
            {
                "kind": choice_label(c.kind),
                "enforcer": choice_label(c.enforcer),
                "asked": time_of(c.asked_at, now),
                "confirmed": Badge("Not confirmed: not in force", "warn")
                if c.confirmed_at is None
                else time_of(c.confirmed_at, now),
                "evidence": c.evidence or NONE,
            }
            for c in sorted(commands, key=lambda c: -c.number)
        ],
        "last_error": terminal.commands.last_error,
        "to_ask": [choice_label(enforcer) for enforcer in terminal.to_ask],
    }


# --- shipments


async def _shipment(visit: Visit, stored: Stored[Shipment]) -> dict[str, Any]:
    shipment, now = stored.thing, visit.now_us
    rows = _lines(shipment)
    return {
        "lines": rows[:MOST_LINES],
        "lines_more": max(len(rows) - MOST_LINES, 0),
        # Asked for line by line, above the other verbs.
        "apart": ("shipment.receive",),
        "awaited": list(enumerate(shipment.awaited.lines()))[:MOST_LINES],
        "sums": _sums(shipment),
        "legs": [
            {
                "from": _place(leg.from_place),
                "to": _place(leg.to_place),
                "carrier": leg.carrier,
                "departed": time_of(leg.departed_at, now),
                "arrived": Badge("Ended at a border", "warn") if leg.broken else time_of(leg.arrived_at, now),
            }
            for leg in shipment.legs
        ],
        "papers": [
            (Mono(reference), paper.country, choice_label(paper.standing))
            for reference, paper in shipment.papers.items()
        ],
        "discrepancies": [
            {
                "words": discrepancy_words(d),
                "left": d.left,
                "instead": d.instead.serial or d.instead.product if d.instead is not None else "",
                "resolutions": [choice_label(resolution).lower() for resolution in d.resolutions],
            }
            for d in shipment.discrepancies
        ],
    }


def _place(code: str) -> Value:
    return named(code) if kind_of(code) else Mono(code)


_HEAPS = (
    ("awaited", "Awaited", "wait"),
    ("good", "Came, sound", "good"),
    ("damaged", "Came, damaged", "bad"),
    ("missing", "Missing", "bad"),
)


def _lines(shipment: Shipment) -> list[dict[str, Any]]:
    """What was listed and what came, each piece once, with where it stands."""
    found: list[dict[str, Any]] = []
    listed = shipment.goods
    for name, words, tone in _HEAPS:
        heap = getattr(shipment, name)
        for line in heap.lines():
            surplus = name in ("good", "damaged") and line.serial and line.serial not in listed.serials
            state = Badge(f"{words}, not on the list" if surplus else words, "warn" if surplus else tone)
            found.append(
                {"product": line.product, "serial": line.serial, "quantity": line.quantity, "state": state}
            )
    if not found:
        found = [
            {
                "product": one.product,
                "serial": one.serial,
                "quantity": one.quantity,
                "state": Badge("Listed", "calm"),
            }
            for one in listed.lines()
        ]
    return sorted(found, key=lambda row: (not row["serial"], row["serial"], row["product"]))


def _sums(shipment: Shipment) -> list[tuple[str, int]]:
    return [
        ("Listed", len(shipment.goods)),
        *((words, len(getattr(shipment, name))) for name, words, _ in _HEAPS),
    ]


# --- statements and agreements


async def _statement(visit: Visit, stored: Stored[Statement]) -> dict[str, Any]:
    statement = stored.thing
    words = statement.texts or texts(statement.claims)
    return {"texts": [(code, LANGUAGES.get(code, code), text) for code, text in words.items()]}


async def _approval(visit: Visit, stored: Stored[Approval]) -> dict[str, Any]:
    approval, now = stored.thing, visit.now_us
    verb = visit.desk.office.table.verbs.get(approval.verb)
    proposed, about, stands = await visit.desk.read(lambda reader: _read_change(reader, stored, now))
    allowed = verb is not None and _may_carry_out(visit, approval, about)
    return {
        "state": standing_badge(stands),
        "verb_says": verb.says if verb is not None else approval.verb,
        "verb_label": verb_label(approval.verb),
        "about": _about(approval.about, about),
        "proposed": None if proposed is None else _arguments(approval.verb, proposed.arguments, now),
        "known": proposed is not None,
        "hidden": _not_for(visit.who.person, approval, stands),
        "stale": stands is Standing.VOID,
        "agreed_by_me": visit.who.person in approval.people,
        "lapsed": stands is Standing.LAPSED,
        "ready": stands is Standing.AGREED and proposed is not None,
        "may_carry_out": allowed,
        "asked": "asked" in visit.request.query_params,
    }


def _not_for(person: str, approval: Approval, stands: Standing) -> list[str]:
    """What an agreement's page does not offer this person, whatever their roles."""
    may_agree = stands is Standing.OPEN and person not in approval.people
    return ([] if may_agree else ["approval.agree"]) + (
        [] if person == approval.proposer else ["approval.withdraw"]
    )


def _read_change(
    reader: Reader, stored: Stored[Approval], at: int
) -> tuple[Proposed | None, Stored[Any] | None, Standing]:
    """The change in words, what it is about where that is there by now, and how the agreement stands."""
    about = about_now(reader, stored.thing)
    there = about if about is not None and about.version and kind_of(about.id) in KINDS else None
    return proposal_of(reader, stored), there, standing_now(reader, stored.thing, at)


def _may_carry_out(visit: Visit, approval: Approval, about: Stored[Any] | None) -> bool:
    verb = visit.desk.office.verb(approval.verb)
    if about is None or verb.whose is not None:
        return visit.allows(verb.name)
    return visit.allows(verb.name, verb.subject(about.thing, None))


def _about(id: str, stored: Stored[Any] | None) -> Value:
    kind = kind_of(id)
    if stored is None or kind not in KINDS:
        return named(id)
    return Link(f"{KINDS[kind].heading(stored.thing)} ({choice_label(kind)})", path_of(kind, id))


def _arguments(verb: str, arguments: Mapping[str, Any], now: int) -> list[tuple[str, Value]]:
    return [
        (field_label(verb, name), shown_value(name, value, now))
        for name, value in arguments.items()
        if value not in ("", None, [], ())
    ]


async def carry_out(visit: Visit, stored: Stored[Approval]) -> Answer:
    """Do what everybody agreed to, word for word. Raises Refused where the words are not known any more."""
    approval = stored.thing
    proposed = await visit.desk.read(lambda reader: proposal_of(reader, stored))
    verb = visit.desk.office.verb(approval.verb)
    if proposed is None:
        raise Refused(
            "approval.words-gone",
            f"approval {approval.id}",
            "what was proposed is not kept any more",
            "propose it anew",
        )
    path = plural(verb.kind) if verb.creates else f"{plural(verb.kind)}/{approval.about}/{verb.action}"
    headers = {} if verb.creates else {"if_match": f'"{proposed.version}"'}
    return await visit.ask("POST", path, {**proposed.arguments, "approval": approval.id}, **headers)


# --- people


async def _person(visit: Visit, stored: Stored[Person]) -> dict[str, Any]:
    person = stored.thing
    active = person.state is PersonState.ACTIVE
    return {
        "invitation": None,
        "may_invite": active and visit.allows("person.create", Subject(owner=person.account)),
    }


# --- outages


async def _outage(visit: Visit, stored: Stored[Outage]) -> dict[str, Any]:
    outage, at = stored.thing, visit.desk.clock.now()
    return {
        "bars": bars(outage),
        "texts": [
            (code, language, sentence(outage, code, is_stale(outage, at)))
            for code, language in LANGUAGES.items()
        ],
        "is_public": bool(told_at([(outage, at)], at)),
    }


DETAILS: Mapping[str, Extra] = {
    "request": _request,
    "region": _region,
    "terminal": _terminal,
    "shipment": _shipment,
    "statement": _statement,
    "outage": _outage,
    "approval": _approval,
    "person": _person,
    "rollout": rollout_extra,
}
