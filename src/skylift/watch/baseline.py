"""What is ordinary: the same time of other days, or a level that somebody pinned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from skylift.watch.samples import Arrays, Bools, Floats, Grid, Integers, longer

# A level this far above ordinary is as strange as an outage, and is not learnt either (as IODA's reference
# configuration has it).
STRANGE_ABOVE = 2.0
# Quantile of the normal distribution for a two-sided interval of 90 %.
Z_90 = 1.6449


@dataclass(frozen=True, slots=True)
class Expected:
    """What each series would show on an ordinary day; (S,) each, nan where nobody can say.

    level      the median
    low, high  about 90 % sure to hold the true median, whatever the distribution (order statistics)
    enough     there is data enough to judge by
    noise      standard deviation of what a quiet bin shows, as a fraction of the level; nan where it is not
               known, None where the baseline does not learn it
    """

    level: Floats
    low: Floats
    high: Floats
    enough: Bools
    noise: Floats | None = None


class Baseline(Protocol):
    """Asked before each bin, and told afterwards what it held."""

    def expected(self, row: int) -> Expected:
        """For bin `row`, from what was learnt of the bins before it."""

    def learn(self, row: int, values: Floats, strange: Bools) -> None:
        """Bin `row` as it came; `strange` (S,) marks what must not become the ordinary."""


class RecordedBaseline(Baseline, Protocol):
    """One of a whole recording, which says at its end of what there was too little."""

    def lacking(self, row: int) -> list[str]:
        """Why bin `row` of each series cannot be judged, (S,); "" where its ordinary level is known."""


def median_and_bounds(values: Floats) -> tuple[Floats, Floats, Floats, Integers]:
    """Median down the first axis, a distribution-free interval of about 90 %, and how many values it has.

    values  (K, S), nan where nothing was measured
    The interval is between the order statistics k and n - 1 - k, k = (n - 1.645 sqrt n) / 2
    (Conover, Practical Nonparametric Statistics, section 3.2).
    """
    ordered = np.sort(values, axis=0)  # nan sorts to the end
    count = np.isfinite(values).sum(axis=0)
    some = np.maximum(count, 1)
    columns = np.arange(values.shape[1])
    level = 0.5 * (ordered[(some - 1) // 2, columns] + ordered[some // 2, columns])
    rank = np.maximum(np.floor((some - Z_90 * np.sqrt(some)) / 2), 0).astype(np.int64)
    return level, ordered[rank, columns], ordered[some - 1 - rank, columns], count


class LiveBaseline(Baseline, Protocol):
    """One that goes on after a restart: small arrays, and the rows that it learnt."""

    def kept(self) -> Arrays:
        """All but the rows."""

    def restore(self, arrays: Arrays, series: int) -> None:
        """Go on with `series` series, before `relearn`."""

    def learnt(self, row: int) -> Floats:
        """What it keeps of bin `row`, just learnt, (S,)."""

    def relearn(self, row: int, values: Floats) -> None:
        """Put back what was kept of a bin; of series that came later there is nothing."""

    def needed_from(self, row: int) -> int:
        """The first bin whose row is still needed once `row` is learnt."""


class Pinned:
    """A level that stands still: the median of a window of the recording, such as the weeks before a war."""

    def __init__(self, grid: Grid, from_us: int, to_us: int, least: int = 3) -> None:
        """The window holds bins that begin at `from_us` or later, before `to_us`; `least` samples suffice."""
        first = max(0, -((grid.start_us - from_us) // grid.step_us))
        last = min(grid.bins, -((grid.start_us - to_us) // grid.step_us))
        window = grid.values[first:last] if last > first else np.full((1, grid.series), np.nan)
        level, low, high, count = median_and_bounds(window)
        self._after, self._least, self._count = last, least, count
        self._expected = Expected(level, low, high, (count >= least) & (level > 0))
        self._unjudged = Expected(level, low, high, np.zeros(grid.series, dtype=np.bool_))

    def expected(self, row: int) -> Expected:
        return self._expected if row >= self._after else self._unjudged

    def learn(self, row: int, values: Floats, strange: Bools) -> None:
        """Nothing: that is what pinned means."""

    def lacking(self, row: int) -> list[str]:
        few = self._count < self._least
        return _lacking(few, self._expected.level > 0, "the window of the baseline")


def _lacking(few: Bools, up: Bools, where: str) -> list[str]:
    """Too few samples, (S,), or else a level of 0."""
    return [
        f"too few samples in {where}" if short else "" if some else f"it was down all through {where}"
        for short, some in zip(few.tolist(), up.tolist(), strict=True)
    ]


class Noise:
    """How restless series are from one bin to the next, whatever the hour, trend or lasting change of level.

    Each bin is taken beside the same time of the period before, as a fraction of both; what that changes from
    one bin to the next is noise alone, four times over (two bins, two periods). Its mean size, over a window
    at most, is 2 s sqrt(2 / pi) for normal noise of standard deviation s (as with von Neumann's mean square
    successive difference, 1941, which one spike upsets more).
    """

    def __init__(self, series: int, window: int, least: int) -> None:
        self._window, self._least = window, least
        self._count = np.zeros(series, dtype=np.int64)
        self._mean = np.zeros(series)
        self._last = np.full(series, np.nan)

    def take(self, values: Floats, before: Floats, strange: Bools) -> None:
        """A bin, and the same time of the period before; (S,) each."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            apart = np.where(strange, np.nan, 2.0 * (values - before) / (values + before))
        change = np.abs(apart - self._last)
        known = np.isfinite(change)
        self._count = np.where(known, np.minimum(self._count + 1, self._window), self._count)
        grown = self._mean + (np.where(known, change, 0.0) - self._mean) / np.maximum(self._count, 1)
        self._mean = np.where(known, grown, self._mean)
        self._last = apart

    def deviation(self) -> Floats:
        """Of one bin, as a fraction of its level, (S,); nan where too few were seen."""
        return np.where(self._count >= self._least, self._mean / (2.0 * math.sqrt(2.0 / math.pi)), np.nan)

    def kept(self) -> Arrays:
        return {"noise_count": self._count, "noise_mean": self._mean, "noise_last": self._last}

    def restore(self, arrays: Arrays, series: int) -> None:
        """A store of an older version has none of it: it is learnt anew."""
        if "noise_count" in arrays:
            self._count = longer(arrays["noise_count"], series, 0)
            self._mean = longer(arrays["noise_mean"], series, 0.0)
            self._last = longer(arrays["noise_last"], series, np.nan)
        else:
            self.__init__(series, self._window, self._least)  # type: ignore[misc]


