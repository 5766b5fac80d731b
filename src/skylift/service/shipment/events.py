"""What can happen to a consignment. Codes and references only: no name, no address, no free text.

The events that move goods carry the goods and the places, so that stock can be told from events alone.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event


@dataclass(frozen=True, slots=True)
class Line:
    """One piece with a serial (quantity 1), or so many of a product without."""

    product: str
    quantity: int = 1
    serial: str = ""


class Kind(enum.Enum):
    """How what came differs from what was sent. WRONG_SERIAL: another piece came in the stead of one."""

    MISSING = "missing"
    DAMAGED = "damaged"
    SURPLUS = "surplus"
    WRONG_SERIAL = "wrong-serial"


class Resolution(enum.Enum):
    """What became of a discrepancy.

    FOUND         what was missing turned up here
    NOT_SENT      it was never packed, and is still where the consignment came from
    WRITTEN_OFF   gone for good, or not worth a repair
    REPAIRED      what was damaged is sound
    KEPT_DAMAGED  it stays here as it is, for parts
    ACCEPTED      the surplus stays here
    SENT_BACK     a consignment of its own takes it back; until then it is here
    """

    FOUND = "found"
    NOT_SENT = "not-sent"
    WRITTEN_OFF = "written-off"
    REPAIRED = "repaired"
    KEPT_DAMAGED = "kept-damaged"
    ACCEPTED = "accepted"
    SENT_BACK = "sent-back"


# What came in another's stead is kept like a surplus; what it replaced is missing like any other.
RESOLUTIONS = {
    Kind.MISSING: (Resolution.FOUND, Resolution.NOT_SENT, Resolution.WRITTEN_OFF),
    Kind.WRONG_SERIAL: (Resolution.FOUND, Resolution.NOT_SENT, Resolution.WRITTEN_OFF),
    Kind.DAMAGED: (
        Resolution.REPAIRED,
        Resolution.KEPT_DAMAGED,
        Resolution.SENT_BACK,
        Resolution.WRITTEN_OFF,
    ),
    Kind.SURPLUS: (Resolution.ACCEPTED, Resolution.SENT_BACK),
}


class PaperState(enum.Enum):
    """Where a customs paper stands."""

    FILED = "filed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ShipmentEvent(Event):
    """Something that happened to a consignment."""


@dataclass(frozen=True, slots=True)
class ShipmentDrafted(ShipmentEvent):
    """reference: its tracking number. origin, destination: depot or account. recipient: account that
    confirms.
    """

    NAME: ClassVar[str] = "shipment.drafted/1"

    reference: str
    origin: str
    destination: str
    recipient: str
    request: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class LinesAdded(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.lines-added/1"

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LinesRemoved(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.lines-removed/1"

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LegPlanned(ShipmentEvent):
    """carrier: its code. number: from 1."""

    NAME: ClassVar[str] = "shipment.leg-planned/1"

    number: int
    from_place: str
    to_place: str
    carrier: str


@dataclass(frozen=True, slots=True)
class LegsDropped(ShipmentEvent):
    """Legs that have not departed are not taken: another way is planned."""

    NAME: ClassVar[str] = "shipment.legs-dropped/1"


@dataclass(frozen=True, slots=True)
class ShipmentPacked(ShipmentEvent):
    """These lines left the stock of a place for this consignment."""

    NAME: ClassVar[str] = "shipment.packed/1"

    place: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ShipmentUnpacked(ShipmentEvent):
    """They are in the stock of the place again; it is a draft."""

    NAME: ClassVar[str] = "shipment.unpacked/1"

    place: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ShipmentCancelled(ShipmentEvent):
    """It does not go. lines: what was packed goes back to the stock of the place; () for a draft."""

    NAME: ClassVar[str] = "shipment.cancelled/1"

    place: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LegDeparted(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.leg-departed/1"

    number: int


@dataclass(frozen=True, slots=True)
class LegArrived(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.leg-arrived/1"

    number: int


@dataclass(frozen=True, slots=True)
class CustomsEntered(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.customs-entered/1"

    country: str


@dataclass(frozen=True, slots=True)
class CustomsLeft(ShipmentEvent):
    """Let in, or through."""

    NAME: ClassVar[str] = "shipment.customs-left/1"

    country: str


@dataclass(frozen=True, slots=True)
class PaperSet(ShipmentEvent):
    """A customs paper and where it stands."""

    NAME: ClassVar[str] = "shipment.paper-set/1"

    reference: str
    country: str
    standing: PaperState


@dataclass(frozen=True, slots=True)
class ShipmentTurnedBack(ShipmentEvent):
    """It goes back to where it was packed: from a border, or from the door. recipient: who confirms it
    there.
    """

    NAME: ClassVar[str] = "shipment.turned-back/1"

    destination: str
    recipient: str


@dataclass(frozen=True, slots=True)
class ShipmentArrived(ShipmentEvent):
    """It is where it was to go, not unpacked yet."""

    NAME: ClassVar[str] = "shipment.arrived/1"

    place: str


@dataclass(frozen=True, slots=True)
class LinesReceived(ShipmentEvent):
    """These came out of the boxes, and are at the place now. A receipt may be one of several."""

    NAME: ClassVar[str] = "shipment.lines-received/1"

    place: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class DiscrepancyRaised(ShipmentEvent):
    """line: what is missing, damaged or too much; instead: what came in its stead; place: where it was
    noticed.

    What is missing, or was replaced by another, is at "missing" from now on; what is damaged was received
    before; what is too much, or came instead, is at the place.
    was_received  what is missing had been counted as received
    """

    NAME: ClassVar[str] = "shipment.discrepancy-raised/1"

    number: int
    kind: Kind
    line: Line
    place: str
    instead: Line | None = None
    was_received: bool = False


@dataclass(frozen=True, slots=True)
class DiscrepancyResolved(ShipmentEvent):
    """What became of a discrepancy, or of `line` as a part of it. place: where that is now, unless it is
    gone.
    """

    NAME: ClassVar[str] = "shipment.discrepancy-resolved/1"

    number: int
    kind: Kind
    resolution: Resolution
    document: str
    line: Line
    place: str


@dataclass(frozen=True, slots=True)
class ShipmentReceived(ShipmentEvent):
    """All boxes are open; what has not come is missing."""

    NAME: ClassVar[str] = "shipment.received/1"


@dataclass(frozen=True, slots=True)
class ShipmentLost(ShipmentEvent):
    """Nobody knows where it is; all that was in it is missing."""

    NAME: ClassVar[str] = "shipment.lost/1"


@dataclass(frozen=True, slots=True)
class ShipmentFound(ShipmentEvent):
    """It is there again, with these lines in it, and goes on."""

    NAME: ClassVar[str] = "shipment.found/1"

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ProofGiven(ShipmentEvent):
    """document: reference of the signed paper."""

    NAME: ClassVar[str] = "shipment.proof-given/1"

    document: str


@dataclass(frozen=True, slots=True)
class ReceiptConfirmed(ShipmentEvent):
    """The recipient says that it has what is recorded as received."""

    NAME: ClassVar[str] = "shipment.receipt-confirmed/1"

    account: str


@dataclass(frozen=True, slots=True)
class ShipmentClosed(ShipmentEvent):
    NAME: ClassVar[str] = "shipment.closed/1"
