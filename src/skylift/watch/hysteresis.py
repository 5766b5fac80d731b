"""Opening and closing with some patience, for many series at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skylift.watch.samples import Arrays, Bools, Integers, longer

NONE = -1


@dataclass(frozen=True, slots=True)
class Patience:
    """How low and for how long it must be to open, how high and for how long to close.

    open_below, close_above  fractions of ordinary
    open_bins, close_bins    so many known bins in a row
    forget_bins              after so many bins without data a run that has begun is forgotten
    """

    open_below: float = 0.8
    open_bins: int = 2
    close_above: float = 0.9
    close_bins: int = 3
    forget_bins: int = 96


@dataclass(frozen=True, slots=True)
class Turns:
    """What changed in this bin: (S,) each.

    opened, closed  marks
    since_row       of what changed: the first bin of the run that decided it; NONE elsewhere
    """

    opened: Bools
    closed: Bools
    since_row: Integers


class Hysteresis:
    """One state per series: open or not, and how long the run against it has lasted."""

    def __init__(self, series: int, patience: Patience) -> None:
        self._patience = patience
        self.open = np.zeros(series, dtype=np.bool_)
        self._run = np.zeros(series, dtype=np.int64)
        self._since = np.full(series, NONE, dtype=np.int64)
        self._silent = np.zeros(series, dtype=np.int64)

    def kept(self) -> Arrays:
        """All that a restart needs, (S,) each."""
        return {"open": self.open, "run": self._run, "since": self._since, "silent": self._silent}

    def restore(self, arrays: Arrays, series: int) -> None:
        """Go on from what was kept, with `series` series: the further ones are new."""
        self.open = longer(arrays["open"], series, False)
        self._run = longer(arrays["run"], series, 0)
        self._since = longer(arrays["since"], series, NONE)
        self._silent = longer(arrays["silent"], series, 0)

    def step(self, row: int, low: Bools, high: Bools, known: Bools) -> Turns:
        """Take bin `row`: `low` may open, `high` may close, what is not `known` neither counts nor resets."""
        patience = self._patience
        against = known & np.where(self.open, high, low)
        self._silent = np.where(known, 0, self._silent + 1)
        begins = against & (self._run == 0)
        ends = (known & ~against) | (self._silent >= patience.forget_bins)
        self._since = np.where(begins, row, np.where(ends, NONE, self._since))
        self._run = np.where(against, self._run + 1, np.where(ends, 0, self._run))
        opened = ~self.open & (self._run >= patience.open_bins)
        closed = self.open & (self._run >= patience.close_bins)
        turned = opened | closed
        turns = Turns(opened, closed, np.where(turned, self._since, NONE))
        self.open = self.open ^ turned
        self._run = np.where(turned, 0, self._run)
        self._since = np.where(turned, NONE, self._since)
        return turns
