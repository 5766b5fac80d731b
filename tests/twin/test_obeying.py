"""What the sky is told, and what it makes of it: nobody is served whom permission does not allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.antennas import packaged_antenna, packaged_antennas
from skylift.adapters.gateways_file import packaged_ground_segment
from skylift.base.geodesy import Place
from skylift.base.ids import TerminalId
from skylift.base.instants import InstantUs
from skylift.base.link import WhyDown
from skylift.service.account.account import Account, AccountState
from skylift.service.account.plan import Plan, PlanState
from skylift.service.permission.decision import HOUR_US, Permissions
from skylift.service.region.events import CellMode, Limits, Paper
from skylift.service.region.state import Cell, Granted, Region, RegionState
from skylift.service.terminal.events import Basis, Mobility, Network
from skylift.service.terminal.state import Terminal, TerminalState, Verified
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms
from skylift.twin.office.known import Known
from skylift.twin.office.obeying import Feed
from skylift.twin.permit import NOT_KNOWN, OFFICE_SILENT, Permit, Serve
from skylift.twin.roster import SILENT_FOR_US, Antennas, Roster
from skylift.twin.tick import Twin
from skylift.twin.world import Asks, Period, ServicePeriod, Timeline, World
from skylift.twin.world import Terminal as Site

HERE, THERE, NOWHERE = "851e5227fffffff", "851e5237fffffff", "851f1d4bfffffff"
SLOT_US = 15_000_000
AT = 1_700_000_007_000_000 // SLOT_US * SLOT_US + 12_000_000
TOWNS = {"town": Place(49.3, 25.1), "barred": Place(46.9, 32.2)}
ANTENNAS = Antennas(packaged_antennas(), packaged_antenna("starlink-standard-v2"))


def make_world() -> World:
    terminals = tuple(Site(TerminalId(name), place, ANTENNAS.otherwise, 0) for name, place in TOWNS.items())
    return World(
        generate([Shell("s", 36, 20, 550e3, 53.0, 11.0)], AT),
        terminals,
        packaged_ground_segment(AT),
        Timeline((ServicePeriod(Period(), (0,)),)),
        packaged_antenna("starlink-gateway"),
        DelayTerms(),
        memory_us=2 * 60 * 1_000_000,
    )


WORLD = make_world()

# --- random stores

TERMINALS = [f"trm_{i}" for i in range(4)]
ACCOUNTS = ["acc_1", "acc_2"]
CELLS = st.sampled_from([HERE, THERE, NOWHERE])
LIMITS = st.builds(
    Limits, st.booleans(), st.sampled_from([None, 1e6]), st.booleans(), st.sampled_from([(), (10,), (9, 11)])
)


def a_cell() -> st.SearchStrategy[Cell]:
    return st.one_of(
        st.just(Cell(CellMode.ENABLED)),
        st.builds(Cell, st.sampled_from(CellMode), LIMITS).map(
            lambda c: c if c.mode is CellMode.RESTRICTED else Cell(c.mode)
        ),
    )


def a_paper() -> st.SearchStrategy[Granted]:
    return st.tuples(st.integers(0, 14), st.integers(1, 14)).map(
        lambda span: Granted("a", "d 1", InstantUs(span[0] * HOUR_US), InstantUs(sum(span) * HOUR_US))
    )


REGIONS = st.builds(
    Region,
    id=st.sampled_from(["rgn_1", "rgn_2"]),
    state=st.sampled_from([RegionState.ACTIVE] * 3 + [RegionState.SUSPENDED, RegionState.PROHIBITED]),
    country=st.just("UA"),
    papers=st.dictionaries(st.just(Paper.TEMPORARY), a_paper()),
    cells=st.dictionaries(st.sampled_from([HERE, THERE]), a_cell()),
)
THINGS = st.one_of(
    REGIONS.map(lambda thing: ("region", thing)),
    st.builds(
        Account,
        id=st.sampled_from(ACCOUNTS),
        state=st.sampled_from([AccountState.VERIFIED] * 3 + [AccountState.SUSPENDED, AccountState.OPEN]),
        plan=st.sampled_from(["pln_1", "pln_1", "pln_2", ""]),
        sanctions=st.sampled_from([(), (), (("NSDC", "list 1"),)]),
    ).map(lambda thing: ("account", thing)),
    st.builds(
        Plan,
        id=st.sampled_from(["pln_1", "pln_2"]),
        state=st.just(PlanState.OFFERED),
        down_bps=st.sampled_from([0.0, 1e7, 5e7]),
        up_bps=st.just(1e6),
    ).map(lambda thing: ("plan", thing)),
    st.builds(
        Terminal,
        id=st.sampled_from(TERMINALS),
        state=st.sampled_from([TerminalState.ACTIVE] * 4 + list(TerminalState)),
        owner=st.sampled_from(ACCOUNTS),
        hardware=st.sampled_from(["ROUND-2021", "MINI", "OTHER-1"]),
        serial=st.sampled_from(["", "", "", "town"]),
        cell=st.one_of(CELLS, st.just("")),
        mobility=st.sampled_from(Mobility),
        network=st.just(Network.OURS),
        verified=st.sampled_from([None, Verified(Basis.ALLOW_LIST, "A", "r 1", InstantUs(0), "alw_1")]),
    ).map(lambda thing: ("terminal", thing)),
)
# Steps of time up to some hours: over edges of papers and of hours, and back, as a clock may be set.
STEPS = st.lists(
    st.tuples(
        st.lists(THINGS, max_size=6), st.sampled_from([SLOT_US, SLOT_US, HOUR_US, 3 * HOUR_US, -HOUR_US])
    ),
    min_size=1,
    max_size=8,
)
FULL: list[tuple[str, Any]] = [
    ("plan", Plan("pln_1", PlanState.OFFERED, down_bps=5e7, up_bps=1e7)),
    *(("account", Account(id, AccountState.VERIFIED, plan="pln_1")) for id in ACCOUNTS),
    (
        "region",
        Region(
            "rgn_1",
            RegionState.ACTIVE,
            "UA",
            "Ukraine",
            {Paper.TEMPORARY: Granted("a", "d 1", InstantUs(0), InstantUs(24 * HOUR_US))},
            {HERE: Cell(CellMode.ENABLED), THERE: Cell(CellMode.ENABLED)},
        ),
    ),
]


def a_dish(id: str = "trm_0", **more: Any) -> Terminal:
    given = {"state": TerminalState.ACTIVE, "owner": "acc_1", "cell": HERE, "hardware": "MINI", **more}
    return Terminal(id, **given)


class Told:
    """A store's things, what is known of them, a sky that is told of them."""

    def __init__(self, serve: Serve = Serve.BOTH, sites: dict[str, str] | None = None) -> None:
        self.known, self.feed = Known(), Feed(sites)
        self.roster = Roster(WORLD, serve, ANTENNAS)
        self.things: dict[tuple[str, str], Any] = {}
        self.permits: dict[str, Permit] = {}

    def permissions(self) -> Permissions:
        known = self.known
        return Permissions(known.terminals, known.accounts, list(known.regions.values()))

    def step(self, changes: Sequence[tuple[str, Any]], at: int) -> int:
        """How many permits were told."""
        for kind, thing in changes:
            self.things[kind, thing.id] = thing
            self.known.take(kind, thing)
        told = self.feed.tell(self.known, self.permissions(), at)
        self.permits |= {permit.terminal: permit for permit in told.permits}
        self.roster.take(told.permits, told.reasons, at)
        return len(told.permits)

    def asks(self, at: int) -> tuple[Asks, np.ndarray[Any, Any]]:
        return self.roster.asks(at)

    def barred(self, terminal: str, at: int) -> WhyDown | None:
        """None for one that the sky does not have."""
        asks, _ = self.asks(at)
        names = [*self.roster.matched, *self.roster.offices]
        return WhyDown(int(asks.barred[names.index(terminal)])) if terminal in names else None


