"""The kernels one by one, against plain Python, brute force and SciPy.

Named here for the budgets: schedule.levels_kernel, schedule.cones_kernel, schedule.feeders_kernel,
schedule.balance_kernel, schedule.lanes_kernel, schedule.exchange_kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from skylift.sky.schedule.balance_kernel import PARTS, divide, join, satellite_levels
from skylift.sky.schedule.cones_kernel import cone, neighbours
from skylift.sky.schedule.exchange_kernel import highest_users
from skylift.sky.schedule.feeders_kernel import (
    assign_feeders,
    feeders_of_satellites,
    gateways_of_satellites,
)
from skylift.sky.schedule.lanes_kernel import put
from skylift.sky.schedule.levels_kernel import affordable, amount_at, heights, level_at, level_below, pour
from skylift.sky.schedule.problem import Slot

STEPS = st.lists(st.sampled_from([0.0, 1.0, 2.5, 40.0]), min_size=5, max_size=5).map(np.array)


@given(STEPS, st.floats(0, 5))
def test_a_level_and_its_amount_belong_together(steps: np.ndarray, level: float) -> None:
    corners = np.concatenate([[0.0], np.cumsum(steps)])
    amount = float(np.interp(level, np.arange(6), corners))
    assert amount_at(steps, level) == pytest.approx(amount)
    reached = level_at(steps, amount)
    # The highest level that costs no more, and the lowest that costs as much.
    assert np.interp(reached, np.arange(6), corners) == pytest.approx(amount, rel=1e-6)
    assert reached >= level - 1e-6
    if amount > 0:
        assert level_below(steps, amount) <= level + 1e-6
        assert level_at(steps, amount * (1 - 1e-5)) <= level_below(steps, amount) + 1e-6


@given(STEPS, STEPS, st.sampled_from([1.0, 7.0, 30.0]), st.sampled_from([2.0, 20.0, 90.0]))
def test_what_a_satellite_affords(time: np.ndarray, rate: np.ndarray, beams: float, feeder: float) -> None:
    # Where a step takes rate it takes time.
    rate = np.where(time > 0, rate, 0.0)
    got = affordable(time, rate, beams, feeder)
    levels = np.linspace(0, 5, 5001)
    corners = [np.concatenate([[0.0], np.cumsum(steps)]) for steps in (time, rate)]
    fits = (np.interp(levels, np.arange(6), corners[0]) <= beams + 1e-9) & (
        np.interp(levels, np.arange(6), corners[1]) <= feeder + 1e-9
    )
    assert min(got, 5.0) == pytest.approx(levels[fits].max(), abs=2e-3)
    assert (got > 5.0) == bool(time.sum() < beams and rate.sum() < feeder)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 3.0, 40.0]), st.sampled_from([1e8, 1e9, 1e12]))
def test_what_a_satellite_pours(seed: int, beams: float, feeder: float) -> None:
    """The highest level on a fine grid at which time and rate suffice."""
    random = np.random.default_rng(seed)
    steps = random.choice([0.0, 1e7, 1e8], (6, 5))
    rates = random.uniform(1e8, 5e8, 6)
    got = random.choice([0.0, 5e7], 6)
    corners = np.concatenate([np.zeros((6, 1)), np.cumsum(steps, axis=1)], axis=1)
    levels = np.linspace(0, 5, 2001)
    wants = np.array(
        [np.maximum(np.interp(levels, np.arange(6), row) - g, 0) for row, g in zip(corners, got, strict=True)]
    )
    fits = ((wants / rates[:, None]).sum(axis=0) <= beams) & (wants.sum(axis=0) <= feeder)
    level, poured = pour(np.arange(6, dtype=np.int32), 1 / rates, heights(steps), got, beams, feeder)
    assert level == pytest.approx(levels[fits].max(), abs=4e-3)
    assert poured == pytest.approx(np.interp(level, levels, wants.sum(axis=0)), rel=1e-6, abs=1e4)


def test_a_cone_is_what_brute_force_says(slot_of: Callable[..., Slot]) -> None:
    for angle in (0.0, 0.01, 0.05, 0.12):
        slot = slot_of(7, cells=300)
        cell_m, sat_m = slot.cells.position_ecef_m, slot.satellites.position_ecef_m
        near = (*neighbours(cell_m, 2e6), 2e6)
        out = np.empty(400, dtype=np.int32)
        for k in range(0, len(slot.pairs.satellite), 17):
            c = int(np.searchsorted(slot.pairs.offset, k, side="right") - 1)
            s = int(slot.pairs.satellite[k])
            n = cone(s, c, sat_m, cell_m, near, angle, out)
            axis, to = cell_m[:, c] - sat_m[:, s], (cell_m.T - sat_m[:, s]).T
            apart = np.arctan2(np.linalg.norm(np.cross(axis, to.T), axis=1), axis @ to)
            want = set(np.flatnonzero(apart < angle - 1e-8)) | {c}
            assert want <= set(out[:n].tolist()) <= set(np.flatnonzero(apart < angle + 1e-7)) | {c}
            assert out[0] == c
            assert len(set(out[:n].tolist())) == n


def test_neighbours_that_reach_too_short_are_told(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(7, cells=50)
    near = (*neighbours(slot.cells.position_ecef_m, 1e4), 1e4)
    s, out = int(slot.pairs.satellite[0]), np.empty(60, dtype=np.int32)
    assert cone(s, 0, slot.satellites.position_ecef_m, slot.cells.position_ecef_m, near, 0.04, out) == -1


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5))
def test_antennas_serve_as_many_satellites_as_can_be(seed: int, satellites: int, gateways: int) -> None:
    """Every satellite adds something, so the count must be that of SciPy's maximum matching."""
    random = np.random.default_rng(seed)
    reach = random.uniform(size=(gateways, satellites)) < 0.4
    antennas = random.integers(0, 4, gateways).astype(np.int32)
    offset = np.concatenate([[0], np.cumsum(reach.sum(axis=1))]).astype(np.int64)
    by_satellite = gateways_of_satellites(
        offset, np.nonzero(reach)[1].astype(np.int32), antennas, np.full(reach.sum(), 1e9), satellites
    )
    gateway_of = np.empty(satellites, dtype=np.int32)
    own = np.arange(satellites, dtype=np.int32)
    assign_feeders(
        *by_satellite, antennas, np.arange(satellites + 1), own,
        np.full(satellites, 1e-8), np.full((satellites, 5), 1e7), np.ones(satellites, dtype=np.int32),
        np.full(satellites, -1, dtype=np.int32), 0.0, gateway_of,
    )  # fmt: skip
    seats = np.repeat(reach, antennas, axis=0)
    best = maximum_bipartite_matching(csr_matrix(seats)) if len(seats) else np.empty(0)
    assert (gateway_of >= 0).sum() == (best >= 0).sum()
    for s, g in enumerate(gateway_of):
        assert g < 0 or reach[g, s]
    assert (np.bincount(gateway_of[gateway_of >= 0], minlength=gateways) <= antennas).all()


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_reach_is_turned_around_with_the_best_feeder_first(seed: int) -> None:
    random = np.random.default_rng(seed)
    reach = random.uniform(size=(5, 7)) < 0.6
    antennas = random.integers(0, 3, 5).astype(np.int32)
    bps = random.integers(0, 4, (5, 7)).astype(np.float64)
    gateway_offset = np.concatenate([[0], np.cumsum(reach.sum(axis=1))]).astype(np.int64)
    offset, gateway, rate = gateways_of_satellites(
        gateway_offset, np.nonzero(reach)[1].astype(np.int32), antennas, bps[reach], 7
    )
    for s in range(7):
        want = [g for g in range(5) if reach[g, s] and antennas[g] > 0 and bps[g, s] > 0]
        want.sort(key=lambda g: -bps[g, s])
        assert gateway[offset[s] : offset[s + 1]].tolist() == want
        assert rate[offset[s] : offset[s + 1]].tolist() == [bps[g, s] for g in want]
        taken, got = np.full(7, -1, dtype=np.int32), np.empty(7)
        if want:
            taken[s] = want[-1]
        feeders_of_satellites(offset, gateway, rate, taken, got)
        assert got[s] == (bps[want[-1], s] if want else 0.0)
        assert got.sum() == got[s]


