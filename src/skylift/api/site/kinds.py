"""How each kind of thing is shown: in a list, as a heading, and as facts one below the other."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from skylift.api.site import authority_facts, command_facts, line_facts, outage_facts
from skylift.api.site.values import (
    NONE,
    Badge,
    Link,
    Mono,
    Value,
    count,
    named,
    path_of,
    rate,
    several,
    time_of,
)
from skylift.api.site.words import choice_label, verb_label
from skylift.base.things import Room
from skylift.service.account import account, person, plan
from skylift.service.account.plan import Plan
from skylift.service.approval import state as approval
from skylift.service.authority import state as authority
from skylift.service.command import consent, rollout
from skylift.service.command import state as command
from skylift.service.outage import state as outage
from skylift.service.region import state as region
from skylift.service.region.events import CellMode
from skylift.service.request import state as request
from skylift.service.shipment import state as shipment
from skylift.service.statement import state as statement
from skylift.service.terminal import bulk
from skylift.service.terminal import state as terminal
from skylift.service.terminal.allow_list import state as allow_list

Row = Callable[[Any, int], tuple[Value, ...]]
Facts = Callable[[Any, int], list[tuple[str, Value]]]


@dataclass(frozen=True)
class KindPage:
    """columns: after the first, which names the thing, and before the last, which is its state.

    badge_now  where the state alone does not say how it stands at an instant

    label  (thing) -> its state in words;  states: choices of the list's filter
    """

    room: Room[Any]
    one: str
    says: str
    columns: tuple[str, ...]
    heading: Callable[[Any], str]
    row: Row
    facts: Facts
    label: Callable[[Any], str]
    states: tuple[tuple[str, str], ...]
    tones: Mapping[str, str]
    filters: tuple[str, ...] = ("region",)
    badge_now: Callable[[Any, int], Badge] | None = None

    @property
    def kind(self) -> str:
        return self.room.kind

    def badge(self, thing: Any, now: int) -> Badge:
        if self.badge_now is not None:
            return self.badge_now(thing, now)
        return Badge(self.label(thing), self.tones.get(thing.state.value, "calm"))


def _states(states: type[enum.Enum], label: Callable[[Any], str]) -> tuple[tuple[str, str], ...]:
    return tuple((str(one.value), label(one)) for one in states if one.value != "unknown")


def _plain(state: enum.Enum) -> str:
    return choice_label(state)


# --- requests


def request_heading(r: request.Request) -> str:
    served = f" for {count(r.people, 'person', 'people')}" if r.people else ""
    return f"{choice_label(r.site_kind)}{served}"


def _request_row(r: request.Request, now: int) -> tuple[Value, ...]:
    return (
        time_of(r.asked_at, now),
        count(r.terminals_wanted, "terminal"),
        time_of(r.needed_by, now),
        named(r.region),
    )


def _request_facts(r: request.Request, now: int) -> list[tuple[str, Value]]:
    verified = (
        Badge(f"Vouched for by {r.verified_by}", "good") if r.verified_by else Badge("Not verified", "warn")
    )
    facts: list[tuple[str, Value]] = [
        ("Asker", verified),
        ("Wanted", count(r.terminals_wanted, "terminal")),
        ("People served", f"{r.people:,}" if r.people else "not said"),
        ("Needed by", time_of(r.needed_by, now)),
        ("Asked", Badge("Nobody has", "warn") if r.is_draft else time_of(r.asked_at, now)),
        ("Received", time_of(r.received_at, now)),
        ("Acknowledged", time_of(r.acknowledged_at, now)),
        ("Came by", choice_label(r.channel)),
        ("Cell", Mono(r.cell) if r.cell else Badge("No place yet", "warn")),
        ("Region", named(r.region)),
    ]
    if r.granted:
        facts.append(("Promised", count(r.granted, "terminal")))
    if r.delivered:
        facts.append(("There", count(r.delivered, "terminal")))
    if r.refusal is not None:
        facts.append(("Refused", choice_label(r.refusal)))
    if r.merged_into:
        facts.append(("Goes on in", named(r.merged_into)))
    return facts


# --- regions


def region_until(r: region.Region, now: int) -> Value:
    """How long its papers allow service from now on."""
    from skylift.service.permission.decision import allowed_spans

    until = next((end for start, end in allowed_spans(r) if start <= now < end), None)
    return Badge("Papers are missing", "warn") if until is None else time_of(until, now)


def modes(r: region.Region) -> str:
    found = [
        f"{sum(cell.mode is mode for cell in r.cells.values()):,} {choice_label(mode).lower()}"
        for mode in CellMode
        if any(cell.mode is mode for cell in r.cells.values())
    ]
    return ", ".join(found) or "none"


def _region_row(r: region.Region, now: int) -> tuple[Value, ...]:
    return r.country, modes(r), region_until(r, now)


def _region_facts(r: region.Region, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("Country", r.country),
        ("Cells", f"{len(r.cells):,}: {modes(r)}"),
        ("Papers hold until", region_until(r, now)),
    ]
    if r.reason:
        facts.append(("Reason", r.reason))
    return facts


# --- terminals


def terminal_heading(t: terminal.Terminal) -> str:
    return t.serial or t.kit or t.dish_id or t.id


def in_force(t: terminal.Terminal, now: int) -> Badge:
    """What its enforcers confirmed; what was only asked is not in force."""
    wanted, holds = t.wanted, t.commands.in_force(t.enforcer, now)
    if wanted is None:
        return Badge("Never switched on", "calm")
    words = {"activate": "On", "pause": "Paused", "block": "Cut off"}
    if holds is wanted:
        return Badge(f"{words[wanted.value]}, confirmed", "good" if wanted.value == "activate" else "calm")
    return Badge(f"{words[wanted.value]}: asked, not confirmed", "warn")


def _terminal_row(t: terminal.Terminal, now: int) -> tuple[Value, ...]:
    return t.hardware or NONE, named(t.owner), named(t.region), in_force(t, now)


def _terminal_facts(t: terminal.Terminal, now: int) -> list[tuple[str, Value]]:
    names = [
        f"{what} {name}" for what, name in (("serial", t.serial), ("kit", t.kit), ("dish", t.dish_id)) if name
    ]
    facts: list[tuple[str, Value]] = [
        ("Printed on it", several(Mono(name) for name in names)),
        ("Hardware", t.hardware or NONE),
        ("Network", choice_label(t.network)),
        ("In force", in_force(t, now)),
        ("Owner", named(t.owner)),
        ("Where it was delivered", named(t.place)),
        ("Home cell", Mono(t.cell) if t.cell else NONE),
        ("Region", named(t.region)),
        ("Used", choice_label(t.mobility)),
        ("In this state since", time_of(t.since or None, now)),
    ]
    facts += line_facts.facts(t.line, now)
    if t.verified is not None:
        v = t.verified
        facts.append(("Verified", f"{choice_label(v.basis)}: {v.authority}, {v.reference}"))
    facts += [(f"Blocked by {who}", f"{choice_label(b.why)}, {b.document}") for who, b in t.blocks.items()]
    if t.missing is not None:
        facts.append(("Missing", Badge(choice_label(t.missing), "bad")))
    if t.offered_to:
        facts.append(("Offered to", named(t.offered_to)))
    if t.pause is not None:
        facts.append(("Paused for", choice_label(t.pause)))
    if t.retired is not None:
        facts.append(("Out of use", choice_label(t.retired)))
    return facts


# --- shipments


def _shipment_row(s: shipment.Shipment, now: int) -> tuple[Value, ...]:
    open_ones = sum(d.left for d in s.discrepancies)
    trouble = Badge(count(open_ones, "discrepancy", "discrepancies"), "warn") if open_ones else NONE
    return named(s.origin), named(s.destination), count(len(s.goods), "piece"), named(s.region), trouble


def _shipment_facts(s: shipment.Shipment, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("From", named(s.origin)),
        ("To", named(s.destination)),
        ("Confirmed by", named(s.recipient)),
        ("Answers", named(s.request)),
        ("Region", named(s.region)),
    ]
    if s.customs:
        facts.append(("In customs of", s.customs))
    if s.proofs:
        facts.append(("Proof of delivery", ", ".join(s.proofs)))
    if s.confirmed_at is not None:
        facts.append(("Receipt confirmed", time_of(s.confirmed_at, now)))
    return facts


# --- the rest


def _account_facts(a: account.Account, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("Holder", choice_label(a.holder)),
        ("Country", a.country),
        ("Region", named(a.region)),
        ("Plan", named(a.plan) if a.plan else Badge("No plan", "warn")),
        ("Vouched for by", a.verified_by or NONE),
    ]
    facts += [("Sanctioned", Badge(f"{who}: {what}", "bad")) for who, what in a.sanctions]
    if a.reason:
        facts.append(("Reason", a.reason))
    return facts


def grants_of(p: person.Person) -> list[str]:
    """A person's roles in words."""
    return [
        choice_label(g.role)
        + (f" ({count(len(g.regions), 'region')})" if g.regions else "")
        + (f" of {g.authority}" if g.authority else "")
        for g in p.grants
    ]


