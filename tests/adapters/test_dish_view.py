"""A dish behind a line of trees: its map shows them where they stand, and the way is never drawn through."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from skylift.adapters.dish_view import slot_view
from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.errors import Refused
from skylift.base.instants import parse_instant
from skylift.twin.tick import Twin
from skylift.twin.world import World
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.obstruction import BLOCKED, CLEAR, MAX_THETA_DEG, PIXELS

TREES = """horizon_mask = [
    {azimuth_deg = 0, elevation_deg = 0}, {azimuth_deg = 60, elevation_deg = 0},
    {azimuth_deg = 61, elevation_deg = 60}, {azimuth_deg = 179, elevation_deg = 60},
    {azimuth_deg = 180, elevation_deg = 0},
]"""
# A point in the middle of Ukraine, rounded to a degree.
SCENARIO = """
title = "one dish"
start = 2022-02-27T03:00:00Z
duration_h = 1
[catalogue]
preset = "starlink-2022-02"
[[region]]
id = "UA"
country = "UA"
[[service]]
region = "UA"
[[terminal]]
id = "one"
latitude_deg = 49.0
longitude_deg = 31.0
region = "UA"
pop = "frankfurt"
"""
START_US = parse_instant("2022-02-27T03:00:00Z")
SLOTS = 120


def loaded(tmp_path: Path, mask: str) -> World:
    file = tmp_path / "one.toml"
    file.write_text(SCENARIO + mask, encoding="utf-8")
    return load_world(Sources(file)).world


def seen(world: World) -> Dish:
    """A dish after so many slots."""
    sites, start_us = world.terminal_sites(), world.slots.start(START_US)
    dish = Dish(Identity("ut-1", world.terminals[0].place), start_us)
    for sky, links in Twin(world).links(start_us, start_us + SLOTS * world.slots.length_us):
        view = slot_view(world, sites, sky, links, 0)
        dish.tell(view)
        dish.advance(view.end_us)
    return dish


def directions(dish: Dish, value: float) -> np.ndarray:
    """(azimuth, elevation), degrees, of the pixels that have a value: (K, 2)."""
    rows, columns = np.nonzero(dish.map.snr == value)
    north, east = (PIXELS - 1) / 2 - rows, columns - (PIXELS - 1) / 2
    elevation = 90.0 - np.hypot(north, east) * MAX_THETA_DEG / ((PIXELS - 1) / 2)
    return np.stack([np.degrees(np.arctan2(east, north)) % 360.0, elevation], axis=1)


def test_what_stands_before_a_dish_is_drawn_where_it_stands(tmp_path: Path) -> None:
    dish = seen(loaded(tmp_path, TREES))
    # Half a diagonal of a pixel, and what a satellite turns between two of the three points of its way.
    blurred_deg = 0.75 * MAX_THETA_DEG / ((PIXELS - 1) / 2) + 1.0
    blocked, clear = directions(dish, BLOCKED), directions(dish, CLEAR)
    assert min(len(blocked), len(clear)) > 50
    around = blurred_deg / np.cos(np.radians(np.minimum(blocked[:, 1], 80.0)))
    assert (blocked[:, 1] < 60.0 + blurred_deg).all()
    assert ((blocked[:, 0] > 60.0 - around) & (blocked[:, 0] < 180.0 + around)).all()
    # No satellite that serves passes behind them.
    through = (clear[:, 0] > 70.0) & (clear[:, 0] < 170.0) & (clear[:, 1] < 60.0 - 2 * blurred_deg)
    assert not through.any()
    assert dish.map.fraction_obstructed == pytest.approx(len(blocked) / (len(blocked) + len(clear)))


def test_under_an_open_sky_nothing_is(tmp_path: Path) -> None:
    dish = seen(loaded(tmp_path, ""))
    assert len(directions(dish, BLOCKED)) == 0
    assert len(directions(dish, CLEAR)) > 100
    assert math.isclose(dish.map.fraction_obstructed, 0.0)


def test_a_line_of_trees_is_read_strictly(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="ascend"):
        loaded(tmp_path, TREES.replace("179", "20"))
