"""Choose: antennas, routes, and each terminal's satellite, in slot order, because all three have a memory."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.base.link import LinkTable, WhyDown
from skylift.base.units import LIGHT_SPEED_M_PER_S, US_PER_S
from skylift.sky.routing.lasers import laser_hops
from skylift.sky.routing.matcher import LaserMatcher
from skylift.sky.routing.search import lowest_delay, path_lengths_us
from skylift.sky.schedule.problem import Schedule
from skylift.twin.antennas_kernel import assign_for_terminals, assign_the_rest, transpose
from skylift.twin.capacity import Allocator, Given, trimmed, with_more_points
from skylift.twin.choose_kernel import candidate_cost_us
from skylift.twin.landing import LEAST_ROOM, LaserSlot, Routes, Served, over_lasers, ways_down
from skylift.twin.look import Sky
from skylift.twin.policy import POLICIES, Candidates
from skylift.twin.rates import Sharer, Ways
from skylift.twin.world import Asks, Working, World

US_PER_M = US_PER_S / LIGHT_SPEED_M_PER_S
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

# How often what gateways have left is granted to satellites that reach them over lasers.
GRANTS = 2
# What a terminal's first, second, ... tracked satellite is worth when antennas are given out: coverage first.
COVER_WEIGHT = 32.0 ** -np.arange(6)
# A satellite that a gateway tracks already is given up only for one that is worth a quarter more.
KEEP_BONUS = 1.25


@dataclass(frozen=True, slots=True)
class Memory:
    """What one slot hands to the next: terminals' satellites, satellites' gateways, lasers and beams."""

    satellite: Ints
    gateway_of: Ints
    matcher: LaserMatcher | None = None
    schedule: Schedule | None = None


class Chooser:
    """Holds what does not change between slots; `choose` itself keeps nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._fibre_us = world.fibre_us()
        used = sorted({t.pop for t in world.terminals})
        # Routes are searched for the PoPs in use only; `_pop` counts among those.
        self._used_pops = np.array(used, dtype=np.int64)
        self._pop = np.array([used.index(t.pop) for t in world.terminals], dtype=np.int32)
        self._antennas = np.array([g.antennas for g in world.ground.gateways], dtype=np.int32)
        self._least_fibre_us = (
            self._fibre_us[:, self._used_pops].min(axis=1) if used else np.zeros(len(self._antennas))
        )
        self._beams: tuple[Allocator, Sharer] | None = None
        if world.capacity is not None:
            allocator = Allocator(world, world.capacity)
            self._beams = (
                allocator,
                Sharer(world.capacity.radio, allocator, world.gateway_sites(), world.lasers is not None),
            )

    def renewed(self, world: World, memory: Memory) -> tuple[Chooser, Memory]:
        """For the same world with other terminals: who was there before keeps what is remembered of it."""
        chooser = Chooser(world)
        before, now = self.world.terminals, world.terminals
        satellite = np.full(len(now), -1, dtype=np.int32)
        if len(now) >= len(before) and all(map(operator.is_, before, now)):
            satellite[: len(before)] = memory.satellite
            schedule = memory.schedule
            if schedule is not None and self._beams is not None and chooser._beams is not None:
                schedule = with_more_points(schedule, self._beams[0].points, chooser._beams[0].points)
            return chooser, replace(memory, satellite=satellite, schedule=schedule)
        row = {terminal.id: i for i, terminal in enumerate(before)}
        was = np.array([row.get(terminal.id, -1) for terminal in now], dtype=np.int64)
        satellite[was >= 0] = memory.satellite[was[was >= 0]]
        return chooser, replace(memory, satellite=satellite, schedule=None)

    def forget(self) -> Memory:
        """The memory at the beginning of a window: none."""
        plan = self.world.lasers
        n = len(self.world.catalogue)
        return Memory(
            satellite=np.full(len(self.world.terminals), -1, dtype=np.int32),
            gateway_of=np.full(n, -1, dtype=np.int32),
            matcher=LaserMatcher(plan.rules) if plan and plan.neighbour is None else None,
        )

    def choose(self, memory: Memory, sky: Sky, asks: Asks, working: Working) -> tuple[LinkTable, Memory]:
        """The links of one slot, and the memory for the next."""
        # Where nobody may be served, there is nothing to schedule.
        if self._beams is not None and (asks.barred == WhyDown.UP).any():
            return self._choose_beams(memory, sky, asks, working)
        tracked = self._assign_antennas(memory, sky, asks, working)
        routes = self._routes(sky, tracked, self._laser_slot(memory, sky, working))
        users = sky.users
        candidates = Candidates(
            offset=users.site_offset,
            satellite=users.satellite,
            elevation_rad=users.elevation_rad,
            cost_us=self._cost_us(sky, routes),
            previous=memory.satellite,
            at_us=sky.at_us,
        )
        pair = POLICIES[self.world.policy](candidates)
        pair[asks.barred != WhyDown.UP] = -1
        links = self._links(pair, sky, routes, memory, self._why_down(pair, sky, asks))
        return links, Memory(links.satellite, routes.gateway_of, routes.matcher)

    def _choose_beams(
        self, memory: Memory, sky: Sky, asks: Asks, working: Working
    ) -> tuple[LinkTable, Memory]:
        """As `choose`, where the beam schedule decides who talks over which satellite."""
        assert self._beams is not None
        allocator, _ = self._beams
        before = memory.schedule, memory.satellite
        given = allocator.give(before, sky, asks, working, None)
        gateway_of = given.schedule.gateway_of
        tracked = gateway_of, _tracked_pairs(gateway_of, sky)
        if self.world.lasers is None:
            served = self._served(given, sky, asks, self._routes(sky, tracked, None))
        else:
            # First what can be had without lasers; they then add to it what gateways have left.
            tracked = self._idle_antennas(memory, sky, working, tracked)
            lasers = self._laser_slot(memory, sky, working)
            served = self._served(given, sky, asks, self._routes(sky, tracked, lasers, landing=True))
            if served.short(asks, sky):
                served = self._over_lasers(served, before, sky, asks, working, lasers)
        links, schedule = self._handed_out(served, memory, sky, asks)
        schedule = replace(schedule, gateway_of=gateway_of)
        return links, Memory(links.satellite, served.routes.gateway_of, served.routes.matcher, schedule)

    def _served(self, given: Given, sky: Sky, asks: Asks, routes: Routes) -> Served:
        assert self._beams is not None
        pair = _pairs_of(given, sky)
        ways = self._ways(pair, sky, routes)
        return Served(given, routes, pair, ways, self._beams[1].rates(given, sky, asks, ways))

    def _over_lasers(
        self,
        first: Served,
        before: tuple[Schedule | None, Ints],
        sky: Sky,
        asks: Asks,
        working: Working,
        lasers: LaserSlot | None,
    ) -> Served:
        """As much as without lasers, and what else they can bring to gateways that are not full."""
        assert self._beams is not None
        allocator, sharer = self._beams
        best, routes = first, first.routes
        tracked = np.flatnonzero(routes.gateway_of >= 0)
        capacity_bps = np.zeros(len(routes.gateway_of))
        capacity_bps[tracked] = sharer.gateway_bps(sharer.forward, sky, routes.gateway_pair[tracked])
        carried_bps = np.bincount(
            first.given.groups.satellite, weights=first.rates.taken_bps, minlength=len(capacity_bps)
        )
        room_bps = np.maximum(capacity_bps - carried_bps, 0.0)
        open_exit = room_bps > LEAST_ROOM * capacity_bps
        if not open_exit.any():
            return first
        tracked_by = routes.gateway_of, routes.gateway_pair
        routes = self._routes(sky, tracked_by, lasers, landing=True, exits=open_exit)
        asked_bps = np.zeros(len(capacity_bps))
        for _ in range(GRANTS):
            reach, granted_bps = over_lasers(
                routes, sky.users, self._cost_us(sky, routes), capacity_bps, room_bps, asked_bps,
                allocator.plan.laser_bps,
            )  # fmt: skip
            found = self._served(allocator.give(before, sky, asks, working, reach), sky, asks, routes)
            best = found if found.is_better(best, asks) else best
            # Who used up its grant is granted more, of what others left.
            groups = found.given.groups
            asked_bps = np.bincount(groups.satellite, groups.rate_bps, len(asked_bps)).astype(np.float64)
            asked_bps[asked_bps > 0.9 * granted_bps] *= 2.0
        return best

    def _handed_out(self, served: Served, memory: Memory, sky: Sky, asks: Asks) -> tuple[LinkTable, Schedule]:
        """The links of what is served, and the beams as terminals use them."""
        assert self._beams is not None
        given, routes, rates, pair = served.given, served.routes, served.rates, served.pair.copy()
        cost_us = self._cost_us(sky, routes)
        up = served.ways.terminal
        unserved = rates.down_bps <= 0.0
        pair[up[unserved]] = -1
        why = self._why_down(pair, sky, asks)
        routed = np.bincount(_sites(sky.users.site_offset), np.isfinite(cost_us), minlength=len(pair)) > 0
        why[(why == WhyDown.NO_GATEWAY) & routed] = WhyDown.NO_CAPACITY
        walled = (asks.needs.obstructed_fraction >= 1.0) & (why == WhyDown.NO_CAPACITY)
        why[walled] = WhyDown.OBSTRUCTED
        links = self._links(pair, sky, routes, memory, why)
        schedule = trimmed(given, rates.taken_bps)
        links = replace(
            links,
            down_bps=_filled(len(pair), up[~unserved], rates.down_bps[~unserved], np.nan),
            up_bps=_filled(len(pair), up[~unserved], rates.up_bps[~unserved], np.nan),
            loss_fraction=np.where(pair >= 0, asks.needs.obstructed_fraction, np.nan),
            beams=self._beams[0].beams(given, schedule, _landing(links, routes)),
        )
        return links, schedule

    def _ways(self, pair: npt.NDArray[np.int64], sky: Sky, routes: Routes) -> Ways:
        up = np.flatnonzero(pair >= 0)
        first = sky.users.satellite[pair[up]]
        offset, path = ways_down(routes, self._pop[up], first)
        return Ways(up, pair[up], offset, path, routes.gateway_pair[path[offset[1:] - 1]])

    def _cost_us(self, sky: Sky, routes: Routes) -> Floats:
        """One-way delay over every pair of a terminal and a satellite to its PoP; inf without a way."""
        users = sky.users
        cost_us = np.empty(len(users.satellite))
        candidate_cost_us(
            users.site_offset,
            users.satellite,
            users.range_start_m,
            self._pop,
            routes.cost_us,
            US_PER_M,
            cost_us,
        )
        return cost_us

    def _laser_slot(self, memory: Memory, sky: Sky, working: Working) -> LaserSlot | None:
        """Which satellites' lasers meet in a slot, None without lasers; a matcher goes one slot on."""
        plan = self.world.lasers
        if plan is None:
            return None
        matcher = memory.matcher
        if plan.neighbour is not None:
            neighbour = plan.neighbour
        else:
            assert matcher is not None
            slot_s = self.world.slots.length_us / US_PER_S
            velocity_m_per_s = (sky.position_end_m - sky.position_start_m) / slot_s
            neighbour = matcher.step(sky.at_us, sky.position_start_m, velocity_m_per_s, working.lasers)
        hop_us = laser_hops(neighbour, sky.position_start_m, plan.rules, working.lasers)
        # A laser must hold for the whole slot, like every other link.
        end_us = laser_hops(neighbour, sky.position_end_m, plan.rules, working.lasers)
        hop_us[~np.isfinite(end_us)] = np.inf
        return LaserSlot(neighbour, hop_us, matcher)

    def _routes(
        self,
        sky: Sky,
        tracked_by: tuple[Ints, npt.NDArray[np.int64]],
        lasers: LaserSlot | None,
        *,
        landing: bool = False,
        exits: Flags | None = None,
    ) -> Routes:
        """tracked_by (N,), (N,): each satellite's gateway and pair; -1 for none.

        landing  whether what a tracked satellite hears from terminals always comes down at its own gateway
        exits    bool (N,): where the traffic of others may come down; None: wherever one is tracked
        """
        gateway_of, gateway_pair = tracked_by
        tracked = np.flatnonzero(gateway_of >= 0)
        seed_us = np.full((len(self._used_pops), len(gateway_of)), np.inf)
        down_us = sky.gateways.range_start_m[gateway_pair[tracked]] * US_PER_M
        seed_us[:, tracked] = down_us + self._fibre_us[gateway_of[tracked]][:, self._used_pops].T
        if lasers is None:
            return Routes(gateway_of, gateway_pair, seed_us, None, None, None)
        open_us = seed_us if exits is None else np.where(exits, seed_us, np.inf)
        cost_us, next_hop = lowest_delay(lasers.neighbour, lasers.hop_us, open_us)
        if not landing:
            return Routes(gateway_of, gateway_pair, cost_us, next_hop, lasers.matcher, None)
        cost_us[:, tracked] = seed_us[:, tracked]
        return Routes(gateway_of, gateway_pair, cost_us, next_hop, lasers.matcher, gateway_of >= 0)

    def _idle_antennas(
        self, memory: Memory, sky: Sky, working: Working, tracked_by: tuple[Ints, npt.NDArray[np.int64]]
    ) -> tuple[Ints, npt.NDArray[np.int64]]:
        """Antennas that no terminal asks for track what stands highest: over lasers it may serve others."""
        gateway_of, pair_of = tracked_by[0].copy(), tracked_by[1].copy()
        free = np.where(working.gateways, self._antennas, 0).astype(np.int32)
        taken = gateway_of[gateway_of >= 0]
        free -= np.bincount(taken, minlength=len(free)).astype(np.int32)
        seen = sky.gateways
        assign_the_rest(
            seen.site_offset, seen.satellite, seen.elevation_rad, free, memory.gateway_of, gateway_of, pair_of
        )
        return gateway_of, pair_of

    def _assign_antennas(
        self, memory: Memory, sky: Sky, asks: Asks, working: Working
    ) -> tuple[Ints, npt.NDArray[np.int64]]:
        n = sky.position_start_m.shape[1]
        free = np.where(working.gateways, self._antennas, 0).astype(np.int32)
        pairs, users = sky.gateways, sky.users
        gateway_of = np.full(n, -1, dtype=np.int32)
        pair_of = np.full(n, -1, dtype=np.int64)
        gateway_index = np.repeat(np.arange(len(free)), np.diff(pairs.site_offset))
        cost_us = pairs.range_start_m * US_PER_M + self._least_fibre_us[gateway_index]
        assign_for_terminals(
            transpose(users.site_offset, users.satellite, asks.barred == WhyDown.UP, n),
            transpose(pairs.site_offset, pairs.satellite, working.gateways, n),
            cost_us,
            free,
            memory.gateway_of,
            memory.satellite,
            COVER_WEIGHT,
            KEEP_BONUS,
            gateway_of,
            pair_of,
        )
        if self.world.lasers is not None:
            # With lasers any tracked satellite serves terminals far away, so no antenna stays idle.
            assign_the_rest(
                pairs.site_offset,
                pairs.satellite,
                pairs.elevation_rad,
                free,
                memory.gateway_of,
                gateway_of,
                pair_of,
            )
        return gateway_of, pair_of

    def _why_down(self, pair: npt.NDArray[np.int64], sky: Sky, asks: Asks) -> npt.NDArray[np.uint8]:
        users = sky.users
        why = np.full(len(pair), WhyDown.NO_GATEWAY, dtype=np.uint8)
        why[users.clear_count == 0] = WhyDown.GEO_ARC
        why[users.in_field_count == 0] = WhyDown.OBSTRUCTED
        why[users.above_count == 0] = WhyDown.NO_SATELLITE if sky.any_valid else WhyDown.NO_EPHEMERIS
        why[pair >= 0] = WhyDown.UP
        barred = asks.barred != WhyDown.UP
        why[barred] = asks.barred[barred]
        return why

    def _links(
        self,
        pair: npt.NDArray[np.int64],
        sky: Sky,
        routes: Routes,
        memory: Memory,
        why_down: npt.NDArray[np.uint8],
    ) -> LinkTable:
        up = np.flatnonzero(pair >= 0)
        chosen = pair[up]
        users = sky.users
        satellite = _filled(len(pair), up, users.satellite[chosen], -1)
        path_offset, path, last, hops_us, hops_end_us = self._paths(up, satellite, sky, routes)
        down_pair = routes.gateway_pair[last]
        gateway = routes.gateway_of[last]
        pops = self._used_pops[self._pop[up]]
        fibre_us = self._fibre_us[gateway, pops]
        start_us = (users.range_start_m[chosen] + sky.gateways.range_start_m[down_pair]) * US_PER_M + hops_us
        end_us = (users.range_end_m[chosen] + sky.gateways.range_end_m[down_pair]) * US_PER_M + hops_end_us
        terms = self.world.delay

        def spread(values: Floats) -> Floats:
            return _filled(len(pair), up, values, np.nan)

        unknown = np.full(len(pair), np.nan)
        return LinkTable(
            at_us=sky.at_us,
            satellite=satellite,
            gateway=_filled(len(pair), up, gateway.astype(np.int32), -1),
            pop=_filled(len(pair), up, pops.astype(np.int32), -1),
            path_offset=path_offset,
            path=path,
            elevation_rad=spread(users.elevation_rad[chosen].astype(np.float64)),
            azimuth_rad=spread(users.azimuth_rad[chosen].astype(np.float64)),
            propagation_us=spread(start_us),
            propagation_end_us=spread(end_us),
            fibre_us=spread(fibre_us),
            delay_up_us=spread(start_us + fibre_us + terms.added_up_us),
            delay_up_end_us=spread(end_us + fibre_us + terms.added_up_us),
            delay_down_us=spread(start_us + fibre_us + terms.added_down_us),
            delay_down_end_us=spread(end_us + fibre_us + terms.added_down_us),
            down_bps=unknown,
            up_bps=unknown,
            loss_fraction=unknown,
            handover=(satellite >= 0) & (memory.satellite >= 0) & (satellite != memory.satellite),
            why_down=why_down,
        )

    def _paths(
        self, up: npt.NDArray[np.intp], satellite: Ints, sky: Sky, routes: Routes
    ) -> tuple[npt.NDArray[np.int64], Ints, Ints, Floats, Floats]:
        """Every terminal's path (CSR); for those that are up: last satellite, laser us at start and end."""
        first = satellite[up]
        if routes.next_hop is None:
            offset = np.concatenate([[0], np.cumsum(satellite >= 0)]).astype(np.int64)
            none = np.zeros(len(up))
            return offset, first, first, none, none
        up_offset, path = ways_down(routes, self._pop[up], first)
        lengths = np.zeros(len(satellite), dtype=np.int64)
        lengths[up] = np.diff(up_offset)
        offset = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return (
            offset,
            path,
            path[up_offset[1:] - 1],
            path_lengths_us(up_offset, path, sky.position_start_m),
            path_lengths_us(up_offset, path, sky.position_end_m),
        )


