"""Seats satellites at gateways' antennas; and exchanges antennas until none leaves fewer cells unseen."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def seat(new, reach_offset, reach, seat_offset, seat_of, used, closed, first, gateway_of, came_from, queue):
    """Gives satellite `new` an antenna, moving others along a chain of gateways if need be; whether it could.

    seat_of    satellites by gateway from seat_offset; used (G,) how many
    closed     (G,) gateways that can never free an antenna: whatever a failed search met
    first      the gateway to try before all others, or -1
    came_from, queue  (G,) scratch: which satellite would move to this gateway
    """
    head, tail = 0, 0
    came_from[:] = -1
    if first >= 0:
        for j in range(reach_offset[new], reach_offset[new + 1]):
            if reach[j] == first and not closed[first]:
                came_from[first] = new
                queue[tail] = first
                tail += 1
    for j in range(reach_offset[new], reach_offset[new + 1]):
        g = reach[j]
        if came_from[g] < 0 and not closed[g]:
            came_from[g] = new
            queue[tail] = g
            tail += 1
    while head < tail:
        g = queue[head]
        head += 1
        if used[g] < seat_offset[g + 1] - seat_offset[g]:
            while True:
                mover = came_from[g]
                old = gateway_of[mover]
                seat_of[seat_offset[g] + used[g]] = mover
                used[g] += 1
                gateway_of[mover] = g
                if mover == new:
                    return True
                unseat(mover, old, seat_offset, seat_of, used)
                g = old
        for i in range(seat_offset[g], seat_offset[g + 1]):
            other = seat_of[i]
            for j in range(reach_offset[other], reach_offset[other + 1]):
                there = reach[j]
                if came_from[there] < 0 and not closed[there]:
                    came_from[there] = other
                    queue[tail] = there
                    tail += 1
    for i in range(tail):
        closed[queue[i]] = True
    return False


@njit(cache=True)
def unseat(s, g, seat_offset, seat_of, used):
    """Takes satellite s off the antennas of gateway g."""
    last = seat_offset[g] + used[g] - 1
    for i in range(seat_offset[g], last):
        if seat_of[i] == s:
            seat_of[i] = seat_of[last]
            break
    used[g] -= 1


@njit(cache=True)
def _in_turn(new, reach_offset, reach, seat_offset, seat_of, used, met, queue):
    """Gateways at one of which an antenna must fall free for satellite `new`, into queue; how many."""
    met[:] = False
    head, tail = 0, 0
    for j in range(reach_offset[new], reach_offset[new + 1]):
        met[reach[j]] = True
        queue[tail] = reach[j]
        tail += 1
    while head < tail:
        g = queue[head]
        head += 1
        for i in range(seat_offset[g], seat_offset[g] + used[g]):
            for j in range(reach_offset[seat_of[i]], reach_offset[seat_of[i] + 1]):
                if not met[reach[j]]:
                    met[reach[j]] = True
                    queue[tail] = reach[j]
                    tail += 1
    return tail


@njit(cache=True)
def _see(s, sign, cell_offset, cells, seen, who):
    """Counts satellite s in (sign 1) or out (-1): how many see a cell, and the sum of their numbers."""
    for i in range(cell_offset[s], cell_offset[s + 1]):
        seen[cells[i]] += sign
        who[cells[i]] += sign * s


@njit(cache=True)
def reach_more(
    reach_offset, reach, cell_offset, cells, worth, seat_offset, seat_of, used, gateway_of, came_from, queue
):  # fmt: skip
    """Takes antennas from satellites for others while fewer cells are left that none sees; how many times.

    cell_offset, cells  by satellite, those that want something;  worth  (N,) of a satellite with an antenna:
    of equals the least goes. Others as in feeders_kernel.assign_feeders
    """
    n = len(gateway_of)
    most = cells.max() + 1 if len(cells) else 0
    seen, who = np.zeros(most, np.int64), np.zeros(most, np.int64)
    for s in range(n):
        if gateway_of[s] >= 0:
            _see(s, 1, cell_offset, cells, seen, who)
    alone, shared = np.zeros(n, np.int64), np.zeros(n, np.int64)
    closed, met = np.zeros(len(used), np.bool_), np.zeros(len(used), np.bool_)
    times = 0
    while True:
        alone[:] = 0
        for c in range(most):
            if seen[c] == 1:
                alone[who[c]] += 1
        best, new, old = 0, -1, -1
        for s in range(n):
            if gateway_of[s] >= 0 or reach_offset[s] == reach_offset[s + 1]:
                continue
            gain = 0
            for i in range(cell_offset[s], cell_offset[s + 1]):
                gain += seen[cells[i]] == 0
            if gain <= best:
                continue
            for i in range(cell_offset[s], cell_offset[s + 1]):
                if seen[cells[i]] == 1:
                    shared[who[cells[i]]] += 1
            count = _in_turn(s, reach_offset, reach, seat_offset, seat_of, used, met, queue)
            for i in range(count):
                g = queue[i]
                for j in range(seat_offset[g], seat_offset[g] + used[g]):
                    d = seat_of[j]
                    net = gain - alone[d] + shared[d]
                    if net > best or (net == best and new == s and worth[d] < worth[old]):
                        best, new, old = net, s, d
            for i in range(cell_offset[s], cell_offset[s + 1]):
                shared[who[cells[i]] if seen[cells[i]] == 1 else s] = 0
        if new < 0:
            return times
        unseat(old, gateway_of[old], seat_offset, seat_of, used)
        gateway_of[old] = -1
        closed[:] = False
        seat(new, reach_offset, reach, seat_offset, seat_of, used, closed, -1, gateway_of, came_from, queue)
        _see(old, -1, cell_offset, cells, seen, who)
        _see(new, 1, cell_offset, cells, seen, who)
        times += 1
