"""Compiled: lowest-delay search with a bucket queue. Oracle: scipy.sparse.csgraph.dijkstra."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def compact(neighbour, hop_us, offset, target, weight_us):
    """Drop links that are absent or down: (N, D) to rows of offset (N+1,), target and weight_us (N*D,).

    Returns the number of links kept, or -1 - node of the first link with a negative delay or a bad target.
    """
    count, degree = neighbour.shape
    kept = 0
    for u in range(count):
        offset[u] = kept
        for k in range(degree):
            v = neighbour[u, k]
            w = hop_us[u, k]
            if v < 0 or not w < np.inf:
                continue
            if v >= count or w < 0.0:
                return -1 - u
            target[kept] = v
            weight_us[kept] = w
            kept += 1
    offset[count] = kept
    return kept


@njit(cache=True)
def fill(neighbour, hop_us, target, weight_us):
    """The links of (N, D) as flat target and weight_us (N*D,), those that are absent or down weighing inf.

    Returns 0, or -1 - node of the first link with a negative delay or a bad target.
    """
    count, degree = neighbour.shape
    for u in range(count):
        for k in range(degree):
            v = neighbour[u, k]
            w = hop_us[u, k]
            up = v >= 0 and w < np.inf
            if up and (v >= count or w < 0.0):
                return -1 - u
            target[u * degree + k] = v if up else 0
            weight_us[u * degree + k] = w if up else np.inf
    return 0


@njit(cache=True)
def search_all(offset, target, weight_us, seed_cost_us, least_delta_us, longest_us, most, cost_us, next_hop):
    """Shortest paths from the seeds of each row p of seed_cost_us (P, N), into cost_us and next_hop (P, N).

    A bucket holds the nodes whose cost falls into one width of delta_us, in a ring of up to `most` buckets (a
    power of two), so many that neither the longest link nor the spread of the seeds goes around it. A bucket
    is worked until it is empty: a node that gets cheaper after it was taken comes back, so that the result is
    exact for any delta_us; no node comes back where delta_us is at most the shortest link (Dinitz 1978; Meyer
    and Sanders 2003, "Delta-stepping").

    A bucket is a doubly linked ring through `after` and `before`, closed by a node of its own behind the N
    satellites; a satellite in no bucket is linked to itself. So taking out and putting in need no branch, and
    memory is bounded by N. First in, first out: neighbours in the front are worked one after the other, and
    the processor foresees better which of their links lead back. Indices are unsigned: signed ones cost a
    test for numbers that count from the end.
    """
    rows, count = seed_cost_us.shape
    behind = np.uintp(count)
    after = np.empty(count + most, dtype=np.uint32)
    before = np.empty(count + most, dtype=np.uint32)
    for i in range(count + most):
        after[i] = before[i] = i
    seeds = np.empty(count, dtype=np.uint32)
    for p in range(rows):
        cost = cost_us[p]
        hop = next_hop[p]
        seed = seed_cost_us[p]
        lowest, highest = np.inf, -np.inf
        queued = 0
        cost[:] = np.inf
        hop[:] = -1
        for u in range(count):
            c = seed[u]
            if c < np.inf:
                cost[u] = c
                seeds[queued] = u
                queued += 1
                # Branches, since a chain of min() would take longer than all the rest of this loop.
                if c < lowest:
                    lowest = c
                if c > highest:
                    highest = c
        if queued == 0:
            continue
        reach_us = max(longest_us, highest - lowest)
        delta_us = max(least_delta_us, 2.0 * reach_us / most)
        per_us = 1.0 / delta_us if delta_us > 0.0 else 0.0
        ring = 4
        while ring < reach_us * per_us + 3.0:
            ring *= 2
        mask = np.uintp(ring - 1)
        for i in range(queued):
            v = np.uintp(seeds[i])
            head = behind + (np.uintp(np.int64((cost[v] - lowest) * per_us)) & mask)
            first = np.uintp(after[head])
            after[v] = first
            before[v] = head
            before[first] = v
            after[head] = v
        here = np.uintp(0)
        while queued > 0:
            head = behind + here
            u = np.uintp(after[head])
            if u == head:
                here = (here + np.uintp(1)) & mask
                continue
            first = np.uintp(after[u])
            after[head] = first
            before[first] = head
            after[u] = before[u] = u
            queued -= 1
            cost_u = cost[u]
            for e in range(np.uintp(offset[u]), np.uintp(offset[u + np.uintp(1)])):
                v = np.uintp(target[e])
                offered = cost_u + weight_us[e]
                if offered >= cost[v]:
                    # Equal ways: the lower number wins, whatever the order of work. Only towards a lower
                    # cost, so that links of no length cannot close a ring.
                    if offered == cost[v] and np.int64(u) < hop[v] and cost_u < offered:
                        hop[v] = u
                    continue
                cost[v] = offered
                hop[v] = u
                left = np.uintp(before[v])
                right = np.uintp(after[v])
                queued += left == v
                after[left] = right
                before[right] = left
                to = behind + (np.uintp(np.int64((offered - lowest) * per_us)) & mask)
                last = np.uintp(before[to])
                before[v] = last
                after[v] = to
                after[last] = v
                before[to] = v


@njit(cache=True)
def lengths(weight_us):
    """(shortest, mean, longest) of the links that are up; zeros where none is."""
    shortest, total, longest, up = np.inf, 0.0, 0.0, 0
    for e in range(len(weight_us)):
        w = weight_us[e]
        if w < np.inf:
            if w < shortest:
                shortest = w
            if w > longest:
                longest = w
            total += w
            up += 1
    if up == 0:
        return 0.0, 0.0, 0.0
    return shortest, total / up, longest


@njit(cache=True)
def measure_paths(next_hop, row, start, limit, length):
    """Number of satellites on each path: from start[m] along next_hop[row[m]] to its seed; 0 where start < 0.

    Returns -1, or the first m whose path does not end within `limit` satellites.
    """
    for m in range(len(start)):
        u = start[m]
        steps = 0
        while u >= 0:
            steps += 1
            if steps > limit:
                return m
            u = next_hop[row[m], u]
        length[m] = steps
    return -1


@njit(cache=True)
def fill_paths(next_hop, row, start, path_offset, path):
    """Write each path into path[path_offset[m] : path_offset[m + 1]]."""
    for m in range(len(start)):
        u = start[m]
        at = path_offset[m]
        while u >= 0:
            path[at] = u
            at += 1
            u = next_hop[row[m], u]


@njit(cache=True)
def sum_hops_m(path_offset, path, position_m, length_m):
    """Length of each path over its satellites at position_m (3, N); 0 for a path of one satellite."""
    for m in range(len(length_m)):
        total = 0.0
        for i in range(path_offset[m] + 1, path_offset[m + 1]):
            a, b = path[i - 1], path[i]
            dx = position_m[0, a] - position_m[0, b]
            dy = position_m[1, a] - position_m[1, b]
            dz = position_m[2, a] - position_m[2, b]
            total += np.sqrt(dx * dx + dy * dy + dz * dz)
        length_m[m] = total