class Seasonal:
    """The median of the same time of the last `periods` periods: of seven days, or of four weeks.

    What is strange is inpainted by what was expected, so that an outage does not become the ordinary; after a
    whole window of strangeness the new level is taken, as the data cannot tell a shift from an outage.
    """

    def __init__(self, series: int, step_us: int, period_us: int, periods: int) -> None:
        self._rows = period_us // step_us
        self._periods = periods
        self._least = periods // 2 + 1
        self._history = np.full((periods, self._rows, series), np.nan)
        self._first = np.full(series, -1, dtype=np.int64)
        self._strange_for = np.zeros(series, dtype=np.int64)
        self._noise = Noise(series, periods * self._rows, self._rows)
        # A median of n has pi / 2n of one value's variance.
        self._beside = math.sqrt(1.0 + math.pi / (2 * periods))

    def expected(self, row: int) -> Expected:
        level, low, high, count = median_and_bounds(self._history[:, row % self._rows])
        enough = self._is_old_enough(row) & (count >= self._least) & (level > 0)
        return Expected(level, low, high, enough, self._noise.deviation() * self._beside)

    def learn(self, row: int, values: Floats, strange: Bools) -> None:
        known = np.isfinite(values)
        self._first[known & (self._first < 0)] = row
        self._strange_for = np.where(known, np.where(strange, self._strange_for + 1, 0), self._strange_for)
        before = self._history[(row // self._rows - 1) % self._periods, row % self._rows]
        self._noise.take(values, before, strange)
        inpaint = strange & (self._strange_for <= self._periods * self._rows)
        slot = self._history[(row // self._rows) % self._periods, row % self._rows]
        if inpaint.any():
            ordinary, _, _, _ = median_and_bounds(self._history[:, row % self._rows])
            values = np.where(inpaint & np.isfinite(ordinary), ordinary, values)
        slot[:] = values

    def kept(self) -> Arrays:
        return {"first": self._first, "strange_for": self._strange_for, **self._noise.kept()}

    def restore(self, arrays: Arrays, series: int) -> None:
        self._history = np.full((self._periods, self._rows, series), np.nan)
        self._first = longer(arrays["first"], series, -1)
        self._strange_for = longer(arrays["strange_for"], series, 0)
        self._noise.restore(arrays, series)

    def learnt(self, row: int) -> Floats:
        return np.array(self._history[(row // self._rows) % self._periods, row % self._rows])

    def relearn(self, row: int, values: Floats) -> None:
        self._history[(row // self._rows) % self._periods, row % self._rows, : values.size] = values

    def needed_from(self, row: int) -> int:
        return row - self._periods * self._rows + 1

    def lacking(self, row: int) -> list[str]:
        level, _, _, count = median_and_bounds(self._history[:, row % self._rows])
        found = _lacking(count < self._least, level > 0, f"that time of the last {self._periods} periods")
        young = f"under {self._periods} whole periods of history ({self._periods * self._rows} bins)"
        old_enough = self._is_old_enough(row).tolist()
        return [one if old else young for one, old in zip(found, old_enough, strict=True)]

    def _is_old_enough(self, row: int) -> Bools:
        return (self._first >= 0) & (row - self._first >= self._periods * self._rows)


class PinnedLive:
    """A pinned level that is learnt as the bins of its window come: rows from `first`, before `last`."""

    def __init__(self, series: int, first: int, last: int, least: int = 3) -> None:
        self._first, self._last, self._least = first, last, least
        self._window = np.full((max(last - first, 1), series), np.nan)
        self._level: Expected | None = None

    def expected(self, row: int) -> Expected:
        series = self._window.shape[1]
        if row < self._last:
            nobody = np.full(series, np.nan)
            return Expected(nobody, nobody, nobody, np.zeros(series, dtype=np.bool_))
        if self._level is None:
            level, low, high, count = median_and_bounds(self._window)
            self._level = Expected(level, low, high, (count >= self._least) & (level > 0))
        return self._level

    def learn(self, row: int, values: Floats, strange: Bools) -> None:
        if self._first <= row < self._last:
            self._window[row - self._first] = values

    def kept(self) -> Arrays:
        return {}

    def restore(self, arrays: Arrays, series: int) -> None:
        self._window = np.full((self._window.shape[0], series), np.nan)
        self._level = None

    def learnt(self, row: int) -> Floats:
        inside = self._first <= row < self._last
        return np.array(self._window[row - self._first]) if inside else np.full(self._window.shape[1], np.nan)

    def relearn(self, row: int, values: Floats) -> None:
        if self._first <= row < self._last:
            self._window[row - self._first, : values.size] = values

    def needed_from(self, row: int) -> int:
        return self._first


def periods_fit(period_us: int, step_us: int) -> bool:
    """Whether a period holds a whole number of bins; a seasonal baseline needs that."""
    return step_us > 0 and period_us % step_us == 0 and math.isfinite(period_us)
