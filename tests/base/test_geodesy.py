from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ellipe
from skyfield.api import wgs84

from skylift.base.errors import Refused
from skylift.base.geodesy import (
    Place,
    ecef_to_geodetic,
    geodetic_to_ecef_m,
    geodetic_up,
    great_circle_m,
    local_east,
    local_north,
    place_to_ecef_m,
    sub_point_deg,
)
from skylift.base.units import EARTH_MEAN_RADIUS_M, WGS84_A_M, WGS84_B_M, WGS84_E2

latitudes = st.floats(-90.0, 90.0)
longitudes = st.floats(-180.0, 180.0)
altitudes = st.floats(-500.0, 42_000_000.0)  # from below the Dead Sea to beyond geostationary


def test_the_published_example() -> None:
    """EPSG Guidance Note 7-2, methods 9602 and 9603: a point in the North Sea, to the centimetre."""
    place = Place(53 + 48 / 60 + 33.82 / 3600, 2 + 7 / 60 + 46.38 / 3600, 73.0)
    np.testing.assert_allclose(
        place_to_ecef_m(place), [3_771_793.97, 140_253.34, 5_124_304.35], rtol=0, atol=0.01
    )


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "expected_m"),
    [
        (0.0, 0.0, (WGS84_A_M, 0.0, 0.0)),
        (0.0, 90.0, (0.0, WGS84_A_M, 0.0)),
        (0.0, 180.0, (-WGS84_A_M, 0.0, 0.0)),
        (90.0, 0.0, (0.0, 0.0, WGS84_B_M)),
        (-90.0, 37.0, (0.0, 0.0, -WGS84_B_M)),
    ],
)
def test_the_axes(latitude_deg: float, longitude_deg: float, expected_m: tuple[float, ...]) -> None:
    np.testing.assert_allclose(place_to_ecef_m(Place(latitude_deg, longitude_deg)), expected_m, atol=1e-8)


def test_the_polar_radius_is_the_published_one() -> None:
    assert pytest.approx(6_356_752.314_2, abs=1e-4) == WGS84_B_M  # NIMA TR8350.2, table 3.3
    assert pytest.approx(6_371_008.7714, abs=1e-4) == EARTH_MEAN_RADIUS_M  # the same, R1


@given(latitudes, longitudes, st.floats(-500.0, 9_000.0))
def test_skyfield_puts_a_place_at_the_same_point(
    latitude_deg: float, longitude_deg: float, altitude_m: float
) -> None:
    theirs = wgs84.latlon(latitude_deg, longitude_deg, elevation_m=altitude_m).itrs_xyz.m
    np.testing.assert_allclose(
        place_to_ecef_m(Place(latitude_deg, longitude_deg, altitude_m)), theirs, rtol=0, atol=1e-6
    )


@given(latitudes, longitudes, altitudes)
def test_there_and_back(latitude_deg: float, longitude_deg: float, altitude_m: float) -> None:
    point = geodetic_to_ecef_m(math.radians(latitude_deg), math.radians(longitude_deg), altitude_m)
    latitude, longitude, altitude = ecef_to_geodetic(point)
    assert float(latitude) == pytest.approx(math.radians(latitude_deg), abs=1e-12)
    assert float(altitude) == pytest.approx(altitude_m, abs=1e-6)
    again = geodetic_to_ecef_m(latitude, longitude, altitude)
    # The point, not the longitude: at a pole every longitude is right.
    np.testing.assert_allclose(again, point, rtol=0, atol=1e-5)


@pytest.mark.parametrize("z_m", [WGS84_B_M + 550e3, -WGS84_B_M - 550e3])
def test_straight_above_a_pole(z_m: float) -> None:
    latitude, longitude, altitude = ecef_to_geodetic(np.array([0.0, 0.0, z_m]))
    assert float(latitude) == pytest.approx(math.copysign(math.pi / 2, z_m))
    assert float(longitude) == 0.0
    assert float(altitude) == pytest.approx(550e3, abs=1e-6)


def test_many_points_keep_their_shape_and_an_unknown_one_stays_unknown() -> None:
    points = np.full((3, 2, 4), 7e6 / math.sqrt(3))
    points[:, 1, 2] = np.nan
    latitude, longitude, altitude = ecef_to_geodetic(points)
    assert latitude.shape == longitude.shape == altitude.shape == (2, 4)
    assert np.isnan(latitude).sum() == np.isnan(altitude).sum() == 1
    latitude_deg, longitude_deg = sub_point_deg(points[:, 0, :])
    assert longitude_deg[0] == pytest.approx(45.0)
    # Geodetic is nearer the pole than geocentric, at most by atan((a^2 - b^2) / 2ab) = 0.1924 degrees.
    geocentric_deg = math.degrees(math.atan(1 / math.sqrt(2)))
    assert geocentric_deg < latitude_deg[0] < geocentric_deg + 0.193


@given(latitudes, longitudes)
def test_up_is_where_altitude_grows(latitude_deg: float, longitude_deg: float) -> None:
    latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
    low = geodetic_to_ecef_m(latitude, longitude, 0.0)
    high = geodetic_to_ecef_m(latitude, longitude, 1_000.0)
    np.testing.assert_allclose((high - low) / 1_000.0, geodetic_up(latitude, longitude), atol=1e-9)


@given(latitudes, longitudes)
def test_east_north_and_up_are_a_right_handed_frame(latitude_deg: float, longitude_deg: float) -> None:
    latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
    frame = np.stack(
        [local_east(longitude), local_north(latitude, longitude), geodetic_up(latitude, longitude)]
    )
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(frame) == pytest.approx(1.0)


