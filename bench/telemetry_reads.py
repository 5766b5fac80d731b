"""Telemetry as it is read: the health of 150,000 dishes, and how many were online."""

from __future__ import annotations

import asyncio
import atexit
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import h3
import httpx
import numpy as np

from bench.harness import Case, Result
from bench.telemetry import YEAR_S, fill_year
from bench.telemetry_fleet import enrol_all, members_of
from bench.telemetry_load import token_of
from bench.telemetry_services import Service, cpu_s
from skylift.adapters.sql.store import SqlStore
from skylift.adapters.telemetry import heard
from skylift.adapters.telemetry.store import TelemetrySql, telemetry_file_in
from skylift.api.telemetry.followed import Radios
from skylift.api.telemetry.health import Judged, verdicts
from skylift.api.telemetry.intake import Intake
from skylift.api.telemetry.places import Places
from skylift.api.telemetry.states import LastStates
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.ports.telemetry import Posted
from skylift.service.account.roles import Subject
from skylift.service.command.kinds import CommandKind
from skylift.service.command.state import Command, CommandState
from skylift.service.permission.decision import TerminalFacts
from skylift.twin.office.known import Known
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import encoded

FLEET = 150_000
LATER = 10
NOW_US = 1_800_000_000 * US_PER_S
SPAN_US, STEP_US = 15 * US_PER_S, 600 * US_PER_S
WEEK = 7


class _Facts:
    """What the office knows, asked as a service asks it, on a thread."""

    def __init__(self, known: Known) -> None:
        self._known = known

    async def ask(self, work: Callable[[Known, object, int], Any]) -> Any:
        return await asyncio.to_thread(work, self._known, None, 0)


class _Clock:
    """It stands still until it is set."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def now(self) -> int:
        return self.now_us


def name_of(number: int) -> str:
    return f"trm_{number:024d}"


def known_fleet(count: int) -> Known:
    """Terminals over some 400 areas of Europe, in 20 regions."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(49.0, 31.0, 5), 80))
    known = Known()
    for number in range(count):
        known.terminals[name_of(number)] = TerminalFacts("acc_1", home_cell=cells[number % len(cells)])
        known.subjects[name_of(number)] = Subject(f"rgn_{number % 20}", "acc_1")
    return known


@cache
def _fleet() -> Intake:
    """As much of an intake as health asks: every terminal has posted 20 rows within the last 5 minutes."""
    states = LastStates()
    for number in range(FLEET):
        received_us = NOW_US - number % 300 * US_PER_S
        rows = [Row(n + 1, received_us - (19 - n) * SPAN_US, state="connected") for n in range(20)]
        states.put(name_of(number), encoded(name_of(number), received_us, rows[-1]), rows)
    # As a service with a large fleet does.
    gc.freeze()
    desk = SimpleNamespace(facts=_Facts(known_fleet(FLEET)), clock=_Clock())
    return cast(
        Intake, SimpleNamespace(desk=desk, states=states, places=Places(), radios=_radios(), store=None)
    )


