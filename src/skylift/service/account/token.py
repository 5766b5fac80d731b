"""A token: a login session, or a key for a program. Only its hash is kept; its holder acts as its person.

Tokens are 256 random bits, so a plain hash of them cannot be guessed back, and may stand in the journal.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

HOUR_US = 3_600_000_000
LONGEST_SESSION_US = 12 * HOUR_US
LONGEST_TOKEN_US = 366 * 24 * HOUR_US
_NEVER = InstantUs(0)


class TokenKind(enum.Enum):
    """What a token is for."""

    SESSION = "session"
    PROGRAM = "program"
    INVITATION = "invitation"
    """Works once, and for one thing: to set the login of its person."""


class TokenState(enum.Enum):
    """Whether a token can be used; that it may have expired is asked of the clock."""

    UNKNOWN = "unknown"
    VALID = "valid"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class TokenEvent(Event):
    """Something that happened to a token."""


@dataclass(frozen=True, slots=True)
class TokenIssued(TokenEvent):
    """hash: SHA-256, hexadecimal; scopes: verbs it is limited to, () for all that its person may do."""

    NAME: ClassVar[str] = "token.issued/1"

    kind: TokenKind
    person: str
    hash: str
    expires_at: InstantUs
    scopes: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class TokenRevoked(TokenEvent):
    NAME: ClassVar[str] = "token.revoked/1"

    reason: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    id: str
    state: TokenState = TokenState.UNKNOWN
    kind: TokenKind = TokenKind.SESSION
    person: str = ""
    hash: str = ""
    expires_at: InstantUs = _NEVER
    scopes: tuple[str, ...] = ()
    title: str = ""

    def works_at(self, at: int) -> bool:
        return self.state is TokenState.VALID and at < self.expires_at


_S = TokenState
CYCLE = LifeCycle(
    thing="token",
    begins=_S.UNKNOWN,
    steps={(_S.UNKNOWN, TokenIssued): _S.VALID, (_S.VALID, TokenRevoked): _S.REVOKED},
)


def apply(token: Token, event: Event) -> Token:
    """The token after an event. Raises Refused where its life cycle has no such step."""
    after = replace(token, state=CYCLE.after(token.id, token.state, type(event)))
    if isinstance(event, TokenIssued):
        return replace(
            after,
            kind=event.kind,
            person=event.person,
            hash=event.hash,
            expires_at=event.expires_at,
            scopes=event.scopes,
            title=event.title,
        )
    return after


@dataclass(frozen=True, slots=True)
class Issue:
    """What a token is to be."""

    kind: TokenKind
    person: str
    hash: str
    lasts_us: int
    scopes: tuple[str, ...] = ()
    title: str = ""


def issued(token: Token, who: Who, issue: Issue) -> tuple[TokenEvent, ...]:
    CYCLE.after(token.id, token.state, TokenIssued)
    longest = LONGEST_SESSION_US if issue.kind is TokenKind.SESSION else LONGEST_TOKEN_US
    if not 0 < issue.lasts_us <= longest:
        raise Refused(
            "token.lasts",
            "expiry",
            f"a {issue.kind.value} lasts at most {longest // HOUR_US} hours",
            "ask for less",
        )
    if len(issue.hash) != 64 or not set(issue.hash) <= set("0123456789abcdef"):
        raise ValueError("a token is kept as its SHA-256 in hexadecimal")
    return (
        TokenIssued(
            who.at, who.by, token.id, who.cause_id, issue.kind, issue.person, issue.hash,
            InstantUs(who.at + issue.lasts_us), issue.scopes, issue.title,
        ),
    )  # fmt: skip


def revoked(token: Token, who: Who, reason: str) -> tuple[TokenEvent, ...]:
    CYCLE.after(token.id, token.state, TokenRevoked)
    return (TokenRevoked(who.at, who.by, token.id, who.cause_id, reason),)


def label(state: TokenState) -> str:
    """The words that its person reads."""
    match state:
        case TokenState.UNKNOWN:
            return "Not known"
        case TokenState.VALID:
            return "Valid until it expires"
        case TokenState.REVOKED:
            return "Revoked"
    assert_never(state)


def facets(token: Token) -> Facets:
    """What lists of tokens are searched by: their person, as words."""
    keys = {"hash": token.hash} if token.hash else {}
    return Facets(status=token.state.value, keys=keys, words=(token.person, token.kind.value))


ROOM: Room[Token] = Room(
    kind="token",
    prefix="tok",
    state=Token,
    empty=Token,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
