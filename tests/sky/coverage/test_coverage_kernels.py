"""The kernels one by one against NumPy; together they are tested in test_visible.py and test_usable.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from skylift.base.geodesy import Place
from skylift.sky.coverage import angles_kernel, search_kernel, usable_kernel
from skylift.sky.coverage.math_kernel import acos_fast
from skylift.sky.coverage.sites import AntennaModel, sites_of
from skylift.sky.coverage.visible import site_table


@njit
def all_acos(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = acos_fast(x[i])


def test_arc_cosine_is_within_its_bound_everywhere() -> None:
    x = np.concatenate(
        [np.linspace(-1, 1, 200_001), 1 - np.logspace(-17, -1, 500), np.logspace(-17, -1, 500) - 1]
    )
    got = np.empty_like(x)
    all_acos(x, got)
    np.testing.assert_allclose(got, np.arccos(x), rtol=0, atol=3e-8)


def test_arc_cosine_of_a_rounding_beyond_one_is_that_of_one() -> None:
    assert acos_fast(1.0 + 1e-15) == 0.0
    assert acos_fast(-1.0 - 1e-15) == pytest.approx(math.pi)
    assert math.isnan(acos_fast(math.nan))


def test_sub_points_are_those_of_arctan() -> None:
    rng = np.random.default_rng(2)
    x, y, z = np.concatenate(
        [rng.normal(size=(3, 500)) * 7e6, [[0.0], [0.0], [-7e6]], [[-7e6], [0.0], [0.0]]], axis=1
    )
    points = np.empty((5, len(x)))
    search_kernel.sub_points(x, y, z, points)
    np.testing.assert_allclose(points[0], np.sqrt(x * x + y * y + z * z), rtol=1e-15)
    np.testing.assert_allclose(points[3], np.arctan2(z, np.hypot(x, y)), atol=3e-8)
    np.testing.assert_allclose(np.sin(points[3]), points[1], atol=3e-8)
    np.testing.assert_allclose(np.cos(points[3]), points[2], atol=3e-8)
    off_axis = np.hypot(x, y) > 1.0
    np.testing.assert_allclose(points[4][off_axis], np.arctan2(y, x)[off_axis], atol=3e-8)


@pytest.mark.parametrize("floor_deg", [-3.0, 0.0, 25.0, 89.0])
def test_above_is_told_without_a_root(floor_deg: float) -> None:
    rng = np.random.default_rng(3)
    sites = sites_of([Place(50.0, 30.0)], [AntennaModel("t", "t")])
    to = rng.normal(size=(3, 2_000))
    elevation = np.arcsin(sites.up[:, 0] @ to / np.linalg.norm(to, axis=0))
    x, y, z = sites.position_ecef_m + to * 1e6
    x[0] = np.nan
    sine = math.sin(math.radians(floor_deg))
    margin = np.empty(2_000)
    frame = np.array([*sites.position_ecef_m[:, 0], *sites.up[:, 0], sine * abs(sine)])
    search_kernel.above_margin(x, y, z, frame, margin)
    np.testing.assert_array_equal(margin[1:] >= 0, elevation[1:] >= math.radians(floor_deg))
    assert not margin[0] >= 0


def test_directions_and_angles_are_those_of_arctan() -> None:
    rng = np.random.default_rng(4)
    sites = sites_of([Place(-33.9, 151.2, 40.0)], [AntennaModel("t", "t")])
    to = rng.normal(size=(3, 500)) * 1e6
    x, y, z = sites.position_ecef_m + to
    east, north, up, distance = np.empty((4, 500))
    angles_kernel.directions(x, y, z, site_table(sites)[0], east, north, up, distance)
    size = np.linalg.norm(to, axis=0)
    np.testing.assert_allclose(distance, size, rtol=1e-14)
    for got, axis in ((east, sites.east), (north, sites.north), (up, sites.up)):
        np.testing.assert_allclose(got, axis[:, 0] @ to / size, atol=1e-14)
    elevation, azimuth = np.empty((2, 500), dtype=np.float32)
    angles_kernel.elevation_azimuth(east, north, up, elevation, azimuth)
    np.testing.assert_allclose(elevation, np.arctan2(up, np.hypot(east, north)), atol=1e-6)
    np.testing.assert_allclose(azimuth, np.mod(np.arctan2(east, north), 2 * np.pi), atol=1e-6)


def test_columns_come_back_in_the_order_of_the_sites() -> None:
    """Sites 2, 0, 1 in tile order with 1, 2 and 0 pairs."""
    ordered = np.empty(3)
    order, offset = np.array([2, 0, 1]), np.array([0, 2, 2, 3])
    usable_kernel.into_site_order(np.array([20.0, 0.0, 1.0]), order, offset, ordered)
    assert ordered.tolist() == [0.0, 1.0, 20.0]
