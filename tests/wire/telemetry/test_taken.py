"""Numbers that have come, held against a plain set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.telemetry import taken
from skylift.wire.telemetry.taken import Numbers


@given(st.lists(st.integers(1, 40)))
def test_it_knows_what_a_set_would_know(numbers: list[int]) -> None:
    ours, plain = Numbers(), set[int]()
    for number in numbers:
        assert ours.add(number) is (number not in plain)
        plain.add(number)
        given_up, ranges = ours.plain()
        assert {n for first, last in ranges for n in range(first, last + 1)} == plain
        assert given_up == 0
    assert [n in ours for n in range(42)] == [n in plain for n in range(42)]
    assert ours.highest == max(plain, default=0)
    again = Numbers(ours.plain()[1])
    assert again.plain() == ours.plain()


def test_beyond_so_many_gaps_the_oldest_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken, "MOST_RANGES", 3)
    ours = Numbers()
    for number in (10, 20, 30):
        assert ours.add(number)
    assert ours.given_up == 0
    assert ours.add(40)
    assert ours.given_up == 19
    assert ours.plain()[1] == [(10, 20), (30, 30), (40, 40)]
