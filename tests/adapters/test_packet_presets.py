"""Under the presets of a year satellites change as often as was observed; sources may set the policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest

from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.instants import parse_instant
from skylift.twin.policy import OBSERVED_CHANGES
from skylift.twin.tick import Twin
from skylift.wire.packet.texture import POLICIES, PRESETS

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "ukraine-2022.toml"
LATER = SCENARIO.parents[2] / "shared" / "data" / "catalogues" / "starlink_2026-05-30.tle"
SLOTS = 120


def changed(preset: str, catalogue: Path | None = None) -> npt.NDArray[np.bool_]:
    """Which edges of slots, of seven cities in half an hour, another satellite began at."""
    world = load_world(Sources(SCENARIO, catalogue, policy=POLICIES.get(preset))).world
    first_us = world.slots.start(parse_instant("2022-02-27T07:00:00Z"))
    satellites = np.array(
        [
            links.satellite
            for _, links in Twin(world).links(first_us, first_us + SLOTS * world.slots.length_us)
        ]
    )
    both = (satellites[1:] >= 0) & (satellites[:-1] >= 0)
    other: npt.NDArray[np.bool_] = satellites[1:] != satellites[:-1]
    return other[both]


@pytest.mark.parametrize("catalogue", [None, LATER], ids=["2022", "2026"])
def test_satellites_change_as_often_as_was_observed_at_this_latitude(catalogue: Path | None) -> None:
    if catalogue is not None and not catalogue.exists():
        pytest.skip("../shared/data is not here")
    observed = binomtest(*OBSERVED_CHANGES["Louvain-la-Neuve, 50.7 N"]).proportion_ci(0.95)
    assert observed.low < changed("starlink-2025", catalogue).mean() < observed.high


def test_left_to_itself_the_scenario_keeps_them() -> None:
    assert changed("ideal").mean() < min(count / edges for count, edges in OBSERVED_CHANGES.values())
    assert set(POLICIES) <= set(PRESETS)
