"""Who may do what: roles, what each allows, and where. Pure: logins and tokens are kept elsewhere.

A verb is "<kind>.<what>", as in "region.activate". What is not personal is read by `<kind>.read`; what is
personal by `<kind>.read-personal`, and every such reading is journalled.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class Role(enum.Enum):
    """What a person is to the service."""

    SUBSCRIBER = "subscriber"
    VIEWER = "viewer"
    FIELD = "field"
    LOGISTICS = "logistics"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    AUTHORITY = "authority"


class Reach(enum.Enum):
    """Whose things a role reaches."""

    OWN = "own"
    """Those of the person's own account."""
    REGIONS = "regions"
    """Those of the regions that the grant names."""
    ALL = "all"
    """Everything, with a grant that names no region."""


_READ_ALL = (
    "request.read", "region.read", "account.read", "terminal.read", "shipment.read", "approval.read",
    "statement.read", "appstats.read",
)  # fmt: skip

ALLOWS: Mapping[Role, frozenset[str]] = {
    Role.SUBSCRIBER: frozenset(
        {"terminal.read", "terminal.register", "terminal.pause", "terminal.resume", "terminal.report-lost",
         "terminal.hand-over", "terminal.accept", "shipment.read", "shipment.confirm", "account.read",
         "account.read-personal", "account.erase", "request.create", "request.read"}
    ),
    Role.VIEWER: frozenset(_READ_ALL),
    Role.FIELD: frozenset(
        {*_READ_ALL, "request.create", "request.place", "terminal.verify", "terminal.report-lost",
         "terminal.report-stolen", "terminal.confirm", "shipment.receive", "shipment.confirm"}
    ),
    Role.LOGISTICS: frozenset(
        {*_READ_ALL, "request.create", "request.answer", "terminal.create", "terminal.move",
         "shipment.create", "shipment.change", "shipment.receive", "shipment.resolve", "shipment.close",
         "shipment.read-personal"}
    ),
    Role.OPERATOR: frozenset(
        {*_READ_ALL, "request.create", "request.acknowledge", "request.place", "request.verify",
         "request.merge", "request.accept", "request.refuse", "request.answer", "request.close",
         "request.read-personal", "request.erase", "region.create", "region.request", "region.activate",
         "region.suspend", "region.cells", "account.create", "account.verify", "account.suspend",
         "account.plan", "account.read-personal", "account.erase", "terminal.create", "terminal.register",
         "terminal.verify", "terminal.activate", "terminal.pause", "terminal.resume", "terminal.block",
         "terminal.unblock", "terminal.report-lost", "terminal.report-stolen", "terminal.confirm",
         "terminal.hand-over", "terminal.read-personal", "terminal.erase", "shipment.create",
         "statement.draft", "appstats.import", "approval.propose"}
    ),
    Role.APPROVER: frozenset({*_READ_ALL, "approval.agree", "approval.decline", "statement.publish"}),
    Role.AUDITOR: frozenset({*_READ_ALL, "audit.read", "audit.verify"}),
    Role.AUTHORITY: frozenset(
        {*_READ_ALL, "region.grant", "region.revoke", "region.refuse", "region.prohibit", "region.lift",
         "allow-list.import", "request.create", "request.vouch"}
    ),
}  # fmt: skip

REACHES: Mapping[Role, Reach] = {
    Role.SUBSCRIBER: Reach.OWN,
    Role.VIEWER: Reach.ALL,
    Role.FIELD: Reach.ALL,
    Role.LOGISTICS: Reach.ALL,
    Role.OPERATOR: Reach.ALL,
    Role.APPROVER: Reach.ALL,
    Role.AUDITOR: Reach.ALL,
    # An authority decides for its own territory, and for nobody else's.
    Role.AUTHORITY: Reach.REGIONS,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, and the regions that it is limited to; () means everywhere, where the role allows that."""

    role: Role
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be done something to: its region and the account that owns it; "" for none."""

    region: str = ""
    owner: str = ""


def may(grants: Iterable[Grant], account: str, verb: str, subject: Subject) -> bool:
    """Whether any of a person's grants allows a verb on a subject. `account`: the person's own."""
    return any(verb in ALLOWS[grant.role] and _reaches(grant, account, subject) for grant in grants)


def _reaches(grant: Grant, account: str, subject: Subject) -> bool:
    match REACHES[grant.role]:
        case Reach.OWN:
            return bool(account) and subject.owner == account
        case Reach.REGIONS:
            return subject.region in grant.regions
        case Reach.ALL:
            # A grant that names regions reaches nothing outside them, nor what belongs to none.
            return not grant.regions or subject.region in grant.regions


def verbs() -> frozenset[str]:
    """Every verb that any role allows."""
    return frozenset().union(*ALLOWS.values())
