"""Lowest-delay routes over satellites: costs, next hops, and the paths they make.

The graph has satellites only, so that no route can lead through a user's terminal or a gateway: the ground
enters as a seed, that is, what it costs to leave the sky at a satellite.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.base.units import LIGHT_SPEED_M_PER_S, US_PER_S
from skylift.sky.routing import search_kernel as kernel
from skylift.sky.routing.search_four_kernel import search_four

Ints = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]

# Satellites with four lasers each have a search of their own.
LASERS = 4
# More buckets than this cost more to look into than they save.
MOST_BUCKETS = 1 << 12
# Bucket width as a share of the mean link, where the shortest link is shorter still. Measured in
# docs/why/005-routing.md.
WIDTH_OF_MEAN_LINK = 0.125


def lowest_delay(neighbour: Ints, hop_us: Floats, seed_cost_us: Floats) -> tuple[Floats, Ints]:
    """The cheapest way from every satellite to a seed, for each of P rows of seeds.

    neighbour     int32 (N, D), -1 where a satellite has fewer than D links
    hop_us        (N, D): delay of each link, from either end alike; inf or nan where it is down
    seed_cost_us  (P, N): cost of ending at a satellite; inf or nan where one cannot
    returns       cost_us (P, N), inf where no seed can be reached; next_hop int32 (P, N): the neighbour on
                  the way to the seed, -1 at a satellite that is best left there, or that reaches none

    Of equally cheap neighbours the one with the lower number is taken. ValueError for a negative delay.
    Where the links are not the same from both ends, they are followed from the seed outwards, as SciPy does.
    """
    if neighbour.shape != hop_us.shape:
        raise ValueError("neighbour and hop_us must have one shape")
    count, degree = neighbour.shape
    if degree == LASERS:
        return _search_four(neighbour, hop_us, seed_cost_us)
    offset = np.empty(count + 1, dtype=np.uint32)
    target = np.empty(count * degree, dtype=np.uint32)
    weight_us = np.empty(count * degree, dtype=np.float64)
    kept = kernel.compact(neighbour, hop_us, offset, target, weight_us)
    _refuse_bad_link(kept)
    return _search(offset, target[:kept], weight_us[:kept], seed_cost_us)


def _refuse_bad_link(kept: int) -> None:
    if kept < 0:
        raise ValueError(f"a link of satellite {-1 - kept} has a negative delay or leads nowhere")


def _search_four(neighbour: Ints, hop_us: Floats, seed_cost_us: Floats) -> tuple[Floats, Ints]:
    target = np.empty(neighbour.size, dtype=np.uint32)
    weight_us = np.empty(neighbour.size, dtype=np.float64)
    _refuse_bad_link(kernel.fill(neighbour, hop_us, target, weight_us))
    seeds, cost_us, next_hop = _room(seed_cost_us, len(neighbour))
    delta_us, longest_us = _widths(weight_us)
    search_four(target, weight_us, seeds, delta_us, longest_us, MOST_BUCKETS, cost_us, next_hop)
    return cost_us, next_hop


def lowest_delay_any(
    offset: Offsets, target: Ints, weight_us: Floats, seed_cost_us: Floats
) -> tuple[Floats, Ints]:
    """`lowest_delay` on any graph: the links of node u stand at offset[u] : offset[u + 1].

    offset  int64 (N+1,); target int32 (E,); weight_us (E,), inf where down, not nan, not negative
    """
    if len(weight_us) and not float(np.min(weight_us)) >= 0.0:
        raise ValueError("a link has a negative delay, or none")
    if len(target) and not 0 <= int(np.min(target)) <= int(np.max(target)) < len(offset) - 1:
        raise ValueError("a link leads nowhere")
    weights = np.ascontiguousarray(weight_us, dtype=np.float64)
    return _search(offset.astype(np.uint32), target.astype(np.uint32), weights, seed_cost_us)


def _search(
    offset: Unsigned, target: Unsigned, weight_us: Floats, seed_cost_us: Floats
) -> tuple[Floats, Ints]:
    seeds, cost_us, next_hop = _room(seed_cost_us, len(offset) - 1)
    delta_us, longest_us = _widths(weight_us)
    kernel.search_all(offset, target, weight_us, seeds, delta_us, longest_us, MOST_BUCKETS, cost_us, next_hop)
    return cost_us, next_hop


def _room(seed_cost_us: Floats, count: int) -> tuple[Floats, Floats, Ints]:
    if seed_cost_us.ndim != 2 or seed_cost_us.shape[1] != count:
        raise ValueError("seed_cost_us must be (P, N)")
    seeds = np.ascontiguousarray(seed_cost_us, dtype=np.float64)
    return seeds, np.empty(seeds.shape, dtype=np.float64), np.empty(seeds.shape, dtype=np.int32)


def _widths(weight_us: Floats) -> tuple[float, float]:
    """The width of a bucket and the longest link, in us."""
    shortest_us, mean_us, longest_us = kernel.lengths(weight_us)
    return max(shortest_us, mean_us * WIDTH_OF_MEAN_LINK), longest_us


def path_from(next_hop: Ints, satellite: int) -> Ints:
    """The satellites from `satellite` to the seed along one row of next hops, both ends included."""
    _, path = paths(
        next_hop[np.newaxis, :], np.zeros(1, dtype=np.int32), np.array([satellite], dtype=np.int32)
    )
    return path


def paths(next_hop: Ints, pop: Ints, satellite: Ints) -> tuple[Offsets, Ints]:
    """The paths of M terminals: path m is path[path_offset[m] : path_offset[m + 1]].

    next_hop   int32 (P, N) of `lowest_delay`
    pop        int32 (M,): which row each follows
    satellite  int32 (M,): where each begins; -1 for an empty path
    returns    path_offset int64 (M+1,), path int32

    A satellite that reaches no seed gives a path of itself: ask only where the cost is finite.
    """
    length = np.zeros(len(satellite), dtype=np.int64)
    endless = kernel.measure_paths(next_hop, pop, satellite, next_hop.shape[1], length)
    if endless >= 0:
        raise ValueError(f"next hops run in a ring on path {endless}")
    path_offset = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(length)])
    path = np.empty(int(path_offset[-1]), dtype=np.int32)
    kernel.fill_paths(next_hop, pop, satellite, path_offset, path)
    return path_offset, path


def path_lengths_us(path_offset: Offsets, path: Ints, position_ecef_m: Floats) -> Floats:
    """Light time along the lasers of each path, (M,), with satellites at position_ecef_m (3, N).

    0 for an empty path and for a single satellite; nan where a satellite on the way has no position.
    """
    length_m = np.zeros(len(path_offset) - 1, dtype=np.float64)
    kernel.sum_hops_m(path_offset, path, position_ecef_m, length_m)
    return length_m * (US_PER_S / LIGHT_SPEED_M_PER_S)