@settings(max_examples=150)
@given(STEPS, st.sampled_from([{}, {"town": HERE}]))
def test_the_sky_serves_just_whom_permission_allows(
    steps: list[tuple[list[tuple[str, Any]], int]], sites: dict[str, str]
) -> None:
    told, at = Told(Serve.OFFICE, sites), 8 * HOUR_US
    told.step(FULL, at)
    for changes, step_us in steps:
        at = max(at + step_us, 0)
        told.step(changes, at)
        permissions = told.permissions()
        afresh = Told(Serve.OFFICE, sites)
        afresh.step([(kind, thing) for (kind, _), thing in told.things.items()], at)
        for id in told.known.dishes:
            permit = told.permits.get(id)
            if permit is None or not permit.cell:
                assert told.barred(id, at) in (None, WhyDown.NOT_PERMITTED)
                assert not told.known.dishes[id].cell or permit is not None
                continue
            allowed = permissions.may_serve(id, permit.cell, at).allowed
            assert (permit.barred == WhyDown.UP) is allowed
            # Told bit by bit or all at once: the same, but for the order of the reasons.
            assert permit._replace(why=0) == afresh.permits[id]._replace(why=0)
            reasons = [told.feed.reasons[permit.why], afresh.feed.reasons[afresh.permits[id].why]]
            assert reasons[0] == reasons[1]
            assert bool(reasons[0]) is not allowed
            assert permit.until_us > at
            if not (sites and list(told.roster.matched).count(id) == 0 and permit.scenario):
                assert (told.barred(id, at) is WhyDown.UP) is allowed


