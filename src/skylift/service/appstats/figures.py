"""What daily counts say: totals, records, shares, growth against a week of one's choice.

Days are texts like 2022-03-13 in UTC: they sort as time does. A figure that we did not count ourselves (a
rank in a store, an estimate) is imported with its source and never mixed with our counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from skylift.base.errors import Refused

WORLD = "world"
DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class Count:
    """Installs and active use of one country on one day; country: ISO 3166, or WORLD in sums."""

    country: str
    day: str
    installs: int
    active: int


@dataclass(frozen=True, slots=True)
class Imported:
    """A figure of somebody else: what it says of which country and day, and where it stands."""

    country: str
    day: str
    what: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Record:
    """The greatest number of installs on one day; ties go to the earlier."""

    country: str
    day: str
    installs: int


@dataclass(frozen=True, slots=True)
class Growth:
    """A week against another, both of seven days. ratio: nan where the other week has none."""

    country: str
    week_from: str
    against_from: str
    installs: int
    installs_against: int

    @property
    def ratio(self) -> float:
        return self.installs / self.installs_against if self.installs_against else math.nan


def with_world(counts: Iterable[Count]) -> list[Count]:
    """The counts, each country and day once, and the world's sum of each day. Raises Refused for doubles."""
    found: dict[tuple[str, str], Count] = {}
    installs: defaultdict[str, int] = defaultdict(int)
    active: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        key = (count.country, _day(count.day).isoformat())
        if key in found or count.country == WORLD:
            raise Refused(
                "appstats.twice",
                f"{count.country} on {count.day}",
                "each country has one count a day, and the world is their sum",
                "remove the row",
            )
        if min(count.installs, count.active) < 0:
            raise Refused(
                "appstats.number", f"{count.country} on {count.day}", "counts are not negative", "mend it"
            )
        found[key] = count
        installs[count.day] += count.installs
        active[count.day] += count.active
    world = [Count(WORLD, day, installs[day], active[day]) for day in installs]
    return sorted([*found.values(), *world], key=lambda count: (count.country, count.day))


def totals(counts: Iterable[Count]) -> Mapping[str, int]:
    """Installs of each country over all days."""
    sums: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        sums[count.country] += count.installs
    return dict(sums)


def records(counts: Iterable[Count]) -> Mapping[str, Record]:
    """Each country's best day so far."""
    best: dict[str, Record] = {}
    for count in sorted(counts, key=lambda count: count.day):
        before = best.get(count.country)
        if before is None or count.installs > before.installs:
            best[count.country] = Record(count.country, count.day, count.installs)
    return best


def share(counts: Sequence[Count], country: str, first_day: str, last_day: str) -> float:
    """A country's part of the world's installs between two days, both included; nan where there are none."""
    chosen = totals(c for c in counts if first_day <= c.day <= last_day)
    world = chosen.get(WORLD, 0)
    return chosen.get(country, 0) / world if world else math.nan


def growth(counts: Sequence[Count], country: str, week_from: str, against_from: str) -> Growth:
    """The seven days from one day on against the seven from another."""

    def week(first: str) -> int:
        days = {(_day(first) + timedelta(days=i)).isoformat() for i in range(DAYS_OF_WEEK)}
        there = [c for c in counts if c.country == country and c.day in days]
        if len(there) < DAYS_OF_WEEK:
            raise Refused(
                "appstats.incomplete-week",
                f"the week from {first}",
                f"{country} has counts of {len(there)} of its 7 days",
                "choose a week that was counted whole",
            )
        return sum(c.installs for c in there)

    return Growth(country, week_from, against_from, week(week_from), week(against_from))


def rank(figures: Iterable[Imported], country: str, day: str) -> Imported:
    """A rank in the stores, as somebody published it. Raises Refused where nobody did: we never guess one."""
    for figure in figures:
        if (figure.country, figure.day, figure.what) == (country, day, "rank") and figure.source:
            return figure
    raise Refused(
        "appstats.no-rank",
        f"the rank in {country} on {day}",
        "it is not known: ranks come only from imported figures with a source",
        "import one",
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("appstats.day", "a day", "it is written like 2022-03-13", "mend the row") from None