def _person_facts(p: person.Person, now: int) -> list[tuple[str, Value]]:
    roles: list[tuple[str, Value]] = [
        (choice_label(g.role), several(named(region) for region in g.regions) if g.regions else "everywhere")
        for g in p.grants
    ]
    return [("Account", named(p.account)), *(roles or [("Roles", Badge("None", "warn"))])]


def _plan_facts(p: Plan, now: int) -> list[tuple[str, Value]]:
    return [
        ("Class", choice_label(p.service_class)),
        ("Down", rate(p.down_bps)),
        ("Up", rate(p.up_bps)),
        ("Allowance", f"{p.allowance_bytes / 1e9:g} GB a month" if p.allowance_bytes is not None else "none"),
        ("Beyond it", rate(p.slow_bps) if p.slow_bps else NONE),
    ]


def statement_heading(s: statement.Statement) -> str:
    return f"{choice_label(s.claims.kind)}: {s.claims.titles.get('en', s.claims.about)}"


def _statement_facts(s: statement.Statement, now: int) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("About", named(s.claims.about)),
        ("Shipment", named(s.claims.batch)),
        ("Published", time_of(s.published_at, now)),
    ]
    if s.withdrawn_at is not None or s.reason:
        facts += [("Withdrawn", time_of(s.withdrawn_at, now)), ("Why", s.reason)]
    return facts


