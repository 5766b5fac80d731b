"""Tokens for programs, and invitations: both are kept as hashes, end by themselves, and can be revoked."""

from __future__ import annotations

from starlette.responses import Response

from skylift.adapters.passwords import new_token, token_hash
from skylift.api.office.desk import holder_of
from skylift.api.office.door import Call, Door, answer, read_as
from skylift.api.office.problems import NotKnown, missing
from skylift.api.office.shapes import Done, Invite, Invited, LoggedIn, NewToken, Tokens, TokenShown
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.ports.store import Conflict, Reader, Stored, Transaction, Wanted
from skylift.service.account import person as persons
from skylift.service.account import token as tokens
from skylift.service.account.roles import Subject, verbs
from skylift.service.account.token import LONGEST_TOKEN_US, Issue, Token, TokenKind
from skylift.twin.handle import begin, change, load
from skylift.twin.office.imports_columns import looks_personal
from skylift.twin.office.office import Forbidden
from skylift.twin.office.verbs import Actor

LONGEST_INVITATION_S = 14 * 86_400
MOST_TOKENS = 1000
# What is kept about a person's login, in rows that can be erased; the last two are never shown.
EMAIL, PASSWORD, TOTP = "login_email", "login_password", "login_totp"
HIDDEN = frozenset({PASSWORD, TOTP, "webhook_secrets"})


def doors() -> list[Door]:
    """All of them."""
    path, person = "/api/v1/tokens", "person"
    return [
        Door("GET", path, list_tokens, "Your tokens that can be used.", "login", {200: Tokens}),
        Door("POST", path, new_program, "Make a token for a program.", "login", {201: LoggedIn}, NewToken),
        Door(
            "DELETE",
            f"{path}/{{id}}",
            revoke,
            "Revoke one of your tokens.",
            "login",
            {200: Done},
            id_kind="token",
        ),
        Door(
            "POST",
            "/api/v1/persons/{id}/invite",
            invite,
            "Let a person set their login.",
            person,
            {201: Invited},
            Invite,
            id_kind=person,
        ),
    ]


async def list_tokens(call: Call) -> Response:
    person, at = call.asker().person, call.desk.clock.now()
    wanted = Wanted(status="valid", words=(person,), limit=MOST_TOKENS)
    found = await call.desk.read(lambda reader: reader.list(tokens.ROOM, wanted))
    shown = [
        TokenShown(
            t.id, t.kind.value, t.state.value, t.title, t.scopes, t.expires_at, t.hash == call.token_hash
        )
        for t in (stored.thing for stored in found)
        if t.person == person and t.works_at(at)
    ]
    return answer(Tokens(tuple(shown)))


async def new_program(call: Call) -> Response:
    given: NewToken = read_as(NewToken, await call.body())
    unlimited(call.asker())
    strange = set(given.scopes) - verbs()
    if strange:
        raise Refused("token.scopes", "scopes", "one of them is no verb", "the verbs stand at /docs")
    lasts_us = _lasts(given.lasts_s)
    if len(given.title) > 80:
        raise Refused("token.title", "title", "it has at most 80 characters", "shorten it")
    found = looks_personal(given.title)
    if found:
        rule = f"it is kept for ever, and looks like {found}"
        raise Refused("token.personal", "title", rule, "say which program it is for")
    secret, hashed = new_token()

    def work(transaction: Transaction) -> LoggedIn:
        at = call.desk.clock.now()
        holder = holder_of(transaction, call.token_hash, at)
        if holder.token.kind is TokenKind.PROGRAM and at + lasts_us > holder.token.expires_at:
            raise Refused(
                "token.lasts",
                "lasts_s",
                "a program's token makes none that outlives it",
                "log in, or ask for less",
            )
        issue = Issue(TokenKind.PROGRAM, holder.actor.person, hashed, lasts_us, given.scopes, given.title)
        return issued(transaction, call.desk.ids.new("tok"), Who(at, holder.actor.person), issue, secret)

    return answer(await call.desk.write(work), 201)


async def revoke(call: Call) -> Response:
    def work(transaction: Transaction) -> None:
        at = call.desk.clock.now()
        person = unlimited(holder_of(transaction, call.token_hash, at).actor).person
        stored = transaction.get(tokens.ROOM, call.id)
        if stored is None or stored.thing.person != person:
            raise missing("token")
        change(
            tokens.ROOM,
            transaction,
            call.id,
            lambda t: tokens.revoked(t, Who(at, person), "by its person"),
        )
        call.desk.forget()

    await call.desk.write(work)
    call.desk.forget()
    return answer(Done())


