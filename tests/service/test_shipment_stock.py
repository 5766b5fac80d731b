"""Stock: who has how many and where, at any time; nothing is created or lost; against the rooms' own
states.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.service.shipment import decide, receive
from skylift.service.shipment.decide import Route
from skylift.service.shipment.events import Kind, Line, Resolution
from skylift.service.shipment.state import ROOM, Shipment
from skylift.service.shipment.stock import (
    Held,
    Ledger,
    Place,
    PlaceKind,
    Stock,
    place_of,
    stock_at,
    unpackable,
)

S = 1_000_000
WAW, KYIV, LVIV = (place_of(code) for code in ("WAW-1", "KYIV-1", "LVIV-2"))


class Depots:
    """Several consignments, one journal; each decision comes one second after the one before."""

    def __init__(self) -> None:
        self.shipments: dict[str, Shipment] = {}
        self.journal: list[Event] = []
        self.at = 0

    def act(self, id: str, function: Any, *arguments: Any) -> Depots:
        self.at += S
        shipment = self.shipments.get(id, Shipment(id))
        for event in function(shipment, Who(InstantUs(self.at), "per_1"), *arguments):
            shipment = ROOM.apply(shipment, event)
            self.journal.append(event)
        self.shipments[id] = shipment
        return self

    def sent(self, id: str, origin: str, destination: str, lines: list[Line]) -> Depots:
        self.act(id, decide.drafted, f"SL-{id}", Route(origin, destination, "acc_1"))
        self.act(id, decide.lines_added, lines)
        self.act(id, decide.leg_planned, origin, destination, "DHL-PL")
        return self.act(id, decide.packed).act(id, decide.leg_departed)

    def came(self, id: str, sound: list[Line], damaged: list[Line] | None = None) -> Depots:
        self.act(id, decide.leg_arrived).act(id, receive.received, sound, damaged or [])
        return self.act(id, receive.completed)

    def stock(self, at: int | None = None) -> Stock:
        return stock_at(self.journal, self.at if at is None else at)


def dishes(*numbers: int) -> list[Line]:
    return [Line("DISH-GEN2", 1, f"KIT{n:08d}") for n in numbers]


def test_who_had_how_many_and_where_at_any_time() -> None:
    d = Depots().sent("shp_1", "WAW-1", "KYIV-1", [*dishes(1, 2, 3), Line("CABLE-20M", 10)])
    sent_at = d.at
    d.came("shp_1", [*dishes(1, 2), Line("CABLE-20M", 8)], dishes(3))
    came_at = d.at
    d.sent("shp_2", "KYIV-1", "acc_hospital", [*dishes(1), Line("CABLE-20M", 2)])
    d.came("shp_2", [*dishes(1), Line("CABLE-20M", 2)])
    assert d.stock(sent_at).at(Place(PlaceKind.CONSIGNMENT, "shp_1")) == {
        "DISH-GEN2": Held(3, 0),
        "CABLE-20M": Held(10, 0),
    }
    assert d.stock(0).by_place() == {}
    assert d.stock(came_at).at(KYIV) == {"DISH-GEN2": Held(2, 1), "CABLE-20M": Held(8, 0)}
    now = d.stock()
    assert now.at(KYIV) == {"DISH-GEN2": Held(1, 1), "CABLE-20M": Held(6, 0)}
    assert now.at(place_of("acc_hospital")) == {"DISH-GEN2": Held(1, 0), "CABLE-20M": Held(2, 0)}
    assert now.at(Place(PlaceKind.MISSING, "shp_1")) == {"CABLE-20M": Held(2, 0)}
    piece = now.where["KIT00000001"]
    assert (piece.place, piece.shipment_id) == (place_of("acc_hospital"), "shp_2")
    assert now.brought_in == {"DISH-GEN2": 3, "CABLE-20M": 10}
    assert now.doubts == ()


def test_what_became_of_discrepancies() -> None:
    d = Depots().sent("shp_1", "WAW-1", "KYIV-1", [*dishes(1, 2, 3, 4), Line("CABLE-20M", 10)])
    d.came("shp_1", dishes(1), dishes(2))
    numbers = {(x.kind, x.line.serial): x.number for x in d.shipments["shp_1"].discrepancies}
    for key, resolution, quantity in (
        ((Kind.DAMAGED, "KIT00000002"), Resolution.WRITTEN_OFF, None),
        ((Kind.MISSING, "KIT00000003"), Resolution.NOT_SENT, None),
        ((Kind.MISSING, "KIT00000004"), Resolution.FOUND, None),
        ((Kind.MISSING, ""), Resolution.FOUND, 6),
        ((Kind.MISSING, ""), Resolution.WRITTEN_OFF, 4),
    ):
        d.act("shp_1", receive.resolved, numbers[key], resolution, "note 1", quantity)
    stock = d.stock()
    assert stock.at(KYIV) == {"DISH-GEN2": Held(2, 0), "CABLE-20M": Held(6, 0)}
    assert stock.at(WAW) == {"DISH-GEN2": Held(1, 0)}
    assert stock.at(Place(PlaceKind.WRITTEN_OFF, "shp_1")) == {
        "DISH-GEN2": Held(0, 1),
        "CABLE-20M": Held(4, 0),
    }


def test_a_damaged_one_stays_damaged_on_its_way_back_until_it_is_repaired() -> None:
    d = Depots().sent("shp_1", "WAW-1", "KYIV-1", [*dishes(1), Line("ROUTER-2", 5)])
    d.came("shp_1", [Line("ROUTER-2", 3)], [*dishes(1), Line("ROUTER-2", 2)])
    assert d.stock().at(KYIV) == {"DISH-GEN2": Held(0, 1), "ROUTER-2": Held(3, 2)}
    d.sent("shp_2", "KYIV-1", "WAW-1", [*dishes(1), Line("ROUTER-2", 5)])
    d.came("shp_2", [*dishes(1), Line("ROUTER-2", 5)])
    assert d.stock().at(WAW) == {"DISH-GEN2": Held(0, 1), "ROUTER-2": Held(3, 2)}
    assert d.stock().at(KYIV) == {}
    d.act("shp_2", receive.noticed, Kind.DAMAGED, dishes(1)[0])
    d.act("shp_2", receive.resolved, 1, Resolution.REPAIRED, "repair 1")
    assert d.stock().at(WAW)["DISH-GEN2"] == Held(1, 0)
    assert d.stock().doubts == ()


def test_a_cancelled_or_unpacked_consignment_gives_its_goods_back() -> None:
    d = Depots().act("shp_1", decide.drafted, "SL-0001", Route("WAW-1", "KYIV-1", "acc_1"))
    d.act("shp_1", decide.lines_added, dishes(1)).act("shp_1", decide.packed)
    assert d.stock().where["KIT00000001"].place == Place(PlaceKind.CONSIGNMENT, "shp_1")
    d.act("shp_1", decide.unpacked)
    assert d.stock().where["KIT00000001"].place == WAW
    d.act("shp_1", decide.packed).act("shp_1", decide.cancelled)
    assert d.stock().at(WAW) == {"DISH-GEN2": Held(1, 0)}


def test_a_lost_lorry_and_its_return() -> None:
    d = (
        Depots()
        .sent("shp_1", "WAW-1", "KYIV-1", [*dishes(1, 2), Line("CABLE-20M", 10)])
        .act("shp_1", decide.lost)
    )
    assert d.stock().at(Place(PlaceKind.MISSING, "shp_1")) == {
        "DISH-GEN2": Held(2, 0),
        "CABLE-20M": Held(10, 0),
    }
    d.act("shp_1", decide.found)
    assert d.stock().at(Place(PlaceKind.MISSING, "shp_1")) == {}
    d.came("shp_1", [*dishes(1, 2), Line("CABLE-20M", 10)])
    assert d.stock().at(KYIV) == {"DISH-GEN2": Held(2, 0), "CABLE-20M": Held(10, 0)}


def test_a_swapped_box_moves_the_piece_that_came_and_leaves_a_doubt() -> None:
    d = Depots().sent("shp_0", "WAW-0", "WAW-1", dishes(1, 2)).came("shp_0", dishes(1, 2))
    d.sent("shp_1", "WAW-1", "KYIV-1", dishes(1)).act("shp_1", decide.leg_arrived)
    d.act("shp_1", receive.swapped, "KIT00000001", dishes(2)[0])
    stock = d.stock()
    assert stock.where["KIT00000001"].place == Place(PlaceKind.MISSING, "shp_1")
    assert stock.where["KIT00000002"].place == KYIV
    (doubt,) = stock.doubts
    assert (doubt.serial, doubt.said, doubt.known) == ("KIT00000002", KYIV, WAW)
    d.act("shp_1", receive.resolved, 1, Resolution.NOT_SENT, "recount 1")
    assert d.stock().where["KIT00000001"].place == WAW
    assert d.stock().brought_in == {"DISH-GEN2": 2}


def test_packing_what_is_elsewhere_is_told_before_and_doubted_after() -> None:
    d = Depots().sent("shp_1", "WAW-1", "KYIV-1", [*dishes(1), Line("CABLE-20M", 2)])
    d.came("shp_1", [*dishes(1), Line("CABLE-20M", 2)])
    (refusal,) = unpackable(d.stock(), "WAW-1", dishes(1, 2))
    assert refusal.code == "shipment.elsewhere"
    assert "depot KYIV-1" in str(refusal)
    assert unpackable(d.stock(), "KYIV-1", dishes(1)) == ()
    d.sent("shp_2", "WAW-1", "LVIV-2", dishes(1))
    d.sent("shp_3", "KYIV-1", "LVIV-2", [Line("CABLE-20M", 3)])
    doubts = d.stock().doubts
    assert [(x.shipment_id, x.serial, x.known) for x in doubts] == [
        ("shp_2", "KIT00000001", KYIV),
        ("shp_3", "", None),
    ]


# --- any journal

IDS = ("shp_1", "shp_2", "shp_3")
PLACES = ("WAW-1", "KYIV-1", "LVIV-2", "acc_hospital")
GOODS = [*dishes(*range(6)), Line("CABLE-20M", 2), Line("CABLE-20M", 5)]
HEAPS = st.lists(st.sampled_from(GOODS), min_size=1, max_size=5, unique=True)
PIECES = [*dishes(0, 3, 5, 9), Line("CABLE-20M", 1)]
ACTS: list[tuple[Any, ...]] = [
    *((decide.lines_added, [line]) for line in GOODS),
    (decide.unpacked,),
    (decide.packed,),
    (decide.cancelled,),
    (decide.leg_planned, "KYIV-1", "WAW-1", "DHL-PL"),
    (decide.leg_departed,),
    (decide.leg_arrived,),
    (decide.leg_arrived,),
    (decide.turned_back, "acc_1"),
    (decide.lost,),
    (decide.found,),
    *((receive.received, [line], []) for line in GOODS),
    *((receive.received, [], [line]) for line in GOODS),
    *((receive.swapped, line.serial, other) for line in dishes(0, 1, 2) for other in dishes(3, 8)),
    *((receive.noticed, kind, line) for kind in Kind for line in PIECES),
    (receive.completed,),
    (receive.completed,),
    (receive.closed,),
]


def _possible(d: Depots, id: str) -> list[tuple[Any, ...]]:
    shipment, who = d.shipments[id], Who(InstantUs(d.at), "per_1")
    ends = [
        (receive.resolved, x.number, way, "note 1", quantity)
        for x in shipment.open_discrepancies()
        for way in Resolution
        for quantity in (None, 1)
    ]
    found = []
    for function, *arguments in [*ACTS, *ends]:
        try:
            if function(shipment, who, *arguments):
                found.append((function, *arguments))
        except Refused:
            continue
    return found


def _places_by_state(shipment: Shipment, stood: dict[str, Place]) -> dict[str, Place]:
    """Where each serial of one consignment is, by that room's own state: an oracle that knows no moves."""
    inside, missing = (Place(kind, shipment.id) for kind in (PlaceKind.CONSIGNMENT, PlaceKind.MISSING))
    there = place_of(shipment.destination or "-")
    where = dict.fromkeys(shipment.awaited.serials, inside) | dict.fromkeys(shipment.missing.serials, missing)
    where |= dict.fromkeys([*shipment.good.serials, *shipment.damaged.serials], there)
    for serial in stood.keys() - where.keys():
        # It left the consignment's heaps: unpacked, or resolved as never sent or written off.
        ends = {
            d.resolutions[-1] for d in shipment.discrepancies if d.line.serial == serial and d.resolutions
        }
        if Resolution.WRITTEN_OFF in ends:
            where[serial] = Place(PlaceKind.WRITTEN_OFF, shipment.id)
        else:
            where[serial] = place_of(shipment.origin)
    return where


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.permutations(PLACES), HEAPS), min_size=3, max_size=3),
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2**16)), min_size=10, max_size=40),
)
def test_nothing_is_created_or_lost_and_every_piece_is_in_one_place(
    starts: list[tuple[list[str], list[Line]]], choices: list[tuple[str, int]]
) -> None:
    d = Depots()
    where: dict[str, Place] = {}
    stood: dict[str, dict[str, Place]] = {id: {} for id in IDS}
    routes = dict(zip(IDS, starts, strict=True))
    for id, choice in choices:
        if id not in d.shipments:
            (origin, destination, *_), lines = routes[id]
            d.sent(id, origin, destination, lines)
        elif acts := _possible(d, id):
            d.act(id, *acts[choice % len(acts)])
        now = _places_by_state(d.shipments[id], stood[id])
        # A consignment speaks for a piece when something happens to it in that consignment.
        where |= {serial: place for serial, place in now.items() if stood[id].get(serial) != place}
        stood[id] = now
    stock = d.stock()
    assert {serial: piece.place for serial, piece in stock.where.items()} == where
    _check_counts(d, stock)
    # A ledger that is kept says what a fold from the beginning says, at each instant.
    ledger = Ledger()
    for number, event in enumerate(d.journal):
        ledger.take(event)
        if number + 1 == len(d.journal) or d.journal[number + 1].at > event.at:
            assert ledger.stock() == stock_at(d.journal, event.at)


def _check_counts(d: Depots, stock: Stock) -> None:
    assert all(n > 0 for n in stock.counts.values())
    everywhere: Counter[str] = Counter()
    for products in stock.by_place().values():
        for product, held in products.items():
            everywhere[product] += held.sound + held.damaged
    assert dict(everywhere) == dict(stock.brought_in)
    for shipment in d.shipments.values():
        for kind, heap in ((PlaceKind.CONSIGNMENT, shipment.awaited), (PlaceKind.MISSING, shipment.missing)):
            # Sound and damaged of one product are two entries.
            total: Counter[str] = Counter()
            for (place, product, _), n in stock.counts.items():
                if place == Place(kind, shipment.id):
                    total[product] += n
            assert dict(total) == dict(heap.counts)
