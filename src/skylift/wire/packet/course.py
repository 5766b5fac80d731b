"""What a link does as time goes on, one direction: delay, rate and loss, slot by slot."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """One slot of one direction, in monotonic nanoseconds.

    delay_start_ns, delay_end_ns  one way; between them it moves evenly
    rate_bps       of IP bytes on the wire; inf: not limited
    loss_fraction  of wire packets, each by itself
    up             whether there is a link at all
    """

    start_ns: int
    end_ns: int
    delay_start_ns: int = 0
    delay_end_ns: int = 0
    rate_bps: float = math.inf
    loss_fraction: float = 0.0
    up: bool = True

    def delay_ns(self, now_ns: int) -> int:
        if self.delay_start_ns == self.delay_end_ns:
            return self.delay_start_ns
        part = min(1.0, max(0.0, (now_ns - self.start_ns) / (self.end_ns - self.start_ns)))
        return self.delay_start_ns + int((self.delay_end_ns - self.delay_start_ns) * part)


# What one opportunity of a recorded link lets pass, as mahimahi counts.
OFFER_BYTES = 1_500


class Course:
    """The stretches known so far, in order. What comes after the last is as the last was, at its end."""

    def __init__(self) -> None:
        self._stretches: deque[Stretch] = deque()
        self._offers_ns: deque[int] = deque()
        self._left_bytes = OFFER_BYTES

    def append(self, stretch: Stretch) -> None:
        self._stretches.append(stretch)

    def at(self, now_ns: int) -> Stretch | None:
        """The stretch that holds an instant; what ended before is forgotten. None: nothing is known."""
        stretches = self._stretches
        while len(stretches) > 1 and stretches[0].end_ns <= now_ns:
            stretches.popleft()
        return stretches[0] if stretches else None

    def offer(self, times_ns: Iterable[int]) -> None:
        """Bytes leave at these instants alone, 1,500 at each, instead of at a rate."""
        self._offers_ns.extend(times_ns)

    def finish_ns(self, stretch: Stretch, begin_ns: int, wire_bytes: int) -> int:
        """When the last of so many bytes has left that the transmitter takes up then; asked in order."""
        offers = self._offers_ns
        while offers and offers[0] < begin_ns:
            # Nobody was there to take it.
            offers.popleft()
            self._left_bytes = OFFER_BYTES
        if not offers:
            if stretch.rate_bps == math.inf:
                return begin_ns
            return begin_ns + int(wire_bytes * 8 * NS_PER_S / stretch.rate_bps)
        while wire_bytes > self._left_bytes and len(offers) > 1:
            wire_bytes -= self._left_bytes
            offers.popleft()
            self._left_bytes = OFFER_BYTES
        self._left_bytes = max(0, self._left_bytes - wire_bytes)
        return offers[0]
