"""Lowest-delay routes with next hops against SciPy's dijkstra (return_predecessors=True), one thread.

Both sides get the same graph in the form they take, and the same sources. Errors are on the timed output, in
microseconds of delay; the next hops are checked as well: each must be a link that explains its delay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.harness import Case, Result
from skylift.base.instants import parse_instant
from skylift.base.randomness import random_stream
from skylift.base.units import LIGHT_SPEED_M_PER_S, US_PER_S
from skylift.sky.orbit.propagate import Propagator
from skylift.sky.orbit.shells import Shell
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.grid import plus_grid
from skylift.sky.routing.lasers import LaserRules, laser_hops
from skylift.sky.routing.matcher import LaserMatcher
from skylift.sky.routing.search import lowest_delay, lowest_delay_any

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

START_US = parse_instant("2026-03-01T00:00:00Z")
SLOT_US = 15_000_000
ERROR_US = 1e-6

# Shells in the manner of the large constellations; phasings that keep satellites apart.
FILED = Shell("72 x 22", 72, 22, 550e3, 53.0, 39.0)
LARGE = Shell("120 x 100", 120, 100, 550e3, 53.0, 7.0, allow_collisions="a benchmark of graphs")


@dataclass(frozen=True)
class Graph:
    """Links as ours takes them, (N, D) or rows, and as SciPy does; sources, one per row of seeds."""

    neighbour: Ints
    hop_us: Floats
    matrix: Any
    sources: Ints
    seeds: Floats


def _graph(neighbour: Ints, hop_us: Floats, sources: Ints) -> Graph:
    from scipy.sparse import csr_matrix

    up = np.isfinite(hop_us) & (neighbour >= 0)
    count = len(neighbour)
    offset = np.concatenate([[0], np.cumsum(up.sum(axis=1))]).astype(np.int32)
    matrix = csr_matrix((hop_us[up], neighbour[up].astype(np.int32), offset), shape=(count, count))
    seeds = np.full((len(sources), count), np.inf)
    seeds[np.arange(len(sources)), sources] = 0.0
    return Graph(neighbour, hop_us, matrix, sources, seeds)


@cache
def grid(seed: int, shell: Shell, sources: int) -> Graph:
    """A full +grid at a moment of its orbit, every laser up."""
    random = random_stream(seed, "bench.routing.grid")
    at_us = START_US + int(random.integers(0, 6_000)) * 1_000_000
    position = Propagator(generate([shell], START_US)).ephemeris([at_us]).position_ecef_m[0]
    neighbour = plus_grid([shell])
    rules = LaserRules(clearance_m=0.0, max_range_m=20e6, cross_plane_max_latitude_deg=90.0)
    chosen = random.choice(len(neighbour), sources, replace=False).astype(np.int32)
    return _graph(neighbour, laser_hops(neighbour, position, rules), chosen)


@cache
def flown(seed: int, sources: int) -> Graph:
    """Lasers matched as flown in three shells of uneven occupancy, 10,000 satellites."""
    random = random_stream(seed, "bench.routing.flown")
    shells = [
        Shell("43", 72, 60, 485e3, 43.0, 7.0, allow_collisions="thinned out at random"),
        Shell("53", 72, 60, 475e3, 53.0, 11.0, allow_collisions="thinned out at random"),
        Shell("70", 36, 60, 570e3, 70.0, 5.0, allow_collisions="thinned out at random"),
    ]
    catalogue = generate(shells, START_US)
    kept = np.sort(random.choice(len(catalogue), 10_000, replace=False))
    propagator = Propagator(catalogue.take(kept))
    matcher = LaserMatcher(LaserRules())
    for slot in range(8):
        at_us = START_US + slot * SLOT_US
        ephemeris = propagator.ephemeris([at_us], velocity=True)
        assert ephemeris.velocity_ecef_m_per_s is not None
        position = ephemeris.position_ecef_m[0]
        links = matcher.step(at_us, position, ephemeris.velocity_ecef_m_per_s[0])
    chosen = random.choice(10_000, sources, replace=False).astype(np.int32)
    return _graph(links, laser_hops(links, position, LaserRules()), chosen)


@cache
def geometric(seed: int, links: int, sources: int) -> Graph:
    """10,000 points at random on a sphere, each linked with about `links` nearest; no grid and no order."""
    from scipy.sparse import coo_matrix
    from scipy.spatial import cKDTree

    random = random_stream(seed, "bench.routing.geometric")
    points = random.normal(size=(10_000, 3))
    points *= 6_928e3 / np.linalg.norm(points, axis=1)[:, np.newaxis]
    near = cKDTree(points).query(points, links + 1)[1][:, 1:]
    u, v = np.repeat(np.arange(10_000), links), near.ravel()
    length_us = np.linalg.norm(points[u] - points[v], axis=1) * (US_PER_S / LIGHT_SPEED_M_PER_S)
    one_way = coo_matrix((length_us, (u, v)), shape=(10_000, 10_000)).tocsr()
    matrix = one_way.maximum(one_way.T).tocsr()
    matrix.sort_indices()
    chosen = random.choice(10_000, sources, replace=False).astype(np.int32)
    seeds = np.full((sources, 10_000), np.inf)
    seeds[np.arange(sources), chosen] = 0.0
    empty = np.zeros((0, 0))
    return Graph(empty.astype(np.int32), empty, matrix, chosen, seeds)


def _ours(graph: Graph) -> tuple[Floats, Ints]:
    if graph.neighbour.size:
        return lowest_delay(graph.neighbour, graph.hop_us, graph.seeds)
    matrix = graph.matrix
    return lowest_delay_any(matrix.indptr, matrix.indices, matrix.data, graph.seeds)


def _scipy(graph: Graph) -> Any:
    from scipy.sparse.csgraph import dijkstra

    return dijkstra(graph.matrix, indices=graph.sources, return_predecessors=True)


def _error_us(graph: Graph, ours: tuple[Floats, Ints], peer: tuple[Floats, Ints]) -> float:
    cost, next_hop = ours
    if not np.array_equal(np.isfinite(cost), np.isfinite(peer[0])):
        return float("nan")
    reached = np.isfinite(cost)
    error = float(np.abs(cost[reached] - peer[0][reached]).max())
    row, u = np.nonzero(next_hop >= 0)
    v = next_hop[row, u]
    link = np.asarray(graph.matrix[v, u]).ravel()
    if (link == 0).any() or len(row) != int(reached.sum()) - len(graph.sources):
        return float("nan")
    return max(error, float(np.abs(cost[row, v] + link - cost[row, u]).max()))


def cases(seed: int) -> list[Case]:
    built: dict[str, tuple[Callable[[], Graph], float]] = {
        "routing-grid-1584": (lambda: grid(seed, FILED, 100), 4.0),
        "routing-grid-12000": (lambda: grid(seed, LARGE, 60), 4.0),
        "routing-as-flown-10000": (lambda: flown(seed, 60), 2.0),
        "routing-random-4": (lambda: geometric(seed, 4, 30), 2.0),
        "routing-random-12": (lambda: geometric(seed, 12, 30), 2.0),
    }
    return [_case(name, seed, build, least) for name, (build, least) in built.items()]


def _case(name: str, seed: int, build: Callable[[], Graph], least: float) -> Case:
    def good(result: Result) -> bool:
        ratio, error = result.ratio_cpu, result.max_error
        return ratio is not None and ratio >= least and error is not None and error <= ERROR_US

    return Case(
        id=name,
        ours=lambda: _ours(build()),
        peer=lambda: _scipy(build()),
        peer_name="scipy",
        peer_version=version("scipy"),
        compare=lambda ours, peer: _error_us(build(), ours, peer),
        limit=f">= {least:g} x scipy's dijkstra, next hops included; delays within {ERROR_US:g} us",
        ok=good,
        seed=seed,
        prepare=lambda: _prepared(build),
    )


def _prepared(build: Callable[[], Graph]) -> None:
    build()
