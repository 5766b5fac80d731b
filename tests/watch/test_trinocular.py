"""Beliefs (watch.trinocular_kernel) against the published update written plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.watch.trinocular import PROBES_A_ROUND, begin, eligible, levels, probes_to_down, take_round


def plain(down: float, availability: float, replies: list[int], budget: int) -> tuple[float, int]:
    """Quan, Heidemann and Pradkin 2013, section 4: Bayes, clamped, adaptive."""
    used = 0
    sure = False
    for reply in replies:
        if reply < 0 or sure:
            break
        by_down = 0.99 / 256 if reply else 1 - 0.99 / 256
        by_up = availability if reply else 1 - availability
        before = down
        down = by_down * down / (by_down * down + by_up * (1 - down))
        down = min(0.99, max(0.01, down))
        used += 1
        sure = (down < 0.1 or down > 0.9) and abs(down - 0.5) >= abs(before - 0.5)
    if used == budget and not sure and 0.1 <= down <= 0.9:
        down = 0.5
    return down, used


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_beliefs_are_those_of_the_published_update(rounds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    availability = random.uniform(0.1, 1.0, 20)
    blocks = begin(availability)
    expected = [0.01] * 20
    for _ in range(rounds):
        answer = random.uniform(0, 1)
        replies = (random.uniform(0, 1, (20, PROBES_A_ROUND)) < answer).astype(np.int8)
        replies[random.uniform(0, 1, replies.shape) < 0.05] = -1
        used = take_round(blocks, replies)
        for block in range(20):
            expected[block], count = plain(
                expected[block], availability[block], replies[block].tolist(), PROBES_A_ROUND
            )
            assert count == used[block]
    assert np.abs(blocks.belief_down - expected).max() < 1e-9


@pytest.mark.parametrize(("availability", "silences"), [(0.1, 67), (0.2, 31), (0.3, 20), (0.5, 10), (0.8, 5)])
def test_how_long_silence_takes_is_as_measured(availability: float, silences: int) -> None:
    assert probes_to_down(availability) == silences


def test_a_sparse_block_cannot_be_judged_in_one_round() -> None:
    blocks = begin(np.array([0.15, 0.8]))
    take_round(blocks, np.zeros((2, PROBES_A_ROUND), dtype=np.int8))
    assert blocks.down.tolist() == [False, True]


def test_levels_count_judged_blocks_alone() -> None:
    blocks = begin(np.full(6, 0.5))
    blocks.belief_down[:] = [0.01, 0.99, 0.5, 0.99, 0.01, 0.5]
    share, count = levels(blocks, np.array([0, 0, 0, 1, 1, 2]), 3)
    assert share[:2].tolist() == [0.5, 0.5]
    assert np.isnan(share[2])
    assert count.tolist() == [2, 2, 0]


def test_which_blocks_can_be_judged() -> None:
    assert eligible(np.array([14, 15, 200]), np.array([0.9, 0.1, 0.05])).tolist() == [False, True, False]
