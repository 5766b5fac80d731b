"""Which verbs a thing's state leaves open, so that a page offers just these. The office decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skylift.base.events import Event
from skylift.base.life_cycle import LifeCycle
from skylift.service.account import account, person, plan
from skylift.service.approval import state as approval
from skylift.service.authority import events as authority_events
from skylift.service.authority import state as authority
from skylift.service.outage import events as outage_events
from skylift.service.outage import state as outage
from skylift.service.region import events as region_events
from skylift.service.region import state as region
from skylift.service.request import events as request_events
from skylift.service.request import state as request
from skylift.service.shipment import events as s
from skylift.service.shipment import state as shipment
from skylift.service.statement import state as statement
from skylift.service.terminal import events as t
from skylift.service.terminal import state as terminal
from skylift.twin.office.terminals import said_by_people
from skylift.twin.office.verbs import Verb

_CYCLES: Mapping[str, LifeCycle[Any]] = {
    "request": request.CYCLE,
    "region": region.CYCLE,
    "account": account.CYCLE,
    "authority": authority.CYCLE,
    "person": person.CYCLE,
    "plan": plan.CYCLE,
    "terminal": terminal.CYCLE,
    "shipment": shipment.CYCLE,
    "outage": outage.CYCLE,
    "statement": statement.CYCLE,
    "approval": approval.CYCLE,
}

# The first event of each verb; of several, any that the state allows opens it.
_EVENTS: Mapping[str, tuple[type[Event], ...]] = {
    "request.confirm": (request_events.RequestConfirmed,),
    "request.acknowledge": (request_events.RequestAcknowledged,),
    "request.place": (request_events.RequestPlaced,),
    "request.verify": (request_events.AskerVerified,),
    "request.merge": (request_events.RequestMerged,),
    "request.separate": (request_events.RequestSeparated,),
    "request.accept": (request_events.RequestAccepted,),
    "request.refuse": (request_events.RequestRefused,),
    "request.answer": (request_events.RequestAnswered,),
    "request.reopen": (request_events.RequestReopened,),
    "request.close": (request_events.RequestClosed,),
    "region.request": (region_events.RegionRequested,),
    "region.grant": (region_events.PaperGranted,),
    "region.revoke": (region_events.PaperRevoked,),
    "region.refuse": (region_events.RegionRefused,),
    "region.activate": (region_events.RegionActivated,),
    "region.suspend": (region_events.RegionSuspended,),
    "region.prohibit": (region_events.RegionProhibited,),
    "region.lift": (region_events.ProhibitionLifted,),
    "region.cells": (region_events.CellsSet,),
    "region.cells-remove": (region_events.CellsRemoved,),
    "authority.amend": (authority_events.AuthorityAmended,),
    "authority.withdraw": (authority_events.AuthorityWithdrawn,),
    "authority.restore": (authority_events.AuthorityRestored,),
    "account.verify": (account.AccountVerified,),
    "account.plan": (account.PlanChosen,),
    "account.suspend": (account.AccountSuspended,),
    "account.resume": (account.AccountResumed,),
    "account.sanction": (account.AccountSanctioned,),
    "account.lift-sanction": (account.SanctionLifted,),
    "account.close": (account.AccountClosed,),
    "person.grant": (person.RoleGranted,),
    "person.take": (person.RoleTaken,),
    "person.lock": (person.PersonLocked,),
    "person.unlock": (person.PersonUnlocked,),
    "person.leave": (person.PersonLeft,),
    "plan.withdraw": (plan.PlanWithdrawn,),
    "approval.agree": (approval.ChangeAgreed,),
    "approval.decline": (approval.ChangeDeclined,),
    "approval.withdraw": (approval.ChangeWithdrawn,),
    "statement.redraft": (statement.StatementDrafted,),
    "statement.publish": (statement.StatementPublished,),
    "statement.withdraw": (statement.StatementWithdrawn,),
    "terminal.name": (t.NamesSet,),
    "terminal.record-line": (t.LineRecorded,),
    "terminal.record-no-line": (t.NoLineRecorded,),
    "terminal.export": (t.TerminalExported,),
    "terminal.enter-customs": (t.CustomsEntered,),
    "terminal.leave-customs": (t.CustomsLeft,),
    "terminal.deliver": (t.TerminalDelivered,),
    "terminal.register": (t.TerminalRegistered,),
    "terminal.move": (t.HomeSet,),
    "terminal.verify": (t.TerminalVerified,),
    "terminal.activate": (t.TerminalActivated,),
    "terminal.pause": (t.TerminalPaused,),
    "terminal.report-lost": (t.TerminalLost,),
    "terminal.report-stolen": (t.TerminalStolen,),
    "terminal.find": (t.TerminalFound,),
    "terminal.block": (t.TerminalBlocked,),
    "terminal.unblock": (t.BlockLifted, t.TerminalReleased),
    "terminal.hand-over": (t.HandOverOffered,),
    "terminal.end-offer": (t.HandOverEnded,),
    "terminal.decline": (t.HandOverEnded,),
    "terminal.accept": (t.HandOverAccepted,),
    "terminal.unregister": (t.TerminalUnregistered,),
    "terminal.withdraw-verification": (t.VerificationWithdrawn,),
    "terminal.retire": (t.TerminalRetired,),
    "terminal.restore": (t.TerminalRestored,),
    "shipment.add-lines": (s.LinesAdded,),
    "shipment.import-lines": (s.LinesAdded,),
    "shipment.scan-lines": (s.LinesAdded,),
    "shipment.remove-lines": (s.LinesRemoved,),
    "shipment.plan-leg": (s.LegPlanned,),
    "shipment.drop-legs": (s.LegsDropped,),
    "shipment.pack": (s.ShipmentPacked,),
    "shipment.unpack": (s.ShipmentUnpacked,),
    "shipment.cancel": (s.ShipmentCancelled,),
    "shipment.depart": (s.LegDeparted,),
    "shipment.arrive": (s.LegArrived,),
    "shipment.set-paper": (s.PaperSet,),
    "shipment.enter-customs": (s.CustomsEntered,),
    "shipment.leave-customs": (s.CustomsLeft,),
    "shipment.turn-back": (s.ShipmentTurnedBack,),
    "shipment.lose": (s.ShipmentLost,),
    "shipment.find": (s.ShipmentFound,),
    "shipment.receive": (s.LinesReceived,),
    "shipment.receive-scans": (s.LinesReceived,),
    "shipment.swap": (s.LinesReceived,),
    "shipment.complete": (s.ShipmentReceived,),
    "shipment.notice": (s.DiscrepancyRaised,),
    "shipment.resolve": (s.DiscrepancyResolved,),
    "shipment.prove": (s.ProofGiven,),
    "shipment.confirm": (s.ReceiptConfirmed,),
    "shipment.close": (s.ShipmentClosed,),
    "outage.update": (outage_events.OutageUpdated,),
    "outage.close": (outage_events.OutageClosed,),
    "outage.merge": (outage_events.OutageMerged,),
    "outage.explain": (outage_events.OutageExplained,),
    "outage.confirm": (outage_events.OutageConfirmed,),
    "outage.dismiss": (outage_events.OutageDismissed,),
    "outage.hold": (outage_events.OutageHeld,),
    "outage.release": (outage_events.OutageReleased,),
}


def _with_offer(thing: Any) -> bool:
    return bool(thing.offered_to)


# What the state alone does not say.
_ALSO: Mapping[str, Any] = {
    "terminal.end-offer": _with_offer,
    "terminal.decline": _with_offer,
    "terminal.accept": _with_offer,
    "terminal.hand-over": lambda thing: not thing.offered_to,
    "terminal.confirm": lambda thing: bool(said_by_people(thing)),
    "terminal.report-failed": lambda thing: bool(said_by_people(thing)),
    "terminal.ask-again": lambda thing: bool(thing.to_ask),
    "terminal.find": lambda thing: thing.missing is not None,
    "region.revoke": lambda thing: bool(thing.papers),
    "account.lift-sanction": lambda thing: bool(thing.sanctions),
    "person.take": lambda thing: bool(thing.grants),
    "shipment.depart": lambda thing: any(leg.departed_at is None for leg in thing.legs),
    "shipment.arrive": lambda thing: thing.under_way_to() is not None,
    "shipment.drop-legs": lambda thing: any(leg.departed_at is None for leg in thing.legs),
    "shipment.resolve": lambda thing: bool(thing.open_discrepancies()),
    "shipment.confirm": lambda thing: thing.confirmed_at is None,
    "shipment.pack": lambda thing: len(thing.goods) > 0,
    "shipment.remove-lines": lambda thing: len(thing.goods) > 0,
    "shipment.receive": lambda thing: len(thing.awaited) > 0,
    "shipment.swap": lambda thing: len(thing.awaited.serials) > 0,
    "outage.confirm": lambda thing: not thing.confirmed_by,
    "outage.hold": lambda thing: not thing.held,
    "outage.release": lambda thing: thing.held,
}


def is_open(verb: Verb, thing: Any) -> bool:
    """Whether the thing's state leaves a verb open; of a verb that stands in no table, it may be."""
    cycle, events = _CYCLES.get(verb.kind), _EVENTS.get(verb.name)
    if cycle is not None and events is not None and not any((thing.state, e) in cycle.steps for e in events):
        return False
    also = _ALSO.get(verb.name)
    return also is None or bool(also(thing))


