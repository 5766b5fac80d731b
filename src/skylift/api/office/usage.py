"""Doors of usage: a terminal's reports come in, its days and its account's month come out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from skylift.api.office.documents import readable
from skylift.api.office.door import Call, Door, Parameter, answer, instant, read_as
from skylift.api.office.problems import missing
from skylift.api.office.things import IDEMPOTENCY_KEY, Answered, once
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.ports.counts import UsageDay
from skylift.ports.store import Reader, Transaction
from skylift.service.account import account as accounts
from skylift.service.account import plan as plans
from skylift.service.account.roles import Subject
from skylift.service.account.usage import Report, cycle_ends, cycle_of
from skylift.service.terminal import state as terminals
from skylift.twin.office.usage import Counted, count_usage
from skylift.twin.office.verbs import Actor

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAYS = (
    Parameter("from", "The first day, such as 2022-03-01.", {"type": "string", "format": "date"}),
    Parameter("until", "The last day.", {"type": "string", "format": "date"}),
)


@dataclass(frozen=True, slots=True)
class UsageOf:
    """One report; bytes: since the one before it. at: ISO 8601 or microseconds since 1970."""

    sequence: int
    at: int | str
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class UsageReports:
    reports: tuple[UsageOf, ...]


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    day: str
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class TerminalUsage:
    """What a terminal used, by day (UTC), as far as that was for accounts that you may know of."""

    terminal: str
    down_bytes: int
    up_bytes: int
    days: tuple[UsageOfDay, ...]


@dataclass(frozen=True, slots=True)
class UsageOfTerminal:
    terminal: str
    down_bytes: int
    up_bytes: int


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """What an account used in this month and of its plan's allowance, and by day and terminal.

    allowance_bytes  null for none;  slow_bps  what is left beyond it, null for nothing
    """

    account: str
    cycle: str
    cycle_ends: int
    used_bytes: int
    allowance_bytes: int | None
    slow_bps: float | None
    days: tuple[UsageOfDay, ...]
    terminals: tuple[UsageOfTerminal, ...]


def doors() -> list[Door]:
    """All of them."""
    terminal, account = "/api/v1/terminals/{id}/usage", "/api/v1/accounts/{id}/usage"
    return [
        Door(
            "POST",
            terminal,
            report,
            "Report what a terminal used: each report counts once, by its number.",
            "telemetry",
            {200: Counted},
            UsageReports,
            parameters=(IDEMPOTENCY_KEY,),
            id_kind="terminal",
        ),
        Door(
            "GET",
            terminal,
            of_terminal,
            "What a terminal used, by day.",
            "terminal",
            {200: TerminalUsage},
            parameters=_DAYS,
            id_kind="terminal",
            revalidates=True,
        ),
        Door(
            "GET",
            account,
            of_account,
            "What an account used this month, of its allowance.",
            "account",
            {200: AccountUsage},
            parameters=_DAYS,
            id_kind="account",
            revalidates=True,
        ),
    ]


async def report(call: Call) -> Response:
    text = await call.body()
    given: UsageReports = read_as(UsageReports, text)
    reports = [
        Report(one.sequence, instant(one.at, "field 'at'"), one.down_bytes, one.up_bytes)
        for one in given.reports
    ]
    office = call.desk.office

    def work(transaction: Transaction, actor: Actor, at: InstantUs) -> Answered:
        stored = transaction.get(terminals.ROOM, call.id)
        if stored is None:
            # Whoever may report may know that there is none.
            office.refuse_strangers(actor, "telemetry.write", Subject())
            raise missing("terminal")
        facets = terminals.ROOM.facets(stored.thing)
        subject = Subject(facets.region, facets.owner)
        if not office.allows(actor, "telemetry.write", subject):
            if not readable(office, actor, terminals.ROOM, stored.thing):
                raise missing("terminal")
            office.refuse_strangers(actor, "telemetry.write", subject)
        counted = count_usage(transaction, stored.thing, reports, at)
        return Answered(200, msgspec.json.encode(counted))

    return await once(call, text, work)


async def of_terminal(call: Call) -> Response:
    office, actor = call.desk.office, call.asker()
    first, last = _days(call)

    def work(reader: Reader) -> TerminalUsage:
        stored = reader.get(terminals.ROOM, call.id)
        if stored is None or not readable(office, actor, terminals.ROOM, stored.thing):
            raise missing("terminal")
        region = stored.thing.region
        # What it was used for before it changed hands is not its new owner's business.
        days = [
            day
            for day in reader.usage_days(terminal=call.id, from_day=first, until_day=last)
            if office.allows(actor, "terminal.read", Subject(region, day.account))
        ]
        return TerminalUsage(call.id, _down(days), _up(days), _by_day(days))

    return answer(await call.desk.read(work))


async def of_account(call: Call) -> Response:
    office, actor = call.desk.office, call.asker()
    now = call.desk.clock.now()
    first, last = _days(call)

    def work(reader: Reader) -> AccountUsage:
        stored = reader.get(accounts.ROOM, call.id)
        if stored is None or not readable(office, actor, accounts.ROOM, stored.thing):
            raise missing("account")
        chosen = reader.get(plans.ROOM, stored.thing.plan) if stored.thing.plan else None
        days = reader.usage_days(account=call.id, from_day=first, until_day=last)
        cycle = cycle_of(now)
        return AccountUsage(
            call.id,
            cycle,
            cycle_ends(now),
            reader.used_bytes(call.id, cycle),
            chosen.thing.allowance_bytes if chosen else None,
            chosen.thing.slow_bps if chosen else None,
            _by_day(days),
            _by_terminal(days),
        )

    return answer(await call.desk.read(work))


def _days(call: Call) -> tuple[str, str]:
    first, last = (call.request.query_params.get(name, "") for name in ("from", "until"))
    for name, day in (("from", first), ("until", last)):
        if day and not _DAY.fullmatch(day):
            raise Refused(
                "parameter.day", f"parameter '{name}'", "it is a day", "write for example 2022-03-13"
            )
    return first, last or "~"


def _down(days: Sequence[UsageDay]) -> int:
    return sum(day.down_bytes for day in days)


def _up(days: Sequence[UsageDay]) -> int:
    return sum(day.up_bytes for day in days)


def _by_day(days: Sequence[UsageDay]) -> tuple[UsageOfDay, ...]:
    found: defaultdict[str, list[UsageDay]] = defaultdict(list)
    for day in days:
        found[day.day].append(day)
    return tuple(UsageOfDay(day, _down(some), _up(some)) for day, some in found.items())


def _by_terminal(days: Sequence[UsageDay]) -> tuple[UsageOfTerminal, ...]:
    found: defaultdict[str, list[UsageDay]] = defaultdict(list)
    for day in days:
        found[day.terminal].append(day)
    return tuple(UsageOfTerminal(id, _down(some), _up(some)) for id, some in sorted(found.items()))
