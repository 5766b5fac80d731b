"""What may be done with a consignment until it arrives, by its rules; events are returned, nothing is saved.

Whether a serial is in the stock that it is packed from, `stock.unpackable` says: this room sees one
consignment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.service.shipment import events as e
from skylift.service.shipment.events import Kind, Line, PaperState, ShipmentEvent
from skylift.service.shipment.goods import KIND, checked
from skylift.service.shipment.state import CYCLE, Shipment, ShipmentState


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where; recipient: the account that confirms. request, region: ids, "" for none."""

    origin: str
    destination: str
    recipient: str
    request: str = ""
    region: str = ""


def drafted(shipment: Shipment, who: Who, reference: str, route: Route) -> tuple[ShipmentEvent, ...]:
    """`reference`: a tracking number of its own."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentDrafted)
    origin = labels.code(route.origin, KIND, "origin")
    destination = labels.code(route.destination, KIND, "destination")
    if origin == destination:
        raise Refused("shipment.destination", "destination", "it is another place", "name where it goes")
    return (
        e.ShipmentDrafted(
            who.at,
            who.by,
            shipment.id,
            who.cause_id,
            labels.tracking(reference, KIND),
            origin,
            destination,
            labels.own_id(route.recipient, KIND, "recipient", "acc"),
            labels.own_id(route.request, KIND, "request", "req") if route.request else "",
            labels.own_id(route.region, KIND, "region", "rgn") if route.region else "",
        ),
    )


def first_lines(id: str, who: Who, lines: Iterable[Line]) -> tuple[ShipmentEvent, ...]:
    """Of a consignment that is drafted with them: nothing is in it yet."""
    return (e.LinesAdded(who.at, who.by, id, who.cause_id, checked(lines)),)


def lines_added(shipment: Shipment, who: Who, lines: Iterable[Line]) -> tuple[ShipmentEvent, ...]:
    CYCLE.after(shipment.id, shipment.state, e.LinesAdded)
    new = checked(lines)
    twice = [line.serial for line in new if line.serial in shipment.goods.serials]
    if twice:
        raise Refused("shipment.serial", f"serial {twice[0]}", "it is there already", "name each serial once")
    return (e.LinesAdded(who.at, who.by, shipment.id, who.cause_id, new),)


def lines_removed(shipment: Shipment, who: Who, lines: Iterable[Line]) -> tuple[ShipmentEvent, ...]:
    CYCLE.after(shipment.id, shipment.state, e.LinesRemoved)
    old = checked(lines)
    for line in old:
        if not shipment.goods.has(line):
            raise Refused(
                "shipment.not-in-it",
                f"serial {line.serial}" if line.serial else f"product {line.product}",
                "this, or so many, is not in the consignment",
                "list its lines",
            )
    return (e.LinesRemoved(who.at, who.by, shipment.id, who.cause_id, old),)


def leg_planned(
    shipment: Shipment, who: Who, from_place: str, to_place: str, carrier: str
) -> tuple[ShipmentEvent, ...]:
    """The next part of the way: it begins where the one before ends."""
    CYCLE.after(shipment.id, shipment.state, e.LegPlanned)
    from_place = labels.code(from_place, KIND, "from_place")
    to_place = labels.code(to_place, KIND, "to_place")
    last = shipment.legs[-1] if shipment.legs else None
    # After a broken leg it starts from a border, wherever that is.
    begins = shipment.origin if last is None else from_place if last.broken else last.to_place
    if from_place != begins or from_place == to_place:
        raise Refused(
            "shipment.leg",
            "from_place",
            f"the next leg goes from {begins} to another place",
            "correct the leg",
        )
    carrier = labels.code(carrier, KIND, "carrier")
    number = len(shipment.legs) + 1
    return (e.LegPlanned(who.at, who.by, shipment.id, who.cause_id, number, from_place, to_place, carrier),)


def legs_dropped(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """Another way is planned: legs that have not departed are forgotten."""
    CYCLE.after(shipment.id, shipment.state, e.LegsDropped)
    if all(leg.departed_at is not None for leg in shipment.legs):
        return ()
    return (e.LegsDropped(who.at, who.by, shipment.id, who.cause_id),)


def packed(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """Its lines leave the stock of its origin."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentPacked)
    lines = shipment.goods.lines()
    if not lines:
        raise Refused("shipment.empty", f"shipment {shipment.id}", "nothing is in it", "add its lines first")
    return (e.ShipmentPacked(who.at, who.by, shipment.id, who.cause_id, shipment.origin, lines),)