def test_loads_are_the_sums_of_parts(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(3, cells=60)
    pairs, m, n = slot.pairs, len(slot.cells), len(slot.satellites)
    wanted = slot.cells.wanted_bps
    steps = np.concatenate([0.02 * wanted.sum(axis=1, keepdims=True), 0.98 * wanted], axis=1)
    pair_of, part_of = np.full((m, PARTS), -1, dtype=np.int64), np.zeros((m, PARTS))
    time, rate, level = np.zeros((n, 5)), np.zeros((n, 5)), np.empty(n)
    beams, feeder = np.full(n, 16, dtype=np.int32), np.full(n, 20e9)
    kept = np.zeros(len(pairs.satellite), dtype=np.bool_)
    given_ = (pairs.offset, pairs.satellite, pairs.full_rate_bps, steps, beams, feeder, kept, 0.0)
    for _ in range(30):
        if join(*given_, 0.0, np.zeros(n), np.arange(m), pair_of, part_of, time, rate) == 0:
            break
    satellite_levels(time, rate, beams, feeder, level)
    before = np.sort(np.minimum(level, 5))[0]
    for _ in range(4):
        divide(*given_, 0.005, pair_of, part_of, time, rate, level)
    want_time, want_rate = np.zeros((n, 5)), np.zeros((n, 5))
    for c in range(m):
        for k, part in zip(pair_of[c], part_of[c], strict=True):
            if k >= 0:
                want_rate[pairs.satellite[k]] += part * steps[c]
                want_time[pairs.satellite[k]] += part * steps[c] / pairs.full_rate_bps[k]
    np.testing.assert_allclose(time, want_time, atol=1e-9)
    np.testing.assert_allclose(rate, want_rate, atol=1.0)
    np.testing.assert_allclose(part_of.sum(axis=1), 1.0)
    # Dividing raises the lowest satellite or leaves it.
    assert np.minimum(level, 5).min() >= before - 1e-9


def test_put_keeps_the_book_and_the_highest_user_is_found() -> None:
    n, m, f = 1, 3, 2
    book = (
        np.ones((n, 2, f)), np.full(n, 4.0), np.zeros((n, 2, f), np.int32), np.full((n, 2), 2, np.int32),
        np.full(n, 100.0), np.zeros(m), np.zeros((m, f, 2), np.int32), np.zeros((m, f), np.int32),
        np.zeros((m, f), np.bool_), np.full((n, 2, f), -1, np.int32), np.empty((4, 5), np.int32),
        np.empty(4), np.empty(4), np.zeros(1, np.int64),
    )  # fmt: skip
    for cell, share in ((0, 0.25), (1, 0.25), (0, 0.25)):
        assert put(cell, 0, 1, 0, share, 10.0, book)
    assert book[13][0] == 2
    assert book[0][0, 1, 0] == pytest.approx(0.25)
    np.testing.assert_allclose(book[5], [5.0, 2.5, 0.0])
    assert book[4][0] == pytest.approx(92.5)
    top = np.empty(1)
    highest_users(np.full((m, 5), 5.0), book, top)
    assert math.isclose(top[0], 1.0)
