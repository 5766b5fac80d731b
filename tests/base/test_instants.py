from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.instants import (
    J2000_JD,
    J2000_US,
    InstantUs,
    SlotClock,
    format_instant,
    julian_date,
    parse_instant,
)
from skylift.base.units import US_PER_DAY, US_PER_S

FIRST_US = -62_135_596_800 * US_PER_S  # 0001-01-01, as `date -u -d 0001-01-01 +%s` gives it
LAST_US = 253_402_300_799 * US_PER_S + 999_999  # the last microsecond of 9999
any_instant = st.integers(FIRST_US, LAST_US)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2001-09-09T01:46:40Z", 1_000_000_000),  # the well-known billionth second
        ("2000-01-01T12:00:00Z", J2000_US // US_PER_S),
        ("2022-02-24", 1_645_660_800),  # GNU date: date -u -d 2022-02-24 +%s
        ("2022-02-24 03:40", 1_645_674_000),
        ("2022-02-24T05:40:00+02:00", 1_645_674_000),  # Kyiv's clock
        ("2022-02-24T05:40:00+0200", 1_645_674_000),
        ("2022-02-23T22:40:00-05:00", 1_645_674_000),
        ("  2022-02-24T03:40:00 Z ", 1_645_674_000),
        ("1969-12-31T23:59:59Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800),  # a leap day
        ("2000-02-29T00:00:00Z", 951_782_400),  # a century that is a leap year
    ],
)
def test_instants_known_from_elsewhere(text: str, seconds: int) -> None:
    assert parse_instant(text) == seconds * US_PER_S


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [
        (".5", 500_000),
        (",25", 250_000),
        (".000001", 1),
        (".123456", 123_456),
        (".1234564", 123_456),
        (".123456789", 123_457),
        (".9999999", 1_000_000),
    ],
)
def test_fractions_of_a_second(fraction: str, microseconds: int) -> None:
    assert parse_instant(f"1970-01-01T00:00:00{fraction}Z") == microseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2022-02-24T",
        "24.02.2022",
        "2022-2-4",
        "2022-02-30",
        "2021-02-29",  # not a leap year
        "1900-02-29",  # nor is this one
        "2022-13-01",
        "2022-02-24T24:00:00Z",
        "2022-02-24T03:60:00Z",
        "2022-02-24T03:40:60Z",  # POSIX time has no place for a leap second
        "2022-02-24T03:40:00+25:00",
        "2022-02-24T03:40:00 Kyiv",
        "0001-01-01T00:00:00+05:00",  # falls in the year 0
        "9999-12-31T23:00:00-05:00",
        "1645674000",
        "２０２２-02-24",  # digits of another script
        "2022-02-24T03:40:00Z; rm -rf",
        "x" * 10_000,
    ],
)
def test_an_unreadable_instant_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_instant(text, "start")
    assert caught.value.code == "instant.unreadable"
    assert caught.value.thing.startswith("start")
    assert "2022-02-26T12:00:00Z" in caught.value.way_out
    assert len(str(caught.value)) < 300


@given(any_instant)
def test_what_is_written_reads_back_to_the_microsecond(at: int) -> None:
    assert parse_instant(format_instant(at)) == at


@given(any_instant)
def test_the_standard_library_reads_the_same_instant(at: int) -> None:
    theirs = datetime.fromisoformat(format_instant(at))
    assert (theirs - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == at


@given(st.datetimes(), st.integers(-23 * 60, 23 * 60))
def test_an_offset_shifts_by_itself(wall: datetime, offset_min: int) -> None:
    sign = "-" if offset_min < 0 else "+"
    zone = f"{sign}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"
    in_utc = wall - datetime(1970, 1, 1)
    at = in_utc // timedelta(microseconds=1) - offset_min * 60 * US_PER_S
    if FIRST_US <= at <= LAST_US:
        assert parse_instant(wall.isoformat() + zone) == at


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (500_000, "1970-01-01T00:00:00.5Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (FIRST_US, "0001-01-01T00:00:00Z"),
    ],
)
def test_how_an_instant_is_written(at: int, text: str) -> None:
    assert format_instant(at) == text


def test_the_julian_date_of_published_epochs() -> None:
    assert sum(julian_date(J2000_US)) == J2000_JD == 2_451_545.0
    assert julian_date(0) == (2_440_587.5, 0.0)
    # Vallado, Fundamentals of Astrodynamics, example 3-4: 1996-10-26T14:20:00 is JD 2450383.09722222
    assert sum(julian_date(parse_instant("1996-10-26T14:20:00Z"))) == pytest.approx(
        2_450_383.097_222_22, abs=1e-8
    )


@given(any_instant)
def test_the_julian_date_loses_no_microsecond(at: int) -> None:
    day, fraction = julian_date(at)
    assert 0.0 <= fraction < 1.0
    assert round((day - 2_440_587.5) * US_PER_DAY) + round(fraction * US_PER_DAY) == at


@given(any_instant)
def test_a_slot_begins_at_12_27_42_or_57_and_holds_its_instant(at: int) -> None:
    start = SlotClock().start(at)
    assert start % (60 * US_PER_S) // US_PER_S in (12, 27, 42, 57)
    assert start % US_PER_S == 0
    assert start <= at < start + 15 * US_PER_S


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2022-02-26T12:00:00Z", "2022-02-26T11:59:57Z"),
        ("2022-02-26T12:00:11.999999Z", "2022-02-26T11:59:57Z"),
        ("2022-02-26T12:00:12Z", "2022-02-26T12:00:12Z"),
        ("2022-02-26T00:00:00Z", "2022-02-25T23:59:57Z"),
        ("1970-01-01T00:00:00Z", "1969-12-31T23:59:57Z"),
        ("1960-05-05T05:05:05Z", "1960-05-05T05:04:57Z"),
        ("2024-03-01T00:00:00Z", "2024-02-29T23:59:57Z"),
    ],
)
def test_slots_at_the_edges(at: str, start: str) -> None:
    assert format_instant(SlotClock().start(parse_instant(at))) == start


@given(st.integers(-(10**16), 10**16), st.integers(0, 10 * 60 * US_PER_S))
def test_starts_are_those_in_the_half_open_interval(begin: int, duration: int) -> None:
    clock = SlotClock()
    found = list(clock.starts(begin, begin + duration))
    asked = {int(clock.start(begin + s)) for s in range(0, duration, 5 * US_PER_S)}
    asked |= {int(clock.start(begin + duration - 1))} if duration else set()
    assert found == sorted(s for s in asked if begin <= s < begin + duration)


def test_a_day_has_5760_slots_wherever_it_begins() -> None:
    for begin in (0, 7 * US_PER_S, -3 * US_PER_DAY + 1):
        assert len(SlotClock().starts(begin, begin + US_PER_DAY)) == 5_760


def test_a_slot_that_begins_with_the_interval_is_in_it_and_one_that_begins_at_its_end_is_not() -> None:
    begin = parse_instant("2022-02-26T12:00:12Z")
    starts = SlotClock().starts(begin, begin + 30 * US_PER_S)
    assert list(starts) == [begin, begin + 15 * US_PER_S]


def test_an_empty_or_backward_interval_has_no_slots() -> None:
    assert len(SlotClock().starts(12 * US_PER_S, 12 * US_PER_S)) == 0
    assert len(SlotClock().starts(100 * US_PER_S, 0)) == 0


def test_another_slot_length_is_a_setting() -> None:
    clock = SlotClock(length_us=60 * US_PER_S, offset_us=0)
    assert clock.start(InstantUs(119 * US_PER_S)) == 60 * US_PER_S
