"""Site to site at one instant, against the enumeration of all first and last satellites."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, place_to_ecef_m
from skylift.base.units import LIGHT_SPEED_M_PER_S
from skylift.sky.coverage.sites import AntennaModel, sites_of
from skylift.sky.coverage.visible import visible_pairs
from skylift.sky.orbit.shells import Shell
from skylift.sky.routing.grid import plus_grid
from skylift.sky.routing.lasers import LaserRules, laser_hops
from skylift.sky.routing.routes import EARTH_MODELS, EarthModel, Ground, GroundLink, best_route

places = st.builds(Place, st.floats(-60.0, 60.0), st.floats(-180.0, 180.0))


def random_sky(seed: int):
    """A grid of 12 x 10 satellites somewhere over the Earth, some of them failed."""
    rng = np.random.default_rng(seed)
    one = Shell("sky", 12, 10, 1_200e3, 60.0, 5.0)
    plane, slot = np.divmod(np.arange(one.count), 10)
    along = 2 * np.pi * (slot + 5 * plane / 12 + rng.random()) / 10
    node = 2 * np.pi * (plane / 12 + rng.random() / 12)
    x, y, z = (
        np.cos(along),
        np.sin(along) * math.cos(math.radians(60)),
        np.sin(along) * math.sin(math.radians(60)),
    )
    position = 7_578e3 * np.array(
        [x * np.cos(node) - y * np.sin(node), x * np.sin(node) + y * np.cos(node), z]
    )
    working = rng.random(one.count) < 0.9
    neighbour = plus_grid([one])
    return neighbour, position, working, laser_hops(neighbour, position, LaserRules(), working)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), places, places)
def test_best_of_all_first_and_last_satellites(seed, start, end) -> None:
    neighbour, position, working, hop_us = random_sky(seed)
    link, earth = GroundLink(10.0), EarthModel()
    up_us = Ground(start, link, earth).legs_us(position, working)
    down_us = Ground(end, link, earth).legs_us(position, working)
    route = best_route(neighbour, hop_us, up_us, [down_us])
    between = np.full((120, 120), np.inf)
    np.fill_diagonal(between, 0.0)
    for u, k in np.argwhere(np.isfinite(hop_us)):
        between[u, neighbour[u, k]] = hop_us[u, k]
    for via in range(120):
        between = np.minimum(between, between[:, via, None] + between[None, via, :])
    best = (up_us[:, None] + between + down_us[None, :]).min()
    if np.isinf(best):
        assert math.isinf(route.delay_us)
        assert len(route.path) == 0
        return
    assert route.delay_us == pytest.approx(best, abs=1e-6)
    # Along the path, from the ground up and down to the ground, light needs just that long.
    ends = [place_to_ecef_m(start), *position[:, route.path].T, place_to_ecef_m(end)]
    length_m = sum(np.linalg.norm(b - a) for a, b in itertools.pairwise(ends))
    assert route.delay_us == pytest.approx(length_m / LIGHT_SPEED_M_PER_S * 1e6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), places, st.floats(0.0, 60.0))
def test_reach_is_what_coverage_sees(seed, place, elevation_deg) -> None:
    _, position, working, _ = random_sky(seed)
    legs = Ground(place, GroundLink(elevation_deg), EarthModel()).legs_us(position, working)
    sites = sites_of([place], [AntennaModel("any", "test", minimum_elevation_deg=elevation_deg)])
    pairs = visible_pairs(position, sites, working)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(legs)), pairs.satellite)
    np.testing.assert_allclose(legs[pairs.satellite], pairs.range_m / LIGHT_SPEED_M_PER_S * 1e6, rtol=1e-12)


def test_the_nearest_of_several_ends_wins_and_its_cost_counts() -> None:
    neighbour = np.array([[1], [0]], dtype=np.int32)
    hop_us = np.array([[50.0], [50.0]])
    start = np.array([10.0, np.inf])
    here, there = np.array([100.0, np.inf]), np.array([np.inf, 30.0])
    route = best_route(neighbour, hop_us, start, [here, there])
    assert (route.delay_us, route.path.tolist(), route.end) == (90.0, [0, 1], 1)
    route = best_route(neighbour, hop_us, start, [here, there + 40.0])
    assert (route.delay_us, route.path.tolist(), route.end) == (110.0, [0], 0)
    assert best_route(neighbour, hop_us, start, [np.full(2, np.inf)]).end == -1


def test_earth_models() -> None:
    pole = Place(90.0, 0.0)
    assert EARTH_MODELS["wgs84"].position_ecef_m(pole)[2] == pytest.approx(6_356_752.3142, abs=1e-3)
    assert EARTH_MODELS["wgs72"].position_ecef_m(pole)[2] == pytest.approx(6_356_750.52, abs=0.01)
    assert np.linalg.norm(EarthModel(6_371e3, 0.0).position_ecef_m(Place(48.0, 31.0))) == pytest.approx(
        6_371e3
    )


def test_longest_range_to_the_ground() -> None:
    position = np.array([[6_378_137.0 + 600e3, 6_378_137.0 + 1_000.1e3], [0.0, 0.0], [0.0, 0.0]])
    legs = Ground(Place(0.0, 0.0), GroundLink(None, 1_000e3), EarthModel()).legs_us(
        position, np.ones(2, bool)
    )
    assert np.isfinite(legs).tolist() == [True, False]
    for wrong in ((None, None), (90.0, None), (None, 5.0), (math.nan, None)):
        with pytest.raises(Refused):
            GroundLink(*wrong)
