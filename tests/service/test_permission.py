"""Permission: every reason occurs, all of them are told, and a slow reading of the rules says the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.instants import InstantUs
from skylift.base.link import WhyDown
from skylift.service.permission.decision import (
    HOUR_US,
    AccountFacts,
    Permissions,
    TerminalFacts,
    allowed_spans,
)
from skylift.service.permission.reasons import Code, Decision, Why
from skylift.service.region.events import CHAIN, CellMode, Limits, Paper
from skylift.service.region.state import Cell, Granted, Region, RegionState

HERE, THERE, NOWHERE = "851e5227fffffff", "851e5237fffffff", "851f1d4bfffffff"
ALWAYS = {Paper.TEMPORARY: Granted("the regulator", "decision 1", InstantUs(0), InstantUs(100 * HOUR_US))}
REGION = Region(
    "rgn_1",
    RegionState.ACTIVE,
    "UA",
    "Ukraine",
    ALWAYS,
    {HERE: Cell(CellMode.ENABLED), THERE: Cell(CellMode.ENABLED)},
)
DISH = TerminalFacts("acc_1", home_cell=HERE, moves=True)
BLOCKED = Why(Code.TERMINAL_CUT_OFF, "the operator", "have it unblocked")
UNPAID = Why(Code.ACCOUNT_SUSPENDED, "the operator", "resume the account")


def asked(
    region: Region = REGION,
    dish: TerminalFacts | None = DISH,
    account: AccountFacts | None = AccountFacts(),
    cell: str = HERE,
    at: int = 10 * HOUR_US,
) -> Decision:
    permissions = Permissions(
        {"trm_1": dish} if dish else {}, {"acc_1": account} if account else {}, [region]
    )
    return permissions.may_serve("trm_1", cell, at)


def restricted(limits: Limits) -> Region:
    return replace(
        REGION, cells={HERE: Cell(CellMode.RESTRICTED, limits), THERE: Cell(CellMode.RESTRICTED, limits)}
    )


CASES: list[tuple[Decision, set[Code]]] = [
    (asked(), set()),
    (asked(cell=NOWHERE), {Code.REGION_NONE}),
    (asked(replace(REGION, state=RegionState.PROHIBITED)), {Code.REGION_PROHIBITED}),
    (asked(replace(REGION, state=RegionState.SUSPENDED)), {Code.REGION_NOT_ACTIVE}),
    (asked(at=100 * HOUR_US), {Code.REGION_PAPERS}),
    (asked(replace(REGION, papers={})), {Code.REGION_PAPERS}),
    (asked(replace(REGION, cells={HERE: Cell(CellMode.DISABLED)})), {Code.CELL_DISABLED}),
    (asked(replace(REGION, cells={HERE: Cell(CellMode.WAITLIST)})), {Code.CELL_WAITLIST}),
    (asked(restricted(Limits(hours_utc=(9, 11)))), {Code.CELL_HOURS}),
    (asked(restricted(Limits(hours_utc=(10,)))), set()),
    (asked(restricted(Limits(allow_list_only=True))), {Code.CELL_LIST}),
    (asked(restricted(Limits(allow_list_only=True)), replace(DISH, listed=True)), set()),
    (asked(restricted(Limits(roaming=False)), cell=THERE), {Code.CELL_ROAMING}),
    (asked(restricted(Limits(roaming=False))), set()),
    (asked(dish=None), {Code.TERMINAL_UNKNOWN}),
    (asked(dish=replace(DISH, moves=False), cell=THERE), {Code.TERMINAL_FIXED}),
    (asked(dish=replace(DISH, against=(BLOCKED,))), {Code.TERMINAL_CUT_OFF}),
    (asked(account=None), {Code.ACCOUNT_UNKNOWN}),
    (asked(account=AccountFacts((UNPAID,))), {Code.ACCOUNT_SUSPENDED}),
    # All that speaks against it is told, not the first alone.
    (
        asked(
            replace(REGION, state=RegionState.PROHIBITED),
            replace(DISH, against=(BLOCKED,)),
            AccountFacts((UNPAID,)),
        ),
        {Code.REGION_PROHIBITED, Code.TERMINAL_CUT_OFF, Code.ACCOUNT_SUSPENDED},
    ),
]


@pytest.mark.parametrize(("decision", "codes"), CASES)
def test_reasons(decision: Decision, codes: set[Code]) -> None:
    assert {why.code for why in decision.reasons} == codes
    assert decision.allowed == (not codes)
    assert all(why.authority and why.would_change for why in decision.reasons)
    assert (decision.barred is WhyDown.UP) == decision.allowed


def test_the_least_cap_holds() -> None:
    decision = asked(restricted(Limits(speed_cap_bps=5e6)), account=AccountFacts(cap_bps=20e6))
    assert decision.cap_bps == 5e6
    assert asked(account=AccountFacts(cap_bps=20e6)).cap_bps == 20e6
    assert asked().cap_bps is None


def test_a_cell_in_two_regions_needs_both() -> None:
    part = replace(REGION, id="rgn_2", state=RegionState.PROHIBITED, cells={HERE: Cell(CellMode.ENABLED)})
    permissions = Permissions({"trm_1": DISH}, {"acc_1": AccountFacts()}, [REGION, part])
    assert {w.code for w in permissions.may_serve("trm_1", HERE, HOUR_US).reasons} == {Code.REGION_PROHIBITED}
    assert permissions.may_serve("trm_1", THERE, HOUR_US).allowed


PAPERS = st.dictionaries(
    st.sampled_from([*CHAIN, Paper.TEMPORARY]),
    st.tuples(st.integers(0, 20), st.integers(1, 20)).map(
        lambda span: Granted("a", "d", InstantUs(span[0]), InstantUs(span[0] + span[1]))
    ),
)


@given(PAPERS)
def test_spans_are_when_no_paper_is_missing(papers: dict[Paper, Granted]) -> None:
    region = replace(REGION, papers=papers)
    spans = allowed_spans(region)
    for at in range(45):
        assert any(start <= at < end for start, end in spans) == (not region.missing_papers(at))
    assert all(a[1] < b[0] for a, b in pairwise(spans))


HOURS = st.sampled_from([(), (10,), (9, 11)])


@given(
    state=st.sampled_from(RegionState),
    papers=st.booleans(),
    mode=st.sampled_from(CellMode),
    limits=st.builds(
        Limits, st.booleans(), st.sampled_from([None, 1e6]), st.booleans(), HOURS,
    ),
    dish=st.builds(
        TerminalFacts, st.just("acc_1"), st.sampled_from([(), (BLOCKED,)]), st.booleans(),
        st.sampled_from(["", HERE, THERE]), st.booleans(),
    ),
    against=st.sampled_from([(), (UNPAID,)]),
)  # fmt: skip
def test_a_slow_reading_of_the_rules_agrees(
    state: RegionState,
    papers: bool,
    mode: CellMode,
    limits: Limits,
    dish: TerminalFacts,
    against: tuple[Why, ...],
) -> None:
    cell = Cell(mode, limits if mode is CellMode.RESTRICTED else Limits())
    region = replace(REGION, state=state, papers=ALWAYS if papers else {}, cells={HERE: cell})
    rules = [
        state is RegionState.ACTIVE,
        papers,
        mode in (CellMode.ENABLED, CellMode.RESTRICTED),
        mode is not CellMode.RESTRICTED or not limits.hours_utc or 10 in limits.hours_utc,
        mode is not CellMode.RESTRICTED or not limits.allow_list_only or dish.listed,
        mode is not CellMode.RESTRICTED or limits.roaming or dish.home_cell == HERE,
        not dish.against,
        not against,
        dish.moves or dish.home_cell in ("", HERE),
    ]
    got = asked(region, dish, AccountFacts(against))
    assert got.allowed == all(rules)
    assert len(got.reasons) >= (not all(rules))
