"""What the office's own doors take and answer, beside the verbs' arguments and the things themselves."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.service.erasure import Ground


@dataclass(frozen=True, slots=True)
class SetUp:
    """code: of the setup URL, or of an invitation. password: 12 to 256 characters."""

    code: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class LogIn:
    """code: the six digits of an authenticator app, where one is set up."""

    email: str
    password: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """token: send it as `Authorization: Bearer TOKEN`. It is told once, and kept as a hash alone."""

    token: str
    id: str
    person: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class NewToken:
    """scopes: verbs that it is limited to, such as "terminal.read"; none: all that its person may do."""

    title: str = ""
    scopes: tuple[str, ...] = ()
    lasts_s: int = 30 * 86_400


@dataclass(frozen=True, slots=True)
class TokenShown:
    id: str
    kind: str
    state: str
    title: str
    scopes: tuple[str, ...]
    expires_at: int
    this: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    items: tuple[TokenShown, ...]


@dataclass(frozen=True, slots=True)
class Password:
    password: str


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """uri: what an authenticator app reads from a QR code. It counts once a first code was given."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class TotpCode:
    code: str


@dataclass(frozen=True, slots=True)
class TotpEnd:
    password: str
    code: str


@dataclass(frozen=True, slots=True)
class Invite:
    lasts_s: int = 3 * 86_400


@dataclass(frozen=True, slots=True)
class Invited:
    """code: for POST /api/v1/setup, by the person who is invited, and by nobody else."""

    code: str
    id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Me:
    person: str
    account: str
    roles: tuple[RoleShown, ...]
    scopes: tuple[str, ...]
    has_totp: bool


@dataclass(frozen=True, slots=True)
class RoleShown:
    """authority: code of the one that an officer speaks for."""

    role: str
    regions: tuple[str, ...]
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    done: bool = True


@dataclass(frozen=True, slots=True)
class Erase:
    ground: Ground = Ground.ASKED


@dataclass(frozen=True, slots=True)
class Question:
    """at: ISO 8601 or microseconds since 1970; without it, now. cell: H3, as the regions have it."""

    terminal: str
    cell: str
    at: int | str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    authority: str
    would_change: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """cap_bps: the least of the speed caps that hold, where it is allowed."""

    allowed: bool
    reasons: tuple[Reason, ...]
    cap_bps: float | None
    at: int


@dataclass(frozen=True, slots=True)
class Advance:
    """paused: let the clock stand still, or run again; without it, it does as it did."""

    advance_s: float = 0.0
    paused: bool | None = None


@dataclass(frozen=True, slots=True)
class ClockShown:
    now: str
    now_us: int
    clock: str
    speed: float
    paused: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """What waits for another person. Repeat the same call with {"approval": approval} once they agreed."""

    approval: str
    id: str
    version: int
    status: str
    verb: str
    about: str
    change: str
    people: tuple[str, ...]
    needed: int
    lapses_at: int
    stands: str = "open"
