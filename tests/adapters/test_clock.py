"""Clocks: what a simulated one shows, here and in another process, and what is refused."""

from __future__ import annotations

import pickle
import threading
import time

import pytest

from skylift.adapters.clock import SimulatedClock, WallClock, make_clock
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs


def test_a_simulated_clock_counts_from_its_start_at_its_speed() -> None:
    half_a_second_ago = time.monotonic_ns() - 500_000_000
    clock = SimulatedClock(1_000_000_000_000, 100.0, half_a_second_ago)
    before_us = (time.monotonic_ns() - half_a_second_ago) * 100 // 1_000
    shown_us = clock.now() - 1_000_000_000_000
    after_us = (time.monotonic_ns() - half_a_second_ago) * 100 // 1_000
    assert before_us - 1 <= shown_us <= after_us + 1
    assert before_us >= 50_000_000


def test_a_copy_in_another_process_shows_the_same_time() -> None:
    clock = SimulatedClock(1_000_000, 60.0)
    assert pickle.loads(pickle.dumps(clock)) == clock


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_sleeping_ends_at_the_instant_and_not_before(speed: float) -> None:
    clock = SimulatedClock(0, speed)
    wanted = InstantUs(clock.now() + int(20_000 * speed))
    clock.sleep_until(wanted)
    assert clock.now() >= wanted
    clock.sleep_until(InstantUs(0))  # long past: returns at once


def test_a_clock_that_stands_shows_one_time_and_goes_on_from_there() -> None:
    clock, leap = SimulatedClock(1_000_000, 1000.0).leaping()
    leap(5_000_000)
    clock.pause()
    stands_us = clock.now()
    assert stands_us >= 6_000_000
    time.sleep(0.01)
    assert (clock.now(), clock.paused) == (stands_us, True)
    clock.pause()
    leap(7_000_000)
    assert clock.now() == stands_us + 7_000_000
    with pytest.raises(ValueError, match="back"):
        leap(-1)
    clock.go_on()
    # Nothing of the 10 s of its time that passed meanwhile is made up for.
    assert stands_us + 7_000_000 <= clock.now() < stands_us + 12_000_000
    assert not clock.paused
    before_us = clock.now()
    clock.go_on()
    time.sleep(0.002)
    assert clock.now() >= before_us + 2_000_000


def test_a_sleeper_waits_as_long_as_the_clock_stands() -> None:
    clock, _ = SimulatedClock(0, 100.0).leaping()
    clock.pause()
    threading.Timer(0.3, clock.go_on).start()
    began_s = time.monotonic()
    clock.sleep_until(InstantUs(clock.now() + 1))
    assert time.monotonic() - began_s >= 0.29


def test_the_wall_clock_is_the_systems() -> None:
    before = time.time_ns() // 1_000
    assert before <= WallClock().now() <= time.time_ns() // 1_000


@pytest.mark.parametrize(
    ("simulated", "start", "speed", "kind"),
    [
        (None, None, None, WallClock),
        (False, None, None, WallClock),
        (True, None, None, SimulatedClock),
        (None, 5, None, SimulatedClock),
        (None, None, 2.0, SimulatedClock),
    ],
)
def test_which_clock(simulated: bool | None, start: int | None, speed: float | None, kind: type) -> None:
    assert isinstance(make_clock(simulated, start, speed), kind)


@pytest.mark.parametrize(("start", "speed"), [(5, None), (None, 2.0)])
def test_the_wall_clock_cannot_be_set(start: int | None, speed: float | None) -> None:
    with pytest.raises(Refused, match="--clock wall"):
        make_clock(False, start, speed)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf"), 20_000.0])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(Refused, match="speed"):
        make_clock(True, None, speed)
