"""Jamming: arrays of J/S against a search by hand, and what they do to links."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.radio_files import modcods_of, packaged_system
from skylift.base.errors import Refused
from skylift.sky.radio.jamming import ANY, Jammer, Jamming, jammed_power_dbw
from skylift.sky.radio.link_budget import LinkBudget, Surroundings, link_budget
from skylift.sky.radio.path_loss import free_space_loss_db, slant_range_m


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


KEYS = st.tuples(st.integers(-1, 3), st.integers(-1, 3), st.integers(-1, 2))
LINKS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))


@given(st.lists(st.tuples(KEYS, st.floats(-40.0, 40.0)), max_size=12), st.lists(LINKS, max_size=12))
def test_jamming_adds_up_over_every_row_that_meets_a_link(
    rows: list[tuple[tuple[int, int, int], float]], links: list[tuple[int, int, int]]
) -> None:
    jamming = Jamming(*columns([row for row, _ in rows]), np.array([level for _, level in rows]))
    got = jamming.at(*columns(links))
    for k, link in enumerate(links):
        power = sum(
            10 ** (level / 10)
            for row, level in rows
            if all(mine in (ANY, theirs) for mine, theirs in zip(row, link, strict=True))
        )
        assert got[k] == (pytest.approx(10 * math.log10(power)) if power else -np.inf)


def test_h3_cells_are_footprints() -> None:
    cell, other = 0x8511AA73FFFFFFF, 0x8511AA77FFFFFFF
    jamming = Jamming(*columns([(ANY, cell, ANY)]), np.array([3.0]))
    assert jamming.at(*columns([(5, cell, 1), (5, other, 1)])) == pytest.approx([3.0, -np.inf])


@pytest.mark.parametrize("levels", [np.array([1.0, 2.0]), np.array([np.nan]), np.array(1.0)])
def test_columns_that_do_not_fit_are_refused(levels: np.ndarray) -> None:
    with pytest.raises(Refused):
        Jamming(*columns([(0, 0, 0)]), levels)


def under(j_over_s_db: float) -> LinkBudget:
    link = packaged_system("starlink-2022").links["down"]
    elevation_rad = math.radians(40.0)
    range_m = slant_range_m(link.altitude_m, elevation_rad)
    around = Surroundings(j_over_s_db=j_over_s_db)
    return link_budget(link, modcods_of(link), elevation_rad, range_m, 0.0, around)


def test_jamming_degrades_a_link_and_then_takes_it_out() -> None:
    levels = [-60.0, -20.0, -10.0, -5.0, 0.0, 10.0]
    budgets = [under(level) for level in levels]
    rates = [float(budget.rate_bps) for budget in budgets]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(float(under(-np.inf).rate_bps))
    assert 0.0 < rates[3] < rates[0]
    assert rates[-1] == 0.0
    assert budgets[-1].modcod == -1
    # A strong jammer alone decides: C/(N+I) is then just above -J/S.
    assert budgets[-1].c_ni_db == pytest.approx(-10.0, abs=0.02)


@pytest.mark.parametrize(
    ("eirp_dbw", "range_m", "gain_dbi", "j_over_s_db"),
    [(40.0, 20e3, 0.0, 2.1), (40.0, 20e3, -10.0, -7.9), (10.0, 10e3, 0.0, -21.8), (60.0, 100e3, 0.0, 8.2)],
)
def test_jammers_on_the_ground(eirp_dbw: float, range_m: float, gain_dbi: float, j_over_s_db: float) -> None:
    """36.7 dBW from 800 km into 33.2 dBi against a jammer on a side lobe; only ranges differ."""
    signal_dbw = 36.7 - free_space_loss_db(800e3, 11.7e9) + 33.2
    jam_dbw = jammed_power_dbw(Jammer(eirp_dbw, 240e6), range_m, gain_dbi, 11.7e9, 240e6)
    by_hand = eirp_dbw + gain_dbi - 36.7 - 33.2 + 20 * math.log10(800e3 / range_m)
    assert jam_dbw - signal_dbw == pytest.approx(by_hand)
    assert jam_dbw - signal_dbw == pytest.approx(j_over_s_db, abs=0.06)


def test_a_jammer_wider_than_the_channel_wastes_the_rest() -> None:
    narrow = jammed_power_dbw(Jammer(40.0, 240e6), 20e3, 0.0, 11.7e9, 240e6)
    wide = jammed_power_dbw(Jammer(40.0, 2_400e6), 20e3, 0.0, 11.7e9, 240e6)
    inside = jammed_power_dbw(Jammer(40.0, 1e6), 20e3, 0.0, 11.7e9, 240e6)
    assert narrow - wide == pytest.approx(10.0)
    assert inside == pytest.approx(float(narrow))


def test_the_signal_that_j_is_set_against_is_in_the_budget() -> None:
    """J/S from powers: C/N0 less noise density is the same signal."""
    link = packaged_system("starlink-2022").links["up"]
    got = link_budget(link, modcods_of(link), 0.7, 800e3)
    noise_dbw_hz = -228.599 + 10 * math.log10(link.noise_temperature_k)
    assert got.signal_dbw - noise_dbw_hz == pytest.approx(float(got.c_n0_dbhz), abs=0.01)
