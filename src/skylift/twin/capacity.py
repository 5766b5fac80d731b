"""Beams in the twin: a slot's schedule, and which satellite each terminal takes. Why so: docs/why/012."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.base.link import BeamTable, WhyDown
from skylift.sky.coverage.sites import Sites
from skylift.sky.coverage.usable import UsablePairs
from skylift.sky.radio.air_over import Air
from skylift.sky.radio.atmosphere import SiteClimate, climate_at
from skylift.sky.radio.jam_view import JamView, jam_view
from skylift.sky.schedule.levels_kernel import STEPS
from skylift.sky.schedule.problem import (
    CLASSES,
    Cells,
    Floats,
    Gateways,
    Ints,
    Schedule,
    ScheduleRules,
)
from skylift.sky.schedule.scheduler import BeamScheduler
from skylift.sky.schedule.supply import Disturbances, Offer, SlotGeometry, Supply
from skylift.twin.look import Sky
from skylift.twin.points import Points, SlotPoints, taken
from skylift.twin.points_kernel import take_satellites
from skylift.twin.slot_pairs import only_pairs, pairs_among
from skylift.twin.world import Asks, CapacityPlan, Working, World

Flags = npt.NDArray[np.bool_]
Offsets = npt.NDArray[np.int64]

# Where more of a schedule than this is of use to nobody, it is made again for the satellites that are taken.
WASTE_FRACTION = 0.005
# Classes are served in order to about this: a schedule is greedy.
CLASSES_HOLD_TO = 0.001


@dataclass(frozen=True, slots=True)
class Reach:
    """What lasers have decided before the schedule: every satellite with a way to the ground has a feeder.

    allowed     bool (K,): pairs of terminals and satellites from which the way is no detour
    feeder_bps  (N,): the most that each satellite can carry, whatever others do; 0 without a way
    """

    allowed: Flags
    feeder_bps: Floats


@dataclass(frozen=True, slots=True)
class Groups:
    """What a schedule gives, by point and satellite: G groups of its rows, sorted by point.

    of_row (R,); satellite (G,); rate_bps (G,); offset (points + 1,)
    """

    of_row: Offsets
    satellite: Ints
    rate_bps: Floats
    offset: Offsets


@dataclass(frozen=True, slots=True)
class Given:
    """One slot's schedule, in the catalogue's numbers, and each terminal's place in it.

    group (M,)  int64, of `groups`; -1 for a terminal that gets none
    """

    schedule: Schedule
    points: SlotPoints
    groups: Groups
    group: Offsets


class Allocator:
    """Holds what does not change between slots."""

    def __init__(self, world: World, plan: CapacityPlan) -> None:
        self.plan = plan
        self.points = Points(world.terminals, plan.resolution)
        self._gateways = world.gateway_sites()
        self._antennas = np.array([g.antennas for g in world.ground.gateways], dtype=np.int32)
        self._climate = self._climate_of(self.points.sites)
        self.gateway_air = self._air(self._climate_of(self._gateways))
        self._norad = world.catalogue.norad
        self._arrays = plan.radio.system.arrays_of(world.catalogue.name)
        self.jam = self._jam_of(self.points.sites)
        self._supply = self._supply_of(self.points.sites, self._climate, self.jam)
        self._scheduler = BeamScheduler(self.points.sites.position_ecef_m, plan.remakes)

    @property
    def rules(self) -> ScheduleRules:
        return self.plan.rules

    @property
    def user_air(self) -> Air | None:
        """Over the fixed points."""
        return self._supply.disturbances.user_air

    def give(
        self,
        before: tuple[Schedule | None, Ints],
        sky: Sky,
        asks: Asks,
        working: Working,
        reach: Reach | None,
    ) -> Given:
        """The schedule of a slot, and each terminal's satellite.

        before  the schedule of the slot before, and terminals' satellites then, -1 for none
        reach   None: bent-pipe, and the schedule decides which gateway tracks which satellite
        """
        allowed = np.ones(len(sky.users), dtype=np.bool_) if reach is None else reach.allowed
        points = self.points.of_slot(sky.users, may_be_served(asks), allowed)
        supply, scheduler = self._machinery(points)
        offer, used = _offer(supply, (self._norad, self._arrays), points, sky, working, reach)
        cells = Cells(
            supply.users.position_ecef_m, _wanted(points, asks), np.zeros(len(points), dtype=np.uint8)
        )
        slot = offer.slot(cells, self.rules)
        number = _numbers(used, sky.position_mid_m.shape[1])
        remembered = None if before[0] is None else _in_slot(before[0], number, len(self.points), len(points))
        if remembered is not None and reach is not None:
            # Every satellite has a feeder of its own here, and no other gateway to remember.
            remembered = replace(remembered, gateway_of=np.full(len(used), -1, dtype=np.int32))
        had = np.where(before[1] >= 0, number[before[1]], -1).astype(np.int32)
        taken = _take(scheduler.schedule(slot, remembered), points, asks, had, self.rules)
        if taken.usable_bps[-1] < (1.0 - WASTE_FRACTION) * taken.schedule.rate_bps.sum():
            # A dish has one satellite: what its cell is given over others goes to cells that can use it.
            kept = only_pairs(slot, pairs_among(slot, taken.cells(), taken.satellites()))
            again = _take(
                scheduler.schedule(kept, taken.schedule), points, asks, taken.by_terminal(), self.rules
            )
            taken = again if _is_better(again, taken) else taken
        schedule = _in_catalogue(taken.schedule, used, len(number), reach is None)
        return Given(
            schedule, points, replace(taken.groups, satellite=used[taken.groups.satellite]), taken.group
        )

    def beams(self, given: Given, schedule: Schedule, gateway_of: Ints) -> BeamTable:
        """A schedule's rows as handed out. gateway_of (N,): where each satellite's traffic comes down."""
        return BeamTable(
            satellite=schedule.satellite,
            polarisation=schedule.polarisation,
            beam=schedule.beam,
            channel=schedule.channel,
            cell=self.points.cell[given.points.home[schedule.cell]],
            gateway=gateway_of[schedule.satellite],
            share_fraction=schedule.share_fraction,
            rate_bps=schedule.rate_bps,
        )

    def _machinery(self, points: SlotPoints) -> tuple[Supply, BeamScheduler]:
        if len(points) == len(self.points):
            return self._supply, self._scheduler
        # Points that were split off in this slot stand at the end, in the places of others.
        sites = taken(self.points.sites, points.home)
        climate = None if self._climate is None else self._climate.take(points.home)
        scheduler = BeamScheduler(sites.position_ecef_m, self.plan.remakes)
        return self._supply_of(sites, climate, self._jam_of(sites)), scheduler

    def _supply_of(self, sites: Sites, climate: SiteClimate | None, jam: JamView | None) -> Supply:
        disturbances = Disturbances(self._air(climate), self.gateway_air, jam)
        return Supply(sites, self._gateways, self._antennas, self.plan.radio, disturbances)

    def _jam_of(self, sites: Sites) -> JamView | None:
        if not (self.plan.jam.jammers or self.plan.jam.rows):
            return None
        return jam_view(self.plan.jam, sites, self._norad)

    def _climate_of(self, sites: Sites) -> SiteClimate | None:
        if self.plan.maps is None:
            return None
        return climate_at(self.plan.maps, sites.latitude_rad, sites.longitude_rad)

    def _air(self, climate: SiteClimate | None) -> Air | None:
        if self.plan.maps is None or climate is None:
            return None
        return Air(self.plan.maps, climate, self.plan.rain)


def may_be_served(asks: Asks) -> Flags:
    """(M,) Neither barred, nor behind something that is always in the way."""
    may: Flags = (asks.barred == WhyDown.UP) & (asks.needs.obstructed_fraction < 1.0)
    return may


def trimmed(given: Given, used_bps: Floats) -> Schedule:
    """The schedule less what nobody could use. used_bps (G,): what terminals take of each group's rate."""
    s, rate = given.schedule, given.groups.rate_bps
    fraction = np.divide(used_bps, rate, out=np.zeros(len(rate)), where=rate > 0.0)
    of_row = np.minimum(fraction, 1.0)[given.groups.of_row]
    kept = np.flatnonzero(of_row * s.share_fraction > 0.0)
    return replace(
        _rows(s, kept),
        share_fraction=(s.share_fraction * of_row)[kept],
        rate_bps=(s.rate_bps * of_row)[kept],
    )


