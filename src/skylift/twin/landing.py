"""Where traffic comes down: at a satellite's own gateway, and over lasers where a gateway has room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.coverage.usable import UsablePairs
from skylift.sky.routing.matcher import LaserMatcher
from skylift.sky.routing.search import paths
from skylift.sky.schedule.problem import CLASSES
from skylift.twin.capacity import CLASSES_HOLD_TO, Given, Reach, may_be_served
from skylift.twin.look import Sky
from skylift.twin.policy import DETOUR_US
from skylift.twin.rates import Rates, Ways
from skylift.twin.world import Asks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# An antenna that has less than this of its rate left is full to others.
LEAST_ROOM = 0.02
# Who gets less than this of what it asks for is short: a schedule is greedy.
FULL = 0.999


@dataclass(frozen=True, slots=True)
class LaserSlot:
    """The lasers of one slot: neighbour and hop_us (N, L), and what remembers them, if they are matched."""

    neighbour: Ints
    hop_us: Floats
    matcher: LaserMatcher | None


@dataclass(frozen=True, slots=True)
class Routes:
    """From every satellite to every PoP.

    gateway_of, gateway_pair  (N,): which gateway tracks it, and which pair that is; -1 for none
    cost_us   (P, N) one-way from the satellite to the PoP, fibre included; inf without a route
    next_hop  (P, N) or None where there are no lasers
    direct    (N,) whose terminals' traffic comes down at its own gateway; None: all goes the quickest way
    """

    gateway_of: Ints
    gateway_pair: Offsets
    cost_us: Floats
    next_hop: Ints | None
    matcher: LaserMatcher | None
    direct: Flags | None


def ways_down(routes: Routes, pop: Ints, first: Ints) -> tuple[Offsets, Ints]:
    """Satellites from the one that each of U terminals talks to down to the last: offset (U+1,), path."""
    if routes.next_hop is None:
        return np.arange(len(first) + 1, dtype=np.int64), first
    if routes.direct is None:
        return paths(routes.next_hop, pop, first)
    direct = routes.direct[first]
    offset, passed = paths(routes.next_hop, pop, np.where(direct, -1, first).astype(np.int32))
    length = np.where(direct, 1, np.diff(offset))
    own = np.repeat(direct, length)
    path = np.empty(len(own), dtype=np.int32)
    path[own], path[~own] = first[direct], passed
    return np.concatenate([[0], np.cumsum(length)]).astype(np.int64), path


@dataclass(frozen=True, slots=True)
class Served:
    """A slot's schedule with the ways and rates that come of it. pair (M,): -1 for none."""

    given: Given
    routes: Routes
    pair: Offsets
    ways: Ways
    rates: Rates

    def short(self, asks: Asks, sky: Sky) -> bool:
        """Whether anybody who sees a satellite gets less than is asked for."""
        got = np.zeros(len(self.pair))
        got[self.ways.terminal] = self.rates.down_bps
        asked = asks.needs.down_bps * (1.0 - asks.needs.obstructed_fraction)
        may = may_be_served(asks) & (np.diff(sky.users.site_offset) > 0)
        return bool((may & (got < FULL * asked)).any())

    def is_better(self, other: Served, asks: Asks) -> bool:
        """More arrives in all; no terminal loses all it had, and no urgent class loses."""
        mine, theirs = self._by_terminal(), other._by_terminal()
        if ((theirs > 0.0) & (mine <= 0.0)).any():
            return False
        rank = asks.needs.priority
        keeps = all(
            mine[rank <= k].sum() >= (1.0 - CLASSES_HOLD_TO) * theirs[rank <= k].sum()
            for k in range(1, CLASSES)
        )
        return bool(keeps and mine.sum() > theirs.sum())

    def _by_terminal(self) -> Floats:
        got = np.zeros(len(self.pair))
        got[self.ways.terminal] = self.rates.down_bps
        return got


def over_lasers(
    routes: Routes,
    users: UsablePairs,
    cost_us: Floats,
    capacity_bps: Floats,
    room_bps: Floats,
    asked_bps: Floats,
    laser_bps: float,
) -> tuple[Reach, Floats]:
    """Who may use what, where gateways are shared over lasers; and what each satellite is granted (N,).

    cost_us       (K,) of the pairs of `users`
    capacity_bps  (N,) of the antenna that tracks each satellite, 0 for none; room_bps: what it has left
    asked_bps     (N,) what each satellite carried or could have used at the last grant; 0 at first

    Grants of satellites that come down at the same antenna add up to no more than its room: whatever the
    schedule makes of them, no antenna is asked for more than it has.
    """
    assert routes.next_hop is not None
    assert routes.direct is not None
    site = np.repeat(np.arange(len(users.above_count)), np.diff(users.site_offset))
    least_us = np.full(len(users.above_count), np.inf)
    np.minimum.at(least_us, site, cost_us)
    near = (cost_us <= least_us[site] + 2.0 * DETOUR_US) | routes.direct[users.satellite]
    allowed = np.isfinite(cost_us) & near
    # Of the ways to several PoPs, the first one's: they differ in what is beyond the ground.
    far = np.unique(users.satellite[allowed])
    far = far[~routes.direct[far] & np.isfinite(routes.cost_us[0, far])]
    offset, path = paths(routes.next_hop[:1], np.zeros(len(far), dtype=np.int32), far)
    landing = path[offset[1:] - 1]
    granted_bps = np.zeros(len(capacity_bps))
    granted_bps[far] = np.minimum(_divided(landing, room_bps, asked_bps[far]), laser_bps)
    feeder_bps = capacity_bps - np.bincount(landing, granted_bps[far], minlength=len(capacity_bps))
    feeder_bps[far] = granted_bps[far]
    return Reach(allowed, np.maximum(feeder_bps, 0.0)), granted_bps


def _divided(landing: Ints, room_bps: Floats, asked_bps: Floats) -> Floats:
    """Each antenna's room in parts: what was asked for where there is enough, and the rest evenly."""
    n = len(room_bps)
    asked = np.bincount(landing, asked_bps, minlength=n)
    fits = np.divide(room_bps, asked, out=np.ones(n), where=asked > room_bps)
    part_bps: Floats = asked_bps * fits[landing]
    rest_bps = np.maximum(room_bps - np.bincount(landing, part_bps, minlength=n), 0.0)
    return part_bps + (rest_bps / np.maximum(np.bincount(landing, minlength=n), 1))[landing]
