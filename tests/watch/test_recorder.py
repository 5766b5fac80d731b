"""What was ordinary, bin by bin, as pictures show it: against plain medians, and untouched verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from skylift.base.errors import Refused
from skylift.study.outages import detect_outages, traced, worst_series
from skylift.watch.baseline import Pinned, Seasonal
from skylift.watch.detector import Recorder, Rules, detect
from skylift.watch.recording import PinnedRule, SeasonalRule
from skylift.watch.samples import Grid

HOUR_US = 3_600 * 1_000_000


def week_and_more(seed: int, series: int = 3) -> Grid:
    random = np.random.default_rng(seed)
    values = 100 * (1 + 0.05 * random.standard_normal((24 * 10, series)))
    values[200:210, 1] *= 0.1
    values[190:230, 2] *= 0.6
    values[50, 0] = np.nan
    return Grid(0, HOUR_US, values)


def test_the_level_is_the_median_of_the_same_hour_of_seven_days() -> None:
    grid = week_and_more(1)
    recorder = Recorder(grid.bins, grid.series)
    detect(grid, Seasonal(3, HOUR_US, 24 * HOUR_US, 7), Rules(), watchers=(recorder,))
    assert np.isnan(recorder.level[: 7 * 24]).all(), "before a week nobody can say"
    for row in (168, 180, 191):
        same_hours = grid.values[row - 168 : row : 24, 0]
        assert recorder.level[row, 0] == pytest.approx(np.nanmedian(same_hours))
        assert np.nanmin(same_hours) <= recorder.low[row, 0] <= recorder.level[row, 0]
        assert recorder.level[row, 0] <= recorder.high[row, 0] <= np.nanmax(same_hours)
    judged = ~np.isnan(recorder.fraction)
    assert recorder.fraction[judged] == pytest.approx((grid.values / recorder.level)[judged])


def test_keeping_it_changes_no_verdict() -> None:
    grid = week_and_more(2)
    plain, _ = detect(grid, Pinned(grid, 0, 24 * HOUR_US), Rules())
    kept, _ = detect(
        grid, Pinned(grid, 0, 24 * HOUR_US), Rules(), watchers=(Recorder(grid.bins, grid.series),)
    )
    assert plain == kept


def test_some_series_are_traced_as_they_were_judged_among_all() -> None:
    grid = week_and_more(3)
    rule = SeasonalRule(24 * HOUR_US, 7)
    found = detect_outages(grid, ("a", "b", "c"), rule)
    # c lost 40 % for 40 hours, b 90 % for 10.
    assert worst_series(found, 5) == (2, 1)
    assert worst_series(found, 1) == (2,)
    assert worst_series(found, 1, ("a", "b", "a")) == (0, 1)
    whole = Recorder(grid.bins, 3)
    detect(grid, Seasonal(3, HOUR_US, 24 * HOUR_US, 7), Rules(), watchers=(whole,))
    part = traced(found, rule, (2, 0))
    np.testing.assert_array_equal(part.recorder.level, whole.level[:, [2, 0]])
    np.testing.assert_array_equal(part.recorder.fraction, whole.fraction[:, [2, 0]])
    assert part.learnt_us is None
    assert traced(found, PinnedRule(0, 5 * HOUR_US), (0,)).learnt_us == (0, 5 * HOUR_US)
    with pytest.raises(Refused) as refusal:
        worst_series(found, 1, ("d",))
    assert refusal.value.code == "outages.entity"
