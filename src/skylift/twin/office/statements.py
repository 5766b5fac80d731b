"""Words to the public: claims come from the record, never typed; it is looked at again before they go out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.ports.store import Reader, Wanted
from skylift.service.account import account as accounts
from skylift.service.account import plan as plans
from skylift.service.account.roles import Subject
from skylift.service.account.usage import cycle_of
from skylift.service.region import state as regions
from skylift.service.region.events import CellMode
from skylift.service.region.state import Region, RegionState
from skylift.service.shipment import state as shipments
from skylift.service.shipment.goods import Goods
from skylift.service.shipment.state import Shipment, ShipmentState
from skylift.service.statement import state as decide
from skylift.service.statement.drafting import BatchFact, Claims, Kind, RecordedFacts, RegionFact, drafted
from skylift.service.statement.state import ROOM, Statement
from skylift.service.terminal import state as terminals
from skylift.service.terminal.allow_list import state as allow_lists
from skylift.service.terminal.events import CommandKind
from skylift.service.terminal.state import TerminalState
from skylift.twin.office.pages import every
from skylift.twin.office.permits import permissions_of
from skylift.twin.office.verbs import Because, Moment, Nothing, Verb

_PLACE_UK = re.compile(r"[А-ЩЬЮЯҐЄІЇа-щьюяґєії'’ -]{2,60}")
_OF_BATCHES = (Kind.BATCH_SENT, Kind.BATCH_RECEIVED)
_SERVED = (CellMode.ENABLED, CellMode.RESTRICTED)


@dataclass(frozen=True, slots=True)
class Create:
    """about: the region; batch: the shipment, where it is about one.

    place_uk  what the region is called in Ukrainian, in a sentence that names it: "Україна"; as it was given
              last where it is not
    """

    kind: Kind
    about: str
    batch: str = ""
    place_uk: str = ""


def facts_about(reader: Reader, about: str, kind: Kind, at: InstantUs, place_uk: str = "") -> RecordedFacts:
    """What is on record about a region, as far as a statement of this kind can claim it."""
    region = reader.get(regions.ROOM, about)
    known = {} if region is None else {about: _region_fact(region.thing, at, place_uk)}
    batches = _batches(reader, about) if kind in _OF_BATCHES else {}
    online = {about: _online(reader, about, at)} if kind is Kind.TERMINALS_ONLINE else {}
    return RecordedFacts(at, known, batches, online)


def _region_fact(region: Region, at: InstantUs, place_uk: str) -> RegionFact:
    state = region.state.value
    if region.state is RegionState.ACTIVE:
        if region.missing_papers(at):
            state = "switched on, but its papers do not hold now"
        elif not any(cell.mode in _SERVED for cell in region.cells.values()):
            state = "switched on, but none of its cells is"
    return RegionFact({"en": region.title, **({"uk": place_uk} if place_uk else {})}, state)


def _batches(reader: Reader, about: str) -> dict[str, BatchFact]:
    """By the order in which they first departed; one that was turned back or lost keeps its number."""
    departed: list[tuple[InstantUs, Shipment]] = []
    for stored in every(reader, shipments.ROOM, Wanted(region=about)):
        shipment: Shipment = stored.thing
        first = next((leg.departed_at for leg in shipment.legs if leg.departed_at is not None), None)
        if first is not None:
            departed.append((first, shipment))
    departed.sort(key=lambda one: (one[0], one[1].id))
    return {s.id: _batch_fact(reader, n, s) for n, (_, s) in enumerate(departed, 1)}


def _batch_fact(reader: Reader, number: int, shipment: Shipment) -> BatchFact:
    came = shipment.state is ShipmentState.RECEIVED or (
        shipment.state is ShipmentState.CLOSED and shipment.confirmed_at is not None
    )
    # Back at its origin it has been received by nobody who was promised it.
    turned_back = shipment.destination == shipment.origin
    gone = turned_back or shipment.state is ShipmentState.LOST
    gone |= shipment.state is ShipmentState.CLOSED and not came
    received = came and not turned_back
    return BatchFact(
        number, not gone, received, _terminals_in(reader, shipment.good if received else shipment.goods)
    )


def _terminals_in(reader: Reader, goods: Goods) -> int:
    """How many of the pieces are terminals of ours; cables and mounts are not."""
    return sum(
        any(reader.find(terminals.ROOM, key, serial) is not None for key in ("serial", "kit"))
        for serial in goods.serials
    )


def _online(reader: Reader, about: str, at: InstantUs) -> int:
    """Those whose activation an enforcer has confirmed, and that may be served at home now: what was only
    asked for is not online, nor what was on when its region was suspended, its cell or its account."""
    wanted = Wanted(status=TerminalState.ACTIVE.value, region=about)
    on = [
        stored.thing
        for stored in every(reader, terminals.ROOM, wanted)
        if stored.thing.in_force(at) is CommandKind.ACTIVATE
    ]
    owners = sorted({one.owner for one in on})
    whose = [stored.thing for owner in owners if (stored := reader.get(accounts.ROOM, owner)) is not None]
    permits = permissions_of(
        on,
        whose,
        {stored.id: stored.thing for stored in every(reader, plans.ROOM)} if on else {},
        [stored.thing for stored in every(reader, regions.ROOM)] if on else (),
        {owner: reader.used_bytes(owner, cycle_of(at)) for owner in owners},
        [stored.thing for stored in every(reader, allow_lists.ROOM)] if on else (),
    )
    return sum(permits.may_serve(one.id, one.cell, at).allowed for one in on)


def _claims(moment: Moment, given: Create) -> tuple[Claims, RecordedFacts]:
    if given.place_uk and not _PLACE_UK.fullmatch(given.place_uk):
        raise Refused(
            "statement.place",
            "place_uk",
            "it is the name of a country or region in Ukrainian letters",
            "write for example Україна",
        )
    place_uk = given.place_uk or _called_in_ukrainian(moment.reader, given.about)
    facts = facts_about(moment.reader, given.about, given.kind, moment.at, place_uk)
    claims = drafted(given.kind, given.about, facts, given.batch if given.kind in _OF_BATCHES else "")
    if given.kind in (*_OF_BATCHES, Kind.TERMINALS_ONLINE) and not claims.number:
        raise Refused(
            "statement.none",
            f"statement {given.kind.value}",
            "the record knows of no terminal there that it could be said of",
            "record them first, by their serials; online are those that may be served and are confirmed",
        )
    if not _PLACE_UK.fullmatch(claims.titles.get("uk", "")):
        raise Refused(
            "statement.place-uk",
            "place_uk",
            "it is told in Ukrainian as well, and what the region is called there is not known yet",
            "give it once, as it stands in a sentence: place_uk=Україна",
        )
    return claims, facts


def _called_in_ukrainian(reader: Reader, about: str) -> str:
    """As the last statement about the region had it; or the region's own title, where it is Ukrainian."""
    said = [one.thing.claims.titles.get("uk", "") for one in every(reader, ROOM, Wanted(region=about))]
    region = reader.get(regions.ROOM, about)
    names = [*reversed(said), region.thing.title if region is not None else ""]
    return next((name for name in names if _PLACE_UK.fullmatch(name)), "")


