"""Uses of the app, counted without knowing whose; and what the counts say.

The app tells once a day that it is used, with a number that it makes at random, and its country. A keyed hash
of the number is in memory until the day ends, so that a use that is told twice counts once. The key is made
for this country and day, is written nowhere, and is thrown away with the day. What is written are two counts.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby

from starlette.responses import Response

from skylift.api.office.desk import Desk
from skylift.api.office.door import Call, Door, Parameter, answer, read_as
from skylift.api.office.shapes import Done
from skylift.base.errors import Refused, Unavailable
from skylift.base.labels import country as read_country
from skylift.base.units import US_PER_S
from skylift.ports.counts import AppDay
from skylift.ports.store import Reader, Transaction, Wanted
from skylift.service.account.attempts import Attempts
from skylift.service.account.roles import Subject
from skylift.service.account.usage import day_of
from skylift.service.appstats.counting import KEY_BYTES, DayOfUse
from skylift.service.appstats.figures import (
    DAYS_OF_WEEK,
    WORLD,
    Count,
    Growth,
    Imported,
    growth,
    records,
    share,
    totals,
    with_world,
)
from skylift.service.appstats.state import ROOM, FigureState
from skylift.twin.office.pages import every

# Many telephones share one address of their network: a thousand at once, then ten a second.
PER_ADDRESS_BURST, PER_ADDRESS_EVERY_US = 1_000, US_PER_S // 10
# 8 bytes each and their set: some 500 MB.
MOST_USES_A_DAY = 5_000_000
SWEEP_EVERY_S = 60.0
_NUMBER = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_COUNTRY = Parameter("country", "ISO 3166, or `world`.")


@dataclass(frozen=True, slots=True)
class AppUse:
    """number: 16 to 64 letters and digits, made at random for this day; first_ever: the app is new here."""

    country: str
    number: str
    first_ever: bool = False


@dataclass(frozen=True, slots=True)
class AppCount:
    country: str
    day: str
    installs: int
    active: int


@dataclass(frozen=True, slots=True)
class AppCounts:
    """Counts of our own, by country and day (UTC); `world` is their sum."""

    items: tuple[AppCount, ...]


@dataclass(frozen=True, slots=True)
class AppRecord:
    day: str
    installs: int


@dataclass(frozen=True, slots=True)
class AppGrowth:
    """ratio: of installs of a week to those of the other; null where that had none."""

    week_from: str
    against_from: str
    installs: int
    installs_against: int
    ratio: float | None


@dataclass(frozen=True, slots=True)
class AppFigure:
    """A figure of somebody else: what it counts (rank, installs, active), and who says so."""

    day: str
    what: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class AppSummary:
    """installs, active: of the chosen days together; share: of the world's installs in them, null for none.

    record   the day with most installs, ever;  growth  where two weeks were named
    figures  of others, each with its source; a rank that nobody published is not known
    """

    country: str
    from_day: str
    until_day: str
    installs: int
    active: int
    share: float | None
    record: AppRecord | None
    growth: AppGrowth | None
    figures: tuple[AppFigure, ...]


class AppStats:
    """The doors, and what is in memory of the day."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._days: dict[tuple[str, str], DayOfUse] = {}
        self._per_address = Attempts("uses from this address", PER_ADDRESS_BURST, PER_ADDRESS_EVERY_US)
        self._sweeping: asyncio.TimerHandle | None = None

    def doors(self) -> list[Door]:
        """All of them."""
        days = (
            Parameter("from", "The first day, such as 2022-03-01.", {"type": "string", "format": "date"}),
            Parameter("until", "The last day; today without it.", {"type": "string", "format": "date"}),
        )
        weeks = (
            Parameter("week", "The first day of a week.", {"type": "string", "format": "date"}),
            Parameter(
                "against", "The first day of the week to compare.", {"type": "string", "format": "date"}
            ),
        )
        return [
            Door(
                "POST",
                "/api/v1/appstats/uses",
                self.use,
                "The app is used today: counted once, and nothing of whom. For the app; it takes no login.",
                "appstats",
                {202: Done},
                AppUse,
                open_to_all=True,
            ),
            Door(
                "GET",
                "/api/v1/appstats",
                self.counts,
                "Installs and active use of the app by country and day.",
                "appstats",
                {200: AppCounts},
                parameters=(_COUNTRY, *days),
                revalidates=True,
            ),
            Door(
                "GET",
                "/api/v1/appstats/summary",
                self.summary,
                "Record, share of the world and growth of a country, and what others published of it.",
                "appstats",
                {200: AppSummary},
                parameters=(_COUNTRY, *days, *weeks),
                revalidates=True,
            ),
        ]

    # --- counting

    async def use(self, call: Call) -> Response:
        self._per_address.take(call.address, time.monotonic_ns() // 1000)
        given: AppUse = read_as(AppUse, await call.body())
        country = read_country(given.country, "appstats")
        if not _NUMBER.fullmatch(given.number):
            raise Refused(
                "appstats.token",
                "number",
                "it is 16 to 64 letters, digits, - and _",
                "make it anew each day, at random",
            )
        day = self._day_of_use(country)
        number = given.number.encode()
        installs, active = raised = day.used(number, given.first_ever)
        if installs or active:
            try:
                await self._desk.write(lambda t: _add(t, AppDay(country, day.day, installs, active)))
            except BaseException:
                day.take_back(number, raised)
                raise
        # The same whether it was new: nobody learns who else is counted.
        return answer(Done(), 202)

    def _day_of_use(self, country: str) -> DayOfUse:
        self._sweep()
        today = day_of(self._desk.clock.now())
        found = self._days.get((country, today))
        if found is None:
            found = DayOfUse(country, today, secrets.token_bytes(KEY_BYTES))
            self._days[country, today] = found
        if sum(day.active for day in self._days.values()) >= MOST_USES_A_DAY:
            raise Unavailable(
                "appstats.full", "today's count", "more uses than can be told apart", "come back tomorrow"
            )
        return found

    def _sweep(self) -> None:
        """Throw away the days that are over, with their keys; look again as long as there are any."""
        today = day_of(self._desk.clock.now())
        for key in [key for key in self._days if key[1] != today]:
            del self._days[key]
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_EVERY_S, self._swept)

    def _swept(self) -> None:
        self._sweeping = None
        if self._days:
            self._sweep()

    # --- what the counts say

    async def counts(self, call: Call) -> Response:
        found, first, last = await self._counts(call)
        country = call.request.query_params.get("country", "")
        return answer(
            AppCounts(
                tuple(
                    AppCount(one.country, one.day, one.installs, one.active)
                    for one in found
                    if first <= one.day <= last and country in ("", one.country)
                )
            )
        )

    async def summary(self, call: Call) -> Response:
        found, first, last = await self._counts(call)
        query = call.request.query_params
        country = query.get("country") or WORLD
        week, against = query.get("week"), query.get("against")
        if (week is None) is not (against is None):
            raise Refused(
                "parameter.week", "week and against", "one goes with the other", "give both, or none"
            )
        grown = None if week is None or against is None else _growth(found, country, week, against)
        chosen = [one for one in found if first <= one.day <= last]
        best = records(found).get(country)
        figures = await self._desk.read(lambda reader: published(reader, country))
        shared = share(chosen, country, first, last)
        return answer(
            AppSummary(
                country,
                first,
                last,
                totals(chosen).get(country, 0),
                sum(one.active for one in chosen if one.country == country),
                None if math.isnan(shared) else shared,
                None if best is None or not best.installs else AppRecord(best.day, best.installs),
                grown,
                tuple(AppFigure(one.day, one.what, one.value, one.source) for one in figures),
            )
        )

    async def _counts(self, call: Call) -> tuple[list[Count], str, str]:
        """All counts, days without any use as 0; the first and the last day that were asked for."""
        self._desk.office.refuse_strangers(call.asker(), "appstats.read", Subject())
        query = call.request.query_params
        today = day_of(self._desk.clock.now())
        given = [query.get(name) for name in ("from", "until", "week", "against")]
        for day in given:
            _refuse_no_day(day)
        rows = await self._desk.read(lambda reader: reader.app_days("", today))
        first = min((row.day for row in rows), default=today)
        return with_world(whole_days(rows, today)), given[0] or first, given[1] or today


