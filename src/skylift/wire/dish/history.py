"""What a dish remembers: rings of 900 seconds, and its outages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.wire.dish.view import Cause

SECONDS = 900
US_PER_S = 1_000_000
# Outages and events that are remembered at most.
_KEPT = 64
# Field numbers of DishGetHistoryResponse, in the order of the rings' rows.
RINGS = (1001, 1002, 1003, 1004, 1010)
DROP, LATENCY, DOWN, UP, POWER = range(5)


@dataclass(slots=True)
class Trouble:
    """One outage; end_us None: it lasts."""

    cause: Cause
    start_us: int
    end_us: int | None = None
    switched: bool = False


class History:
    """One value a second since boot; the newest of second n is at index (n - 1) % 900."""

    def __init__(self, booted_us: int) -> None:
        self.booted_us = booted_us
        self.rings: npt.NDArray[np.float32] = np.zeros((len(RINGS), SECONDS), dtype=np.float32)
        self.count = 0
        self.troubles: deque[Trouble] = deque(maxlen=_KEPT)

    def second_us(self, number: int) -> int:
        """When sample `number` (from 0) was taken: the end of its second."""
        return self.booted_us + (number + 1) * US_PER_S

    def append(self, values: npt.NDArray[np.float32]) -> None:
        """Seconds in order, (5, K) as the rings' rows."""
        index = (self.count + np.arange(values.shape[1])) % SECONDS
        self.rings[:, index] = values
        self.count += values.shape[1]

    def note(self, cause: Cause | None, at_us: int, switched: bool = False) -> None:
        """What is wrong from `at_us` on; None: nothing."""
        last = self.troubles[-1] if self.troubles else None
        lasting = last if last is not None and last.end_us is None else None
        if lasting is not None and lasting.cause == cause:
            return
        if lasting is not None:
            lasting.end_us = at_us
        if cause is not None:
            self.troubles.append(Trouble(cause, at_us, None, switched))

    def packed(self) -> bytes:
        """The rings as they stand in a DishGetHistoryResponse: packed floats, and `current` first."""
        parts = [b"\x08", _varint(self.count)]
        for number, ring in zip(RINGS, self.rings, strict=True):
            body = ring.astype("<f4", copy=False).tobytes()
            parts += [_varint(number << 3 | 2), _varint(len(body)), body]
        return b"".join(parts)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
