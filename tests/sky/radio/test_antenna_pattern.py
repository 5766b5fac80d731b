"""Antennas: directivity, scan loss about the boresight of the field of view, side lobes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.antennas import packaged_antenna
from skylift.base.geodesy import Place
from skylift.sky.coverage.sites import sites_of
from skylift.sky.coverage.visible import visible_pairs
from skylift.sky.radio.antenna_pattern import (
    directivity_dbi,
    dish_gain_dbi,
    off_boresight_rad,
    satellite_gain_dbi,
    scan_loss_db,
)


def test_directivity_is_four_pi_areas_in_square_wavelengths() -> None:
    wavelength_m = 299_792_458.0 / 12e9
    area_m2 = math.pi * 0.6**2 / 4
    assert directivity_dbi(0.6, 12e9) == pytest.approx(
        10 * math.log10(4 * math.pi * area_m2 / wavelength_m**2)
    )


@pytest.mark.parametrize(
    ("degrees", "exponent", "loss_db"), [(0, 1.2, 0.0), (60, 1.0, 3.0103), (60, 1.5, 4.5155)]
)
def test_scan_loss_is_a_power_of_the_cosine(degrees: float, exponent: float, loss_db: float) -> None:
    assert scan_loss_db(math.radians(degrees), exponent) == pytest.approx(loss_db, abs=1e-3)


def test_an_array_does_not_reach_behind_itself_and_a_dish_turns() -> None:
    assert scan_loss_db(math.radians(91), 1.2) == np.inf
    assert scan_loss_db(math.radians(91), 0.0) == 0.0


@given(
    latitude_deg=st.floats(-80.0, 80.0),
    elevation_deg=st.floats(0.0, 90.0),
    azimuth_deg=st.floats(0.0, 360.0),
)
def test_the_boresight_leans_to_the_pole(
    latitude_deg: float, elevation_deg: float, azimuth_deg: float
) -> None:
    """Spherical trigonometry: zenith, boresight (24 degrees off, toward the nearer pole), satellite."""
    sites = sites_of([Place(latitude_deg, 30.0)], [packaged_antenna("starlink-round-2021")])
    got = off_boresight_rad(sites, [0], np.radians([elevation_deg]), np.radians([azimuth_deg]))[0]
    zenith, tilt = math.radians(90.0 - elevation_deg), math.radians(24.0)
    apart = math.radians(azimuth_deg - (0.0 if latitude_deg >= 0.0 else 180.0))
    cosine = math.cos(zenith) * math.cos(tilt) + math.sin(zenith) * math.sin(tilt) * math.cos(apart)
    assert math.cos(got) == pytest.approx(cosine, abs=1e-9)


def test_scan_loss_and_field_of_view_share_one_boresight() -> None:
    """A pair that coverage calls in the field is within its half angle here, and the others are not."""
    model = packaged_antenna("starlink-round-2021")
    sites = sites_of([Place(50.0, 30.0), Place(-33.0, 18.0)], [model, model])
    generator = np.random.default_rng(3)
    directions = generator.normal(size=(3, 4_000))
    positions_m = directions / np.linalg.norm(directions, axis=0) * 6_928_000.0
    pairs = visible_pairs(positions_m, sites)
    site = np.repeat(np.arange(2), np.diff(pairs.site_offset))
    angles = off_boresight_rad(sites, site, pairs.elevation_rad, pairs.azimuth_rad)
    assert pairs.in_field.any()
    assert not pairs.in_field.all()
    # Elevations are float32 there: a pair right on the edge may fall on either side.
    clear = np.abs(angles - math.radians(model.field_of_view_deg)) > 1e-5
    assert ((angles < math.radians(model.field_of_view_deg)) == pairs.in_field)[clear].all()


def test_a_dish_falls_to_its_side_lobes() -> None:
    """33.2 dBi of 0.48 m at 11.7 GHz: -3 dB at half of 70 / 18.7 degrees, 32 - 25 log10 beside."""
    wide = 0.48 * 11.7e9 / 299_792_458.0
    gain = dish_gain_dbi(np.radians([0.0, 35.0 / wide, 25.0, 60.0, 180.0]), 33.2, wide)
    assert gain == pytest.approx([33.2, 30.2, 32 - 25 * math.log10(25), -10.0, -10.0])


def test_a_beam_of_a_satellite_is_that_of_s_1528() -> None:
    half = math.radians(1.25)
    gain = satellite_gain_dbi(half * np.array([0.0, 1.0, 1.5, 3.0, 100.0]), 37.0, half)
    assert gain == pytest.approx([37.0, 34.0, 30.25, 30.25 - 25 * math.log10(2.0), 5.0])


@given(st.floats(20.0, 55.0), st.floats(0.2, 5.0))
def test_patterns_only_fall_and_never_exceed_the_peak(peak_dbi: float, half_deg: float) -> None:
    angles = np.radians(np.linspace(0.0, 180.0, 2_001))
    for gain in (
        satellite_gain_dbi(angles, peak_dbi, math.radians(half_deg)),
        dish_gain_dbi(angles, peak_dbi, 35.0 / half_deg),
    ):
        assert (np.diff(gain) <= 1e-9).all()
        assert gain[0] == pytest.approx(peak_dbi)
        assert (gain <= peak_dbi + 1e-9).all()
