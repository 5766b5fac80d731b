"""Which gateway antenna tracks which satellite in a slot."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def transpose(offset, column, rows_wanted, n_columns):
    """CSR by row -> CSR by column: offset (n_columns+1,), row (K,), pair (K,); rows ascend in a column."""
    column_offset = np.zeros(n_columns + 1, np.int64)
    for row in range(len(offset) - 1):
        if rows_wanted[row]:
            for k in range(offset[row], offset[row + 1]):
                column_offset[column[k] + 1] += 1
    for c in range(n_columns):
        column_offset[c + 1] += column_offset[c]
    fill = column_offset[:-1].copy()
    row_of = np.empty(column_offset[-1], np.int32)
    pair_of = np.empty(column_offset[-1], np.int64)
    for row in range(len(offset) - 1):
        if rows_wanted[row]:
            for k in range(offset[row], offset[row + 1]):
                at = fill[column[k]]
                row_of[at] = row
                pair_of[at] = k
                fill[column[k]] += 1
    return column_offset, row_of, pair_of


@njit(cache=True)
def _gain(satellite, seen_offset, seen_by, cover, weight, in_use, bonus):
    total = 0.0
    for k in range(seen_offset[satellite], seen_offset[satellite + 1]):
        total += weight[min(cover[seen_by[k]], len(weight) - 1)]
        if in_use[seen_by[k]] == satellite:
            # Worth two that would be covered anew: whoever talks over it would have to hand over.
            total += 2.0 * weight[0]
    return total * bonus[satellite]


@njit(cache=True)
def _sift_down(heap_gain, heap_satellite, size, at):
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        right = child + 1
        if right < size and (
            heap_gain[right] > heap_gain[child]
            or (heap_gain[right] == heap_gain[child] and heap_satellite[right] < heap_satellite[child])
        ):
            child = right
        if heap_gain[child] < heap_gain[at] or (
            heap_gain[child] == heap_gain[at] and heap_satellite[child] >= heap_satellite[at]
        ):
            return
        heap_gain[child], heap_gain[at] = heap_gain[at], heap_gain[child]
        heap_satellite[child], heap_satellite[at] = heap_satellite[at], heap_satellite[child]
        at = child


@njit(cache=True)
def _best_gateway(satellite, sees_offset, sees, sees_pair, gateway_cost_us, free, previous):
    """The gateway that tracks it already, else the free one of least cost; (-1, -1) where none is free."""
    best, best_pair, best_cost = -1, -1, np.inf
    for k in range(sees_offset[satellite], sees_offset[satellite + 1]):
        gateway = sees[k]
        if free[gateway] <= 0:
            continue
        if gateway == previous[satellite]:
            return gateway, sees_pair[k]
        cost = gateway_cost_us[sees_pair[k]]
        if cost < best_cost:
            best, best_pair, best_cost = gateway, sees_pair[k], cost
    return best, best_pair


@njit(cache=True)
def assign_for_terminals(
    seen, sees, gateway_cost_us, free, previous, in_use, weight, keep_bonus, gateway_of, pair_of
):
    """Give antennas to the satellites that serve most terminals; fills gateway_of, pair_of, lowers `free`.

    seen, sees  (offset, row, pair) by satellite: terminals that can use it, gateways that can track it
    previous    (N,) the gateway that tracks it already; in_use (M,) each terminal's satellite; -1 for none
    weight      what the first, second, ... satellite within reach is worth to a terminal (falling)

    Greedy on a submodular gain, evaluated lazily: a stale gain is an upper bound, because gains only fall.
    """
    seen_offset, seen_by, _ = seen
    sees_offset, sees_by, sees_pair = sees
    n = len(gateway_of)
    cover = np.zeros(len(in_use), np.int32)
    bonus = np.ones(n)
    heap_gain = np.empty(n)
    heap_satellite = np.empty(n, np.int32)
    size = 0
    for satellite in range(n):
        if sees_offset[satellite] == sees_offset[satellite + 1]:
            continue
        if seen_offset[satellite] == seen_offset[satellite + 1]:
            continue
        for k in range(sees_offset[satellite], sees_offset[satellite + 1]):
            if sees_by[k] == previous[satellite]:
                bonus[satellite] = keep_bonus
        heap_gain[size] = _gain(satellite, seen_offset, seen_by, cover, weight, in_use, bonus)
        heap_satellite[size] = satellite
        size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sift_down(heap_gain, heap_satellite, size, at)
    while size > 0:
        satellite = heap_satellite[0]
        fresh = _gain(satellite, seen_offset, seen_by, cover, weight, in_use, bonus)
        if fresh < heap_gain[0]:
            heap_gain[0] = fresh
            _sift_down(heap_gain, heap_satellite, size, 0)
            continue
        size -= 1
        heap_gain[0] = heap_gain[size]
        heap_satellite[0] = heap_satellite[size]
        _sift_down(heap_gain, heap_satellite, size, 0)
        gateway, pair = _best_gateway(
            satellite, sees_offset, sees_by, sees_pair, gateway_cost_us, free, previous
        )
        if gateway < 0:
            continue
        gateway_of[satellite] = gateway
        pair_of[satellite] = pair
        free[gateway] -= 1
        for k in range(seen_offset[satellite], seen_offset[satellite + 1]):
            cover[seen_by[k]] += 1


@njit(cache=True)
def assign_the_rest(offset, satellite, elevation, free, previous, gateway_of, pair_of):
    """Point what antennas are left at the highest satellites of each gateway, those tracked before first."""
    for gateway in range(len(offset) - 1):
        for kept_only in (True, False):
            while free[gateway] > 0:
                best, best_elevation = -1, -np.inf
                for k in range(offset[gateway], offset[gateway + 1]):
                    s = satellite[k]
                    if gateway_of[s] >= 0 or (kept_only and previous[s] != gateway):
                        continue
                    if elevation[k] > best_elevation:
                        best, best_elevation = k, elevation[k]
                if best < 0:
                    break
                gateway_of[satellite[best]] = gateway
                pair_of[satellite[best]] = best
                free[gateway] -= 1
