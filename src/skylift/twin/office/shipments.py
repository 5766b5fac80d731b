"""What can be done with consignments. The terminals in them follow: see following.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.ports.store import Reader, Wanted
from skylift.service.account import account
from skylift.service.account.roles import Subject
from skylift.service.region import state as regions
from skylift.service.request import state as requests
from skylift.service.shipment import decide, receive
from skylift.service.shipment.decide import Route
from skylift.service.shipment.events import Kind, Line, PaperState, Resolution
from skylift.service.shipment.lines import ReadLines, of_csv, of_scans
from skylift.service.shipment.state import ROOM, Shipment
from skylift.service.shipment.stock import Stock, unpackable
from skylift.service.shipment.whereabouts import whereabouts
from skylift.twin.handle import load
from skylift.twin.office.following import terminals_follow
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor, Decide, Moment, Nothing, Verb

# So many searches take as long as one look at all consignments of a large service.
MOST_SEARCHES = 300
# More bad rows than these help nobody.
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Create:
    """reference: its tracking number; origin, destination: a depot's code or an account's id.

    recipient  the account that confirms; request, region: what it answers, and where
    """

    reference: str
    origin: str
    destination: str
    recipient: str
    request: str = ""
    region: str = ""
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Csv:
    """csv: a text with the headings product, quantity, serial. One bad row, and none is taken."""

    csv: str


@dataclass(frozen=True, slots=True)
class Scans:
    """codes: as a scanner types them, one on each line, all of one product."""

    codes: str
    product: str


@dataclass(frozen=True, slots=True)
class PlanLeg:
    """carrier: its code."""

    from_place: str
    to_place: str
    carrier: str


@dataclass(frozen=True, slots=True)
class SetPaper:
    """reference: the customs paper's own."""

    reference: str
    country: str
    standing: PaperState


@dataclass(frozen=True, slots=True)
class Customs:
    country: str


@dataclass(frozen=True, slots=True)
class TurnBack:
    """recipient: the account that confirms it at its origin."""

    recipient: str


@dataclass(frozen=True, slots=True)
class Receive:
    """What came out of the boxes so far."""

    sound: tuple[Line, ...] = ()
    damaged: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiveScans:
    """product: of what is in no list; what is, the list knows."""

    product: str
    codes: str = ""
    damaged_codes: str = ""


@dataclass(frozen=True, slots=True)
class Swap:
    """came: what was in the box in the stead of `serial`."""

    serial: str
    came: Line


@dataclass(frozen=True, slots=True)
class Notice:
    kind: Kind
    line: Line


@dataclass(frozen=True, slots=True)
class Resolve:
    """number: of the discrepancy; document: a reference; quantity: a part of it, else all."""

    number: int
    resolution: Resolution
    document: str
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Prove:
    """document: reference of the signed paper."""

    document: str


def stock_of(reader: Reader, serials: Sequence[str]) -> Stock:
    """Where these pieces are by all consignments, as the transaction sees them."""
    found: dict[str, Shipment] = {}
    if len(serials) <= MOST_SEARCHES:
        for serial in serials:
            found |= {one.id: one.thing for one in every(reader, ROOM, Wanted(words=(serial.lower(),)))}
    else:
        found = {one.id: one.thing for one in every(reader, ROOM)}
    return whereabouts(found.values(), serials)


def _created(shipment: Shipment, moment: Moment, given: Create) -> Sequence[Event]:
    route = Route(given.origin, given.destination, given.recipient, given.request, given.region)
    events = decide.drafted(shipment, moment.who, given.reference, route)
    load(account.ROOM, moment.reader, given.recipient)
    if given.request:
        load(requests.ROOM, moment.reader, given.request)
    if given.region:
        load(regions.ROOM, moment.reader, given.region)
    if not given.lines:
        return events
    return (*events, *decide.first_lines(shipment.id, moment.who, given.lines))


def _good(read: ReadLines) -> tuple[Line, ...]:
    """Lines of a text. Raises Refused with every bad row and its reason."""
    if read.bad:
        told = "; ".join(
            f"row {row.number}{f', {row.column}' if row.column else ''}: {row.why}"
            for row in read.bad[:MOST_TOLD]
        )
        more = f"; and {len(read.bad) - MOST_TOLD} more" if len(read.bad) > MOST_TOLD else ""
        raise Refused(
            "shipment.bad-rows",
            "lines",
            f"{len(read.bad)} rows cannot be taken: {told}{more}",
            "correct them, and give all of it again; nothing was written",
        )
    return read.lines


def _packed(shipment: Shipment, moment: Moment, given: Nothing) -> Sequence[Event]:
    events = decide.packed(shipment, moment.who)
    lines = shipment.goods.lines()
    stock = stock_of(moment.reader, [line.serial for line in lines if line.serial])
    against = unpackable(stock, shipment.origin, lines)
    if against:
        more = f"; so are {len(against) - 1} more" if len(against) > 1 else ""
        first = against[0]
        raise Refused(first.code, first.thing, first.rule + more, first.way_out)
    return events


