"""One thing: how it stands, what happened to it, and what may be done with it, as forms."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from skylift.api.office.documents import plural, readable
from skylift.api.office.door import ID
from skylift.api.office.problems import missing
from skylift.api.site.details import DETAILS
from skylift.api.site.fields import Field, FieldError, fields_of, read_form, specs_of
from skylift.api.site.given import choices, filled_in, prefilled, with_more
from skylift.api.site.history import Happened, history_of
from skylift.api.site.inside import Answer
from skylift.api.site.kinds import KINDS, KindPage
from skylift.api.site.known import known_for
from skylift.api.site.placing import field_of
from skylift.api.site.related import related_to
from skylift.api.site.steps import GRAVE, NEXT, is_open
from skylift.api.site.titles import render
from skylift.api.site.values import path_of, time_of
from skylift.api.site.visit import NAMES, Visit, Work, see
from skylift.api.site.words import choice_label, field_label, verb_label
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.service.erasure import Ground
from skylift.twin.office.approvals import CAN_BE_CARRIED_OUT, standing_now
from skylift.twin.office.verbs import Verb

# Whom these are for, the thing says; what another verb's subject is, may hang on what is asked.
_BY_THING = frozenset({"terminal.accept", "terminal.decline"})


@dataclass(frozen=True, slots=True)
class VerbForm:
    """A verb as a form. next: mostly what follows; grave: not taken back easily; open: shown unfolded."""

    name: str
    label: str
    says: str
    action: str
    fields: list[Field]
    next: bool
    grave: bool
    open: bool
    two_people: bool
    error: dict[str, str] | None = None


@dataclass(slots=True)
class Tried:
    """What came of a form that was not done: shown again with what was typed, and with the reason."""

    verb: str
    given: dict[str, str] = field(default_factory=dict)
    errors: dict[str, FieldError] = field(default_factory=dict)
    error: dict[str, str] | None = None
    status: int = 422
    since: int | None = None


Extra = Callable[[Visit, Stored[Any]], Awaitable[dict[str, Any]]]


def thing_page(kind: KindPage) -> Work:
    async def show(visit: Visit) -> Response:
        return await shown(visit, kind, visit.request.path_params["id"])

    return show


# Besides verbs, what a thing's page sends forms to.
OWN_ACTIONS = frozenset({"personal", "erase", "carry-out", "invite"})


def verb_address(kind: KindPage) -> Work:
    """Whoever reads an address that a form was sent to, such as after a refusal, is told of the thing."""

    async def go(visit: Visit) -> Response:
        id, action = visit.request.path_params["id"], visit.request.path_params["action"]
        verb = visit.desk.office.table.verbs.get(f"{kind.kind}.{action}")
        if action not in OWN_ACTIONS and (verb is None or verb.creates):
            raise missing("page")
        return see(path_of(kind.kind, id))

    return go


def verb_page(kind: KindPage) -> Work:
    """Where a verb's form is sent."""

    async def do(visit: Visit) -> Response:
        id, action = visit.request.path_params["id"], visit.request.path_params["action"]
        verb = visit.desk.office.table.verbs.get(f"{kind.kind}.{action}")
        if verb is None or verb.creates:
            raise missing("page")
        stored = await the_thing(visit, kind, id)
        arguments, errors = read_form(verb, visit.form)
        await asyncio.to_thread(filled_in, verb, stored.thing, visit.form, arguments, errors)
        tried = Tried(verb.name, _given(visit), errors)
        if errors:
            return await shown(visit, kind, id, tried)
        version = visit.told("version")
        headers = once(visit)
        if version.isdecimal() and len(version) < 16:
            headers["if_match"] = f'"{version}"'
            tried.since = int(version)
        path = f"{plural(kind.kind)}/{quote(id, safe='')}/{action}"
        answer = await visit.ask("POST", path, arguments, **headers)
        return await came_of(visit, kind, verb, answer, tried)

    return do


async def came_of(visit: Visit, kind: KindPage, verb: Verb, answer: Answer, tried: Tried) -> Response:
    """Go on to the thing, or to the agreement that it waits for; or the form again, with the reason."""
    if answer.is_done:
        return see(f"{path_of(kind.kind, answer.document['id'])}?done={verb.name}")
    if answer.status == 202:
        return see(f"{path_of('approval', answer.document['approval'])}?asked=1")
    if answer.status == 404:
        raise missing(kind.kind)
    names = [spec.name for spec in specs_of(verb.arguments)]
    found = field_of(answer.error, names)
    tried.status = answer.status
    if found and answer.status != 409:
        error = answer.error
        tried.errors[found] = FieldError(field_label(verb.name, found), error["rule"], error["way_out"])
    else:
        tried.error = answer.error
    if verb.creates:
        return await new_form(visit, kind, tried)
    return await shown(visit, kind, visit.request.path_params["id"], tried)


