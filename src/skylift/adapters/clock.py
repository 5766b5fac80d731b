"""Clocks: the wall's, and one that runs faster, slower or elsewhere in time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S

# A sleep is cut into pieces, so that a clock set anew, or a machine that slept, is noticed soon.
_LONGEST_NAP_S = 0.5
# So often is looked whether a clock that stands still runs again.
PAUSED_NAP_S = 0.1
# What two processes share of a simulated clock: by how much it has leapt, and what it shows while it stands.
_LEAPT, _STANDS_AT = 0, 1
_RUNS = -(2**63)


@dataclass(frozen=True, slots=True)
class WallClock:
    """The machine's own clock, UTC."""

    speed: float = 1.0

    @property
    def paused(self) -> bool:
        return False

    def now(self) -> InstantUs:
        return InstantUs(time.time_ns() // 1_000)

    def sleep_until(self, at: InstantUs) -> None:
        _sleep_until(self, at)


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Showed `start_us` when it was made, and runs `speed` times as fast as real time.

    It counts on the monotonic clock, which all processes of a machine share: a copy of it that was sent to
    another process shows the same time.
    """

    start_us: int
    speed: float = 1.0
    made_at_ns: int = field(default_factory=time.monotonic_ns)
    # By how much it was let leap ahead, and where it stands, in memory that the processes share; it is sent
    # only as they begin.
    _shared_us: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.01 <= self.speed <= 10_000.0:
            raise Refused(
                "clock.speed",
                "speed of the simulated clock",
                "it must be between 0.01 and 10,000",
                "give how many simulated seconds pass in one second, such as 10",
            )

    def now(self) -> InstantUs:
        if self._shared_us is None:
            return InstantUs(self._unleapt_us())
        stands_at_us: int = self._shared_us[_STANDS_AT]
        if stands_at_us != _RUNS:
            return InstantUs(stands_at_us)
        return InstantUs(self._unleapt_us() + self._shared_us[_LEAPT])

    @property
    def paused(self) -> bool:
        return self._shared_us is not None and self._shared_us[_STANDS_AT] != _RUNS

    def leaping(self) -> tuple[SimulatedClock, Callable[[int], None]]:
        """The same clock, and what lets it leap ahead by microseconds, in all processes at once.

        One thread at a time may let it leap, or stand still.
        """
        shared_us = multiprocessing.get_context("spawn").RawArray("q", [0, _RUNS])

        def leap(by_us: int) -> None:
            if by_us < 0:
                raise ValueError("a clock never goes back")
            shared_us[_LEAPT if shared_us[_STANDS_AT] == _RUNS else _STANDS_AT] += by_us

        return SimulatedClock(self.start_us, self.speed, self.made_at_ns, shared_us), leap

    def pause(self) -> None:
        """Stand still, in all processes at once. Only one that can leap can stand."""
        if not self.paused:
            self._shared_us[_STANDS_AT] = self.now()

    def go_on(self) -> None:
        """Run again from where it stands."""
        if self.paused:
            # In this order: whoever looks between the two still sees it stand.
            self._shared_us[_LEAPT] = self._shared_us[_STANDS_AT] - self._unleapt_us()
            self._shared_us[_STANDS_AT] = _RUNS

    def _unleapt_us(self) -> int:
        return self.start_us + int((time.monotonic_ns() - self.made_at_ns) / 1_000 * self.speed)

    def sleep_until(self, at: InstantUs) -> None:
        _sleep_until(self, at)


AnyClock = WallClock | SimulatedClock


def _sleep_until(clock: AnyClock, at: InstantUs) -> None:
    while (left_us := at - clock.now()) > 0:
        time.sleep(PAUSED_NAP_S if clock.paused else min(_LONGEST_NAP_S, left_us / US_PER_S / clock.speed))


def make_clock(simulated: bool | None, start_us: int | None, speed: float | None) -> AnyClock:
    """The clock that is asked for: simulated where its start or speed is given. Raises Refused."""
    if simulated is None:
        simulated = start_us is not None or speed is not None
    if simulated:
        start = WallClock().now() if start_us is None else start_us
        return SimulatedClock(start, 1.0 if speed is None else speed)
    if start_us is not None or speed is not None:
        raise Refused(
            "clock.wall",
            "--at and --speed",
            "the wall clock can be neither set nor sped up",
            "leave out --clock wall, or both of them",
        )
    return WallClock()
