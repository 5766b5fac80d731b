"""Who has how many and where, at any time: a fold over the events of all consignments, in the journal's
order.

    stock_at(events, at).at(place_of("WAW-1"))          what a depot has: {product: Held(sound=41, damaged=1)}
    stock_at(events, at).where["KIT00012345"].place     where a piece is

Double entry: every event moves goods from one place to another, so nothing is created or lost. What a depot
packs without its having come by a consignment was there before the journal began, or was bought: it is
brought in from OUTSIDE at that moment, and counted in `brought_in`. Where events contradict one another (a
piece packed in a place that it had left), the later event wins, and a Doubt is kept for a person to look
into.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.shipment import events as e
from skylift.service.shipment.events import Kind, Line, Resolution


class PlaceKind(enum.Enum):
    """Sorts of places that goods are in; each piece is in exactly one."""

    DEPOT = "depot"
    ACCOUNT = "account"
    CONSIGNMENT = "consignment"
    MISSING = "missing"
    WRITTEN_OFF = "written-off"


class Place(NamedTuple):
    """code: a depot's code, an account's id, or the id of the consignment that it is in or went missing
    from.
    """

    kind: PlaceKind
    code: str


class Held(NamedTuple):
    """How many of a product."""

    sound: int
    damaged: int


class Piece(NamedTuple):
    """Where a piece with a serial is, since when, and by which consignment it came there."""

    product: str
    place: Place
    damaged: bool
    since: InstantUs
    shipment_id: str


class Doubt(NamedTuple):
    """An event that contradicts what was known. serial: "" for goods without; known: where it was, if
    anywhere.
    """

    at: InstantUs
    shipment_id: str
    product: str
    serial: str
    said: Place
    known: Place | None


@dataclass(frozen=True, slots=True)
class Stock:
    """All goods at one instant.

    where       pieces by serial
    counts      how many without serial, by (place, product, damaged); never 0
    brought_in  how many of a product ever came from outside: what is in all places together
    """

    where: Mapping[str, Piece]
    counts: Mapping[tuple[Place, str, bool], int]
    brought_in: Mapping[str, int]
    doubts: tuple[Doubt, ...]

    def by_place(self) -> dict[Place, dict[str, Held]]:
        """Everything, by place and product."""
        counted = dict(self.counts)
        for piece in self.where.values():
            key = (piece.place, piece.product, piece.damaged)
            counted[key] = counted.get(key, 0) + 1
        held: dict[Place, dict[str, Held]] = {}
        for (place, product, damaged), n in counted.items():
            sound, hurt = held.setdefault(place, {}).get(product, Held(0, 0))
            held[place][product] = Held(sound, hurt + n) if damaged else Held(sound + n, hurt)
        return held

    def at(self, place: Place) -> dict[str, Held]:
        """What is in one place, by product."""
        return self.by_place().get(place, {})


class Ledger:
    """Takes events one by one; `stock` is what they make. One who keeps it need not fold from the
    beginning.
    """

    def __init__(self) -> None:
        self._where: dict[str, Piece] = {}
        self._counts: dict[tuple[Place, str, bool], int] = {}
        self._brought_in: dict[str, int] = {}
        self._supplied: set[tuple[Place, str]] = set()
        self._doubts: list[Doubt] = []

    def take(self, event: Event) -> None:
        """Any event; those that move no goods change nothing."""
        moves = _MOVES.get(type(event))
        if moves is not None:
            moves(self, event)

    def stock(self) -> Stock:
        return Stock(dict(self._where), dict(self._counts), dict(self._brought_in), tuple(self._doubts))

    def move(self, event: Event, line: Line, was: Place, now: Place, damaged_first: bool = False) -> None:
        """Goods from one place to another, in the condition that they are in.

        Of goods without serial the sound ones go first, or the damaged ones where these are meant.
        """
        if line.serial:
            piece = self._piece(event, line, was)
            self._where[line.serial] = piece._replace(place=now, since=event.at, shipment_id=event.subject_id)
            return
        left = line.quantity
        for damaged in (damaged_first, not damaged_first):
            taken = self._take(was, line.product, damaged, left)
            self._add(now, line.product, damaged, taken)
            left -= taken
        if left:
            self._bring(line.product, left)
            self._add(now, line.product, False, left)
            if (was, line.product) in self._supplied or was.kind is not PlaceKind.DEPOT:
                self._doubts.append(Doubt(event.at, event.subject_id, line.product, "", was, None))

    def change(self, event: Event, line: Line, place: Place, damaged: bool) -> None:
        """Goods that stay where they are are damaged, or sound again."""
        if line.serial:
            self._where[line.serial] = self._piece(event, line, place)._replace(damaged=damaged)
            return
        # Where fewer than so many are in the other condition, the rest came in this one already.
        changed = self._take(place, line.product, not damaged, line.quantity)
        self._add(place, line.product, damaged, changed)

    def appear(self, event: Event, line: Line, now: Place) -> None:
        """Goods that no list led here: a known piece from wherever it was, all else from outside."""
        known = self._where.get(line.serial)
        if known is not None:
            self.move(event, line, now, now)
        elif line.serial:
            self._bring(line.product, 1)
            self._where[line.serial] = Piece(line.product, now, False, event.at, event.subject_id)
        else:
            self._bring(line.product, line.quantity)
            self._add(now, line.product, False, line.quantity)

    def _piece(self, event: Event, line: Line, was: Place) -> Piece:
        """A piece as it is known; one that is not was in `was` all along."""
        piece = self._where.get(line.serial)
        if piece is None:
            self._bring(line.product, 1)
            return Piece(line.product, was, False, event.at, event.subject_id)
        if piece.place != was or piece.product != line.product:
            doubt = Doubt(event.at, event.subject_id, line.product, line.serial, was, piece.place)
            self._doubts.append(doubt)
        return piece

    def _take(self, place: Place, product: str, damaged: bool, most: int) -> int:
        """Takes as many as there are, at most `most`; how many these were."""
        have = self._counts.get((place, product, damaged), 0)
        taken = min(have, most)
        if taken == have:
            self._counts.pop((place, product, damaged), None)
        else:
            self._counts[place, product, damaged] = have - taken
        return taken

    def _add(self, place: Place, product: str, damaged: bool, quantity: int) -> None:
        if quantity:
            key = (place, product, damaged)
            self._counts[key] = self._counts.get(key, 0) + quantity
            self._supplied.add((place, product))

    def _bring(self, product: str, quantity: int) -> None:
        self._brought_in[product] = self._brought_in.get(product, 0) + quantity


def stock_at(events: Iterable[Event], at: int) -> Stock:
    """What was where at an instant. events: of all consignments, in the order of the journal; others are
    passed.
    """
    ledger = Ledger()
    for event in events:
        if event.at <= at:
            ledger.take(event)
    return ledger.stock()


def place_of(code: str) -> Place:
    """The place that a depot's code or an account's id names."""
    return Place(PlaceKind.ACCOUNT if labels.is_id(code) else PlaceKind.DEPOT, code)


def unpackable(stock: Stock, origin: str, lines: Iterable[Line]) -> tuple[Refused, ...]:
    """What speaks against packing these lines from a place: serials that are elsewhere by what is known.

    Counts are not checked: a depot may have bought more, which no consignment tells.
    """
    place = place_of(origin)
    return tuple(
        Refused(
            "shipment.elsewhere",
            f"serial {line.serial}",
            f"it is not in {origin} but {stock.where[line.serial].place.kind.value}"
            f" {stock.where[line.serial].place.code}",
            "check the serial, or end that consignment first",
        )
        for line in lines
        if line.serial in stock.where and stock.where[line.serial].place != place
    )


def _packed(ledger: Ledger, event: e.ShipmentPacked) -> None:
    was, now = place_of(event.place), Place(PlaceKind.CONSIGNMENT, event.subject_id)
    for line in event.lines:
        ledger.move(event, line, was, now)


def _unpacked(ledger: Ledger, event: Any) -> None:
    was, now = Place(PlaceKind.CONSIGNMENT, event.subject_id), place_of(event.place)
    for line in event.lines:
        ledger.move(event, line, was, now)


def _raised(ledger: Ledger, event: e.DiscrepancyRaised) -> None:
    here = place_of(event.place)
    if event.kind is Kind.DAMAGED:
        ledger.change(event, event.line, here, damaged=True)
    elif event.kind is Kind.SURPLUS:
        ledger.appear(event, event.line, here)
    else:
        was = here if event.was_received else Place(PlaceKind.CONSIGNMENT, event.subject_id)
        ledger.move(event, event.line, was, Place(PlaceKind.MISSING, event.subject_id))
        if event.instead is not None:
            ledger.appear(event, event.instead, here)


def _resolved(ledger: Ledger, event: e.DiscrepancyResolved) -> None:
    here, missing = place_of(event.place), Place(PlaceKind.MISSING, event.subject_id)
    gone = Place(PlaceKind.WRITTEN_OFF, event.subject_id)
    damaged = event.kind is Kind.DAMAGED
    if event.resolution is Resolution.REPAIRED:
        ledger.change(event, event.line, here, damaged=False)
    elif event.resolution is Resolution.WRITTEN_OFF:
        ledger.move(event, event.line, here if damaged else missing, gone, damaged_first=damaged)
    elif event.resolution in (Resolution.FOUND, Resolution.NOT_SENT):
        ledger.move(event, event.line, missing, here)
    # Kept, accepted or to be sent back: it stays where it is until another consignment takes it.


def _found(ledger: Ledger, event: e.ShipmentFound) -> None:
    was, now = (Place(kind, event.subject_id) for kind in (PlaceKind.MISSING, PlaceKind.CONSIGNMENT))
    for line in event.lines:
        ledger.move(event, line, was, now)


_MOVES: Mapping[type[Event], Callable[[Ledger, Any], None]] = {
    e.ShipmentPacked: _packed,
    e.ShipmentUnpacked: _unpacked,
    e.ShipmentCancelled: _unpacked,
    e.LinesReceived: _unpacked,
    e.DiscrepancyRaised: _raised,
    e.DiscrepancyResolved: _resolved,
    e.ShipmentFound: _found,
}
