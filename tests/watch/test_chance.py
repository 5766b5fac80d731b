"""The binomial tail (watch.binomial_kernel) against SciPy, the Wilson interval against its own definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from skylift.watch.chance import lower_tail, wilson_interval


@given(st.integers(0, 3_000), st.floats(0, 1), st.floats(1e-6, 1 - 1e-6))
def test_the_tail_is_scipys(asked: int, part: float, rate: float) -> None:
    answered = round(part * asked)
    ours = lower_tail(np.array([float(answered)]), np.array([float(asked)]), np.array([rate]))[0]
    assert np.isclose(ours, binom.cdf(answered, asked, rate), rtol=1e-9, atol=1e-12)


def test_the_published_examples_of_small_samples() -> None:
    """P(under 80 % of the mean): 13 % for 20 targets of rate 0.5, 1.8 % for 100, 6e-4 for 250."""
    for asked, expected in ((20, 0.13), (100, 0.018), (250, 6e-4)):
        below = np.ceil(0.8 * 0.5 * asked) - 1
        tail = lower_tail(np.array([below]), np.array([float(asked)]), np.array([0.5]))[0]
        assert np.isclose(tail, expected, rtol=0.1)


def test_what_is_missing_stays_missing() -> None:
    assert np.isnan(lower_tail(np.array([np.nan]), np.array([10.0]), np.array([0.5]))).all()
    assert lower_tail(np.array([10.0]), np.array([10.0]), np.array([0.5]))[0] == 1.0


def test_wilson_bounds_are_the_roots_of_its_equation() -> None:
    share, asked = 0.35, 60.0
    low, high = wilson_interval(np.array([share]), np.array([asked]))

    def score(p: float) -> float:
        return (share - p) ** 2 - 1.6449**2 * p * (1 - p) / asked

    assert np.isclose(low[0], brentq(score, 0, share))
    assert np.isclose(high[0], brentq(score, share, 1))
