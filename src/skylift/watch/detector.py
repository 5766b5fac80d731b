"""Outages of many series, bin by bin: ordinary level, chance, hysteresis; a recording is fed the same way.

events, unjudged = detect(grid, Seasonal(...), Rules())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skylift.watch.baseline import STRANGE_ABOVE, Baseline, Expected, RecordedBaseline
from skylift.watch.chance import deviations, lower_tail, wilson_interval
from skylift.watch.hysteresis import Hysteresis, Patience, Turns
from skylift.watch.samples import Arrays, Bools, Floats, Grid, longer

# Worst first: the lowest fraction of ordinary that was reached is below the number.
BANDS = ((0.2, "critical"), (0.5, "major"), (0.8, "warning"))


@dataclass(frozen=True, slots=True)
class Rules:
    """When something is an outage.

    patience        hysteresis
    chance          a low bin counts only where so few answers were less likely than this on an ordinary day,
                    by how many were asked, and by how restless the series itself is
    full_scale      the value at which all targets answer; needed where samples say how many were asked
    """

    patience: Patience = field(default_factory=Patience)
    chance: float = 1e-3
    full_scale: float = 1.0


@dataclass(slots=True)
class Outage:
    """One series below ordinary; rows are bins of the grid.

    opened_row     the first bin of the run that opened it
    confirmed_row  the bin that made it sure
    closed_row     the first bin of the run that closed it; None: still open at the end
    min_fraction   the least fraction of ordinary, with low and high about 90 % sure to hold it
    worst_row      the bin of that; -1 where it was before a restart
    """

    series: int
    opened_row: int
    confirmed_row: int
    closed_row: int | None
    min_fraction: float
    low: float
    high: float
    worst_row: int = -1

    @property
    def band(self) -> str:
        return next((name for below, name in BANDS if self.min_fraction < below), BANDS[-1][1])


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bin of all series, (S,) each; nan where it cannot be judged. expected: what it was judged by."""

    fraction: Floats
    low: Floats
    high: Floats
    judged: Bools
    turns: Turns
    expected: Expected


class Detector:
    """Keeps what is ordinary and what is open for `series` series; fed with bins in order."""

    def __init__(self, series: int, baseline: Baseline, rules: Rules) -> None:
        self._baseline = baseline
        self._rules = rules
        self._hysteresis = Hysteresis(series, rules.patience)
        self._deviations = deviations(rules.chance)

    @property
    def open(self) -> Bools:
        return self._hysteresis.open

    @property
    def hysteresis(self) -> Hysteresis:
        return self._hysteresis

    def step(
        self,
        row: int,
        values: Floats,
        targets: Floats | None = None,
        distrust: Callable[[Bools, Bools], Bools] | None = None,
    ) -> Verdict:
        """Judge bin `row`, then learn from it. Bins that nobody measured are given too, as nan.

        distrust  told what is low and what was judged, (S,) each, says what must not be believed in this bin:
                  that counts as not measured
        """
        patience = self._rules.patience
        expected = self._baseline.expected(row)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            fraction = np.where(expected.enough, values / expected.level, np.nan)
        judged = np.isfinite(fraction)
        low = judged & (fraction < patience.open_below)
        bottom, top = values, values
        if targets is not None:
            judged, low, bottom, top = self._against_chance(values, targets, expected, low)
        if expected.noise is not None:
            # What a series does by itself is no outage; one that falls to nothing by itself cannot be judged.
            reach = np.where(np.isnan(expected.noise), 0.0, self._deviations * expected.noise)
            judged, low = judged & (reach < 1.0), low & (fraction < 1.0 - reach)
        if distrust is not None:
            doubtful = distrust(low, judged)
            judged, low, values = judged & ~doubtful, low & ~doubtful, np.where(doubtful, np.nan, values)
        turns = self._hysteresis.step(row, low, judged & (fraction > patience.close_above), judged)
        strange = judged & ((fraction < patience.open_below) | (fraction > STRANGE_ABOVE))
        self._baseline.learn(row, values, strange)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            bounds = bottom / expected.high, top / expected.low
        fraction = np.where(judged, fraction, np.nan)
        low_end, high_end = (np.where(judged, bound, np.nan) for bound in bounds)
        return Verdict(fraction, low_end, high_end, judged, turns, expected)

    def _against_chance(
        self, values: Floats, targets: Floats, expected: Expected, low: Bools
    ) -> tuple[Bools, Bools, Floats, Floats]:
        """Leave out what a sample of this size can do by itself.

        A bin is not judged where even silence of all targets would be within chance. Where nobody said how
        many were asked (nan), the ratio alone counts.
        """
        uncounted = np.isnan(targets)
        full = self._rules.full_scale
        share, ordinary = values / full, np.minimum(expected.level / full, 1.0)
        tail = lower_tail(share * targets, targets, ordinary)
        silence = lower_tail(np.zeros_like(targets), targets, ordinary)
        judged = expected.enough & np.isfinite(values) & (uncounted | (silence < self._rules.chance))
        bottom, top = wilson_interval(np.clip(share, 0.0, 1.0), targets)
        bottom, top = (np.where(uncounted, values, bound * full) for bound in (bottom, top))
        return judged, low & judged & (uncounted | (tail < self._rules.chance)), bottom, top


