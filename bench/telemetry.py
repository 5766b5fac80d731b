"""Telemetry: taking batches, the state of a whole fleet, and a picture of a year; the load itself is
`python -m bench.telemetry_load`."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from bench.harness import Case, Result
from bench.telemetry_fleet import ROWS_A_BATCH, batch_of, members_of
from skylift.adapters.telemetry.store import TelemetrySql
from skylift.api.telemetry.states import LastStates
from skylift.base.units import US_PER_S
from skylift.ports.telemetry import HOUR, Posted
from skylift.wire.telemetry import reading
from skylift.wire.telemetry.rows import Row
from skylift.wire.telemetry.states import encoded

YEAR_S, FLEET, TOGETHER = 365 * 86_400, 150_000, 32
# Of a year, so many rows an hour: buckets are the same, however many rows made them.
STEP_S = 300
NOW_US = 1_800_000_000 * US_PER_S


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="skylift-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _year() -> TelemetrySql:
    """A store with a year of one terminal, rolled."""
    store = TelemetrySql(f"sqlite:///{_folder() / 'year.sqlite'}")
    fill_year(store, "trm_1", NOW_US)
    return store


def fill_year(store: TelemetrySql, terminal: str, until_us: int) -> None:
    """A year of one terminal, rolled."""
    start = until_us - YEAR_S * US_PER_S
    for part in range(0, YEAR_S // STEP_S, 5000):
        rows = [
            Row(n + 1, start + n * STEP_S * US_PER_S, ping_latency_ms=30.0 + n % 17, span_s=float(STEP_S))
            for n in range(part, min(part + 5000, YEAR_S // STEP_S))
        ]
        store.take([Posted(terminal, until_us, rows)])
    while store.roll(until_us, 1000):
        pass


def _draw() -> int:
    from skylift.adapters.pictures_telemetry import draw_history

    history = _year().history("trm_1", NOW_US - YEAR_S * US_PER_S, NOW_US, HOUR)
    draw_history(_folder() / "year.png", "a year of latency", {"trm_1": history.columns})
    return len(history)


def _prepare_year() -> None:
    # Fonts and backends are looked for once, at the first picture.
    _draw()


@cache
def _states() -> LastStates:
    states = LastStates()
    states.put_all(
        (
            f"trm_{n:024d}",
            encoded(f"trm_{n:024d}", NOW_US, Row(n + 1, NOW_US - n, 9e4, 1e7, 1e6, 0.01, 40.5, 0.0)),
        )
        for n in range(FLEET)
    )
    return states


def _prepare_state() -> None:
    _states().body(b"{")


def _prepare_take() -> None:
    _incoming()


def _state() -> int:
    # Another row has just come, as it always has.
    _states().put("trm_" + "0" * 24, encoded("trm_" + "0" * 24, NOW_US, Row(1, NOW_US)))
    return sum(map(len, _states().body(b"{")))


@cache
def _incoming() -> list[bytes]:
    return [msgspec.msgpack.encode(batch_of(one, 0, NOW_US)) for one in members_of(1, 960)]


def _taker() -> Callable[[], int]:
    store = TelemetrySql(f"sqlite:///{_folder() / f'take-{time.monotonic_ns()}.sqlite'}")
    count = 0

    def take() -> int:
        nonlocal count
        count += 1
        posted = []
        for data in _incoming()[:TOGETHER]:
            batch = reading.read(data, reading.MSGPACK, NOW_US)
            rows = [
                msgspec.structs.replace(row, sequence=row.sequence + count * ROWS_A_BATCH)
                for row in batch.rows
            ]
            posted.append(Posted(batch.terminal, NOW_US, rows))
        return sum(taken.new for taken in store.take(posted))

    return take


@cache
def _take() -> Callable[[], int]:
    return _taker()


def _cpu_below(most_s: float) -> Callable[[Result], bool]:
    return lambda result: result.ours.cpu_s < most_s


def cases(seed: int) -> list[Case]:
    return [
        Case(
            "telemetry-year",
            _draw,
            None,
            "",
            "",
            None,
            "a year of one terminal drawn in < 300 ms of CPU",
            _cpu_below(0.3),
            seed,
            prepare=_prepare_year,
        ),
        Case(
            "telemetry-state",
            _state,
            None,
            "",
            "",
            None,
            "the state of 150,000 terminals put together in < 50 ms",
            lambda result: result.ours.wall_s < 0.05,
            seed,
            prepare=_prepare_state,
        ),
        Case(
            "telemetry-take",
            lambda: _take()(),
            None,
            "",
            "",
            None,
            "32 batches of 20 rows read, checked and on the disk in < 12.8 ms of CPU (0.4 ms each)",
            _cpu_below(0.0128),
            seed,
            prepare=_prepare_take,
            work=TOGETHER,
            unit="batches",
        ),
    ]
