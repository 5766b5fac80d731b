"""The kernels one by one, against plain Python, brute force and SciPy.

Named here for the budgets: schedule.levels_kernel, schedule.cones_kernel, schedule.feeders_kernel,
schedule.balance_kernel, schedule.lanes_kernel, schedule.exchange_kernel, schedule.shortlist_kernel,
schedule.units_kernel, schedule.oust_kernel, schedule.remake_kernel, schedule.seats_kernel,
schedule.even_kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from skylift.sky.schedule.balance_kernel import PARTS, divide, join, satellite_levels
from skylift.sky.schedule.cones_kernel import cone, crowding, neighbours
from skylift.sky.schedule.even_kernel import (
    common_level,
    enter,
    enter_again,
    flow_on,
    join_units,
    leave,
    write_rows,
)
from skylift.sky.schedule.exchange_kernel import exchange, highest_users, refresh
from skylift.sky.schedule.feeders_kernel import (
    assign_feeders,
    feeders_of_satellites,
    gateways_of_satellites,
)
from skylift.sky.schedule.lanes_kernel import enter_rows, put
from skylift.sky.schedule.levels_kernel import affordable, amount_at, heights, level_at, level_below, pour
from skylift.sky.schedule.oust_kernel import STEEP, lack, oust, standing
from skylift.sky.schedule.problem import Slot
from skylift.sky.schedule.recall_kernel import recall
from skylift.sky.schedule.remake_kernel import remake
from skylift.sky.schedule.seats_kernel import reach_more
from skylift.sky.schedule.shortlist_kernel import (
    cones_of_pairs,
    others_above,
    prices,
    shortlist,
    usable_pairs,
)
from skylift.sky.schedule.units_kernel import ONE_S, divide_cells, find_owners, settle, shut, shut_to

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


def test_an_amount_a_rounding_short_of_a_corner_is_at_it_or_below() -> None:
    """What rounding leaves below nothing met a class that wants nothing: a division by zero, once."""
    random = np.random.default_rng(1)
    for first in random.uniform(0.5, 2.0, 300):
        steps = np.array([first, 0.0, 0.0, 1.0, 1.0])
        amount = first / (1.0 + 1e-9)
        for _ in range(4):
            amount = np.nextafter(amount, 0.0)
        for _ in range(8):
            assert 1.0 - 1e-8 <= level_at(steps, amount) <= 3.0
            amount = np.nextafter(amount, 3.0)
    assert level_at(np.array([0.0, 0.0, 1.0, 1.0, 1.0]), -1e-12) == 2.0


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
        np.ones(satellites, dtype=np.int32),
        np.full(satellites, -1, dtype=np.int32), 0.0, gateway_of,
    )  # fmt: skip
    seats = np.repeat(reach, antennas, axis=0)
    best = maximum_bipartite_matching(csr_matrix(seats)) if len(seats) else np.empty(0)
    assert (gateway_of >= 0).sum() == (best >= 0).sum()
    for s, g in enumerate(gateway_of):
        assert g < 0 or reach[g, s]
    assert (np.bincount(gateway_of[gateway_of >= 0], minlength=gateways) <= antennas).all()


@pytest.mark.parametrize("wanted_bps", [1e9, 1e10, 1e11])
def test_the_only_antenna_tracks_the_satellite_with_more_arrays(wanted_bps: float) -> None:
    """Two in one place, one of them with three arrays of as many beams: it can do all that the other can.

    Once the higher level that it reaches counted against all it brings: a country that wanted much got the
    lesser satellite and a third of what there was.
    """
    cells = 20
    gateway_of = np.empty(2, dtype=np.int32)
    reach = np.array([0, 0], dtype=np.int32)
    assign_feeders(
        np.array([0, 1, 2]), reach, np.full(2, 1e11), np.array([1], dtype=np.int32),
        np.array([0, cells, 2 * cells]), np.tile(np.arange(cells, dtype=np.int32), 2),
        np.full(2 * cells, 1 / 600e6), np.full((cells, 5), wanted_bps / 5),
        np.array([16, 48], dtype=np.int32), np.array([1, 3], dtype=np.int32),
        np.full(2, -1, dtype=np.int32), 0.0, gateway_of,
    )  # fmt: skip
    assert gateway_of.tolist() == [-1, 0]


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


def test_exchanges_count_the_cells_of_cones_and_end_when_none_may_be_looked_at() -> None:
    """Two cells 10 km apart in one cone, on a full lane: the first has all, the second takes half of it."""
    cell_m = np.array([[6.371e6, 6.371e6], [0.0, 10e3], [0.0, 0.0]])
    near = (*neighbours(cell_m, 2e5), 2e5)
    rules = (
        np.array([[1, 0]], np.int32), 1, 0.04, 0.1, np.array([[6.921e6], [0.0], [0.0]]), cell_m, near,
        np.empty(3, np.int32), np.empty(1, np.int64),
    )  # fmt: skip
    book = (
        np.ones((1, 2, 1)), np.ones(1), np.full((1, 2, 1), -1, np.int32), np.zeros((1, 2), np.int32),
        np.full(1, 100.0), np.zeros(2), np.full((2, 1, 2), -1, np.int32), np.zeros((2, 1), np.int32),
        np.zeros((2, 1), np.bool_), np.full((1, 2, 1), -1, np.int32), np.empty((4, 5), np.int32),
        np.empty(4), np.empty(4), np.zeros(1, np.int64),
    )  # fmt: skip
    assert enter_rows(np.zeros((1, 5), np.int32), np.ones(1), np.full(1, 10.0), book, rules)
    assert refresh(book, rules) == 2
    order, offset, satellite = np.arange(2), np.arange(3), np.zeros(2, np.int32)
    pairs = order, offset, satellite, np.full(2, 10.0), np.zeros(2, np.uint32), np.full((2, 5), 5.0)
    asleep, top, more = np.zeros(2, np.bool_), np.full(1, 5.0), np.zeros(2)
    none, plenty = np.zeros(1, np.int64), np.array([100])
    assert exchange(*pairs, 0.02, more, top, asleep, none, book, rules) == 0
    # The first stands two levels higher: not enough where a pair must gain three more.
    assert exchange(*pairs, 0.02, np.full(2, 3.0), top, asleep, plenty.copy(), book, rules) == 0
    np.testing.assert_allclose(book[5], [10.0, 0.0])
    asleep[:] = False
    assert exchange(*pairs, 0.02, more, top, asleep, plenty, book, rules) == 1
    np.testing.assert_allclose(book[5], [5.0, 5.0], atol=1e-5)
    # Each cell may have looked at its cone of both cells; the second must have.
    assert plenty[0] in (96, 98)
    assert refresh(book, rules) == 4


def test_crowding_is_the_mean_of_what_is_wanted_around(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(9, cells=80, half_width_deg=2.0)
    cell_m, wanted = slot.cells.position_ecef_m, slot.cells.wanted_bps.sum(axis=1)
    apart_m = np.linalg.norm(cell_m[:, :, np.newaxis] - cell_m[:, np.newaxis, :], axis=0)
    want = float(wanted @ ((apart_m <= 60e3) @ wanted) / wanted.sum())
    steps = np.concatenate([np.zeros((80, 1)), slot.cells.wanted_bps], axis=1)
    assert crowding(steps, (*neighbours(cell_m, 2e5), 2e5), 60e3) == pytest.approx(want)
    assert crowding(0 * steps, (*neighbours(cell_m, 2e5), 2e5), 60e3) == 0.0


Short = tuple[np.ndarray, ...]


@settings(max_examples=150)
@given(st.integers(0, 10**6))
def test_no_exchange_of_antennas_leaves_fewer_cells_unseen(seed: int) -> None:
    """Every exchange of one for one by brute force; chains over gateways by matching."""
    random = np.random.default_rng(seed)
    n, gates, m = int(random.integers(2, 9)), int(random.integers(1, 4)), int(random.integers(1, 25))
    antennas = random.integers(1, 3, gates)
    reach = random.uniform(size=(gates, n)) < 0.6
    sees = random.uniform(size=(n, m)) < random.uniform(0.1, 0.6)
    seats = np.repeat(reach, antennas, axis=0)

    def seated(satellites: set[int]) -> list[int] | None:
        some = sorted(satellites)
        match = maximum_bipartite_matching(csr_matrix(seats[:, some]), perm_type="row") if some else []
        return None if any(x < 0 for x in match) else [int(x) for x in match]

    chosen: set[int] = set()
    for s in random.permutation(n).tolist():
        if seated(chosen | {s}) is not None:
            chosen.add(s)
    at = seated(chosen)
    assert at is not None
    gate_of_seat = np.repeat(np.arange(gates), antennas)
    gateway_of = np.full(n, -1, dtype=np.int32)
    gateway_of[sorted(chosen)] = gate_of_seat[at] if chosen else []
    used = np.bincount(gateway_of[gateway_of >= 0], minlength=gates)
    seat_offset = np.concatenate([[0], np.cumsum(antennas)])
    seat_of = np.full(seat_offset[-1], -1, dtype=np.int32)
    for g in range(gates):
        mine = np.flatnonzero(gateway_of == g)
        seat_of[seat_offset[g] : seat_offset[g] + len(mine)] = mine
    by_satellite, gate = np.nonzero(reach.T)
    reach_offset = np.searchsorted(by_satellite, np.arange(n + 1))
    of, cells = np.nonzero(sees)
    cell_offset = np.searchsorted(of, np.arange(n + 1))
    scratch = np.empty(gates, dtype=np.int32), np.empty(gates, dtype=np.int64)

    def unseen(satellites: set[int]) -> int:
        return int((~sees[sorted(satellites)].any(axis=0)).sum())

    times = reach_more(
        reach_offset, gate.astype(np.int32), cell_offset, cells.astype(np.int32), random.uniform(size=n),
        seat_offset, seat_of, used, gateway_of, *scratch,
    )  # fmt: skip
    now = set(np.flatnonzero(gateway_of >= 0).tolist())
    assert len(now) == len(chosen)
    assert all(reach[gateway_of[s], s] for s in now)
    assert (np.bincount(gateway_of[gateway_of >= 0], minlength=gates) <= antennas).all()
    assert (unseen(now) < unseen(chosen)) if times else now == chosen
    for out in now:
        for into in set(range(n)) - now:
            if seated(now - {out} | {into}) is not None:
                assert unseen(now - {out} | {into}) >= unseen(now)


def short_of(slot: Slot, most: int) -> tuple[np.ndarray, np.ndarray, Short, np.ndarray]:
    """Steps, local numbers, short list and targets of a slot whose every third satellite has no feeder."""
    wanted, n = slot.cells.wanted_bps, len(slot.satellites)
    steps = np.concatenate([0.02 * wanted.sum(axis=1, keepdims=True), 0.98 * wanted], axis=1)
    local = np.where(np.arange(n) % 3 > 0, np.cumsum(np.arange(n) % 3 > 0) - 1, -1).astype(np.int32)
    pairs = slot.pairs
    offset, pair, satellite, weight, slowness = usable_pairs(
        pairs.offset, pairs.satellite, pairs.full_rate_bps, steps, local
    )
    before, target = weight.copy(), np.empty(len(steps))
    count = int(local.max()) + 1
    lanes, feeder = np.full(count, 16.0), np.full(count, 20e9)
    prices(offset, satellite, weight, slowness, steps, lanes, feeder, 8, target)
    cell = np.repeat(np.arange(len(steps)), np.diff(offset))
    np.testing.assert_array_equal(local[pairs.satellite[pair]], satellite)
    np.testing.assert_allclose(slowness, 1 / pairs.full_rate_bps[pair])
    # Every usable pair is there, and each cell is divided in whole.
    here = np.repeat(np.arange(len(steps)), np.diff(pairs.offset))
    usable = (local[pairs.satellite] >= 0) & (steps.sum(axis=1)[here] > 0)
    assert sorted(pair.tolist()) == np.flatnonzero(usable).tolist()
    np.testing.assert_allclose(np.bincount(cell, weight)[np.unique(cell)], 1.0)
    # Prices even out what weights alone would load.
    alone = before / np.bincount(cell, before)[cell]
    load = [np.bincount(satellite, w * slowness * steps.sum(axis=1)[cell]) for w in (alone, weight)]
    assert load[1].max() < load[0].max()
    assert (target >= 0).all()
    assert (target <= 5).all()
    before_used = np.zeros(len(pairs.satellite), dtype=np.bool_)
    before_used[pair[np.argmin(weight)]] = True
    listed = shortlist(offset, pair, satellite, weight, before_used, most)
    assert pair[np.argmin(weight)] in listed[1]
    weight[np.argmin(weight)] = 1.0
    for c in range(len(steps)):
        own = slice(offset[c], offset[c + 1])
        heaviest = set(pair[own][np.argsort(-weight[own], kind="stable")[:most]].tolist())
        got = slice(listed[0][c], listed[0][c + 1])
        assert set(listed[1][got].tolist()) == heaviest
        assert (np.diff(listed[2][got]) > 0).all()
    return steps, local, listed, target


def test_the_short_list_holds_the_heaviest_pairs(slot_of: Callable[..., Slot]) -> None:
    for seed in range(3):
        short_of(slot_of(seed, cells=60, satellites=20), 5)


def test_cones_of_pairs_are_the_cones(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(3, cells=250, half_width_deg=2.0, satellites=20)
    cell_m, sat_m = slot.cells.position_ecef_m, slot.satellites.position_ecef_m
    near, out = (*neighbours(cell_m, 2e6), 2e6), np.empty(300, dtype=np.int32)
    pairs = slot.pairs
    offset, cells = cones_of_pairs(pairs.offset, pairs.satellite, sat_m, cell_m, near, 0.04)
    cell = np.repeat(np.arange(250), np.diff(pairs.offset))
    for k in range(0, len(cell), 11):
        n = cone(int(pairs.satellite[k]), int(cell[k]), sat_m, cell_m, near, 0.04, out)
        assert cells[offset[k] : offset[k + 1]].tolist() == out[:n].tolist()
    short = (*neighbours(cell_m, 1e4), 1e4)
    assert len(cones_of_pairs(pairs.offset, pairs.satellite, sat_m, cell_m, short, 0.04)[0]) == 0


UNITS = pytest.mark.parametrize(
    ("seed", "channels", "feeder_bps", "then"),
    [
        (seed, channels, feeder_bps, then)
        for seed, channels, feeder_bps in [(0, 8, 20e9), (1, 12, 3e9), (2, 3, 20e9)]
        for then in ("settled", "ousted", "seated", "remade")
    ],
)


def empty_units(n: int, m: int, q: int, f: int) -> tuple[np.ndarray, ...]:
    return (
        np.zeros((n * f, 5)), np.zeros((n, 5)), np.full(n * f, 6.0), np.full(n, 6.0),
        np.zeros(n * f, np.uint8), np.full((n, 2), min(f, 5), np.int32), np.zeros((m, f), np.int64),
        np.zeros((m, f), np.int64), np.full(m, (1 << f) - 1, np.uint32), np.zeros(m, np.uint32),
        np.full((m, f), -1, np.int32), np.zeros((q, f), np.uint16),
    )  # fmt: skip


def lack_of(parts: tuple[np.ndarray, ...], satellite: np.ndarray, units: tuple[np.ndarray, ...]) -> float:
    """What all parts lack, part by part."""
    total, channels = 0.0, units[11].shape[1]
    for of, pair, channel in zip(*parts[1:], strict=True):
        if pair >= 0:
            s = int(satellite[pair])
            total += of * math.exp(-STEEP * min(units[2][s * channels + channel], units[3][s], 5.0))
        else:
            total += of
    return total


@pytest.mark.parametrize("then", ["ousted", "remade"])
@pytest.mark.parametrize(("seed", "channels"), [(0, 8), (1, 12), (2, 3)])
def test_room_is_made_only_where_all_lack_less(
    slot_of: Callable[..., Slot], seed: int, channels: int, then: str
) -> None:
    x = settled(slot_of, seed, channels, 20e9, then)
    assert (np.diff(x.lacks) <= 1e-9 * np.array(x.lacks[:-1])).all()
    assert (x.helped > 0) == (x.lacks[-1] < x.lacks[0] * (1 - 1e-9))
    # Where the round helped nobody, nobody could be seen to lack anything.
    assert x.helped > 0 or x.lacks[0] < 1e-6
    mass, unplaced = np.zeros(len(x.units[2])), float(x.of[x.parts[2] < 0].sum())
    placed = np.flatnonzero(x.parts[2] >= 0)
    np.add.at(mass, x.satellite[x.parts[2][placed]] * channels + x.parts[3][placed], x.of[placed])
    assert lack(mass, unplaced, x.units, STEEP) == pytest.approx(x.lacks[-1])
    # Levels of cells, from what their parts are given.
    got, level = np.zeros(x.m), np.empty(x.m)
    for v in placed:
        s = int(x.satellite[x.parts[2][v]])
        top = min(x.units[2][s * channels + x.parts[3][v]], x.units[3][s], 5.0)
        got[x.cell[v]] += x.of[v] * amount_at(x.steps[x.cell[v]], top)
    standing(*x.parts, x.steps, x.units, x.list_, level)
    np.testing.assert_allclose(level, [level_at(s, g) for s, g in zip(x.steps, got, strict=True)])


def test_ousting_ends_when_its_tries_are_used_up(slot_of: Callable[..., Slot]) -> None:
    x = settled(slot_of, 0, 8, 20e9, "settled")
    before, tries = [p.copy() for p in x.parts], np.array([0])
    how = x.parts, x.steps, x.feeder, 0.01, x.units, x.list_, tries
    assert oust(np.arange(x.count), *how[0], *how[1:], False, np.zeros(x.m, np.bool_)) == 0
    for one, two in zip(before, x.parts, strict=True):
        np.testing.assert_array_equal(one, two)


def with_nothing(parts: tuple[np.ndarray, ...], m: int) -> set[int]:
    """Cells of which no part is placed."""
    return set(range(m)) - set(parts[0][parts[2] >= 0].tolist())


def test_whoever_has_nothing_is_seated_and_nobody_for_nothing(slot_of: Callable[..., Slot]) -> None:
    """No round leaves more cells with nothing, who rose stays up, and in the end fewer have nothing."""
    x = settled(slot_of, 2, 3, 20e9, "seated")
    assert len(x.nothing[0]) > 0
    assert len(x.nothing[-1]) < len(x.nothing[0])
    for before, after, rose in zip(x.nothing[:-1], x.nothing[1:], x.rose, strict=True):
        assert len(after) <= len(before)
        assert not after & set(np.flatnonzero(rose).tolist())


def settled(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> SimpleNamespace:
    """A crowd after three rounds; odd pairs may use all channels, even ones not the first and third.

    then  "ousted", "remade": after a round of these as well; what all lack is in `lacks`, by turn.
          "seated": after rounds for cells that have nothing: `nothing` is who, before each round and in the
          end, and `rose` who was marked after it
    """
    slot = slot_of(seed, cells=150, half_width_deg=1.5, satellites=15, beams=min(channels, 5))
    steps, local, (offset, pair, satellite), target = short_of(slot, 6)
    tracked = np.flatnonzero(local >= 0)
    sat_m, cell_m = slot.satellites.position_ecef_m[:, tracked].copy(), slot.cells.position_ecef_m
    n, m, q, f = len(tracked), 150, len(pair), channels
    cone_offset, cones = cones_of_pairs(
        offset, satellite, sat_m, cell_m, (*neighbours(cell_m, 2e6), 2e6), 0.0436
    )
    rate = slot.pairs.full_rate_bps[pair]
    barred = np.where(np.arange(q) % 2 == 0, 0b101, 0).astype(np.uint32)
    list_ = (offset, satellite, rate, barred, np.zeros(q), cone_offset, cones)
    units = empty_units(n, m, q, f)
    cell, of = np.empty(m * 4, dtype=np.int64), np.empty(m * 4)
    count = divide_cells(steps.sum(axis=1) / 6e8, 1.0, 4, np.arange(m)[::-1].copy(), cell, of)
    cell, of = cell[:count], of[:count]
    np.testing.assert_allclose(np.bincount(cell, of)[np.unique(cell)], 1.0)
    parts = (cell, of, np.full(count, -1), np.full(count, -1, dtype=np.int32))
    feeder = np.full(n, feeder_bps)
    for _ in range(3):
        scratch = np.empty(channels), np.empty((2, channels), np.int64)
        settle(np.arange(count), *parts, steps, target, feeder, 0.01, 1e-6, units, list_, *scratch)
        target = np.full(m, 5.0)
    lacks, tries, helped = [lack_of(parts, satellite, units)], np.array([500]), 0
    nothing: list[set[int]] = []
    rose: list[np.ndarray] = []
    if then == "ousted":
        order = np.arange(count)[::-1].copy()
        helped = oust(order, *parts, steps, feeder, 0.01, units, list_, tries, False, np.zeros(m, np.bool_))
        lacks.append(lack_of(parts, satellite, units))
    elif then == "seated":
        order, seated = np.arange(count), np.zeros(m, np.bool_)
        for _ in range(8):
            nothing.append(with_nothing(parts, m))
            oust(order, *parts, steps, feeder, 0.01, units, list_, np.array([500]), True, seated)
            rose.append(seated.copy())
        nothing.append(with_nothing(parts, m))
    elif then == "remade":
        for _ in range(3):
            helped += remake(20, np.ones(1), *parts, steps, feeder, 0.01, units, list_)
            lacks.append(lack_of(parts, satellite, units))
    return SimpleNamespace(**{k: v for k, v in locals().items() if k != "slot_of"})


@UNITS
def test_units_know_who_covers_and_who_serves(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """Counted anew from the parts; and whoever covers a served cell is its server, for Nco is 1."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    covers, squares, bare, held, server, uses = x.units[6:]
    served = {(int(k), int(ch)) for k, ch in zip(*x.parts[2:], strict=True) if k >= 0}
    pair_cell = np.repeat(np.arange(x.m), np.diff(x.offset))
    by_satellite = np.zeros((x.n, x.m, x.f), dtype=np.int64)
    want_server = np.full_like(server, -1)
    for k, ch in served:
        assert not int(x.barred[k]) >> ch & 1
        want_server[pair_cell[k], ch] = x.satellite[k]
        for cell in x.cones[x.cone_offset[k] : x.cone_offset[k + 1]]:
            assert server[cell, ch] in (-1, x.satellite[k])
            by_satellite[x.satellite[k], cell, ch] += 1
    number = np.arange(x.n)
    np.testing.assert_array_equal(covers, np.einsum("s,scf->cf", number * ONE_S + 1, by_satellite))
    np.testing.assert_array_equal(squares, np.einsum("s,scf->cf", number**2, by_satellite))
    total = by_satellite.sum(axis=0)
    for k in range(x.q):
        others = total[pair_cell[k]] > by_satellite[x.satellite[k], pair_cell[k]]
        word = int(shut(k, pair_cell[k], x.units, x.list_))
        assert [bool(word >> ch & 1) for ch in range(x.f)] == [
            bool(others[ch] or int(x.barred[k]) >> ch & 1) for ch in range(x.f)
        ]
    np.testing.assert_array_equal(server, want_server)
    channel = np.arange(channels)
    np.testing.assert_array_equal(bare[:, np.newaxis] >> channel & 1, total == 0)
    np.testing.assert_array_equal(held[:, np.newaxis] >> channel & 1, server >= 0)
    assert uses.sum() == (x.parts[2] >= 0).sum()


