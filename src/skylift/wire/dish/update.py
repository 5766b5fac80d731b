"""How an emulated dish takes new software: fetched over its link, checked, written, run after a reboot."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from skylift.base.units import US_PER_DAY, US_PER_S

# Assumed: seconds of each step; of the first, seconds with a link.
FETCH_S, PRE_CHECK_S, WRITE_S, POST_CHECK_S = 120, 10, 60, 10
_US_PER_HOUR = 3_600 * US_PER_S


class UpdateState(enum.IntEnum):
    """Numbers as in SoftwareUpdateState."""

    IDLE = 1
    FETCHING = 2
    PRE_CHECK = 3
    WRITING = 4
    POST_CHECK = 5
    REBOOT_REQUIRED = 6


_STEPS = (
    (UpdateState.FETCHING, FETCH_S),
    (UpdateState.PRE_CHECK, PRE_CHECK_S),
    (UpdateState.WRITING, WRITE_S),
    (UpdateState.POST_CHECK, POST_CHECK_S),
)


@dataclass(slots=True)
class Update:
    """One dish's way to other software. reboot_us: when it reboots by itself, once it is ready."""

    version: str = ""
    reboot_us: int | None = None
    _state: UpdateState = UpdateState.IDLE
    _done_s: int = 0
    _ready_us: int = 0

    @property
    def state(self) -> UpdateState:
        return self._state

    @property
    def progress(self) -> float:
        """Of the step under way, 0 to 1."""
        return self._done_s / dict(_STEPS).get(self._state, 1)

    def second(self, offered: str, has_link: bool, at_us: int, reboot_hour: int, deferred: bool) -> None:
        """One second later. offered: software that is to be had, "" for none."""
        if self._state == UpdateState.IDLE:
            if offered:
                self.version, self._state = offered, UpdateState.FETCHING
            return
        if self._state == UpdateState.REBOOT_REQUIRED:
            self.reboot_us = _hour_us(self._ready_us, at_us, reboot_hour, deferred)
            return
        self._done_s += self._state != UpdateState.FETCHING or has_link
        number = next(k for k, (state, _) in enumerate(_STEPS) if state == self._state)
        if self._done_s >= _STEPS[number][1]:
            self._done_s, self._ready_us = 0, at_us
            self._state = UpdateState(self._state + 1)

    def rebooted(self) -> str:
        """The software that it runs now, "" for the same as before; an unfinished update begins anew."""
        new = self.version if self._state == UpdateState.REBOOT_REQUIRED else ""
        self.version, self.reboot_us, self._state, self._done_s = "", None, UpdateState.IDLE, 0
        return new


def _hour_us(ready_us: int, now_us: int, hour: int, deferred: bool) -> int:
    """The next full `hour` of a UTC day after the software was ready, or three days later; never past."""
    at_us = ready_us // US_PER_DAY * US_PER_DAY + hour * _US_PER_HOUR
    at_us += (at_us <= ready_us) * US_PER_DAY + deferred * 3 * US_PER_DAY
    missed_days = max(0, (now_us - at_us) // US_PER_DAY + 1)
    return at_us + missed_days * US_PER_DAY
