"""Which lasers carry: clearance, range, latitude and failures, against plain geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.geodesy import ecef_to_geodetic, geodetic_to_ecef_m
from skylift.base.units import LIGHT_SPEED_M_PER_S, WGS84_A_M
from skylift.sky.orbit.shells import Shell
from skylift.sky.routing.grid import plus_grid
from skylift.sky.routing.lasers import EAST, WEST, LaserRules, laser_hops
from skylift.sky.routing.lasers_kernel import is_symmetric

PAIR = np.array([[1], [0]], dtype=np.int32)
FAR = 20_000_000.0


def two(a, b) -> np.ndarray:
    return np.array([a, b], dtype=np.float64).T


def circular(one: Shell, turn: float = 0.0) -> np.ndarray:
    """Positions of a Walker shell on circular orbits, (3, N), in a frame that does not turn."""
    plane, slot = np.divmod(np.arange(one.planes * one.satellites_per_plane), one.satellites_per_plane)
    node = 2 * np.pi * plane / one.planes
    along = 2 * np.pi * (slot + one.phasing * plane / one.planes + turn) / one.satellites_per_plane
    tilt = math.radians(one.inclination_deg)
    x, y, z = np.cos(along), np.sin(along) * math.cos(tilt), np.sin(along) * math.sin(tilt)
    radius = WGS84_A_M + one.altitude_m
    return radius * np.array([x * np.cos(node) - y * np.sin(node), x * np.sin(node) + y * np.cos(node), z])


@pytest.mark.parametrize("clearance_km", [0, 80, 120])
def test_two_satellites_on_the_equator_lose_each_other_where_pythagoras_says(clearance_km) -> None:
    """Over the equator the Earth is a circle of 6,378,137 m: 2 sqrt((R + h)^2 - (R + c)^2)."""
    radius = WGS84_A_M + 550e3
    limit_m = 2 * math.sqrt(radius**2 - (WGS84_A_M + clearance_km * 1e3) ** 2)
    rules = LaserRules(clearance_m=clearance_km * 1e3, max_range_m=FAR)
    for length_m, carries in ((limit_m - 10.0, True), (limit_m + 10.0, False)):
        half = math.asin(length_m / 2 / radius)
        ends = two(
            (radius * math.cos(half), radius * math.sin(half), 0),
            (radius * math.cos(half), -radius * math.sin(half), 0),
        )
        hop = laser_hops(PAIR, ends, rules)
        assert np.isfinite(hop).all() == carries
        if carries:
            np.testing.assert_allclose(hop, length_m / LIGHT_SPEED_M_PER_S * 1e6, rtol=1e-14)


@settings(max_examples=200, deadline=None)
@given(
    *[st.floats(-math.pi / 2, math.pi / 2)] * 2,
    *[st.floats(-math.pi, math.pi)] * 2,
    *[st.floats(300e3, 1500e3)] * 2,
)
def test_clearance_is_the_lowest_altitude_along_the_beam(lat_a, lat_b, lon_a, lon_b, alt_a, alt_b) -> None:
    """The oracle walks along the beam and asks for the geodetic altitude of 4,001 points of it."""
    a, b = geodetic_to_ecef_m(lat_a, lon_a, alt_a), geodetic_to_ecef_m(lat_b, lon_b, alt_b)
    beam = a[:, None] + (b - a)[:, None] * np.linspace(0.0, 1.0, 4001)
    # Bowring's iteration is not made for the Earth's core.
    deep = np.linalg.norm(beam, axis=0).min() < 3e6
    lowest = -1e6 if deep else ecef_to_geodetic(beam)[2].min()
    hop = laser_hops(PAIR, two(a, b), LaserRules(max_range_m=FAR))
    # The walk misses the lowest point by at most half a step, and the inflated ellipsoid is off by a metre.
    if abs(lowest - 80_000.0) > 3.0:
        assert np.isfinite(hop).all() == (lowest > 80_000.0)
    assert hop[0, 0] == hop[1, 0]


def test_range_and_missing_positions() -> None:
    ends = two((7e6, 0, 0), (7e6, 1e6, 0))
    assert np.isfinite(laser_hops(PAIR, ends, LaserRules(max_range_m=1_000_001.0))).all()
    assert np.isinf(laser_hops(PAIR, ends, LaserRules(max_range_m=999_999.0))).all()
    ends[2, 1] = np.nan
    assert np.isinf(laser_hops(PAIR, ends, LaserRules())).all()


def test_lasers_to_other_planes_rest_near_the_poles_and_others_do_not() -> None:
    one = Shell("polar", 8, 20, 1_200e3, 87.9, 0.0)
    neighbour = plus_grid([one])
    position = circular(one)
    latitude_deg = np.degrees(np.arcsin(position[2] / np.linalg.norm(position, axis=0)))
    free = np.isfinite(laser_hops(neighbour, position, LaserRules(cross_plane_max_latitude_deg=90.0)))
    held = np.isfinite(laser_hops(neighbour, position, LaserRules(cross_plane_max_latitude_deg=60.0)))
    np.testing.assert_array_equal(held[:, :EAST], free[:, :EAST])
    low = np.abs(latitude_deg) <= 60.0
    for column in (EAST, WEST):
        np.testing.assert_array_equal(held[:, column], free[:, column] & low & low[neighbour[:, column]])
    assert held[:, EAST].any()
    assert (free & ~held).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_failed_satellites_and_lasers_take_both_ends_of_their_links(seed, turn) -> None:
    rng = np.random.default_rng(seed)
    one = Shell("failing", 9, 10, 550e3, 53.0, 4.0)
    neighbour = plus_grid([one])
    position = circular(one, turn)
    working = rng.random(90) < 0.8
    lasers = rng.random((90, 4)) < 0.9
    # Ten satellites per plane stand 4,280 km apart: the beam dips below 80 km, but not into the ground.
    rules = LaserRules(clearance_m=0.0)
    whole = laser_hops(neighbour, position, rules)
    hop = laser_hops(neighbour, position, rules, working, lasers)
    back = {0: 1, 1: 0, 2: 3, 3: 2}
    for u in range(90):
        for k in range(4):
            v = neighbour[u, k]
            up = working[u] and working[v] and lasers[u, k] and lasers[v, back[k]]
            assert hop[u, k] == (whole[u, k] if up else np.inf)
            assert hop[u, k] == hop[v, back[k]]


def test_symmetry_is_checked() -> None:
    assert is_symmetric(plus_grid([Shell("grid", 5, 5, 550e3, 53.0, 1.0)])) == (-1, -1)
    assert is_symmetric(np.array([[1, -1], [2, -1], [1, -1]], dtype=np.int32)) == (0, 0)
    assert is_symmetric(np.array([[0]], dtype=np.int32)) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_satellite": 5},
        {"clearance_m": -1.0},
        {"max_range_m": 0.0},
        {"max_range_m": math.nan},
        {"cross_plane_max_latitude_deg": 91.0},
        {"acquisition_s": -1.0},
    ],
)
def test_impossible_rules_are_refused(wrong) -> None:
    with pytest.raises(Refused, match="it must be"):
        LaserRules(**wrong)
