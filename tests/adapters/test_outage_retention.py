"""A monitor over months: what was judged is kept for weeks, then by hours, and the store does not grow."""

from __future__ import annotations

import csv
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skylift.adapters.outage_monitor import Monitor
from skylift.adapters.outage_store import KEPT_DAYS, ROLLED_DAYS, OutageStore
from skylift.cli.main import app
from skylift.ports.probes import Measured, Sample, Signal
from tests.adapters.test_outage_monitor import BASELINE, Fixed

STEP_US = 1_800_000_000
DAY_BINS = 48
START = 1_600_000_000_000_000 // (86_400_000_000) * DAY_BINS
SIGNAL = Signal("ping", "test", STEP_US, 1.0)
PLACES = [Measured("region", name, "UA") for name in ("A", "B")]
DAYS = 90
# A falls on the fifteenth day and on the eightieth.
DOWN = {(0, day * DAY_BINS + bin) for day in (15, 80) for bin in range(10, 16)}


def day_of(number: int) -> list[Sample]:
    return [
        Sample((START + bin) * STEP_US, place, 0.1 if (series, bin) in DOWN else 0.5 + 0.1 * (bin % 2))
        for bin in range(number * DAY_BINS, (number + 1) * DAY_BINS)
        for series, place in enumerate(PLACES)
    ]


def followed(path: Path, days: range) -> list[dict[str, object]]:
    store = OutageStore(path)
    try:
        monitor = Monitor(store, BASELINE)
        for number in days:
            until_us = (START + (number + 1) * DAY_BINS) * STEP_US
            monitor.gather(Fixed(day_of(number), until_us, SIGNAL), until_us)
            monitor.judge()
        return monitor.events()
    finally:
        store.close()


def rows(path: Path, table: str) -> int:
    with sqlite3.connect(path) as db:
        return int(db.execute(f"select count(*) from {table}").fetchone()[0])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("months") / "s.sqlite"
    followed(found, range(50))
    return found


def test_the_store_does_not_grow_and_no_outage_is_lost(path: Path) -> None:
    size = rows(path, "sample")
    assert size <= (KEPT_DAYS + 1) * DAY_BINS * len(PLACES)
    events = followed(path, range(50, DAYS))
    assert (rows(path, "sample"), rows(path, "learnt")) == (size, 7 * DAY_BINS)
    assert [one["entity"] for one in events] == ["A", "A"]
    # Both are as they would be had nothing been forgotten.
    assert [one["min_fraction"] for one in events] == [0.1667, 0.1667]
    assert rows(path, "rolled") == (DAYS - KEPT_DAYS) * 24 * len(PLACES)


def test_what_is_forgotten_comes_too_late_when_it_comes_again(path: Path) -> None:
    store = OutageStore(path)
    try:
        put = store.put(SIGNAL, Fixed(day_of(3), 0, SIGNAL).gather(0, 0), (START + 10**5) * STEP_US)
    finally:
        store.close()
    assert (put.new, len(put.left)) == (0, 2 * DAY_BINS)
    assert {one.reason for one in put.left} == {"too late: its bin has been judged"}


def test_hours_are_told_of_all_that_was(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "hours.csv"
    result = CliRunner().invoke(app, ["outages", "export", "--store", str(path), "-o", str(out)])
    assert result.exit_code == 0, result.output
    found = list(csv.DictReader(out.open()))
    assert len(found) % (24 * len(PLACES)) == 0
    assert len(found) >= 50 * 24 * len(PLACES)
    assert {(row["mean"], row["least"], row["samples"]) for row in found if row["entity"] == "B"} == {
        ("0.55", "0.5", "2")
    }
    assert [row["least"] for row in found if row["entity"] == "A"].count("0.1") >= 3
    assert out.stat().st_mode & 0o077 == 0


def test_very_old_hours_go(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    followed(path, range(2))
    store = OutageStore(path)
    try:
        [known] = store.signals()
        years = (known.judged or 0) + (ROLLED_DAYS + KEPT_DAYS) * DAY_BINS
        assert store.tidy(replace(known, judged=years)) == 2 * DAY_BINS * len(PLACES)
        assert list(store.hours()) == []
    finally:
        store.close()
