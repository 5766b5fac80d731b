"""What can be done to accounts, people and plans. Names and contacts go to erasable rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.ports.store import Reader, Wanted
from skylift.service.account import account, person, plan
from skylift.service.account.account import Account, Holder
from skylift.service.account.plan import ServiceClass, Terms
from skylift.service.account.roles import Grant, Role, Subject
from skylift.twin.handle import load
from skylift.twin.office.verbs import Actor, Because, Moment, Nothing, Verb


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """name, contact and address are personal, and can be erased."""

    holder: Holder
    country: str
    region: str = ""
    name: str = ""
    contact: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class VerifyAccount:
    """reference: the authority's own, never an identity number."""

    authority: str
    reference: str


@dataclass(frozen=True, slots=True)
class ChoosePlan:
    plan: str


@dataclass(frozen=True, slots=True)
class Sanction:
    """list_name: which list, with its date."""

    authority: str
    list_name: str


@dataclass(frozen=True, slots=True)
class AddPerson:
    """account: that they belong to; name and contact are personal."""

    account: str = ""
    name: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class GrantRole:
    role: Role
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TakeRole:
    role: Role


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """Rates in bits per second; allowance of a month in bytes, None for none; slow_bps beyond it."""

    title: str
    service_class: ServiceClass
    down_bps: float
    up_bps: float
    allowance_bytes: int | None = None
    slow_bps: float | None = None


def _plan_chosen(thing: Account, moment: Moment, given: ChoosePlan) -> Sequence[Event]:
    chosen = load(plan.ROOM, moment.reader, given.plan).thing
    if chosen.state is not plan.PlanState.OFFERED:
        raise Refused(
            "plan.not-offered", f"plan {given.plan}", "nobody new gets it", "choose one that is offered"
        )
    return account.plan_chosen(thing, moment.who, given.plan)


def _offered(thing: plan.Plan, moment: Moment, given: OfferPlan) -> Sequence[Event]:
    terms = Terms(
        given.title, given.service_class, given.down_bps, given.up_bps, given.allowance_bytes, given.slow_bps
    )
    return plan.offered(thing, moment.who, terms)


def _people_to_grant(thing: Any, given: GrantRole, reader: Reader) -> int:
    """Two, once there is anybody who could be the second: the first approver is named by one person alone."""
    return 2 if reader.list(person.ROOM, Wanted(words=(Role.APPROVER.value,), limit=1)) else 1


def _own(given: AddPerson, actor: Actor) -> Subject:
    return Subject(owner=given.account)


VERBS = (
    Verb(
        "account.create",
        account.ROOM,
        OpenAccount,
        lambda t, m, a: account.opened(t, m.who, a.holder, a.country, a.region),
        "Open an account.",
        creates=True,
        subject_of=lambda a, actor: Subject(region=a.region),
        personal=("name", "contact", "address"),
    ),
    Verb(
        "account.verify",
        account.ROOM,
        VerifyAccount,
        lambda t, m, a: account.verified(t, m.who, a.authority, a.reference),
        "Record who vouches for it.",
    ),
    Verb("account.plan", account.ROOM, ChoosePlan, _plan_chosen, "Put it on a plan."),
    Verb(
        "account.suspend",
        account.ROOM,
        Because,
        lambda t, m, a: account.suspended(t, m.who, a.reason),
        "Serve it no more for now.",
    ),
    Verb(
        "account.resume", account.ROOM, Nothing, lambda t, m, a: account.resumed(t, m.who), "Serve it again."
    ),
    Verb(
        "account.sanction",
        account.ROOM,
        Sanction,
        lambda t, m, a: account.sanctioned(t, m.who, a.authority, a.list_name),
        "Record that a list forbids it.",
    ),
    Verb(
        "account.lift-sanction",
        account.ROOM,
        Sanction,
        lambda t, m, a: account.sanction_lifted(t, m.who, a.authority, a.list_name),
        "Record that it is off the list.",
    ),
    Verb(
        "account.close", account.ROOM, Nothing, lambda t, m, a: account.closed(t, m.who), "Close it for good."
    ),
    Verb(
        "person.create",
        person.ROOM,
        AddPerson,
        lambda t, m, a: person.added(t, m.who, a.account),
        "Add a person.",
        creates=True,
        subject_of=_own,
        personal=("name", "contact"),
    ),
    Verb(
        "person.grant",
        person.ROOM,
        GrantRole,
        lambda t, m, a: person.granted(t, m.who, Grant(a.role, a.regions)),
        "Give a person a role.",
        people_for=_people_to_grant,
    ),
    Verb(
        "person.take", person.ROOM, TakeRole, lambda t, m, a: person.taken(t, m.who, a.role), "Take a role."
    ),
    Verb(
        "person.lock",
        person.ROOM,
        Because,
        lambda t, m, a: person.locked(t, m.who, a.reason),
        "Stop all logins and tokens of a person.",
    ),
    Verb(
        "person.unlock",
        person.ROOM,
        Nothing,
        lambda t, m, a: person.unlocked(t, m.who),
        "Let them act again.",
    ),
    Verb("person.leave", person.ROOM, Nothing, lambda t, m, a: person.left(t, m.who), "They have left."),
    Verb("plan.create", plan.ROOM, OfferPlan, _offered, "Offer a plan.", creates=True),
    Verb(
        "plan.withdraw",
        plan.ROOM,
        Nothing,
        lambda t, m, a: plan.withdrawn(t, m.who),
        "Give it to nobody new.",
    ),
)
