"""Traces as text: ours to the bit, mahimahi's as mahimahi plays them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.wire.packet.course import OFFER_BYTES, Course, Stretch
from skylift.wire.packet.trace import (
    TracedSlot,
    header_line,
    read_delays,
    read_opportunities,
    read_trace,
    slot_line,
)

MS = 1_000_000
whole = st.integers(0, 10**12)
piece = st.tuples(
    st.integers(-(10**10), 0),
    st.integers(1, 10**12),
    whole,
    whole,
    st.floats(1e-3, 1e12) | st.just(math.inf),
    st.floats(0, 1),
    st.booleans(),
)
pieces = st.lists(piece, min_size=1, max_size=4).map(tuple)


@given(st.lists(st.tuples(pieces, pieces, st.floats(0, 1e4), st.floats(0, 1)), min_size=1, max_size=4), whole)
def test_a_trace_comes_back_to_the_bit(drawn: list, seed: int) -> None:  # type: ignore[type-arg]
    slots = [
        TracedSlot(k * 15_000_000 - 7, 15_000_000, "", rtt, loss, (up, down))
        for k, (up, down, rtt, loss) in enumerate(drawn)
    ]
    text = "\n".join([header_line(seed, None), *(slot_line(slot, False) for slot in slots)])
    assert read_trace(text) == (seed, slots)


def test_places_are_told_only_where_asked_for() -> None:
    slot = TracedSlot(0, 15, "", 40.0, 0.0, (((0, 1, 2, 3, 4.0, 0.0, True),),) * 2, 44714, "kaunas")
    assert "kaunas" not in slot_line(slot, False)
    assert "44714" not in slot_line(slot, False)
    assert "at_us" not in json.loads(header_line(1, None))
    assert json.loads(slot_line(slot, True))["gateway"] == "kaunas"


GOOD = slot_line(TracedSlot(0, 15, "", 40.0, 0.0, (((0, 1, 2, 3, 4.0, 0.0, True),),) * 2), False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"format": "other", "seed": 1}\n' + GOOD,
        header_line(1, None),
        header_line(1, None) + "\n[]",
        header_line(1, None) + "\n" + GOOD.replace("[0,1,", "[5,1,"),
        header_line(1, None) + "\n" + GOOD + "\n" + GOOD,
        header_line(1, None) + "\nnot json",
    ],
)
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_trace(text)


@pytest.mark.parametrize("text", ["", "0", "5\n3", "-1", "1.5", "a", "1\n\n2", "9999999999"])
def test_what_are_no_opportunities_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_opportunities(text, "the uplink's")


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "x"])
def test_what_are_no_delays_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_delays(text, "the delays'")


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40).map(sorted),
    st.lists(st.tuples(st.integers(0, 70), st.integers(40, OFFER_BYTES)), min_size=1, max_size=40),
)
def test_packets_leave_when_mahimahi_would_let_them(
    times_ms: list[int], arrivals: list[tuple[int, int]]
) -> None:
    """The oracle is mahimahi's own loop (LinkQueue::rationalize): each opportunity takes 1,500 bytes."""
    arrivals = sorted(arrivals)
    course = Course()
    course.offer(at * MS for at in times_ms)
    stretch = Stretch(0, 10**12, rate_bps=1.0)
    ours, free_ns = [], 0
    for at_ms, size in arrivals:
        free_ns = course.finish_ns(stretch, max(free_ns, at_ms * MS), size)
        ours.append(free_ns)
    theirs = mahimahi(times_ms, arrivals)
    # After the last opportunity of what was told, only as much is certain: not before.
    assert ours[: len(theirs)] == [at * MS for at in theirs]


def mahimahi(times_ms: list[int], arrivals: list[tuple[int, int]]) -> list[int]:
    """When each packet departs, of those that depart."""
    waiting = list(arrivals)
    departed: list[int] = []
    left_of_packet = 0
    for at_ms in times_ms:
        bytes_left = OFFER_BYTES
        while bytes_left > 0:
            if not left_of_packet:
                if not waiting or waiting[0][0] > at_ms:
                    break
                left_of_packet = waiting.pop(0)[1]
            sent = min(bytes_left, left_of_packet)
            left_of_packet -= sent
            bytes_left -= sent
            if not left_of_packet:
                departed.append(at_ms)
    return departed
