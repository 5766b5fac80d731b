"""Slow decay against a pinned level: people who leave are found, outages are told from it, noise is none."""

from __future__ import annotations

import numpy as np
import pytest

from skylift.base.errors import Refused
from skylift.base.units import US_PER_DAY
from skylift.study.declines import declines
from skylift.watch.baseline import Pinned
from skylift.watch.detector import Rules, detect
from skylift.watch.recording import PinnedRule
from skylift.watch.samples import Grid

HOUR_US = 3_600_000_000
RULE = PinnedRule(0, 14 * US_PER_DAY)


def grid(days: int = 40) -> Grid:
    """Hourly: calm, 0.8 % a day less from day 20 on, half for three days, and silent from day 16 on."""
    random = np.random.default_rng(3)
    hours = np.arange(days * 24)
    values = (1 + 0.02 * np.sin(hours / 24 * 2 * np.pi))[:, np.newaxis] * np.ones(4)
    # Each day has a level of its own, as days have.
    values *= np.exp(0.01 * random.standard_normal((days, 4))).repeat(24, axis=0)
    values[:, 1] *= 0.992 ** np.maximum(0, hours / 24 - 20)
    values[25 * 24 : 28 * 24, 2] *= 0.5
    values[16 * 24 :, 3] = np.nan
    return Grid(0, HOUR_US, values)


def test_who_leaves_slowly_is_found_within_days_and_nobody_else() -> None:
    one = grid()
    outages, _ = detect(one, Pinned(one, RULE.from_us, RULE.to_us), Rules())
    # No bin of the one that sinks is low enough for an outage: 0.992 ** 20 is 0.85.
    assert {outage.series for outage in outages} == {2}
    found = {decline.series: decline for decline in declines(one, RULE, outages)}
    assert set(found) == {1, 2}
    sunk = found[1]
    assert 21 <= sunk.found_us // US_PER_DAY <= 26
    # The sum's last zero: never later than what it grew from.
    assert 14 <= sunk.since_us // US_PER_DAY <= 22
    assert sunk.fraction == pytest.approx(0.992**19.5, abs=0.03)
    assert (sunk.with_outage, found[2].with_outage) == (False, True)
    assert sunk.as_dict(["a", "b", "c", "d"])["entity"] == "b"


def test_a_short_window_or_an_odd_step_is_refused() -> None:
    with pytest.raises(Refused, match="holds 3 whole days"):
        declines(grid(), PinnedRule(0, 3 * US_PER_DAY), [])
    with pytest.raises(Refused, match="no whole number"):
        declines(Grid(0, 7 * HOUR_US, np.ones((60, 1))), RULE, [])
