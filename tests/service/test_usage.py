"""Months and days of usage, and reports that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs, parse_instant
from skylift.service.account.usage import (
    AHEAD_US,
    MOST_BYTES,
    OLDEST_US,
    Report,
    cycle_ends,
    cycle_of,
    day_of,
    refuse_unlikely,
)

NOW = parse_instant("2022-03-13T12:00:00Z")


@pytest.mark.parametrize(
    ("at", "day", "cycle", "ends"),
    [
        ("2022-02-26T12:00:00Z", "2022-02-26", "2022-02", "2022-03-01T00:00:00Z"),
        ("2024-02-29T23:59:59.999999Z", "2024-02-29", "2024-02", "2024-03-01T00:00:00Z"),
        ("2022-12-31T23:59:59Z", "2022-12-31", "2022-12", "2023-01-01T00:00:00Z"),
        ("2023-01-01T00:00:00Z", "2023-01-01", "2023-01", "2023-02-01T00:00:00Z"),
    ],
)
def test_days_and_months(at: str, day: str, cycle: str, ends: str) -> None:
    us = parse_instant(at)
    assert (day_of(us), cycle_of(us), cycle_ends(us)) == (day, cycle, parse_instant(ends))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_a_month_ends_where_the_next_begins(when: datetime) -> None:
    at = int(when.replace(tzinfo=UTC).timestamp() * 1_000_000)
    ends = cycle_ends(at)
    assert at < ends <= at + 31 * 86_400_000_000
    assert cycle_of(ends - 1) == cycle_of(at) != cycle_of(ends)
    assert day_of(ends).endswith("-01")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (Report(-1, NOW, 0, 0), "usage.sequence"),
        (Report(2**63, NOW, 0, 0), "usage.sequence"),
        (Report(1, NOW, -1, 0), "usage.bytes"),
        (Report(1, NOW, 0, MOST_BYTES + 1), "usage.bytes"),
        (Report(1, InstantUs(NOW - OLDEST_US - 1), 0, 0), "usage.at"),
        (Report(1, InstantUs(NOW + AHEAD_US + 1), 0, 0), "usage.at"),
    ],
)
def test_reports_that_cannot_be(report: Report, code: str) -> None:
    with pytest.raises(Refused) as told:
        refuse_unlikely(report, NOW)
    assert told.value.code == code
    refuse_unlikely(Report(0, NOW, 0, MOST_BYTES), NOW)