def _sites(offset: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The site of each pair."""
    return np.repeat(np.arange(len(offset) - 1), np.diff(offset))


def _tracked_pairs(gateway_of: Ints, sky: Sky) -> npt.NDArray[np.int64]:
    """(N,) the pair by which each satellite's gateway tracks it; -1 for none."""
    pairs = sky.gateways
    pair_of = np.full(len(gateway_of), -1, dtype=np.int64)
    tracked = np.flatnonzero(_sites(pairs.site_offset) == gateway_of[pairs.satellite])
    pair_of[pairs.satellite[tracked]] = tracked
    return pair_of


def _pairs_of(given: Given, sky: Sky) -> npt.NDArray[np.int64]:
    """(M,) each terminal's pair with the satellite that it was given; -1 for none."""
    users, n = sky.users, sky.position_mid_m.shape[1]
    pair = np.full(len(given.group), -1, dtype=np.int64)
    up = np.flatnonzero(given.group >= 0)
    wanted = up * n + given.groups.satellite[given.group[up]]
    pair[up] = np.searchsorted(_sites(users.site_offset) * n + users.satellite, wanted)
    return pair


def _landing(links: LinkTable, routes: Routes) -> Ints:
    """(N,) the gateway at which each satellite's traffic comes down: over lasers, its first terminal's."""
    if routes.next_hop is None:
        return routes.gateway_of
    gateway_of = np.full(len(routes.gateway_of), -1, dtype=np.int32)
    up = np.flatnonzero(links.satellite >= 0)[::-1]
    gateway_of[links.satellite[up]] = links.gateway[up]
    return gateway_of


def _filled(length: int, where: npt.NDArray[np.intp], values: npt.NDArray, empty: float) -> npt.NDArray:  # type: ignore[type-arg]
    out = np.full(length, empty, dtype=values.dtype)
    out[where] = values
    return out
