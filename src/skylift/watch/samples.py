"""Samples of many series on one grid of bins: what every detector takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# What a detector keeps over a restart, by name; series are the last axis.
Arrays = Mapping[str, npt.NDArray[Any]]


def longer(array: npt.NDArray[Any], series: int, fill: float | bool) -> npt.NDArray[Any]:
    """A copy with `series` entries in its last axis; those that are new hold `fill`."""
    found = np.full((*array.shape[:-1], series), fill, dtype=array.dtype)
    found[..., : array.shape[-1]] = array
    return found


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins of equal width, all series side by side; nan where nothing was measured.

    start_us  UTC microseconds at which the first bin begins
    step_us   width of a bin
    values    (T, S), in the unit of the recording, 0 is "nothing answers"
    targets   (T, S), how many were asked for each value; None where the recording does not say
    """

    start_us: int
    step_us: int
    values: Floats
    targets: Floats | None = None

    @property
    def bins(self) -> int:
        return int(self.values.shape[0])

    @property
    def series(self) -> int:
        return int(self.values.shape[1])

    def at_us(self, row: int) -> int:
        """When bin `row` begins."""
        return self.start_us + row * self.step_us


def step_of(at_us: Integers, series: Integers) -> int:
    """The commonest distance between two neighbouring samples of one series, in microseconds.

    Of several that are as common the longest.

    at_us, series  (N,); in any order
    Raises Refused where no series has two samples: nothing can be said then.
    """
    order = np.lexsort((at_us, series))
    distance = np.diff(at_us[order])
    distance = distance[(np.diff(series[order]) == 0) & (distance > 0)]
    if distance.size == 0:
        raise Refused(
            "outages.one-sample",
            "the recording",
            "no series has two samples at different times",
            "give more samples, or check which columns name the entity and the time",
        )
    steps, counts = np.unique(distance, return_counts=True)
    return int(steps[counts == counts.max()][-1])


def gridded(
    at_us: Integers, series: Integers, values: Floats, step_us: int, targets: Floats | None = None
) -> Grid:
    """Put samples on a grid; a bin begins at a whole multiple of its width since 1970.

    at_us, series, values, targets  (N,), of several samples in one bin the last given counts
    """
    cells = at_us // step_us
    first, last = int(cells.min()), int(cells.max())
    shape = (last - first + 1, int(series.max()) + 1)
    grid = np.full(shape, np.nan)
    grid[cells - first, series] = values
    asked = None
    if targets is not None:
        asked = np.full(shape, np.nan)
        asked[cells - first, series] = targets
    return Grid(first * step_us, step_us, grid, asked)
