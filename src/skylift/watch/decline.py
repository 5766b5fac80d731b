"""Slow decay, such as people leaving: a cumulative sum on the logarithm of the level."""

from __future__ import annotations

import numpy as np

from skylift.watch.samples import Bools, Floats


class Cusum:
    """One-sided CUSUM downwards (Page 1954): S = max(0, S - z - slack), alarm above the threshold.

    z is the logarithm of level / pinned level in standard deviations. Fed with one value a day (a daily
    median), so that the time of day does not enter. With slack 0.5 and threshold 5 a false alarm comes
    after about 930 days on average; a lasting fall by one standard deviation is found after about 10.
    """

    def __init__(self, series: int, sigma: Floats, slack: float = 0.5, threshold: float = 5.0) -> None:
        """sigma  (S,), standard deviation of the logarithm on ordinary days"""
        self._sigma = np.maximum(sigma, 1e-6)
        self._slack = slack
        self._threshold = threshold
        self.sums = np.zeros(series)

    def step(self, fraction: Floats) -> Bools:
        """Take levels as fractions of the pinned one, (S,); returns which decline; nan is skipped."""
        known = np.isfinite(fraction) & (fraction > 0)
        z = np.log(np.where(known, fraction, 1.0)) / self._sigma
        self.sums = np.where(known, np.maximum(0.0, self.sums - z - self._slack), self.sums)
        return self.sums > self._threshold