def with_more_points(before: Schedule, points: Points, more: Points) -> Schedule:
    """A schedule of a slot with fewer points, `points`, as one of a slot with `more`, which begin alike."""
    kept = len(points)
    # New points have no past, as if they had been full; those split off in the slot before are gone.
    level = np.full(len(more), float(STEPS))
    level[:kept] = before.level[:kept]
    return replace(_rows(before, np.flatnonzero(before.cell < kept)), level=level)


def _rows(s: Schedule, kept: npt.NDArray[np.intp]) -> Schedule:
    return replace(
        s,
        satellite=s.satellite[kept],
        polarisation=s.polarisation[kept],
        beam=s.beam[kept],
        channel=s.channel[kept],
        cell=s.cell[kept],
        gateway=s.gateway[kept],
        share_fraction=s.share_fraction[kept],
        rate_bps=s.rate_bps[kept],
    )


def _wanted(points: SlotPoints, asks: Asks) -> Floats:
    wanted = np.zeros((len(points), CLASSES))
    has = points.point_of >= 0
    np.add.at(
        wanted, (points.point_of[has], asks.needs.priority[has].astype(np.intp) - 1), asks.needs.down_bps[has]
    )
    return wanted


def _offer(
    supply: Supply,
    known: tuple[Ints, Ints | None],
    points: SlotPoints,
    sky: Sky,
    working: Working,
    reach: Reach | None,
) -> tuple[Offer, Ints]:
    """What the slot has to give, over those satellites alone that any point can use; and their numbers.

    known  NORAD numbers (N,), and how many arrays each has (N,), None for one
    """
    norad, arrays = known
    n = sky.position_mid_m.shape[1]
    useful = np.zeros(n, dtype=np.bool_)
    useful[points.pairs.satellite] = True
    if reach is not None:
        useful &= reach.feeder_bps > 0.0
    used = np.flatnonzero(useful).astype(np.int32)
    number = _numbers(used, n)
    through_air = useful if reach is None else np.zeros(n, dtype=np.bool_)
    geometry = SlotGeometry(
        sky.at_us,
        np.ascontiguousarray(sky.position_mid_m[:, used]),
        _renumbered(points.pairs, useful, number),
        _renumbered(sky.gateways, through_air, number),
        None if arrays is None else arrays[used],
    )
    if supply.disturbances.jam is not None:
        # The view names satellites as the pairs do: by their places among those used.
        jam = replace(supply.disturbances.jam, norad=norad[used].astype(np.int64))
        supply = replace(supply, disturbances=replace(supply.disturbances, jam=jam))
    offer = supply.offer(geometry, working.gateways)
    if reach is not None:
        # Lasers join each satellite to the ground, as if it had a gateway of its own.
        own = np.arange(len(used), dtype=np.int32)
        feeders = Gateways(
            np.arange(len(used) + 1, dtype=np.int64),
            own,
            np.ones(len(used), np.int32),
            reach.feeder_bps[used],
        )
        offer = replace(offer, gateways=feeders)
    return offer, used


