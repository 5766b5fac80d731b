"""The median of a sliding window, many series side by side, in logarithmic search and one shift a step."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def slide(ordered, count, leaving, arriving):  # type: ignore[no-untyped-def]
    """Each series' sorted window loses one value and takes another; nan is neither.

    ordered            (S, W) float64, the first count[s] sorted upwards
    count              (S,) int64
    leaving, arriving  (S,) float64
    """
    for s in range(count.size):
        window, n = ordered[s], count[s]
        if not np.isnan(leaving[s]):
            at = np.searchsorted(window[:n], leaving[s])
            for k in range(at, n - 1):
                window[k] = window[k + 1]
            n -= 1
        if not np.isnan(arriving[s]):
            at = np.searchsorted(window[:n], arriving[s])
            for k in range(n, at, -1):
                window[k] = window[k - 1]
            window[at] = arriving[s]
            n += 1
        count[s] = n
