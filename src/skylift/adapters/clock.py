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


@dataclass(frozen=True, slots=True)
class WallClock:
    """The machine's own clock, UTC."""

    speed: float = 1.0

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
    # By how much it was let leap ahead, in memory that the processes share; it is sent only as they begin.
    _leapt_us: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.01 <= self.speed <= 10_000.0:
            raise Refused(
                "clock.speed",
                "speed of the simulated clock",
                "it must be between 0.01 and 10,000",
                "give how many simulated seconds pass in one second, such as 10",
            )

    def now(self) -> InstantUs:
        passed_us = (time.monotonic_ns() - self.made_at_ns) / 1_000 * self.speed
        leapt_us = 0 if self._leapt_us is None else self._leapt_us.value
        return InstantUs(self.start_us + int(passed_us) + leapt_us)

    def leaping(self) -> tuple[SimulatedClock, Callable[[int], None]]:
        """The same clock, and what lets it leap ahead by microseconds, in all processes at once.

        One thread at a time may let it leap.
        """
        leapt_us = multiprocessing.get_context("spawn").RawValue("q", 0)

        def leap(by_us: int) -> None:
            if by_us < 0:
                raise ValueError("a clock never goes back")
            leapt_us.value += by_us

        return SimulatedClock(self.start_us, self.speed, self.made_at_ns, leapt_us), leap

    def sleep_until(self, at: InstantUs) -> None:
        _sleep_until(self, at)


AnyClock = WallClock | SimulatedClock


def _sleep_until(clock: AnyClock, at: InstantUs) -> None:
    while (left_us := at - clock.now()) > 0:
        time.sleep(min(_LONGEST_NAP_S, left_us / US_PER_S / clock.speed))


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
