"""What the sky process warns of before its first slot."""

from __future__ import annotations

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.sky_process import SkySettings, outside

HOUR_US = 3_600_000_000


def test_a_clock_outside_the_scenarios_time_is_told_of() -> None:
    clock = SimulatedClock(50 * HOUR_US, 1.0)
    assert outside(SkySettings(clock, 0), 49 * HOUR_US, 51 * HOUR_US) == []
    assert "`--at 1970-01-01T02:00:00Z`" in outside(SkySettings(clock, 0), 2 * HOUR_US, 26 * HOUR_US)[0]
    # Such a scenario takes whatever day it is.
    assert outside(SkySettings(clock, 0), 0, 24 * HOUR_US) == []


def test_a_demos_story_may_go_on_after_its_scenario() -> None:
    clock = SimulatedClock(50 * HOUR_US, 1.0)
    assert outside(SkySettings(clock, 0, has_story=True), 2 * HOUR_US, 26 * HOUR_US) == []
