"""Codes, keys and enrolment: how an agent comes to speak for a terminal, and ceases to."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from skylift.adapters.ids import secret_letters
from skylift.adapters.keys import is_signed, public_of, text_of
from skylift.api.office.documents import readable
from skylift.api.office.door import Call, Door, answer
from skylift.api.office.problems import NotKnown, missing
from skylift.api.office.things import Answered, once
from skylift.api.telemetry.gate import Handler
from skylift.api.telemetry.intake import Intake, there
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs, format_instant
from skylift.ports.store import Conflict, Reader, Stored, Transaction, Wanted
from skylift.service.account.roles import Subject
from skylift.service.erasure import Ground
from skylift.service.terminal import agent_key
from skylift.service.terminal import state as terminals
from skylift.service.terminal.agent_key import AgentKey, KeyState
from skylift.service.terminal.sharing import SharingEnd
from skylift.service.terminal.state import Terminal
from skylift.twin.handle import begin, change
from skylift.twin.office.sharing import end_of_terminal
from skylift.twin.office.verbs import Actor
from skylift.wire.telemetry import signing
from skylift.wire.telemetry.rows import USUAL_SPAN_S, Answer, Batch, Enrolled, Enrolment
from skylift.wire.telemetry.sharing import PATH as SHARED
from skylift.wire.telemetry.sharing import Shared, SharedAnswer

ENROL, POST = "/api/v1/agent/enrol", "/api/v1/telemetry"
MOST_KEYS = 100
_OF_KEY = re.compile(r"key_[a-z0-9]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """Works once, until then. It is shown here and nowhere else."""

    code: str
    expires_at: str
    key_id: str


@dataclass(frozen=True, slots=True)
class KeyShown:
    """A key of an agent, or a code that waits for one. since: of this state."""

    id: str
    status: str
    agent_version: str
    since: str
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class KeysShown:
    terminal: str
    keys: tuple[KeyShown, ...]


def doors(intake: Intake | None) -> list[Door]:
    """Those for people; `enrol` is an agent's."""
    base = "/api/v1/terminals/{id}"

    async def revoke(call: Call) -> Response:
        return await revoke_key(call, intake)

    return [
        Door(
            "POST",
            f"{base}/enrolment-codes",
            offer_code,
            "A one-time code with which an agent beside this terminal enrols.",
            "telemetry",
            {201: EnrolmentCode},
            id_kind="terminal",
        ),
        Door(
            "GET",
            f"{base}/keys",
            list_keys,
            "Keys by which this terminal's reports are believed.",
            "telemetry",
            {200: KeysShown},
            id_kind="terminal",
        ),
        Door(
            "DELETE",
            f"{base}/keys/{{key}}",
            revoke,
            "Believe this key no more.",
            "telemetry",
            {200: KeyShown},
            id_kind="terminal",
        ),
    ]


