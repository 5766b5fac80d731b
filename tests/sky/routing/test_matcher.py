"""The as-flown matcher: mutual links within the rules, held while they can be, connected, repeatable.

Kernels: routing.matcher_kernel and routing.matcher_parts_kernel. The oracles are laser_hops, which applies
the rules on its own, SciPy's connected components, and the choice of partners by looking at every pair.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from skylift.sky.orbit.formats import parse_catalogue
from skylift.sky.orbit.propagate import Propagator
from skylift.sky.routing.lasers import FIRST_CROSS_PLANE, LaserRules, laser_hops
from skylift.sky.routing.lasers_kernel import is_symmetric
from skylift.sky.routing.matcher import PLAN_EVERY_US, LaserMatcher

SLOT_US = 15_000_000
MU = 3.986004418e14
SPIN = 7.292115e-5


def flown(seed: int, count: int, spread_deg: float = 2.0):
    """An irregular constellation: (at_us) -> Earth-fixed position and velocity, each (3, N)."""
    rng = np.random.default_rng(seed)
    tilt = np.radians(rng.choice([43.0, 53.0, 70.0], count) + rng.normal(0, 0.02, count))
    node = np.radians(rng.integers(0, 24, count) * 15.0 + rng.normal(0, spread_deg, count))
    start = rng.uniform(0, 2 * np.pi, count)
    radius = 6_378_137.0 + rng.choice([475e3, 540e3], count)
    rate = np.sqrt(MU / radius**3)

    def at(at_us: int):
        turn = SPIN * at_us * 1e-6
        along, east = start + rate * at_us * 1e-6, node - turn
        c, s, ci, si = np.cos(along), np.sin(along), np.cos(tilt), np.sin(tilt)
        ce, se = np.cos(east), np.sin(east)
        position = radius * np.array([ce * c - se * s * ci, se * c + ce * s * ci, s * si])
        inertial = radius * rate * np.array([-ce * s - se * c * ci, -se * s + ce * c * ci, c * si])
        return position, inertial - SPIN * np.array([-position[1], position[0], 0 * position[2]])

    return at


def check(links, position, rules, working) -> None:
    assert is_symmetric(links) == (-1, -1)
    degree = (links >= 0).sum(axis=1)
    assert degree.max(initial=0) <= rules.per_satellite
    assert (degree[~working] == 0).all()
    for row in links:
        partners = row[row >= 0]
        assert len(set(partners.tolist())) == len(partners)
    # laser_hops applies the rules on its own: every link must carry.
    hop = laser_hops(links, position, rules, working)
    assert np.isfinite(hop[links >= 0]).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.integers(2, 4),
    st.sampled_from([90.0, 45.0]),
    st.floats(0.0, 0.3),
)
def test_links_obey_the_rules_in_every_slot(seed, count, lasers, latitude, failing) -> None:
    rules = LaserRules(per_satellite=lasers, cross_plane_max_latitude_deg=latitude)
    at, rng = flown(seed, count), np.random.default_rng(seed + 1)
    matcher = LaserMatcher(rules)
    for slot in range(8):
        working = rng.random(count) >= failing
        position, velocity = at(slot * SLOT_US)
        check(matcher.step(slot * SLOT_US, position, velocity, working), position, rules, working)


def test_ahead_answers_behind_and_lies_in_the_same_plane() -> None:
    at = flown(3, 600, spread_deg=0.1)
    position, velocity = at(0)
    links = LaserMatcher(LaserRules()).step(0, position, velocity)
    (u,) = np.nonzero(links[:, 0] >= 0)
    assert len(u) > 300
    np.testing.assert_array_equal(links[links[u, 0], 1], u)
    inertial = velocity + SPIN * np.array([-position[1], position[0], 0 * position[2]])
    normal = np.cross(position.T, inertial.T)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    assert np.einsum("ij,ij->i", normal[u], normal[links[u, 0]]).min() > np.cos(np.radians(1.0)) - 1e-12
    # Ahead is where the satellite flies to.
    assert (np.einsum("iu,iu->u", inertial[:, u], position[:, links[u, 0]]) > 0).all()


def test_pairs_in_the_plane_are_the_closest_first() -> None:
    """By brute force: of all pairs that may be linked ahead, take the smallest angle, and so on."""
    at = flown(21, 300, spread_deg=0.1)
    position, velocity = at(0)
    links = LaserMatcher(LaserRules(per_satellite=2)).step(0, position, velocity)
    inertial = velocity + SPIN * np.array([-position[1], position[0], 0 * position[2]])
    normal = np.cross(position.T, inertial.T)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    unit = (position / np.linalg.norm(position, axis=0)).T
    forward = np.cross(normal, unit)
    angle = np.arctan2(forward @ unit.T, unit @ unit.T)
    everyone = np.tile(np.arange(300, dtype=np.int32), (300, 1))
    np.fill_diagonal(everyone, -1)
    allowed = np.isfinite(laser_hops(everyone, position, LaserRules(cross_plane_max_latitude_deg=90.0)))
    allowed &= (normal @ normal.T >= np.cos(np.radians(1.0))) & (angle > 0.0)
    pairs = sorted((angle[u, v], u, v) for u, v in np.argwhere(allowed))
    ahead, behind = np.full(300, -1), np.full(300, -1)
    for _, u, v in pairs:
        if ahead[u] < 0 and behind[v] < 0 and behind[u] != v:
            ahead[u], behind[v] = v, u
    np.testing.assert_array_equal(links[:, 0], ahead)
    np.testing.assert_array_equal(links[:, 1], behind)


def test_a_new_link_waits_for_its_acquisition_and_a_kept_one_does_not() -> None:
    at = flown(5, 500)
    matcher = LaserMatcher(LaserRules(acquisition_s=20.0))
    first = matcher.step(0, *at(0))
    assert (first >= 0).any()
    everyone = np.ones(500, dtype=bool)
    lost = everyone.copy()
    lost[first[0][first[0] >= 0][0]] = False
    matcher.step(SLOT_US, *at(SLOT_US), lost)
    # The failed satellite is back, but its partners look for one only at the next plan, and acquire for 20 s.
    back = [matcher.step(k * SLOT_US, *at(k * SLOT_US), everyone) for k in range(2, 8)]
    failed = int(np.flatnonzero(~lost)[0])
    assert PLAN_EVERY_US == 4 * SLOT_US
    carrying = [(links[failed] >= 0).any() for links in back]
    assert carrying == [False, False, False, False, True, True]
    # The links of all others, far from it, never paused.
    held = (first >= 0) & (back[0] == first)
    assert held.sum() > 0.9 * (first >= 0).sum()


def test_a_failed_laser_takes_its_link_and_no_other() -> None:
    at = flown(8, 400)
    matcher = LaserMatcher(LaserRules())
    before = matcher.step(0, *at(0))
    u = int(np.flatnonzero(before[:, 0] >= 0)[0])
    lasers = np.ones((400, 4), dtype=bool)
    lasers[u, 0] = False
    after = matcher.step(SLOT_US, *at(SLOT_US), laser_working=lasers)
    assert after[u, 0] == -1
    assert after[before[u, 0], 1] == -1
    for slot in range(2, 9):
        links = matcher.step(slot * SLOT_US, *at(slot * SLOT_US), laser_working=lasers)
        assert links[u, 0] == -1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 11))
def test_going_on_from_a_checkpoint_is_the_same_to_the_bit(seed, stop) -> None:
    at = flown(seed, 300)
    whole, part = LaserMatcher(LaserRules()), LaserMatcher(LaserRules())
    for slot in range(12):
        if slot == stop:
            saved = {name: array.copy() for name, array in part.state().items()}
            part = LaserMatcher.from_state(LaserRules(), saved)
        position, velocity = at(slot * SLOT_US)
        rng = np.random.default_rng([seed, slot])
        working = rng.random(300) < 0.97
        want = whole.step(slot * SLOT_US, position, velocity, working)
        np.testing.assert_array_equal(part.step(slot * SLOT_US, position, velocity, working), want)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(part.state()[name], array)


def test_satellites_without_a_position_and_none_at_all() -> None:
    at = flown(1, 50)
    position, velocity = at(0)
    position[:, 7] = np.nan
    velocity[:, 7] = np.nan
    links = LaserMatcher(LaserRules()).step(0, position, velocity)
    assert (links[7] == -1).all()
    assert (links != 7).all()
    assert LaserMatcher(LaserRules()).step(0, np.zeros((3, 0)), np.zeros((3, 0))).shape == (0, 4)
    position[:] = np.nan
    assert (LaserMatcher(LaserRules()).step(0, position, velocity) == -1).all()


@pytest.mark.parametrize(
    ("name", "lowest_m"), [("starlink_2026-05-30.tle", 455e3), ("starlink_2022-02_reconstructed.tle", 500e3)]
)
def test_a_real_catalogue_is_connected_and_keeps_its_links(shared_file, name, lowest_m) -> None:
    catalogue = parse_catalogue(shared_file(f"catalogues/{name}").read_text()).catalogue
    start_us = int(np.median(catalogue.epoch_us))
    propagator = Propagator(catalogue)
    semi_major_m = (MU / catalogue.mean_motion_rad_per_s**2) ** (1 / 3)
    operational = semi_major_m - 6_378_137.0 > lowest_m
    matcher = LaserMatcher(LaserRules())
    rules = LaserRules()
    first = held = None
    for slot in range(41):
        ephemeris = propagator.ephemeris([start_us + slot * SLOT_US], velocity=True)
        working = operational & ephemeris.valid[0]
        position, velocity = ephemeris.position_ecef_m[0], ephemeris.velocity_ecef_m_per_s[0]
        links = matcher.step(start_us + slot * SLOT_US, position, velocity, working)
        if slot in (0, 40):
            check(links, position, rules, working)
            u, k = np.nonzero(links >= 0)
            graph = csr_matrix((np.ones(len(u)), (u, links[u, k])), shape=(len(links), len(links)))
            giant = np.bincount(connected_components(graph)[1]).max()
            assert giant > 0.95 * working.sum()
            degree = (links[working] >= 0).sum(axis=1)
            assert degree.mean() > 3.5
            assert (degree >= 2).mean() > 0.98
        if first is None:
            first = links
        held = (links == first)[first >= 0].mean()
    # Ten minutes later nearly all lasers hold on to their partners.
    assert held > 0.95
    within, across = first[:, :FIRST_CROSS_PLANE], first[:, FIRST_CROSS_PLANE:]
    assert (within >= 0).any()
    assert (across >= 0).any()