# --- to begin a thing


def create_page(kind: KindPage) -> Work:
    async def create(visit: Visit) -> Response:
        verb = visit.desk.office.table.verbs.get(f"{kind.kind}.create")
        if verb is None:
            raise missing("page")
        if not visit.allows(verb.name):
            visit.desk.office.refuse_strangers(visit.who, verb.name, Subject())
        if visit.request.method == "GET":
            return await new_form(visit, kind)
        arguments, errors = read_form(verb, visit.form)
        await asyncio.to_thread(filled_in, verb, None, visit.form, arguments, errors)
        tried = Tried(verb.name, _given(visit), errors)
        if errors:
            return await new_form(visit, kind, tried)
        answer = await visit.ask("POST", plural(kind.kind), arguments, **once(visit))
        return await came_of(visit, kind, verb, answer, tried)

    return create


async def new_form(visit: Visit, kind: KindPage, tried: Tried | None = None) -> Response:
    verb = visit.desk.office.table.verbs[f"{kind.kind}.create"]
    names = {spec.name for spec in specs_of(verb.arguments)}
    given = {name: text for name, text in visit.request.query_params.items() if name in names}
    if tried is not None:
        given = tried.given
    known = await known_for(visit, [verb])
    return visit.render(
        "new.html",
        200 if tried is None else tried.status,
        title=verb_label(verb.name),
        kind=kind,
        list_name=NAMES[kind.kind],
        form=_form(visit, verb, f"{path_of(kind.kind)}/new", given, known, tried),
    )


# --- to show one


async def the_thing(visit: Visit, kind: KindPage, id: str) -> Stored[Any]:
    """Raises Missing where there is none, or none for this visitor."""
    stored = await visit.desk.read(lambda reader: reader.get(kind.room, id)) if ID.fullmatch(id) else None
    if stored is None or not readable(visit.desk.office, visit.who, kind.room, stored.thing):
        raise missing(kind.kind)
    return stored


async def shown(visit: Visit, kind: KindPage, id: str, tried: Tried | None = None, **more: Any) -> Response:
    """A thing's page; tried: a form on it that was not done."""
    stored = await the_thing(visit, kind, id)
    now = visit.now_us
    query = visit.request.query_params
    before = query.get("before", "")
    past = await history_of(visit, id, int(before) if before.isdecimal() and len(before) < 16 else None)
    done = query.get("done", "")
    extra = DETAILS.get(kind.kind)
    context: dict[str, Any] = {
        "title": kind.heading(stored.thing),
        "kind": kind,
        "list_name": NAMES[kind.kind],
        "id": id,
        "thing": stored.thing,
        "version": stored.version,
        "state": kind.badge(stored.thing, now),
        "facts": kind.facts(stored.thing, now),
        "forms": await forms_of(visit, kind, stored, tried),
        "history": past,
        "waiting": await _waiting(visit, id),
        "done": verb_label(done) if done in visit.desk.office.table.verbs else "",
        "tried": tried,
        "changed": _changed(past.rows, tried),
        "personal": None,
        "may_see": _may(visit, kind, stored.thing, "read-personal"),
        "may_erase": _may(visit, kind, stored.thing, "erase"),
        "apart": (),
        "related": related_to(visit, kind.kind, stored.thing),
        "grounds": [(ground.value, choice_label(ground)) for ground in Ground],
        "erased": "erased" in query,
    }
    template = "thing.html"
    if extra is not None:
        template = f"{kind.kind}.html"
        context |= await extra(visit, stored)
        hidden = context.get("hidden", ())
        context["forms"] = [form for form in context["forms"] if form.name not in hidden]
    return await render(visit, template, 200 if tried is None else tried.status, **(context | more))


async def forms_of(visit: Visit, kind: KindPage, stored: Stored[Any], tried: Tried | None) -> list[VerbForm]:
    """What this visitor may do with it as it stands; what mostly comes next first."""
    thing = stored.thing
    verbs = [
        verb
        for verb in visit.desk.office.table.of_kind(kind.kind)
        if not verb.creates and is_open(verb, thing) and _allowed(visit, verb, thing)
    ]
    if tried is not None and tried.verb and tried.verb not in [verb.name for verb in verbs]:
        # It was tried, and is not open any more: its form stays, with the reason.
        verbs.append(visit.desk.office.verb(tried.verb))
    first = NEXT.get((kind.kind, thing.state.value), ())
    verbs.sort(key=lambda v: (first.index(v.action) if v.action in first else len(first), v.name in GRAVE))
    known = await known_for(visit, verbs)
    found = []
    for verb in verbs:
        again = tried if tried is not None and tried.verb == verb.name else None
        given = again.given if again is not None else prefilled(verb, thing, visit.now_us)
        path = f"{path_of(kind.kind, stored.id)}/{verb.action}"
        found.append(_form(visit, verb, path, given, {**known, **choices(verb, thing)}, again, first))
    return found


