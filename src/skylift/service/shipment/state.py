"""A consignment, its life cycle, and what every event makes of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room, changed
from skylift.service.shipment import events as e
from skylift.service.shipment.events import Kind, Line, PaperState, Resolution
from skylift.service.shipment.goods import Goods


class ShipmentState(enum.Enum):
    """Where a consignment stands."""

    UNKNOWN = "unknown"
    DRAFT = "draft"
    PACKED = "packed"
    UNDER_WAY = "under-way"
    IN_CUSTOMS = "in-customs"
    ARRIVED = "arrived"
    RECEIVED = "received"
    LOST = "lost"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the way. broken: it ended at a border, and the goods went back."""

    from_place: str
    to_place: str
    carrier: str
    departed_at: InstantUs | None = None
    arrived_at: InstantUs | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A customs paper by its reference."""

    country: str
    standing: PaperState


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """left: how many of the line still wait for a resolution; 0 when it is resolved."""

    number: int
    kind: Kind
    line: Line
    left: int
    instead: Line | None = None
    resolutions: tuple[Resolution, ...] = ()


@dataclass(frozen=True)
class Shipment:
    """One consignment.

    reference   its tracking number
    origin, destination  codes of depots or ids of accounts; recipient: the account that confirms
    request, region      what it answers, and where; "" for none
    goods       what is in it: the list of a draft, the contents of what is packed
    awaited     of that, what has neither come nor been found missing yet
    good, damaged, missing  what came, sound and not, and what nobody has found; surplus is among the first
    two
    """

    id: str
    state: ShipmentState = ShipmentState.UNKNOWN
    reference: str = ""
    origin: str = ""
    destination: str = ""
    recipient: str = ""
    request: str = ""
    region: str = ""
    goods: Goods = field(default_factory=Goods)
    awaited: Goods = field(default_factory=Goods)
    good: Goods = field(default_factory=Goods)
    damaged: Goods = field(default_factory=Goods)
    missing: Goods = field(default_factory=Goods)
    legs: tuple[Leg, ...] = ()
    papers: Mapping[str, Paper] = field(default_factory=dict)
    customs: str = ""
    discrepancies: tuple[Discrepancy, ...] = ()
    proofs: tuple[str, ...] = ()
    confirmed_at: InstantUs | None = None

    def open_discrepancies(self) -> tuple[Discrepancy, ...]:
        return tuple(d for d in self.discrepancies if d.left)

    def under_way_to(self) -> Leg | None:
        """The leg that it is on now."""
        moving = (leg for leg in self.legs if leg.departed_at is not None and leg.arrived_at is None)
        return next((leg for leg in moving if not leg.broken), None)


def _steps() -> dict[tuple[ShipmentState, type[Event]], ShipmentState]:
    s = ShipmentState
    steps: dict[tuple[ShipmentState, type[Event]], ShipmentState] = {
        (s.UNKNOWN, e.ShipmentDrafted): s.DRAFT,
        (s.DRAFT, e.LinesAdded): s.DRAFT,
        (s.DRAFT, e.LinesRemoved): s.DRAFT,
        (s.DRAFT, e.ShipmentPacked): s.PACKED,
        (s.DRAFT, e.ShipmentCancelled): s.CANCELLED,
        (s.PACKED, e.ShipmentUnpacked): s.DRAFT,
        (s.PACKED, e.ShipmentCancelled): s.CANCELLED,
        (s.PACKED, e.LegDeparted): s.UNDER_WAY,
        (s.UNDER_WAY, e.LegDeparted): s.UNDER_WAY,
        (s.UNDER_WAY, e.LegArrived): s.UNDER_WAY,
        (s.UNDER_WAY, e.CustomsEntered): s.IN_CUSTOMS,
        (s.UNDER_WAY, e.ShipmentArrived): s.ARRIVED,
        (s.IN_CUSTOMS, e.CustomsLeft): s.UNDER_WAY,
        (s.ARRIVED, e.LinesReceived): s.ARRIVED,
        (s.ARRIVED, e.ShipmentReceived): s.RECEIVED,
        (s.RECEIVED, e.ReceiptConfirmed): s.RECEIVED,
        (s.RECEIVED, e.ShipmentClosed): s.CLOSED,
        (s.LOST, e.ShipmentFound): s.UNDER_WAY,
        (s.LOST, e.ShipmentClosed): s.CLOSED,
    }
    for state in (s.DRAFT, s.PACKED, s.UNDER_WAY, s.IN_CUSTOMS):
        for event in (e.LegPlanned, e.LegsDropped, e.PaperSet):
            steps[state, event] = state
    for state in (s.UNDER_WAY, s.IN_CUSTOMS, s.ARRIVED):
        steps[state, e.ShipmentTurnedBack] = s.UNDER_WAY
    for state in (s.UNDER_WAY, s.IN_CUSTOMS):
        # Taken on the road, or seized at a border.
        steps[state, e.ShipmentLost] = s.LOST
    for state in (s.ARRIVED, s.RECEIVED, s.LOST):
        steps[state, e.DiscrepancyRaised] = state
        steps[state, e.DiscrepancyResolved] = state
    for state in (s.ARRIVED, s.RECEIVED):
        steps[state, e.ProofGiven] = state
    return steps


CYCLE = LifeCycle(thing="shipment", begins=ShipmentState.UNKNOWN, steps=_steps())


def apply(shipment: Shipment, event: Event) -> Shipment:
    """The consignment after an event. Raises Refused where its life cycle has no such step."""
    state = CYCLE.after(shipment.id, shipment.state, type(event))
    return _CHANGES[type(event)](changed(shipment, state=state), event)


def _drafted(s: Shipment, event: e.ShipmentDrafted) -> Shipment:
    return changed(
        s, reference=event.reference, origin=event.origin, destination=event.destination,
        recipient=event.recipient, request=event.request, region=event.region,
    )  # fmt: skip


def _planned(s: Shipment, event: e.LegPlanned) -> Shipment:
    return changed(s, legs=(*s.legs, Leg(event.from_place, event.to_place, event.carrier)))


def _with_leg(s: Shipment, number: int, **changes: Any) -> Shipment:
    legs = list(s.legs)
    legs[number - 1] = replace(legs[number - 1], **changes)
    return changed(s, legs=tuple(legs))


def _undeparted_dropped(s: Shipment, event: Event) -> Shipment:
    return changed(s, legs=tuple(leg for leg in s.legs if leg.departed_at is not None))


def _turned_back(s: Shipment, event: e.ShipmentTurnedBack) -> Shipment:
    s = _undeparted_dropped(s, event)
    legs = tuple(replace(leg, broken=leg.arrived_at is None) for leg in s.legs)
    return changed(s, legs=legs, destination=event.destination, recipient=event.recipient, customs="")


def _paper(s: Shipment, event: e.PaperSet) -> Shipment:
    return changed(s, papers={**s.papers, event.reference: Paper(event.country, event.standing)})


def _came(s: Shipment, event: e.LinesReceived) -> Shipment:
    return changed(s, awaited=s.awaited.minus(event.lines), good=s.good.plus(event.lines))


def _raised(s: Shipment, event: e.DiscrepancyRaised) -> Shipment:
    line = (event.line,)
    discrepancy = Discrepancy(event.number, event.kind, event.line, event.line.quantity, event.instead)
    # What the recipient confirmed is no longer what is recorded.
    s = changed(s, discrepancies=(*s.discrepancies, discrepancy), confirmed_at=None)
    if event.kind is Kind.DAMAGED:
        return changed(s, good=s.good.minus(line), damaged=s.damaged.plus(line))
    if event.kind is Kind.SURPLUS:
        return changed(s, good=s.good.plus(line))
    if event.was_received:
        s = changed(s, good=s.good.minus(line))
    else:
        s = changed(s, awaited=s.awaited.minus(line))
    instead = () if event.instead is None else (event.instead,)
    return changed(s, missing=s.missing.plus(line), good=s.good.plus(instead))


def _resolved(s: Shipment, event: e.DiscrepancyResolved) -> Shipment:
    line = (event.line,)
    s = changed(s, discrepancies=tuple(_settled(d, event) for d in s.discrepancies))
    if event.resolution is Resolution.REPAIRED:
        return changed(s, damaged=s.damaged.minus(line), good=s.good.plus(line))
    if event.kind is Kind.DAMAGED and event.resolution is Resolution.WRITTEN_OFF:
        return changed(s, damaged=s.damaged.minus(line))
    if event.kind in (Kind.MISSING, Kind.WRONG_SERIAL):
        s = changed(s, missing=s.missing.minus(line))
        if event.resolution is Resolution.FOUND:
            # The recipient confirmed less than is recorded now.
            return changed(s, good=s.good.plus(line), confirmed_at=None)
    return s


def _settled(d: Discrepancy, event: e.DiscrepancyResolved) -> Discrepancy:
    if d.number != event.number:
        return d
    return replace(d, left=d.left - event.line.quantity, resolutions=(*d.resolutions, event.resolution))


def _found(s: Shipment, event: e.ShipmentFound) -> Shipment:
    s = changed(s, missing=s.missing.minus(event.lines), awaited=s.awaited.plus(event.lines))
    return changed(s, discrepancies=tuple(replace(d, left=0) for d in s.discrepancies))


_CHANGES: Mapping[type[Event], Callable[[Shipment, Any], Shipment]] = {
    e.ShipmentDrafted: _drafted,
    e.LinesAdded: lambda s, event: changed(s, goods=s.goods.plus(event.lines)),
    e.LinesRemoved: lambda s, event: changed(s, goods=s.goods.minus(event.lines)),
    e.LegPlanned: _planned,
    e.LegsDropped: _undeparted_dropped,
    e.ShipmentPacked: lambda s, _: changed(s, awaited=s.goods),
    e.ShipmentUnpacked: lambda s, _: changed(s, awaited=Goods()),
    e.ShipmentCancelled: lambda s, _: changed(s, awaited=Goods()),
    e.LegDeparted: lambda s, event: _with_leg(s, event.number, departed_at=event.at),
    e.LegArrived: lambda s, event: _with_leg(s, event.number, arrived_at=event.at),
    e.CustomsEntered: lambda s, event: changed(s, customs=event.country),
    e.CustomsLeft: lambda s, _: changed(s, customs=""),
    e.PaperSet: _paper,
    e.ShipmentTurnedBack: _turned_back,
    e.ShipmentArrived: lambda s, _: s,
    e.LinesReceived: _came,
    e.DiscrepancyRaised: _raised,
    e.DiscrepancyResolved: _resolved,
    e.ShipmentReceived: lambda s, _: s,
    e.ShipmentLost: lambda s, _: changed(s, customs=""),
    e.ShipmentFound: _found,
    e.ProofGiven: lambda s, event: changed(s, proofs=(*s.proofs, event.document)),
    e.ReceiptConfirmed: lambda s, event: changed(s, confirmed_at=event.at),
    e.ShipmentClosed: lambda s, _: s,
}

LABELS: Mapping[ShipmentState, str] = {
    ShipmentState.UNKNOWN: "Not known",
    ShipmentState.DRAFT: "Being listed",
    ShipmentState.PACKED: "Packed",
    ShipmentState.UNDER_WAY: "Under way",
    ShipmentState.IN_CUSTOMS: "In customs",
    ShipmentState.ARRIVED: "There, being unpacked",
    ShipmentState.RECEIVED: "Received",
    ShipmentState.LOST: "Lost on the way",
    ShipmentState.CLOSED: "Closed",
    ShipmentState.CANCELLED: "Cancelled",
}


def label(state: ShipmentState) -> str:
    """The words that people read on the consignment's card."""
    return LABELS[state]


def glance(shipment: Shipment) -> Facets:
    """Where it stands, and whose it is."""
    return Facets(status=shipment.state.value, region=shipment.region, owner=shipment.recipient)


def facets(shipment: Shipment) -> Facets:
    """What lists of consignments are searched by."""
    carriers = dict.fromkeys(leg.carrier for leg in shipment.legs)
    # What came and was in no list is found by its serial as well. In order: a store hands heaps back sorted,
    # and what is searched must be the same as after a replay.
    heaps = (shipment.goods, shipment.good, shipment.damaged, shipment.missing)
    serials = sorted({serial for heap in heaps for serial in heap.serials})
    words = (shipment.origin, shipment.destination, shipment.request, *carriers, *serials)
    return replace(
        glance(shipment),
        keys={"reference": shipment.reference} if shipment.reference else {},
        words=tuple(word.lower() for word in words if word),
    )


ROOM: Room[Shipment] = Room(
    kind="shipment",
    prefix="shp",
    state=Shipment,
    empty=Shipment,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
    glance=glance,
)
