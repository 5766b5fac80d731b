"""Setting up, logging in and out, tokens, one-time codes, invitations."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from skylift.adapters.clock import WallClock
from skylift.adapters.passwords import (
    STEP_S,
    hash_password,
    new_token,
    new_totp_secret,
    password_fits,
    totp_step,
    totp_uri,
)
from skylift.api.office.desk import Desk, holder_of
from skylift.api.office.door import Call, Door, Handler, answer, read_as
from skylift.api.office.problems import NotKnown
from skylift.api.office.shapes import (
    Done,
    LoggedIn,
    LogIn,
    Me,
    Password,
    RoleShown,
    SetUp,
    TotpCode,
    TotpEnd,
    TotpSecret,
)
from skylift.api.office.tokens import (
    EMAIL,
    PASSWORD,
    TOTP,
    invitation_of,
    issued,
    no_code,
    unlimited,
    use_invitation,
)
from skylift.base.errors import Refused, Unavailable
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.ports.store import Conflict, Reader, Transaction, Wanted
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.attempts import Attempts
from skylift.service.account.roles import Grant, Role
from skylift.service.account.token import LONGEST_SESSION_US, LONGEST_TOKEN_US, Issue, TokenKind
from skylift.twin.handle import begin, change, load

MOST_HASHING = 16

SETUP_BY = "setup"


class Logins:
    """The doors that say who somebody is. What it remembers of tries is in memory alone."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Ten at once, then one each half minute: a thousand guesses take eight hours.
        self._per_login = Attempts("this login", 10, 30 * US_PER_S)
        self._per_address = Attempts("logging in from this address", 30, 2 * US_PER_S)
        self._hashing = 0
        # A code that worked before a restart must not work again after it.
        self._first_step = WallClock().now() // US_PER_S // STEP_S
        self._last_step: dict[str, int] = {}

    def doors(self) -> list[Door]:
        """All of them."""
        return [
            _open("setup", self.set_up, "Become the first operator, or take up an invitation.", SetUp),
            _open("login", self.log_in, "Log in.", LogIn),
            _door("POST", "logout", self.log_out, "Revoke this token.", Done),
            _door("GET", "me", self.me, "Who you are, and what you may do.", Me),
            _door("POST", "totp", self.new_totp, "Get a secret for one-time codes.", TotpSecret, Password),
            _door("DELETE", "totp", self.end_totp, "Ask for codes no more.", Done, TotpEnd),
            _door("POST", "totp/confirm", self.confirm_totp, "Ask for codes from now on.", Done, TotpCode),
        ]

    # --- doors

    async def set_up(self, call: Call) -> Response:
        self._per_address.take(call.address, _now_us())
        given: SetUp = read_as(SetUp, await call.body())
        email = read_email(given.email)
        first = bool(self._desk.setup_code) and secrets.compare_digest(
            given.code.encode(), self._desk.setup_code.encode()
        )
        if not first:
            await self._desk.read(lambda reader: invitation_of(reader, given.code, self._desk.clock.now()))
        hashed = await self._hash(lambda: hash_password(given.password))

        def work(transaction: Transaction) -> LoggedIn:
            at = self._desk.clock.now()
            if transaction.find_login(email) is not None:
                raise Conflict(
                    "login.taken",
                    "this e-mail",
                    "somebody logs in with it already",
                    "take another, or log in",
                )
            person = self._first(transaction, at) if first else use_invitation(transaction, given.code, at)
            transaction.keep_personal(person, {EMAIL: email, PASSWORD: hashed})
            return self._issue(transaction, person, at)

        done = await self._desk.write(work)
        if first:
            self._desk.setup_code = ""
        self._desk.forget()
        return answer(done, 201)

    async def log_in(self, call: Call) -> Response:
        given: LogIn = read_as(LogIn, await call.body())
        self._per_address.take(call.address, _now_us())
        email = given.email.strip().casefold()
        key = hashlib.sha256(email.encode()).hexdigest()
        self._per_login.take(key, _now_us())
        person, kept = await self._desk.read(lambda reader: _login_of(reader, email))
        fits = await self._hash(lambda: password_fits(kept.get(PASSWORD), given.password))
        if not fits:
            raise _refused()
        self._check_code(person, kept.get(TOTP), given.code)
        self._per_login.forgive(key)

        def work(transaction: Transaction) -> LoggedIn:
            # Meanwhile they may have been locked, or their login erased.
            if transaction.find_login(email) != person:
                raise _refused()
            return self._issue(transaction, person, self._desk.clock.now())

        return answer(await self._desk.write(work), 201)

    async def log_out(self, call: Call) -> Response:
        def work(transaction: Transaction) -> None:
            at = self._desk.clock.now()
            holder = holder_of(transaction, call.token_hash, at)
            who = Who(at, holder.actor.person)
            change(tokens.ROOM, transaction, holder.token.id, lambda t: tokens.revoked(t, who, "logout"))
            self._desk.forget()

        await self._desk.write(work)
        self._desk.forget()
        return answer(Done())

    async def me(self, call: Call) -> Response:
        actor = call.asker()
        kept = await self._desk.read(lambda reader: reader.personal(actor.person))
        roles = tuple(RoleShown(grant.role.value, grant.regions, grant.authority) for grant in actor.grants)
        return answer(Me(actor.person, actor.account, roles, actor.scopes, _has_totp(kept)))

    async def new_totp(self, call: Call) -> Response:
        given: Password = read_as(Password, await call.body())
        person = unlimited(call.asker()).person
        self._per_login.take(person, _now_us())
        kept = await self._desk.read(lambda reader: reader.personal(person))
        if not await self._hash(lambda: password_fits(kept.get(PASSWORD), given.password)):
            raise _refused()
        if _has_totp(kept):
            raise Conflict(
                "login.has-totp",
                "one-time codes",
                "they are asked for already",
                "use the app that has the secret",
            )
        self._per_login.forgive(person)
        secret = new_totp_secret()
        await self._desk.write(lambda transaction: transaction.keep_personal(person, {TOTP: {"new": secret}}))
        return answer(TotpSecret(secret, totp_uri(secret, str(kept[EMAIL]))))

    async def confirm_totp(self, call: Call) -> Response:
        given: TotpCode = read_as(TotpCode, await call.body())
        person = unlimited(call.asker()).person
        self._per_login.take(person, _now_us())

        def work(transaction: Transaction) -> None:
            found = transaction.personal(person).get(TOTP)
            secret = found.get("new") if isinstance(found, dict) else None
            if secret is None:
                raise Refused(
                    "totp.none", "one-time codes", "no secret was asked for", "POST /api/v1/totp first"
                )
            step = totp_step(secret, given.code, WallClock().now())
            if step is None:
                raise Refused(
                    "totp.code", "the code", "it does not fit", "give the one that the app shows now"
                )
            self._last_step[person] = step
            transaction.keep_personal(person, {TOTP: {"secret": secret}})

        await self._desk.write(work)
        return answer(Done())

    async def end_totp(self, call: Call) -> Response:
        """Takes the password and a code, so that a session alone, left open somewhere, does not suffice."""
        given: TotpEnd = read_as(TotpEnd, await call.body())
        person = unlimited(call.asker()).person
        self._per_login.take(person, _now_us())
        kept = await self._desk.read(lambda reader: reader.personal(person))
        if not await self._hash(lambda: password_fits(kept.get(PASSWORD), given.password)):
            raise _refused()
        if not _has_totp(kept):
            raise Refused("totp.none", "one-time codes", "none are asked for", "there is nothing to end")
        self._check_code(person, kept.get(TOTP), given.code)
        self._per_login.forgive(person)
        await self._desk.write(lambda transaction: transaction.keep_personal(person, {TOTP: None}))
        return answer(Done())

    # --- how

    async def _hash(self, work: Any) -> Any:
        if self._hashing >= MOST_HASHING:
            raise Unavailable(
                "login.busy", "the login", "too many log in at once", "try again in a few seconds"
            )
        self._hashing += 1
        try:
            return await self._desk.slowly(work)
        finally:
            self._hashing -= 1

    def _first(self, transaction: Transaction, at: InstantUs) -> str:
        if not self._desk.setup_code or transaction.list(persons.ROOM, Wanted(limit=1)):
            raise no_code()
        id = self._desk.ids.new(persons.ROOM.prefix)
        first_operator(transaction, id, at)
        return id

    def _issue(self, transaction: Transaction, person: str, at: InstantUs) -> LoggedIn:
        if load(persons.ROOM, transaction, person).thing.state is not persons.PersonState.ACTIVE:
            raise _refused()
        secret, hashed = new_token()
        # Simulated days pass in seconds: a session that ended with them would only be in the way.
        simulated = not isinstance(self._desk.clock, WallClock)
        kind, lasts_us = (
            (TokenKind.PROGRAM, LONGEST_TOKEN_US) if simulated else (TokenKind.SESSION, LONGEST_SESSION_US)
        )
        issue = Issue(kind, person, hashed, lasts_us, title="login")
        return issued(transaction, self._desk.ids.new("tok"), Who(at, person), issue, secret)

    def _check_code(self, person: str, kept: Any, code: str) -> None:
        secret = kept.get("secret") if isinstance(kept, dict) else None
        if secret is None:
            return
        if not code:
            raise NotKnown(
                "login.code-needed", "the login", "it has one-time codes", "give the app's code as well"
            )
        step = totp_step(secret, code, WallClock().now(), self._last_step.get(person, self._first_step))
        if step is None:
            raise _refused()
        self._last_step[person] = step


