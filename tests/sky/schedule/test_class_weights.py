"""Weights and tiers of classes: what they mean, cell by cell, against arithmetic that shares no code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.sky.schedule.problem import Cells, Gateways, Satellites, ScheduleRules, Slot, UserPairs
from skylift.sky.schedule.scheduler import schedule

WEIGHTS = st.one_of(st.none(), st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 7.0])] * 4))
TIERS = st.one_of(st.none(), st.sampled_from([(1, 1, 1, 1), (1, 2, 2, 3), (1, 1, 2, 2), (1, 2, 3, 4)]))


def served_at(at: float, wanted: npt.NDArray[np.float64], rules: ScheduleRules) -> npt.NDArray[np.float64]:
    """What each class of each cell has where the common clock stands: 0 to 1 the floor, then a tier each.

    Within a tier the clock runs until its lightest class has all it wants.
    """
    weights = rules.class_weights or (1.0, 1.0, 1.0, 1.0)
    tiers = rules.class_tiers or ((1, 1, 1, 1) if rules.class_weights else (1, 2, 3, 4))
    out = wanted * rules.floor_fraction * min(at, 1.0)
    for k, (weight, tier) in enumerate(zip(weights, tiers, strict=True)):
        lightest = min(w for w, t in zip(weights, tiers, strict=True) if t == tier)
        part = min(max(at - tier, 0.0), 1.0) * weight / lightest
        out[:, k] += wanted[:, k] * (1.0 - rules.floor_fraction) * min(part, 1.0)
    return out


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), WEIGHTS, TIERS, st.sampled_from([0.2, 1.0, 4.0, 40.0]))
def test_one_satellite_serves_by_weight_within_a_tier(
    seed: int, weights: Any, tiers: Any, load: float
) -> None:
    """One satellite keeps clear of nobody: the clock stands where its 16 lanes are used up."""
    random = np.random.default_rng(seed)
    m = int(random.integers(1, 30))
    wanted = random.lognormal(0, 1, (m, 4)) * (random.uniform(size=(m, 4)) > 0.25)
    wanted *= load * 16 * 5e8 / max(wanted.sum(), 1.0)
    rules = ScheduleRules(class_weights=weights, class_tiers=tiers)
    rate = random.uniform(2e8, 7e8, m)
    lat, lon = np.radians(49 + random.uniform(-3, 3, m)), np.radians(31 + random.uniform(-3, 3, m))
    cell_m = 6.371e6 * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    top_m = 6.921e6 * np.array(
        [[np.cos(0.8552) * np.cos(0.541)], [np.cos(0.8552) * np.sin(0.541)], [np.sin(0.8552)]]
    )
    one = np.zeros(1, dtype=np.int32)
    slot = Slot(
        Cells(cell_m, wanted, np.zeros(m, dtype=np.uint8)),
        Satellites(top_m, np.array([[8, 8]], dtype=np.int32)),
        UserPairs(np.arange(m + 1), np.zeros(m, dtype=np.int32), rate),
        Gateways(np.array([0, 1]), one, one + 1, np.array([1e12])),
        rules,
    )
    low, high = 0.0, 5.0
    for _ in range(60):
        at = 0.5 * (low + high)
        lanes = (served_at(at, wanted, rules).sum(axis=1) / rate).sum()
        low, high = (at, high) if lanes <= 16.0 else (low, at)
    want = served_at(low, wanted, rules)
    np.testing.assert_allclose(schedule(slot).served_bps, want, rtol=1e-5, atol=1e-6 * max(wanted.max(), 1.0))


def test_portions_add_up_to_all_that_is_wanted() -> None:
    assert (ScheduleRules().portions() == np.eye(4)).all()
    equal = ScheduleRules(class_weights=(3.0, 3.0, 3.0, 3.0)).portions()
    np.testing.assert_allclose(equal, [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    mixed = ScheduleRules(class_weights=(1.0, 4.0, 2.0, 1.0), class_tiers=(1, 2, 2, 2)).portions()
    np.testing.assert_allclose(mixed.sum(axis=0), 1.0)
    np.testing.assert_allclose(mixed[:, 3], [0.0, 0.25, 0.25, 0.5])


def test_a_heavier_class_gets_more_of_what_it_wants(slot_of: Callable[..., Slot]) -> None:
    slot = slot_of(3, load=2.5, cells=100)
    rules = {
        "strict": slot.rules,
        "even": replace(slot.rules, class_weights=(1.0, 1.0, 1.0, 1.0)),
        "heavy last": replace(slot.rules, class_weights=(1.0, 1.0, 1.0, 9.0)),
    }
    part = {
        name: schedule(replace(slot, rules=r)).served_bps.sum(axis=0) / slot.cells.wanted_bps.sum(axis=0)
        for name, r in rules.items()
    }
    assert part["strict"][0] > part["even"][0] > part["heavy last"][0]
    assert part["strict"][3] < part["even"][3] < part["heavy last"][3]
    assert np.ptp(part["even"]) < 0.15


@pytest.mark.parametrize(
    "wrong",
    [
        {"class_weights": (1.0, 2.0)}, {"class_weights": (1.0, 0.0, 1.0, 1.0)}, {"class_tiers": (1, 2, 3)},
        {"class_tiers": (2, 2, 3, 4)}, {"class_tiers": (1, 2, 1, 2)}, {"class_tiers": (1, 3, 3, 4)},
        {"class_weights": (1.0, float("nan"), 1.0, 1.0)},
    ],
)  # fmt: skip
def test_impossible_weights_and_tiers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        ScheduleRules(**wrong)
    assert refusal.value.thing == next(iter(wrong))
