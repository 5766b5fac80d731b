"""The drivers of blocks: results at their places, polar motion, codes, nan. The oracle: `sgp4` and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sgp4.api import WGS72, Satrec

from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.propagate_kernel import (
    UNDECIDED,
    long_blocks,
    moving_blocks,
    oval_blocks,
    round_blocks,
)
from skylift.sky.orbit.sgp4_init import near_earth_rows
from skylift.sky.orbit.sgp4_kernel import BLOCK

SATELLITES = 70
COLUMNS = 100
SPIN = 7e-5


def records() -> list[Any]:
    """Round low orbits; one below 100 km, and one whose orbit ends below the ground."""
    made = []
    for i in range(SATELLITES):
        altitude_km = {3: 95.0, 66: -5.0}.get(i, 500.0 + i)
        record = Satrec()
        motion = 60.0 * (398_600.8 / (6_378.135 + altitude_km) ** 3) ** 0.5
        record.sgp4init(
            WGS72, "i", i + 1, 27_000.0, 0.0, 0.0, 0.0, 1e-4, 0.1 * i, 0.02 * i, 0.3 * i, motion, 0.2 * i
        )
        made.append(record)
    return made


@pytest.mark.parametrize("driver", [round_blocks, oval_blocks, long_blocks, moving_blocks])
@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("with_pole", [False, True])
def test_every_result_is_at_its_place(
    driver: Any, scattered: bool, with_pole: bool, catalogue_of: Any
) -> None:
    satellites = records()
    catalogue = catalogue_of(satellites)
    epoch_us = int(catalogue.epoch_us[0])
    random = np.random.default_rng(4)
    places = np.sort(random.choice(COLUMNS, SATELLITES, replace=False)) if scattered else np.arange(5, 75)
    lanes = np.minimum(np.arange(2 * BLOCK).reshape(2, BLOCK), SATELLITES - 1)
    where = places[lanes].astype(np.int64)
    count = np.array([BLOCK, SATELLITES - BLOCK])
    start = np.where(where[:, -1] - where[:, 0] == count - 1, where[:, 0], -1)
    assert (start >= 0).all() == (not scattered)
    rows = np.moveaxis(near_earth_rows(catalogue, epoch_us)[:, lanes], 0, 1).reshape(2, -1)
    at_us = np.array([0.0, 3_600e6, float(US_PER_DAY)])
    turn = np.array([0.1, 2.0, 5.0])
    polar, _ = np.linalg.qr(random.normal(size=(3, 3, 3)))
    position, velocity = (np.full((3, 3, COLUMNS), -1.0) for _ in range(2))
    error = np.zeros((3, COLUMNS), dtype=np.uint8)
    matrices = np.ascontiguousarray(polar) if with_pole else np.zeros((3, 0, 3))
    more = (SPIN, velocity) if driver is moving_blocks else ()
    undecided = driver(
        np.ascontiguousarray(rows), where, start, count, at_us, turn, matrices, position, error, *more
    )
    assert undecided == np.count_nonzero(error == UNDECIDED) == 0
    elsewhere = np.setdiff1d(np.arange(COLUMNS), places)
    assert np.all(position[:, :, elsewhere] == -1.0)
    assert np.all(error[:, elsewhere] == 0)
    wanted, wanted_velocity, codes = expected(satellites, at_us, turn, polar if with_pole else None)
    assert set(codes.ravel()) == {0, 6, 7}
    np.testing.assert_array_equal(error[:, places], codes)
    np.testing.assert_allclose(position[:, :, places], wanted, atol=1e-3, rtol=0)
    if driver is moving_blocks:
        np.testing.assert_allclose(velocity[:, :, places], wanted_velocity, atol=1e-5, rtol=0)
        assert np.all(velocity[:, :, elsewhere] == -1.0)


def expected(
    satellites: list[Any],
    at_us: npt.NDArray[np.float64],
    turn: npt.NDArray[np.float64],
    polar: npt.NDArray[np.float64] | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """`sgp4`, one call at a time, turned by matrices."""
    shape = (len(at_us), 3, len(satellites))
    position, velocity = np.empty(shape), np.empty(shape)
    codes = np.zeros((len(at_us), len(satellites)), dtype=np.uint8)
    for k, instant_us in enumerate(at_us):
        cos, sin = np.cos(turn[k]), np.sin(turn[k])
        matrix = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        pole = np.eye(3) if polar is None else polar[k]
        for i, record in enumerate(satellites):
            code, r, v = record.sgp4_tsince(instant_us / 60e6)
            fixed = matrix @ (np.array(r) * 1e3)
            moving = matrix @ (np.array(v) * 1e3) - np.cross([0, 0, SPIN], fixed)
            altitude_km = np.linalg.norm(r) - 6_378.135
            codes[k, i] = code or (0 if 100 < altitude_km < 2_000 else 7)
            known = codes[k, i] == 0
            position[k, :, i] = pole @ fixed if known else np.nan
            velocity[k, :, i] = pole @ moving if known else np.nan
    return position, velocity, codes


def test_an_unsure_lane_is_counted_and_left_to_the_caller(catalogue_of: Any) -> None:
    """An orbit far too eccentric for the round kernel."""
    record = Satrec()
    record.sgp4init(WGS72, "i", 1, 27_000.0, 0.0, 0.0, 0.0, 0.1, 0.0, 1.0, 0.0, 0.055, 0.0)
    catalogue = catalogue_of([record])
    rows = near_earth_rows(catalogue, int(catalogue.epoch_us[0]))[:, np.zeros(BLOCK, dtype=int)].reshape(
        1, -1
    )
    position, error = np.zeros((2, 3, 1)), np.zeros((2, 1), dtype=np.uint8)
    undecided = round_blocks(
        np.ascontiguousarray(rows), np.zeros((1, BLOCK), dtype=np.int64), np.array([0]), np.array([1]),
        np.array([0.0, 60e6]), np.zeros(2), np.zeros((2, 0, 3)), position, error,
    )  # fmt: skip
    assert undecided == 2
    assert np.all(error == UNDECIDED)
    assert np.all(np.isnan(position))
