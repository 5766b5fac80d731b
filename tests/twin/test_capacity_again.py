"""When a slot's schedule is made again for the satellites that are taken, and when the first one stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.link import LinkTable
from skylift.sky.schedule.problem import STUDY_REMAKES, Schedule
from skylift.sky.schedule.scheduler import BeamScheduler
from skylift.twin.capacity import Allocator
from skylift.twin.tick import Twin
from skylift.twin.world import World

SCENARIO = """
start = 2022-02-26T12:00:00Z
duration_h = 0.005
[catalogue]
preset = "starlink-2022-02"
[capacity]
[ground]
only = ["wola-krobowska"]
antennas_per_gateway = 2
[[region]]
id = "ua"
country = "UA"
[[service]]
region = "ua"
[[fleet]]
id = "town"
count = 30
region = "ua"
wanted_down_mbps = 3000
[[fleet]]
id = "hospital"
count = 3
region = "ua"
class = "life"
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    path = tmp_path_factory.mktemp("again") / "s.toml"
    path.write_text(SCENARIO)
    return load_world(Sources(path)).world


def links(world: World, monkeypatch: pytest.MonkeyPatch, again: Any) -> LinkTable:
    """The first slot. Of what is scheduled first half is taken to be of no use; `again` spoils the second."""
    made: list[Schedule] = []
    schedule = BeamScheduler.schedule

    def spoiled(self: BeamScheduler, *words: Any) -> Schedule:
        made.append(schedule(self, *words))
        return made[-1] if len(made) == 1 else again(made[0])

    monkeypatch.setattr(BeamScheduler, "schedule", spoiled)
    monkeypatch.setattr("skylift.twin.capacity.WASTE_FRACTION", -1.0)
    at_us = next(iter(world.slots.starts(1645876800000000, 1645876860000000)))
    _, table = next(iter(Twin(world).links(int(at_us), int(at_us) + 1)))
    assert len(made) == 2
    return table


def test_nobody_loses_all_for_the_good_of_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is left one satellite may find no place there, though others get more."""
    first = links(world, monkeypatch, lambda first: first)
    assert np.isfinite(first.down_bps).sum() > 20

    def one_left_out(schedule: Schedule) -> Schedule:
        rate_bps = schedule.rate_bps * np.where(schedule.cell == schedule.cell[0], 0.0, 2.0)
        kept = np.flatnonzero(rate_bps > 0.0)
        names = ("satellite", "polarisation", "beam", "channel", "cell", "gateway", "share_fraction")
        rows = {name: getattr(schedule, name)[kept] for name in names}
        return replace(schedule, rate_bps=rate_bps[kept], **rows)

    monkeypatch.undo()
    then = links(world, monkeypatch, one_left_out)
    assert np.array_equal(np.isfinite(then.down_bps), np.isfinite(first.down_bps))


def test_an_urgent_class_pays_for_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = links(world, monkeypatch, lambda first: first)
    life = np.array([str(t.id).startswith("hospital") for t in world.terminals])

    def the_urgent_pay(schedule: Schedule) -> Schedule:
        # Cells of hospitals get a tenth, all others twice as much.
        few = np.isin(schedule.cell, [30, 31, 32])
        assert few.any()
        return replace(schedule, rate_bps=schedule.rate_bps * np.where(few, 0.1, 2.0))

    monkeypatch.undo()
    then = links(world, monkeypatch, the_urgent_pay)
    assert np.allclose(then.down_bps[life], first.down_bps[life])


def test_more_for_everybody_is_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = links(world, monkeypatch, lambda first: first)
    monkeypatch.undo()
    then = links(world, monkeypatch, lambda first: replace(first, rate_bps=first.rate_bps * 1.2))
    assert np.nansum(then.down_bps) > 1.05 * np.nansum(first.down_bps)


def test_how_hard_a_scenario_works_reaches_the_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    made = BeamScheduler.__init__

    def told(self: BeamScheduler, position_m: Any, remakes: int = 0) -> None:
        tried.append(remakes)
        made(self, position_m, remakes)

    monkeypatch.setattr(BeamScheduler, "__init__", told)
    path = tmp_path / "s.toml"
    for effort in ("", 'effort = "live"', 'effort = "study"'):
        path.write_text(SCENARIO.replace("[capacity]", f"[capacity]\n{effort}"))
        world = load_world(Sources(path)).world
        assert world.capacity is not None
        Allocator(world, world.capacity)
    assert tried == [0, 0, STUDY_REMAKES]