def code_hash(code: str) -> str:
    """What is kept of a code; dashes, spaces and case are as whoever types it likes."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode()).hexdigest()


def _new_code() -> str:
    """120 bits, in groups of four letters to be read out on a phone."""
    letters = secret_letters(15)
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


async def offer_code(call: Call) -> Response:
    text = await call.body()
    code = _new_code()

    def work(transaction: Transaction, actor: Actor, at: InstantUs) -> Answered:
        terminal = _terminal(call, transaction, actor, "agent-key.offer")
        key_id = call.desk.ids.new("key")
        who = Who(at, actor.person)
        events = agent_key.offered(AgentKey(key_id), who, terminal.id, code_hash(code))
        stored = begin(agent_key.ROOM, transaction, key_id, events)
        shown = EnrolmentCode(code, format_instant(stored.thing.expires_at), key_id)
        return Answered(201, msgspec.json.encode(shown))

    # A secret is kept nowhere: who asks twice gets two codes.
    return await once(call, text, work, keeps=False)


async def list_keys(call: Call) -> Response:
    office, actor = call.desk.office, call.asker()

    def work(reader: Reader) -> KeysShown:
        stored = reader.get(terminals.ROOM, call.id)
        if stored is None or not readable(office, actor, terminals.ROOM, stored.thing):
            raise missing("terminal")
        found = reader.list(agent_key.ROOM, Wanted(words=(call.id,), limit=MOST_KEYS))
        keys = tuple(_shown(one.thing) for one in found if one.thing.terminal == call.id)
        return KeysShown(call.id, keys)

    return answer(await call.desk.read(work))


async def revoke_key(call: Call, intake: Intake | None) -> Response:
    key_id = call.request.scope["path"].rpartition("/")[2]
    if not _OF_KEY.fullmatch(key_id):
        raise missing("agent-key")
    revoked: list[AgentKey] = []

    def work(transaction: Transaction, actor: Actor, at: InstantUs) -> Answered:
        _terminal(call, transaction, actor, "agent-key.revoke")
        stored = transaction.get(agent_key.ROOM, key_id)
        if stored is None or stored.thing.terminal != call.id:
            raise missing("agent-key")
        who = Who(at, actor.person)
        after = change(
            agent_key.ROOM, transaction, key_id, lambda key: agent_key.revoked(key, who, "by an operator")
        )
        # Nobody at the dish could take it back any more.
        end_of_terminal(transaction, call.id, who, (SharingEnd.KEY_REVOKED, Ground.NO_LONGER_NEEDED), key_id)
        revoked.append(after.thing)
        return Answered(200, msgspec.json.encode(_shown(after.thing)))

    response = await once(call, b"", work)
    for key in revoked:
        if intake is not None:
            intake.keys.take(key)
    return response


def _terminal(call: Call, transaction: Transaction, actor: Actor, verb: str) -> Terminal:
    """The terminal that the path names. Raises Missing, Forbidden."""
    office = call.desk.office
    stored = transaction.get(terminals.ROOM, call.id)
    if stored is None or not readable(office, actor, terminals.ROOM, stored.thing):
        office.refuse_strangers(actor, verb, Subject())
        raise missing("terminal")
    facets = terminals.ROOM.facets(stored.thing)
    office.refuse_strangers(actor, verb, Subject(facets.region, facets.owner))
    return stored.thing


def _shown(key: AgentKey) -> KeyShown:
    expires = format_instant(key.expires_at) if key.state is KeyState.OFFERED else None
    return KeyShown(key.id, key.state.value, key.agent_version, format_instant(key.since), expires)


async def enrol(intake: Intake, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """An agent shows its code and its key, and signs with it."""
    given = signing.read("POST", ENROL, headers, body)
    try:
        asked = msgspec.json.decode(body, type=Enrolment)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(
            "body.json", "the body", "it is JSON with code and public_key", "let `skylift agent` send it"
        ) from None
    public = public_of(asked.public_key)
    if not is_signed(public, given.base, given.signature):
        raise _refused("the request is not signed by the key that it brings")
    desk = intake.desk

    def work(transaction: Transaction) -> Stored[AgentKey]:
        at = desk.clock.now()
        before = transaction.find(agent_key.ROOM, "public", text_of(public))
        if before is not None:
            # The answer was lost on the way, and the same agent asks again.
            if before.thing.state is not KeyState.IN_FORCE:
                raise _refused("this key was revoked")
            return before
        stored = transaction.find(agent_key.ROOM, "code", code_hash(asked.code))
        if stored is None:
            raise _refused(agent_key.no_code().rule)
        who = Who(at, stored.id)
        return change(
            agent_key.ROOM,
            transaction,
            stored.id,
            lambda key: agent_key.enrolled(key, who, text_of(public), asked.agent_version),
        )

    try:
        key = (await desk.write(work)).thing
    except (NotKnown, Conflict):
        raise
    except Refused as error:
        if error.code in ("agent-key.code", "agent-key.wrong-state"):
            raise _refused(error.rule) from None
        raise
    intake.keys.take(key)
    sequence = await asyncio.to_thread(intake.store.next_sequence, key.terminal)
    answered = Enrolled(
        key.terminal,
        key.id,
        sequence,
        text_of(intake.service_key.public),
        USUAL_SPAN_S,
        format_instant(desk.clock.now()),
    )
    return 201, msgspec.json.encode(answered)


def _refused(rule: str) -> NotKnown:
    return NotKnown(
        "agent-key.code",
        "the enrolment",
        rule,
        "ask an operator for a new code: POST /api/v1/terminals/ID/enrolment-codes",
    )


def handlers(intake: Intake | None) -> dict[str, Handler]:
    """What agents post, by path."""

    async def post(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return 200, await there(intake).post(POST, headers, body)

    async def enrolled(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return await enrol(there(intake), headers, body)

    return {POST: post, ENROL: enrolled}


async def _nobody(call: Call) -> Response:
    raise NotImplementedError


def described() -> list[Door]:
    """Agents' doors, for the documentation: they are answered before the office's gate."""
    signed = "Signed by the agent's key (RFC 9421): see docs/reference/telemetry.md. "
    posted = f"{signed}Rows of a dish; each counts once, by its number."
    enrolled = f"{signed}A one-time code and a key become a key that is believed."
    shared = f"{signed}What the owner lets the agent tell of the dish's place: all of it, or nothing."
    return [
        Door("POST", POST, _nobody, posted, "telemetry", {200: Answer}, Batch, open_to_all=True),
        Door("POST", ENROL, _nobody, enrolled, "telemetry", {201: Enrolled}, Enrolment, open_to_all=True),
        Door("POST", SHARED, _nobody, shared, "telemetry", {200: SharedAnswer}, Shared, open_to_all=True),
    ]
