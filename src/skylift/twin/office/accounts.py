"""What can be done to accounts, people and plans. Names and contacts go to erasable rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.ports.store import Reader, Wanted
from skylift.service.account import account, person, plan
from skylift.service.account.account import Account, Holder
from skylift.service.account.person import Person
from skylift.service.account.plan import ServiceClass, Terms
from skylift.service.account.roles import Grant, Role, Subject
from skylift.service.authority import state as authorities
from skylift.service.authority.decide import code_of, unknown_authority
from skylift.service.authority.events import Matter
from skylift.twin.handle import load
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor, Because, Moment, Nothing, Verb
from skylift.twin.office.vouching import of_account, own_word, vouched

# An approver whom one person has named alone, when the service was set up long ago, waits so long: others
# see it in the journal meanwhile.
WAITING_US = 86_400_000_000


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
    """authority: code of the one that an officer speaks for, of the register; "" for any of their regions."""

    role: Role
    regions: tuple[str, ...] = ()
    authority: str = ""


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
    """Two, once there has been an approver: the first one is named by one person alone, and no other."""
    return 2 if have_approvers(reader) else 1


def have_approvers(reader: Reader) -> bool:
    """Whether anybody has ever been an approver: before that, one person does alone what takes two later."""
    return bool(reader.list(person.ROOM, Wanted(words=("once-approver",), limit=1)))


def _people_to_end(thing: Person, given: Any, reader: Reader) -> int:
    """Two, where it is an approver's part that ends: else one person could do away with all of them."""
    ends = not isinstance(given, TakeRole) or given.role is Role.APPROVER
    return 2 if thing.is_approver and ends else 1


def _granted(thing: Person, moment: Moment, given: GrantRole) -> Sequence[Event]:
    counts_from = moment.at
    if given.role is Role.APPROVER and not moment.approval and not _being_set_up(moment):
        counts_from = InstantUs(moment.at + WAITING_US)
    grant = Grant(given.role, given.regions, _authority_known(moment.reader, given.authority))
    return person.granted(thing, moment.who, grant, counts_from)


def _authority_known(reader: Reader, named: str) -> str:
    """Its code. Raises Refused for one that is not on the register."""
    if named and reader.find(authorities.ROOM, "code", code_of(named)) is None:
        raise unknown_authority()
    return code_of(named)


def _being_set_up(moment: Moment) -> bool:
    """Whether the first person came within a day: whoever has the set-up code is trusted with all of it."""
    first = min((stored.thing.added_at for stored in every(moment.reader, person.ROOM)), default=moment.at)
    return moment.at - first <= WAITING_US


def _not_the_last(thing: Person, moment: Moment) -> None:
    """Raises Refused where nobody would be left to agree to anything."""
    wanted = Wanted(status=person.PersonState.ACTIVE.value, words=(Role.APPROVER.value,))
    others = [one for one in every(moment.reader, person.ROOM, wanted) if one.id != thing.id]
    if thing.is_approver and not any(one.thing.is_approver for one in others):
        raise Refused(
            "person.last-approver",
            f"person {thing.id}",
            "nobody else may approve, and without an approver no other can be named",
            "name another approver first",
        )


def _taken(thing: Person, moment: Moment, given: TakeRole) -> Sequence[Event]:
    if given.role is Role.APPROVER:
        _not_the_last(thing, moment)
    return person.taken(thing, moment.who, given.role)


def _left(thing: Person, moment: Moment, given: Nothing) -> Sequence[Event]:
    _not_the_last(thing, moment)
    return person.left(thing, moment.who)


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
        vouched(
            lambda t, m, a: account.verified(t, m.who, a.authority, a.reference),
            of_account,
            lambda a: Matter.ASKERS,
        ),
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
        own_word(lambda t, m, a: account.sanctioned(t, m.who, a.authority, a.list_name)),
        "Record that a list forbids it.",
    ),
    Verb(
        "account.lift-sanction",
        account.ROOM,
        Sanction,
        own_word(lambda t, m, a: account.sanction_lifted(t, m.who, a.authority, a.list_name)),
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
        _granted,
        "Give a person a role.",
        people_for=_people_to_grant,
    ),
    Verb("person.take", person.ROOM, TakeRole, _taken, "Take a role.", people_for=_people_to_end),
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
    Verb("person.leave", person.ROOM, Nothing, _left, "They have left.", people_for=_people_to_end),
    Verb("plan.create", plan.ROOM, OfferPlan, _offered, "Offer a plan.", creates=True),
    Verb(
        "plan.withdraw",
        plan.ROOM,
        Nothing,
        lambda t, m, a: plan.withdrawn(t, m.who),
        "Give it to nobody new.",
    ),
)
