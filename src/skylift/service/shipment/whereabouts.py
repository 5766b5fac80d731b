"""Where pieces are now, told from consignments as they stand: for a transaction that packs, which cannot
fold the whole journal first as `stock` does. A test holds the two against one another.
"""

from __future__ import annotations

from collections.abc import Iterable

from skylift.base.instants import InstantUs
from skylift.service.shipment.events import Kind, Resolution
from skylift.service.shipment.state import Shipment, ShipmentState
from skylift.service.shipment.stock import Piece, Place, PlaceKind, Stock, place_of

_NOT_YET = frozenset({ShipmentState.UNKNOWN, ShipmentState.DRAFT, ShipmentState.CANCELLED})
_NEVER = InstantUs(0)


def whereabouts(shipments: Iterable[Shipment], serials: Iterable[str]) -> Stock:
    """Where each of these serials is, by all consignments that ever named it; none, where none moved it.

    Of several that had it, the one that still holds it counts, then the one that moved last. Counts of goods
    without serial are not told.
    """
    by_last_move = sorted(shipments, key=lambda shipment: (_moved_at(shipment), shipment.id))
    wanted = frozenset(serials)
    where: dict[str, Piece] = {}
    for shipment in by_last_move:
        if shipment.state not in _NOT_YET:
            where |= _pieces(shipment, wanted)
    for shipment in by_last_move:
        held = Place(PlaceKind.CONSIGNMENT, shipment.id)
        for serial in wanted & shipment.awaited.serials.keys():
            where[serial] = _piece(shipment, serial, held)
    return Stock(where, {}, {}, ())


def _moved_at(shipment: Shipment) -> InstantUs:
    moves = [at for leg in shipment.legs for at in (leg.departed_at, leg.arrived_at) if at is not None]
    return max(moves, default=_NEVER)


def _pieces(shipment: Shipment, wanted: frozenset[str]) -> dict[str, Piece]:
    """What this consignment knows of those that it holds no more."""
    here = place_of(shipment.destination)
    missing = Place(PlaceKind.MISSING, shipment.id)
    found: dict[str, Piece] = {}
    for discrepancy in shipment.discrepancies:
        serial = discrepancy.line.serial
        if serial in wanted and Resolution.WRITTEN_OFF in discrepancy.resolutions:
            found[serial] = _piece(shipment, serial, Place(PlaceKind.WRITTEN_OFF, shipment.id))
        elif serial in wanted and Resolution.NOT_SENT in discrepancy.resolutions:
            found[serial] = _piece(shipment, serial, place_of(shipment.origin))
    for heap, place in ((shipment.good, here), (shipment.damaged, here), (shipment.missing, missing)):
        for serial in wanted & heap.serials.keys():
            found[serial] = _piece(shipment, serial, place)
    return found


def _piece(shipment: Shipment, serial: str, place: Place) -> Piece:
    heaps = (shipment.goods, shipment.good, shipment.damaged, shipment.missing)
    product = next((heap.serials[serial] for heap in heaps if serial in heap.serials), "")
    product = product or next((d.line.product for d in shipment.discrepancies if d.line.serial == serial), "")
    damaged = serial in shipment.damaged.serials or any(
        d.kind is Kind.DAMAGED and d.line.serial == serial and Resolution.REPAIRED not in d.resolutions
        for d in shipment.discrepancies
    )
    return Piece(product, place, damaged, _moved_at(shipment), shipment.id)