def whole_days(rows: Sequence[AppDay], today: str) -> list[Count]:
    """Every day from the first that was counted anywhere: on the others nobody used it there."""
    if not rows:
        return []
    first, last = date.fromisoformat(min(row.day for row in rows)), date.fromisoformat(today)
    days = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    found: list[Count] = []
    for country, some in groupby(rows, key=lambda row: row.country):
        by_day = {row.day: row for row in some}
        nothing = AppDay(country, "", 0, 0)
        for day in days:
            row = by_day.get(day, replace(nothing, day=day))
            found.append(Count(country, day, row.installs, row.active))
    return found


def published(reader: Reader, country: str) -> list[Imported]:
    """What others say of a country, by day."""
    wanted = Wanted(status=FigureState.IMPORTED.value, words=(country,))
    found = [stored.thing.as_imported() for stored in every(reader, ROOM, wanted)]
    return sorted((one for one in found if one.country == country), key=lambda one: (one.day, one.what))


def _growth(found: Sequence[Count], country: str, week: str, against: str) -> AppGrowth:
    known = {one.day for one in found}
    for first in (week, against):
        days = [(date.fromisoformat(first) + timedelta(days=n)).isoformat() for n in range(DAYS_OF_WEEK)]
        missing = [day for day in days if day not in known]
        if missing:
            raise Refused(
                "appstats.incomplete-week",
                f"the week from {first}",
                f"{len(missing)} of its days were not counted",
                "choose weeks that were counted whole",
            )
    grown = _of_those_that_use_it(found, country, week, against)
    ratio = grown.ratio
    return AppGrowth(
        week, against, grown.installs, grown.installs_against, None if math.isnan(ratio) else ratio
    )


def _of_those_that_use_it(found: Sequence[Count], country: str, week: str, against: str) -> Growth:
    if any(one.country == country for one in found):
        return growth(found, country, week, against)
    return Growth(country, week, against, 0, 0)


def _add(transaction: Transaction, use: AppDay) -> None:
    transaction.add_app_use(use)


def _refuse_no_day(text: str | None) -> None:
    try:
        if text is None or date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    raise Refused("parameter.day", "a parameter", "it is a day", "write for example 2022-03-13")
