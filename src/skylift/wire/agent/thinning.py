"""Which rows give way when the link is down for days and the buffer is full: the oldest detail first.

Rows of 15 s become rows of 5 minutes, those become rows of 1 hour, and only then is anything dropped. The
newest half of the buffer keeps its detail, and another quarter rows of 5 minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skylift.base.units import US_PER_S
from skylift.wire.telemetry.rows import Row

FINE, MIDDLE, COARSE = 0, 1, 2
# How many of a level make one of the next: 20 of 15 s are 5 minutes, 12 of those an hour.
GROUP: Final = (20, 12)
_LONGEST_US: Final = (300 * US_PER_S, 3_600 * US_PER_S)
# A hole as long as this is no part of a thinned row: it would look as if it had been measured.
_HOLE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there are of each level, and how many there may be in all."""

    fine: int
    middle: int
    coarse: int
    most: int

    @property
    def full(self) -> bool:
        return self.fine + self.middle + self.coarse > self.most


def level_to_thin(counts: Counts) -> int | None:
    """Which level gives way; COARSE means that its oldest row is dropped. None while there is room."""
    if not counts.full:
        return None
    if counts.fine > counts.most // 2:
        return FINE
    if counts.middle > counts.most // 4 or not counts.coarse:
        return MIDDLE if counts.middle else FINE
    return COARSE


def group(oldest: Sequence[Row], level: int) -> int:
    """How many of a level's oldest rows, in order, become one: no hole and no step of a clock in between."""
    most, longest_us = GROUP[level], _LONGEST_US[level]
    first = oldest[0]
    begin_us = first.at_us - round(first.span_s * US_PER_S)
    for k in range(1, min(most, len(oldest))):
        row, before = oldest[k], oldest[k - 1]
        gap_us = row.at_us - before.at_us
        if not 0 < gap_us <= _HOLE * row.span_s * US_PER_S or row.at_us - begin_us > longest_us * 1.5:
            return k
    return min(most, len(oldest))