def approval_heading(a: approval.Approval) -> str:
    return verb_label(a.verb) if a.verb else "An agreement"


def approval_badge(a: approval.Approval, now: int) -> Badge:
    """Where it stands, as far as it says itself: whether it is void, the thing that it is about says."""
    return standing_badge(approval.standing(a, now, a.proposed_version))


def standing_badge(standing: approval.Standing) -> Badge:
    """How an agreement stands, for people."""
    match standing:
        case approval.Standing.VOID:
            return Badge("Void: it was changed meanwhile", "bad")
        case approval.Standing.LAPSED:
            return Badge("Lapsed", "bad")
        case approval.Standing.AGREED:
            return Badge("Agreed, to be carried out", "good")
    state = approval.ApprovalState(standing.value)
    return Badge(approval.label(state), {"open": "wait", "declined": "bad"}.get(state.value, "calm"))


def _approval_row(a: approval.Approval, now: int) -> tuple[Value, ...]:
    return named(a.about), f"{len(a.people)} of {a.people_needed}", time_of(a.lapses_at, now)


def _approval_facts(a: approval.Approval, now: int) -> list[tuple[str, Value]]:
    return [
        ("About", named(a.about)),
        ("Agreed so far", several(named(who) for who in a.people)),
        ("Needed", count(a.people_needed, "person", "people")),
        ("Lapses", time_of(a.lapses_at, now)),
        ("Hash of the change", Mono(a.change)),
    ]