def _form(
    visit: Visit,
    verb: Verb,
    path: str,
    given: Mapping[str, str],
    known: Mapping[str, Any],
    tried: Tried | None,
    first: tuple[str, ...] = (),
) -> VerbForm:
    return VerbForm(
        verb.name,
        verb_label(verb.name),
        verb.says,
        path,
        with_more(verb, fields_of(verb, given, known, tried.errors if tried else None), given),
        verb.action in first,
        verb.name in GRAVE,
        tried is not None,
        verb.people > 1,
        tried.error if tried else None,
    )


def _allowed(visit: Visit, verb: Verb, thing: Any) -> bool:
    if verb.name == "shipment.confirm" and visit.who.account != thing.recipient:
        return False
    if verb.name in _BY_THING or verb.whose is None:
        return visit.allows(verb.name, verb.subject(thing, None))
    return visit.allows(verb.name)


def _may(visit: Visit, kind: KindPage, thing: Any, action: str) -> bool:
    facets = kind.room.facets(thing)
    return visit.allows(f"{kind.kind}.{action}", Subject(facets.region, facets.owner))


async def _waiting(visit: Visit, id: str) -> list[dict[str, Any]]:
    """Agreements about this thing that are not done with, and can still be carried out."""
    page, now = KINDS["approval"], visit.now_us
    wanted = Wanted(status="open", words=(id.casefold(),), limit=20)

    def look(reader: Reader) -> list[Stored[Any]]:
        open_ones = reader.list(APPROVALS, wanted)
        return [one for one in open_ones if standing_now(reader, one.thing, now) in CAN_BE_CARRIED_OUT]

    found = await visit.desk.read(look)
    return [
        {
            "what": verb_label(one.thing.verb),
            "to": path_of("approval", one.id),
            "state": page.badge(one.thing, now),
            "lapses": time_of(one.thing.lapses_at, now),
        }
        for one in found
        if one.thing.about == id and readable(visit.desk.office, visit.who, APPROVALS, one.thing)
    ]


def _changed(rows: list[Happened], tried: Tried | None) -> list[Happened]:
    """What happened after the version that a form was filled in by."""
    if tried is None or tried.status != 409 or tried.since is None:
        return []
    return [row for row in rows if row.version > tried.since]


def _given(visit: Visit) -> dict[str, str]:
    return {"sent": "1", **{name: values[-1] for name, values in visit.form.items()}}


def once(visit: Visit) -> dict[str, str]:
    """Sent twice by a double click, a form is done once; filled in otherwise, it is another one."""
    told = visit.told("once")
    if not told:
        return {}
    exact = [visit.request.url.path, told, *sorted((name, *values) for name, values in visit.form.items())]
    return {"idempotency_key": hashlib.sha256(repr(exact).encode()).hexdigest()}


# --- what is personal


def personal_page(kind: KindPage) -> Work:
    """Names and contacts, shown once to whoever may see them; that they looked is journalled first."""

    async def show(visit: Visit) -> Response:
        id = visit.request.path_params["id"]
        await the_thing(visit, kind, id)
        answer = await visit.ask("GET", f"{plural(kind.kind)}/{id}/personal")
        if not answer.is_done:
            return await _not_done(visit, kind, answer)
        rows = [
            (field_label(f"{kind.kind}.create", name), str(value)) for name, value in answer.document.items()
        ]
        return await shown(visit, kind, id, personal=rows)

    return show


def erase_page(kind: KindPage) -> Work:
    async def erase(visit: Visit) -> Response:
        id = visit.request.path_params["id"]
        await the_thing(visit, kind, id)
        if visit.told("sure") != "on":
            tried = Tried("", error=_UNSURE, status=422)
            return await shown(visit, kind, id, unsure=True, tried=tried)
        answer = await visit.ask(
            "DELETE", f"{plural(kind.kind)}/{id}/personal", {"ground": visit.told("ground")}
        )
        if not answer.is_done:
            return await _not_done(visit, kind, answer)
        return see(f"{path_of(kind.kind, id)}?erased=1")

    return erase


_UNSURE = {
    "code": "erase.unsure",
    "thing": "the erasure",
    "rule": "it cannot be undone",
    "way_out": "tick that you are sure",
}


async def _not_done(visit: Visit, kind: KindPage, answer: Answer) -> Response:
    if answer.status == 404:
        raise missing(kind.kind)
    return visit.render("problem.html", answer.status, title="That was not done", error=answer.error)
