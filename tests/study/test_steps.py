"""Steps of a level are found where they are, none where there are none; and whether edges gather them."""

from __future__ import annotations

import numpy as np
import pytest

from skylift.study.steps import on_edges, steps_ms

SLOT_MS = 15_000.0
AT_MS = np.arange(0.0, 120_000.0, 20.0)


def noisy(levels_ms: dict[float, float], seed: int, jitter_ms: float = 4.0) -> np.ndarray:  # type: ignore[type-arg]
    """Round trips of 40 ms on, with levels from an instant on, jitter, spikes at the steps, and losses."""
    random = np.random.default_rng(seed)
    rtt_ms = 40.0 + random.normal(0.0, jitter_ms, AT_MS.size)
    for at, level in levels_ms.items():
        rtt_ms[at <= AT_MS] += level
        rtt_ms[(at <= AT_MS) & (at + 140.0 > AT_MS)] += 40.0
    rtt_ms[random.random(AT_MS.size) < 0.02] = np.nan
    return rtt_ms


@pytest.mark.parametrize("seed", range(5))
def test_steps_are_found_where_they_are(seed: int) -> None:
    true = {22_300.0: 8.0, 47_000.0: -6.0, 81_500.0: 10.0}
    found = steps_ms(AT_MS, noisy(true, seed))
    assert len(found) == 3
    for (at, size), (true_at, true_size) in zip(found, true.items(), strict=True):
        assert at == pytest.approx(true_at, abs=400.0)
        assert size == pytest.approx(true_size, abs=2.5)


def test_what_a_busy_machine_adds_is_no_step() -> None:
    rtt_ms = noisy({47_000.0: 8.0}, 1)
    random = np.random.default_rng(2)
    for begin_ms in (20_000.0, 60_000.0, 90_000.0):
        busy = (begin_ms <= AT_MS) & (begin_ms + 3_000.0 > AT_MS) & (random.random(AT_MS.size) < 0.6)
        rtt_ms[busy] += random.exponential(30.0, int(busy.sum()))
    found = steps_ms(AT_MS, rtt_ms)
    assert len(found) == 1
    assert found[0][0] == pytest.approx(47_000.0, abs=400.0)


@pytest.mark.parametrize("seed", range(5))
def test_where_there_is_no_step_none_is_found(seed: int) -> None:
    assert steps_ms(AT_MS, noisy({}, seed)) == []
    assert steps_ms(AT_MS[:10], noisy({}, seed)[:10]) == []
    assert steps_ms(AT_MS, np.full(AT_MS.size, np.nan)) == []


def test_steps_at_edges_gather_there_and_others_do_not() -> None:
    starts = [-2_000.0 + k * SLOT_MS for k in range(9)]
    gathered = on_edges([starts[k] + 150.0 * (-1) ** k for k in range(1, 8)], starts, SLOT_MS)
    assert gathered["steps"] == 7
    assert gathered["farthest_ms"] == 150.0
    assert gathered["p"] < 1e-3
    apart = on_edges([starts[0] + SLOT_MS * part for part in (1.1, 2.35, 3.6, 4.85)], starts, SLOT_MS)
    assert apart["p"] > 0.3
    against = on_edges([starts[k] + SLOT_MS / 2 for k in range(1, 8)], starts, SLOT_MS)
    assert against["p"] > 0.99
    assert on_edges([], starts, SLOT_MS)["p"] is None


def test_by_chance_p_is_small_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    ps = [on_edges(random.uniform(0, 120_000, 7).tolist(), [0.0], SLOT_MS)["p"] for _ in range(2_000)]
    # Four standard deviations of a count of 100.
    assert sum(p < 0.05 for p in ps) == pytest.approx(100, abs=40)
