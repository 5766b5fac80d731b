"""Kernels of siting: which satellites a set of gateways can track, and which cells these cover."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def track(satellite, offset, gateway, antennas, count, held, gateway_of, closed, via, queue):
    """Gives one more satellite an antenna, moving others where that frees one. True if it worked.

    offset (N+1,), gateway (J,)  which gateways can track each satellite
    antennas, count (G,)  how many there are and how many are taken; held (G, most antennas) by whom
    gateway_of (N,)  -1 for none;  closed (G,)  set where no chain of moves can free an antenna, for good:
                     a search that fails has seen all that it could reach, and later moves only fill these
    via, queue (G,)  scratch
    """
    via[:] = -1
    tail = 0
    for k in range(offset[satellite], offset[satellite + 1]):
        g = gateway[k]
        if via[g] < 0 and not closed[g]:
            via[g] = satellite
            queue[tail] = g
            tail += 1
    head = 0
    while head < tail:
        g = queue[head]
        head += 1
        if count[g] < antennas[g]:
            while True:
                moved = via[g]
                old = gateway_of[moved]
                held[g, count[g]] = moved
                count[g] += 1
                gateway_of[moved] = g
                if old < 0:
                    return True
                for i in range(count[old]):
                    if held[old, i] == moved:
                        count[old] -= 1
                        held[old, i] = held[old, count[old]]
                        break
                g = old
        for i in range(count[g]):
            other = held[g, i]
            for k in range(offset[other], offset[other + 1]):
                further = gateway[k]
                if via[further] < 0 and not closed[further]:
                    via[further] = other
                    queue[tail] = further
                    tail += 1
    for i in range(tail):
        closed[queue[i]] = True
    return False


@njit(cache=True)
def most_tracked(weight, order, offset, gateway, antennas):
    """The greatest sum of weights of satellites that can be tracked at once.

    weight (N,) not negative; order (N,) by falling weight; offset, gateway as in `track`. Exact: the sets
    of satellites that antennas can track together are a transversal matroid, for which greedy is best.
    """
    n, gateways = len(weight), len(antennas)
    most = 1
    for g in range(gateways):
        most = max(most, antennas[g])
    count = np.zeros(gateways, dtype=np.int64)
    held = np.empty((gateways, most), dtype=np.int64)
    gateway_of = np.full(n, -1, dtype=np.int64)
    closed = np.zeros(gateways, dtype=np.bool_)
    via = np.empty(gateways, dtype=np.int64)
    queue = np.empty(gateways, dtype=np.int64)
    total = 0.0
    for s in order:
        if weight[s] <= 0.0:
            break
        if track(s, offset, gateway, antennas, count, held, gateway_of, closed, via, queue):
            total += weight[s]
    return total


@njit(cache=True)
def most_covered(cell_weight, cell_offset, cell, offset, gateway, antennas):
    """Weight of the cells that see a tracked satellite, satellites being tracked so as to cover many.

    cell_weight (M,); cell_offset (N+1,), cell (K,)  the cells that can use each satellite
    offset, gateway, antennas  as in `track`
    Greedy: the satellite next that covers most of what is not covered yet. What it gives can be had; it
    is at least half of the most that could (Fisher, Nemhauser and Wolsey 1978, for one matroid).
    """
    n, gateways = len(offset) - 1, len(antennas)
    most = 1
    for g in range(gateways):
        most = max(most, antennas[g])
    count = np.zeros(gateways, dtype=np.int64)
    held = np.empty((gateways, most), dtype=np.int64)
    gateway_of = np.full(n, -1, dtype=np.int64)
    closed = np.zeros(gateways, dtype=np.bool_)
    via = np.empty(gateways, dtype=np.int64)
    queue = np.empty(gateways, dtype=np.int64)
    left = cell_weight.copy()
    out = np.zeros(n, dtype=np.bool_)
    # What a satellite would add only falls; one whose old gain is below the best new one is not counted anew.
    gain = np.empty(n)
    for s in range(n):
        gain[s] = np.inf if offset[s + 1] > offset[s] else 0.0
    total = 0.0
    while True:
        best, best_gain = -1, 0.0
        for s in range(n):
            if out[s] or gain[s] <= best_gain:
                continue
            new = 0.0
            for k in range(cell_offset[s], cell_offset[s + 1]):
                new += left[cell[k]]
            gain[s] = new
            if new > best_gain:
                best, best_gain = s, new
        if best < 0:
            return total
        out[best] = True
        if track(best, offset, gateway, antennas, count, held, gateway_of, closed, via, queue):
            total += best_gain
            for k in range(cell_offset[best], cell_offset[best + 1]):
                left[cell[k]] = 0.0
