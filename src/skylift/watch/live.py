"""One signal of many entities, followed bin by bin as it comes, and over restarts.

Pure: it is given bins in order, says what changed, and gives away all that it must be given again after a
restart. Whoever keeps that together with what changed, in one transaction, loses and invents nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from skylift.watch.agreement import own_trouble
from skylift.watch.baseline import LiveBaseline
from skylift.watch.detector import Detector, Events, Outage, Rules
from skylift.watch.samples import Arrays, Bools, Floats, Integers


@dataclass(frozen=True, slots=True)
class Changes:
    """What one bin of a signal brought.

    opened, closed, deepened  outages as they stand now; deepened: open before, and lower than ever now
    judged, own               (S,), which could be judged, and which were not believed: their prober's trouble
    levels                    (3, S), fraction of ordinary, and its bounds; nan where it was not judged
    """

    opened: tuple[Outage, ...]
    closed: tuple[Outage, ...]
    deepened: tuple[Outage, ...]
    judged: Bools
    own: Bools
    levels: Floats


class Live:
    """Detector, outages and the guard against our own trouble, of the series of one signal."""

    def __init__(self, series: int, baseline: LiveBaseline, rules: Rules) -> None:
        self.series = series
        self._baseline, self._rules = baseline, rules
        self._detector = Detector(series, baseline, rules)
        self._events = Events(series)

    @property
    def open(self) -> dict[int, Outage]:
        """Outages that are open, by series."""
        return self._events.open

    def take(
        self, row: int, values: Floats, targets: Floats | None, prober: Integers, country: Integers
    ) -> Changes:
        """Judge bin `row`; rows come in order and without gaps, what nobody measured as nan.

        values, targets  (S,); targets nan where nobody said how many were asked
        prober, country  (S,), which of each a series is of
        """
        own = np.zeros(self.series, dtype=np.bool_)

        def distrust(low: Bools, judged: Bools) -> Bools:
            probers = int(prober.max()) + 1 if prober.size else 0
            own[:] = own_trouble(low, judged, prober, country, probers)[0]
            return own

        before = {series: outage.min_fraction for series, outage in self._events.open.items()}
        known = len(self._events.all)
        verdict = self._detector.step(row, values, targets, distrust)
        self._events.take(row, verdict)
        least = self._rules.patience.open_below
        self._events.forget(~self._detector.open & verdict.judged & (verdict.fraction >= least))
        opened = tuple(replace(one) for one in self._events.all[known:])
        closed = tuple(replace(one) for one in self._events.all if one.closed_row is not None)
        self._events.all = [one for one in self._events.all if one.closed_row is None]
        deepened = tuple(
            replace(outage)
            for series, outage in self._events.open.items()
            if series in before and outage.min_fraction < before[series]
        )
        levels = np.stack((verdict.fraction, verdict.low, verdict.high))
        return Changes(opened, closed, deepened, verdict.judged, own, levels)

    def learnt(self, row: int) -> Floats:
        """What the baseline keeps of a bin that was just taken, (S,)."""
        return self._baseline.learnt(row)

    def needed_from(self, row: int) -> int:
        return self._baseline.needed_from(row)

    def kept(self) -> Arrays:
        """All but the learnt rows; (..., S) each, save the open outages."""
        parts = {"h": self._detector.hysteresis.kept(), "b": self._baseline.kept(), "e": self._events.kept()}
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def restore(self, arrays: Arrays, rows: Iterable[tuple[int, Floats]], series: int) -> None:
        """Go on from what was kept, with `series` series: as many, or more."""
        part = {
            which: {name[2:]: array for name, array in arrays.items() if name.startswith(f"{which}.")}
            for which in "hbe"
        }
        self.series = series
        self._detector.hysteresis.restore(part["h"], series)
        self._baseline.restore(part["b"], series)
        self._events.restore(part["e"], series)
        for row, values in rows:
            self._baseline.relearn(row, values)
