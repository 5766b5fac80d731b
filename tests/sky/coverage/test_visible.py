"""Visible pairs against brute force, skyfield and a densely sampled geostationary arc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.geodesy import Place
from skylift.sky.coverage.sites import AntennaModel, Sites, sites_of
from skylift.sky.coverage.visible import PairFinder, visible_pairs

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Radius of the geostationary orbit, ITU-R S.1503.
GEO_M = 42_164_000.0
ANGLE_ERROR_RAD = 1e-6
# Elevations this near to the least one may fall on either side by rounding.
EDGE_RAD = 1e-9


def model(**changes: Any) -> AntennaModel:
    return AntennaModel(**({"name": "test", "source": "test"} | changes))


def walker_m(planes: int, each: int, altitude_m: float, inclination_deg: float) -> Floats:
    """Positions (3, planes * each) on circles: enough for geometry, no propagation."""
    node = np.repeat(np.arange(planes), each) * 2 * np.pi / planes
    along = np.tile(np.arange(each), planes) * 2 * np.pi / each + 0.3 * node
    tilt = math.radians(inclination_deg)
    x = np.cos(node) * np.cos(along) - np.sin(node) * np.sin(along) * math.cos(tilt)
    y = np.sin(node) * np.cos(along) + np.cos(node) * np.sin(along) * math.cos(tilt)
    return (6_378_137.0 + altitude_m) * np.stack([x, y, np.sin(along) * math.sin(tilt)])


def brute(position_m: Floats, sites: Sites, m: int) -> tuple[Floats, Floats, Floats]:
    """Elevation, azimuth and range of every satellite from one site, by atan2."""
    to = position_m - sites.position_ecef_m[:, m, np.newaxis]
    up, east, north = sites.up[:, m] @ to, sites.east[:, m] @ to, sites.north[:, m] @ to
    return (
        np.arctan2(up, np.hypot(east, north)),
        np.mod(np.arctan2(east, north), 2 * np.pi),
        np.sqrt(np.sum(to * to, axis=0)),
    )


def turn(a: Floats, b: Floats) -> Floats:
    """Size of the turn between two azimuths."""
    return np.abs(np.mod(a - b + np.pi, 2 * np.pi) - np.pi)


def assert_same(position_m: Floats, sites: Sites, working: Bools | None = None) -> int:
    """Compares all pairs with brute force; gives their number."""
    with np.errstate(invalid="ignore"):
        pairs = visible_pairs(position_m, sites, working)
        for m in range(len(sites)):
            elevation, azimuth, distance = brute(position_m, sites, m)
            mine = slice(pairs.site_offset[m], pairs.site_offset[m + 1])
            got = pairs.satellite[mine]
            works = np.ones(position_m.shape[1], dtype=bool) if working is None else working
            floor = sites.min_elevation_rad[m]
            surely = np.flatnonzero((elevation >= floor + EDGE_RAD) & works)
            perhaps = np.flatnonzero((elevation >= floor - EDGE_RAD) & works)
            assert np.all(np.diff(got) > 0)
            assert set(surely) <= set(got) <= set(perhaps)
            np.testing.assert_allclose(
                pairs.elevation_rad[mine], elevation[got], rtol=0, atol=ANGLE_ERROR_RAD
            )
            # Near the zenith an azimuth means little: compare how far the direction moves.
            moved = turn(pairs.azimuth_rad[mine], azimuth[got]) * np.cos(elevation[got])
            assert np.all(moved < ANGLE_ERROR_RAD)
            np.testing.assert_allclose(pairs.range_m[mine], distance[got], rtol=1e-14)
            assert np.all((pairs.azimuth_rad[mine] >= 0) & (pairs.azimuth_rad[mine] < 2 * np.pi))
    assert pairs.site_offset[-1] == len(pairs) == len(pairs.arc_rad) == len(pairs.in_field)
    return len(pairs)


def somewhere(rng: np.random.Generator, count: int) -> list[Place]:
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return [
        Place(a, b, c)
        for a, b, c in zip(
            latitude, rng.uniform(-180, 180, count), rng.uniform(-400, 8_000, count), strict=True
        )
    ]


CORNERS = [
    Place(90, 0), Place(-90, 0), Place(90, 123), Place(89.9999, -77), Place(0, 180), Place(0, -180),
    Place(12, 179.9999), Place(12, -179.9999), Place(0, 0), Place(-45, -180), Place(84, 180),
    Place(-84, 179.9),
]  # fmt: skip


@pytest.mark.parametrize("floor_deg", [-2.0, 0.0, 5.0, 25.0, 40.0, 70.0, 89.0])
def test_pairs_are_those_of_brute_force_everywhere(floor_deg: float) -> None:
    rng = np.random.default_rng(5)
    position_m = np.concatenate(
        [walker_m(18, 20, 550e3, 53), walker_m(10, 12, 1_200e3, 87.9), walker_m(6, 8, 340e3, 97.6)], axis=1
    )
    places = CORNERS + somewhere(rng, 60)
    sites = sites_of(places, [model(minimum_elevation_deg=floor_deg)] * len(places))
    assert assert_same(position_m, sites) > (0 if floor_deg > 80 else 30)


def test_altitudes_far_apart_and_beyond_low_orbit() -> None:
    rng = np.random.default_rng(6)
    direction = rng.normal(size=(3, 400))
    radius_m = rng.choice([6.5e6, 6.9e6, 8.3e6, 2.6e7, GEO_M, 4e8], 400)
    position_m = direction / np.linalg.norm(direction, axis=0) * radius_m
    places = CORNERS + somewhere(rng, 40)
    for floor_deg in (0.0, 25.0):
        sites = sites_of(places, [model(minimum_elevation_deg=floor_deg)] * len(places))
        assert assert_same(position_m, sites) > 1_000


def test_each_site_keeps_its_own_least_elevation() -> None:
    rng = np.random.default_rng(7)
    places = somewhere(rng, 80) + CORNERS
    models = [model(minimum_elevation_deg=float(rng.choice([0, 4.9, 5, 10, 25, 25.3, 60]))) for _ in places]
    assert assert_same(walker_m(20, 20, 550e3, 70), sites_of(places, models)) > 300


def test_what_is_not_there_or_does_not_work_is_not_seen() -> None:
    position_m = walker_m(10, 10, 550e3, 53)
    position_m[:, ::3] = np.nan
    position_m[0, 1] = np.nan
    working = np.ones(100, dtype=bool)
    working[5:50] = False
    sites = sites_of(CORNERS, [model(minimum_elevation_deg=0.0)] * len(CORNERS))
    assert_same(position_m, sites, working)
    pairs = visible_pairs(position_m, sites, working)
    assert len(pairs) > 0
    assert not np.isin(pairs.satellite, np.arange(0, 100, 3)).any()
    assert not np.isin(pairs.satellite, np.arange(5, 50)).any()
    assert len(visible_pairs(np.full((3, 4), np.nan), sites)) == 0


@pytest.mark.parametrize(("satellites", "sites"), [(0, 3), (5, 0), (0, 0)])
def test_none_of_either(satellites: int, sites: int) -> None:
    places = [Place(10, 10)] * sites
    pairs = visible_pairs(np.zeros((3, satellites)), sites_of(places, [model()] * sites))
    assert pairs.site_offset.tolist() == [0] * (sites + 1)
    assert len(pairs) == 0


degrees = st.floats(-180, 180, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(
    latitudes=st.lists(st.floats(-90, 90), min_size=1, max_size=6),
    longitude=degrees,
    altitude_m=st.floats(-400, 8_000),
    floor_deg=st.floats(-3, 89),
    shells=st.lists(st.tuples(st.floats(150e3, 2_000e3), st.floats(0, 180)), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_sites_under_any_shells(
    latitudes: list[float],
    longitude: float,
    altitude_m: float,
    floor_deg: float,
    shells: list[tuple[float, float]],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    position_m = np.concatenate([walker_m(7, 9, h, i) for h, i in shells], axis=1)
    turned = rng.uniform(0, 2 * np.pi)
    c, s = math.cos(turned), math.sin(turned)
    position_m = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ position_m
    # One satellite straight above the first site: the hardest azimuth.
    places = [Place(latitude, longitude, altitude_m) for latitude in latitudes]
    sites = sites_of(places, [model(minimum_elevation_deg=floor_deg)] * len(places))
    overhead_m = sites.position_ecef_m[:, :1] + 550e3 * sites.up[:, :1]
    assert assert_same(np.concatenate([position_m, overhead_m], axis=1), sites) >= 1


def test_angles_are_those_of_skyfield() -> None:
    """Skyfield turns ITRS to its own topocentric frame and back: another path through another library."""
    from skyfield.api import load, wgs84
    from skyfield.framelib import itrs

    timescale = load.timescale(builtin=True)
    at = timescale.utc(2026, 5, 30, 12, 0, 12)
    rng = np.random.default_rng(3)
    places = somewhere(rng, 25)
    position_m = walker_m(12, 12, 550e3, 53)
    sites = sites_of(places, [model(minimum_elevation_deg=5.0)] * len(places))
    pairs = visible_pairs(position_m, sites)
    compared = 0
    for m, place in enumerate(places):
        ground = wgs84.latlon(place.latitude_deg, place.longitude_deg, elevation_m=place.altitude_m)
        np.testing.assert_allclose(ground.itrs_xyz.m, sites.position_ecef_m[:, m], atol=1e-6)
        frame = ground.rotation_at(at) @ itrs.rotation_at(at).T
        for k in range(pairs.site_offset[m], pairs.site_offset[m + 1]):
            to_m = position_m[:, pairs.satellite[k]] - ground.itrs_xyz.m
            north, east, up = frame @ to_m
            assert pairs.range_m[k] == pytest.approx(np.linalg.norm(to_m), abs=1e-6)
            assert pairs.elevation_rad[k] == pytest.approx(math.asin(up / pairs.range_m[k]), abs=1e-6)
            assert turn(np.array(pairs.azimuth_rad[k]), np.array(math.atan2(east, north))) < 1e-5
            compared += 1
    assert compared > 20


def arc_directions(sites: Sites, m: int, points: int = 100_001) -> Floats:
    """Unit directions (3, P) to the geostationary arc above the horizon, over the whole circle."""
    longitude = np.linspace(-np.pi, np.pi, points)
    arc_m = GEO_M * np.stack([np.cos(longitude), np.sin(longitude), 0 * longitude])
    to = arc_m - sites.position_ecef_m[:, m, np.newaxis]
    to = to[:, sites.up[:, m] @ to >= 0]
    return to / np.linalg.norm(to, axis=0)


@pytest.mark.parametrize(
    "latitude_deg", [0.0, 0.3, -1.0, 15.0, -34.0, 50.45, 65.0, -77.0, 80.9, 81.2, 81.4, 90.0]
)
def test_arc_separation_is_that_of_a_dense_arc(latitude_deg: float) -> None:
    rng = np.random.default_rng(int(latitude_deg * 10) % 1000)
    sites = sites_of([Place(latitude_deg, 31.0, 200.0)], [model(minimum_elevation_deg=0.0)])
    elevation, azimuth = np.arcsin(rng.uniform(0, 1, 300)), rng.uniform(0, 2 * np.pi, 300)
    # Due north and due south, and straight up: where the nearest point of the arc is not single, or jumps.
    azimuth[:60] = np.repeat([0.0, np.pi], 30) + rng.normal(0, 1e-3, 60)
    elevation[60] = np.pi / 2
    sideways = np.cos(azimuth) * sites.north + np.sin(azimuth) * sites.east
    direction = np.cos(elevation) * sideways + np.sin(elevation) * sites.up
    position_m = sites.position_ecef_m + direction * rng.uniform(3e5, 3e6, 300)
    pairs = visible_pairs(position_m, sites)
    arc = arc_directions(sites, 0)
    if not arc.shape[1]:
        assert latitude_deg > 81.3
        np.testing.assert_array_equal(pairs.arc_rad, np.float32(np.pi))
        return
    nearest = arc[:, np.argmax(direction[:, pairs.satellite].T @ arc, axis=1)]
    want = 2 * np.arcsin(np.linalg.norm(nearest - direction[:, pairs.satellite], axis=0) / 2)
    # The dense arc has a point every 0.0036 degrees.
    np.testing.assert_allclose(np.degrees(pairs.arc_rad), np.degrees(want), rtol=0, atol=0.005)


def test_a_satellite_on_the_arc_is_at_no_angle_from_it() -> None:
    sites = sites_of([Place(50.45, 30.52)], [model(minimum_elevation_deg=0.0)])
    longitude = np.radians([30.52, 0.0, 60.0])
    geo_m = GEO_M * np.stack([np.cos(longitude), np.sin(longitude), 0 * longitude])
    ground_m = sites.position_ecef_m
    low_m = ground_m + (geo_m - ground_m) * 0.02
    np.testing.assert_allclose(visible_pairs(low_m, sites).arc_rad, 0.0, atol=1e-6)
    np.testing.assert_allclose(visible_pairs(geo_m, sites).arc_rad, 0.0, atol=1e-6)


def test_field_of_view_is_a_cone_about_the_boresight() -> None:
    tilted = model(
        minimum_elevation_deg=0.0, boresight_tilt_deg=24.0, tilt_toward_pole=True, field_of_view_deg=50.0
    )
    places = [Place(50.45, 30.52), Place(-33.9, 18.4)]
    sites = sites_of(places, [tilted, tilted])
    # The boresight stands 66 degrees high, to the north in Kyiv and to the south in Cape Town.
    for m, north in ((0, 1.0), (1, -1.0)):
        assert sites.boresight[:, m] @ sites.up[:, m] == pytest.approx(math.sin(math.radians(66)))
        toward = sites.boresight[:, m] @ sites.north[:, m]
        assert toward == pytest.approx(north * math.cos(math.radians(66)))
    position_m = walker_m(30, 30, 550e3, 60)
    pairs = visible_pairs(position_m, sites)
    for m in range(2):
        for k in range(pairs.site_offset[m], pairs.site_offset[m + 1]):
            to = position_m[:, pairs.satellite[k]] - sites.position_ecef_m[:, m]
            angle = math.degrees(math.acos(to @ sites.boresight[:, m] / np.linalg.norm(to)))
            assert bool(pairs.in_field[k]) is (angle <= 50.0)
    assert 0 < pairs.in_field.sum() < len(pairs)


def test_the_horizon_mask_hides_what_is_behind_it() -> None:
    """A wall to the east, 60 degrees high from azimuth 45 to 135, open elsewhere."""
    wall = ((0, 0), (44, 0), (45, 60), (135, 60), (136, 0), (359, 0))
    sites = sites_of([Place(48.0, 30.0)], [model(minimum_elevation_deg=5.0, horizon_mask=wall)])
    pairs = visible_pairs(walker_m(40, 40, 550e3, 60), sites)
    azimuth, elevation = np.degrees(pairs.azimuth_rad), np.degrees(pairs.elevation_rad)
    behind = (azimuth > 45) & (azimuth < 135) & (elevation < 60)
    beside = (azimuth < 44) | (azimuth > 136)
    assert behind.any()
    assert (~behind).any()
    assert not pairs.in_field[behind].any()
    assert pairs.in_field[beside].all()


def test_a_thin_mast_between_two_degrees_is_not_lost() -> None:
    mast = ((0, 0), (100.3, 0), (100.5, 70), (100.7, 0))
    table = sites_of([Place(0, 0)], [model(horizon_mask=mast)]).mask_elevation_rad[0]
    assert math.degrees(table[100]) == pytest.approx(70, abs=1e-4)
    assert math.degrees(table[99]) < 1


def test_a_finder_gives_the_same_again_and_reuses_its_arrays() -> None:
    sites = sites_of(CORNERS, [model(minimum_elevation_deg=10.0)] * len(CORNERS))
    finder = PairFinder(sites)
    first_m, second_m = walker_m(20, 20, 550e3, 53), walker_m(11, 9, 600e3, 70)
    first = finder.find(first_m).copy()
    finder.find(second_m)
    again = finder.find(first_m)
    for name in first.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert np.shares_memory(again.range_m, finder.find(first_m).range_m)
    assert not np.shares_memory(first.range_m, again.range_m)