def _bare_facts(thing: Any, now: int) -> list[tuple[str, Value]]:
    """Every plain field of a thing that has no words of its own yet."""
    found: list[tuple[str, Value]] = []
    for name in thing.__dataclass_fields__:
        value = getattr(thing, name)
        if name in ("id", "state") or not isinstance(value, str | int | float | enum.Enum):
            continue
        found.append((choice_label(name.replace("_", "-")), _bare(name, value, now)))
    return found


def _bare(name: str, value: Any, now: int) -> Value:
    if isinstance(value, enum.Enum):
        return choice_label(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return time_of(value or None, now) if name.endswith(("_at", "until", "since")) else f"{value:,}"
    return named(str(value))


_MOVING = {
    "request": {
        "draft": "warn", "received": "wait", "acknowledged": "wait", "accepted": "good", "answered": "good",
        "refused": "bad",
    },
    "region": {
        "requested": "wait", "authorised": "wait", "active": "good", "suspended": "warn", "prohibited": "bad",
    },
    "terminal": {
        "active": "good", "paused": "warn", "lost": "bad", "stolen": "bad", "blocked": "bad",
        "in-customs": "wait", "exported": "wait", "registered": "wait", "verified": "wait",
    },
    "shipment": {
        "under-way": "wait", "in-customs": "warn", "arrived": "wait", "received": "good", "lost": "bad",
        "packed": "wait",
    },
}  # fmt: skip


KINDS: Mapping[str, KindPage] = {
    page.kind: page
    for page in (
        KindPage(
            request.ROOM, "request", "Calls for help: who asked, where, and what became of it.",
            ("Asked", "Wanted", "Needed by", "Region"), request_heading, _request_row, _request_facts,
            lambda t: request.label(t.state), _states(request.RequestState, request.label),
            _MOVING["request"],
        ),
        KindPage(
            region.ROOM, "region", "Where service may be on, and the papers that it rests on.",
            ("Country", "Cells", "Papers hold until"), lambda t: t.title or t.id, _region_row, _region_facts,
            lambda t: region.label(t.state), _states(region.RegionState, region.label), _MOVING["region"], (),
        ),
        KindPage(
            terminal.ROOM, "terminal", "Every dish: whose it is, where it belongs, and whether it is on.",
            ("Hardware", "Owner", "Region", "In force"), terminal_heading, _terminal_row, _terminal_facts,
            lambda t: terminal.label(t.state), _states(terminal.TerminalState, terminal.label),
            _MOVING["terminal"], ("region", "owner"),
        ),
        KindPage(
            shipment.ROOM, "shipment", "What is on its way, what came, and what is missing.",
            ("From", "To", "Pieces", "Region", "Open"), lambda t: t.reference or t.id, _shipment_row,
            _shipment_facts, lambda t: shipment.label(t.state),
            _states(shipment.ShipmentState, shipment.label), _MOVING["shipment"], ("region", "owner"),
        ),
        KindPage(
            outage.ROOM, "outage", "What fell below ordinary, how far, and what the public sees of it.",
            ("What", "Lowest", "Began", "The public"), outage_facts.heading, outage_facts.row,
            outage_facts.facts, lambda t: outage.label(t.state), _states(outage.OutageState, outage.label),
            {"open": "bad", "closed": "good"}, (),
        ),
        KindPage(
            account.ROOM, "account", "Organisations and households. Names are shown to few.",
            ("Country", "Region", "Plan"), lambda t: choice_label(t.holder),
            lambda t, now: (t.country, named(t.region), named(t.plan)), _account_facts,
            lambda t: account.label(t.state), _states(account.AccountState, account.label),
            {"open": "wait", "verified": "good", "suspended": "bad"},
        ),
        KindPage(
            statement.ROOM, "statement", "Words to the public, made from what is recorded.",
            ("Published", "Region"), statement_heading,
            lambda t, now: (time_of(t.published_at, now), named(t.claims.about)), _statement_facts,
            lambda t: statement.label(t.state), _states(statement.StatementState, statement.label),
            {"drafted": "wait", "published": "good", "withdrawn": "bad"},
        ),
        KindPage(
            approval.ROOM, "approval", "Changes that take more than one person.",
            ("About", "Agreed", "Lapses"), approval_heading, _approval_row, _approval_facts,
            lambda t: approval.label(t.state), _states(approval.ApprovalState, approval.label),
            {"open": "wait", "declined": "bad"}, (), approval_badge,
        ),
        KindPage(
            person.ROOM, "person", "Everybody with a part in the service, and their roles.",
            ("Roles", "Account"), lambda t: ", ".join(grants_of(t)) or "No role yet",
            lambda t, now: (", ".join(grants_of(t)) or NONE, named(t.account)), _person_facts,
            lambda t: person.label(t.state), _states(person.PersonState, person.label),
            {"active": "good", "locked": "bad"}, ("owner",),
        ),
        KindPage(
            authority.ROOM, "authority", "Bodies whose word counts: where, for what, and until when.",
            ("Code", "Where", "May vouch for", "Until"), lambda t: t.terms.title or t.id, authority_facts.row,
            authority_facts.facts, lambda t: authority.label(t.state),
            _states(authority.AuthorityState, authority.label), {"known": "good", "withdrawn": "bad"}, (),
            authority_facts.badge,
        ),
        KindPage(
            plan.ROOM, "plan", "How fast, how much, and how early in the queue.",
            ("Class", "Down", "Up"), lambda t: t.title or t.id,
            lambda t, now: (choice_label(t.service_class), rate(t.down_bps), rate(t.up_bps)), _plan_facts,
            lambda t: plan.label(t.state), _states(plan.PlanState, plan.label), {"offered": "good"}, (),
        ),
        KindPage(
            allow_list.ROOM, "allow-list", "Authorities' lists of whose terminals may be served.",
            (), lambda t: t.id, lambda t, now: (), _bare_facts, lambda t: _plain(t.state),
            _states(allow_list.AllowListState, _plain), {"applied": "good", "accepted": "wait"},
        ),
        KindPage(
            bulk.ROOM, "bulk change", "One thing done to many terminals at once.",
            (), lambda t: t.id, lambda t, now: (), _bare_facts, lambda t: _plain(t.state),
            _states(type(bulk.ROOM.empty("").state), _plain), {},
        ),
        KindPage(
            command.ROOM, "command", "What is asked of dishes through the agents beside them.",
            ("Terminal", "Asked", "Answer", "Rollout"), command_facts.command_heading,
            command_facts.command_row, command_facts.command_facts, lambda t: command.label(t.state),
            _states(command.CommandState, command.label), command_facts.COMMAND_TONES, ("region", "owner"),
            command_facts.command_badge,
        ),
        KindPage(
            rollout.ROOM, "rollout", "The same asked of many dishes, stage by stage.",
            ("Sent to", "Begun by", "Begun", "Why"), command_facts.rollout_heading,
            command_facts.rollout_row, command_facts.rollout_facts,
            lambda t: command_facts.rollout_label(t.state),
            _states(rollout.RolloutState, command_facts.rollout_label), command_facts.ROLLOUT_TONES,
        ),
        KindPage(
            consent.ROOM, "consent", "Owners' word that their dish may be switched off from afar.",
            ("Terminal", "Owner", "Written down in"), command_facts.consent_heading,
            command_facts.consent_row, command_facts.consent_facts, lambda t: _plain(t.state),
            _states(consent.ConsentState, _plain), command_facts.CONSENT_TONES, ("region", "owner"),
        ),
    )
}  # fmt: skip


def heading(kind: str, thing: Any) -> str:
    """What a thing is called on its own page."""
    return KINDS[kind].heading(thing)


def link_to(kind: str, thing: Any) -> Link:
    return Link(heading(kind, thing), path_of(kind, thing.id))
