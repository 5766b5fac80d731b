"""TEME to Earth-fixed: published vectors, and skyfield, which only tests know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.instants import parse_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.sky.orbit.earth_orientation import RAD_PER_ARCSECOND
from skylift.sky.orbit.frames import EARTH_SPIN_RAD_PER_S, gmst_rad, polar_matrices, teme_to_itrs

# Vallado, Crawford, Hujsak, Kelso, AIAA 2006-6753 Rev 2, appendix C; Vallado, Fundamentals of Astrodynamics
# and Applications (4th ed. 2013), example 3-15: 2004-04-06 07:51:28.386009 UTC. Kilometres, and km/s.
AT_US = parse_instant("2004-04-06T07:51:28.386009Z")
UT1_MINUS_UTC_S = -0.4399619
POLE_ARCSECONDS = (-0.140682, 0.333309)
TEME_KM, TEME_KM_PER_S = (
    (5094.18016210, 6127.64465950, 6380.34453270),
    (-4.746131487, 0.785818041, 5.531931288),
)
PEF_KM = (-1033.47503130, 7901.30558560, 6380.34453270)
ITRF_KM = (-1033.47938300, 7901.29527540, 6380.35659580)
ITRF_KM_PER_S = (-3.225636520, -2.872451450, 5.531924446)


def published(with_pole: bool) -> tuple[Any, Any]:
    polar = polar_matrices(*(np.array([angle * RAD_PER_ARCSECOND]) for angle in POLE_ARCSECONDS))
    position, velocity = teme_to_itrs(
        np.array(TEME_KM).reshape(1, 3, 1) * 1e3,
        np.array(TEME_KM_PER_S).reshape(1, 3, 1) * 1e3,
        gmst_rad(np.array([AT_US]), UT1_MINUS_UTC_S),
        polar if with_pole else np.zeros((1, 0, 3)),
    )
    return position[0, :, 0], velocity[0, :, 0]


def test_the_published_vectors() -> None:
    # One centimetre: the publication's UT1 is one float64 of days, which steps by 40 us, here 23 mm of turn.
    np.testing.assert_allclose(published(False)[0] / 1e3, PEF_KM, atol=1e-5, rtol=0)
    position, velocity = published(True)
    np.testing.assert_allclose(position / 1e3, ITRF_KM, atol=1e-5, rtol=0)
    # The publication takes the spin of that day, slower by its excess length (1.5563 ms): 1e-8 km/s.
    np.testing.assert_allclose(velocity / 1e3, ITRF_KM_PER_S, atol=3e-8, rtol=0)


def test_the_published_sidereal_time() -> None:
    # Vallado (2013), example 3-5: 1992-08-20 12:14 UT1. Worked in one float64 of days, good to 2e-7 degrees.
    angle = gmst_rad(np.array([parse_instant("1992-08-20T12:14:00Z")]))
    assert math.degrees(angle[0]) == pytest.approx(152.578787810, abs=2e-7)


@given(st.integers(parse_instant("1990-01-01"), parse_instant("2060-01-01")), st.floats(-0.9, 0.9))
def test_sidereal_time_is_skyfields(at: int, dut1_s: float) -> None:
    from skyfield.sgp4lib import theta_GMST1982

    # skyfield takes one float64 or a pair; the pair keeps the digits.
    whole, rest = divmod(at, US_PER_DAY)
    theirs, _ = theta_GMST1982(whole + 2_440_587.5, rest / US_PER_DAY + dut1_s / 86_400.0)
    ours = gmst_rad(np.array([at]), dut1_s)[0]
    assert math.remainder(ours - theirs, 2 * math.pi) == pytest.approx(0.0, abs=2e-10)


def test_the_sidereal_angle_moves_with_the_spin() -> None:
    at_us = AT_US + np.array([0, 100 * US_PER_S])
    difference = np.diff(gmst_rad(at_us))[0]
    # The equinox, from which sidereal time is counted, moves by 46" a year: 1e-7 of the spin.
    assert difference == pytest.approx(100 * EARTH_SPIN_RAD_PER_S, rel=1.1e-7)


def test_positions_are_skyfields(catalogue_of: Any) -> None:
    """The whole way, velocities too: an object over a day, UT1 and pole as skyfield has them."""
    from sgp4.api import Satrec
    from skyfield.api import EarthSatellite, load
    from skyfield.framelib import itrs

    from skylift.sky.orbit.earth_orientation import EarthOrientation
    from skylift.sky.orbit.propagate import Propagator

    # An ISS-like element set of AIAA 2006-6753's own kind; any would do.
    first = "1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992"
    second = "2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008"
    catalogue = catalogue_of([Satrec.twoline2rv(first, second)])
    timescale = load.timescale(builtin=True)
    satellite = EarthSatellite(first, second, "", timescale)
    at_us = int(catalogue.epoch_us[0]) + np.arange(0, US_PER_DAY, 3_600_000_000)
    days, rest_us = np.divmod(at_us, US_PER_DAY)
    times = timescale.utc(1970, 1, 1 + days, 0, 0, rest_us / 1e6)
    # skyfield's own UT1, sampled finely enough; its builtin tables hold no polar motion.
    mjd = np.arange(days[0] - 1, days[-1] + 3) + 40_587
    ut1 = np.array([timescale.utc(1970, 1, 1 + int(day) - 40_587).dut1 for day in mjd])
    table = EarthOrientation(mjd, ut1, np.zeros(len(mjd)), np.zeros(len(mjd)))
    ours = Propagator(catalogue).ephemeris(at_us, earth=table, velocity=True)
    position, velocity = satellite.at(times).frame_xyz_and_velocity(itrs)
    assert ours.velocity_ecef_m_per_s is not None
    np.testing.assert_allclose(ours.position_ecef_m[:, :, 0].T, position.m, atol=1e-3, rtol=0)
    np.testing.assert_allclose(ours.velocity_ecef_m_per_s[:, :, 0].T, velocity.m_per_s, atol=1e-4, rtol=0)


def test_without_a_table_the_error_is_what_we_say() -> None:
    """0.9 s of the Earth's turn on the equator's ground and at 550 km: 419 and 455 m."""
    turn = gmst_rad(np.array([AT_US, AT_US]), np.array([0.0, 0.9]))
    angle = math.remainder(turn[1] - turn[0], 2 * math.pi)
    assert angle * 6_378_137.0 == pytest.approx(419, abs=0.5)
    assert angle * (6_378_137.0 + 550e3) == pytest.approx(455, abs=0.5)
