"""Bytes that terminals used: which reports are taken, and in which day and month (UTC) they count.

An allowance is of a month (plan.PlanOffered); it begins again with the first second of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_DAY, US_PER_S

# A report that comes again within this time counts once; an older one is not taken at all.
OLDEST_US = 40 * US_PER_DAY
# Clocks of terminals may be a little ahead.
AHEAD_US = 3_600 * US_PER_S
# A gigabit a second for 40 days is 4e15.
MOST_BYTES = 10**16
MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """Bytes since the report before, up to `at`. sequence: each report of a terminal has its own."""

    sequence: int
    at: InstantUs
    down_bytes: int
    up_bytes: int


def day_of(at: int) -> str:
    """The day of an instant, such as 2022-03-13."""
    return _date(at).strftime("%Y-%m-%d")


def cycle_of(at: int) -> str:
    """The month that an allowance is of, such as 2022-03."""
    return _date(at).strftime("%Y-%m")


def cycle_ends(at: int) -> InstantUs:
    """When the allowance begins again."""
    date = _date(at)
    month, year = (date.month % 12) + 1, date.year + date.month // 12
    return InstantUs(int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * US_PER_S)


def refuse_unlikely(report: Report, now: int) -> None:
    """Raises Refused for a report that cannot be."""
    if not 0 <= report.sequence < 2**63:
        raise Refused(
            "usage.sequence", "sequence", "it is a whole number from 0 on", "count a terminal's reports"
        )
    if not (0 <= report.down_bytes <= MOST_BYTES and 0 <= report.up_bytes <= MOST_BYTES):
        raise Refused(
            "usage.bytes",
            "down_bytes or up_bytes",
            f"it is 0 to {MOST_BYTES}",
            "send what was used since the report before, not since the terminal was made",
        )
    if not now - OLDEST_US <= report.at <= now + AHEAD_US:
        raise Refused(
            "usage.at",
            "at",
            f"it is at most {OLDEST_US // US_PER_DAY} days ago, and not ahead of the service's clock",
            "send reports as they come; check the clock",
        )


def _date(at: int) -> datetime:
    return datetime.fromtimestamp(at // US_PER_S, UTC)
