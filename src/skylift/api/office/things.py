"""The doors that come from the table of verbs: begin, read, list and change every kind of thing."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast, get_type_hints

import msgspec
from starlette.responses import Response

from skylift.api.office.documents import agreement, document, etag, plural, readable, thing_name
from skylift.api.office.door import Call, Door, Parameter, answer, instant, read_object
from skylift.api.office.listing import LIST_PARAMETERS, page_schema, read_list, read_one, stands
from skylift.api.office.problems import missing, said, status_of
from skylift.api.office.proposals import keep_proposal
from skylift.api.office.shapes import Agreement
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.ports.store import Reader, Reply, Stored, Transaction
from skylift.service.approval.state import ROOM as APPROVALS
from skylift.twin.office.imports_columns import looks_personal
from skylift.twin.office.imports_table import MOST_CELL
from skylift.twin.office.office import Asked, Done, Forbidden, Office
from skylift.twin.office.verbs import Actor, Verb, VerbTable

REPLIES_KEPT_US = 7 * 86_400_000_000
_TIDY_EVERY = 500

IF_MATCH = Parameter(
    "If-Match", "The ETag of the thing as it was read; 409 where it is another by now.", where="header"
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "Asked again with the same key, the same answer comes; nothing is done twice.",
    where="header",
)


# --- writing


@dataclass(frozen=True, slots=True)
class Answered:
    """What a write came to; `body` is what is sent."""

    status: int
    body: bytes
    etag: str = ""

    def response(self) -> Response:
        return answer(self.body, self.status, **({"etag": self.etag} if self.etag else {}))


async def once(
    call: Call, text: bytes, work: Callable[[Transaction, Actor, InstantUs], Answered], keeps: bool = True
) -> Response:
    """Write, and answer the same to the same Idempotency-Key ever after.

    work   (transaction, who asks as the store says now, now) -> answer; its answer holds nothing personal
    keeps  whether the answer is kept for that: not where it holds a secret
    """
    desk = call.desk
    key = call.reply_key(call.asker().person) if keeps else ""
    asked = hashlib.sha256(
        b"\0".join(
            (
                call.door.method.encode(),
                call.request.scope["path"].encode(),
                call.request.headers.get("if-match", "").encode(),
                text,
            )
        )
    ).hexdigest()

    def go(transaction: Transaction) -> Answered:
        at = desk.clock.now()
        actor = desk.holder(transaction, call.token_hash).actor
        kept = transaction.reply(key) if key else None
        if kept is not None:
            return _again(kept, asked)
        done = work(transaction, actor, at)
        if key:
            body = msgspec.json.encode([done.etag, msgspec.Raw(done.body)]).decode()
            transaction.keep_reply(key, Reply(at, asked, done.status, body))
            if int(key[:8], 16) % _TIDY_EVERY == 0:
                transaction.drop_replies(at - REPLIES_KEPT_US)
        return done

    return (await desk.write(go)).response()


def _again(kept: Reply, asked: str) -> Answered:
    if kept.asked != asked:
        raise Refused(
            "idempotency.other-request",
            "Idempotency-Key",
            "it was used for another request before",
            "take a new key for each new request",
        )
    tag, body = msgspec.json.decode(kept.body, type=tuple[str, msgspec.Raw])
    return Answered(kept.status, bytes(body), tag)


# (transaction, the thing as it is now, what the verb was told, now) -> what the answer says beside the thing
More = Callable[[Transaction, Stored[Any], Any, InstantUs], Mapping[str, Any]]


def _do(
    verb: Verb, instants: tuple[str, ...], more: More | None = None
) -> Callable[[Call], Awaitable[Response]]:
    """The handler of a verb; `more` is written with it, and its answer is kept nowhere."""

    async def handle(call: Call) -> Response:
        text = await call.body()
        given = read_object(text)
        approval = _approval(given, verb)
        arguments = _arguments(verb, given, instants)
        office = call.desk.office
        expected = call.expected_version()

        def work(transaction: Transaction, actor: Actor, at: InstantUs) -> Answered:
            asked = Asked(actor, verb.name, call.id or None, arguments, at, expected, approval)
            try:
                done = office.do(transaction, asked)
            except Forbidden:
                _hide(office, transaction, actor, verb, call.id)
                raise
            except Refused as error:
                if error.code == f"{verb.kind}.unknown" and call.id in error.thing:
                    raise missing(verb.kind) from None
                raise
            if done.approval is not None:
                keep_proposal(transaction, done.approval, done.stored.version, arguments, at)
            if verb.kind == "person":
                # At once, on the writer's own thread: the next write may be that person's.
                call.desk.forget()
            extra = more(transaction, done.stored, office.read_arguments(verb, arguments), at) if more else {}
            extra = {**extra, **_standing(transaction, verb, done.stored, at)}
            return _done(office, actor, verb, done, extra)

        try:
            return await once(call, text, work, keeps=more is None)
        except Refused as error:
            # Whatever is not as its caller thought: they are told what it is by now.
            return said(error, await _now(call, verb) if status_of(error) == 409 else None)
        finally:
            if verb.kind == "person":
                call.desk.forget()

    return handle


def _approval(given: dict[str, Any], verb: Verb) -> str:
    if not verb.may_take_two:
        return ""
    approval = given.pop("approval", "")
    if not isinstance(approval, str):
        raise Refused(
            "body.argument", "field 'approval'", "it is the id of an agreement", "send it as it was given"
        )
    return approval


def _arguments(verb: Verb, given: dict[str, Any], instants: tuple[str, ...]) -> dict[str, Any]:
    for name in instants:
        outer, _, inner = name.partition(".")
        parts, key = (given.get(outer), inner) if inner else ([given], outer)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and isinstance(part.get(key), str):
                part[key] = instant(part[key], f"field '{name}'")
    for name, value in given.items():
        if name not in verb.personal:
            for text in _texts(value):
                if name not in TABLES:
                    _refuse_long(verb, name, text)
                _refuse_personal(verb, name, text)
    return given


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value. It is no deeper than the reader of JSON went."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)


# A list in one text: each of its rows is read by itself.
TABLES = frozenset({"csv", "codes", "damaged_codes"})


def _refuse_long(verb: Verb, name: str, value: str) -> None:
    """What the journal keeps for ever, and pages show, is no longer than a cell of an imported table."""
    if len(value) > MOST_CELL:
        raise Refused(
            f"{verb.kind}.too-long-a-text",
            _named(verb, name),
            f"it is kept for ever, and has more than {MOST_CELL:,} characters",
            "shorten it",
        )


def _named(verb: Verb, name: str) -> str:
    return f"field '{name}'" if name in {field.name for field in fields(verb.arguments)} else "a field"


def _refuse_personal(verb: Verb, name: str, value: str) -> None:
    """What other fields say is kept for ever: no exact place, mail address or person's number is taken."""
    found = looks_personal(value)
    if found:
        raise Refused(
            f"{verb.kind}.personal",
            _named(verb, name),
            f"it is kept for ever, and looks like {found}",
            f"put what is personal into: {', '.join(verb.personal)}" if verb.personal else "leave that out",
        )


