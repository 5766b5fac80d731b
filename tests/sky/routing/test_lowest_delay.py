"""Lowest-delay search (routing.search_kernel, routing.search_four_kernel) against SciPy and every path."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skylift.sky.routing.search import (
    lowest_delay,
    lowest_delay_any,
    path_from,
    path_lengths_us,
    paths,
)


def dijkstra_cost(neighbour, hop_us, seed_cost_us):
    """SciPy's answer: one more node, with a one-way link to each seed."""
    count, degree = neighbour.shape
    lightest: dict[tuple[int, int], float] = {}
    for u, k in itertools.product(range(count), range(degree)):
        if neighbour[u, k] >= 0 and np.isfinite(hop_us[u, k]):
            pair = (u, int(neighbour[u, k]))
            lightest[pair] = min(lightest.get(pair, np.inf), hop_us[u, k])
    rows = []
    for seeds in seed_cost_us:
        links = lightest | {(count, int(at)): seeds[at] for at in np.flatnonzero(np.isfinite(seeds))}
        ends = np.array(list(links), dtype=np.int32).reshape(-1, 2)
        # Stored zeros are links of no length to csgraph.
        graph = csr_matrix((list(links.values()), (ends[:, 0], ends[:, 1])), shape=(count + 1, count + 1))
        rows.append(dijkstra(graph, indices=count)[:count])
    return np.array(rows)


@st.composite
def failing_grids(draw):
    """A torus grid with random delays, failed satellites and lasers, and a few rows of seeds."""
    planes, per_plane = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = planes * per_plane
    p, s = np.divmod(np.arange(count), per_plane)
    ahead = p * per_plane + (s + 1) % per_plane
    east = (p + 1) % planes * per_plane + s
    # Whole delays of a small range make ties, the others do not; zero is allowed.
    whole = draw(st.booleans())
    neighbour = np.full((count, 4), -1, dtype=np.int32)
    hop = np.full((count, 4), np.inf)
    for slot, other in ((0, ahead), (2, east)):
        for u in range(count):
            v = int(other[u])
            if v == u or rng.random() < 0.15:
                continue
            delay = float(rng.integers(0, 5)) if whole else float(rng.uniform(0.0, 9_000.0))
            if rng.random() < 0.1:
                delay = float(rng.choice([np.inf, np.nan]))
            neighbour[u, slot], hop[u, slot] = v, delay
            neighbour[v, slot + 1], hop[v, slot + 1] = u, delay
    seeds = np.where(rng.random((3, count)) < 0.3, rng.integers(0, 40_000, (3, count)), np.inf)
    return neighbour, hop, seeds


def check_next_hops(neighbour, hop_us, seeds, cost, next_hop):
    """Every next hop is a working link that explains the cost, and every chain of them ends in a seed."""
    for row in range(len(seeds)):
        for u in range(len(neighbour)):
            v = next_hop[row, u]
            if v < 0:
                assert cost[row, u] == seeds[row, u] or np.isinf(cost[row, u])
                continue
            ways = [
                cost[row, v] + hop_us[v, k]
                for k in range(hop_us.shape[1])
                if neighbour[v, k] == u and np.isfinite(hop_us[v, k])
            ]
            assert cost[row, u] in ways
        for u in np.flatnonzero(np.isfinite(cost[row])):
            path = path_from(next_hop[row], int(u))
            assert path[0] == u
            assert np.isfinite(seeds[row, path[-1]])
            assert len(set(path.tolist())) == len(path)


@settings(max_examples=60, deadline=None)
@given(failing_grids())
def test_costs_are_dijkstras_and_next_hops_explain_them(case) -> None:
    neighbour, hop_us, seeds = case
    cost, next_hop = lowest_delay(neighbour, hop_us, seeds)
    np.testing.assert_allclose(cost, dijkstra_cost(neighbour, hop_us, seeds), rtol=0, atol=1e-6)
    check_next_hops(neighbour, hop_us, seeds, cost, next_hop)


@settings(max_examples=40, deadline=None)
@given(failing_grids())
def test_four_links_are_searched_as_any_number_is(case) -> None:
    """A fifth link that is never there leads to the other kernel, and to the same bits."""
    neighbour, hop_us, seeds = case
    more = np.hstack([neighbour, np.full((len(neighbour), 1), -1, dtype=np.int32)])
    cost, next_hop = lowest_delay(neighbour, hop_us, seeds)
    again = lowest_delay(more, np.hstack([hop_us, np.full((len(hop_us), 1), np.nan)]), seeds)
    np.testing.assert_array_equal(cost, again[0])
    np.testing.assert_array_equal(next_hop, again[1])


@settings(max_examples=40, deadline=None)
@given(failing_grids(), st.integers(0, 2**32 - 1))
def test_of_equal_ways_the_lower_number_is_taken(case, seed) -> None:
    """And the answer does not hang on the order in which a satellite's links are listed."""
    neighbour, hop_us, seeds = case
    hop_us = np.where(hop_us < np.inf, np.minimum(np.round(hop_us), 4.0) + 1.0, np.inf)
    seeds = np.where(seeds < np.inf, np.minimum(seeds, 3.0), np.inf)
    cost, next_hop = lowest_delay(neighbour, hop_us, seeds)
    order = np.random.default_rng(seed).permutation(neighbour.shape[1])
    again = lowest_delay(neighbour[:, order].copy(), hop_us[:, order].copy(), seeds)
    np.testing.assert_array_equal(cost, again[0])
    np.testing.assert_array_equal(next_hop, again[1])
    for row, u in itertools.product(range(len(seeds)), range(len(neighbour))):
        if np.isinf(cost[row, u]) or cost[row, u] == seeds[row, u]:
            assert next_hop[row, u] == -1
            continue
        equal = [
            v
            for v, w in zip(neighbour[u], hop_us[u], strict=True)
            if v >= 0 and cost[row, v] + w == cost[row, u]
        ]
        assert next_hop[row, u] == min(equal)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.floats(0.5, 4.0), st.sampled_from([1.0, 1e3, 1e9]), st.integers(0, 2**32 - 1))
