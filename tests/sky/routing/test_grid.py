"""The +grid: symmetry, degree, nearest phase, the delta's wrap with F slots, the star's seam."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.sky.orbit.shells import Pattern, Shell
from skylift.sky.routing.grid import LaserPattern, plus_grid
from skylift.sky.routing.lasers import AHEAD, BEHIND, EAST, WEST


def shell(planes, per_plane, phasing=0.0, **more) -> Shell:
    return Shell("test", planes, per_plane, 550e3, 53.0, phasing, **more)


def phase_turns(one: Shell) -> np.ndarray:
    """Argument of latitude of each satellite in turns, by Walker's definition, not by the code's."""
    plane, slot = np.divmod(np.arange(one.planes * one.satellites_per_plane), one.satellites_per_plane)
    lead = (plane % 2) / 2 / one.satellites_per_plane
    if not one.alternating_phase:
        lead = one.phasing * plane / (one.planes * one.satellites_per_plane)
    return slot / one.satellites_per_plane + lead


shells = st.builds(
    shell,
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 11).map(float),
    pattern=st.sampled_from(list(Pattern)),
    alternating_phase=st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(shells, min_size=1, max_size=3),
    st.sampled_from([LaserPattern.NEAREST_PHASE, LaserPattern.SAME_INDEX]),
    st.integers(2, 4),
)
def test_links_are_mutual_single_and_within_the_lasers(many, pattern, per_satellite) -> None:
    neighbour = plus_grid(many, pattern, per_satellite)
    for u, row in enumerate(neighbour):
        linked = row[row >= 0].tolist()
        assert len(set(linked)) == len(linked) <= per_satellite
        assert u not in linked
    for column, back in ((AHEAD, BEHIND), (BEHIND, AHEAD), (EAST, WEST), (WEST, EAST)):
        (u,) = np.nonzero(neighbour[:, column] >= 0)
        np.testing.assert_array_equal(neighbour[neighbour[u, column], back], u)
    # No link leaves its shell.
    owner = np.repeat(np.arange(len(many)), [s.planes * s.satellites_per_plane for s in many])
    u, k = np.nonzero(neighbour >= 0)
    np.testing.assert_array_equal(owner[u], owner[neighbour[u, k]])


@settings(max_examples=80, deadline=None)
@given(shells)
def test_the_partner_beside_is_the_nearest_in_phase(one) -> None:
    neighbour = plus_grid([one])
    phase = phase_turns(one)
    for u, v in enumerate(neighbour[:, EAST]):
        if v < 0:
            continue
        plane = v // one.satellites_per_plane
        candidates = np.arange(plane * one.satellites_per_plane, (plane + 1) * one.satellites_per_plane)
        apart = np.abs((phase[candidates] - phase[u] + 0.5) % 1.0 - 0.5)
        assert abs((phase[v] - phase[u] + 0.5) % 1.0 - 0.5) <= apart.min() + 1e-12


def test_a_full_delta_has_four_links_everywhere_and_closes_with_its_f_slots() -> None:
    one = shell(72, 18, 45.0)
    neighbour = plus_grid([one])
    assert (neighbour >= 0).all()
    # 45/72 = 0.625 of a slot ahead per plane: one slot back in the next plane; from the last plane to the
    # first 0.625 - 45 slots: 44 slots on, which is 8 of 18.
    assert neighbour[5, EAST] == 18 + 4
    assert neighbour[71 * 18 + 5, EAST] == (5 + 44) % 18
    phase = phase_turns(one)
    jump = (phase[neighbour[:, EAST]] - phase + 0.5) % 1.0 - 0.5
    assert np.abs(jump).max() <= 0.5 / 18 + 1e-12


def test_same_index_closes_without_a_shift() -> None:
    """satgenpy's plus grid: (orbit, slot) to (orbit + 1 mod orbits, slot), and to slot + 1 in the orbit."""
    one = shell(5, 4, 3.0)
    neighbour = plus_grid([one], LaserPattern.SAME_INDEX)
    for plane in range(5):
        for slot in range(4):
            u = plane * 4 + slot
            assert neighbour[u, AHEAD] == plane * 4 + (slot + 1) % 4
            assert neighbour[u, EAST] == (plane + 1) % 5 * 4 + slot


def test_a_star_has_no_link_across_its_seam() -> None:
    neighbour = plus_grid([shell(6, 11, 3.0, pattern=Pattern.STAR)])
    assert (neighbour[:11, WEST] == -1).all()
    assert (neighbour[-11:, EAST] == -1).all()
    assert (neighbour[11:, WEST] >= 0).all()


def test_shells_without_lasers_and_without_a_pattern() -> None:
    two = [shell(4, 4, lasers=False), shell(4, 4)]
    neighbour = plus_grid(two)
    assert (neighbour[:16] == -1).all()
    assert (neighbour[16:] >= 16).all()
    assert (plus_grid(two, LaserPattern.NONE) == -1).all()


def test_fewer_lasers() -> None:
    three = plus_grid([shell(6, 6)], per_satellite=3)
    np.testing.assert_array_equal((three >= 0).sum(axis=1), 3)
    two = plus_grid([shell(6, 6)], per_satellite=2)
    assert (two[:, EAST:] == -1).all()
    with pytest.raises(Refused, match="2 to 4"):
        plus_grid([shell(6, 6)], per_satellite=5)
