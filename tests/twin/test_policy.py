"""Policies against one slow line each."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.randomness import random_stream
from skylift.twin.choose_kernel import candidate_cost_us
from skylift.twin.policy import CHANGE_FRACTION, POLICIES, Candidates


@st.composite
def candidates(draw: st.DrawFn) -> Candidates:
    rows = draw(
        st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6).map(sorted), min_size=1, max_size=6)
    )
    total = sum(len(row) for row in rows)
    costs = st.sampled_from([100.0, 200.0, 300.0, 5_100.0, 5_200.0, 10_200.0, 10_301.0, 20_000.0, math.inf])
    return Candidates(
        offset=np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        satellite=np.array([s for row in rows for s in row], dtype=np.int32),
        elevation_rad=np.array([draw(st.integers(1, 4)) / 4 for _ in range(total)], dtype=np.float32),
        cost_us=np.array([draw(costs) for _ in range(total)], dtype=np.float64),
        previous=np.array([draw(st.integers(-1, 9)) for _ in rows], dtype=np.int32),
    )


def plain(name: str, c: Candidates, m: int) -> int:
    pairs = [k for k in range(c.offset[m], c.offset[m + 1]) if math.isfinite(c.cost_us[k])]
    if name == "sticky":
        least = min((c.cost_us[k] for k in pairs), default=0.0)
        kept = [k for k in pairs if c.satellite[k] == c.previous[m] and c.cost_us[k] <= least + 10_000.0]
        if kept:
            return kept[0]
        pairs = [k for k in pairs if c.cost_us[k] <= least + 5_000.0]
    if name == "lowest-delay":
        return min(pairs, key=lambda k: (c.cost_us[k], k), default=-1)
    return min(pairs, key=lambda k: (-c.elevation_rad[k], k), default=-1)


def observed(c: Candidates, m: int) -> int:
    """The highest of what it does not have, within a detour of those; too far, or not its turn: sticky."""
    leaves = random_stream(0, f"policy/starlink-observed/{c.at_us}").random(len(c.previous))[m]
    pairs = [k for k in range(c.offset[m], c.offset[m + 1]) if math.isfinite(c.cost_us[k])]
    others = [k for k in pairs if c.satellite[k] != c.previous[m]]
    if leaves >= CHANGE_FRACTION or not others:
        return plain("sticky", c, m)
    least_other = min(c.cost_us[k] for k in others)
    best = min(
        (k for k in others if c.cost_us[k] <= least_other + 5_000.0), key=lambda k: (-c.elevation_rad[k], k)
    )
    near = c.cost_us[best] <= min(c.cost_us[k] for k in pairs) + 10_000.0
    return best if near else plain("sticky", c, m)


@pytest.mark.parametrize("name", ["sticky", "lowest-delay", "highest-elevation"])
@settings(max_examples=150)
@given(candidates())
def test_policies(name: str, c: Candidates) -> None:
    assert POLICIES[name](c).tolist() == [plain(name, c, m) for m in range(len(c.previous))]


@settings(max_examples=150)
@given(candidates(), st.integers(0, 20))
def test_as_starlink_is_observed(c: Candidates, slot: int) -> None:
    c = replace(c, at_us=slot * 15_000_000)
    assert POLICIES["starlink-observed"](c).tolist() == [observed(c, m) for m in range(len(c.previous))]


def test_where_others_are_as_near_the_satellite_changes_as_often_as_the_fraction_says() -> None:
    """Six satellites always in view of 30 terminals, none lower or farther than others, over 200 slots."""
    previous, changed = np.full(30, -1, dtype=np.int32), 0
    for slot in range(200):
        c = Candidates(
            offset=np.arange(31, dtype=np.int64) * 6,
            satellite=np.tile(np.arange(6, dtype=np.int32), 30),
            elevation_rad=np.full(180, 1.0, dtype=np.float32),
            cost_us=np.full(180, 100.0),
            previous=previous,
            at_us=slot * 15_000_000,
        )
        now = c.satellite[POLICIES["starlink-observed"](c)]
        changed += int((now != previous).sum()) if slot else 0
        previous = now
    # Five standard deviations of a share of 5,970 draws.
    assert changed / (199 * 30) == pytest.approx(CHANGE_FRACTION, abs=0.025)


def test_every_policy_is_tested() -> None:
    assert set(POLICIES) == {"sticky", "lowest-delay", "highest-elevation", "starlink-observed"}


def test_cost_is_the_range_and_what_follows() -> None:
    """Terminal 1 uses PoP 0, terminal 0 uses PoP 1; satellite 2 has no route to PoP 1."""
    cost_us = np.array([[10.0, 20.0, 30.0], [40.0, 50.0, np.inf]])
    out = np.empty(4)
    candidate_cost_us(
        np.array([0, 2, 4]),
        np.array([0, 2, 1, 2], dtype=np.int32),
        np.array([299_792.458, 299_792.458, 599_584.916, 0.0]),
        np.array([1, 0], dtype=np.int32),
        cost_us,
        1e6 / 299_792_458.0,
        out,
    )
    assert out.tolist() == pytest.approx([1040.0, math.inf, 2020.0, 30.0])
