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


def _verbs(**kinds: str) -> frozenset[str]:
    """_verbs(region="read grant") is {"region.read", "region.grant"}; _ in a kind stands for a hyphen.

    One at the end is left out: Python knows `import` otherwise.
    """
    return frozenset(
        f"{kind.rstrip('_').replace('_', '-')}.{action}"
        for kind, actions in kinds.items()
        for action in actions.split()
    )


_READ_ALL = frozenset(
    f"{kind}.read"
    for kind in ("request", "region", "account", "authority", "person", "plan", "terminal", "shipment",
                 "approval", "statement", "appstats", "app-figure", "allow-list", "bulk-change", "import",
                 "outage", "agent-key", "command", "consent", "rollout", "sharing")
)  # fmt: skip

# Whoever subscribes hears no more than they may read.
_WEBHOOKS = _verbs(webhook="create read rotate test redeliver pause resume remove read-personal erase")

# What happens to a consignment where it is: on the road, and where its boxes are opened.
_ON_THE_SPOT = "depart arrive receive receive-scans swap complete notice prove confirm"

ALLOWS: Mapping[Role, frozenset[str]] = {
    Role.SUBSCRIBER: _verbs(
        terminal="read register unregister activate pause report-lost find hand-over end-offer accept "
        "decline",
        shipment="read confirm",
        account="read read-personal erase",
        request="create read",
        command="create withdraw read",
        consent="create take-back read",
        sharing="read",
    )
    | _WEBHOOKS,
    Role.VIEWER: _READ_ALL,
    Role.FIELD: _READ_ALL
    | _verbs(
        approval="withdraw",
        request="create place",
        terminal="verify report-lost report-stolen confirm report-failed",
        shipment=_ON_THE_SPOT,
    ),
    Role.LOGISTICS: _READ_ALL
    | _WEBHOOKS
    | _verbs(
        approval="withdraw",
        request="create answer",
        import_="read abandon",
        terminal="create import move name export enter-customs leave-customs deliver record-line "
        "record-no-line",
        agent_key="offer revoke",
        shipment=f"{_ON_THE_SPOT} create import add-lines import-lines scan-lines remove-lines plan-leg "
        "drop-legs pack unpack cancel set-paper enter-customs leave-customs turn-back lose find resolve "
        "close read-personal",
    ),
    Role.OPERATOR: _READ_ALL
    | _WEBHOOKS
    | _verbs(
        approval="withdraw",
        import_="read abandon",
        request="create confirm import acknowledge place verify merge separate accept refuse answer reopen "
        "close read-personal erase",
        region="create request activate suspend cells cells-remove",
        authority="create amend withdraw restore",
        account="create import verify plan suspend resume close read-personal erase",
        person="create grant take lock unlock leave read-personal erase",
        plan="create import withdraw",
        terminal="create import register verify activate pause block unblock report-lost report-stolen find "
        "name move export enter-customs leave-customs deliver confirm retire hand-over read-personal erase "
        "unregister withdraw-verification end-offer ask-field ask-again report-failed restore record-line "
        "record-no-line",
        shipment="create cancel turn-back lose find",
        allow_list="create extend schedule apply carry-out withdraw",
        bulk_change="create",
        command="create withdraw",
        consent="create take-back",
        rollout="create proceed stop",
        statement="create redraft publish withdraw",
        app_figure="create correct withdraw",
        outage="create update close merge explain confirm dismiss hold release",
        clock="advance",
        telemetry="write",
        agent_key="offer revoke",
    ),
    # Whoever approves can do nothing else that would need an approval.
    Role.APPROVER: _READ_ALL | _verbs(approval="agree decline"),
    Role.AUDITOR: _READ_ALL | _verbs(audit="read verify", webhook="read"),
    Role.AUTHORITY: _READ_ALL
    | _WEBHOOKS
    | _verbs(
        approval="withdraw",
        region="grant revoke refuse prohibit lift",
        account="sanction lift-sanction",
        request="create",
        terminal="withdraw-verification",
        allow_list="create extend withdraw",
    ),
}

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
    """A role, and the regions that it is limited to; () means everywhere, where the role allows that.

    authority  code of the one that an officer speaks for; "" for any that may vouch for what they decide
    """

    role: Role
    regions: tuple[str, ...] = ()
    authority: str = ""


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