def _turned_back(shipment: Shipment, moment: Moment, given: TurnBack) -> Sequence[Event]:
    events = decide.turned_back(shipment, moment.who, given.recipient)
    load(account.ROOM, moment.reader, given.recipient)
    return events


def _received_scans(shipment: Shipment, moment: Moment, given: ReceiveScans) -> Sequence[Event]:
    sound = _good(of_scans(given.codes, given.product))
    damaged = _good(of_scans(given.damaged_codes, given.product))
    return receive.received(shipment, moment.who, sound, damaged)


def _where(given: Create, actor: Actor) -> Subject:
    # Not the recipient's: nobody sends to themselves with a recipient's rights.
    return Subject(region=given.region)


def _verb(action: str, arguments: type, does: Decide, says: str) -> Verb:
    return Verb(f"shipment.{action}", ROOM, arguments, does, says, also=terminals_follow)


VERBS = (
    Verb(
        "shipment.create",
        ROOM,
        Create,
        _created,
        "Begin a consignment.",
        creates=True,
        subject_of=_where,
    ),
    _verb(
        "add-lines",
        Lines,
        lambda s, m, a: decide.lines_added(s, m.who, a.lines),
        "Put pieces by serial, or counts of a product, on its list.",
    ),
    _verb(
        "import-lines",
        Csv,
        lambda s, m, a: decide.lines_added(s, m.who, _good(of_csv(a.csv))),
        "Put the rows of a table on its list, or none where one is bad.",
    ),
    _verb(
        "scan-lines",
        Scans,
        lambda s, m, a: decide.lines_added(s, m.who, _good(of_scans(a.codes, a.product))),
        "Put scanned codes on its list.",
    ),
    _verb(
        "remove-lines",
        Lines,
        lambda s, m, a: decide.lines_removed(s, m.who, a.lines),
        "Take lines off its list.",
    ),
    _verb(
        "plan-leg",
        PlanLeg,
        lambda s, m, a: decide.leg_planned(s, m.who, a.from_place, a.to_place, a.carrier),
        "Plan the next part of the way.",
    ),
    _verb(
        "drop-legs",
        Nothing,
        lambda s, m, a: decide.legs_dropped(s, m.who),
        "Forget the legs that have not departed.",
    ),
    _verb("pack", Nothing, _packed, "What is on its list leaves the stock of its origin."),
    _verb("unpack", Nothing, lambda s, m, a: decide.unpacked(s, m.who), "Back into stock; it is a draft."),
    _verb("cancel", Nothing, lambda s, m, a: decide.cancelled(s, m.who), "It does not go."),
    _verb("depart", Nothing, lambda s, m, a: decide.leg_departed(s, m.who), "The next leg begins."),
    _verb("arrive", Nothing, lambda s, m, a: decide.leg_arrived(s, m.who), "The leg that it is on ends."),
    _verb(
        "set-paper",
        SetPaper,
        lambda s, m, a: decide.paper_set(s, m.who, a.reference, a.country, a.standing),
        "Record a customs paper, and where it stands.",
    ),
    _verb(
        "enter-customs",
        Customs,
        lambda s, m, a: decide.customs_entered(s, m.who, a.country),
        "It is held there.",
    ),
    _verb("leave-customs", Nothing, lambda s, m, a: decide.customs_left(s, m.who), "Customs let it through."),
    _verb("turn-back", TurnBack, _turned_back, "It goes back to its origin."),
    _verb("lose", Nothing, lambda s, m, a: decide.lost(s, m.who), "Nobody knows where it is."),
    _verb("find", Nothing, lambda s, m, a: decide.found(s, m.who), "A lost one is there again."),
    _verb(
        "receive",
        Receive,
        lambda s, m, a: receive.received(s, m.who, a.sound, a.damaged),
        "Record what came out of the boxes, sound and damaged.",
    ),
    _verb("receive-scans", ReceiveScans, _received_scans, "Record scanned codes as received."),
    _verb(
        "swap",
        Swap,
        lambda s, m, a: receive.swapped(s, m.who, a.serial, a.came),
        "Another piece came in the stead of one.",
    ),
    _verb(
        "complete",
        Nothing,
        lambda s, m, a: receive.completed(s, m.who),
        "All boxes are open: what has not come is missing.",
    ),
    _verb(
        "notice",
        Notice,
        lambda s, m, a: receive.noticed(s, m.who, a.kind, a.line),
        "After all: a received piece is damaged or not there, or one more is.",
    ),
    _verb(
        "resolve",
        Resolve,
        lambda s, m, a: receive.resolved(s, m.who, a.number, a.resolution, a.document, a.quantity),
        "Record what became of a discrepancy.",
    ),
    _verb(
        "prove",
        Prove,
        lambda s, m, a: receive.proof_given(s, m.who, a.document),
        "Record the proof of delivery.",
    ),
    _verb(
        "confirm",
        Nothing,
        lambda s, m, a: receive.confirmed(s, m.who, m.actor.account),
        "The recipient says that it has what is recorded as received.",
    ),
    _verb("close", Nothing, lambda s, m, a: receive.closed(s, m.who), "Nothing of it is open any more."),
)
