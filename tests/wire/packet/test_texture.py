"""The fine structure of a slot: as named, as measured, the same for the same seed."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.wire.packet.course import NS_PER_S, Stretch
from skylift.wire.packet.texture import PRESETS, Drawing, Texture, TexturedCourse, grain, preset, textured

MS = 1_000_000
SLOT = Stretch(7, 7 + 15 * NS_PER_S, 20 * MS, 26 * MS, 50e6)


def drawn(texture: Texture, seed: int = 1, at_us: int = 0, handover: bool = True) -> list[Stretch]:
    return textured(SLOT, texture, Drawing(seed, at_us, "up", handover))


@given(st.sampled_from(sorted(PRESETS)), st.integers(0, 1), st.integers(0, 2**40), st.booleans())
def test_the_pieces_cover_the_slot_and_nothing_else(name: str, side: int, at_us: int, handover: bool) -> None:
    pieces = drawn(PRESETS[name][side], at_us=at_us, handover=handover)
    assert pieces[0].start_ns == SLOT.start_ns
    assert pieces[-1].end_ns == SLOT.end_ns
    assert all(a.end_ns == b.start_ns for a, b in pairwise(pieces))
    assert all(piece.delay_start_ns >= SLOT.delay_start_ns for piece in pieces)


def test_ideal_leaves_a_slot_as_it_is() -> None:
    assert drawn(PRESETS["ideal"][0]) == [SLOT]


def test_a_slot_is_the_same_for_the_same_seed_whatever_came_before() -> None:
    texture = PRESETS["starlink-2022"][0]
    drawn(texture, at_us=3)
    assert drawn(texture, at_us=4) == drawn(texture, at_us=4)
    assert drawn(texture, at_us=4) != drawn(texture, at_us=5)
    assert drawn(texture, seed=1) != drawn(texture, seed=2)


def test_neighbours_differ_by_the_jitter_that_is_asked_for() -> None:
    # On top of a floor far enough above zero that nothing is cut off.
    pieces = [p for at_us in range(20) for p in textured(SLOT, Texture(jitter_ms=3.0, edge_spike_ms=60.0,
              edge_begin_ms=1e9), Drawing(1, at_us, "up", False))]  # fmt: skip
    extra_ms = np.array([(p.delay_start_ns - SLOT.delay_ns(p.start_ns)) / MS for p in pieces])
    difference = np.abs(np.diff(extra_ms))
    assert 2.8 < difference[difference < 20].mean() < 3.2


def test_a_slots_edges_are_slow_and_its_middle_is_not() -> None:
    texture = replace(PRESETS["starlink-2022"][0], jitter_ms=0.0, slot_step_ms=0.0)
    pieces = drawn(texture)
    extra_ms = np.array([(p.delay_start_ns - SLOT.delay_ns(p.start_ns)) / MS for p in pieces])
    assert extra_ms[0] >= 0.6 * texture.edge_spike_ms
    assert extra_ms[-1] >= 0.6 * texture.edge_spike_ms
    assert np.abs(extra_ms[20:-10]).max() < 1e-6
    assert extra_ms[int(texture.edge_begin_ms / 10) + 1] < 1e-6


def test_packets_are_lost_at_handovers_and_seldom_elsewhere() -> None:
    texture = replace(PRESETS["starlink-2022"][0], gaps_per_hour=0.0)
    changing, staying = drawn(texture, handover=True), drawn(texture, handover=False)
    assert changing[0].loss_fraction == texture.edge_loss_fraction
    assert {piece.loss_fraction for piece in staying} == {texture.loss_fraction}
    assert {piece.loss_fraction for piece in changing[20:]} == {texture.loss_fraction}


def test_gaps_come_as_often_as_they_are_asked_for() -> None:
    texture = Texture(gaps_per_hour=120.0, gap_ms=500.0)
    slots = [grain(SLOT, texture, Drawing(1, at_us, "up", False)) for at_us in range(240)]
    down = sum(int((~slot.up).sum()) for slot in slots)
    # An hour of 120 gaps of 50 steps: 6,000, less what is cut off at a slot's end or falls together.
    assert 0.75 * 6_000 < down < 1.15 * 6_000


def test_the_rate_swings_around_its_mean() -> None:
    rates = [p.rate_bps for at_us in range(60) for p in textured(
        SLOT, Texture(swing_fraction=0.5), Drawing(1, at_us, "up", False))]  # fmt: skip
    assert min(rates) >= 25e6
    assert max(rates) <= 75e6
    assert math.isclose(float(np.mean(rates)), 50e6, rel_tol=0.05)


def test_without_a_rate_there_is_none_to_swing() -> None:
    unlimited = replace(SLOT, rate_bps=math.inf)
    pieces = textured(unlimited, Texture(swing_fraction=0.5), Drawing(1, 0, "up", False))
    assert {piece.rate_bps for piece in pieces} == {math.inf}


def test_every_behaviour_changes_something_by_itself() -> None:
    strong = Texture(5.0, 3.0, 200.0, 100.0, 30.0, 0.5, 0.01, 3_600.0, 500.0, 0.5)
    needs = {"edge_begin_ms", "edge_end_ms", "edge_spike_ms", "edge_loss_fraction", "gaps_per_hour", "gap_ms"}
    full = drawn(strong)
    for one in fields(Texture):
        assert drawn(replace(strong, **{one.name: 0.0})) != full, one.name
    assert needs <= {one.name for one in fields(Texture)}


def test_an_unknown_preset_names_the_others() -> None:
    with pytest.raises(Refused) as refusal:
        preset("starlink-2030")
    assert "starlink-2022" in refusal.value.way_out


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_course_that_unfolds_when_asked_is_the_same_piece_by_piece(name: str) -> None:
    texture = PRESETS[name][0]
    course = TexturedCourse(texture, 5, "up")
    assert course.at(0) is None
    slots = [replace(SLOT, start_ns=SLOT.start_ns + k * 15 * NS_PER_S, end_ns=SLOT.end_ns + k * 15 * NS_PER_S,
                     up=k != 1) for k in range(3)]  # fmt: skip
    for k, slot in enumerate(slots):
        course.tell(slot, k, k == 2)
    for k, slot in enumerate(slots):
        for piece in textured(slot, texture, Drawing(5, k, "up", k == 2))[::97]:
            assert course.at(piece.start_ns) == course.at(piece.end_ns - 1) == piece
            assert piece.delay_ns(piece.start_ns) >= slot.delay_ns(piece.start_ns)
    # What comes after the last is as the last was, at its end.
    assert course.at(slots[-1].end_ns + 1) == course.at(slots[-1].end_ns - 1)


def test_what_is_prepared_is_what_would_have_been_worked_out() -> None:
    slots = [replace(SLOT, start_ns=SLOT.start_ns + k * 15 * NS_PER_S, end_ns=SLOT.end_ns + k * 15 * NS_PER_S)
             for k in range(2)]  # fmt: skip
    courses = [TexturedCourse(PRESETS["starlink-2022"][0], 5, "up") for _ in range(2)]
    for course in courses:
        for k, slot in enumerate(slots):
            course.tell(slot, k, True)
    # Nothing goes over it: nothing is prepared.
    assert not courses[0].prepare()
    courses[0].at(slots[0].start_ns)
    assert courses[0].prepare()
    assert not courses[0].prepare()
    for at_ns in range(slots[1].start_ns, slots[1].end_ns, NS_PER_S // 7):
        assert courses[0].at(at_ns) == courses[1].at(at_ns)
    # The last is known: there is none after it.
    assert not courses[0].prepare()
