"""Following a signal over restarts is the same as detecting in its whole recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.watch.baseline import Pinned, PinnedLive, Seasonal
from skylift.watch.detector import Outage, Rules, detect
from skylift.watch.live import Live
from skylift.watch.samples import Grid

# A day of six bins, three days of history: small, and everything happens.
STEP_US, DAY_US, DAYS = 1_000_000, 6_000_000, 3


def made(seed: int, bins: int, series: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = 1 + 0.2 * np.sin(np.arange(bins) / 6 * 2 * np.pi)[:, np.newaxis] * np.ones(series)
    values *= 1 + 0.02 * random.standard_normal(values.shape)
    for column in range(series):
        for _ in range(3):
            first = int(random.integers(0, bins))
            values[first : first + int(random.integers(1, 12)), column] *= random.uniform(0, 1.1)
    return np.where(random.uniform(size=values.shape) < 0.05, np.nan, values)


def plain(outages: list[Outage]) -> list[tuple[Any, ...]]:
    return sorted(
        (one.series, one.opened_row, one.confirmed_row, one.closed_row, one.min_fraction, one.low, one.high)
        for one in outages
    )


@pytest.mark.parametrize("pinned", [False, True])
@given(seed=st.integers(0, 999), stops=st.sets(st.integers(1, 89), max_size=5))
@settings(max_examples=12, deadline=None)
def test_stopping_anywhere_changes_nothing(pinned: bool, seed: int, stops: set[int]) -> None:
    bins, series = 90, 3
    values = made(seed, bins, series)
    grid = Grid(0, STEP_US, values)
    whole = Pinned(grid, 0, 20 * STEP_US) if pinned else Seasonal(series, STEP_US, DAY_US, DAYS)
    wanted, _ = detect(grid, whole, Rules())

    def begun() -> Live:
        baseline = PinnedLive(series, 0, 20) if pinned else Seasonal(series, STEP_US, DAY_US, DAYS)
        return Live(series, baseline, Rules())

    live, learnt = begun(), {}
    seen: dict[tuple[int, int], Outage] = {}
    # One country alone: the guard can say nothing, as detect has none.
    one = np.zeros(series, dtype=np.int64)
    for row in range(bins):
        changes = live.take(row, values[row], None, one, one)
        for outage in (*changes.opened, *changes.deepened, *changes.closed):
            seen[outage.series, outage.opened_row] = outage
        learnt[row] = live.learnt(row)
        learnt = {at: kept for at, kept in learnt.items() if at >= live.needed_from(row)}
        if row in stops:
            kept = {name: array.copy() for name, array in live.kept().items()}
            live = begun()
            live.restore(kept, learnt.items(), series)
    assert plain(list(seen.values())) == plain(wanted)


def test_a_series_that_comes_later_begins_its_own_history() -> None:
    one = np.zeros(1, dtype=np.int64)
    live = Live(1, Seasonal(1, STEP_US, DAY_US, DAYS), Rules())
    learnt = {}
    for row in range(30):
        live.take(row, np.array([1.0]), None, one, one)
        learnt[row] = live.learnt(row)
    kept = live.kept()
    live = Live(2, Seasonal(2, STEP_US, DAY_US, DAYS), Rules())
    live.restore(kept, learnt.items(), 2)
    two = np.zeros(2, dtype=np.int64)
    judged = [live.take(row, np.array([1.0, 1.0]), None, two, two).judged.tolist() for row in range(30, 60)]
    assert judged[0] == [True, False]
    assert judged.index([True, True]) == DAYS * 6


def test_when_all_countries_fall_at_once_it_is_our_prober() -> None:
    series = 10
    country = np.arange(series) % 4
    prober = np.zeros(series, dtype=np.int64)
    live = Live(series, PinnedLive(series, 0, 5), Rules())
    for row in range(5):
        live.take(row, np.ones(series), None, prober, country)
    for row in range(5, 10):
        changes = live.take(row, np.zeros(series), None, prober, country)
        assert changes.own.all()
        assert changes.opened == ()
    # One country alone that falls is believed.
    for row in range(10, 12):
        changes = live.take(row, np.where(country == 1, 0.1, 1.0), None, prober, country)
    assert [one.series for one in changes.opened] == np.flatnonzero(country == 1).tolist()


def test_samples_with_and_without_counts_stand_side_by_side() -> None:
    two = np.zeros(2, dtype=np.int64)
    live = Live(2, PinnedLive(2, 0, 3), Rules())
    for row in range(5):
        level = 0.9 if row < 3 else 0.6
        # Of ten that are asked, six may answer by chance; of the other nobody said how many.
        changes = live.take(row, np.full(2, level), np.array([10.0, np.nan]), two, two)
    assert [one.series for one in changes.opened] == [1]
