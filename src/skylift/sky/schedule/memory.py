"""Schedules made before, by what they were made from: the same question is not worked out twice.

A study asks the same slot again with fewer gateways, antennas or Ka. Often every satellite then still has the
same feeder, behind another gateway perhaps, and to beams that is the same slot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from skylift.sky.schedule.arrays import Rows
from skylift.sky.schedule.problem import Slot
from skylift.sky.schedule.units import Asked


class Memory:
    """The rows of the last `most` different slots, all without a slot before."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[bytes, Rows] = OrderedDict()

    def rows(self, slot: Slot, asked: Asked, make: Callable[[], Rows]) -> Rows:
        """What `make` gives, or gave for the same slot."""
        key = _digest(slot, asked)
        if key not in self._rows:
            self._rows[key] = make()
            if len(self._rows) > self._most:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return self._rows[key]


def _digest(slot: Slot, asked: Asked) -> bytes:
    """Of all that rows depend on: gateways count by the feeders of satellites alone."""
    digest = blake2b(repr(slot.rules).encode(), digest_size=16)
    for array in (
        slot.satellites.position_ecef_m, slot.satellites.beams, slot.satellites.arrays_each(),
        slot.pairs.offset, slot.pairs.satellite,
        asked.full_rate_bps, asked.barred_channels, asked.steps, asked.feeder_bps,
    ):  # fmt: skip
        digest.update(array.tobytes())
    return digest.digest()
