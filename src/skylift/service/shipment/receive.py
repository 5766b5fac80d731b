"""What may be done with a consignment from its arrival to its end, by its rules; events are returned.

A receipt may be one of several: boxes are opened one after another, and a second lorry comes a day later.
What is still awaited when `completed` is said is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.service.shipment import events as e
from skylift.service.shipment.events import RESOLUTIONS, Kind, Line, Resolution, ShipmentEvent
from skylift.service.shipment.goods import KIND, Goods, checked, read_line
from skylift.service.shipment.state import CYCLE, Discrepancy, Shipment, ShipmentState


def received(
    shipment: Shipment, who: Who, sound: Sequence[Line], damaged: Sequence[Line] = ()
) -> tuple[ShipmentEvent, ...]:
    """These came out of the boxes. What was not in the list is a surplus; what is damaged, a discrepancy."""
    CYCLE.after(shipment.id, shipment.state, e.LinesReceived)
    hurt = tuple(_as_listed(shipment, line) for line in checked(damaged)) if damaged else ()
    came = tuple(_as_listed(shipment, line) for line in checked(sound)) if sound else ()
    lines = checked((*came, *hurt))
    awaited, surplus = _parted(shipment, lines)
    events: list[ShipmentEvent] = []
    if awaited:
        events.append(
            e.LinesReceived(who.at, who.by, shipment.id, who.cause_id, shipment.destination, awaited)
        )
    number = len(shipment.discrepancies)
    for kind, line in (*((Kind.SURPLUS, s) for s in surplus), *((Kind.DAMAGED, d) for d in hurt)):
        number += 1
        events.append(_raise(shipment, who, number, kind, line))
    return tuple(events)


def swapped(shipment: Shipment, who: Who, serial: str, came: Line) -> tuple[ShipmentEvent, ...]:
    """Another piece came in the stead of an awaited serial: that one is missing, this one is here."""
    CYCLE.after(shipment.id, shipment.state, e.DiscrepancyRaised)
    serial = labels.serial(serial, KIND)
    instead = read_line(came.product, came.quantity, came.serial)
    product = shipment.awaited.serials.get(serial)
    if product is None:
        raise _not_awaited(f"serial {serial}")
    if not instead.serial or _is_known(shipment, instead.serial):
        raise Refused(
            "shipment.serial",
            "serial",
            "what came instead has a serial that is not in this consignment",
            "receive it as what it is",
        )
    number = len(shipment.discrepancies) + 1
    line = Line(product, 1, serial)
    return (
        e.DiscrepancyRaised(
            who.at,
            who.by,
            shipment.id,
            who.cause_id,
            number,
            Kind.WRONG_SERIAL,
            line,
            shipment.destination,
            instead,
        ),
    )


def completed(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """All boxes are open: what has not come is missing, and each of it waits for a resolution."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentReceived)
    first = len(shipment.discrepancies) + 1
    missing = tuple(
        _raise(shipment, who, n, Kind.MISSING, line) for n, line in enumerate(shipment.awaited.lines(), first)
    )
    return (*missing, e.ShipmentReceived(who.at, who.by, shipment.id, who.cause_id))


def noticed(shipment: Shipment, who: Who, kind: Kind, line: Line) -> tuple[ShipmentEvent, ...]:
    """After all: a received piece is damaged or not there, or one more is. The recipient confirms anew."""
    CYCLE.after(shipment.id, shipment.state, e.DiscrepancyRaised)
    line = read_line(line.product, line.quantity, line.serial)
    thing = f"serial {line.serial}" if line.serial else f"product {line.product}"
    if shipment.state is ShipmentState.LOST or kind is Kind.WRONG_SERIAL:
        raise Refused(
            "shipment.discrepancy", thing, "this is noticed while the boxes are opened", "receive it first"
        )
    if kind is Kind.SURPLUS:
        if line.serial and _is_known(shipment, line.serial):
            raise Refused("shipment.serial", thing, "it is in this consignment", "receive it as what it is")
    elif not shipment.good.has(line):
        raise Refused(
            "shipment.not-received",
            thing,
            "this, or so many, was not received sound",
            "list what was received",
        )
    else:
        line = Line(shipment.good.serials.get(line.serial, line.product), line.quantity, line.serial)
    number = len(shipment.discrepancies) + 1
    return (_raise(shipment, who, number, kind, line, was_received=kind is Kind.MISSING),)


