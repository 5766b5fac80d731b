"""A human being with a part in the service: which roles, where, and whether they still hold.

A person may have many logins and tokens; they are all one person. Name and contact are personal, kept apart.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room
from skylift.service.account.roles import REACHES, Grant, Reach, Role


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
    NAME: ClassVar[str] = "person.role-granted/1"

    role: Role
    regions: tuple[str, ...] = ()


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
    """A person; grants: one per role."""

    id: str
    state: PersonState = PersonState.UNKNOWN
    account: str = ""
    grants: tuple[Grant, ...] = ()


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
            return replace(after, account=event.account)
        case RoleGranted():
            others = tuple(grant for grant in person.grants if grant.role is not event.role)
            return replace(after, grants=(*others, Grant(event.role, event.regions)))
        case RoleTaken():
            return replace(after, grants=tuple(g for g in person.grants if g.role is not event.role))
        case PersonLeft():
            return replace(after, grants=())
    return after


def added(person: Person, who: Who, account: str = "") -> tuple[PersonEvent, ...]:
    CYCLE.after(person.id, person.state, PersonAdded)
    return (PersonAdded(who.at, who.by, person.id, who.cause_id, account),)


def granted(person: Person, who: Who, grant: Grant) -> tuple[PersonEvent, ...]:
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
    return (RoleGranted(who.at, who.by, person.id, who.cause_id, grant.role, grant.regions),)


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
    return Facets(
        status=person.state.value, owner=person.account, words=tuple(g.role.value for g in person.grants)
    )


ROOM: Room[Person] = Room(
    kind="person",
    prefix="per",
    state=Person,
    empty=Person,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
