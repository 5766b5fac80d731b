"""A customer: an organisation or a household that owns terminals, and the plan that it is on.

Its name and contacts are personal and kept apart. Whether it may be served is asked in every slot.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.countries import read_country
from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room


class Holder(enum.Enum):
    """What kind of customer; allow-lists treat them differently."""

    PERSON = "person"
    COMPANY = "company"
    CRITICAL = "critical-infrastructure"
    AUTHORITY = "authority"
    AID = "aid-organisation"


class AccountState(enum.Enum):
    """Where an account stands."""

    UNKNOWN = "unknown"
    OPEN = "open"
    VERIFIED = "verified"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class AccountEvent(Event):
    """Something that happened to an account."""


@dataclass(frozen=True, slots=True)
class AccountOpened(AccountEvent):
    NAME: ClassVar[str] = "account.opened/1"

    holder: Holder
    country: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class AccountVerified(AccountEvent):
    """Somebody known vouches for it; reference: theirs, never an identity number."""

    NAME: ClassVar[str] = "account.verified/1"

    authority: str
    reference: str


@dataclass(frozen=True, slots=True)
class PlanChosen(AccountEvent):
    """From now on the account is served by this plan."""

    NAME: ClassVar[str] = "account.plan-chosen/1"

    plan: str


@dataclass(frozen=True, slots=True)
class AccountSuspended(AccountEvent):
    NAME: ClassVar[str] = "account.suspended/1"

    reason: str


@dataclass(frozen=True, slots=True)
class AccountResumed(AccountEvent):
    NAME: ClassVar[str] = "account.resumed/1"


@dataclass(frozen=True, slots=True)
class AccountSanctioned(AccountEvent):
    """It stands on a list of those who must not be served. list_name: which, and its date."""

    NAME: ClassVar[str] = "account.sanctioned/1"

    authority: str
    list_name: str


@dataclass(frozen=True, slots=True)
class SanctionLifted(AccountEvent):
    NAME: ClassVar[str] = "account.sanction-lifted/1"

    authority: str
    list_name: str


@dataclass(frozen=True, slots=True)
class AccountClosed(AccountEvent):
    NAME: ClassVar[str] = "account.closed/1"


@dataclass(frozen=True, slots=True)
class Account:
    """A customer. sanctions: (authority, list) that forbid serving it; () for none."""

    id: str
    state: AccountState = AccountState.UNKNOWN
    holder: Holder = Holder.PERSON
    country: str = ""
    region: str = ""
    plan: str = ""
    verified_by: str = ""
    reason: str = ""
    sanctions: tuple[tuple[str, str], ...] = ()


def _steps() -> dict[tuple[AccountState, type[Event]], AccountState]:
    s = AccountState
    steps: dict[tuple[AccountState, type[Event]], AccountState] = {
        (s.UNKNOWN, AccountOpened): s.OPEN,
        (s.OPEN, AccountVerified): s.VERIFIED,
        (s.VERIFIED, AccountVerified): s.VERIFIED,
        (s.VERIFIED, AccountSuspended): s.SUSPENDED,
        (s.SUSPENDED, AccountResumed): s.VERIFIED,
        (s.OPEN, AccountClosed): s.CLOSED,
        (s.VERIFIED, AccountClosed): s.CLOSED,
        (s.SUSPENDED, AccountClosed): s.CLOSED,
    }
    for state in (s.OPEN, s.VERIFIED, s.SUSPENDED):
        steps[state, PlanChosen] = state
        # A sanction binds whatever else holds; it is no state of its own, for several can hold at once.
        steps[state, AccountSanctioned] = state
        steps[state, SanctionLifted] = state
    return steps


CYCLE = LifeCycle(thing="account", begins=AccountState.UNKNOWN, steps=_steps())


def apply(account: Account, event: Event) -> Account:
    """The account after an event. Raises Refused where its life cycle has no such step."""
    after = replace(account, state=CYCLE.after(account.id, account.state, type(event)))
    match event:
        case AccountOpened():
            return replace(after, holder=event.holder, country=event.country, region=event.region)
        case AccountVerified():
            return replace(after, verified_by=event.authority)
        case PlanChosen():
            return replace(after, plan=event.plan)
        case AccountSuspended():
            return replace(after, reason=event.reason)
        case AccountResumed():
            return replace(after, reason="")
        case AccountSanctioned():
            return replace(after, sanctions=(*account.sanctions, (event.authority, event.list_name)))
        case SanctionLifted():
            lifted = (event.authority, event.list_name)
            return replace(after, sanctions=tuple(s for s in account.sanctions if s != lifted))
    return after


def opened(
    account: Account, who: Who, holder: Holder, country: str, region: str = ""
) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountOpened)
    read_country(country, "account")
    return (AccountOpened(who.at, who.by, account.id, who.cause_id, holder, country, region),)


def verified(account: Account, who: Who, authority: str, reference: str) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountVerified)
    if not authority or not reference:
        raise Refused(
            "account.reference",
            "verification",
            "it names the authority and the authority's own reference",
            "give both; identity numbers are never stored",
        )
    return (AccountVerified(who.at, who.by, account.id, who.cause_id, authority, reference),)


def plan_chosen(account: Account, who: Who, plan: str) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, PlanChosen)
    if plan == account.plan:
        return ()
    return (PlanChosen(who.at, who.by, account.id, who.cause_id, plan),)


def suspended(account: Account, who: Who, reason: str) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountSuspended)
    return (AccountSuspended(who.at, who.by, account.id, who.cause_id, reason),)


def resumed(account: Account, who: Who) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountResumed)
    return (AccountResumed(who.at, who.by, account.id, who.cause_id),)


def sanctioned(account: Account, who: Who, authority: str, list_name: str) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountSanctioned)
    if (authority, list_name) in account.sanctions:
        return ()
    return (AccountSanctioned(who.at, who.by, account.id, who.cause_id, authority, list_name),)


def sanction_lifted(account: Account, who: Who, authority: str, list_name: str) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, SanctionLifted)
    if (authority, list_name) not in account.sanctions:
        raise Refused(
            "account.no-sanction", f"account {account.id}", "it is not on this list", "read the account again"
        )
    return (SanctionLifted(who.at, who.by, account.id, who.cause_id, authority, list_name),)


def closed(account: Account, who: Who) -> tuple[AccountEvent, ...]:
    CYCLE.after(account.id, account.state, AccountClosed)
    return (AccountClosed(who.at, who.by, account.id, who.cause_id),)


def label(state: AccountState) -> str:
    """The words that an operator reads on the account's card."""
    match state:
        case AccountState.UNKNOWN:
            return "Not known"
        case AccountState.OPEN:
            return "Not verified yet"
        case AccountState.VERIFIED:
            return "Verified"
        case AccountState.SUSPENDED:
            return "Suspended"
        case AccountState.CLOSED:
            return "Closed"
    assert_never(state)


def facets(account: Account) -> Facets:
    """What lists of accounts are searched by."""
    return Facets(
        status=account.state.value,
        region=account.region,
        owner=account.id,
        words=(account.holder.value, account.country.lower()),
    )


ROOM: Room[Account] = Room(
    kind="account",
    prefix="acc",
    state=Account,
    empty=Account,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
