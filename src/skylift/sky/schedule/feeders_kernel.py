"""Which gateway's antenna tracks which satellite: satellites in the order of what they add."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import heapq
import math

import numpy as np
from numba import njit

from skylift.sky.schedule.levels_kernel import amount_at, heights, pour, urgency
from skylift.sky.schedule.seats_kernel import reach_more, seat


@njit(cache=True)
def gateways_of_satellites(offset, satellite, antennas, feeder_bps, n):
    """Reach by satellite: offset (n+1,), gateway and bps (J',); the highest feeder first, then as given.

    feeder_bps  (J,) by pair
    """
    out_offset = np.zeros(n + 1, np.int64)
    for g in range(len(antennas)):
        for j in range(offset[g], offset[g + 1]):
            if antennas[g] > 0 and feeder_bps[j] > 0.0:
                out_offset[satellite[j] + 1] += 1
    for s in range(n):
        out_offset[s + 1] += out_offset[s]
    end = out_offset[:-1].copy()
    gateway = np.empty(out_offset[-1], np.int32)
    rate = np.empty(out_offset[-1])
    for g in range(len(antennas)):
        for j in range(offset[g], offset[g + 1]):
            if antennas[g] > 0 and feeder_bps[j] > 0.0:
                s = satellite[j]
                at = end[s]
                while at > out_offset[s] and rate[at - 1] < feeder_bps[j]:
                    gateway[at], rate[at] = gateway[at - 1], rate[at - 1]
                    at -= 1
                gateway[at], rate[at] = g, feeder_bps[j]
                end[s] += 1
    return out_offset, gateway, rate


@njit(cache=True)
def feeders_of_satellites(reach_offset, reach, reach_bps, gateway_of, out):
    """The rate of the feeder that each satellite has been given, (N,) bps; 0 without one."""
    for s in range(len(gateway_of)):
        out[s] = 0.0
        for j in range(reach_offset[s], reach_offset[s + 1]):
            if reach[j] == gateway_of[s]:
                out[s] = reach_bps[j]


@njit(cache=True)
def assign_feeders(
    reach_offset, reach, reach_bps, antennas, cell_offset, cells, slowness, steps, beams, arrays, previous,
    keep_level, gateway_of,
):  # fmt: skip
    """Fills gateway_of (N,); -1 for satellites without an antenna or without use.

    reach_offset, reach, reach_bps  gateways by satellite; cell_offset, cells, slowness  cells by satellite
    beams, arrays           (N,) of all arrays; how many these are: each array's part is worth what it adds at
                            the level that it reaches, so that no satellite is worth less for having more
    previous                (N,) gateways of the slot before, -1 for none

    Where all can have one there is nothing to choose: what a satellite adds is not looked at then. Otherwise
    antennas are exchanged in the end while that leaves fewer cells which no satellite serves.
    Lazy: what a satellite adds can only fall while others pour, so a stale worth is an upper bound.
    """
    n, gateways = len(gateway_of), len(antennas)
    gateway_of[:] = -1
    seat_offset = np.zeros(gateways + 1, np.int64)
    for g in range(gateways):
        seat_offset[g + 1] = seat_offset[g] + antennas[g]
    seat_of = np.full(seat_offset[-1], -1, np.int32)
    used = np.zeros(gateways, np.int64)
    closed = np.zeros(gateways, np.bool_)
    came_from = np.full(gateways, -1, np.int32)
    queue = np.empty(gateways, np.int64)
    got = np.zeros(len(steps))
    bonus = math.exp(4.0 * keep_level)
    best_feeder = np.zeros(n)
    heap = [(0.0, 0) for _ in range(0)]
    all_seated = True
    for s in range(n):
        if beams[s] <= 0 or cell_offset[s] == cell_offset[s + 1] or reach_offset[s] == reach_offset[s + 1]:
            continue
        best_feeder[s] = reach_bps[reach_offset[s]]
        # Better than any: it is looked at when it comes to the top.
        heap.append((-np.inf, s))
        all_seated = all_seated and seat(
            s, reach_offset, reach, seat_offset, seat_of, used, closed, previous[s], gateway_of, came_from,
            queue,
        )  # fmt: skip
    if all_seated:
        return
    height = heights(steps)
    gateway_of[:] = -1
    seat_of[:] = -1
    used[:] = 0
    closed[:] = False
    worth_of = np.zeros(n)
    while len(heap) > 0:
        stale, s = heapq.heappop(heap)
        a, b = cell_offset[s], cell_offset[s + 1]
        open_ = False
        for j in range(reach_offset[s], reach_offset[s + 1]):
            open_ = open_ or not closed[reach[j]]
        if not open_:
            continue
        level, poured, worth = 0.0, 0.0, 0.0
        for array in range(1, arrays[s] + 1):
            before, share = poured, float(beams[s]) * array / arrays[s]
            level, poured = pour(cells[a:b], slowness[a:b], height, got, share, best_feeder[s])
            worth -= urgency(poured - before, level)
        worth *= bonus if previous[s] >= 0 else 1.0
        if stale == -np.inf or (worth > stale and len(heap) > 0 and (worth, s) > heap[0]):
            heapq.heappush(heap, (worth, s))
            continue
        taken = seat(
            s, reach_offset, reach, seat_offset, seat_of, used, closed, previous[s], gateway_of, came_from,
            queue,
        )  # fmt: skip
        if not taken:
            continue
        worth_of[s] = -worth
        for i in range(a, b):
            want = amount_at(steps[cells[i]], level)
            if want > got[cells[i]]:
                got[cells[i]] = want
    reach_more(
        reach_offset, reach, cell_offset, cells, worth_of, seat_offset, seat_of, used, gateway_of, came_from,
        queue,
    )  # fmt: skip