def test_only_what_has_changed_is_told() -> None:
    told, at = Told(), 8 * HOUR_US
    many = [
        ("terminal", a_dish(f"trm_{i}", owner=ACCOUNTS[i % 2], cell=[HERE, THERE][i // 2 % 2]))
        for i in range(8)
    ]
    assert told.step([*FULL, *many], at) == 8
    assert told.step([], at + SLOT_US) == 0
    assert told.step([("terminal", a_dish("trm_2", state=TerminalState.LOST))], at + 2 * SLOT_US) == 1
    suspended = Account("acc_2", AccountState.SUSPENDED, plan="pln_1")
    assert told.step([("account", suspended)], at + 3 * SLOT_US) == 4
    region = told.things["region", "rgn_1"]
    here_off = replace(region, cells={**region.cells, HERE: Cell(CellMode.DISABLED)})
    # Of one region only the cells are compared that it has: all its terminals are looked at, some told.
    assert told.step([("region", here_off)], at + 4 * SLOT_US) == 5


def test_time_alone_ends_what_papers_and_hours_allow() -> None:
    told, hours = Told(), Limits(hours_utc=(10,))
    cells = {HERE: Cell(CellMode.RESTRICTED, hours), THERE: Cell(CellMode.ENABLED)}
    region = replace(FULL[-1][1], cells=cells)
    dishes = [("terminal", a_dish("trm_0")), ("terminal", a_dish("trm_1", cell=THERE))]
    told.step([*FULL, ("region", region), *dishes], 10 * HOUR_US - SLOT_US)
    assert told.barred("trm_0", 10 * HOUR_US - SLOT_US) is WhyDown.REGION_NOT_ACTIVE
    assert told.step([], 10 * HOUR_US) == 1
    assert told.barred("trm_0", 10 * HOUR_US) is WhyDown.UP
    # The office is silent now; what it said ends by itself with the hour.
    assert told.barred("trm_0", 10 * HOUR_US + SLOT_US) is WhyDown.UP
    told.step([], 11 * HOUR_US - SLOT_US)
    assert told.barred("trm_0", 11 * HOUR_US) is WhyDown.NOT_PERMITTED
    assert told.barred("trm_1", 11 * HOUR_US) is WhyDown.UP
    told.step([], 24 * HOUR_US - SLOT_US)
    assert told.barred("trm_1", 24 * HOUR_US - SLOT_US) is WhyDown.UP
    assert told.barred("trm_1", 24 * HOUR_US) is WhyDown.NOT_PERMITTED


@pytest.mark.parametrize("serve", [Serve.OFFICE, Serve.BOTH])
def test_a_sky_that_was_told_nothing_serves_nobody(serve: Serve) -> None:
    told = Told(serve)
    asks, why = told.asks(AT)
    assert (asks.barred == WhyDown.NOT_PERMITTED).all()
    assert set(why) == {OFFICE_SILENT}
    told.step([*FULL, ("terminal", a_dish())], 8 * HOUR_US)
    assert told.barred("trm_0", 8 * HOUR_US) is WhyDown.UP
    told.roster.begin_anew()
    assert told.roster.world is WORLD
    assert (told.asks(8 * HOUR_US)[0].barred == WhyDown.NOT_PERMITTED).all()


def test_an_office_that_is_silent_for_a_minute_serves_nobody_any_more() -> None:
    told, at = Told(Serve.BOTH), 8 * HOUR_US
    told.step([*FULL, ("terminal", a_dish())], at)
    assert told.barred("trm_0", at + SILENT_FOR_US) is WhyDown.UP
    assert told.barred("trm_0", at + SILENT_FOR_US + SLOT_US) is WhyDown.NOT_PERMITTED
    # Who is no concern of the office is served as before.
    assert told.asks(at + HOUR_US)[0].barred[0] == WhyDown.UP


def test_whose_terminals_are_served() -> None:
    at = 8 * HOUR_US
    by_mode = {}
    for serve in Serve:
        told = Told(serve)
        told.step([*FULL, ("terminal", a_dish())], at)
        asks, why = told.asks(at)
        by_mode[serve] = [WhyDown(int(code)) for code in asks.barred]
        if serve is Serve.OFFICE:
            assert list(why[:2]) == [NOT_KNOWN, NOT_KNOWN]
    up, strange, off = WhyDown.UP, WhyDown.NOT_PERMITTED, WhyDown.REGION_NOT_ACTIVE
    assert by_mode == {
        Serve.SCENARIO: [up, off],
        Serve.BOTH: [up, off, up],
        Serve.OFFICE: [strange, strange, up],
    }


@pytest.mark.parametrize(
    ("name", "town", "barred"),
    # Serials and kit numbers are kept in capitals.
    [("serial", "TOWN", "BARRED"), ("kit", "TOWN", "barred"), ("dish_id", "town", "barred")],
)
def test_a_scenarios_terminal_that_the_office_knows_obeys_it(name: str, town: str, barred: str) -> None:
    at, sites = 8 * HOUR_US, {"town": HERE, "barred": HERE}
    told = Told(Serve.BOTH, sites)
    told.step(
        [*FULL, ("terminal", a_dish(**{name: town})), ("terminal", a_dish("trm_1", **{name: barred}))], at
    )
    assert told.roster.world is WORLD, "it stands where the scenario has it"
    assert told.roster.matched == ("trm_0", "trm_1")
    # The scenario's own service periods hold as well.
    assert list(told.asks(at)[0].barred) == [WhyDown.UP, WhyDown.REGION_NOT_ACTIVE]
    assert told.asks(at)[0].needs.down_bps[0] == 5e7
    told.step([("terminal", a_dish(state=TerminalState.STOLEN, **{name: town}))], at + SLOT_US)
    assert told.asks(at + SLOT_US)[0].barred[0] == WhyDown.NOT_PERMITTED
    told.step([("terminal", a_dish(serial="other"))], at + 2 * SLOT_US)
    assert told.roster.matched == ("", "trm_1")
    assert told.asks(at + 2 * SLOT_US)[0].needs.down_bps[0] == 100e6


def test_a_terminal_stands_in_the_middle_of_its_cell_with_its_own_antenna() -> None:
    told, at = Told(), 8 * HOUR_US
    told.step([*FULL, ("terminal", a_dish()), ("terminal", a_dish("trm_1", hardware="OTHER-1"))], at)
    mini, other = told.roster.world.terminals[2:]
    assert (mini.antenna.name, other.antenna) == ("starlink-mini", ANTENNAS.otherwise)
    assert mini.place == other.place
    assert WORLD.terminals == told.roster.world.terminals[:2]


def test_rows_come_at_the_end_and_one_that_moves_leaves_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skylift.twin.roster.MOST_GONE", 3)
    told, at = Told(), 8 * HOUR_US
    told.step([*FULL, ("terminal", a_dish("trm_0")), ("terminal", a_dish("trm_1"))], at)
    before = told.roster.world.terminals
    told.step([("terminal", a_dish("trm_0", cell=THERE))], at)
    assert told.roster.world.terminals[: len(before)] == before
    assert sorted(told.roster.offices) == ["", "trm_0", "trm_1"]
    assert told.barred("trm_0", at) is WhyDown.UP
    gone = told.roster.offices.index("") + 2
    assert told.asks(at)[0].barred[gone] == WhyDown.NOT_PERMITTED
    for cell in (HERE, THERE, HERE):
        told.step([("terminal", a_dish("trm_0", cell=cell))], at)
    assert sorted(told.roster.offices) == ["trm_0", "trm_1"], "now and then it is tidied up"
    assert all(told.barred(id, at) is WhyDown.UP for id in ("trm_0", "trm_1"))
    told.step([("terminal", a_dish("trm_1", state=TerminalState.DELIVERED, cell=""))], at)
    assert told.barred("trm_1", at) is None


def test_a_portable_one_is_taken_to_be_at_home_as_long_as_nobody_says_where_it_is() -> None:
    told, at = Told(), 8 * HOUR_US
    told.step([*FULL, ("terminal", a_dish(mobility=Mobility.IN_MOTION))], at)
    assert told.permits["trm_0"].cell == HERE
    assert told.barred("trm_0", at) is WhyDown.UP


def test_another_operators_terminals_are_none_of_our_sky() -> None:
    told = Told()
    assert told.step([*FULL, ("terminal", a_dish(network=Network.OPERATOR))], 8 * HOUR_US) == 0


class Script:
    """Terminals that come in the course of a run."""

    def __init__(self, joins: dict[int, list[Permit]]) -> None:
        self.roster, self.joins = Roster(WORLD, Serve.BOTH, ANTENNAS), joins

    def at(self, at_us: int) -> tuple[World, Asks]:
        self.roster.take(self.joins.get(at_us, []), [()], at_us)
        return self.roster.world, self.roster.asks(at_us)[0]


def a_permit(id: str, cell: str = HERE, barred: WhyDown = WhyDown.UP) -> Permit:
    return Permit(id, cell, "", "MINI", 1e8, 1e7, 4, int(barred), 0, 2**62)


def test_one_more_terminal_moves_no_other_and_keeps_what_is_remembered() -> None:
    """The same links as if it had been there all the time and barred: hysteresis is not lost by it."""
    first = WORLD.memory_start(AT)
    slots = WORLD.slots.starts(first, first + 7 * SLOT_US)
    late = Script({slots[0]: [a_permit("trm_0")], slots[3]: [a_permit("trm_1", THERE)]})
    barred = a_permit("trm_1", THERE, WhyDown.NOT_PERMITTED)
    early = Script({slots[0]: [a_permit("trm_0"), barred], slots[3]: [a_permit("trm_1", THERE)]})
    runs = [list(Twin(WORLD, script).links(slots[0], slots[-1] + 1)) for script in (late, early)]
    for number, ((_, some), (_, all_)) in enumerate(zip(*runs, strict=True)):
        rows = len(some.satellite)
        assert rows == (3 if number < 3 else 4)
        np.testing.assert_array_equal(some.satellite, all_.satellite[:rows])
        np.testing.assert_array_equal(some.why_down, all_.why_down[:rows])
        np.testing.assert_array_equal(some.delay_up_us, all_.delay_up_us[:rows])
        np.testing.assert_array_equal(some.handover, all_.handover[:rows])
    assert (runs[0][-1][1].satellite[2:] >= 0).all()