async def invite(call: Call) -> Response:
    given: Invite = read_as(Invite, await call.body())
    if not 0 < given.lasts_s <= LONGEST_INVITATION_S:
        raise Refused("invitation.lasts", "lasts_s", "it lasts at most 14 days", "ask for less")
    secret, hashed = new_token()
    office = call.desk.office

    def work(transaction: Transaction) -> Invited:
        at = call.desk.clock.now()
        actor = holder_of(transaction, call.token_hash, at).actor
        stored = transaction.get(persons.ROOM, call.id)
        subject = Subject(owner=stored.thing.account) if stored is not None else Subject()
        if stored is None or not office.allows(actor, "person.read", subject):
            raise missing("person")
        office.refuse_strangers(actor, "person.create", subject)
        _refuse_taken(transaction, stored)
        _revoke_invitations(transaction, call.id, Who(at, actor.person))
        issue = Issue(TokenKind.INVITATION, call.id, hashed, given.lasts_s * US_PER_S)
        done = issued(transaction, call.desk.ids.new("tok"), Who(at, actor.person), issue, secret)
        return Invited(secret, done.id, done.expires_at)

    return answer(await call.desk.write(work), 201)


def issued(transaction: Transaction, id: str, who: Who, issue: Issue, secret: str) -> LoggedIn:
    stored = begin(tokens.ROOM, transaction, id, tokens.issued(Token(id), who, issue))
    return LoggedIn(secret, id, issue.person, stored.thing.expires_at)


def invitation_of(reader: Reader, code: str, at: int) -> Stored[Token]:
    stored = reader.find(tokens.ROOM, "hash", token_hash(code))
    if stored is None or stored.thing.kind is not TokenKind.INVITATION or not stored.thing.works_at(at):
        raise no_code()
    return stored


def use_invitation(transaction: Transaction, code: str, at: InstantUs) -> str:
    invitation = invitation_of(transaction, code, at)
    person = load(persons.ROOM, transaction, invitation.thing.person)
    _refuse_taken(transaction, person)
    who = Who(at, person.id)
    change(tokens.ROOM, transaction, invitation.id, lambda t: tokens.revoked(t, who, "used"))
    return person.id


def _refuse_taken(transaction: Transaction, person: Stored[persons.Person]) -> None:
    """Whoever could set another's login anew could act as two people."""
    if PASSWORD in transaction.personal(person.id) or _was_here(transaction, person.id):
        raise Conflict(
            "person.has-login",
            f"person {person.id}",
            "they have, or had, a login; nobody sets another's anew",
            "let them leave, and add them anew",
        )
    if person.thing.state is not persons.PersonState.ACTIVE:
        raise Conflict("person.not-active", f"person {person.id}", "they may not act", "unlock them first")


def _was_here(reader: Reader, person: str) -> bool:
    """Whether they ever logged in: an erased login is nobody else's to take."""
    kinds = (TokenKind.SESSION, TokenKind.PROGRAM)
    found = (reader.list(tokens.ROOM, Wanted(words=(person, kind.value), limit=1)) for kind in kinds)
    return any(any(stored.thing.person == person for stored in some) for some in found)


def _revoke_invitations(transaction: Transaction, person: str, who: Who) -> None:
    wanted = Wanted(status="valid", words=(person, TokenKind.INVITATION.value), limit=MOST_TOKENS)
    for stored in transaction.list(tokens.ROOM, wanted):
        if stored.thing.person == person and stored.thing.kind is TokenKind.INVITATION:
            change(tokens.ROOM, transaction, stored.id, lambda t: tokens.revoked(t, who, "replaced"))


def unlimited(actor: Actor) -> Actor:
    """Raises Forbidden for a token with scopes: it must not make itself another without."""
    if actor.scopes:
        raise Forbidden(
            "actor.not-allowed", "this token", "it has scopes", "log in, and do it with that token"
        )
    return actor


def _lasts(lasts_s: int) -> int:
    if not 0 < lasts_s <= LONGEST_TOKEN_US // US_PER_S:
        raise Refused("token.lasts", "lasts_s", "a token lasts at most 366 days", "ask for less")
    return lasts_s * US_PER_S


def no_code() -> NotKnown:
    return NotKnown(
        "setup.code",
        "the code",
        "it does not fit, or was used already",
        "take it from the setup URL or the invitation",
    )