def _drafted(statement: Statement, moment: Moment, given: Create) -> Sequence[Event]:
    return decide.drafted(statement, moment.who, *_claims(moment, given))


def _redrafted(statement: Statement, moment: Moment, given: Nothing) -> Sequence[Event]:
    claims = statement.claims
    decide.CYCLE.after(statement.id, statement.state, decide.StatementDrafted)
    place_uk = claims.titles.get("uk", "")
    again = Create(
        claims.kind, claims.about, claims.batch, place_uk if place_uk != claims.titles.get("en") else ""
    )
    return _drafted(statement, moment, again)


def _published(statement: Statement, moment: Moment, given: Nothing) -> Sequence[Event]:
    claims = statement.claims
    facts = facts_about(moment.reader, claims.about, claims.kind, moment.at)
    return decide.published(statement, moment.who, facts)


VERBS = (
    Verb(
        "statement.create",
        ROOM,
        Create,
        _drafted,
        "Draft a word to the public from what is recorded.",
        creates=True,
        subject_of=lambda given, actor: Subject(region=given.about),
    ),
    Verb("statement.redraft", ROOM, Nothing, _redrafted, "Draft it anew: the record has changed."),
    Verb("statement.publish", ROOM, Nothing, _published, "Say it, if the record still bears it."),
    Verb(
        "statement.withdraw",
        ROOM,
        Because,
        lambda s, m, a: decide.withdrawn(s, m.who, a.reason),
        "Take it back; readers are told why.",
    ),
)
