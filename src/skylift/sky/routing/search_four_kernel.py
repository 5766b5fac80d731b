"""Compiled: the bucket queue of search_kernel for four links each, unrolled. Oracle: dijkstra of SciPy."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def search_four(target, weight_us, seed_cost_us, least_delta_us, longest_us, most, cost_us, next_hop):
    """`search_kernel.search_all` where node u has the four links 4 u to 4 u + 3; one that is down weighs inf.

    The loop stands here a second time, word for word but for the range of links: a range of known length is
    unrolled, which takes a fifth off the time, and steps shared as functions of their own made both searches
    three to four times slower (docs/why/005-routing.md).
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
            links = u * np.uintp(4)
            for e in range(links, links + np.uintp(4)):
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
