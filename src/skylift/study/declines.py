"""Slow decay, such as people leaving: what no threshold of a bin sees, day by day against a pinned level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.watch.decline import Cusum
from skylift.watch.detector import Outage
from skylift.watch.recording import PinnedRule
from skylift.watch.samples import Floats, Grid

# So many whole days of the window say how much a day's median moves by itself.
LEAST_DAYS = 5
# A level that never moves is rounded, not certain.
_LEAST_SIGMA = 0.005
# Of a day with fewer of its bins nobody knows the median.
_LEAST_OF_DAY = 0.5


@dataclass(frozen=True, slots=True)
class Decline:
    """One series that sank. Days are bins of the grid, by the instant at which they begin (UTC).

    since_us, found_us  the day on which the sum began to grow, and the one on which it was enough
    fraction            of the pinned level, on the last day that is known
    with_outage         an abrupt outage lies between: then the sum may be its doing
    """

    series: int
    since_us: int
    found_us: int
    fraction: float
    with_outage: bool

    def as_dict(self, entities: Sequence[str]) -> dict[str, object]:
        return {
            "entity": entities[self.series],
            "since": format_instant(self.since_us),
            "found_at": format_instant(self.found_us),
            "fraction": round(self.fraction, 4),
            "with_outage": self.with_outage,
        }


def declines(grid: Grid, rule: PinnedRule, outages: Sequence[Outage]) -> list[Decline]:
    """Series whose daily medians sank lastingly below those of the window (CUSUM of their logarithm).

    Raises Refused where the window has fewer than five whole days: how much one moves by itself is not known.
    """
    first_us = -(-rule.from_us // US_PER_DAY) * US_PER_DAY
    begin_us = rule.to_us // US_PER_DAY * US_PER_DAY
    window = _daily(grid, first_us, begin_us)
    if window.shape[0] < LEAST_DAYS:
        raise Refused(
            "outages.declines",
            "the baseline's window",
            f"it holds {window.shape[0]} whole days (UTC): how much a day moves by itself takes {LEAST_DAYS}",
            "pin a longer window",
        )
    days = _daily(grid, begin_us, grid.at_us(grid.bins))
    # A day of nothing at all has no logarithm, and is no ordinary one.
    window = np.where(window > 0, window, np.nan)
    known = np.isfinite(window).sum(axis=0) >= LEAST_DAYS
    level, sigma = (np.full(grid.series, np.nan) for _ in range(2))
    level[known] = np.nanmedian(window[:, known], axis=0)
    sigma[known] = np.nanstd(np.log(window[:, known] / level[known]), axis=0, ddof=1)
    fractions = days / level
    cusum = Cusum(grid.series, np.maximum(np.where(known, sigma, 1.0), _LEAST_SIGMA))
    since = np.full(grid.series, begin_us)
    found: dict[int, Decline] = {}
    last = np.full(grid.series, np.nan)
    for day, fraction in enumerate(fractions):
        at_us = begin_us + day * US_PER_DAY
        since = np.where(cusum.sums == 0, at_us, since)
        last = np.where(np.isfinite(fraction), fraction, last)
        for series in np.flatnonzero(cusum.step(fraction) & np.isfinite(fraction)).tolist():
            if series not in found:
                begun_us = int(since[series])
                abrupt = any(
                    one.series == series
                    and grid.at_us(one.opened_row) < at_us + US_PER_DAY
                    and (one.closed_row is None or grid.at_us(one.closed_row) > begun_us)
                    for one in outages
                )
                found[series] = Decline(series, begun_us, at_us, float(fraction[series]), abrupt)
    return [
        Decline(one.series, one.since_us, one.found_us, float(last[series]), one.with_outage)
        for series, one in sorted(found.items())
    ]


def _daily(grid: Grid, from_us: int, until_us: int) -> Floats:
    """Medians of whole days (UTC), (days, S); nan where half of a day is missing."""
    bins = US_PER_DAY // grid.step_us
    if bins < 1 or US_PER_DAY % grid.step_us:
        raise Refused(
            "outages.step", f"a step of {grid.step_us / 1e6:g} s", "a day holds no whole number of such bins",
            "choose a step that divides a day",
        )  # fmt: skip
    days = max(0, (until_us - from_us) // US_PER_DAY)
    found = np.full((days, grid.series), np.nan)
    for day in range(days):
        first = (from_us + day * US_PER_DAY - grid.start_us) // grid.step_us
        rows = grid.values[max(first, 0) : max(first + bins, 0)]
        enough = np.isfinite(rows).sum(axis=0) >= _LEAST_OF_DAY * bins
        if enough.any():
            found[day, enough] = np.nanmedian(rows[:, enough], axis=0)
    return found
