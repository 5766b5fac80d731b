"""IODA's rules, from its published description: a moving median, and an alert below a fraction of it.

Written from the reference configuration of its detector (history of seven days, at least 20 values,
inpainting outside 0.8 to 2 of the prediction, which is the nearest-rank median of what came before) and the
table of thresholds on its help page. It is here as an alternative, and to be measured beside.
"""

from __future__ import annotations

import numpy as np

from skylift.watch.baseline import STRANGE_ABOVE, Expected
from skylift.watch.hysteresis import Patience
from skylift.watch.moving_median_kernel import slide
from skylift.watch.samples import Bools, Floats

LEAST_HISTORY = 20
# (warning below, critical below) of the moving median, by signal.
# Its help page: a day of history for routes, a week for all else.
HISTORY_DAYS = {"bgp": 1, "ping-slash24": 7, "merit-nt": 7}
THRESHOLDS = {"bgp": (0.99, 0.5), "ping-slash24": (0.8, 0.5), "merit-nt": (0.25, 0.1)}


def ioda_patience(warning_below: float = 0.8) -> Patience:
    """One bin opens, one bin closes: IODA alerts at once."""
    return Patience(warning_below, 1, warning_below, 1)


class MovingMedian:
    """The nearest-rank median of the last `window` bins, whatever time of day they were."""

    def __init__(self, series: int, window: int, strange_below: float = 0.8) -> None:
        self._ring = np.full((window, series), np.nan)
        self._ordered = np.full((series, window + 1), np.nan)
        self._count = np.zeros(series, dtype=np.int64)
        self._strange_below = strange_below

    def expected(self, row: int) -> Expected:
        rank = np.maximum((self._count + 1) // 2 - 1, 0)
        level = self._ordered[np.arange(rank.size), rank]
        return Expected(level, level, level, (self._count >= LEAST_HISTORY) & (level > 0))

    def learn(self, row: int, values: Floats, strange: Bools) -> None:
        expected = self.expected(row)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            fraction = values / expected.level
        inpaint = expected.enough & ((fraction < self._strange_below) | (fraction > STRANGE_ABOVE))
        taken = np.where(inpaint, expected.level, values)
        slot = row % self._ring.shape[0]
        slide(self._ordered, self._count, self._ring[slot], taken)
        self._ring[slot] = taken

    def lacking(self, row: int) -> list[str]:
        enough = self.expected(row).enough.tolist()
        few = (self._count < LEAST_HISTORY).tolist()
        return [
            "" if known else f"under {LEAST_HISTORY} samples" if young else "it was down in most of them"
            for known, young in zip(enough, few, strict=True)
        ]


def severity_score(worst_drop_fraction: Floats, minutes: Floats) -> Floats:
    """IODA's score of an event of one signal: the drop in percent times the minutes that it lasted; (E,)."""
    return worst_drop_fraction * 100.0 * minutes


def overall_score(scores: Floats) -> Floats:
    """The product of the signals' scores, (signals, E) -> (E,); a signal without an event (0) is left out."""
    product: Floats = np.prod(np.where(scores > 0, scores, 1.0), axis=0)
    return np.where((scores > 0).any(axis=0), product, 0.0)
