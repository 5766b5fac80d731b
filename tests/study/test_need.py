"""Who is cut off: by hand, and what must hold whatever is down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.study.need import US_PER_HOUR, Cut, NeedRules, NeedSite, need

NOW = 100 * US_PER_HOUR
RULES = NeedRules(online_fraction=0.8, below_fraction=0.5, longer_than_h=2.0, terminal_bps=60e6)
COUNTRY = Cut("country/UA", frozenset({"a", "b"}), 0.87, 0.85, 0.9, NOW - 10 * US_PER_HOUR)
NETWORK = Cut("as/AS64500", frozenset({"a"}), 0.18, 0.15, 0.21, NOW - 4 * US_PER_HOUR, share=0.5)
PEOPLE = {"a": 10_000, "b": 1_000, "c": 500}
HOSPITAL = NeedSite("h1", "a", "hospital", 300, 100e6, 0)
SCHOOL = NeedSite("s1", "a", "school", 800, 40e6, 3)


def test_by_hand() -> None:
    report = need([COUNTRY, NETWORK], PEOPLE, [HOSPITAL], RULES, NOW)
    first, second = report.cells
    # Half of the users of a depend on the network, of which 82 % is gone: 41 %, worse than 13 %.
    assert first.cell == "a"
    assert first.cut_off == pytest.approx(10_000 * 0.8 * 0.5 * 0.82)
    assert (first.least, first.most) == (
        pytest.approx(10_000 * 0.8 * 0.5 * 0.79),
        pytest.approx(10_000 * 0.8 * 0.5 * 0.85),
    )
    assert first.hours == 10
    assert second.cut_off == pytest.approx(1_000 * 0.8 * 0.13)
    assert report.cut_off[0] == pytest.approx(3_280 + 104)
    assert "as/AS64500 carries 50% of the users where it is" in report.assumptions()


def test_sites_are_listed_where_too_little_is_left_for_too_long() -> None:
    deep = replace(NETWORK, share=0.9)
    report = need([deep], PEOPLE, [SCHOOL, HOSPITAL, replace(HOSPITAL, id="h2", cell="c")], RULES, NOW)
    # 300 and 800 people, 100 to a terminal: more than their megabits take.
    assert [(one.site.id, one.terminals) for one in report.sites] == [("h1", 3), ("s1", 8)]
    assert report.terminals == 11
    alone = replace(RULES, people_per_terminal=1_000)
    assert [one.terminals for one in need([deep], PEOPLE, [HOSPITAL, SCHOOL], alone, NOW).sites] == [2, 1]
    fresh = replace(deep, began_us=NOW - US_PER_HOUR)
    assert need([fresh], PEOPLE, [HOSPITAL], RULES, NOW).sites == ()
    assert need([NETWORK], PEOPLE, [HOSPITAL], RULES, NOW).sites == ()  # 59 % is left


levels = st.floats(0, 1.5)


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from("abc"), min_size=1), levels, st.floats(0.01, 1.0), st.integers(0, 99)
        ),
        max_size=8,
    )
)
def test_nobody_is_cut_off_twice_and_the_bounds_hold(rows: list[tuple[set[str], float, float, int]]) -> None:
    cuts = [
        Cut(f"e{k}", frozenset(cells), level, level * 0.9, level * 1.1, hour * US_PER_HOUR, share)
        for k, (cells, level, share, hour) in enumerate(rows)
    ]
    report = need(cuts, PEOPLE, [HOSPITAL, SCHOOL], RULES, NOW)
    for cell in report.cells:
        assert (
            0 <= cell.least <= cell.cut_off <= cell.most <= PEOPLE[cell.cell] * RULES.online_fraction + 1e-9
        )
    assert len({cell.cell for cell in report.cells}) == len(report.cells)
    scores = [cell.score for cell in report.cells]
    assert scores == sorted(scores, reverse=True)


@given(st.lists(st.tuples(levels, st.floats(0.01, 1.0)), min_size=1, max_size=6))
def test_another_outage_never_makes_it_better(rows: list[tuple[float, float]]) -> None:
    cuts = [
        Cut(f"e{k}", frozenset("a"), level, level, level, 0, share) for k, (level, share) in enumerate(rows)
    ]
    some = need(cuts[:-1], PEOPLE, [], RULES, NOW).cut_off[0]
    assert need(cuts, PEOPLE, [], RULES, NOW).cut_off[0] >= some - 1e-9


@pytest.mark.parametrize(
    "cut", [replace(NETWORK, share=0.0), replace(NETWORK, level=0.5), replace(NETWORK, began_us=NOW + 1)]
)
def test_impossible_outages_are_refused(cut: Cut) -> None:
    with pytest.raises(Refused):
        need([cut], PEOPLE, [], RULES, NOW)


@pytest.mark.parametrize("name", ["online_fraction", "below_fraction", "longer_than_h", "terminal_bps"])
def test_impossible_assumptions_are_refused_by_name(name: str) -> None:
    with pytest.raises(Refused, match=name):
        NeedRules(**{name: -1.0})
    with pytest.raises(Refused, match=name):
        NeedRules(**{name: float("nan")})