def resolved(
    shipment: Shipment,
    who: Who,
    number: int,
    resolution: Resolution,
    document: str,
    quantity: int | None = None,
) -> tuple[ShipmentEvent, ...]:
    """What became of a discrepancy, or of `quantity` of its line."""
    CYCLE.after(shipment.id, shipment.state, e.DiscrepancyResolved)
    found = next((d for d in shipment.open_discrepancies() if d.number == number), None)
    if found is None:
        raise Refused(
            "shipment.discrepancy", f"discrepancy {number}", "no such one is open", "list the open ones"
        )
    if resolution not in RESOLUTIONS[found.kind]:
        ways = ", ".join(way.value for way in RESOLUTIONS[found.kind])
        raise Refused(
            "shipment.resolution",
            f"discrepancy {number}",
            f"what is {found.kind.value} cannot be {resolution.value}",
            f"it can be {ways}",
        )
    if resolution is Resolution.FOUND and shipment.state is ShipmentState.LOST:
        raise Refused(
            "shipment.resolution",
            f"discrepancy {number}",
            "the whole consignment is lost",
            "record that the consignment was found; what is missing from it shows when it is received",
        )
    line = _part(found, quantity)
    # What is not there is nowhere of ours; what was never sent is where it was packed.
    place = shipment.origin if resolution is Resolution.NOT_SENT else shipment.destination
    if resolution is Resolution.WRITTEN_OFF and found.kind is not Kind.DAMAGED:
        place = ""
    document = labels.reference(document, KIND)
    return (
        e.DiscrepancyResolved(
            who.at, who.by, shipment.id, who.cause_id, number, found.kind, resolution, document, line, place
        ),
    )


def proof_given(shipment: Shipment, who: Who, document: str) -> tuple[ShipmentEvent, ...]:
    """`document`: the signed paper's reference; the paper itself names people, and is kept apart."""
    CYCLE.after(shipment.id, shipment.state, e.ProofGiven)
    document = labels.reference(document, KIND)
    if document in shipment.proofs:
        return ()
    return (e.ProofGiven(who.at, who.by, shipment.id, who.cause_id, document),)


def confirmed(shipment: Shipment, who: Who, account: str) -> tuple[ShipmentEvent, ...]:
    """The recipient (`account`) says that it has what is recorded as received."""
    CYCLE.after(shipment.id, shipment.state, e.ReceiptConfirmed)
    if account != shipment.recipient:
        raise Refused(
            "shipment.not-recipient",
            f"shipment {shipment.id}",
            "its recipient confirms it",
            "have the recipient's account confirm",
        )
    if shipment.confirmed_at is not None:
        return ()
    return (e.ReceiptConfirmed(who.at, who.by, shipment.id, who.cause_id, account),)


def closed(shipment: Shipment, who: Who) -> tuple[ShipmentEvent, ...]:
    """Nothing is open: every discrepancy resolved, proof given, the recipient has confirmed."""
    CYCLE.after(shipment.id, shipment.state, e.ShipmentClosed)
    lacks = []
    if waiting := shipment.open_discrepancies():
        count = len(waiting)
        lacks.append(f"the resolution of {'a discrepancy' if count == 1 else f'{count} discrepancies'}")
    if shipment.state is ShipmentState.RECEIVED:
        lacks += ["a proof of delivery"] * (not shipment.proofs)
        lacks += ["the recipient's confirmation"] * (shipment.confirmed_at is None)
    if lacks:
        raise Refused(
            "shipment.not-finished",
            f"shipment {shipment.id}",
            f"it lacks {listed(lacks)}",
            "give them first",
        )
    return (e.ShipmentClosed(who.at, who.by, shipment.id, who.cause_id),)


def _raise(
    shipment: Shipment, who: Who, number: int, kind: Kind, line: Line, *, was_received: bool = False
) -> ShipmentEvent:
    place = shipment.destination
    return e.DiscrepancyRaised(
        who.at, who.by, shipment.id, who.cause_id, number, kind, line, place, None, was_received
    )


def listed(parts: Sequence[str]) -> str:
    """As people say it: "a, b and c"."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def _parted(shipment: Shipment, lines: Sequence[Line]) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """What of it was awaited, and what is too much. Refused for a serial that has been received."""
    awaited, surplus = Goods(), Goods()
    for line in lines:
        if line.serial in shipment.awaited.serials:
            awaited = awaited.plus((line,))
        elif line.serial and _is_known(shipment, line.serial):
            raise Refused(
                "shipment.serial", f"serial {line.serial}", "it was received before, or is missing",
                "leave it out, or resolve its discrepancy",
            )  # fmt: skip
        elif line.serial:
            surplus = surplus.plus((line,))
        else:
            here = min(line.quantity, shipment.awaited.counts.get(line.product, 0))
            awaited = awaited.plus((Line(line.product, here),) if here else ())
            surplus = surplus.plus(
                (Line(line.product, line.quantity - here),) if line.quantity > here else ()
            )
    return awaited.lines(), surplus.lines()


def _as_listed(shipment: Shipment, line: Line) -> Line:
    """What it is, the list says: who scans a box need not know the product."""
    return Line(shipment.goods.serials.get(line.serial, line.product), line.quantity, line.serial)


def _is_known(shipment: Shipment, serial: str) -> bool:
    heaps = (shipment.goods, shipment.good, shipment.damaged, shipment.missing)
    return any(serial in heap.serials for heap in heaps)


def _part(found: Discrepancy, quantity: int | None) -> Line:
    count = found.left if quantity is None else quantity
    if not 1 <= count <= found.left:
        raise Refused(
            "shipment.quantity", f"discrepancy {found.number}", f"{found.left} of it are open", "give no more"
        )
    return Line(found.line.product, count, found.line.serial)


def _not_awaited(thing: str) -> Refused:
    return Refused("shipment.not-awaited", thing, "it is not awaited any more", "list what is awaited")