@UNITS
def test_left_out_are_no_pairs_by_which_a_cell_could_rise(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """Of the pairs beyond the short list those with a unit above their cell, where nobody else covers it; and
    `find_owners` and `shut_to` say what `shut` says, pair by pair."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    pairs, random = x.slot.pairs, np.random.default_rng(seed)
    usable = usable_pairs(pairs.offset, pairs.satellite, pairs.full_rate_bps, x.steps, x.local)[:3]
    listed = np.isin(np.arange(len(pairs.satellite)), x.pair)
    barred = random.integers(0, 1 << 16, len(listed)).astype(np.uint32)
    level, top = random.uniform(1, 5, x.m), random.uniform(0, 5, x.n * channels)
    offset, found, satellite = others_above(*usable, listed, level, top, 0.3, barred, x.units)
    held, owner = x.units[9], np.empty(channels, np.int64)
    by = {(c, f): set() for c in range(x.m) for f in range(channels)}
    for q, f in zip(*x.parts[2:], strict=True):
        for c in x.cones[x.cone_offset[q] : x.cone_offset[q + 1]] if q >= 0 else []:
            by[int(c), int(f)].add(int(x.satellite[q]))
    for c in range(x.m):
        want = []
        mine = slice(usable[0][c], usable[0][c + 1])
        for k, s in zip(usable[1][mine].tolist(), usable[2][mine].tolist(), strict=True):
            free = [by[c, f] <= {s} and not int(barred[k] | held[c]) >> f & 1 for f in range(channels)]
            high = top[s * channels : (s + 1) * channels] > level[c] + 0.3
            if not listed[k] and level[c] + 0.3 < 5.0 and (high & free).any():
                want.append((k, s))
        got = slice(offset[c], offset[c + 1])
        assert list(zip(found[got].tolist(), satellite[got].tolist(), strict=True)) == want
        find_owners(c, x.units, owner)
        for k in range(x.offset[c], x.offset[c + 1]):
            assert shut_to(x.satellite[k], x.barred[k], owner) == shut(k, c, x.units, x.list_)


@UNITS
def test_units_add_up_what_their_parts_take(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    x = settled(slot_of, seed, channels, feeder_bps, then)
    time, sums, level, _, lit, dark = x.units[:6]
    placed = np.flatnonzero(x.parts[2] >= 0)
    k, steps = x.parts[2][placed], x.of[placed, np.newaxis] * x.steps[x.cell[placed]]
    want_time, want_sums = np.zeros_like(time), np.zeros_like(sums)
    np.add.at(want_sums, x.satellite[k], steps)
    np.add.at(want_time, x.satellite[k] * channels + x.parts[3][placed], steps / x.rate[k, np.newaxis])
    np.testing.assert_allclose(time, want_time, atol=1e-9)
    np.testing.assert_allclose(sums, want_sums, atol=1.0)
    lanes = (lit & 1) + (lit >> 1)
    for u in range(len(level)):
        want = affordable(time[u], 0 * time[u], float(max(lanes[u], 1)), 1.0)
        assert level[u] == (pytest.approx(want, abs=1e-6) if lit[u] else 6.0)
    for p in range(2):
        on = (lit.reshape(x.n, channels) >> p & 1).sum(axis=1)
        assert (on + dark[:, p] == min(channels, 5)).all()


def flow_of(x: SimpleNamespace, feeder: np.ndarray, sweeps: int = 60) -> tuple[Any, ...]:
    """Cells seated where their parts are, and time flowing until units hardly change."""
    m, n, f = x.m, x.n, x.channels
    flow = (
        np.zeros((m, f)), np.full((m, f), -1, dtype=np.int32), np.full((m, f), -1, dtype=np.int32),
        np.full(n * f, -1, dtype=np.int32), np.zeros(m), np.zeros(m), np.full(n * f, 6.0), np.zeros(n),
        np.ones(n * f, dtype=np.bool_), np.zeros(x.q), np.pad(np.cumsum(x.steps, axis=1), ((0, 0), (1, 0))),
        (np.empty(m, dtype=np.int32), np.empty(m), np.empty(m), np.empty(m), np.zeros(m)),
    )  # fmt: skip
    enter(x.cell, *x.parts[2:], flow, x.units, x.list_)
    flow_on(sweeps, x.steps, feeder, flow, x.units, x.list_)
    return flow


def assert_sums(x: SimpleNamespace, flow: tuple[Any, ...], feeder: np.ndarray) -> None:
    """What cells and satellites have is what their times add up to, and no lane or feeder gives more."""
    spent, pair_at, got, level, carried = flow[0], flow[1], flow[4], flow[5], flow[7]
    bps = np.where(pair_at >= 0, spent * x.rate[pair_at], 0.0)
    np.testing.assert_allclose(bps.sum(axis=1), got, rtol=1e-9, atol=1.0)
    seated = pair_at >= 0
    satellite = x.satellite[pair_at[seated]]
    np.testing.assert_allclose(np.bincount(satellite, bps[seated], minlength=x.n), carried, rtol=1e-9, atol=1)
    assert (carried <= feeder * (1 + 1e-9)).all()
    unit = satellite * x.channels + np.nonzero(seated)[1]
    lanes = (x.units[4] & 1) + (x.units[4] >> 1)
    assert (np.bincount(unit, spent[seated], minlength=x.n * x.channels) <= lanes * (1 + 1e-9)).all()
    for c in range(x.m):
        assert level[c] == pytest.approx(level_at(x.steps[c], got[c]))


@UNITS
def test_time_flows_until_cells_of_a_unit_stand_level(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """Of each unit: whoever has time stands no higher than any other, unless the feeder ends first."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    flow = flow_of(x, x.feeder)
    assert_sums(x, flow, x.feeder)
    spent, pair_at, level, carried = flow[0], flow[1], flow[5], flow[7]
    for s in range(x.n):
        for ch in range(channels):
            mine = np.flatnonzero((pair_at[:, ch] >= 0) & (x.satellite[pair_at[:, ch]] == s))
            if not len(mine) or carried[s] > x.feeder[s] * (1 - 1e-6):
                continue
            falls = [level_below(x.steps[c], flow[4][c]) for c in mine[spent[mine, ch] > 1e-6]]
            assert max(falls) <= level[mine].min() + 0.05
            lanes = (x.units[4][s * channels + ch] & 1) + (x.units[4][s * channels + ch] >> 1)
            assert spent[mine, ch].sum() >= lanes * (1 - 1e-6) or level[mine].min() >= 5 - 1e-6
    rows, room = np.empty((3 * x.m * channels, 5), np.int32), 3 * x.m * channels
    shares, rates = np.empty(room), np.empty(room)
    r = write_rows(flow, x.units, x.list_, rows, shares, rates)
    rows, shares, rates = rows[:r], shares[:r], rates[:r]
    assert np.bincount((rows[:, 0] * 2 + rows[:, 1]) * channels + rows[:, 2], shares).max() <= 1 + 1e-9
    np.testing.assert_allclose(np.bincount(rows[:, 3], shares * rates, minlength=x.m), flow[4], atol=1e2)


@UNITS
def test_cells_join_only_what_the_rules_leave_open(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """After joining and leaving, everything adds up, the lowest stands no lower, and Nco holds."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    flow = flow_of(x, x.feeder, 3)
    least, joined = float(flow[5].min()), 0
    scratch = np.empty(x.n), np.empty((2, channels), np.int64)
    for gap in (0.1, 0.05):
        leave(flow, x.units, x.list_)
        order = np.argsort(flow[5], kind="stable")
        joined += join_units(order, gap, 0.001, x.steps, x.feeder, flow, x.units, x.list_, *scratch)
        flow_on(3, x.steps, x.feeder, flow, x.units, x.list_)
        assert_sums(x, flow, x.feeder)
    assert joined > 0
    assert flow[5].min() >= least - 1e-6
    pair_at = flow[1]
    for ch in range(channels):
        for c in np.flatnonzero(pair_at[:, ch] >= 0):
            k = pair_at[c, ch]
            assert not int(x.barred[k]) >> ch & 1
            inside = x.cones[x.cone_offset[k] : x.cone_offset[k + 1]]
            others = pair_at[inside, ch]
            assert (x.satellite[others[others >= 0]] == x.satellite[k]).all()


@UNITS
def test_cells_find_their_seats_of_the_slot_before(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """Into empty units all come back; where a channel is barred or a satellite gone, nobody."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    had = flow_of(x, x.feeder, 0)[1]
    cell, ch = np.nonzero(had >= 0)
    satellite = x.satellite[had[cell, ch]]
    for barred, gone in ((0, False), (0xFFFF, False), (0, True)):
        x.units = empty_units(x.n, x.m, x.q, channels)
        x.list_ = (*x.list_[:3], x.barred | np.uint32(barred), *x.list_[4:])
        x.parts = (x.cell, x.of, np.full(x.count, -1), np.full(x.count, -1, dtype=np.int32))
        again = flow_of(x, x.feeder, 0)
        assert (again[1] < 0).all()
        enter_again(cell, np.where(gone, -1, satellite), ch, again, x.units, x.list_)
        np.testing.assert_array_equal(again[1], had if not (barred or gone) else np.full_like(had, -1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([1e8, 1e9, 1e12]))
def test_a_common_level_is_where_time_or_feeder_ends(seed: int, room: float, left: float) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 9))
    steps = random.uniform(0, 5e8, (n, 5)) * (random.uniform(size=(n, 5)) > 0.3)
    corners = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    slowness, more = 1 / random.uniform(4e8, 8e8, n), np.where(random.uniform(size=n) < 0.5, 0.0, 0.05)
    base = random.uniform(0, 1, n) * corners[:, -1] * random.uniform(0, 1, n)
    cell = np.arange(n, dtype=np.int32)

    def taken(z: float) -> tuple[float, float]:
        due = np.array([np.interp(z + d, np.arange(6), row) for d, row in zip(more, corners, strict=True)])
        need = np.maximum(due - base, 0)
        return float((need * slowness).sum()), float(need.sum())

    z = common_level(n, cell, slowness, base, more, corners, room, left, random.uniform(0, 5))
    time, bps = taken(z)
    assert time <= room * (1 + 1e-8)
    assert bps <= left * (1 + 1e-8)
    if z < 5:
        time, bps = taken(z + 1e-5)
        assert time >= room * (1 - 1e-7) or bps >= left * (1 - 1e-7)


@UNITS
def test_parts_find_their_places_of_the_slot_before(
    slot_of: Callable[..., Slot], seed: int, channels: int, feeder_bps: float, then: str
) -> None:
    """Into empty units all come back to where they were; what is closed meanwhile stays unplaced."""
    x = settled(slot_of, seed, channels, feeder_bps, then)
    placed = np.flatnonzero(x.parts[2] >= 0)
    had, times = np.unique(
        np.stack([x.parts[2], x.cell, x.parts[3]], axis=1)[placed], axis=0, return_counts=True
    )
    pair, cell, channel = had.T
    part = times / np.bincount(x.cell)[cell]
    for word, back in ((0, True), (0xFFFF, False)):
        list_ = (*x.list_[:3], x.barred | np.uint32(word), *x.list_[4:])
        units = empty_units(x.n, x.m, x.q, channels)
        again = (np.full(x.count, -1), np.full(x.count, -1, dtype=np.int32))
        recall(x.cell, x.of, *again, pair, cell, channel, part, x.steps, x.feeder, units, list_)
        assert (again[0] >= 0).sum() == (len(placed) if back else 0)
        if back:
            for c in range(x.m):
                mine = x.cell == c
                had = sorted(zip(x.parts[2][mine], x.parts[3][mine], strict=True))
                assert sorted(zip(again[0][mine], again[1][mine], strict=True)) == had
            np.testing.assert_array_equal(units[6], x.units[6])