def _renumbered(pairs: UsablePairs, useful: Flags, number: Ints) -> UsablePairs:
    """The pairs with useful satellites, by their new numbers."""
    sites = len(pairs.above_count)
    kept = np.flatnonzero(useful[pairs.satellite])
    site = np.repeat(np.arange(sites), np.diff(pairs.site_offset))[kept]
    return UsablePairs(
        site_offset=np.concatenate([[0], np.cumsum(np.bincount(site, minlength=sites))]).astype(np.int64),
        satellite=number[pairs.satellite[kept]],
        elevation_rad=pairs.elevation_rad[kept],
        azimuth_rad=pairs.azimuth_rad[kept],
        range_start_m=pairs.range_start_m[kept],
        range_end_m=pairs.range_end_m[kept],
        arc_rad=pairs.arc_rad[kept],
        above_count=pairs.above_count,
        in_field_count=pairs.in_field_count,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """A schedule, who takes which of its groups (M,), and how much of it they can use.

    usable_bps  (CLASSES,) by each class and those before it
    """

    schedule: Schedule
    groups: Groups
    group: Offsets
    usable_bps: Floats

    def by_terminal(self) -> Ints:
        """Each terminal's satellite, -1 for none."""
        return np.append(self.groups.satellite, np.int32(-1))[self.group]

    def cells(self) -> Offsets:
        """Of the groups that anybody takes."""
        by_group = np.repeat(np.arange(len(self.groups.offset) - 1), np.diff(self.groups.offset))
        return by_group[np.unique(self.group[self.group >= 0])]

    def satellites(self) -> Ints:
        """As `cells`."""
        return self.groups.satellite[np.unique(self.group[self.group >= 0])]


def _take(schedule: Schedule, points: SlotPoints, asks: Asks, had: Ints, rules: ScheduleRules) -> _Taken:
    """had (M,): the satellite that each terminal would keep, -1 for none."""
    groups, needs = _groups(schedule, len(points)), asks.needs
    group = np.empty(len(had), dtype=np.int64)
    take_satellites(
        np.argsort(needs.priority, kind="stable"), needs.priority, points.point_of, needs.down_bps, had,
        groups.offset, groups.satellite, groups.rate_bps, rules.floor_fraction,
        # A terminal keeps its satellite for as much as a cell does.
        1.0 - rules.keep_level, group,
    )  # fmt: skip
    usable_bps = np.zeros(CLASSES)
    for k in range(CLASSES):
        up = (group >= 0) & (needs.priority <= k + 1)
        asked = np.bincount(group[up], weights=needs.down_bps[up], minlength=len(groups.rate_bps))
        usable_bps[k] = np.minimum(asked, groups.rate_bps).sum()
    return _Taken(schedule, groups, group, usable_bps)


def _is_better(again: _Taken, first: _Taken) -> bool:
    """More is of use in all, and nobody pays for it: no terminal loses all it had, and no urgent class loses.

    A cell that is left one satellite may find no place there; then the waste is the lesser evil.
    """
    lost = (first.group >= 0) & (again.group < 0)
    urgent_keep = again.usable_bps[:-1] >= (1.0 - CLASSES_HOLD_TO) * first.usable_bps[:-1]
    return bool(not lost.any() and urgent_keep.all() and again.usable_bps[-1] > first.usable_bps[-1])


def _numbers(used: Ints, n: int) -> Ints:
    """(n,) the place of each satellite among those used; -1 for the others."""
    number = np.full(n, -1, dtype=np.int32)
    number[used] = np.arange(len(used), dtype=np.int32)
    return number


def _in_slot(before: Schedule, number: Ints, points: int, now: int) -> Schedule:
    """The schedule before, in this slot's numbers: of its satellites and the fixed points alone."""
    rows = _rows(before, np.flatnonzero((number[before.satellite] >= 0) & (before.cell < points)))
    # Points that were split off then or are now have no past: as if they had been full.
    level = np.full(now, float(STEPS))
    level[:points] = before.level[:points]
    return replace(
        rows, satellite=number[rows.satellite], gateway_of=before.gateway_of[number >= 0], level=level
    )


def _in_catalogue(s: Schedule, used: Ints, n: int, bent_pipe: bool) -> Schedule:
    gateway_of = np.full(n, -1, dtype=np.int32)
    if bent_pipe:
        gateway_of[used] = s.gateway_of
    return replace(s, satellite=used[s.satellite], gateway_of=gateway_of)


def _groups(s: Schedule, points: int) -> Groups:
    """Rows come sorted by cell and satellite."""
    new = np.ones(len(s), dtype=np.bool_)
    new[1:] = (np.diff(s.cell) != 0) | (np.diff(s.satellite) != 0)
    first = np.flatnonzero(new)
    of_row = np.cumsum(new) - 1
    counts = np.bincount(s.cell[first], minlength=points)
    return Groups(
        of_row=of_row.astype(np.int64),
        satellite=s.satellite[first],
        rate_bps=np.bincount(of_row, weights=s.rate_bps, minlength=len(first)).astype(np.float64),
        offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