def first_operator(transaction: Transaction, id: str, at: InstantUs) -> None:
    """Somebody who brings in all others. Whoever calls this has seen that there is nobody yet."""
    who = Who(at, SETUP_BY)
    begin(persons.ROOM, transaction, id, persons.added(persons.ROOM.empty(id), who))
    change(persons.ROOM, transaction, id, lambda p: persons.granted(p, who, Grant(Role.OPERATOR)))


def _open(name: str, handler: Handler, says: str, body: type) -> Door:
    return Door("POST", f"/api/v1/{name}", handler, says, "login", {201: LoggedIn}, body, open_to_all=True)


def _door(method: str, name: str, handler: Handler, says: str, gives: type, body: type | None = None) -> Door:
    return Door(method, f"/api/v1/{name}", handler, says, "login", {200: gives}, body)


def read_email(text: str) -> str:
    """An e-mail address as a login; never repeated."""
    email = text.strip().casefold()
    name, _, host = email.rpartition("@")
    if not name or not host or len(email) > 254 or any(c.isspace() or not c.isprintable() for c in email):
        raise Refused("login.email", "email", "it is an e-mail address", "correct it")
    return email


def _login_of(reader: Reader, email: str) -> tuple[str, Mapping[str, Any]]:
    person = reader.find_login(email)
    return ("", {}) if person is None else (person, reader.personal(person))


def _has_totp(kept: Mapping[str, Any]) -> bool:
    found = kept.get(TOTP)
    return isinstance(found, dict) and "secret" in found


def _refused() -> NotKnown:
    # The same whatever was wrong: nobody learns who has a login here.
    return NotKnown(
        "login.refused", "the login", "e-mail, password or code do not fit", "check them, or ask an operator"
    )


def _now_us() -> int:
    return time.monotonic_ns() // 1000


async def make_setup_code(desk: Desk) -> str:
    """A code for the first operator, where there is nobody yet; else ""."""
    anybody = await desk.read(lambda reader: reader.list(persons.ROOM, Wanted(limit=1)))
    desk.setup_code = "" if anybody else secrets.token_urlsafe(24)
    return desk.setup_code
