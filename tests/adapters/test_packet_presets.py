"""Under the presets of a year satellites change as often as was observed; sources may set the policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.instants import parse_instant
from skylift.twin.policy import OBSERVED_CHANGES
from skylift.twin.tick import Twin
from skylift.wire.packet.texture import POLICIES, PRESETS

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "ukraine-2022.toml"
SLOTS = 120


def changes(preset: str) -> float:
    """The share of slots of seven cities that began with another satellite than the last."""
    world = load_world(Sources(SCENARIO, policy=POLICIES.get(preset))).world
    first_us = world.slots.start(parse_instant("2022-02-27T07:00:00Z"))
    satellites = np.array(
        [
            links.satellite
            for _, links in Twin(world).links(first_us, first_us + SLOTS * world.slots.length_us)
        ]
    )
    both = (satellites[1:] >= 0) & (satellites[:-1] >= 0)
    return float((satellites[1:] != satellites[:-1])[both].mean())


def test_satellites_change_as_often_as_was_observed() -> None:
    assert OBSERVED_CHANGES[0] <= changes("starlink-2022") <= OBSERVED_CHANGES[1]
    # Left to itself the scenario keeps them.
    assert changes("ideal") < OBSERVED_CHANGES[0]
    assert set(POLICIES) <= set(PRESETS)