def unpacked(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    CYCLE.after(shipment.id, shipment.state, e.ShipmentUnpacked)
    lines = shipment.goods.lines()
    return (e.ShipmentUnpacked(who.at, who.by, shipment.id, who.cause_id, shipment.origin, lines),)


def cancelled(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """It does not go; one that is on its way is turned back instead."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentCancelled)
    lines = shipment.goods.lines() if shipment.state is ShipmentState.PACKED else ()
    return (e.ShipmentCancelled(who.at, who.by, shipment.id, who.cause_id, shipment.origin, lines),)


def leg_departed(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """The next planned leg begins; the first takes the consignment on its way."""
    CYCLE.after(shipment.id, shipment.state, e.LegDeparted)
    if shipment.under_way_to() is not None:
        raise Refused(
            "shipment.leg", f"shipment {shipment.id}", "it is on a leg", "record that leg's arrival first"
        )
    for number, leg in enumerate(shipment.legs, 1):
        if leg.departed_at is None:
            return (e.LegDeparted(who.at, who.by, shipment.id, who.cause_id, number),)
    raise Refused("shipment.leg", f"shipment {shipment.id}", "no leg is left", "plan the next leg")


def leg_arrived(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """The leg that it is on ends; at its destination, the consignment has arrived."""
    CYCLE.after(shipment.id, shipment.state, e.LegArrived)
    leg = shipment.under_way_to()
    if leg is None:
        raise Refused(
            "shipment.leg", f"shipment {shipment.id}", "it is on no leg", "record its departure first"
        )
    number = shipment.legs.index(leg) + 1
    arrived: tuple[ShipmentEvent, ...] = (e.LegArrived(who.at, who.by, shipment.id, who.cause_id, number),)
    if leg.to_place == shipment.destination:
        arrived += (e.ShipmentArrived(who.at, who.by, shipment.id, who.cause_id, leg.to_place),)
    return arrived


def paper_set(
    shipment: Shipment, who: Who, reference: str, country: str, standing: PaperState
) -> tuple[ShipmentEvent, ...]:
    """A customs paper is filed, accepted or refused."""
    CYCLE.after(shipment.id, shipment.state, e.PaperSet)
    reference = labels.reference(reference, KIND, "reference")
    country = labels.country(country, KIND)
    known = shipment.papers.get(reference)
    if known is not None and known.country != country:
        raise Refused(
            "shipment.country", "country", f"this paper is for {known.country}", "give another paper"
        )
    return (e.PaperSet(who.at, who.by, shipment.id, who.cause_id, reference, country, standing),)


def customs_entered(shipment: Shipment, who: Who, country: str) -> tuple[ShipmentEvent, ...]:
    CYCLE.after(shipment.id, shipment.state, e.CustomsEntered)
    country = labels.country(country, KIND)
    return (e.CustomsEntered(who.at, who.by, shipment.id, who.cause_id, country),)


def customs_left(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """Let through, by a paper of that country that was accepted."""
    CYCLE.after(shipment.id, shipment.state, e.CustomsLeft)
    papers = [p for p in shipment.papers.values() if p.country == shipment.customs]
    if not any(paper.standing is PaperState.ACCEPTED for paper in papers):
        raise Refused(
            "shipment.paper",
            f"shipment {shipment.id}",
            f"no customs paper of {shipment.customs} was accepted",
            "record the paper's reference as accepted, or turn the consignment back",
        )
    return (e.CustomsLeft(who.at, who.by, shipment.id, who.cause_id, shipment.customs),)


def turned_back(shipment: Shipment, who: Who, recipient: str) -> tuple[ShipmentEvent, ...]:
    """Back to its origin, where `recipient` confirms it. What was unpacked does not turn back any more."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentTurnedBack)
    recipient = labels.own_id(recipient, KIND, "recipient", "acc")
    if shipment.awaited != shipment.goods or shipment.discrepancies:
        raise Refused(
            "shipment.unpacked",
            f"shipment {shipment.id}",
            "a part of it has been received, or was missing",
            "receive the rest, and send back what has to go by a consignment of its own",
        )
    if shipment.destination == shipment.origin:
        raise Refused(
            "shipment.destination", f"shipment {shipment.id}", "it is on its way back", "let it arrive"
        )
    return (e.ShipmentTurnedBack(who.at, who.by, shipment.id, who.cause_id, shipment.origin, recipient),)


def lost(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """Nobody knows where it is: everything in it is missing, piece by piece."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentLost)
    first = len(shipment.discrepancies) + 1
    missing = tuple(
        e.DiscrepancyRaised(who.at, who.by, shipment.id, who.cause_id, n, Kind.MISSING, line, "")
        for n, line in enumerate(shipment.awaited.lines(), first)
    )
    return (e.ShipmentLost(who.at, who.by, shipment.id, who.cause_id), *missing)


def found(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """A lost one is there again, with all that nobody has found or written off meanwhile."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentFound)
    lines = shipment.missing.lines()
    if not lines:
        raise Refused(
            "shipment.nothing-missing",
            f"shipment {shipment.id}",
            "each of its lines was found or written off",
            "close it",
        )
    return (e.ShipmentFound(who.at, who.by, shipment.id, who.cause_id, lines),)
