"""The twin in small worlds made by hand: why terminals are down, what happens when, what is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from skylift.base.geodesy import Place
from skylift.base.ids import GatewayId, PopId, TerminalId
from skylift.base.instants import parse_instant
from skylift.base.link import LinkTable, WhyDown
from skylift.sky.coverage.sites import AntennaModel
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms
from skylift.sky.routing.grid import plus_grid
from skylift.sky.routing.ground import Gateway, GroundSegment, Pop
from skylift.sky.routing.lasers import LaserRules
from skylift.twin.look import Sky
from skylift.twin.tick import Twin
from skylift.twin.world import Failure, LaserPlan, Period, ServicePeriod, Terminal, Timeline, World

START_US = int(parse_instant("2024-03-01T10:00:00Z"))
SLOT_US = 15_000_000
# 72 x 18 satellites at 550 km, as flown: some ten above 25 degrees at 50 degrees of latitude.
SHELL = Shell("test", 72, 18, 550e3, 53.0, 45)
WIDE = AntennaModel("wide", "test")
NORTH = AntennaModel("round", "test", 25.0, 24.0, 0.0, 50.0, 18.0)


def gateway(name: str, latitude_deg: float, longitude_deg: float, antennas: int = 8) -> Gateway:
    return Gateway(GatewayId(name), name, Place(latitude_deg, longitude_deg), antennas, 25.0, "test", 1000.0)


def terminal(name: str, latitude_deg: float, longitude_deg: float, antenna: AntennaModel = WIDE) -> Terminal:
    return Terminal(TerminalId(name), Place(latitude_deg, longitude_deg), antenna, 0)


def world(terminals: Sequence[Terminal], timeline: Timeline | None = None, **changes: Any) -> World:
    """Gateways in Poland and Lithuania, a PoP in Frankfurt; without a timeline everybody is served."""
    everybody = Timeline((ServicePeriod(Period(), tuple(range(len(terminals)))),))
    ground = GroundSegment(
        (gateway("pl", 51.9, 20.9), gateway("lt", 54.9, 23.9)),
        (Pop(PopId("fra"), "Frankfurt", Place(50.1, 8.7), "test", 1000.0),),
    )
    parts: dict[str, Any] = {
        "catalogue": generate([SHELL], START_US),
        "terminals": tuple(terminals),
        "ground": ground,
        "timeline": timeline or everybody,
        "gateway_antenna": WIDE,
        "delay": DelayTerms(),
    }
    return World(**(parts | changes))


def run(w: World, minutes: float, start_us: int = START_US) -> list[tuple[Sky, LinkTable]]:
    return list(Twin(w).links(start_us, start_us + round(minutes * 60e6)))


def whys(slots: Sequence[tuple[Sky, LinkTable]], row: int) -> set[WhyDown]:
    return {WhyDown(int(links.why_down[row])) for _, links in slots}


def test_every_reason_to_be_down() -> None:
    """One terminal for each reason, all in the same slots."""
    terminals = [
        terminal("up", 50.0, 25.0),
        terminal("pole", 89.0, 0.0),
        # Looks at the horizon in the north through a keyhole; what is above 25 degrees never stands there.
        terminal("walled", 50.0, 25.0, AntennaModel("keyhole", "test", 25.0, 85.0, 0.0, 5.0)),
        # At the equator everything is within 70 degrees of an arc that passes overhead.
        terminal("arc", 0.0, 25.0, AntennaModel("shy", "test", 25.0, 0.0, 0.0, 90.0, 70.0)),
        terminal("far", 10.0, -150.0),
        terminal("barred", 50.0, 25.1),
    ]
    service = Timeline((ServicePeriod(Period(), (0, 1, 2, 3, 4)),))
    slots = run(world(terminals, service), 10.0)
    assert len(slots) == 40
    assert whys(slots, 0) == {WhyDown.UP}
    assert whys(slots, 1) == {WhyDown.NO_SATELLITE}
    assert whys(slots, 2) == {WhyDown.OBSTRUCTED}
    assert whys(slots, 3) == {WhyDown.GEO_ARC}
    assert whys(slots, 4) == {WhyDown.NO_GATEWAY}
    assert whys(slots, 5) == {WhyDown.REGION_NOT_ACTIVE}
    for _, links in slots:
        down = links.why_down != WhyDown.UP
        assert (links.satellite[down] == -1).all()
        assert (links.gateway[down] == -1).all()
        assert np.isnan(links.delay_up_us[down]).all()
        assert not links.handover[down].any()


def test_no_ephemeris_is_not_no_satellite() -> None:
    """A catalogue of which nothing flies any more (60 km) is the catalogue's fault, not the sky's."""
    w = world([terminal("a", 50.0, 25.0), terminal("b", 50.0, 26.0)])
    low = (398_600.8e9 / (6_378_135.0 + 60e3) ** 3) ** 0.5
    slow = np.full(len(w.catalogue), low)
    w = replace(
        w,
        catalogue=replace(w.catalogue, mean_motion_rad_per_s=slow),
        timeline=Timeline((ServicePeriod(Period(), (0,)),)),
    )
    slots = run(w, 2.0)
    assert whys(slots, 0) == {WhyDown.NO_EPHEMERIS}
    assert whys(slots, 1) == {WhyDown.REGION_NOT_ACTIVE}
    assert not slots[0][0].any_valid


def test_service_counts_from_the_slot_that_begins_after_it() -> None:
    on, off = START_US + 100_000_000, START_US + 400_000_000
    slots = run(world([terminal("a", 50.0, 25.0)], Timeline((ServicePeriod(Period(on, off), (0,)),))), 10.0)
    for _, links in slots:
        expected = WhyDown.UP if on <= links.at_us < off else WhyDown.REGION_NOT_ACTIVE
        assert links.why_down[0] == expected


def test_a_gateway_fails_and_comes_back_within_a_slot() -> None:
    """The failure begins and ends in the middle of slots: those slots are lost, their neighbours are not."""
    failed, back = START_US + 120_000_000, START_US + 300_000_000
    one = (gateway("pl", 51.9, 20.9),)
    w = world([terminal("a", 50.0, 25.0)])
    w = replace(
        w,
        ground=replace(w.ground, gateways=one),
        timeline=replace(w.timeline, failures=(Failure(Period(failed, back), gateways=(0,)),)),
    )
    for _, links in run(w, 10.0):
        touched = links.at_us < back and links.at_us + SLOT_US > failed
        assert links.why_down[0] == (WhyDown.NO_GATEWAY if touched else WhyDown.UP)


def test_a_failed_gateway_is_not_used_and_the_other_takes_over() -> None:
    terminals = [terminal(f"t{i}", 48.0 + i, 22.0 + 2 * i) for i in range(6)]
    w = world(terminals)
    w = replace(w, timeline=replace(w.timeline, failures=(Failure(Period(START_US), gateways=(0,)),)))
    used = {int(g) for _, links in run(w, 10.0) for g in links.gateway}
    assert used <= {1, -1}
    assert 1 in used
    whole = {int(g) for _, links in run(world(terminals), 10.0) for g in links.gateway}
    assert 0 in whole


def test_failed_satellites_are_not_used() -> None:
    terminals = [terminal("a", 50.0, 25.0), terminal("b", 52.0, 22.0, NORTH)]
    used = {int(s) for _, links in run(world(terminals), 10.0) for s in links.satellite if s >= 0}
    half = tuple(sorted(used)[::2])
    w = world(terminals)
    w = replace(w, timeline=replace(w.timeline, failures=(Failure(Period(), satellites=half),)))
    again = {int(s) for _, links in run(w, 10.0) for s in links.satellite if s >= 0}
    assert len(half) > 2
    assert again
    assert not again & set(half)


@pytest.mark.parametrize("mode", ["plus-grid", "as-flown"])
def test_lasers_reach_far_and_fail(mode: str) -> None:
    """From the Pacific no satellite sees Poland: with lasers it does; where all lasers fail, it does not."""
    plan = LaserPlan(LaserRules(), plus_grid([SHELL]) if mode == "plus-grid" else None)
    w = world([terminal("far", 10.0, -150.0), terminal("near", 51.0, 22.0)], lasers=plan)
    slots = run(w, 5.0)
    assert whys(slots, 0) == {WhyDown.UP}
    hops = [len(links.path_of(0)) for _, links in slots]
    assert min(hops) >= 3
    gone = {int(s) for _, links in slots for s in links.path_of(0)[1:-1]}
    some = replace(w, timeline=replace(w.timeline, failures=(Failure(Period(), lasers=tuple(gone)),)))
    for _, links in run(some, 5.0):
        assert not gone & set(links.path_of(0)[1:-1].tolist())
    everything = tuple(range(len(w.catalogue)))
    dark = replace(w, timeline=replace(w.timeline, failures=(Failure(Period(), lasers=everything),)))
    slots = run(dark, 5.0)
    assert whys(slots, 0) == {WhyDown.NO_GATEWAY}
    # Bent-pipe goes on: the satellites themselves work.
    assert whys(slots, 1) == {WhyDown.UP}


def test_one_antenna_carries_one_satellite() -> None:
    """Dishes far apart, one antenna in all: whoever is up shares the one satellite that it tracks."""
    terminals = [terminal(f"t{i}", 45.0 + 2 * i, 15.0 + 3 * i) for i in range(6)]
    w = world(terminals)
    w = replace(w, ground=replace(w.ground, gateways=(gateway("pl", 51.9, 20.9, antennas=1),)))
    slots = run(w, 10.0)
    for _, links in slots:
        assert len({int(s) for s in links.satellite if s >= 0}) <= 1
    assert any(WhyDown.NO_GATEWAY in whys(slots, m) for m in range(6))


def test_delay_is_its_parts() -> None:
    w = world([terminal("a", 50.0, 25.0)])
    terms = w.delay
    for _, links in run(w, 5.0):
        light_and_fibre = links.propagation_us + links.fibre_us
        assert links.delay_up_us - light_and_fibre == pytest.approx(
            terms.access_up_us + terms.processing_up_us
        )
        assert links.delay_down_us - light_and_fibre == pytest.approx(
            terms.access_down_us + terms.processing_down_us
        )
        # Over one satellite at 550 km, both legs above 25 degrees: 2 x 550 km to 2 x 1,150 km.
        assert 2 * 1_800 < links.propagation_us[0] < 2 * 3_850


def test_sticky_hands_over_less_than_the_others() -> None:
    terminals = [terminal(f"t{i}", 46.0 + i, 20.0 + 2 * i) for i in range(8)]

    def handovers(policy: str) -> int:
        slots = run(world(terminals, policy=policy), 15.0)
        assert all(whys(slots, m) == {WhyDown.UP} for m in range(8))
        return sum(int(links.handover.sum()) for _, links in slots)

    sticky = handovers("sticky")
    assert 0 < sticky < handovers("highest-elevation")
    assert sticky < handovers("lowest-delay")


def test_a_handover_is_another_satellite_than_before() -> None:
    slots = run(world([terminal("a", 50.0, 25.0), terminal("b", 44.0, 33.0, NORTH)]), 14.0)
    before = slots[0][1].satellite
    for _, links in slots[1:]:
        expected = (links.satellite >= 0) & (before >= 0) & (links.satellite != before)
        assert links.handover.tolist() == expected.tolist()
        before = links.satellite


@pytest.mark.parametrize("lasers", [None, LaserPlan(LaserRules())])
def test_links_do_not_depend_on_where_a_run_began(lasers: LaserPlan | None) -> None:
    """Begun inside a memory window, and looked at in other portions, the slots are the same to the bit."""
    w = world(
        [terminal("a", 50.0, 25.0), terminal("b", 44.0, 33.0, NORTH), terminal("c", -30.0, 25.0)],
        lasers=lasers,
    )
    whole = {links.at_us: links for _, links in run(w, 40.0)}
    part = run(w, 9.0, START_US + 23 * 60_000_000 + 7_000_000)
    assert len(part) == 36
    for _, links in part:
        other = whole[links.at_us]
        for name in LinkTable.__dataclass_fields__:
            if name != "at_us":
                np.testing.assert_array_equal(getattr(links, name), getattr(other, name), err_msg=name)


def test_the_far_terminal_never_takes_a_relay_through_another_dish() -> None:
    """Two dishes between which only a third could relay: bent-pipe, so the far one stays down."""
    slots = run(
        world([terminal("near", 50.0, 25.0), terminal("between", 30.0, 40.0), terminal("far", 5.0, 60.0)]),
        5.0,
    )
    assert whys(slots, 0) == {WhyDown.UP}
    assert whys(slots, 2) == {WhyDown.NO_GATEWAY}
