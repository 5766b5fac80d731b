"""Delay terms: arithmetic by hand, and totals beside published medians."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.sky.routing.delay import DelayTerms, fibre_us, light_us


def test_fibre_by_hand() -> None:
    """One degree of the equator on the mean sphere is 111,195 m: x 1.5 x 1.468 / c = 816.7 us."""
    one_degree = fibre_us(Place(0.0, 0.0), Place(0.0, 1.0), DelayTerms(route_factor=1.5))
    assert one_degree == pytest.approx(816.7, abs=0.1)
    assert fibre_us(Place(10.0, 20.0), Place(10.0, 20.0), DelayTerms()) == 0.0
    doubled = fibre_us(Place(0.0, 0.0), Place(0.0, 1.0), DelayTerms(route_factor=3.0))
    assert doubled == pytest.approx(2 * one_degree)


def test_light_takes_a_second_for_its_speed() -> None:
    np.testing.assert_allclose(light_us(np.array([299_792_458.0, 0.0])), [1e6, 0.0])


@pytest.mark.parametrize(
    ("dish_km", "gateway_km", "fibre_km"), [(700, 900, 300), (600, 700, 0), (900, 1100, 500)]
)
def test_round_trips_lie_beside_the_published_medians(dish_km, gateway_km, fibre_km) -> None:
    """25.7 ms (June 2025), 30 ms (2020), 33 ms (March 2024); one satellite between both ends."""
    terms = DelayTerms()
    light = float(light_us(np.array([(dish_km + gateway_km) * 1e3]))[0])
    fibre = fibre_us(Place(0.0, 0.0), Place(0.0, fibre_km / 111.195), terms)
    round_trip_us = 2 * (light + fibre) + terms.added_up_us + terms.added_down_us
    assert 20_000 <= round_trip_us <= 34_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"route_factor": 0.9},
        {"route_factor": math.nan},
        {"access_up_us": -1.0},
        {"processing_down_us": 2e6},
        {"access_down_us": math.inf},
    ],
)
def test_impossible_terms_are_refused(wrong) -> None:
    with pytest.raises(Refused, match="must be between"):
        DelayTerms(**wrong)
