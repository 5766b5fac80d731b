"""Least distances against brute force over a revolution, and the patterns of generated shells."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sgp4.api import WGS72, Satrec, SatrecArray

from skylift.base.errors import Refused
from skylift.base.instants import julian_date, parse_instant
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.separation import (
    best_phasing,
    least_distance_between_m,
    least_distance_m,
    pair_least_distance_m,
    separation_warnings,
)
from skylift.sky.orbit.shells import Pattern, Shell
from skylift.sky.orbit.status import altitude_m
from skylift.sky.orbit.walker import FIRST_GENERATED_NORAD, generate

EPOCH_US = parse_instant("2022-02-26T00:00:00Z")
STARLINK = Shell("S", 72, 22, 550e3, 53.0, 39.0)


def positions_m(catalogue: Catalogue, mean_anomaly_rad: float) -> npt.NDArray[np.float64]:
    """Keplerian positions, (3, N), after `mean_anomaly_rad` of motion, by formulas other than ours."""
    axis = (3.986008e14 / catalogue.mean_motion_rad_per_s**2) ** (1 / 3)
    e = catalogue.eccentricity
    mean = catalogue.mean_anomaly_rad + mean_anomaly_rad
    anomaly = mean.copy()
    for _ in range(50):
        anomaly = mean + e * np.sin(anomaly)
    true = 2 * np.arctan2(np.sqrt(1 + e) * np.sin(anomaly / 2), np.sqrt(1 - e) * np.cos(anomaly / 2))
    u = true + catalogue.arg_perigee_rad
    r = axis * (1 - e * np.cos(anomaly))
    node, tilt = catalogue.raan_rad, catalogue.inclination_rad
    return np.stack(
        [
            r * (np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * np.cos(tilt)),
            r * (np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * np.cos(tilt)),
            r * np.sin(u) * np.sin(tilt),
        ]
    )


def brute_force_m(catalogue: Catalogue, first: int, second: int, samples: int) -> float:
    """Least distance of any satellite below `first` to any from `second` on (0, 0: any pair)."""
    least = math.inf
    for angle in np.linspace(0, 2 * np.pi, samples, endpoint=False):
        where = positions_m(catalogue, float(angle))
        apart = np.linalg.norm(where[:, :, np.newaxis] - where[:, np.newaxis, :], axis=0)
        np.fill_diagonal(apart, np.inf)
        least = min(least, float((apart[:first, second:] if first else apart).min()))
    return least


shells = st.builds(
    Shell,
    name=st.just("X"),
    planes=st.integers(1, 7),
    satellites_per_plane=st.integers(1, 6),
    altitude_m=st.floats(300e3, 2000e3),
    inclination_deg=st.floats(0, 180),
    phasing=st.floats(0, 7) | st.integers(0, 7).map(float),
    pattern=st.sampled_from(Pattern),
    alternating_phase=st.booleans(),
    first_raan_deg=st.floats(0, 360),
    first_mean_anomaly_deg=st.floats(0, 360),
    eccentricity=st.just(0.0) | st.floats(0, 0.1),
    arg_perigee_deg=st.floats(0, 360),
    allow_collisions=st.just("a test"),
)


@settings(max_examples=50)
@given(shells)
def test_the_least_distance_is_that_of_brute_force(shell: Shell) -> None:
    ours = least_distance_m(shell)
    if shell.count == 1:
        assert ours == math.inf
        return
    samples = 360
    brute = brute_force_m(generate([shell], EPOCH_US), 0, 0, samples)
    # Two satellites approach each other at twice their speed at most, for half a step of the sampling.
    slack = 2 * np.pi / samples * shell.radius_m * (1 + 3 * shell.eccentricity)
    # In floats, satellites that meet are within a metre.
    assert brute - slack <= ours <= brute + 1.0


@pytest.mark.parametrize("phases", [(0.0, 0.0), (10.0, 3.0), (15.0, 0.06)])
def test_two_shells_of_one_orbit_are_compared_pair_by_pair(phases: tuple[float, float]) -> None:
    one = Shell("A", 3, 5, 560e3, 97.6, 1.0)
    other = Shell(
        "B",
        2,
        4,
        560e3,
        97.6,
        0.0,
        first_raan_deg=phases[0],
        first_mean_anomaly_deg=phases[1],
        allow_collisions="a test",
    )
    brute = brute_force_m(generate([one, other], EPOCH_US), one.count, one.count, 3600)
    slack = 2 * np.pi / 3600 * one.radius_m
    assert brute - slack <= least_distance_between_m(one, other) <= brute + 1.0


def test_shells_that_drift_past_each_other_are_as_near_as_their_altitudes() -> None:
    lower = replace(STARLINK, name="L", altitude_m=549.2e3)
    tilted = replace(STARLINK, name="T", inclination_deg=70.0)
    assert least_distance_between_m(STARLINK, lower) == pytest.approx(800.0, abs=1e-3)
    assert least_distance_between_m(STARLINK, tilted) == pytest.approx(0.0, abs=1e-6)
    assert len(separation_warnings([STARLINK, lower, tilted])) == 3
    assert separation_warnings([STARLINK, replace(STARLINK, name="H", altitude_m=560e3)]) == ()


def test_a_phasing_that_collides_is_refused_with_a_better_one() -> None:
    assert least_distance_m(replace(STARLINK, phasing=36.0)) < 1.0
    assert 49e3 < least_distance_m(STARLINK) < 51e3
    for shell in (replace(STARLINK, phasing=36.0), replace(STARLINK, alternating_phase=True)):
        with pytest.raises(Refused, match=r"F = 65 keeps 71\.5 km") as caught:
            generate([shell], EPOCH_US)
        assert caught.value.code == "constellation.collision"
        allowed = generate([replace(shell, allow_collisions="Hypatia, IMC 2020")], EPOCH_US)
        assert len(allowed) == 1584


def test_the_best_phasing_is_the_best_of_all() -> None:
    shell = Shell("X", 9, 7, 600e3, 60.0, 0.0)
    best, least_m = best_phasing(shell)
    distances = [least_distance_m(replace(shell, phasing=float(f))) for f in range(9)]
    assert least_m == max(distances) == distances[best]


def satrecs(catalogue: Catalogue) -> SatrecArray:
    records = []
    for i in range(len(catalogue)):
        day, fraction = julian_date(int(catalogue.epoch_us[i]))
        record = Satrec()
        record.sgp4init(
            WGS72,
            "i",
            int(catalogue.norad[i]),
            day + fraction - 2_433_281.5,
            catalogue.bstar_per_earth_radius[i],
            0.0,
            0.0,
            catalogue.eccentricity[i],
            catalogue.arg_perigee_rad[i],
            catalogue.inclination_rad[i],
            catalogue.mean_anomaly_rad[i],
            catalogue.mean_motion_rad_per_s[i] * 60.0,
            catalogue.raan_rad[i],
        )
        records.append(record)
    return SatrecArray(records)


def test_flown_by_sgp4_the_pattern_lasts_and_keeps_its_distance() -> None:
    """J2's and J3's periodic terms move the closest pass by 8 km, for good: 100 days change nothing."""
    catalogue = generate([STARLINK], EPOCH_US)
    planned_m = pair_least_distance_m(
        STARLINK.radius_m,
        np.radians(53.0),
        catalogue.raan_rad - catalogue.raan_rad[0],
        catalogue.mean_anomaly_rad - catalogue.mean_anomaly_rad[0],
    )
    # Satellite 0, and all that are planned to come near it.
    records = satrecs(catalogue.take(np.argsort(planned_m)[:60]))
    least_km = []
    for days in (0, 100):
        day, fraction = julian_date(EPOCH_US + days * 86_400_000_000)
        # Over one revolution of 95.6 min, every 2 s.
        times = fraction + np.arange(0, 5740, 2.0) / 86_400.0
        error, where_km, _ = records.sgp4(np.full(len(times), day), times)
        assert not error.any()
        least_km.append(float(np.linalg.norm(where_km[1:] - where_km[0], axis=2).min()))
    # Satellites pass each other at up to 15 km/s, so that a sample may be some hundred metres off.
    assert abs(least_km[1] - least_km[0]) < 0.5
    assert abs(least_km[0] - least_distance_m(STARLINK) / 1000) < 10.0


def test_sgp4_flies_near_the_nominal_altitude() -> None:
    for inclination_deg in (0.0, 53.0, 97.6):
        shell = Shell("X", 1, 1, 550e3, inclination_deg, 0.0)
        times = np.arange(0, 1440, 1.0) / 1440.0
        day, fraction = julian_date(EPOCH_US)
        _, where_km, _ = satrecs(generate([shell], EPOCH_US)).sgp4(np.full(len(times), day), fraction + times)
        mean_km = float(np.linalg.norm(where_km[0], axis=1).mean())
        assert abs(mean_km - 6928.135) < 5.0


def test_a_walker_delta_is_laid_out_as_walker_wrote() -> None:
    """T/P/F = 12/3/1: nodes 120 degrees apart, four a plane, the next plane east 30 degrees ahead."""
    shell = Shell("W", 3, 4, 600e3, 60.0, 1.0, first_raan_deg=10.0, first_mean_anomaly_deg=5.0)
    catalogue = generate([shell], EPOCH_US)
    assert catalogue.norad.tolist() == list(range(FIRST_GENERATED_NORAD, FIRST_GENERATED_NORAD + 12))
    assert catalogue.name[5] == "W P01 S01"
    np.testing.assert_allclose(np.degrees(catalogue.raan_rad), [10] * 4 + [130] * 4 + [250] * 4)
    np.testing.assert_allclose(np.degrees(catalogue.mean_anomaly_rad[:4]), [5, 95, 185, 275])
    np.testing.assert_allclose(np.degrees(catalogue.mean_anomaly_rad[4:8]), [35, 125, 215, 305])
    np.testing.assert_allclose(altitude_m(catalogue), 600e3, rtol=1e-12)


def test_a_star_spreads_over_half_a_turn_and_half_slots_alternate() -> None:
    shell = Shell(
        "W", 4, 2, 600e3, 90.0, 2.0, Pattern.STAR, alternating_phase=True, allow_collisions="a test"
    )
    catalogue = generate([shell], EPOCH_US)
    np.testing.assert_allclose(np.degrees(catalogue.raan_rad[::2]), [0, 45, 90, 135])
    np.testing.assert_allclose(np.degrees(catalogue.mean_anomaly_rad[::2]), [0, 90, 0, 90])
    arc = generate([replace(shell, node_spread_deg=40.0)], EPOCH_US)
    np.testing.assert_allclose(np.degrees(arc.raan_rad[::2]), [0, 10, 20, 30])


def test_shells_follow_each_other_and_are_numbered() -> None:
    shells_ = [Shell("A", 2, 3, 600e3, 60.0, 0.0), Shell("B", 3, 2, 700e3, 60.0, 1.0)]
    catalogue = generate(shells_, EPOCH_US, first_norad=1)
    assert catalogue.shell.tolist() == [0] * 6 + [1] * 6
    assert len(set(catalogue.name)) == 12
    with pytest.raises(Refused):
        generate([], EPOCH_US)