def _hide(office: Office, reader: Reader, actor: Actor, verb: Verb, subject_id: str) -> None:
    """Raises Missing where the asker may not even know that there is such a thing."""
    stored = reader.get(verb.room, subject_id) if subject_id else None
    if stored is not None and not readable(office, actor, verb.room, stored.thing):
        raise missing(verb.kind)


def _done(office: Office, actor: Actor, verb: Verb, done: Done, extra: Mapping[str, Any]) -> Answered:
    if done.approval is not None:
        return Answered(202, msgspec.json.encode(agreement(done.approval)), etag(done.stored.version))
    if readable(office, actor, verb.room, done.stored.thing):
        shown = document(verb.room, done.stored)
    else:
        shown = {"id": done.stored.id, "version": done.stored.version}
    body = msgspec.json.encode({**shown, **extra})
    return Answered(201 if verb.creates else 200, body, etag(done.stored.version))


def _standing(reader: Reader, verb: Verb, stored: Stored[Any], at: InstantUs) -> Mapping[str, Any]:
    return stands(reader, stored, at) if verb.room is APPROVALS else {}


async def _now(call: Call, verb: Verb) -> Mapping[str, Any] | None:
    """What the thing is now, for whoever came too late."""
    if not call.id:
        return None

    def look(reader: Reader) -> Mapping[str, Any] | None:
        stored = reader.get(verb.room, call.id)
        if stored is None or not readable(call.desk.office, call.asker(), verb.room, stored.thing):
            return None
        now = {"version": stored.version, "status": verb.room.facets(stored.thing).status}
        return {**now, **_standing(reader, verb, stored, call.desk.clock.now())}

    return await call.desk.read(look)


# --- the list of doors


def doors(table: VerbTable) -> list[Door]:
    """Every door that the table of verbs gives."""
    found: list[Door] = []
    for room in table.rooms():
        base, name = f"/api/v1/{plural(room.kind)}", thing_name(room)
        one = {"$ref": f"#/components/schemas/{name}"}
        found += [
            Door(
                "GET",
                base,
                read_list(room),
                f"Those that you may read, by when they were begun: {plural(room.kind)}.",
                room.kind,
                {200: {"application/json": page_schema(name), "text/csv": {"type": "string"}}},
                parameters=LIST_PARAMETERS,
                revalidates=True,
            ),
            Door(
                "GET",
                f"{base}/{{id}}",
                read_one(room),
                f"One {room.kind}.",
                room.kind,
                {200: one},
                id_kind=room.kind,
                revalidates=True,
            ),
        ]
        found += [verb_door(verb, base, one) for verb in table.of_kind(room.kind) if not verb.own_door]
    return found


def _instants_of(arguments: type) -> tuple[str, ...]:
    """Fields that are instants; `claims.published_at` for one of each thing in a list."""
    found: list[str] = []
    for name, hint in get_type_hints(arguments).items():
        parts = getattr(hint, "__args__", ())
        if InstantUs in (hint, *parts):
            found.append(name)
        inner = (part for part in parts if is_dataclass(part))
        found += [f"{name}.{field}" for part in inner for field in _instants_of(cast(type, part))]
    return tuple(found)


def verb_door(verb: Verb, base: str, one: dict[str, Any], more: More | None = None) -> Door:
    """The door of a verb below a path; more: what is written and answered beside what the verb does."""
    instants = _instants_of(verb.arguments)
    together = verb.may_take_two
    also: dict[str, Any] = {}
    if together:
        also["approval"] = {"type": "string", "description": "The agreement, once the others have agreed."}
    for name in (one for one in instants if "." not in one):
        also[name] = {
            "type": ["string", "integer", "null"],
            "description": "ISO 8601, or microseconds since 1970.",
        }
    return Door(
        "POST",
        base if verb.creates else f"{base}/{{id}}/{verb.action}",
        _do(verb, instants, more),
        verb.says + (" Takes two people: 202 says who else must agree." if together else ""),
        verb.kind,
        {201 if verb.creates else 200: one, **({202: Agreement} if together else {})},
        body=verb.arguments,
        also=also,
        parameters=(*(() if verb.creates else (IF_MATCH,)), *((IDEMPOTENCY_KEY,) if more is None else ())),
        id_kind="" if verb.creates else verb.kind,
    )