def _radios() -> Radios:
    """A hundred dishes were told to switch off: nothing comes after that."""
    radios = Radios(cast(SqlStore, SimpleNamespace(head=lambda: (None, b""))))
    for number in range(100):
        issued_us = InstantUs(NOW_US - 60 * US_PER_S)
        radios.take(
            Command(
                f"cmd_{number}",
                CommandState.ISSUED,
                name_of(number),
                1,
                CommandKind.RF_INHIBIT,
                issued_at=issued_us,
            )
        )
    return radios


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all calls, as a service has. A Runner would write out each result to look after a signal."""
    return asyncio.new_event_loop()


def _health(after_us: int) -> Callable[[], object]:
    def go() -> Judged:
        intake = _fleet()
        cast(_Clock, intake.desk.clock).now_us = NOW_US + after_us
        return _loop().run_until_complete(verdicts(intake))

    return go


@cache
def _heard() -> TelemetrySql:
    """A store that heard of FLEET terminals for eight days before NOW_US, each bin of 99 in 100 of them.

    Rows themselves would be seven thousand million: each terminal has one, and the bits are put beside it.
    """
    folder = Path(tempfile.mkdtemp(prefix="skylift-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = TelemetrySql(f"sqlite:///{folder / 'heard.sqlite'}")
    for start in range(0, FLEET, 1000):
        names = map(name_of, range(start, start + 1000))
        store.take([Posted(name, NOW_US, [Row(1, NOW_US, state="connected")]) for name in names])
    last = NOW_US // heard.BIN_US
    dice = np.random.default_rng(1)
    marks = np.empty((FLEET, 3), np.int64)
    marks[:, 1], marks[:, 2] = np.arange(1, FLEET + 1), heard.HEARD | heard.UP | heard.WANTED
    with store.database.writing() as session:
        for bin in range(last - heard.BINS_A_DAY, last):
            marks[:, 0] = bin
            heard.put(session, marks[dice.random(FLEET) > 0.01])
        for table, time, of_day in (("heard", "bin", heard.BINS_A_DAY), ("newest", "day", 1)):
            for day in range(1, WEEK + 1):
                session.run(
                    f"INSERT INTO telemetry_{table} SELECT page, {time} - {day * of_day}, bits FROM"
                    f" telemetry_{table} WHERE {time} >= ? ON CONFLICT DO NOTHING",
                    ((last // heard.BINS_A_DAY - 1) if of_day == 1 else last - of_day,),
                )
    return store


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    """As a service keeps them while nothing about terminals changes."""
    return {name_of(number): (f"rgn_{number % 20}",) for number in range(FLEET)}


def _online(steps: int) -> Callable[[], int]:
    def count() -> int:
        end_us = NOW_US // STEP_US * STEP_US
        return len(_heard().online(_groups(), (end_us - steps * STEP_US, end_us), STEP_US, 20))

    return count


def _prepare_heard() -> None:
    _heard()


@cache
def _pictures() -> Callable[[], bytes]:
    """A running service with a year of one terminal, and who asks it for the picture of all of it."""
    folder = Path(tempfile.mkdtemp(prefix="skylift-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    until_us = time.time_ns() // 1000
    [one] = members_of(1, 1)
    enrol_all(f"sqlite:///{folder / 'skylift.sqlite'}", [one], until_us)
    store = TelemetrySql(f"sqlite:///{telemetry_file_in(folder)}")
    fill_year(store, one.terminal, until_us)
    store.close()
    service = Service(folder, 8_598, None)
    atexit.register(service.end)
    service.start()
    token = token_of(service)
    client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30.0)
    url = (
        f"http://127.0.0.1:{service.port}/api/v1/terminals/{one.terminal}/history"
        f"?format=png&level=1h&from={until_us - YEAR_S * US_PER_S}"
    )

    def get() -> bytes:
        answer = client.get(url)
        answer.raise_for_status()
        return answer.content

    assert service.process is not None
    began_s = time.perf_counter()
    get()
    first_ms = 1000 * (time.perf_counter() - began_s)
    before_s = cpu_s(service.process.pid)
    for _ in range(LATER):
        get()
    later_ms = 1000 * (cpu_s(service.process.pid) - before_s) / LATER
    print(f"the first picture since its start: {first_ms:.0f} ms by the clock", file=sys.stderr)
    print(f"each later one: {later_ms:.0f} ms of the service's CPU", file=sys.stderr)
    return get


def _prepare_pictures() -> None:
    _pictures()


def _by_the_clock(most_s: float) -> Callable[[Result], bool]:
    def ok(result: Result) -> bool:
        print(f"{1000 * result.ours.wall_s:.0f} ms by the clock", file=sys.stderr)
        return result.ours.wall_s < most_s

    return ok


def _prepare_fleet() -> None:
    _fleet()


def cases(seed: int) -> list[Case]:
    return (
        [
            Case(
                f"telemetry-health{name}",
                _health(after_us),
                None,
                "",
                "",
                None,
                f"health of 150,000 dishes{words} in < 0.5 s of CPU",
                lambda result: result.ours.cpu_s < 0.5,
                seed,
                prepare=_prepare_fleet,
            )
            for name, after_us, words in (("", 0, ""), ("-silent", 3_600 * US_PER_S, ", all silent,"))
        ]
        + [
            Case(
                f"telemetry-online{name}",
                _online(steps),
                None,
                "",
                "",
                None,
                f"who of 150,000 dishes was online in {words} of ten minutes in < 0.3 s of CPU",
                lambda result: result.ours.cpu_s < 0.3,
                seed,
                prepare=_prepare_heard,
            )
            for name, steps, words in (("", 2, "two bins"), ("-day", 144, "a day's 144 bins"))
        ]
        + [
            Case(
                "telemetry-year-waited",
                lambda: _pictures()(),
                None,
                "",
                "",
                None,
                "GET of a year's picture from a running service in < 300 ms by the clock",
                _by_the_clock(0.3),
                seed,
                # The service draws beside whoever waits.
                threads=2,
                prepare=_prepare_pictures,
            ),
        ]
    )
