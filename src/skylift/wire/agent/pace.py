"""When the agent asks its dish, when it sends, and how long it waits after a failure.

Counts on a clock that is never set (monotonic microseconds); what the wall shows does not matter here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from skylift.base.units import US_PER_S
from skylift.wire.telemetry.rows import USUAL_SPAN_S

BATCH_ROWS: Final = 20
LEAST_ROWS: Final = 4
# One after the other while catching up, and no faster: a server that was away meets everybody at once.
CATCHING_UP_US: Final = 1 * US_PER_S
FIRST_WAIT_US: Final = 15 * US_PER_S
LONGEST_WAIT_US: Final = 300 * US_PER_S
# Not let in: somebody has to act, and asking often helps nobody.
SHUT_OUT_WAIT_US: Final = 1_800 * US_PER_S
# What a server may ask for: it can neither silence an agent nor make it shout.
SHORTEST_S, LONGEST_S = 5.0, 300.0


@dataclass(slots=True)
class Pace:
    """poll_at_us, send_at_us: when each is due."""

    poll_at_us: int
    send_at_us: int
    interval_us: int = round(USUAL_SPAN_S * US_PER_S)
    failures: int = 0

    def next_at_us(self, waiting: bool) -> int:
        """When there is something to do again; `waiting`: whether there is enough to be sent."""
        return min(self.poll_at_us, self.send_at_us) if waiting else self.poll_at_us

    def polled(self, now_us: int) -> None:
        """Asked: the next time is on the beat, and what was missed is not made up for."""
        late = max(0, now_us - self.poll_at_us)
        self.poll_at_us += (late // self.interval_us + 1) * self.interval_us

    def sent(self, now_us: int, waiting: int, interval_s: float) -> None:
        """It was taken; `waiting` rows are left."""
        self.failures = 0
        if SHORTEST_S <= interval_s <= LONGEST_S:
            self.interval_us = round(interval_s * US_PER_S)
        self.send_at_us = now_us + (CATCHING_UP_US if waiting >= BATCH_ROWS else 0)

    def failed(self, now_us: int, jitter: float, wait_s: float | None = None) -> None:
        """It was not. jitter: 0 to 1, so that not all come back at once; wait_s: as the server asks."""
        self.failures += 1
        doubled = FIRST_WAIT_US << min(self.failures - 1, 10)
        wait_us = min(doubled, LONGEST_WAIT_US) * (0.5 + 0.5 * jitter)
        if wait_s is not None:
            asked_us = min(max(wait_s, 0.0) * US_PER_S, SHUT_OUT_WAIT_US)
            wait_us = asked_us * (1.0 + 0.1 * jitter)
        self.send_at_us = now_us + round(wait_us)
