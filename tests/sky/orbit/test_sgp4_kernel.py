"""The kernels against the `sgp4` package and against the C library's sine and cosine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from sgp4.api import WGS72, Satrec

from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.sgp4_init import ROWS, near_earth_rows
from skylift.sky.orbit.sgp4_kernel import (
    BLOCK,
    CODE,
    SCRATCH_ROWS,
    UNSURE,
    VX,
    long_block,
    moving_block,
    oval_block,
    round_block,
)
from skylift.sky.orbit.sgp4_math_kernel import kepler, kepler_round, rough_sine, sincos, tiny_sincos

EPOCH_DAYS = 27_000.0
MM = 1e-3


@njit
def call_sincos(angle: float) -> tuple[float, float]:
    return sincos(angle)


@njit
def call_tiny_sincos(angle: float) -> tuple[float, float]:
    return tiny_sincos(angle)


@njit
def call_rough_sine(angle: float) -> float:
    return rough_sine(angle)


@njit
def call_kepler_round(axnl: float, aynl: float, u: float) -> tuple[float, float, float]:
    return kepler_round(axnl, aynl, u)


@njit
def call_kepler_4(axnl: float, aynl: float, u: float) -> tuple[float, float, float, float]:
    return kepler(axnl, aynl, u, 4)


@njit
def call_kepler_8(axnl: float, aynl: float, u: float) -> tuple[float, float, float, float]:
    return kepler(axnl, aynl, u, 8)


@given(st.floats(-5e4, 5e4))
def test_sine_and_cosine(angle: float) -> None:
    # Folding costs a rounding of the angle, and pi's own.
    bound = 2e-13 + abs(angle) * 2.5e-16
    assert call_sincos(angle) == pytest.approx((math.sin(angle), math.cos(angle)), abs=bound)
    assert call_rough_sine(angle) == pytest.approx(math.sin(angle), abs=3e-11 + bound)


@given(st.floats(-1.2e-3, 1.2e-3))
def test_tiny_sine_and_cosine(angle: float) -> None:
    assert call_tiny_sincos(angle) == pytest.approx((math.sin(angle), math.cos(angle)), abs=1e-13)


def eccentric_anomaly(axnl: float, aynl: float, u: float) -> float:
    """E from u = E + aynl cos E - axnl sin E, by bisection: slow, and cannot fail to converge."""
    low, high = u - 1.0, u + 1.0
    for _ in range(80):
        middle = (low + high) / 2.0
        if middle + aynl * math.cos(middle) - axnl * math.sin(middle) < u:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


@given(st.floats(0, 0.02), st.floats(0, 2 * math.pi), st.floats(-100, 100))
def test_kepler_for_round_orbits(e: float, perigee: float, u: float) -> None:
    axnl, aynl = e * math.cos(perigee), e * math.sin(perigee)
    wanted = eccentric_anomaly(axnl, aynl, u)
    sin_e, cos_e, inverse = call_kepler_round(axnl, aynl, u)
    assert (sin_e, cos_e) == pytest.approx((math.sin(wanted), math.cos(wanted)), abs=1e-12)
    assert inverse == pytest.approx(1 / (1 - axnl * math.cos(wanted) - aynl * math.sin(wanted)), rel=1e-12)


@pytest.mark.parametrize(("solve", "most"), [(call_kepler_4, 0.2), (call_kepler_8, 0.75)])
@given(data=st.data())
def test_kepler_says_itself_when_it_has_not_arrived(solve: Any, most: float, data: st.DataObject) -> None:
    e = data.draw(st.floats(0, most))
    perigee, u = data.draw(st.floats(0, 2 * math.pi)), data.draw(st.floats(-100, 100))
    axnl, aynl = e * math.cos(perigee), e * math.sin(perigee)
    wanted = eccentric_anomaly(axnl, aynl, u)
    sin_e, cos_e, _, miss = solve(axnl, aynl, u)
    if abs(miss) < 1e-9:
        assert (sin_e, cos_e) == pytest.approx((math.sin(wanted), math.cos(wanted)), abs=3e-12)
    else:
        assert e > most / 2, "a step count must do for at least half of its range"


Elements = tuple[float, ...]


@st.composite
def elements(draw: st.DrawFn, most_eccentricity: float) -> Elements:
    """Near-Earth mean elements: bstar, eccentricity, perigee, inclination, anomaly, rad/min, node."""
    eccentricity = draw(st.floats(0, most_eccentricity))
    perigee_km = draw(st.floats(90, 1_500))
    axis = (1 + perigee_km / 6_378.135) / (1 - eccentricity)
    motion = 60.0 / math.sqrt(6_378.135**3 / 398_600.8) / axis**1.5
    angle = st.floats(0, 2 * math.pi)
    return (
        draw(st.floats(-1e-3, 1e-2)), eccentricity, draw(angle), draw(st.floats(0, math.pi)), draw(angle),
        # Deep-space objects are the package's own.
        max(motion, 2 * math.pi / 220.0), draw(angle),
    )  # fmt: skip


def record_of(given_elements: Elements) -> Any:
    bstar, eccentricity, perigee, inclination, anomaly, motion, node = given_elements
    record = Satrec()
    record.sgp4init(
        WGS72, "i", 1, EPOCH_DAYS, bstar, 0.0, 0.0, eccentricity, perigee, inclination, anomaly, motion, node
    )
    return record


@pytest.mark.parametrize(
    ("block", "most"), [(round_block, 0.018), (oval_block, 0.19), (long_block, 0.45), (moving_block, 0.45)]
)
def test_a_block_gives_what_the_package_gives(block: Any, most: float, catalogue_of: Any) -> None:
    @settings(max_examples=60)
    @given(st.lists(elements(most), min_size=1, max_size=BLOCK), st.floats(-7, 7))
    def check(drawn: list[Elements], days: float) -> None:
        records = [record_of(one) for one in drawn]
        catalogue = catalogue_of(records)
        lanes = np.minimum(np.arange(BLOCK), len(drawn) - 1)
        rows = near_earth_rows(catalogue, int(catalogue.epoch_us[0]))
        assert rows.shape == (len(ROWS), len(drawn))
        since_us = float(round(days * US_PER_DAY))
        scratch = np.zeros(SCRATCH_ROWS * BLOCK)
        block(np.ascontiguousarray(rows[:, lanes]).ravel(), scratch, since_us, 0.0)
        results = scratch.reshape(SCRATCH_ROWS, BLOCK)
        for i, record in enumerate(records):
            error, position_km, velocity_km_per_s = record.sgp4_tsince(since_us / 60e6)
            compare(results[:, i], error, np.array(position_km) * 1e3, np.array(velocity_km_per_s) * 1e3)
            if block is moving_block and results[CODE, i] != UNSURE:
                np.testing.assert_allclose(
                    results[VX : VX + 3, i], np.array(velocity_km_per_s) * 1e3, atol=1e-6, rtol=0
                )

    check()


def compare(
    lane: npt.NDArray[np.float64], error: int, position_m: npt.NDArray[np.float64], _: object
) -> None:
    """A lane is the package's within a millimetre, or says that it is unsure."""
    if lane[CODE] == UNSURE:
        return
    np.testing.assert_allclose(lane[:3], position_m, atol=MM, rtol=0)
    altitude_km = np.linalg.norm(position_m) / 1e3 - 6_378.135
    wanted = 6 if error == 6 else 0 if 100 < altitude_km < 2_000 else 7
    assert lane[CODE] == wanted
    assert error in (0, 6)


def test_most_lanes_are_sure(catalogue_of: Any) -> None:
    """Else every test above would pass on a kernel that never commits itself."""
    records = [
        record_of((1e-4, 0.001 * i / BLOCK, 0.1 * i, 0.05 * i, 0.3 * i, 0.0657, 0.2 * i))
        for i in range(BLOCK)
    ]
    catalogue = catalogue_of(records)
    rows = near_earth_rows(catalogue, int(catalogue.epoch_us[0]))
    scratch = np.zeros(SCRATCH_ROWS * BLOCK)
    for block in (round_block, oval_block, long_block, moving_block):
        block(rows.ravel(), scratch, float(3 * US_PER_DAY), 0.0)
        assert not np.any(scratch.reshape(SCRATCH_ROWS, BLOCK)[CODE])
