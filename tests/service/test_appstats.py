"""The app's figures: the news of March 2022 as counts, uniqueness without tracking, and what is refused."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.service.appstats.counting import KEY_BYTES, DayOfUse
from skylift.service.appstats.figures import (
    WORLD,
    Count,
    Imported,
    growth,
    rank,
    records,
    share,
    totals,
    with_world,
)


def days(first: str, installs: list[int], country: str) -> list[Count]:
    begin = date.fromisoformat(first)
    return [
        Count(country, (begin + timedelta(days=i)).isoformat(), n, 10 * n) for i, n in enumerate(installs)
    ]


# Two weeks in which the world's installs triple, with a record of 21,000 on Sunday 13 March 2022. The days
# between are made up; the totals and the record are those of the news (Wall Street Journal, Sensor Tower).
BEFORE = days("2022-02-21", [3_000] * 7, "UA") + days("2022-02-21", [2_000] * 7, "US")
AFTER = days("2022-03-07", [12_000] * 6 + [16_000], "UA") + days("2022-03-07", [2_600] * 6 + [5_000], "US")
COUNTS = with_world([*BEFORE, *AFTER])


def test_the_news_of_march_2022() -> None:
    assert date.fromisoformat("2022-03-13").strftime("%A") == "Sunday"
    assert (records(COUNTS)[WORLD].day, records(COUNTS)[WORLD].installs) == ("2022-03-13", 21_000)
    assert totals(COUNTS)["UA"] == 21_000 + 88_000
    grown = growth(COUNTS, WORLD, "2022-03-07", "2022-02-21")
    assert (grown.installs, grown.installs_against) == (108_600, 35_000)
    assert grown.ratio == pytest.approx(3.103, abs=1e-3)
    assert share(COUNTS, "UA", "2022-03-07", "2022-03-13") == pytest.approx(88_000 / 108_600)
    assert math.isnan(share(COUNTS, "UA", "2021-01-01", "2021-01-02"))


def test_a_week_that_was_not_counted_whole_is_no_week() -> None:
    with pytest.raises(Refused, match="5 of its 7 days"):
        growth(COUNTS, "UA", "2022-03-07", "2022-02-23")


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([Count("UA", "2022-03-13", 1, 1)] * 2, "appstats.twice"),
        ([Count(WORLD, "2022-03-13", 1, 1)], "appstats.twice"),
        ([Count("UA", "13.03.2022", 1, 1)], "appstats.day"),
        ([Count("UA", "2022-03-13", -1, 1)], "appstats.number"),
    ],
)
def test_rows_that_cannot_be(rows: list[Count], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        with_world(rows)
    assert refusal.value.code == code


def test_ranks_are_imported_with_their_source_or_not_known() -> None:
    figure = Imported("UA", "2022-03-13", "rank", 1, "Sensor Tower, in the Wall Street Journal")
    assert rank([figure], "UA", "2022-03-13") is figure
    for figures in ([], [Imported("UA", "2022-03-13", "rank", 1, "")]):
        with pytest.raises(Refused, match="only from imported"):
            rank(figures, "UA", "2022-03-13")


@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.booleans()), max_size=200))
def test_everybody_is_counted_once_a_day(uses: list[tuple[bytes, bool]]) -> None:
    day = DayOfUse("UA", "2022-03-13", b"k" * KEY_BYTES)
    for token, new in uses:
        day.used(token, new)
    assert day.active == len({token for token, _ in uses})
    assert day.installs == len({token for token, new in uses if new})


def test_nothing_links_one_day_to_another() -> None:
    token = b"a telephone's number"
    first, second = (
        DayOfUse("UA", "2022-03-13", b"1" * KEY_BYTES),
        DayOfUse("UA", "2022-03-14", b"2" * KEY_BYTES),
    )
    for day in (first, second):
        day.used(token)
    assert not first._seen & second._seen
    assert all(token not in digest for digest in first._seen)
    assert "1111" not in repr(first)
    with pytest.raises(ValueError, match="random bytes"):
        DayOfUse("UA", "2022-03-13", b"short")
