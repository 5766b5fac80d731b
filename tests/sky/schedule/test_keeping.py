"""What the slot before is worth, and which of its units come back first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from skylift.sky.schedule import scheduler
from skylift.sky.schedule.exchange_kernel import kept_first
from skylift.sky.schedule.keeping import SETTLED_BONUSES, beside_the_best, kept_worth, units_before
from skylift.sky.schedule.problem import Schedule, ScheduleRules, Slot
from skylift.sky.schedule.scheduler import schedule


def test_a_pair_is_worth_what_it_is_beside_the_best_of_its_cell() -> None:
    offset = np.array([0, 2, 2, 4])
    beside = beside_the_best(
        offset, np.array([5, 1, 0, 3]), np.array([0, 1, 2, 3, 5]), np.array([0.1, 0.2, 0.9, 0.3, 0.8])
    )
    np.testing.assert_allclose(beside, [1.0, 0.25, 1 / 3, 1.0])
    worth = kept_worth(0.02, np.array([True, False, True, True]), np.append(beside[:3], 0.0))
    np.testing.assert_allclose(worth, [0.02 * SETTLED_BONUSES, 0.0, 0.02 * SETTLED_BONUSES / 3, 0.02])


def test_nothing_listed_is_nothing_kept(slot_of: Callable[..., Slot]) -> None:
    none = np.empty(0, dtype=np.int64)
    assert len(beside_the_best(np.zeros(4, dtype=np.int64), none, none, np.empty(0))) == 0
    made = schedule(slot_of(0))
    local = np.full(len(made.gateway_of), -1, dtype=np.int32)
    assert len(units_before(made, local, np.zeros(121, dtype=np.int64), none, np.empty(0))[0]) == 0


def test_units_come_back_with_their_part_of_the_cell(slot_of: Callable[..., Slot]) -> None:
    """Against the rows of the slot before, added up one by one; a satellite gone has none."""
    slot = slot_of(1, load=2.0, half_width_deg=2.0)
    made = schedule(slot)
    gone = int(made.satellite[0])
    local = np.arange(len(slot.satellites), dtype=np.int32)
    local[gone] = -1
    offset, satellite = slot.pairs.offset, slot.pairs.satellite
    beside = np.random.default_rng(0).uniform(0.1, 1.0, len(satellite))
    pair, cell, channel, part = units_before(made, local, offset, satellite, beside)
    rate: dict[tuple[int, int, int], float] = defaultdict(float)
    whole: dict[int, float] = defaultdict(float)
    for c, s, f, bps in zip(made.cell, made.satellite, made.channel, made.rate_bps, strict=True):
        rate[int(c), int(s), int(f)] += bps
        whole[int(c)] += bps
    assert {(int(c), int(satellite[q]), int(f)) for q, c, f in zip(pair, cell, channel, strict=True)} == {
        key for key in rate if key[1] != gone
    }
    for q, c, f, p in zip(pair, cell, channel, part, strict=True):
        assert offset[c] <= q < offset[c + 1]
        assert p == pytest.approx(rate[int(c), int(satellite[q]), int(f)] / whole[int(c)])
    assert (np.diff(beside[pair] * part) <= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_changes_nearly_all_pairs_are_kept(
    seed: int, slot_of: Callable[..., Slot], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same slot again, scheduled as a large one is: all pairs where all are full, most in a crowd."""
    monkeypatch.setattr(scheduler, "QUICK_PAIRS", 0)
    for load, least in ((0.15, 1.0), (2.0, 0.75)):
        slot = slot_of(seed, load=load, half_width_deg=2.0)
        first = schedule(slot)
        again = schedule(slot, first)
        had, has = (set(zip(s.cell.tolist(), s.satellite.tolist(), strict=True)) for s in (first, again))
        assert len(had & has) >= least * len(had)
        free = replace(slot, rules=replace(slot.rules, keep_level=0.0))
        assert again.served_bps.sum() >= 0.98 * schedule(free).served_bps.sum()


def test_kept_pairs_are_asked_first_and_new_ones_must_gain_more() -> None:
    """Against a sort; a cell without a kept pair must change in any case."""
    random = np.random.default_rng(0)
    offset = np.concatenate([[0], np.cumsum(random.integers(0, 5, 40))])
    kept = random.uniform(size=offset[-1]) < 0.3
    by, more = np.full(offset[-1], -1), np.full(offset[-1], np.nan)
    kept_first(offset, kept, 0.02, by, more)
    for first, last in pairwise(offset):
        assert by[first:last].tolist() == sorted(range(first, last), key=lambda k: not kept[k])
        some = kept[first:last].any()
        assert more[first:last].tolist() == [0.02 if some and not kept[k] else 0.0 for k in by[first:last]]


@pytest.mark.parametrize(
    ("seed", "jammed", "channels", "large"), [(0, 0.0, 8, True), (1, 0.5, 4, True), (0, 0.5, 8, False)]
)
def test_no_rule_is_broken_from_slot_to_slot(
    seed: int,
    jammed: float,
    channels: int,
    large: bool,
    slot_of: Callable[..., Slot],
    breaches: Callable[[Slot, Schedule], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rates, demand and satellites move meanwhile, and a seventh of the pairs goes."""
    if large:
        monkeypatch.setattr(scheduler, "QUICK_PAIRS", 0)
    slot = slot_of(
        seed,
        cells=80,
        beams=4,
        load=3.0,
        half_width_deg=2.0,
        jammed=jammed,
        rules=ScheduleRules(channels=channels),
    )
    random, made = np.random.default_rng(seed), None
    for _ in range(4):
        rate = slot.pairs.full_rate_bps * random.uniform(0.9, 1.1, len(slot.pairs.satellite))
        rate[random.uniform(size=len(rate)) < 1 / 7] = 0.0
        wanted = slot.cells.wanted_bps * random.uniform(0.5, 1.5, slot.cells.wanted_bps.shape)
        moved_m = slot.satellites.position_ecef_m + random.uniform(-5e4, 5e4, (3, 1))
        slot = replace(
            slot,
            pairs=replace(slot.pairs, full_rate_bps=rate),
            cells=replace(slot.cells, wanted_bps=wanted),
            satellites=replace(slot.satellites, position_ecef_m=moved_m),
        )
        made = schedule(slot, made)
        assert len(made)
        assert breaches(slot, made) == []
