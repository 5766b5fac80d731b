"""One direction of a link: order, delay, rate, queue, loss."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.packet.course import NS_PER_S, Course, Stretch
from skylift.wire.packet.frame import plain
from skylift.wire.packet.pipe import AHEAD_NS, Counters, Lateness, Pipe, QueueRules
from skylift.wire.packet.report import Seen

MS = 1_000_000


def course(*stretches: Stretch) -> Course:
    made = Course()
    for stretch in stretches:
        made.append(stretch)
    return made


def steady(delay_ms: float = 20.0, rate_bps: float = math.inf, loss: float = 0.0) -> Course:
    delay_ns = int(delay_ms * MS)
    return course(Stretch(0, 1000 * NS_PER_S, delay_ns, delay_ns, rate_bps, loss))


def pipe(one: Course, rules: QueueRules | None = None, seed: int = 1) -> Pipe:
    return Pipe(one, np.random.default_rng(seed), rules)


def numbered(number: int, size: int = 100) -> bytes:
    return plain(number.to_bytes(4, "big") + bytes(size - 4))


def number_of(frame: bytes) -> int:
    return int.from_bytes(frame[10:14], "big")


def everything(one: Pipe, from_ns: int) -> list[tuple[int, int]]:
    """(due, number) of all that comes out, by waking exactly when asked to."""
    out = []
    now_ns: int | None = from_ns
    while now_ns is not None:
        out += [(due_ns, number_of(frame)) for due_ns, frame in one.take(now_ns)]
        after_ns = one.next_ns()
        now_ns = None if after_ns is None else max(now_ns, after_ns)
    return out


@given(st.lists(st.tuples(st.integers(0, 40 * MS), st.integers(40, 1_500)), min_size=1, max_size=60))
def test_nothing_overtakes_and_nothing_is_early_while_a_path_shrinks(steps: list[tuple[int, int]]) -> None:
    slots = [
        Stretch(k * 15 * MS, (k + 1) * 15 * MS, (60 - k % 50) * MS, (20 + k % 7) * MS) for k in range(200)
    ]
    one = pipe(course(*slots))
    arrived, now_ns = [], 0
    out: list[tuple[int, int]] = []
    for number, (step_ns, size) in enumerate(steps):
        now_ns += step_ns
        out += [(due, number_of(frame)) for due, frame in one.take(now_ns)]
        one.put(numbered(number, size), now_ns)
        arrived.append(now_ns)
    out += everything(one, now_ns)
    assert [number for _, number in out] == list(range(len(steps)))
    assert [due for due, _ in out] == sorted(due for due, _ in out)
    assert all(due - arrived[number] >= 20 * MS for due, number in out)


def test_delay_moves_evenly_between_a_slots_edges() -> None:
    one = pipe(course(Stretch(0, 15 * NS_PER_S, 30 * MS, 45 * MS)))
    for second in range(15):
        one.put(numbered(second), second * NS_PER_S)
    delays = [due - number * NS_PER_S for due, number in everything(one, 15 * NS_PER_S)]
    assert delays == [(30 + second) * MS for second in range(15)]


@given(st.floats(1e5, 1e9), st.integers(1, 100))
def test_a_rate_is_kept_to_the_bit(rate_bps: float, count: int) -> None:
    one = pipe(steady(10.0, rate_bps), QueueRules(10**9))
    for number in range(count):
        one.put(numbered(number, 1_000), 0)
    out = everything(one, 0)
    assert len(out) == count
    last_due_ns = out[-1][0]
    assert abs(last_due_ns - 10 * MS - count * 8_000 * NS_PER_S / rate_bps) <= count


def test_a_full_queue_drops_the_oldest() -> None:
    one = pipe(steady(1.0, 1e6), QueueRules(3_000))
    for number in range(10):
        one.put(numbered(number, 1_000), 0)
    numbers = [number for _, number in everything(one, 0)]
    # The first was on its way already; of the others the last three fit.
    assert numbers == [0, 7, 8, 9]
    assert one.counters.dropped_full == 6


@given(st.floats(0, 0.5), st.integers(0, 2**31))
def test_losses_are_as_many_as_chance_makes_them(loss: float, seed: int) -> None:
    one = pipe(steady(1.0, math.inf, loss), seed=seed)
    for number in range(2_000):
        one.put(numbered(number), 0)
    got = len(everything(one, 0))
    assert got + one.counters.lost == 2_000
    # Six sigma: once in 500 million.
    assert abs(one.counters.lost - 2_000 * loss) <= 6 * math.sqrt(2_000 * loss * (1 - loss)) + 1


def test_losses_repeat_with_the_seed() -> None:
    def lost(seed: int) -> list[int]:
        one = pipe(steady(1.0, math.inf, 0.3), seed=seed)
        for number in range(100):
            one.put(numbered(number), 0)
        return [number for _, number in everything(one, 0)]

    assert lost(5) == lost(5)
    assert lost(5) != lost(6)


def test_a_gap_takes_what_arrives_in_it_and_lets_through_what_was_on_its_way() -> None:
    one = pipe(
        course(
            Stretch(0, 10 * MS, 20 * MS, 20 * MS),
            Stretch(10 * MS, 20 * MS, up=False),
            Stretch(20 * MS, 30 * MS, 20 * MS, 20 * MS),
        )
    )
    for number, at_ms in enumerate((5, 12, 25)):
        one.put(numbered(number), at_ms * MS)
    assert [number for _, number in everything(one, 25 * MS)] == [0, 2]
    assert one.counters.dropped_down == 1


@given(st.lists(st.integers(0, 5 * MS), max_size=100), st.floats(1e5, 1e8), st.floats(0, 0.3))
def test_every_packet_is_accounted_for(steps_ns: list[int], rate_bps: float, loss: float) -> None:
    one = pipe(steady(3.0, rate_bps, loss), QueueRules(5_000))
    now_ns = 0
    for number, step_ns in enumerate(steps_ns):
        now_ns += step_ns
        one.put(numbered(number, 500), now_ns)
    everything(one, now_ns)
    counters = one.counters
    assert counters.taken == len(steps_ns)
    assert (
        counters.taken == counters.delivered + counters.lost + counters.dropped_full + counters.dropped_down
    )


def test_the_transmitter_runs_ahead_by_no_more_than_it_may() -> None:
    one = pipe(steady(0.0, 8e6), QueueRules(10**6))
    for number in range(100):
        one.put(numbered(number, 1_000), 0)  # a millisecond each
    one.take(50 * MS)
    due = [due for due, _ in everything(one, 50 * MS)]
    assert due == sorted(due)
    assert due[0] <= 51 * MS + AHEAD_NS


@given(st.lists(st.integers(0, 5 * MS), min_size=1, max_size=30), st.sampled_from((0.0, 0.3, 20.0)))
def test_what_the_rest_of_the_way_takes_comes_off_the_delay_and_nothing_leaves_before_it_came(
    gaps_ns: list[int], delay_ms: float
) -> None:
    rest_ns = 700_000
    arrived_ns = np.cumsum(gaps_ns).tolist()
    plainly, sooner = (
        Pipe(steady(delay_ms, 50e6), np.random.default_rng(1), rest_ns=rest) for rest in (0, rest_ns)
    )
    for one in (plainly, sooner):
        for number, at_ns in enumerate(arrived_ns):
            one.put(numbered(number), at_ns)
    before, after = (everything(one, arrived_ns[-1]) for one in (plainly, sooner))
    assert [number for _, number in after] == [number for _, number in before]
    for (due_ns, number), (then_ns, _) in zip(after, before, strict=True):
        assert due_ns == max(then_ns - rest_ns, arrived_ns[number])
    # What is seen is the whole way, which the rest belongs to.
    assert sooner.counters.transit_ns >= plainly.counters.transit_ns
    if delay_ms > 1:
        assert sooner.counters.transit_ns == plainly.counters.transit_ns


def test_lateness_is_a_percentile_of_what_was_noted() -> None:
    late = Lateness()
    for microseconds in range(1, 1001):
        late.note(microseconds * 1_000)
    assert late.percentile_us(50) == 500
    assert late.percentile_us(99) == 990
    assert late.percentile_us(100) == 1_000
    assert Lateness().percentile_us(99) == 0


@given(st.integers(-MS, 200 * NS_PER_S))
def test_lateness_is_told_to_two_digits_and_never_too_small(late_ns: int) -> None:
    late = Lateness()
    late.note(late_ns)
    told_us = late.percentile_us(99)
    assert told_us >= min(late_ns / 1_000, 1e8)
    assert told_us <= max(1.0, late_ns / 1_000 * 1.1 + 1) or late_ns > 99 * NS_PER_S


def test_what_was_set_is_that_of_the_moments_at_which_packets_went() -> None:
    """Not of the whole slot: a run may hold a part of it, and traffic may come in bursts."""
    slot = Stretch(0, 10 * NS_PER_S, 10_000_000, 20_000_000)
    gap = Stretch(10 * NS_PER_S, 20 * NS_PER_S, up=False)
    ways = [pipe(course(slot, gap)), pipe(course(slot, gap))]
    seen = Seen(0, 1, "kaunas", rtt_set_ms=30.0, loss_set=0.0)
    for side, way in enumerate(ways):
        way.put(numbered(1), 9 * NS_PER_S)
        # A router's answer comes from half-way, and is nobody's round trip.
        way.insert(numbered(2), 9 * NS_PER_S + 1_000_000, 9 * NS_PER_S)
        everything(way, 9 * NS_PER_S)
        seen.count(side, Counters(), way.counters)
    told = seen.as_dict()
    assert told["rtt_set_ms"] == 38.0
    assert told["rtt_seen_ms"] == pytest.approx(38.0, abs=0.5)
    assert (told["loss_set"], told["loss_seen"]) == (0.0, 0.0)
    over = replace(ways[0].counters)
    ways[0].put(numbered(3), 11 * NS_PER_S)
    lost = Seen(15_000_000, -1, "", rtt_set_ms=math.nan, loss_set=0.0)
    lost.count(0, over, ways[0].counters)
    assert (lost.as_dict()["loss_set"], lost.as_dict()["loss_seen"]) == (1.0, 1.0)
