"""A human being with a part in the service: which roles, where, and whether they still hold.

A person may have many logins and tokens; they are all one person. Name and contact are personal, kept apart.
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
from skylift.service.account.roles import REACHES, Grant, Reach, Role

_AT_ONCE = InstantUs(0)


class PersonState(enum.Enum):
    """Whether a person may act."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    LOCKED = "locked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class PersonEvent(Event):
    """Something that happened to a person's part in the service."""


@dataclass(frozen=True, slots=True)
class PersonAdded(PersonEvent):
    """account: the customer that they belong to; "" for nobody's."""

    NAME: ClassVar[str] = "person.added/1"

    account: str = ""


@dataclass(frozen=True, slots=True)
class RoleGranted(PersonEvent):
    """counts_from: before that instant an approver's word does not count; 0: at once.

    authority  code of the one that an officer speaks for; "" for any
    """

    NAME: ClassVar[str] = "person.role-granted/1"

    role: Role
    regions: tuple[str, ...] = ()
    counts_from: InstantUs = _AT_ONCE
    authority: str = ""


@dataclass(frozen=True, slots=True)
class RoleTaken(PersonEvent):
    NAME: ClassVar[str] = "person.role-taken/1"

    role: Role


@dataclass(frozen=True, slots=True)
class PersonLocked(PersonEvent):
    """Every login and token of theirs stops at once."""

    NAME: ClassVar[str] = "person.locked/1"

    reason: str


@dataclass(frozen=True, slots=True)
class PersonUnlocked(PersonEvent):
    NAME: ClassVar[str] = "person.unlocked/1"


@dataclass(frozen=True, slots=True)
class PersonLeft(PersonEvent):
    NAME: ClassVar[str] = "person.left/1"


@dataclass(frozen=True, slots=True)
class Person:
    """A person; grants: one per role.

    added_at        when they got a part in the service
    approves_from   from when on their word counts, as an approver's
    once_approver   whether they ever were one: after the first, nobody becomes one by a single person's word
    """

    id: str
    state: PersonState = PersonState.UNKNOWN
    account: str = ""
    grants: tuple[Grant, ...] = ()
    added_at: InstantUs = _AT_ONCE
    approves_from: InstantUs = _AT_ONCE
    once_approver: bool = False

    @property
    def is_approver(self) -> bool:
        return any(grant.role is Role.APPROVER for grant in self.grants)


_S = PersonState
CYCLE = LifeCycle(
    thing="person",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, PersonAdded): _S.ACTIVE,
        (_S.ACTIVE, RoleGranted): _S.ACTIVE,
        (_S.ACTIVE, RoleTaken): _S.ACTIVE,
        (_S.ACTIVE, PersonLocked): _S.LOCKED,
        (_S.LOCKED, RoleTaken): _S.LOCKED,
        (_S.LOCKED, PersonUnlocked): _S.ACTIVE,
        (_S.ACTIVE, PersonLeft): _S.GONE,
        (_S.LOCKED, PersonLeft): _S.GONE,
    },
)


def apply(person: Person, event: Event) -> Person:
    """The person after an event. Raises Refused where the life cycle has no such step."""
    after = replace(person, state=CYCLE.after(person.id, person.state, type(event)))
    match event:
        case PersonAdded():
            return replace(after, account=event.account, added_at=event.at)
        case RoleGranted():
            others = tuple(grant for grant in person.grants if grant.role is not event.role)
            after = replace(after, grants=(*others, Grant(event.role, event.regions, event.authority)))
            if event.role is not Role.APPROVER:
                return after
            return replace(after, approves_from=event.counts_from, once_approver=True)
        case RoleTaken():
            return replace(after, grants=tuple(g for g in person.grants if g.role is not event.role))
        case PersonLeft():
            return replace(after, grants=())
    return after


def added(person: Person, who: Who, account: str = "") -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, PersonAdded)
    return (PersonAdded(who.at, who.by, person.id, who.cause_id, account),)


def granted(
    person: Person, who: Who, grant: Grant, counts_from: InstantUs = _AT_ONCE
) -> tuple[PersonEvent, ...]:
    """counts_from: when an approver's word begins to count."""
    CYCLE.after(person.id, person.state, RoleGranted)
    if REACHES[grant.role] is Reach.REGIONS and not grant.regions:
        raise Refused(
            "person.no-territory",
            grant.role.value,
            "it decides for a territory of its own",
            "name its regions",
        )
    if REACHES[grant.role] is Reach.OWN and not person.account:
        raise Refused(
            "person.no-account",
            grant.role.value,
            "it is for what an account owns",
            "add them to an account first",
        )
    # Whoever approves must not be the one who checks the approvals afterwards.
    roles = {g.role for g in person.grants} | {grant.role}
    if {Role.APPROVER, Role.AUDITOR} <= roles:
        raise Refused(
            "person.two-hats",
            f"person {person.id}",
            "nobody audits what they approve",
            "take one of the roles first",
        )
    if grant in person.grants:
        return ()
    if grant.authority and grant.role is not Role.AUTHORITY:
        raise Refused(
            "person.authority",
            grant.role.value,
            "only an authority's officer speaks for one",
            "leave the authority out, or give the role authority",
        )
    head = (who.at, who.by, person.id, who.cause_id)
    return (RoleGranted(*head, grant.role, grant.regions, counts_from, grant.authority),)


def taken(person: Person, who: Who, role: Role) -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, RoleTaken)
    if role not in {grant.role for grant in person.grants}:
        return ()
    return (RoleTaken(who.at, who.by, person.id, who.cause_id, role),)


def locked(person: Person, who: Who, reason: str) -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, PersonLocked)
    return (PersonLocked(who.at, who.by, person.id, who.cause_id, reason),)


def unlocked(person: Person, who: Who) -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, PersonUnlocked)
    return (PersonUnlocked(who.at, who.by, person.id, who.cause_id),)


def left(person: Person, who: Who) -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, PersonLeft)
    return (PersonLeft(who.at, who.by, person.id, who.cause_id),)


def label(state: PersonState) -> str:
    """The words that an operator reads."""
    match state:
        case PersonState.UNKNOWN:
            return "Not known"
        case PersonState.ACTIVE:
            return "May act"
        case PersonState.LOCKED:
            return "Locked out"
        case PersonState.GONE:
            return "Has left"
    assert_never(state)


def facets(person: Person) -> Facets:
    """What lists of people are searched by."""
    once = ("once-approver",) * person.once_approver
    words = (*(g.role.value for g in person.grants), *once)
    return Facets(status=person.state.value, owner=person.account, words=words)


ROOM: Room[Person] = Room(
    kind="person",
    prefix="per",
    state=Person,
    empty=Person,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
