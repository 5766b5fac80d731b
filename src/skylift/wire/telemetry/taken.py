"""Which numbers of a terminal's rows have come: ranges, so that a row that comes again is kept once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

# An agent that thins its buffer leaves gaps for ever. Beyond so many, the oldest gap is given up.
MOST_RANGES = 4096


class Numbers:
    """Numbers from 1 on, as ranges [first, last] that neither touch nor overlap, ascending."""

    def __init__(self, ranges: Iterable[Iterable[int]] = (), given_up: int = 0) -> None:
        """given_up  numbers up to this one that had not come were given up"""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self._firsts.append(first)
            self._lasts.append(last)
        self.given_up = given_up

    def plain(self) -> tuple[int, list[tuple[int, int]]]:
        """What makes the same anew: Numbers(ranges, given_up)."""
        return self.given_up, list(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    @property
    def highest(self) -> int:
        return self._lasts[-1] if self._lasts else 0

    def add(self, number: int) -> bool:
        """Whether it was new."""
        firsts, lasts = self._firsts, self._lasts
        if lasts and number == lasts[-1] + 1:
            # As nearly all of them come.
            lasts[-1] = number
            return True
        place = bisect_right(firsts, number) - 1
        if place >= 0 and number <= lasts[place]:
            return False
        joins_before = place >= 0 and lasts[place] == number - 1
        joins_after = place + 1 < len(firsts) and firsts[place + 1] == number + 1
        if joins_before and joins_after:
            lasts[place] = lasts.pop(place + 1)
            firsts.pop(place + 1)
        elif joins_before:
            lasts[place] = number
        elif joins_after:
            firsts[place + 1] = number
        else:
            firsts.insert(place + 1, number)
            lasts.insert(place + 1, number)
            self._give_up()
        return True

    def _give_up(self) -> None:
        while len(self._firsts) > MOST_RANGES:
            # The two lowest become one: what is between them is missing for good.
            self.given_up = self._firsts[1] - 1
            lasts = self._lasts
            lasts[0] = lasts.pop(1)
            self._firsts.pop(1)
