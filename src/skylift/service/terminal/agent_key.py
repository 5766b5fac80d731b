"""The key of an agent beside a dish: offered by a one-time code, in force once the agent has shown its own.

Only the code's hash is kept, and of the key its public half: nothing here lets anybody act as an agent.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.base.units import US_PER_DAY

CODE_LASTS_US = US_PER_DAY
# Base64url of the 32 bytes of RFC 8032 without padding; an agent's version is a word.
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9.+_-]{0,40}", re.ASCII)
_NEVER = InstantUs(0)


class KeyState(enum.Enum):
    """What a key can be used for."""

    UNKNOWN = "unknown"
    OFFERED = "offered"
    IN_FORCE = "in-force"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyEvent(Event):
    """Something that happened to a key."""


@dataclass(frozen=True, slots=True)
class KeyOffered(KeyEvent):
    """Whoever has the code may enrol once. code_hash: SHA-256, hexadecimal."""

    NAME: ClassVar[str] = "agent-key.offered/1"

    terminal: str
    code_hash: str
    expires_at: InstantUs


@dataclass(frozen=True, slots=True)
class KeyEnrolled(KeyEvent):
    """public_key: base64url of the 32 bytes of an Ed25519 key."""

    NAME: ClassVar[str] = "agent-key.enrolled/1"

    public_key: str
    agent_version: str = ""


@dataclass(frozen=True, slots=True)
class KeyRevoked(KeyEvent):
    NAME: ClassVar[str] = "agent-key.revoked/1"

    reason: str


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key by which the reports of one terminal are believed."""

    id: str
    state: KeyState = KeyState.UNKNOWN
    terminal: str = ""
    code_hash: str = ""
    expires_at: InstantUs = _NEVER
    public_key: str = ""
    agent_version: str = ""
    since: InstantUs = _NEVER


_S = KeyState
CYCLE = LifeCycle(
    thing="agent-key",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, KeyOffered): _S.OFFERED,
        (_S.OFFERED, KeyEnrolled): _S.IN_FORCE,
        (_S.OFFERED, KeyRevoked): _S.REVOKED,
        (_S.IN_FORCE, KeyRevoked): _S.REVOKED,
    },
)


def apply(key: AgentKey, event: Event) -> AgentKey:
    """The key after an event. Raises Refused where its life cycle has no such step."""
    after = replace(key, state=CYCLE.after(key.id, key.state, type(event)), since=event.at)
    if isinstance(event, KeyOffered):
        return replace(after, terminal=event.terminal, code_hash=event.code_hash, expires_at=event.expires_at)
    if isinstance(event, KeyEnrolled):
        # The code has done what it was for.
        return replace(after, code_hash="", public_key=event.public_key, agent_version=event.agent_version)
    return replace(after, code_hash="")


def offered(key: AgentKey, who: Who, terminal: str, code_hash: str) -> tuple[KeyEvent, ...]:
    CYCLE.after(key.id, key.state, KeyOffered)
    if not re.fullmatch(r"[0-9a-f]{64}", code_hash):
        raise ValueError("a code is kept as its SHA-256 in hexadecimal")
    expires_at = InstantUs(who.at + CODE_LASTS_US)
    return (KeyOffered(who.at, who.by, key.id, who.cause_id, terminal, code_hash, expires_at),)


def enrolled(key: AgentKey, who: Who, public_key: str, agent_version: str) -> tuple[KeyEvent, ...]:
    """Raises Refused where the code has expired, or the key is none."""
    CYCLE.after(key.id, key.state, KeyEnrolled)
    if who.at >= key.expires_at:
        raise no_code()
    if not _PUBLIC_KEY.fullmatch(public_key):
        raise Refused(
            "agent-key.public-key",
            "public_key",
            "it is base64url of the 32 bytes of an Ed25519 key, without padding",
            "let `skylift agent` make it",
        )
    if not _VERSION.fullmatch(agent_version):
        raise Refused(
            "agent-key.version",
            "agent_version",
            "it has at most 40 letters, digits, dots, plus signs and dashes",
            "shorten it",
        )
    return (KeyEnrolled(who.at, who.by, key.id, who.cause_id, public_key, agent_version),)


def revoked(key: AgentKey, who: Who, reason: str) -> tuple[KeyEvent, ...]:
    CYCLE.after(key.id, key.state, KeyRevoked)
    return (KeyRevoked(who.at, who.by, key.id, who.cause_id, reason),)


def no_code() -> Refused:
    """Said of every code that does not work, so that nobody learns why."""
    return Refused(
        "agent-key.code",
        "the enrolment code",
        "it was used, has expired or was never given",
        "ask an operator for a new one: POST /api/v1/terminals/ID/enrolment-codes",
    )


def label(state: KeyState) -> str:
    """The words on a terminal's page."""
    match state:
        case KeyState.UNKNOWN:
            return "Not known"
        case KeyState.OFFERED:
            return "Waits for its agent"
        case KeyState.IN_FORCE:
            return "In use"
        case KeyState.REVOKED:
            return "Revoked"
    assert_never(state)


def facets(key: AgentKey) -> Facets:
    """Found by its code as long as that works, by its public half after that, and by its terminal."""
    keys = {"code": key.code_hash} if key.code_hash else {}
    if key.public_key:
        keys["public"] = key.public_key
    return Facets(status=key.state.value, keys=keys, words=(key.terminal,))


ROOM: Room[AgentKey] = Room(
    kind="agent-key",
    prefix="key",
    state=AgentKey,
    empty=AgentKey,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