# What mostly comes next, by kind and state; the others stand below.
NEXT: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("request", "draft"): ("confirm",),
    ("request", "received"): ("acknowledge",),
    ("request", "acknowledged"): ("verify", "accept"),
    ("request", "accepted"): ("answer",),
    ("request", "answered"): ("close",),
    ("region", "closed"): ("request", "grant"),
    ("region", "requested"): ("grant",),
    ("region", "authorised"): ("cells", "activate"),
    ("region", "suspended"): ("activate",),
    ("account", "open"): ("verify", "plan"),
    ("terminal", "manufactured"): ("export", "deliver"),
    ("terminal", "exported"): ("deliver",),
    ("terminal", "in-customs"): ("leave-customs",),
    ("terminal", "delivered"): ("register",),
    ("terminal", "registered"): ("verify",),
    ("terminal", "verified"): ("activate",),
    ("terminal", "paused"): ("activate",),
    ("terminal", "lost"): ("find",),
    ("shipment", "draft"): ("add-lines", "plan-leg", "pack"),
    ("shipment", "packed"): ("plan-leg", "depart"),
    ("shipment", "under-way"): ("arrive", "depart"),
    ("shipment", "in-customs"): ("leave-customs",),
    ("shipment", "arrived"): ("receive", "complete"),
    ("shipment", "received"): ("confirm", "resolve", "close"),
    ("shipment", "lost"): ("find",),
    ("statement", "drafted"): ("publish",),
    ("outage", "open"): ("confirm", "hold", "release"),
    ("outage", "closed"): ("confirm", "explain"),
    ("approval", "open"): ("agree",),
}

# What is not taken back easily, and looks so.
GRAVE = frozenset(
    {
        "request.refuse", "region.prohibit", "region.suspend", "region.cells-remove", "region.revoke",
        "account.close", "account.suspend", "account.sanction", "person.lock", "person.leave",
        "terminal.block", "terminal.report-lost", "terminal.report-stolen", "terminal.retire",
        "terminal.unregister", "shipment.cancel", "shipment.lose", "shipment.turn-back",
        "approval.decline", "approval.withdraw", "statement.withdraw", "plan.withdraw", "outage.dismiss",
        "outage.merge",
    }
)  # fmt: skip
