"""What is personal about a thing: shown to few, each time journalled, and erased when that is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from skylift.api.office.documents import plural, readable
from skylift.api.office.door import Call, Door, answer, read_as
from skylift.api.office.problems import missing
from skylift.api.office.shapes import Done, Erase
from skylift.api.office.things import IDEMPOTENCY_KEY, Answered, once
from skylift.api.office.tokens import HIDDEN
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.ports.store import Stored, Transaction
from skylift.service import access, erasure
from skylift.service.account import account as accounts
from skylift.service.account.roles import Subject, verbs
from skylift.service.terminal import state as terminals
from skylift.service.terminal.sharing import SharingEnd
from skylift.twin.office.office import Office
from skylift.twin.office.sharing import end_of_owner, end_of_terminal
from skylift.twin.office.verbs import Actor, VerbTable

T = TypeVar("T")

_ANYTHING = {"type": "object", "additionalProperties": True}


def doors(table: VerbTable) -> list[Door]:
    """For every kind that some role may read or erase what is personal of."""
    found: list[Door] = []
    allowed = verbs()
    for room in table.rooms():
        path = f"/api/v1/{plural(room.kind)}/{{id}}/personal"
        if f"{room.kind}.read-personal" in allowed:
            found.append(
                Door(
                    "GET",
                    path,
                    _read(room),
                    "What is personal about it. That you looked is journalled.",
                    room.kind,
                    {200: _ANYTHING},
                    id_kind=room.kind,
                )
            )
        if f"{room.kind}.erase" in allowed:
            found.append(
                Door(
                    "DELETE",
                    path,
                    _erase(room),
                    "Erase all that is personal about it.",
                    room.kind,
                    {200: Done},
                    Erase,
                    parameters=(IDEMPOTENCY_KEY,),
                    id_kind=room.kind,
                )
            )
    return found


def _read(room: Room[Any]) -> Callable[[Call], Awaitable[Response]]:
    async def handle(call: Call) -> Response:
        def work(transaction: Transaction) -> dict[str, Any]:
            at = call.desk.clock.now()
            actor = call.desk.holder(transaction, call.token_hash).actor
            _allowed(call.desk.office, transaction, actor, room, call.id, "read-personal")
            kept = {
                name: value for name, value in transaction.personal(call.id).items() if name not in HIDDEN
            }
            if kept:
                who = Who(at, actor.person)
                _happened(access.ROOM, transaction, call.id, access.read(call.id, who, kept))
            return kept

        return answer(await call.desk.write(work))

    return handle


def _erase(room: Room[Any]) -> Callable[[Call], Awaitable[Response]]:
    async def handle(call: Call) -> Response:
        text = await call.body()
        given: Erase = read_as(Erase, text)

        def work(transaction: Transaction, actor: Actor, at: InstantUs) -> Answered:
            _allowed(call.desk.office, transaction, actor, room, call.id, "erase")
            kept = transaction.personal(call.id)
            # Also where nothing is left: what a restored backup brings back is then known to be erased again.
            transaction.erase_personal(call.id)
            who = Who(at, actor.person)
            _happened(erasure.ROOM, transaction, call.id, erasure.erased(call.id, who, given.ground, kept))
            _end_sharing(transaction, room, call.id, who, given.ground)
            return Answered(200, msgspec.json.encode(Done()))

        return await once(call, text, work)

    return handle


def _end_sharing(
    transaction: Transaction, room: Room[Any], id: str, who: Who, ground: erasure.Ground
) -> None:
    """What a dish told of its place goes with it, and with its owner."""
    if room.kind == terminals.ROOM.kind:
        end_of_terminal(transaction, id, who, (SharingEnd.ERASED, ground))
    elif room.kind == accounts.ROOM.kind:
        end_of_owner(transaction, id, who, ground)


def _allowed(
    office: Office, transaction: Transaction, actor: Actor, room: Room[Any], subject_id: str, action: str
) -> None:
    stored = transaction.get(room, subject_id)
    if stored is None:
        raise missing(room.kind)
    facets = room.facets(stored.thing)
    subject = Subject(facets.region, facets.owner)
    verb = f"{room.kind}.{action}"
    if not office.allows(actor, verb, subject):
        if not readable(office, actor, room, stored.thing):
            raise missing(room.kind)
        office.refuse_strangers(actor, verb, subject)


def _happened(room: Room[T], transaction: Transaction, subject_id: str, events: Sequence[Event]) -> None:
    """Events of a thing that begins with its first."""
    stored = transaction.get(room, subject_id) or Stored(subject_id, room.empty(subject_id), 0)
    thing = stored.thing
    for event in events:
        thing = room.apply(thing, event)
    transaction.commit(room, Stored(subject_id, thing, stored.version), events)
