"""Consignments: every step and every hole, the ways that really happen, and what no sequence can bring
about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.shipment import decide, receive
from skylift.service.shipment.decide import Route
from skylift.service.shipment.events import RESOLUTIONS, Kind, Line, PaperState, Resolution
from skylift.service.shipment.goods import Goods, checked
from skylift.service.shipment.state import CYCLE, LABELS, ROOM, Shipment, ShipmentState, label

S = 1_000_000
A, B, C = (Line("DISH-GEN2", 1, f"KIT0000000{n}") for n in range(3))
OTHER = Line("DISH-GEN2", 1, "KIT00000099")
CABLES = Line("CABLE-20M", 10)
ROUTE = Route("WAW-1", "KYIV-1", "acc_ministry", "req_1", "rgn_ua")


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", ShipmentState)
def test_every_step_is_allowed_or_explained(state: ShipmentState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("shp_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one") as refusal:
            CYCLE.after("shp_1", state, event)
        assert refusal.value.code == "shipment.wrong-state"


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(ShipmentState) == set(LABELS)
    assert len({label(state) for state in ShipmentState}) == len(ShipmentState)


class Story:
    """A consignment and the events that made it so; each decision comes one second after the one before."""

    def __init__(self, id: str = "shp_1") -> None:
        self.shipment = Shipment(id)
        self.events: list[Event] = []
        self.at = 0

    def __call__(self, function: Callable[..., tuple[Event, ...]], *arguments: Any) -> Story:
        self.at += S
        for event in function(self.shipment, self.who, *arguments):
            self.shipment = ROOM.apply(self.shipment, event)
            self.events.append(event)
        return self

    @property
    def who(self) -> Who:
        return Who(InstantUs(self.at), "per_1")

    @property
    def state(self) -> ShipmentState:
        return self.shipment.state

    def refused(self, match: str, function: Callable[..., tuple[Event, ...]], *arguments: Any) -> None:
        with pytest.raises(Refused, match=match):
            function(self.shipment, self.who, *arguments)


def drafted() -> Story:
    return Story()(decide.drafted, "SL-0001", ROUTE)(decide.lines_added, [A, B, C, CABLES])


def under_way() -> Story:
    story = drafted()(decide.leg_planned, "WAW-1", "LVIV-2", "DHL-PL")
    story(decide.leg_planned, "LVIV-2", "KYIV-1", "NOVA-POSHTA")
    return story(decide.packed)(decide.leg_departed)


def arrived() -> Story:
    return under_way()(decide.leg_arrived)(decide.leg_departed)(decide.leg_arrived)


def test_the_way_of_a_consignment() -> None:
    story = under_way()
    story(decide.paper_set, "MRN 22UA1", "UA", PaperState.FILED)(decide.customs_entered, "UA")
    story.refused("no customs paper of UA was accepted", decide.customs_left)
    story(decide.paper_set, "MRN 22UA1", "UA", PaperState.ACCEPTED)(decide.customs_left)
    story(decide.leg_arrived)
    assert story.state is ShipmentState.UNDER_WAY
    story(decide.leg_departed)(decide.leg_arrived)
    assert story.state is ShipmentState.ARRIVED
    story(receive.received, [A, B], [])(receive.received, [C, Line("CABLE-20M", 4)])
    story(receive.received, [Line("CABLE-20M", 6)])(receive.completed)
    assert story.shipment.discrepancies == ()
    story.refused("a proof of delivery and the recipient's confirmation", receive.closed)
    story(receive.proof_given, "CMR 118")
    story.refused("its recipient confirms", receive.confirmed, "acc_other")
    story(receive.confirmed, "acc_ministry")(receive.closed)
    assert story.state is ShipmentState.CLOSED
    facets = ROOM.facets(story.shipment)
    assert facets.keys == {"reference": "SL-0001"}
    assert (facets.status, facets.owner, facets.region) == ("closed", "acc_ministry", "rgn_ua")
    assert {"kit00000000", "nova-poshta", "waw-1"} <= set(facets.words)
    assert ROOM.at_a_glance(story.shipment) == replace(facets, keys={}, words=())


def test_said_twice_changes_nothing() -> None:
    story = arrived()(receive.completed)(receive.proof_given, "CMR 118")(receive.confirmed, "acc_ministry")
    assert receive.proof_given(story.shipment, story.who, "CMR 118") == ()
    assert receive.confirmed(story.shipment, story.who, "acc_ministry") == ()
    assert decide.legs_dropped(under_way()(decide.legs_dropped).shipment, story.who) == ()


# --- what is in it


def test_lines_are_added_and_removed_while_it_is_a_draft() -> None:
    story = drafted()
    story.refused("already", decide.lines_added, [A])
    story.refused("not in the consignment", decide.lines_removed, [OTHER])
    story.refused("not in the consignment", decide.lines_removed, [Line("CABLE-20M", 11)])
    story(decide.lines_removed, [A, Line("CABLE-20M", 4)])
    assert story.shipment.goods.lines() == (B, C, Line("CABLE-20M", 6))
    story(decide.packed)
    story.refused("cannot be lines added", decide.lines_added, [A])
    story(decide.unpacked)(decide.lines_added, [A])
    story(decide.cancelled)
    assert story.state is ShipmentState.CANCELLED


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "shipment.lines"),
        ([A, A], "shipment.serial"),
        ([Line("DISH-GEN2", 2, "KIT00000001")], "shipment.quantity"),
        ([Line("DISH-GEN2", 0)], "shipment.quantity"),
        ([Line("a dish")], "shipment.product"),
        ([Line("DISH-GEN2", 1, "3184710691")], "shipment.serial"),
    ],
)
def test_lines_that_cannot_be(lines: list[Line], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked(lines)
    assert refusal.value.code == code


def test_every_discrepancy_has_a_way_out() -> None:
    assert set(RESOLUTIONS) == set(Kind)
    assert {way for ways in RESOLUTIONS.values() for way in ways} == set(Resolution)


def test_nothing_is_packed_as_nothing() -> None:
    Story()(decide.drafted, "SL-1001", ROUTE).refused("nothing is in it", decide.packed)


@pytest.mark.parametrize(
    ("route", "field"),
    [
        (Route("WAW-1", "WAW-1", "acc_1"), "destination"),
        (Route("Main street 5", "KYIV-1", "acc_1"), "origin"),
        (Route("WAW-1", "50.45, 30.52", "acc_1"), "destination"),
        (Route("WAW-1", "KYIV-1", "Olena"), "recipient"),
        (Route("WAW-1", "KYIV-1", "acc_1", "call of Olena"), "request"),
    ],
)
def test_places_are_codes_and_people_are_accounts(route: Route, field: str) -> None:
    Story().refused(f"^{field}: it is", decide.drafted, "SL-0001", route)


# --- the way


def test_legs_hang_together() -> None:
    story = drafted()
    story.refused("goes from WAW-1", decide.leg_planned, "LVIV-2", "KYIV-1", "DHL-PL")
    story(decide.leg_planned, "WAW-1", "LVIV-2", "DHL-PL")
    story.refused("goes from LVIV-2", decide.leg_planned, "WAW-1", "KYIV-1", "DHL-PL")
    story(decide.packed)
    story(decide.leg_departed)
    story.refused("arrival first", decide.leg_departed)
    story(decide.leg_arrived)
    story.refused("plan the next leg", decide.leg_departed)
    story.refused("on no leg", decide.leg_arrived)
    story(decide.leg_planned, "LVIV-2", "ODESA-1", "DHL-PL")(decide.legs_dropped)
    story(decide.leg_planned, "LVIV-2", "KYIV-1", "DHL-PL")(decide.leg_departed)(decide.leg_arrived)
    assert story.state is ShipmentState.ARRIVED


def test_a_paper_is_of_one_country() -> None:
    story = under_way()(decide.paper_set, "MRN 1", "UA", PaperState.FILED)
    story.refused("this paper is for UA", decide.paper_set, "MRN 1", "PL", PaperState.FILED)


def test_turned_back_at_the_border_it_goes_home() -> None:
    story = under_way()(decide.customs_entered, "UA")(decide.turned_back, "acc_donor")
    assert (story.state, story.shipment.destination) == (ShipmentState.UNDER_WAY, "WAW-1")
    story.refused("on its way back", decide.turned_back, "acc_donor")
    story(decide.leg_planned, "KORCZOWA", "WAW-1", "DHL-PL")(decide.leg_departed)(decide.leg_arrived)
    assert story.state is ShipmentState.ARRIVED
    story(receive.received, [A, B, C, CABLES])(receive.completed)(receive.proof_given, "CMR 9")
    story(receive.confirmed, "acc_donor")(receive.closed)


def test_what_was_unpacked_does_not_turn_back() -> None:
    arrived()(receive.received, [A]).refused("has been received", decide.turned_back, "acc_donor")
    assert arrived()(decide.turned_back, "acc_donor").state is ShipmentState.UNDER_WAY


def test_a_lost_lorry_is_missing_piece_by_piece_and_may_come_back() -> None:
    story = under_way()(decide.lost)
    assert story.state is ShipmentState.LOST
    assert story.shipment.missing == story.shipment.goods
    story.refused("resolution of 4 discrepancies", receive.closed)
    story.refused("whole consignment is lost", receive.resolved, 1, Resolution.FOUND, "report 1")
    story(receive.resolved, 1, Resolution.WRITTEN_OFF, "report 1")(decide.found)
    assert story.shipment.awaited.lines() == (B, C, CABLES)
    assert story.shipment.open_discrepancies() == ()
    story(decide.leg_arrived)(decide.leg_departed)(decide.leg_arrived)(receive.received, [B, C, CABLES])
    story(receive.completed)
    assert story.shipment.open_discrepancies() == ()


def test_a_lost_lorry_that_stays_lost_is_closed() -> None:
    story = under_way()(decide.lost)
    for number in range(1, 5):
        story(receive.resolved, number, Resolution.WRITTEN_OFF, "report 1")
    story.refused("found or written off", decide.found)
    assert story(receive.closed).state is ShipmentState.CLOSED


# --- arrival


def test_a_damaged_kit_waits_for_its_resolution() -> None:
    story = arrived()(receive.received, [A, C, CABLES], [B])(receive.completed)
    (damaged,) = story.shipment.discrepancies
    assert (damaged.kind, damaged.line, damaged.left) == (Kind.DAMAGED, B, 1)
    assert story.shipment.damaged.lines() == (B,)
    story(receive.proof_given, "CMR 118")(receive.confirmed, "acc_ministry")
    story.refused("resolution of a discrepancy", receive.closed)
    story.refused("cannot be found; it can be repaired", receive.resolved, 1, Resolution.FOUND, "note 1")
    story(receive.resolved, 1, Resolution.REPAIRED, "note 1")(receive.closed)
    assert B in story.shipment.good.lines()


def test_what_does_not_come_is_missing_and_may_turn_up_in_parts() -> None:
    story = arrived()(receive.received, [A, B, C])(receive.completed)(receive.confirmed, "acc_ministry")
    (missing,) = story.shipment.discrepancies
    assert (missing.kind, missing.line) == (Kind.MISSING, CABLES)
    story.refused("10 of it are open", receive.resolved, 1, Resolution.FOUND, "note 1", 11)
    story(receive.resolved, 1, Resolution.FOUND, "note 1", 7)
    assert story.shipment.confirmed_at is None, "more is recorded now than was confirmed"
    story(receive.resolved, 1, Resolution.WRITTEN_OFF, "note 2")
    story.refused("no such one is open", receive.resolved, 1, Resolution.FOUND, "note 3")
    assert story.shipment.good.counts == {"CABLE-20M": 7}
    assert story.shipment.missing == Goods()


def test_surplus_and_another_serial() -> None:
    story = arrived()(receive.received, [A, OTHER, Line("CABLE-20M", 12)])
    assert [(d.kind, d.line) for d in story.shipment.discrepancies] == [
        (Kind.SURPLUS, OTHER),
        (Kind.SURPLUS, Line("CABLE-20M", 2)),
    ]
    story.refused("received before", receive.received, [A])
    story.refused("not awaited any more", receive.swapped, A.serial, OTHER)
    story.refused("not in this consignment", receive.swapped, B.serial, C)
    came = Line("DISH-GEN2", 1, "KIT00000077")
    story(receive.swapped, B.serial, came)
    assert story.shipment.discrepancies[-1].instead == came
    assert story.shipment.missing.lines() == (B,)
    assert came in story.shipment.good.lines()
    story(receive.resolved, 3, Resolution.NOT_SENT, "note 3")
    story(receive.resolved, 1, Resolution.ACCEPTED, "note 1")(
        receive.resolved, 2, Resolution.SENT_BACK, "note 2"
    )
    assert [d.kind for d in story(receive.completed).shipment.open_discrepancies()] == [Kind.MISSING]


def test_a_scanned_box_need_not_name_its_product() -> None:
    story = arrived()(receive.received, [Line("UNKNOWN", 1, A.serial)], [Line("UNKNOWN", 1, B.serial)])
    assert story.shipment.good.serials == {A.serial: "DISH-GEN2"}
    assert story.shipment.damaged.serials == {B.serial: "DISH-GEN2"}


def test_what_is_noticed_later_asks_for_a_new_confirmation() -> None:
    story = arrived()(receive.received, [A, B, C, CABLES])(receive.completed)(
        receive.confirmed, "acc_ministry"
    )
    story.refused("not received sound", receive.noticed, Kind.DAMAGED, OTHER)
    story.refused("while the boxes are opened", receive.noticed, Kind.WRONG_SERIAL, A)
    story.refused("is in this consignment", receive.noticed, Kind.SURPLUS, A)
    story(receive.noticed, Kind.DAMAGED, A)
    assert story.shipment.confirmed_at is None
    story(receive.noticed, Kind.MISSING, Line("CABLE-20M", 3))(receive.noticed, Kind.SURPLUS, OTHER)
    assert story.shipment.good.counts == {"CABLE-20M": 7}
    assert len(story.shipment.open_discrepancies()) == 3


# --- any sequence

THREE, TEN = Line("CABLE-20M", 3), Line("CABLE-20M", 10)
ACTS: list[tuple[Any, ...]] = [
    (decide.drafted, "SL-0001", ROUTE),
    *((decide.lines_added, lines) for lines in ([A], [B, C], [A, THREE], [TEN])),
    *((decide.lines_removed, lines) for lines in ([A], [THREE], [C, TEN])),
    (decide.leg_planned, "WAW-1", "KYIV-1", "DHL-PL"),
    (decide.leg_planned, "KYIV-1", "WAW-1", "DHL-PL"),
    (decide.legs_dropped,),
    (decide.packed,),
    (decide.unpacked,),
    (decide.cancelled,),
    (decide.leg_departed,),
    (decide.leg_arrived,),
    (decide.paper_set, "MRN 1", "UA", PaperState.ACCEPTED),
    (decide.customs_entered, "UA"),
    (decide.customs_left,),
    (decide.turned_back, "acc_donor"),
    (decide.lost,),
    (decide.found,),
    *((receive.received, lines, []) for lines in ([A], [B, TEN], [C, OTHER], [THREE])),
    *((receive.received, [], lines) for lines in ([A], [THREE], [OTHER, TEN])),
    (receive.swapped, A.serial, OTHER),
    (receive.swapped, B.serial, C),
    *((receive.noticed, kind, line) for kind in Kind for line in (A, OTHER, Line("CABLE-20M", 2))),
    (receive.completed,),
    (receive.proof_given, "CMR 1"),
    (receive.confirmed, "acc_ministry"),
    (receive.confirmed, "acc_donor"),
    (receive.closed,),
]


def _possible(story: Story) -> list[tuple[Any, ...]]:
    """Every decision that does something to the consignment as it is; the others are refused."""
    open_ones = story.shipment.open_discrepancies()
    ends = [
        (receive.resolved, d.number, way, "note 1", quantity)
        for d in open_ones
        for way in Resolution
        for quantity in (None, 1)
    ]
    found = []
    for function, *arguments in [*ACTS, *ends]:
        try:
            if function(story.shipment, story.who, *arguments):
                found.append((function, *arguments))
        except Refused as refusal:
            refused_as = refusal.code
        else:
            continue
        assert refused_as.startswith("shipment.")
    return found


TO_THE_DOOR: list[tuple[Any, ...]] = [
    (decide.drafted, "SL-0001", ROUTE),
    (decide.lines_added, [A, B, C, CABLES]),
    (decide.leg_planned, "WAW-1", "KYIV-1", "DHL-PL"),
    (decide.packed,),
    (decide.leg_departed,),
    (decide.leg_arrived,),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([0, 2, 4, 6, 6, 6]), st.lists(st.integers(0, 2**16), min_size=10, max_size=25))
def test_no_sequence_loses_goods_or_closes_what_is_open(begun: int, choices: list[int]) -> None:
    story = Story()
    for act in TO_THE_DOOR[:begun]:
        story(*act)
    for choice in choices:
        acts = _possible(story)
        if not acts:
            assert story.state in (ShipmentState.CLOSED, ShipmentState.CANCELLED)
            break
        story(*acts[choice % len(acts)])
        _check(story)
    assert ROOM.replayed("shp_1", tuple(story.events)) == story.shipment
    assert ROOM.from_plain(ROOM.to_plain(story.shipment)) == story.shipment
    types = EventTypes(ROOM.events)
    for event in story.events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event


def _check(story: Story) -> None:
    shipment = story.shipment
    if shipment.state in (ShipmentState.UNKNOWN, ShipmentState.DRAFT, ShipmentState.CANCELLED):
        assert len(shipment.awaited) == len(shipment.good) == 0
        return
    surplus = sum(d.line.quantity for d in shipment.discrepancies if d.kind is Kind.SURPLUS)
    surplus += sum(d.instead is not None for d in shipment.discrepancies)
    gone = sum(
        getattr(event, "line").quantity  # noqa: B009
        for event in story.events
        if getattr(event, "resolution", None) in (Resolution.WRITTEN_OFF, Resolution.NOT_SENT)
    )
    heaps = (shipment.awaited, shipment.good, shipment.damaged, shipment.missing)
    assert sum(map(len, heaps)) + gone == len(shipment.goods) + surplus
    serials = [serial for heap in heaps for serial in heap.serials]
    assert len(serials) == len(set(serials)), "a piece is in one heap"
    waiting = {Kind.MISSING, Kind.WRONG_SERIAL}
    assert len(shipment.missing) == sum(d.left for d in shipment.open_discrepancies() if d.kind in waiting)
    if shipment.state is ShipmentState.CLOSED:
        assert not shipment.open_discrepancies()
        assert len(shipment.awaited) == len(shipment.missing) == 0
    if shipment.confirmed_at is not None:
        names = [event.NAME for event in story.events]
        after = names[len(names) - names[::-1].index("shipment.receipt-confirmed/1") :]
        assert "shipment.discrepancy-raised/1" not in after