def test_any_graph(count, mean_degree, spread, seed) -> None:
    rng = np.random.default_rng(seed)
    density = min(1.0, mean_degree / count)
    weight = np.triu(
        np.where(rng.random((count, count)) < density, rng.uniform(0.1, 1.0, (count, count)), 0), 1
    )
    # A wide spread of lengths is the hard case of a bucket queue: most links fall into one bucket.
    weight = np.where(weight > 0, spread ** (weight * 3.0 - 1.0), 0.0)
    graph = csr_matrix(weight + weight.T)
    seeds = np.full((1, count), np.inf)
    seeds[0, 0] = 0.0
    cost, next_hop = lowest_delay_any(
        graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data, seeds
    )
    np.testing.assert_array_equal(cost[0], dijkstra(graph, indices=0))
    for u in np.flatnonzero(next_hop[0] >= 0):
        assert cost[0, u] == cost[0, next_hop[0, u]] + (weight + weight.T)[next_hop[0, u], u]


def test_every_simple_path_of_a_tiny_graph() -> None:
    rng = np.random.default_rng(11)
    for _ in range(30):
        count = 6
        link = np.full((count, count), np.inf)
        for a, b in itertools.combinations(range(count), 2):
            if rng.random() < 0.6:
                link[a, b] = link[b, a] = rng.uniform(1.0, 10.0)
        neighbour = np.tile(np.arange(count, dtype=np.int32), (count, 1))
        seeds = np.full((1, count), np.inf)
        seeds[0, 4], seeds[0, 5] = 3.0, 0.5
        cost, _ = lowest_delay(neighbour, link, seeds)
        for start in range(count):
            best = seeds[0, start]
            others = [i for i in range(count) if i != start]
            for length in range(1, count):
                for way in itertools.permutations(others, length):
                    hops = zip((start, *way[:-1]), way, strict=True)
                    best = min(best, sum(link[a, b] for a, b in hops) + seeds[0, way[-1]])
            assert cost[0, start] == pytest.approx(best, abs=1e-12)


def test_seeds_far_apart_do_not_meet_in_the_ring() -> None:
    """A seed that costs far more than any link is long still lands in a bucket of its own turn."""
    count = 200
    neighbour = np.full((count, 2), -1, dtype=np.int32)
    neighbour[1:, 0] = np.arange(count - 1)
    neighbour[:-1, 1] = np.arange(1, count)
    hop_us = np.where(neighbour >= 0, 1.0, np.inf)
    seeds = np.full((2, count), np.inf)
    seeds[0, 0], seeds[0, count - 1] = 0.0, 1e7
    seeds[1, 0], seeds[1, 150] = 0.0, 3.0
    cost, next_hop = lowest_delay(neighbour, hop_us, seeds)
    np.testing.assert_array_equal(cost[0], np.arange(count))
    assert next_hop[0, count - 1] == count - 2
    np.testing.assert_array_equal(cost[1], np.minimum(np.arange(count), 3.0 + np.abs(np.arange(count) - 150)))


def test_no_seed_no_links_no_satellites() -> None:
    neighbour = np.full((3, 4), -1, dtype=np.int32)
    hop_us = np.full((3, 4), np.nan)
    cost, next_hop = lowest_delay(neighbour, hop_us, np.full((2, 3), np.inf))
    assert np.isinf(cost).all()
    assert (next_hop == -1).all()
    cost, _ = lowest_delay(neighbour, hop_us, np.array([[5.0, np.nan, np.inf]]))
    np.testing.assert_array_equal(cost, [[5.0, np.inf, np.inf]])
    cost, _ = lowest_delay(neighbour[:0], hop_us[:0], np.zeros((2, 0)))
    assert cost.shape == (2, 0)
    cost, _ = lowest_delay(neighbour, hop_us, np.zeros((0, 3)))
    assert cost.shape == (0, 3)


@pytest.mark.parametrize(("slot", "value"), [((0, 0), -1.0), ((2, 0), -0.5)])
def test_a_negative_delay_is_refused(slot, value) -> None:
    neighbour = np.array([[1], [0], [0]], dtype=np.int32)
    hop_us = np.ones((3, 1))
    hop_us[slot] = value
    with pytest.raises(ValueError, match=f"satellite {slot[0]}"):
        lowest_delay(neighbour, hop_us, np.zeros((1, 3)))


def test_paths_and_their_lengths() -> None:
    next_hop = np.array([[1, 2, -1, 2], [-1, 0, 1, -1]], dtype=np.int32)
    offset, path = paths(next_hop, np.array([0, 1, 0, 0], np.int32), np.array([0, 2, -1, 2], np.int32))
    assert offset.tolist() == [0, 3, 6, 6, 7]
    assert path.tolist() == [0, 1, 2, 2, 1, 0, 2]
    position = np.array([[0.0, 3e6, 3e6, np.nan], [0.0, 0.0, 4e6, 0.0], [7e6] * 4])
    expected = 7e6 / 299.792458
    np.testing.assert_allclose(path_lengths_us(offset, path, position), [expected, expected, 0.0, 0.0])
    assert path_from(next_hop[0], 3).tolist() == [3, 2]
    with pytest.raises(ValueError, match="ring"):
        path_from(np.array([1, 0], dtype=np.int32), 0)
