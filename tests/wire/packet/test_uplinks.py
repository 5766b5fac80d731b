"""A fibre that dies and comes back: when each side changes its way, and what is measured of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skylift.wire.packet.uplinks import (
    BACK_AFTER_NS,
    DEAD_AFTER_NS,
    FIBRE,
    PROBE_EVERY_NS,
    SKY,
    Fibre,
    Uplinks,
)

MS, S = 1_000_000, 1_000_000_000


def run(fibre: Fibre, seconds: float, began_ns: int = 77 * S) -> tuple[Uplinks, list[tuple[int, int]]]:
    """The run, turned each millisecond with a frame each way; (time, way) of each change."""
    both = Uplinks(fibre, began_ns, np.random.default_rng(1))
    changes: list[tuple[int, int]] = []
    for step in range(int(seconds * 1_000)):
        now_ns = began_ns + step * MS
        before = both.up
        both.turn(now_ns)
        if both.up != before:
            changes.append((now_ns - began_ns, both.up))
        stretch = fibre.course(began_ns).at(now_ns)
        if both.up == SKY or (stretch is not None and stretch.up):
            both.arrived(both.up, True, now_ns)
    return both, changes


def test_a_fibre_that_lives_is_kept() -> None:
    both, changes = run(Fibre(1e8, 5 * MS, 0.0), 5)
    assert changes == []
    assert (both.up, both.down) == (FIBRE, FIBRE)


def test_traffic_moves_when_it_dies_and_back_when_it_lives() -> None:
    both, changes = run(Fibre(1e8, 5 * MS, 0.0, ((2.0 * S, 4.0 * S),)), 9)
    (died_ns, first), (back_ns, second) = changes
    assert (first, second) == (SKY, FIBRE)
    # At most a question's interval is lost before the silence, and the answer's way.
    assert 2 * S + DEAD_AFTER_NS - PROBE_EVERY_NS <= died_ns <= 2 * S + DEAD_AFTER_NS + 20 * MS
    assert 4 * S + BACK_AFTER_NS <= back_ns <= 4 * S + BACK_AFTER_NS + PROBE_EVERY_NS + 20 * MS
    told = both.as_dicts()
    assert [one["to"] for one in told] == ["terminal", "fibre"]
    assert told[0]["detected_ms"] == pytest.approx((died_ns - 2 * S) / MS)
    # From the last frame before the cut to the first over the terminal.
    assert told[0]["gap_ms"] == pytest.approx((died_ns - 2 * S) / MS, abs=2)
    assert told[1]["gap_ms"] <= 2
    assert both.down == FIBRE


def test_a_fibre_cut_for_good_is_not_waited_for() -> None:
    both, changes = run(Fibre(1e8, 5 * MS, 0.0, ((1.0 * S, math.inf),)), 6)
    assert [way for _, way in changes] == [SKY]
    assert both.down == SKY


def test_single_losses_do_not_move_traffic() -> None:
    _, changes = run(Fibre(1e8, 5 * MS, 0.02), 20)
    assert changes == []


def test_a_flapping_fibre_is_not_gone_back_to_at_once() -> None:
    cuts = tuple((k * 1.0 * S, k * 1.0 * S + 0.5 * S) for k in range(1, 6))
    _, changes = run(Fibre(1e8, 5 * MS, 0.0, cuts), 11)
    assert [way for _, way in changes] == [SKY, FIBRE]
    assert changes[1][0] >= 5.5 * S + BACK_AFTER_NS
