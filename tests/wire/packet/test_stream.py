"""Streams through a link: rate with headers, delay, losses as round trips, gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skylift.wire.packet.course import Course, Stretch
from skylift.wire.packet.stream import BACKLOG_NS, HEADER_BYTES, SEGMENT_BYTES, StreamLine

MS = 1_000_000


def line(seed: int = 1, **of: float) -> StreamLine:
    stretch = Stretch(0, 60_000 * MS, **of)  # type: ignore[arg-type]
    up, down = Course(), Course()
    up.append(stretch)
    down.append(stretch)
    return StreamLine(up, down, np.random.default_rng(seed))


def test_a_rate_counts_the_headers_of_every_segment() -> None:
    shaped = line(rate_bps=8e6, delay_start_ns=20 * MS, delay_end_ns=20 * MS)
    now_ns, sent, due_ns = 0, 0, 0
    while now_ns < 10_000 * MS:
        now_ns += shaped.wait_ns(now_ns)
        due_ns = shaped.send(10 * SEGMENT_BYTES, now_ns) or 0
        sent += 10 * SEGMENT_BYTES
    goodput_bps = sent * 8e9 / (due_ns - 20 * MS)
    assert goodput_bps == pytest.approx(8e6 * SEGMENT_BYTES / (SEGMENT_BYTES + HEADER_BYTES), rel=1e-3)


def test_a_lost_segment_comes_a_round_trip_later_and_costs_its_bytes() -> None:
    delay_ns = 20 * MS
    whole = line(rate_bps=1e9, delay_start_ns=delay_ns, delay_end_ns=delay_ns)
    lossy = line(rate_bps=1e9, delay_start_ns=delay_ns, delay_end_ns=delay_ns, loss_fraction=0.02)
    late_ns = []
    for k in range(5_000):
        now_ns = k * MS
        clean_ns, due_ns = whole.send(SEGMENT_BYTES, now_ns), lossy.send(SEGMENT_BYTES, now_ns)
        assert clean_ns is not None
        assert due_ns is not None
        late_ns.append(due_ns - clean_ns)
    once = [late for late in late_ns if late > MS]
    # Binomial: 100 expected of 5,000, standard deviation 9.9.
    assert 60 < len(once) < 140
    assert all(round(late / (2 * delay_ns)) >= 1 for late in once)
    assert min(once) >= 2 * delay_ns
    assert lossy.counters.lost == pytest.approx(100, abs=45)


def test_streams_share_one_rate_and_nobody_fills_the_line_ahead() -> None:
    shaped = line(rate_bps=8e6)
    for _ in range(100):
        if shaped.wait_ns(0):
            break
        shaped.send(shaped.chunk_bytes(0), 0)
    assert shaped.wait_ns(0) > 0
    due_ns = shaped.send(SEGMENT_BYTES, 0)
    assert due_ns is not None
    assert due_ns <= BACKLOG_NS + 25 * MS


@pytest.mark.parametrize("of", [{"up": False}, {"loss_fraction": 1.0}])
def test_without_a_link_nothing_sets_out(of: dict[str, float]) -> None:
    shaped = line(**of)
    assert shaped.send(100, 0) is None
    assert shaped.control(0) is None
    assert shaped.wait_ns(0) > 0


def test_without_a_rate_only_the_delay_counts() -> None:
    shaped = line(rate_bps=math.inf, delay_start_ns=5 * MS, delay_end_ns=5 * MS)
    assert shaped.send(1_000_000, 0) == 5 * MS
    assert shaped.control(MS) == 6 * MS
