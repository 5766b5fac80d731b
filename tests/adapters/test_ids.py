"""Ids: in order, never twice, of one length, and with enough that nobody can know."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from skylift.adapters import ids
from skylift.adapters.ids import SecretIds
from skylift.base.labels import is_id


def test_later_ones_stand_later_in_any_list() -> None:
    # Several that give ids, as the desk and the doors of agents do, are in one order.
    given = [SecretIds().new("req") for _ in range(2000)]
    assert given == sorted(given)
    assert len(set(given)) == len(given)
    assert all(re.fullmatch(r"req_[a-z2-7]{26}", one) and is_id(one) for one in given)


def test_threads_and_clocks_that_are_set_back_repeat_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped:
        def now(self) -> int:
            return 1_600_000_000_000_000

    monkeypatch.setattr(ids, "WallClock", Stopped)
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda _: SecretIds().new("req")[4:14], range(400)))
    assert len(set(given)) == 400


def test_what_is_not_the_time_is_by_chance() -> None:
    ends = [SecretIds().new("req")[-16:] for _ in range(500)]
    assert len(set(ends)) == 500
    for place in range(16):
        assert len({end[place] for end in ends}) > 20


def test_the_time_is_in_range_for_as_long_as_it_says() -> None:
    most_us = 32**ids._TIME_LETTERS
    year_us = 365.25 * 86_400e6
    assert 2020 + most_us / year_us > 2055
