"""Consignments through the office on a real store; the terminals in them follow, all of them or none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Conflict
from skylift.service.account.roles import Grant, Role
from skylift.service.shipment import decide, receive
from skylift.service.shipment.events import RESOLUTIONS, Line
from skylift.service.shipment.state import ROOM, Shipment, ShipmentState
from skylift.service.shipment.stock import stock_at, unpackable
from skylift.service.shipment.whereabouts import whereabouts
from skylift.service.terminal.state import TerminalState
from skylift.twin.office import following
from skylift.twin.office.office import Forbidden
from skylift.twin.office.verbs import Actor

SERIALS = ("KIT0000001", "KIT0000002", "KIT0000003")
PRODUCT = "DISH-GEN2"


def lines(*serials: str) -> list[dict[str, Any]]:
    return [{"product": PRODUCT, "serial": serial} for serial in serials]


def sent(
    bureau: Any, id: str = "shp_1", origin: str = "WAW-1", to: str = "KYIV-1", with_what: Any = SERIALS
) -> str:
    """A consignment on its way, by one leg."""
    do = bureau.do
    do(
        bureau.logistics,
        "shipment.create",
        reference=f"SL-{id[4:]}001",
        origin=origin,
        destination=to,
        recipient="acc_ministry",
        lines=lines(*with_what),
        new_id=id,
    )
    do(bureau.logistics, "shipment.pack", id)
    do(bureau.logistics, "shipment.plan-leg", id, from_place=origin, to_place=to, carrier="DHL-PL")
    do(bureau.logistics, "shipment.depart", id)
    return id


@pytest.fixture
def ministry(bureau: Any) -> Actor:
    for serial in SERIALS:
        bureau.do(bureau.logistics, "terminal.create", hardware="ROUND-2021", serial=serial)
    return bureau.account("acc_ministry")


def test_a_consignment_with_a_damaged_and_a_missing_kit_from_draft_to_close(
    bureau: Any, ministry: Actor
) -> None:
    ship = sent(bureau)
    assert bureau.terminal(SERIALS[0]).state is TerminalState.MANUFACTURED
    bureau.do(bureau.field, "shipment.arrive", ship)
    bureau.do(bureau.field, "shipment.receive", ship, sound=lines(SERIALS[0]), damaged=lines(SERIALS[1]))
    assert bureau.do(bureau.field, "shipment.complete", ship).state is ShipmentState.RECEIVED
    states = [bureau.terminal(serial) for serial in SERIALS]
    assert [t.state for t in states] == [TerminalState.DELIVERED, TerminalState.DELIVERED, TerminalState.LOST]
    assert [t.place for t in states] == ["KYIV-1", "KYIV-1", ""]
    causes = {
        row.event.cause_id for row in bureau.store.journal(0, 500) if row.event.NAME == "terminal.delivered/1"
    }
    assert causes == {ship}
    with pytest.raises(Refused, match="it lacks"):
        bureau.do(bureau.logistics, "shipment.close", ship)
    found = {"number": 2, "resolution": "found", "document": "note 7"}
    bureau.do(bureau.logistics, "shipment.resolve", ship, **found)
    assert bureau.terminal(SERIALS[2]).place == "KYIV-1"
    written_off = {"number": 1, "resolution": "written-off", "document": "note 8"}
    bureau.do(bureau.logistics, "shipment.resolve", ship, **written_off)
    assert bureau.terminal(SERIALS[1]).state is TerminalState.RETIRED
    bureau.do(bureau.field, "shipment.prove", ship, document="CMR 118/22")
    with pytest.raises(Refused, match="its recipient confirms it"):
        bureau.do(bureau.field, "shipment.confirm", ship)
    bureau.do(ministry, "shipment.confirm", ship)
    assert bureau.do(bureau.logistics, "shipment.close", ship).state is ShipmentState.CLOSED


def test_only_the_recipients_own_people_confirm(bureau: Any, ministry: Actor) -> None:
    ship = sent(bureau)
    bureau.do(bureau.field, "shipment.arrive", ship)
    bureau.do(bureau.field, "shipment.complete", ship)
    with pytest.raises(Forbidden):
        bureau.do(bureau.account("acc_other"), "shipment.confirm", ship)
    with pytest.raises(Forbidden):
        bureau.do(ministry, "shipment.receive", ship, sound=lines(SERIALS[0]))
    assert bureau.do(ministry, "shipment.confirm", ship).confirmed_at is not None


def test_what_is_elsewhere_is_not_packed_a_second_time(bureau: Any, ministry: Actor) -> None:
    sent(bureau)
    again = {"origin": "WAW-1", "destination": "LVIV-2", "recipient": "acc_ministry"}
    bureau.do(
        bureau.logistics,
        "shipment.create",
        reference="SL-9001",
        new_id="shp_2",
        lines=lines(*SERIALS[:2]),
        **again,
    )
    with pytest.raises(Refused, match="not in WAW-1 but consignment shp_1; so are 1 more"):
        bureau.do(bureau.logistics, "shipment.pack", "shp_2")
    bureau.do(bureau.logistics, "shipment.arrive", "shp_1")
    bureau.do(bureau.logistics, "shipment.receive-scans", "shp_1", product=PRODUCT, codes="\n".join(SERIALS))
    with pytest.raises(Refused, match="depot KYIV-1"):
        bureau.do(bureau.logistics, "shipment.pack", "shp_2")
    # From where it is, it goes.
    bureau.do(bureau.logistics, "shipment.complete", "shp_1")
    assert sent(bureau, "shp_3", "KYIV-1", "LVIV-2") == "shp_3"


def test_what_came_as_a_surplus_is_known_to_be_there(bureau: Any, ministry: Actor) -> None:
    sent(bureau, with_what=SERIALS[:1])
    bureau.do(bureau.field, "shipment.arrive", "shp_1")
    bureau.do(bureau.field, "shipment.receive", "shp_1", sound=lines(*SERIALS[:2]))
    bureau.do(bureau.field, "shipment.complete", "shp_1")
    assert bureau.terminal(SERIALS[1]).place == "KYIV-1"
    with pytest.raises(Refused, match="depot KYIV-1"):
        sent(bureau, "shp_2", with_what=SERIALS[1:2])


def test_a_lost_lorry_cuts_its_terminals_off_until_it_is_found(bureau: Any, ministry: Actor) -> None:
    ship = sent(bureau)
    bureau.do(bureau.logistics, "shipment.lose", ship)
    assert {bureau.terminal(serial).state for serial in SERIALS} == {TerminalState.LOST}
    cell = {"owner": "acc_ministry", "cell": bureau.cell}
    with pytest.raises(Refused, match="it is lost"):
        bureau.do(ministry, "terminal.register", bureau.terminal(SERIALS[0]).id, **cell)
    bureau.do(bureau.logistics, "shipment.find", ship)
    assert {bureau.terminal(serial).state for serial in SERIALS} == {TerminalState.DELIVERED}


def test_customs_hold_those_whose_export_was_recorded(bureau: Any, ministry: Actor) -> None:
    first = bureau.terminal(SERIALS[0]).id
    bureau.do(bureau.logistics, "terminal.export", first, country="US", document="export 7")
    ship = sent(bureau)
    bureau.do(
        bureau.logistics, "shipment.set-paper", ship, reference="22PL118", country="PL", standing="accepted"
    )
    bureau.do(bureau.logistics, "shipment.enter-customs", ship, country="PL")
    assert [bureau.terminal(s).state.value for s in SERIALS] == ["in-customs", "manufactured", "manufactured"]
    bureau.do(bureau.logistics, "shipment.leave-customs", ship)
    assert bureau.terminal(SERIALS[0]).state is TerminalState.EXPORTED
    bureau.do(bureau.logistics, "shipment.enter-customs", ship, country="UA")
    bureau.do(bureau.logistics, "shipment.turn-back", ship, recipient="acc_ministry")
    assert bureau.terminal(SERIALS[0]).state is TerminalState.EXPORTED


def test_an_owned_terminal_does_not_follow(bureau: Any, ministry: Actor) -> None:
    first = bureau.terminal(SERIALS[0]).id
    bureau.do(bureau.logistics, "terminal.deliver", first, place="WAW-1")
    bureau.do(ministry, "terminal.register", first, owner="acc_ministry", cell=bureau.cell)
    ship = sent(bureau)
    bureau.do(bureau.logistics, "shipment.lose", ship)
    assert bureau.terminal(SERIALS[0]).state is TerminalState.REGISTERED
    assert bureau.terminal(SERIALS[1]).state is TerminalState.LOST


def test_a_swap_moves_both_pieces(bureau: Any, ministry: Actor) -> None:
    ship = sent(bureau, with_what=SERIALS[:1])
    bureau.do(bureau.field, "shipment.arrive", ship)
    bureau.do(bureau.field, "shipment.swap", ship, serial=SERIALS[0], came=lines(SERIALS[1])[0])
    assert bureau.terminal(SERIALS[0]).state is TerminalState.LOST
    assert bureau.terminal(SERIALS[1]).place == "KYIV-1"


def test_all_of_it_or_nothing(bureau: Any, ministry: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    ship = sent(bureau)
    bureau.do(bureau.field, "shipment.arrive", ship)
    before = bureau.store.head(), bureau.get(ROOM, ship), [bureau.terminal(serial) for serial in SERIALS]
    calls = []

    def second_fails(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        if len(calls) > 1:
            raise Refused("terminal.x", "x", "the second cannot", "x")
        return delivered(*arguments, **more)

    delivered = following._delivered
    monkeypatch.setattr(following, "_delivered", second_fails)
    with pytest.raises(Refused, match="the second cannot"):
        bureau.do(bureau.field, "shipment.receive", ship, sound=lines(*SERIALS))
    assert before == (
        bureau.store.head(),
        bureau.get(ROOM, ship),
        [bureau.terminal(serial) for serial in SERIALS],
    )


def test_rows_are_imported_whole_or_not_at_all(bureau: Any, ministry: Actor) -> None:
    made = {"origin": "WAW-1", "destination": "KYIV-1", "recipient": "acc_ministry"}
    bureau.do(bureau.logistics, "shipment.create", reference="SL-0001", new_id="shp_1", **made)
    bad = "product,quantity,serial\nDISH-GEN2,,KIT0000001\nDISH-GEN2,many,\nDISH-GEN2,,KIT0000001\n"
    with pytest.raises(Refused, match=r"2 rows cannot be taken: row 3, quantity: .*; row 4, serial"):
        bureau.do(bureau.logistics, "shipment.import-lines", "shp_1", csv=bad)
    assert not len(bureau.get(ROOM, "shp_1").goods)
    good = "product,quantity,serial\nDISH-GEN2,,KIT0000001\nCABLE-20M,20,\n"
    after = bureau.do(bureau.logistics, "shipment.import-lines", "shp_1", csv=good)
    assert after.goods.lines() == (Line(PRODUCT, 1, SERIALS[0]), Line("CABLE-20M", 20))
    after = bureau.do(
        bureau.logistics, "shipment.scan-lines", "shp_1", product=PRODUCT, codes="]C1KIT0000002"
    )
    assert SERIALS[1] in after.goods.serials


def test_lines_in_any_order_leave_what_replay_gives(bureau: Any, ministry: Actor) -> None:
    """What is searched once hung on the order in which serials were added: the audit found a difference."""
    made = {"origin": "WAW-1", "destination": "KYIV-1", "recipient": "acc_ministry"}
    bureau.do(bureau.logistics, "shipment.create", reference="SL-0001", new_id="shp_1", **made)
    for serial in reversed(SERIALS):
        bureau.do(bureau.logistics, "shipment.add-lines", "shp_1", lines=lines(serial))
    bureau.do(bureau.logistics, "shipment.cancel", "shp_1")
    assert bureau.store.verify().valid


@pytest.mark.parametrize("field", ["recipient", "request", "region"])
def test_what_a_consignment_names_is_there(bureau: Any, ministry: Actor, field: str) -> None:
    made = {"origin": "WAW-1", "destination": "KYIV-1", "recipient": "acc_ministry", "reference": "SL-0001"}
    made[field] = {"recipient": "acc_x", "request": "req_x", "region": "rgn_x"}[field]
    with pytest.raises(Refused, match="there is none"):
        bureau.do(bureau.logistics, "shipment.create", **made)


def test_a_region_is_reached_by_its_own_people_alone(bureau: Any, ministry: Actor) -> None:
    polish = Actor("per_pl", grants=(Grant(Role.LOGISTICS, ("rgn_pl",)),))
    ship = sent(bureau)
    with pytest.raises(Forbidden):
        bureau.do(polish, "shipment.arrive", ship)


def test_a_tracking_number_is_of_one_consignment(bureau: Any, ministry: Actor) -> None:
    made = {"origin": "WAW-1", "destination": "KYIV-1", "recipient": "acc_ministry", "reference": "SL-0001"}
    bureau.do(bureau.logistics, "shipment.create", **made)
    with pytest.raises(Conflict, match="reference"):
        bureau.do(bureau.logistics, "shipment.create", **made)


# --- where pieces are: the states of consignments against the fold of all their events

PLACES = ("WAW-1", "LVIV-2", "KYIV-1")


class World:
    """Consignments one after another, as people would run them; nothing is packed that is elsewhere."""

    def __init__(self) -> None:
        self.shipments: list[Shipment] = []
        self.events: list[Event] = []
        self.at = 0

    def do(self, number: int, function: Any, *arguments: Any) -> bool:
        self.at += 1
        shipment = self.shipments[number]
        try:
            events = function(shipment, Who(InstantUs(self.at), "per_1"), *arguments)
        except Refused:
            return False
        for event in events:
            shipment = ROOM.apply(shipment, event)
        self.shipments[number] = shipment
        self.events += events
        return True

    def send(self, draw: Any) -> None:
        number = len(self.shipments)
        self.shipments.append(Shipment(f"shp_{number}"))
        origin, to = draw(st.permutations(PLACES))[:2]
        chosen = draw(st.lists(st.sampled_from(SERIALS), min_size=1, unique=True))
        goods = [Line(PRODUCT, 1, serial) for serial in chosen]
        self.do(number, decide.drafted, f"SL-{number:04}", decide.Route(origin, to, "acc_1"))
        self.do(number, decide.lines_added, goods)
        if unpackable(stock_at(self.events, self.at), origin, goods):
            return
        self.do(number, decide.packed)
        self.do(number, decide.leg_planned, origin, to, "DHL-PL")
        end = draw(
            st.sampled_from(("packed", "cancelled", "unpacked", "way", "lost", "found", "back", "there"))
        )
        if end in ("cancelled", "unpacked"):
            self.do(number, getattr(decide, end))
            return
        if end == "packed":
            return
        self.do(number, decide.leg_departed)
        if end in ("lost", "found"):
            self.do(number, decide.lost)
        if end == "found":
            self.do(number, decide.found)
        if end == "back":
            self.do(number, decide.turned_back, "acc_1")
            self.do(number, decide.leg_planned, to, origin, "DHL-PL")
            self.do(number, decide.leg_departed)
        if end in ("back", "there"):
            self.do(number, decide.leg_arrived)
            self.unpack(number, goods, draw)

    def unpack(self, number: int, goods: list[Line], draw: Any) -> None:
        sound = [line for line in goods if draw(st.booleans())]
        hurt = [line for line in goods if line not in sound and draw(st.booleans())]
        if sound or hurt:
            self.do(number, receive.received, sound, hurt)
        if draw(st.booleans()):
            self.do(number, receive.completed)
        for open_one in self.shipments[number].open_discrepancies():
            if draw(st.booleans()):
                way = draw(st.sampled_from(RESOLUTIONS[open_one.kind]))
                self.do(number, receive.resolved, open_one.number, way, "note 1")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_where_pieces_are_by_states_is_what_the_fold_of_events_says(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 6))):
        world.send(data.draw)
    folded = stock_at(world.events, world.at).where
    told = whereabouts(world.shipments, SERIALS).where
    elsewhere = {serial: piece for serial, piece in told.items() if serial in folded}
    assert set(told) <= set(folded)
    assert {s: p.place for s, p in elsewhere.items()} == {s: folded[s].place for s in elsewhere}
    # What it does not tell was never moved for good: unpacked or cancelled where it began.
    for serial in set(folded) - set(told):
        assert folded[serial].place.code in PLACES
