"""When a run is to be trusted, its frames having left so and so late: no machine, no clock."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.wire.packet.course import Course, Stretch
from skylift.wire.packet.frame import plain
from skylift.wire.packet.pipe import Lateness, Pipe
from skylift.wire.packet.report import TRUSTED_P99_US, Kept

MS = 1_000_000


def kept(late_ns: list[int], dropped: int = 0, starved: bool = False) -> Kept:
    late = Lateness()
    for one_ns in late_ns:
        late.note(one_ns)
    return Kept(late.percentile_us(50), late.percentile_us(99), dropped, starved)


@pytest.mark.parametrize(
    ("late_ns", "dropped", "trusted"),
    [
        # A quiet machine: all within a third of a millisecond.
        ([100_000, 200_000, 300_000] * 300, 0, True),
        # One in a hundred may be late, two may not.
        ([0] * 99 + [11 * MS], 0, True),
        ([0] * 98 + [11 * MS] * 2, 0, False),
        ([0] * 990 + [500 * MS] * 10, 0, True),
        ([0] * 989 + [500 * MS] * 11, 0, False),
        # To the millisecond: what is late by 10 is trusted, by more is not.
        ([10 * MS] * 100, 0, True),
        ([10 * MS + 1] * 100, 0, False),
        # A single frame that the system dropped is one that the link did not drop.
        ([0] * 1_000, 1, False),
        # Nothing has been late where nothing has left.
        ([], 0, True),
        ([], 1, False),
    ],
)
def test_a_run_is_trusted_by_its_99th_percentile_and_its_drops(
    late_ns: list[int], dropped: int, trusted: bool
) -> None:
    assert kept(late_ns, dropped).trustworthy is trusted
    assert kept(late_ns, dropped).as_dict()["trustworthy"] is trusted
    # Who waited for a processor and was in time all the same is told of, not doubted.
    assert kept(late_ns, dropped, starved=True).trustworthy is trusted


@given(st.lists(st.integers(0, 40 * MS), min_size=1, max_size=300))
def test_the_rule_is_the_percentile_of_all_frames(late_ns: list[int]) -> None:
    ranked = sorted(late_ns)[max(0, math.ceil(len(late_ns) * 0.99) - 1)]
    # Bins have two digits and TRUSTED_P99_US is an edge of one, so nothing is lost by them.
    assert kept(late_ns).trustworthy is (ranked <= TRUSTED_P99_US * 1_000)


@pytest.mark.parametrize(("late_ms", "trusted"), [(0, True), (9, True), (12, False)])
def test_frames_of_a_pipe_are_as_late_as_it_is_asked_for_them(late_ms: int, trusted: bool) -> None:
    course = Course()
    course.append(Stretch(0, 10**12, 20 * MS, 20 * MS))
    pipe = Pipe(course, np.random.default_rng(1))
    late = []
    for number in range(200):
        at_ns = number * 100 * MS
        pipe.put(plain(bytes(84)), at_ns)
        due_ns = pipe.next_ns()
        assert due_ns == at_ns + 20 * MS
        asked_ns = due_ns + late_ms * MS
        late += [asked_ns - told_ns for told_ns, _ in pipe.take(asked_ns)]
    assert late == [late_ms * MS] * 200
    assert kept(late).trustworthy is trusted
