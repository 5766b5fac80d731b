"""Fair shares: against linear programs, and by the property that defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from skylift.base.randomness import random_stream
from skylift.sky.schedule import sharing_kernel
from skylift.sky.schedule.problem import ScheduleRules
from skylift.sky.schedule.sharing import Uses, joined, share

Floats = npt.NDArray[np.float64]
FLOOR = 0.1
RULES = ScheduleRules(floor_fraction=FLOOR)


def random_case(seed: int, flows: int, links: int) -> tuple[Floats, Any, Floats, Floats]:
    """wanted (M,), priority (M,), what a unit of each flow takes of each link (L, M), capacity (L,)."""
    random = random_stream(seed, "tests/sharing")
    wanted = random.uniform(1.0, 10.0, flows)
    priority = random.integers(1, 5, flows).astype(np.uint8)
    takes = random.uniform(0.2, 2.0, (links, flows)) * (random.uniform(size=(links, flows)) < 0.6)
    capacity = random.uniform(0.0, 0.8, links) * (takes @ wanted + 1e-9)
    return wanted, priority, takes, capacity


def uses_of(takes: Floats) -> Uses:
    link, flow = np.nonzero(takes)
    return Uses(flow, link, takes[link, flow])


def by_linear_programs(wanted: Floats, priority: Any, takes: Floats, capacity: Floats) -> Floats:
    """The same objective, one linear program after the other: raise the least, find out whom that stops."""
    m = len(wanted)
    low, fixed = np.zeros(m), np.zeros(m, dtype=bool)
    for stage in range(5):
        top = wanted * FLOOR if stage == 0 else np.where(priority == stage, wanted, low)
        base = low.copy()
        rising = ~fixed & (top > base)
        while rising.any():
            # Variables: the rates, and t; rate = base + t (top - base) at least for those that rise.
            t = _best(np.zeros(m + 1) + np.eye(m + 1)[m], low, top, base, rising, takes, capacity)
            for i in np.flatnonzero(rising):
                low[i] = base[i] + t * (top[i] - base[i])
            stopped = rising & (low >= top - 1e-9)
            for i in np.flatnonzero(rising & ~stopped):
                most = _best(np.eye(m + 1)[i], low, top, base, np.zeros(m, dtype=bool), takes, capacity)
                stopped[i] = most <= low[i] + 1e-7
            assert stopped.any()
            fixed |= stopped & (low < top - 1e-9)
            rising &= ~stopped
    return low


def _best(
    goal: Floats, low: Floats, top: Floats, base: Floats, rising: Any, takes: Floats, capacity: Floats
) -> float:
    m = len(low)
    rows = [np.append(takes[k], 0.0) for k in range(len(capacity))]
    limits = list(capacity + 1e-12)
    for i in np.flatnonzero(rising):
        row = np.zeros(m + 1)
        row[i], row[m] = -1.0, top[i] - base[i]
        rows.append(row)
        limits.append(-base[i])
    bounds = [(float(low[i]) - 1e-9, float(max(top[i], low[i]))) for i in range(m)] + [(0.0, 1.0)]
    found = linprog(-goal, A_ub=np.array(rows), b_ub=limits, bounds=bounds, method="highs")
    assert found.status == 0, found.message
    return float(-found.fun)


@pytest.mark.parametrize("seed", range(25))
def test_as_linear_programs_find(seed: int) -> None:
    wanted, priority, takes, capacity = random_case(seed, 6, 4)
    got = share(wanted, priority, uses_of(takes), capacity, RULES)
    np.testing.assert_allclose(got, by_linear_programs(wanted, priority, takes, capacity), atol=1e-5)


def levels(rate: float, wanted: float, priority: int) -> tuple[float, float]:
    """How far a flow is filled, on the scale of docs/why/011: 0 to 1 the floor, k to k + 1 class k.

    Lowest and highest: who has its floor and no more stands anywhere from 1 to where its class begins.
    """
    floor = FLOOR * wanted
    if rate < floor * (1 - 1e-7):
        return rate / floor, rate / floor
    beyond = max(rate - floor, 0.0) / (wanted - floor)
    return (priority + beyond if beyond > 1e-7 else 1.0), priority + beyond


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 25))
def test_nobody_can_rise_but_at_the_cost_of_one_no_better_off(seed: int, flows: int, links: int) -> None:
    wanted, priority, takes, capacity = random_case(seed, flows, links)
    got = share(wanted, priority, uses_of(takes), capacity, RULES)
    assert (got >= 0.0).all()
    assert (got <= wanted * (1 + 1e-9)).all()
    load = takes @ got
    assert (load <= capacity * (1 + 1e-9) + 1e-9).all()
    low, high = np.array([levels(got[i], wanted[i], int(priority[i])) for i in range(flows)]).T
    full = load >= capacity - 1e-7 * (takes @ wanted) - 1e-12
    for i in np.flatnonzero(got < wanted * (1 - 1e-6)):
        # A full link stops it, on which nobody stands higher.
        stops = np.flatnonzero(full & (takes[:, i] > 0))
        assert any((low[takes[k] > 0] <= high[i] + 1e-5).all() for k in stops)


def test_by_hand() -> None:
    """Two on one link of 10: the floor first, then life, then the rest."""
    uses = Uses(np.array([0, 1]), np.array([0, 0]), np.ones(2))
    got = share(np.array([20.0, 8.0]), np.array([4, 1], dtype=np.uint8), uses, np.array([10.0]), RULES)
    np.testing.assert_allclose(got, [2.0, 8.0])
    got = share(np.array([20.0, 8.0]), np.array([4, 4], dtype=np.uint8), uses, np.array([7.0]), RULES)
    np.testing.assert_allclose(got, [5.0, 2.0])
    assert sharing_kernel.fill is not None


def test_links_of_several_kinds_are_numbered_apart() -> None:
    one = Uses(np.array([0, 1]), np.array([0, 1]), np.ones(2))
    both = joined([(one, 2), (one, 2)])
    assert both.link.tolist() == [0, 1, 2, 3]
    got = share(
        np.array([5.0, 5.0]),
        np.array([4, 4], dtype=np.uint8),
        both,
        np.array([9.0, 3.0, 2.0, 9.0]),
        ScheduleRules(floor_fraction=0.0),
    )
    np.testing.assert_allclose(got, [2.0, 3.0])


def test_a_link_without_limit_stops_nobody() -> None:
    uses = Uses(np.array([0, 0, 1]), np.array([0, 1, 0]), np.ones(3))
    got = share(np.array([20.0, 8.0]), np.array([4, 1], dtype=np.uint8), uses, np.array([np.inf, 6.0]), RULES)
    np.testing.assert_allclose(got, [6.0, 8.0])


def test_nobody_and_nothing() -> None:
    nothing = np.zeros(0)
    none = Uses(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing)
    assert len(share(nothing, np.zeros(0, np.uint8), none, nothing, RULES)) == 0
    # Without a link nothing holds anybody back; one of no capacity holds back whoever uses it.
    wanted = np.array([3.0, 4.0])
    uses = Uses(np.array([1]), np.array([0]), np.ones(1))
    got = share(wanted, np.array([4, 4], dtype=np.uint8), uses, np.zeros(1), RULES)
    np.testing.assert_allclose(got, [3.0, 0.0])


def by_weights(
    wanted: Floats, priority: Any, takes: Floats, capacity: Floats, weights: Any, tiers: Any
) -> Floats:
    """Tier by tier with linear programs: all that still rise gain part x weight of their rest, the part as
    great as can be; whoever is full then, or can have no more however little the others rise, stops."""
    weight, tier = np.array(weights)[priority - 1], np.array(tiers)[priority - 1]
    low, stuck = np.zeros(len(wanted)), np.zeros(len(wanted), dtype=bool)
    for stage in range(5):
        top = wanted * FLOOR if stage == 0 else np.where(tier == stage, wanted, low)
        slope = wanted * FLOOR if stage == 0 else wanted * (1 - FLOOR) * weight
        rising = ~stuck & (top > low + 1e-12)
        while rising.any():
            # In the steps of `_best` from `low` to where the first of them would be full.
            part = ((top - low)[rising] / slope[rising]).min()
            goal = low + np.where(rising, part * slope, 0.0)
            m = len(wanted)
            t = _best(np.eye(m + 1)[m], low, goal, low, rising, takes, capacity)
            low = low + np.where(rising, t * (goal - low), 0.0)
            full = rising & (low >= top - 1e-8)
            stopped = np.zeros(m, dtype=bool)
            for i in np.flatnonzero(rising & ~full):
                none = np.zeros(m, dtype=bool)
                stopped[i] = _best(np.eye(m + 1)[i], low, top, low, none, takes, capacity) <= low[i] + 1e-7
            assert (full | stopped).any()
            stuck |= stopped
            rising &= ~(full | stopped)
    return low


@pytest.mark.parametrize(
    ("weights", "tiers"),
    [
        ((8.0, 4.0, 2.0, 1.0), (1, 1, 1, 1)),
        ((1.0, 3.0, 3.0, 1.0), (1, 2, 2, 2)),
        ((5.0, 1.0, 2.0, 0.5), (1, 1, 2, 2)),
        ((1.0, 1.0, 1.0, 1.0), (1, 2, 3, 4)),
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_weights_within_tiers_as_linear_programs_find(seed: int, weights: Any, tiers: Any) -> None:
    wanted, priority, takes, capacity = random_case(seed, 6, 4)
    rules = ScheduleRules(floor_fraction=FLOOR, class_weights=weights, class_tiers=tiers)
    got = share(wanted, priority, uses_of(takes), capacity, rules)
    np.testing.assert_allclose(got, by_weights(wanted, priority, takes, capacity, weights, tiers), atol=1e-5)


def test_weights_by_hand() -> None:
    """On one link of 11: floors of 1 each, then 3 to 1; the heavier has all, and the rest is the other's."""
    uses = Uses(np.array([0, 1]), np.array([0, 0]), np.ones(2))
    rules = ScheduleRules(floor_fraction=0.1, class_weights=(3.0, 1.0, 1.0, 1.0))
    both = np.array([10.0, 10.0]), np.array([1, 4], dtype=np.uint8), uses
    np.testing.assert_allclose(share(*both, np.array([11.0]), rules), [7.75, 3.25])
    np.testing.assert_allclose(share(*both, np.array([15.0]), rules), [10.0, 5.0])
    # Strictly in order the first has all that it wants.
    np.testing.assert_allclose(share(*both, np.array([11.0]), RULES), [10.0, 1.0])
