"""Regions: every step and every hole of the table, and what no sequence of steps can bring about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs
from skylift.service.region import decide
from skylift.service.region.events import (
    CHAIN,
    CellMode,
    CellsSet,
    Limits,
    Paper,
    RegionActivated,
)
from skylift.service.region.state import CYCLE, ROOM, Region, RegionState, label

DAY_US = 86_400_000_000
WHO = Who(InstantUs(1_000), "acc_minister")
CELLS = ("851e5227fffffff", "851e5237fffffff")


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", RegionState)
def test_every_step_is_allowed_or_explained(state: RegionState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("rgn_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one") as refusal:
            CYCLE.after("rgn_1", state, event)
        assert refusal.value.code == "region.wrong-state"


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(RegionState)
    assert len({label(state) for state in RegionState}) == len(RegionState)


def through(*steps: tuple[object, ...]) -> Region:
    """A region after decisions, each with its arguments, one second apart."""
    region = Region("rgn_1")
    for number, (function, *arguments) in enumerate(steps):
        who = Who(InstantUs(1_000 + number), "acc_minister")
        for event in function(region, who, *arguments):  # type: ignore[operator]
            region = ROOM.apply(region, event)
    return region


OPENED = (decide.opened, "UA", "Ukraine", CELLS)
TEMPORARY = (decide.granted, Paper.TEMPORARY, "the regulator", "decision 1", (0, 30 * DAY_US))


def test_a_temporary_authorisation_is_enough_until_it_expires() -> None:
    region = through(OPENED, (decide.requested,), TEMPORARY)
    (activated,) = decide.activated(region, WHO, "apr_1")
    assert ROOM.apply(region, activated).state is RegionState.ACTIVE
    with pytest.raises(Refused, match="it lacks landing-right, spectrum"):
        decide.activated(region, Who(InstantUs(30 * DAY_US), "acc_minister"), "apr_1")


@pytest.mark.parametrize("left_out", CHAIN)
def test_the_whole_chain_of_papers_is_needed(left_out: Paper) -> None:
    grants = [
        (decide.granted, p, "the regulator", f"licence {p.value}", (0, DAY_US))
        for p in CHAIN
        if p != left_out
    ]
    with pytest.raises(Refused, match=f"it lacks {left_out.value};"):
        decide.activated(through(OPENED, *grants), WHO, "apr_1")
    last = (decide.granted, left_out, "the regulator", "the last", (0, DAY_US))
    assert decide.activated(through(OPENED, *grants, last), WHO, "apr_1")


@pytest.mark.parametrize(
    ("paper", "validity", "code"),
    [
        (Paper.SPECTRUM, (5, 5), "region.validity"),
        (Paper.SPECTRUM, (-5, 10**12), "region.validity"),
        (Paper.SPECTRUM, (0, 10**18), "region.validity"),
        (Paper.SPECTRUM, (0, 900), "region.expired"),
        (Paper.TEMPORARY, (0, 181 * DAY_US), "region.too-long"),
    ],
)
def test_papers_that_cannot_be(paper: Paper, validity: tuple[int, int], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        decide.granted(through(OPENED), WHO, paper, "the regulator", "document", validity)
    assert refusal.value.code == code


def test_cells_are_set_removed_and_refused() -> None:
    limits = Limits(allow_list_only=True, speed_cap_bps=5e6, hours_utc=(6, 7))
    region = through(
        OPENED,
        (decide.cells_set, CELLS[:1], CellMode.RESTRICTED, limits, "apr_1"),
        (decide.cells_removed, CELLS[1:], "apr_2"),
    )
    assert {cell: region.cells[cell].limits for cell in region.cells} == {CELLS[0]: limits}
    with pytest.raises(Refused, match="does not belong"):
        decide.cells_removed(region, WHO, CELLS[1:], "apr_3")
    for bad in (Limits(hours_utc=(24,)), Limits(speed_cap_bps=0.0), Limits(speed_cap_bps=float("nan"))):
        with pytest.raises(Refused):
            decide.cells_set(region, WHO, CELLS, CellMode.RESTRICTED, bad, "apr_1")
    with pytest.raises(Refused, match="only restricted"):
        decide.cells_set(region, WHO, CELLS, CellMode.ENABLED, limits, "apr_1")


DECISIONS = st.sampled_from(
    [
        OPENED,
        (decide.requested,),
        TEMPORARY,
        (decide.granted, Paper.SPECTRUM, "the regulator", "licence 2", (0, DAY_US)),
        (decide.revoked, Paper.TEMPORARY, "the regulator", "no longer needed"),
        (decide.refused, "the regulator", "not now"),
        (decide.activated, "apr_1"),
        (decide.suspended, "repairs", "apr_2"),
        (decide.prohibited, "the council", "sanction"),
        (decide.lifted, "the council", "sanction ended"),
        (decide.cells_set, CELLS, CellMode.ENABLED, None, "apr_3"),
        (decide.cells_removed, CELLS[:1], "apr_4"),
    ]
)


@given(st.lists(DECISIONS, max_size=30))
def test_no_region_is_switched_on_without_papers_and_replay_gives_the_same(
    decisions: list[tuple[object, ...]],
) -> None:
    region, events = Region("rgn_1"), []
    for number, (function, *arguments) in enumerate(decisions):
        who = Who(InstantUs(1_000 + number), "acc_1")
        try:
            new = function(region, who, *arguments)  # type: ignore[operator]
        except Refused:
            continue
        for event in new:
            if isinstance(event, RegionActivated):
                assert not region.missing_papers(event.at)
            region = ROOM.apply(region, event)
            events.append(event)
    assert ROOM.replayed("rgn_1", tuple(events)) == region
    # What is stored gives back what was stored.
    assert ROOM.from_plain(ROOM.to_plain(region)) == region
    types = EventTypes(ROOM.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event


def test_an_event_of_a_later_version_is_refused() -> None:
    with pytest.raises(Refused, match="a later one"):
        EventTypes([CellsSet]).read("region.cells-set/2", {}, {})


@pytest.mark.parametrize(
    "cell", ["zzz", "Olena Petrenko, at home", "", "841e639ffffffff", "861e63877ffffff", "8a1e63870007fff"]
)
def test_a_region_has_whole_cells_of_one_resolution(cell: str) -> None:
    for act in (
        lambda: decide.opened(Region("rgn_2"), WHO, "UA", "Ukraine", [*CELLS, cell]),
        lambda: decide.cells_set(through(OPENED), WHO, [cell], CellMode.ENABLED, None, "apr_1"),
    ):
        with pytest.raises(Refused, match="resolution 5") as refusal:
            act()
        assert refusal.value.code == "region.cell"
        assert not cell or cell not in str(refusal.value)