class Events:
    """Turns into outages: what opened, how deep it went, when it closed."""

    def __init__(self, series: int) -> None:
        self.all: list[Outage] = []
        self._open: dict[int, Outage] = {}
        # The deepest point of a run that may still become an outage.
        self._deepest = np.full((3, series), np.nan)
        self._deepest_row = np.full(series, -1, dtype=np.int64)

    def take(self, row: int, verdict: Verdict) -> None:
        point = np.stack((verdict.fraction, verdict.low, verdict.high))
        deeper = verdict.judged & ~(self._deepest[0] <= verdict.fraction)
        self._deepest = np.where(deeper, point, self._deepest)
        self._deepest_row[deeper] = row
        opened: list[int] = np.flatnonzero(verdict.turns.opened).tolist()
        closed: list[int] = np.flatnonzero(verdict.turns.closed).tolist()
        for series in opened:
            outage = Outage(series, int(verdict.turns.since_row[series]), row, None, *self._point(series))
            self._open[series] = outage
            self.all.append(outage)
        for series, outage in self._open.items():
            if self._deepest[0, series] < outage.min_fraction:
                outage.min_fraction, outage.low, outage.high, outage.worst_row = self._point(series)
        for series in closed:
            self._open.pop(series).closed_row = int(verdict.turns.since_row[series])

    @property
    def open(self) -> dict[int, Outage]:
        """Those that are open, by series."""
        return self._open

    def kept(self) -> Arrays:
        """All that a restart needs: the deepest points, and the outages that are open."""
        open = np.array(
            [
                (one.series, one.opened_row, one.confirmed_row, one.min_fraction, one.low, one.high)
                for one in self._open.values()
            ]
        ).reshape(-1, 6)
        return {"deepest": self._deepest, "outages": open}

    def restore(self, arrays: Arrays, series: int) -> None:
        self._deepest = longer(arrays["deepest"], series, np.nan)
        self._deepest_row = np.full(series, -1, dtype=np.int64)
        self.all = [
            Outage(int(which), int(opened), int(sure), None, float(fraction), float(low), float(high))
            for which, opened, sure, fraction, low, high in arrays["outages"].tolist()
        ]
        self._open = {one.series: one for one in self.all}

    def forget(self, calm: Bools) -> None:
        """What is neither open nor on its way has no deepest point."""
        self._deepest[:, calm] = np.nan

    def _point(self, series: int) -> tuple[float, float, float, int]:
        fraction, low, high = self._deepest[:, series]
        row = int(self._deepest_row[series])
        return float(fraction), float(min(low, fraction)), float(max(high, fraction)), row


class Recorder:
    """Keeps what was ordinary, bin by bin, for pictures: (T, S) each, nan where nobody could say.

    level, low, high  the median of the baseline, and what is about 90 % sure to hold it
    fraction          of ordinary, where it was judged
    """

    def __init__(self, bins: int, series: int) -> None:
        self.level, self.low, self.high, self.fraction = (np.full((bins, series), np.nan) for _ in range(4))

    def take(self, row: int, verdict: Verdict) -> None:
        expected = verdict.expected
        for kept, now in ((self.level, expected.level), (self.low, expected.low), (self.high, expected.high)):
            kept[row] = np.where(expected.enough, now, np.nan)
        self.fraction[row] = verdict.fraction


class Latest:
    """How much was left of each series when it was judged last, in bins before `end`.

    row     (S,), -1 for never;  levels (3, S): fraction of ordinary, and its bounds
    """

    def __init__(self, series: int, end: int) -> None:
        self._end = end
        self.row = np.full(series, -1, dtype=np.int64)
        self.levels = np.full((3, series), np.nan)

    def take(self, row: int, verdict: Verdict) -> None:
        if row < self._end:
            point = np.stack((verdict.fraction, verdict.low, verdict.high))
            self.row[verdict.judged] = row
            self.levels[:, verdict.judged] = point[:, verdict.judged]


def detect(
    grid: Grid,
    baseline: Baseline,
    rules: Rules,
    progress: Callable[[int, int], None] | None = None,
    watchers: Sequence[Recorder | Latest] = (),
) -> tuple[list[Outage], Bools]:
    """Every outage of a recording, by opening time, and which series were never judged, (S,).

    watchers  told of each bin as well
    """
    detector, events = Detector(grid.series, baseline, rules), Events(grid.series)
    unjudged = np.ones(grid.series, dtype=np.bool_)
    for row in range(grid.bins):
        asked = None if grid.targets is None else grid.targets[row]
        verdict = detector.step(row, grid.values[row], asked)
        events.take(row, verdict)
        for watcher in watchers:
            watcher.take(row, verdict)
        events.forget(~detector.open & (verdict.judged & (verdict.fraction >= rules.patience.open_below)))
        unjudged &= ~verdict.judged
        if progress is not None:
            progress(row + 1, grid.bins)
    return sorted(events.all, key=lambda one: (one.opened_row, one.series)), unjudged


def why_unjudged(
    grid: Grid, baseline: RecordedBaseline, rules: Rules, unjudged: Bools
) -> list[tuple[int, str]]:
    """(series, why none of its bins was judged), as the end of the recording shows it.

    unjudged  (S,), as `detect` told it with this baseline
    """
    last = max(grid.bins - 1, 0)
    lacking, noise = baseline.lacking(last), baseline.expected(last).noise
    restless = np.zeros(grid.series) if noise is None else deviations(rules.chance) * noise
    found = []
    for series in np.flatnonzero(unjudged).tolist():
        why = lacking[series]
        if not why and restless[series] >= 1.0:
            why = "so restless that even silence would say nothing"
        elif not why and grid.targets is not None and np.isfinite(grid.targets[:, series]).any():
            why = "so few were asked that even silence would say nothing"
        found.append((series, why or "nothing was measured since its ordinary level is known"))
    return found