@given(st.floats(-89.0, 89.0), longitudes)
def test_north_is_where_latitude_grows(latitude_deg: float, longitude_deg: float) -> None:
    latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
    step = 1e-6
    moved = geodetic_to_ecef_m(latitude + step, longitude, 0.0) - geodetic_to_ecef_m(latitude, longitude, 0.0)
    moved /= np.linalg.norm(moved)
    np.testing.assert_allclose(moved, local_north(latitude, longitude), atol=1e-5)
    sideways = geodetic_to_ecef_m(latitude, longitude + step, 0.0) - geodetic_to_ecef_m(
        latitude, longitude, 0.0
    )
    np.testing.assert_allclose(sideways / np.linalg.norm(sideways), local_east(longitude), atol=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "ellipsoid_m"),
    [
        # Wellington to Salamanca, the example in GeographicLib's documentation (Karney 2013).
        ((-41.32, 174.81), (40.96, -5.50), 19_959_679.267),
        # A quarter of the equator and of the meridian, from WGS84's axes.
        ((0.0, 0.0), (0.0, 90.0), math.pi / 2 * WGS84_A_M),
        ((0.0, 12.0), (90.0, 12.0), WGS84_A_M * ellipe(WGS84_E2)),
        # Across the antimeridian.
        ((0.0, 179.5), (0.0, -179.5), math.pi / 180 * WGS84_A_M),
    ],
)
def test_the_great_circle_is_within_0_6_percent_of_the_ellipsoid(
    a: tuple[float, float], b: tuple[float, float], ellipsoid_m: float
) -> None:
    assert great_circle_m(Place(*a), Place(*b)) == pytest.approx(ellipsoid_m, rel=0.006)


@given(latitudes, longitudes, latitudes, longitudes)
def test_the_great_circle_is_the_angle_between_directions(
    lat_a: float, lon_a: float, lat_b: float, lon_b: float
) -> None:
    def direction(latitude_deg: float, longitude_deg: float) -> Any:
        return geodetic_up(math.radians(latitude_deg), math.radians(longitude_deg))

    a, b = direction(lat_a, lon_a), direction(lat_b, lon_b)
    angle = math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))
    there = great_circle_m(Place(lat_a, lon_a), Place(lat_b, lon_b))
    assert there == great_circle_m(Place(lat_b, lon_b), Place(lat_a, lon_a))
    # Half a metre: near the antipode arcsin has only half its digits.
    assert there == pytest.approx(EARTH_MEAN_RADIUS_M * angle, abs=0.5)


@pytest.mark.parametrize(
    ("numbers", "code", "hint"),
    [
        ((150.5, 50.4), "place.latitude", "swapped"),
        ((-90.0001, 0.0), "place.latitude", "swapped"),
        ((50.4, 210.0), "place.longitude", "360"),
        ((50.4, -180.0001), "place.longitude", "360"),
        ((50.4, 30.5, -500.1), "place.altitude", "metres"),
        ((50.4, 30.5, 9_000.1), "place.altitude", "metres"),
        ((math.nan, 0.0), "place.latitude", "decimal degrees"),
        ((0.0, math.inf), "place.longitude", "decimal degrees"),
        (("50.4", 30.5), "place.latitude", "decimal degrees"),
        ((None, 30.5), "place.latitude", "decimal degrees"),
        ((True, 30.5), "place.latitude", "decimal degrees"),
        ((50.4, 30.5, math.nan), "place.altitude", "metres"),
        ((50.4, 30.5, 550e3), "place.altitude", "metres"),
        ((50.4, 30.5, "179"), "place.altitude", "metres"),
    ],
)
def test_a_wrong_place_says_how_to_mend_it(numbers: tuple[Any, ...], code: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint) as caught:
        Place(*numbers)
    assert caught.value.code == code


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_a_place_is_valid_or_refused_and_never_prints_its_numbers(
    latitude_deg: float, longitude_deg: float, altitude_m: float
) -> None:
    try:
        place = Place(latitude_deg, longitude_deg, altitude_m)
    except Refused as refused:
        said = f"{refused} {refused.as_dict()}"
        secret = [f"{v!r}" for v in (latitude_deg, longitude_deg, altitude_m) if abs(v) > 9_000]
    else:
        assert abs(place.latitude_deg) <= 90
        assert abs(place.longitude_deg) <= 180
        said = f"{place!r} {place} {[place]}"
        secret = list("0123456789")
    assert not any(s in said for s in secret)


@pytest.mark.parametrize("corner", [(90, 180, 9_000), (-90, -180, -500), (90.0, -180.0, 0.0)])
def test_the_limits_themselves_are_places(corner: tuple[float, ...]) -> None:
    assert Place(*corner).latitude_deg == corner[0]


@given(latitudes, st.floats(-180.0, 0.0))
def test_half_way_round_the_earth_is_the_farthest(latitude_deg: float, longitude_deg: float) -> None:
    # Rounding carries the haversine of antipodes beyond 1, where arcsin has no value.
    there = great_circle_m(Place(latitude_deg, longitude_deg), Place(-latitude_deg, longitude_deg + 180.0))
    assert there == pytest.approx(math.pi * EARTH_MEAN_RADIUS_M, abs=0.5)


def test_zero_is_a_real_place_and_numpys_numbers_are_numbers() -> None:
    assert Place(0, 0) == Place(0.0, 0.0, 0.0)
    assert Place(np.float32(1.5), np.int64(2)).latitude_deg == 1.5  # type: ignore[arg-type]
