"""The whole service under a simulated clock, with faults, from a seed: what must hold, holds after each step.

A seed that fails is seen again by the command that its message gives.
"""

from __future__ import annotations

import os

import pytest

from tests.faults.simulation import Tally, run

# 500 in CI; fewer where somebody works on something else: SKYLIFT_TEST_SEEDS=500.
SEEDS = int(os.environ.get("SKYLIFT_TEST_SEEDS", "500" if os.environ.get("CI") else "100"))
AT_ONCE = 50


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_invariant_holds_whatever_strikes(first: int) -> None:
    tally = Tally()
    for seed in range(first, min(first + AT_ONCE, SEEDS)):
        run(seed, tally)
    assert {"crash", "torn", "slow", "locked", "full", "disk", "unsure"} == set(tally.faults), "all struck"
    assert tally.again > 0, "no command came twice"
    assert min(tally.served.values()) > 100, "hardly anybody was served, or refused"


def test_a_seed_is_the_same_to_the_byte_whenever_it_is_run() -> None:
    assert run(7) == run(7) != run(8)
