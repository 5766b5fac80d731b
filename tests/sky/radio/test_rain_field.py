"""Rain in cells: nothing outside, more of it damps more, and a path's sum is that of a fine one."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, great_circle_m
from skylift.base.instants import InstantUs, parse_instant
from skylift.sky.radio.atmosphere_rain import specific_attenuation_db_per_km
from skylift.sky.radio.rain_field import (
    RainCell,
    RainPaths,
    rain_along,
    rain_field,
    rain_loss_db,
    rain_rate_mm_per_h,
    sites_near_rain,
)

START = parse_instant("2022-02-26T12:00:00Z")
END = parse_instant("2022-02-26T15:00:00Z")
HOUR_US = 3_600_000_000
KYIV = Place(50.45, 30.52)
SHOWER = RainCell(KYIV, 10e3, 60.0, START, END)


def paths(
    latitude_deg: object,
    longitude_deg: object,
    elevation_deg: object = 40.0,
    azimuth_deg: object = 0.0,
    altitude_m: object = 0.0,
) -> RainPaths:
    columns = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=float)) for x in (latitude_deg, longitude_deg, elevation_deg)),
        np.asarray(azimuth_deg, dtype=float),
        np.asarray(altitude_m, dtype=float),
    )
    latitude, longitude, elevation, azimuth, altitude = columns
    return RainPaths(
        np.radians(latitude),
        np.radians(longitude),
        altitude,
        np.full(latitude.shape, 3_000.0),
        np.radians(elevation),
        np.radians(azimuth),
    )


def loss_db(cells: tuple[RainCell, ...], at: int, along: RainPaths, hz: float = 28.5e9) -> np.ndarray:
    return rain_loss_db(rain_along(cells, at, along), hz)


def test_even_rain_over_the_whole_path_is_rate_times_length() -> None:
    sheet = RainCell(KYIV, 300e3, 10.0, START, END, edge_fraction=0.1)
    along = paths(50.45, 30.52, [25.0, 40.0, 90.0], [0.0, 123.0, 0.0])
    gamma = specific_attenuation_db_per_km(10.0, 11.7e9, along.elevation_rad)
    np.testing.assert_allclose(
        loss_db((sheet,), START, along, 11.7e9), gamma * 3.0 / np.sin(along.elevation_rad), rtol=1e-9
    )


def brute_loss_db(cell: RainCell, site: Place, elevation_rad: float, azimuth_rad: float, hz: float) -> float:
    """Many steps along a straight line on a flat map around the site: another way to the number."""
    total = 0.0
    steps, top_m = 600, 3_000.0
    east_m = math.cos(math.radians(site.latitude_deg)) * 6_371_008.8 * math.radians(1.0)
    north_m = 6_371_008.8 * math.radians(1.0)
    for i in range(steps):
        out_m = (i + 0.5) / steps * top_m / math.tan(elevation_rad)
        x = out_m * math.sin(azimuth_rad) + (site.longitude_deg - cell.centre.longitude_deg) * east_m
        y = out_m * math.cos(azimuth_rad) + (site.latitude_deg - cell.centre.latitude_deg) * north_m
        away = math.hypot(x, y) / cell.radius_m
        inner = 1.0 - cell.edge_fraction
        if away >= 1.0:
            continue
        slope = max(0.0, (away - inner) / cell.edge_fraction)
        rate = cell.peak_mm_per_h * math.cos(0.5 * math.pi * slope) ** 2
        total += float(specific_attenuation_db_per_km(rate, hz, elevation_rad))
    return total * top_m / math.sin(elevation_rad) / steps / 1e3


@pytest.mark.parametrize("edge_fraction", [1.0, 0.3])
@pytest.mark.parametrize(("radius_km", "off_deg"), [(5.0, 0.02), (12.0, 0.08), (60.0, 0.4)])
def test_the_sum_is_that_of_a_fine_integration(
    edge_fraction: float, radius_km: float, off_deg: float
) -> None:
    cell = replace(SHOWER, radius_m=radius_km * 1e3, edge_fraction=edge_fraction)
    for azimuth_deg in (0.0, 100.0, 230.0):
        site = Place(KYIV.latitude_deg - off_deg, KYIV.longitude_deg)
        along = paths(site.latitude_deg, site.longitude_deg, 25.0, azimuth_deg)
        fine = brute_loss_db(cell, site, math.radians(25.0), math.radians(azimuth_deg), 28.5e9)
        assert loss_db((cell,), START, along).item() == pytest.approx(fine, rel=0.02, abs=0.02)


@settings(max_examples=80, deadline=None)
@given(
    latitude_deg=st.floats(-85.0, 85.0),
    longitude_deg=st.floats(-180.0, 180.0),
    bearing=st.floats(0.0, 2.0 * math.pi),
    elevation_deg=st.floats(10.0, 90.0),
    azimuth_deg=st.floats(0.0, 360.0),
)
def test_no_rain_where_the_path_is_out_of_the_cell(
    latitude_deg: float, longitude_deg: float, bearing: float, elevation_deg: float, azimuth_deg: float
) -> None:
    """The path is 3 km high at its end, so it reaches 3 km / tan(elevation) along the ground."""
    cell = RainCell(Place(latitude_deg, longitude_deg), 8e3, 100.0, START, END)
    reach_m = 3_000.0 / math.tan(math.radians(elevation_deg))
    away_rad = (cell.radius_m + reach_m) * 1.01 / 6_371_008.8
    site_latitude = math.degrees(
        math.asin(
            math.sin(math.radians(latitude_deg)) * math.cos(away_rad)
            + math.cos(math.radians(latitude_deg)) * math.sin(away_rad) * math.cos(bearing)
        )
    )
    site_longitude = longitude_deg + math.degrees(
        math.atan2(
            math.sin(bearing) * math.sin(away_rad) * math.cos(math.radians(latitude_deg)),
            math.cos(away_rad) - math.sin(math.radians(latitude_deg)) * math.sin(math.radians(site_latitude)),
        )
    )
    along = paths(site_latitude, site_longitude, elevation_deg, azimuth_deg)
    assert loss_db((cell,), START, along).item() == 0.0
    assert rain_rate_mm_per_h((cell,), START, along.latitude_rad, along.longitude_rad).item() == 0.0


@settings(max_examples=80, deadline=None)
@given(
    off_deg=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
    elevation_deg=st.floats(10.0, 90.0),
    azimuth_deg=st.floats(0.0, 360.0),
    more=st.floats(1.0, 4.0),
    ghz=st.floats(10.0, 50.0),
)
def test_more_rain_and_more_cells_never_damp_less(
    off_deg: tuple[float, float], elevation_deg: float, azimuth_deg: float, more: float, ghz: float
) -> None:
    along = paths(50.45 + off_deg[0], 30.52 + off_deg[1], elevation_deg, azimuth_deg)
    # Other cells cut the path into other pieces: hence the tolerance.
    one = loss_db((SHOWER,), START, along, ghz * 1e9).item()
    assert one >= 0.0
    for worse in (
        (replace(SHOWER, peak_mm_per_h=60.0 * more),),
        (replace(SHOWER, radius_m=10e3 * more),),
        (SHOWER, replace(SHOWER, centre=Place(50.5, 30.6))),
        (replace(SHOWER, rain_height_m=3_000.0 * min(more, 3.0)),),
    ):
        assert loss_db(worse, START, along, ghz * 1e9).item() >= 0.97 * one - 0.02


@given(low=st.floats(5.0, 89.0), higher=st.floats(0.0, 1.0))
def test_a_lower_path_through_even_rain_loses_more(low: float, higher: float) -> None:
    sheet = RainCell(KYIV, 900e3, 20.0, START, END, edge_fraction=0.05)
    along = paths(50.45, 30.52, [low, low + higher * (90.0 - low)])
    lower_db, higher_db = loss_db((sheet,), START, along, 19e9)
    # Circular polarisation: the specific attenuation does not depend on elevation, the length does.
    assert lower_db >= higher_db - 1e-9


def test_a_satellite_around_the_storm_is_a_way_out() -> None:
    storm = replace(SHOWER, centre=Place(50.45 + 0.05, 30.52), radius_m=5e3)
    toward, away = loss_db((storm,), START, paths(50.45, 30.52, 25.0, [0.0, 180.0]))
    assert toward > 10.0
    assert away == 0.0


def test_it_rains_from_the_first_instant_to_before_the_last() -> None:
    here = paths(50.45, 30.52)
    assert loss_db((SHOWER,), START - 1, here).item() == 0.0
    assert loss_db((SHOWER,), START, here).item() > 0.0
    assert loss_db((SHOWER,), END - 1, here).item() > 0.0
    assert loss_db((SHOWER,), END, here).item() == 0.0
    assert loss_db((), START, here).item() == 0.0


def test_a_cell_drifts_along_a_great_circle_at_its_speed() -> None:
    cell = replace(SHOWER, speed_m_per_s=15.0, toward_rad=math.radians(70.0))
    x, y, z = cell.centre_at(START + 2 * HOUR_US)
    there = Place(math.degrees(math.asin(z)), math.degrees(math.atan2(y, x)))
    assert great_circle_m(KYIV, there) == pytest.approx(15.0 * 7_200.0, rel=1e-9)
    assert there.latitude_deg > KYIV.latitude_deg
    assert there.longitude_deg > KYIV.longitude_deg
    at_peak = rain_rate_mm_per_h(
        (cell,),
        START + 2 * HOUR_US,
        np.radians([there.latitude_deg, KYIV.latitude_deg]),
        np.radians([there.longitude_deg, KYIV.longitude_deg]),
    )
    np.testing.assert_allclose(at_peak, [60.0, 0.0], rtol=1e-9)


def test_the_mean_of_a_shower_is_three_tenths_of_its_peak() -> None:
    """Of a raised cosine over a disc: 1/2 - 2/pi^2."""
    radius_m = (np.arange(200_000) + 0.5) / 200_000 * SHOWER.radius_m
    mean = np.sum(SHOWER.rate_mm_per_h(radius_m) * radius_m) / np.sum(radius_m)
    assert mean == pytest.approx(60.0 * (0.5 - 2.0 / math.pi**2), rel=1e-6)


def test_a_site_above_the_rain_loses_nothing_and_winter_rain_is_low() -> None:
    assert loss_db((SHOWER,), START, paths(50.45, 30.52, altitude_m=3_500.0)).item() == 0.0
    winter = replace(SHOWER, rain_height_m=1_000.0)
    low, usual = (loss_db((cell,), START, paths(50.45, 30.52, 90.0)).item() for cell in (winter, SHOWER))
    assert low == pytest.approx(usual / 3.0, rel=1e-3)


def test_frequencies_come_one_for_all_one_for_each_or_several_for_all() -> None:
    along = paths([50.45, 50.46], [30.52, 30.52])
    rain = rain_along((SHOWER,), START, along)
    table = rain_loss_db(rain, np.array([[11.7e9], [28.5e9]]))
    assert table.shape == (2, 2)
    np.testing.assert_array_equal(table[1], rain_loss_db(rain, 28.5e9))
    np.testing.assert_array_equal(rain_loss_db(rain, np.array([11.7e9, 28.5e9])), np.diag(table))


TOML = """
[[cell]]
latitude_deg = 50.45
longitude_deg = 30.52
radius_km = 10
peak_mm_per_h = 60
from = 2022-02-26T12:00:00Z
until = 2022-02-26T15:00:00Z
"""


def test_a_file_gives_the_same_cells() -> None:
    plain, full = rain_field(
        TOML + TOML + "edge_fraction = 0.2\nspeed_m_per_s = 12\ntoward_deg = 90\nrain_height_km = 1.2\n",
        "r.toml",
    )
    assert math.isnan(plain.rain_height_m)
    assert replace(plain, rain_height_m=1.0) == replace(SHOWER, rain_height_m=1.0)
    assert (full.edge_fraction, full.speed_m_per_s, full.rain_height_m) == (0.2, 12.0, 1_200.0)
    assert full.toward_rad == pytest.approx(math.pi / 2)
    assert "50.4" not in repr(plain)
    assert rain_field("", "r.toml") == ()


def test_the_reference_page_shows_a_file_that_works_and_every_key() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "rain-file.md").read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    storm, steady = rain_field(example, "rain-file.md")
    assert storm.speed_m_per_s == 11.0
    assert steady.rain_height_m == 2_100.0
    rows = set(
        re.findall(r"`(\w+)`", "".join(line.split(" | ")[0] for line in page.splitlines() if "|" in line))
    )
    assert rows == set(tomllib.loads(example)["cell"][0]) | set(tomllib.loads(example)["cell"][1])


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (("radius_km = 10", "radius_m = 10"), "radius_km"),
        (("peak_mm_per_h = 60", "peak_mm_per_h = -1"), "line 6"),
        (("until = 2022-02-26T15", "until = 2022-02-26T11"), "until"),
        (("latitude_deg = 50.45", "latitude_deg = 150"), "line 3"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(change: tuple[str, str], hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        rain_field(TOML.replace(*change), "r.toml")


def test_impossible_cells_and_paths_are_refused() -> None:
    for wrong in ({"radius_m": 0.0}, {"peak_mm_per_h": 501.0}, {"edge_fraction": 0.0}, {"until_us": START}):
        with pytest.raises(Refused, match="rain cell"):
            replace(SHOWER, **wrong)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="5 degrees"):
        rain_along((SHOWER,), START, paths(50.45, 30.52, 4.0))
    assert isinstance(SHOWER.from_us, int)
    assert InstantUs(SHOWER.from_us) == START


@given(st.floats(-60.0, 60.0), st.floats(-60.0, 60.0), st.floats(5.0, 89.0))
def test_a_site_without_rain_in_reach_has_none_on_any_path(
    north_km: float, east_km: float, elevation_deg: float
) -> None:
    at = (50.45 + north_km / 111.2, 30.52 + east_km / 111.2 / math.cos(math.radians(50.45)))
    (near,) = sites_near_rain((SHOWER,), START, paths(*at, 5.0))
    azimuths = np.radians(np.arange(0.0, 360.0, 10.0))
    round_about = paths(*at, elevation_deg).take(np.zeros(36, dtype=np.int64))
    wet = rain_loss_db(rain_along((SHOWER,), START, replace(round_about, azimuth_rad=azimuths)), 11.7e9).any()
    assert near or not wet
    assert not sites_near_rain((SHOWER,), SHOWER.until_us, paths(*at, 5.0)).any()
