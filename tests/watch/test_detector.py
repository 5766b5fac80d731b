"""Detection against brute force, on recorded outages, and on what real recordings do wrong."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.watch.baseline import Noise, Pinned, Seasonal
from skylift.watch.detector import Rules, detect, why_unjudged
from skylift.watch.hysteresis import Hysteresis, Patience
from skylift.watch.samples import Grid

HOUR_US = 3_600 * 1_000_000


def grid(values: object, targets: object = None, step_us: int = HOUR_US) -> Grid:
    asked = None if targets is None else np.asarray(targets, dtype=float)
    return Grid(0, step_us, np.asarray(values, dtype=float), asked)


def plain_runs(levels: list[float]) -> list[tuple[int, int, int | None]]:
    """The rule once more, as one reads it aloud: (opened, confirmed, closed) of one series."""
    events: list[tuple[int, int, int | None]] = []
    is_open, run = False, []
    for row, level in enumerate(levels):
        if np.isnan(level):
            continue
        if (level > 0.9) if is_open else (level < 0.8):
            run.append(row)
        else:
            run = []
        if not is_open and len(run) == 2:
            events.append((run[0], row, None))
            is_open, run = True, []
        elif is_open and len(run) == 3:
            opened, confirmed, _ = events[-1]
            events[-1] = (opened, confirmed, run[0])
            is_open, run = False, []
    return events


levels = st.one_of(st.floats(0, 1.5), st.sampled_from([0.8, 0.9, 0.79, 0.91, float("nan")]))


@given(st.lists(levels, max_size=60))
@settings(max_examples=300)
def test_opens_and_closes_as_the_rule_reads(series: list[float]) -> None:
    whole = grid([[1.0]] * 3 + [[level] for level in series])
    found, _ = detect(whole, Pinned(whole, 0, 3 * HOUR_US), Rules())
    assert [
        (one.opened_row - 3, one.confirmed_row - 3, None if one.closed_row is None else one.closed_row - 3)
        for one in found
    ] == plain_runs(series)


@given(st.lists(st.lists(levels, min_size=3, max_size=3), max_size=40))
def test_series_do_not_touch_each_other(rows: list[list[float]]) -> None:
    together = grid([[1.0] * 3] * 3 + rows)
    found, _ = detect(together, Pinned(together, 0, 3 * HOUR_US), Rules())
    for series in range(3):
        alone = Grid(0, HOUR_US, together.values[:, series : series + 1])
        expected, _ = detect(alone, Pinned(alone, 0, 3 * HOUR_US), Rules())
        mine = [one for one in found if one.series == series]
        assert [(a.opened_row, a.closed_row, a.min_fraction) for a in mine] == [
            (b.opened_row, b.closed_row, b.min_fraction) for b in expected
        ]


def test_the_least_fraction_is_of_this_outage_alone() -> None:
    whole = grid([[1.0]] * 3 + [[x] for x in (0.1, 1, 1, 0.5, 0.4, 1, 1, 1, 0.7, 0.6, 1, 1, 1)])
    found, _ = detect(whole, Pinned(whole, 0, 3 * HOUR_US), Rules())
    assert [(one.opened_row, one.min_fraction, one.band) for one in found] == [
        (6, 0.4, "major"),
        (11, 0.6, "warning"),
    ]


def test_a_long_silence_forgets_a_run_that_has_begun_but_closes_nothing() -> None:
    patience = Patience(forget_bins=4)
    one = Hysteresis(1, patience)
    yes, no = np.array([True]), np.array([False])
    one.step(0, yes, no, yes)
    for row in range(1, 6):
        one.step(row, no, no, no)
    assert not one.step(6, yes, no, yes).opened[0]
    assert one.step(7, yes, no, yes).opened[0]
    for row in range(8, 40):
        one.step(row, no, no, no)
    assert one.open[0]


def diurnal(days: int, swing: float, seed: int, noise: float = 0.03) -> np.ndarray:
    hours = np.arange(days * 24)
    random = np.random.default_rng(seed)
    shape = 1 - swing * (0.5 + 0.5 * np.cos(hours / 24 * 2 * np.pi))
    return np.asarray(shape * (1 + noise * random.standard_normal(hours.size)) * 1000)


@pytest.mark.parametrize("swing", [0.05, 0.4, 0.6])
def test_the_time_of_day_is_ordinary_and_an_outage_in_it_is_not(swing: float) -> None:
    level = diurnal(14, swing, seed=3)
    level[240:244] *= 0.5
    whole = grid(level[:, np.newaxis])
    found, unjudged = detect(whole, Seasonal(1, HOUR_US, 24 * HOUR_US, 7), Rules())
    assert [(one.opened_row, one.closed_row) for one in found] == [(240, 244)]
    assert not unjudged[0]
    assert 0.4 < found[0].min_fraction < 0.6
    assert found[0].low <= found[0].min_fraction <= found[0].high


def test_under_a_week_nothing_is_judged() -> None:
    level = diurnal(7, 0.3, seed=4)
    level[100:110] = 0
    found, unjudged = detect(grid(level[:-1, np.newaxis]), Seasonal(1, HOUR_US, 24 * HOUR_US, 7), Rules())
    assert found == []
    assert unjudged[0]


def test_an_outage_of_three_days_does_not_become_the_ordinary() -> None:
    level = diurnal(21, 0.3, seed=5)
    level[200:272] *= 0.3
    found, _ = detect(grid(level[:, np.newaxis]), Seasonal(1, HOUR_US, 24 * HOUR_US, 7), Rules())
    assert [(one.opened_row, one.closed_row) for one in found] == [(200, 272)]


def test_a_first_week_with_three_days_of_outage_still_gives_a_baseline() -> None:
    level = diurnal(14, 0.3, seed=6)
    level[24:96] *= 0.1
    found, _ = detect(grid(level[:, np.newaxis]), Seasonal(1, HOUR_US, 24 * HOUR_US, 7), Rules())
    assert found == []


def test_a_new_level_is_taken_after_a_whole_week_of_it() -> None:
    level = diurnal(40, 0.2, seed=7)
    level[300:] *= 0.5
    found, _ = detect(grid(level[:, np.newaxis]), Seasonal(1, HOUR_US, 24 * HOUR_US, 7), Rules())
    assert [one.opened_row for one in found] == [300]
    closed = found[0].closed_row
    assert closed is not None
    assert 300 + 7 * 24 < closed < 300 + 14 * 24


@pytest.mark.parametrize(("asked", "opens"), [(20, False), (1000, True)])
def test_a_small_sample_opens_nothing_that_chance_can_do(asked: int, opens: bool) -> None:
    # Half of the targets answer on ordinary days; 7 of 20 is no news, 350 of 1,000 is.
    share = [0.5] * 5 + [0.35, 0.35, 0.35]
    whole = grid([[s] for s in share], [[asked]] * len(share))
    found, _ = detect(whole, Pinned(whole, 0, 5 * HOUR_US), Rules())
    assert bool(found) is opens


def test_a_sample_too_small_for_any_verdict_is_not_judged() -> None:
    share = [0.5] * 5 + [0.0] * 5
    whole = grid([[s] for s in share], [[5]] * len(share))
    found, unjudged = detect(whole, Pinned(whole, 0, 5 * HOUR_US), Rules())
    assert found == []
    assert unjudged[0]


def test_what_was_always_down_cannot_be_judged() -> None:
    whole = grid([[0.0]] * 20)
    found, unjudged = detect(whole, Pinned(whole, 0, 5 * HOUR_US), Rules())
    assert found == []
    assert unjudged[0]


def test_every_series_is_told_why_it_was_not_judged() -> None:
    """Five that cannot be and one that can, beside each other: each by its own reason."""
    random = np.random.default_rng(8)
    level = diurnal(10, 0.1, seed=8)
    young, dark = level.copy(), np.zeros(240)
    young[:100] = np.nan
    # Seen in a third of the days, so that no time of day has the four that a median of seven takes.
    seldom = np.where(np.arange(240) // 24 % 3 == 0, level, np.nan)
    wild = np.abs(1 + 0.8 * random.standard_normal(240)) * 1000
    values = np.column_stack((level, young, seldom, dark, wild, level / 2)) / 1000
    asked = np.full(values.shape, 1000.0)
    asked[:, 5] = 2
    whole, baseline = grid(values, asked), Seasonal(6, HOUR_US, 24 * HOUR_US, 7)
    _, unjudged = detect(whole, baseline, Rules())
    told = dict(why_unjudged(whole, baseline, Rules(), unjudged))
    assert sorted(told) == [1, 2, 3, 4, 5]
    for series, words in enumerate(
        ("under 7 whole", "too few samples", "down all", "restless", "few were asked"), 1
    ):
        assert words in told[series]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0] * 20, "down all"),
        ([np.nan] * 20, "too few"),
        ([1.0] * 5 + [np.nan] * 15, "nothing was measured"),
    ],
)
def test_a_pinned_level_that_nobody_can_judge_by_is_told(values: list[float], words: str) -> None:
    whole = grid([[value] for value in values])
    baseline = Pinned(whole, 0, 5 * HOUR_US)
    _, unjudged = detect(whole, baseline, Rules())
    [(_, told)] = why_unjudged(whole, baseline, Rules(), unjudged)
    assert words in told


def recorded(path: Path) -> dict[tuple[str, str], list[tuple[int, float]]]:
    series = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series[row["name_1"], row["name_2"]].append((int(row["time_e_utc"]), float(row["connectivity"])))
    return series


def test_a_recorded_hurricane_as_plain_python_reads_it(shared_data: Path) -> None:
    """Every county once by the lines above, once by the detector."""
    from skylift.adapters.outage_files import read_recording
    from skylift.watch.recording import Declared

    path = shared_data / "outages" / "hurricane-laura_2020-08.csv"
    declared = Declared("time_e_utc", "UTC", "connectivity", ("name_1", "name_2"), 10)
    recording = read_recording(path, declared)
    start = 1_598_227_200  # 2020-08-24T00:00Z, the first stamp
    end = 1_598_486_400  # 2020-08-27T00:00Z
    assert recording.grid.start_us == start * 1_000_000
    found, unjudged = detect(
        recording.grid, Pinned(recording.grid, start * 1_000_000, end * 1_000_000), Rules()
    )
    assert not unjudged.any()
    ours = defaultdict(list)
    for one in found:
        ours[recording.entities[one.series]].append((one.opened_row, one.confirmed_row, one.closed_row))
    first = (end - start) // 3600
    for name, samples in recorded(path).items():
        window = statistics.median(value for at, value in samples if at < end)
        by_row = {(at - start) // 3600: value / window for at, value in samples if at >= end}
        plain = plain_runs([by_row.get(row, float("nan")) for row in range(first, recording.grid.bins)])
        shifted = [(a + first, b + first, None if c is None else c + first) for a, b, c in plain]
        assert ours["/".join(name)] == shifted


def test_noise_is_told_from_hours_trends_and_shifts() -> None:
    """Its standard deviation comes out, whatever else the series does."""
    days, periods, rows = 30, 7, 24
    hour = np.arange(days * rows)
    swing = 1 + 0.3 * np.cos(hour / rows * 2 * np.pi)
    leaving, shifted = np.exp(-hour / 1000), np.where(hour < 400, 1.0, 0.6)
    shapes = (np.ones(hour.size), swing, swing * leaving, swing * shifted)
    for deviation in (0.02, 0.1):
        normal = np.random.default_rng(5).standard_normal((hour.size, len(shapes)))
        values = np.stack(shapes, axis=1) * (1 + deviation * normal)
        noise = Noise(len(shapes), periods * rows, rows)
        quiet = np.zeros(len(shapes), dtype=np.bool_)
        noise.take(values[0], np.full(len(shapes), np.nan), quiet)
        assert np.isnan(noise.deviation()).all()
        for row in range(rows, hour.size):
            noise.take(values[row], values[row - rows], quiet)
        assert noise.deviation() == pytest.approx([deviation] * len(shapes), rel=0.15)


def test_a_restless_series_is_not_low_by_what_it_does_anyway() -> None:
    """Nothing happens in 14 restless days but a fall to half on the 12th."""
    rows, first = 144, 12 * 144
    normal = np.random.default_rng(7).standard_normal((14 * rows, 6))
    values = 1 + 0.1 * normal
    values[first : first + 12] *= 0.5
    step_us = HOUR_US // 6
    outages, _ = detect(grid(values, step_us=step_us), Seasonal(6, step_us, 24 * HOUR_US, 7), Rules())
    assert {(one.series, one.opened_row) for one in outages if one.opened_row == first} == {
        (series, first) for series in range(6)
    }
    assert len(outages) <= 7
    # One that may fall to nothing by itself is not judged at all.
    wild = np.abs(1 + 0.6 * normal)
    _, unjudged = detect(grid(wild, step_us=step_us), Seasonal(6, step_us, 24 * HOUR_US, 7), Rules())
    assert unjudged.all()
