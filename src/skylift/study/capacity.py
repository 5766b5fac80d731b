"""What a region can bear: served and unserved demand by cell, hour by hour.

    study = CapacityStudy(case)
    for hour in study.hours(instants):
        hour.served_bps.sum(), hour.schedule.level

What limits it: skylift.study.limits. All of it in one result: skylift.study.bearing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place
from skylift.base.instants import SlotClock
from skylift.sky.coverage.sites import AntennaModel, sites_of
from skylift.sky.coverage.usable import UsableFinder
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.orbit.propagate import Propagator
from skylift.sky.routing.ground import Gateway
from skylift.sky.schedule.memory import Memory
from skylift.sky.schedule.problem import STUDY_REMAKES, Cells, Floats, Schedule, ScheduleRules
from skylift.sky.schedule.scheduler import BeamScheduler
from skylift.sky.schedule.supply import Disturbances, Offer, Radio, SlotGeometry, Supply
from skylift.study.ladder import FIRST_ENDS, as_asked, ends_about, in_steps, only_class

# In the order in which the schedule serves them; the names are those of --demand and of --json.
CLASS_NAMES = ("life_and_rescue", "critical_infrastructure", "government_and_aid", "everybody")
EVERYBODY = len(CLASS_NAMES) - 1
# As scenarios write them: the first word.
_SHORT_NAMES = tuple(name.partition("_")[0] for name in CLASS_NAMES)
# Satellites that a study looks at for a cell, the ground that a beam covers about, what the scheduler holds
# as neighbours of a cell, and bytes of each entry (shortlist_kernel, in an array that doubles; cones_kernel).
_LOOKED_AT, _CONE_KM2, _NEAR_KM2 = 36, 2_600.0, 71_000.0
_CONE_ENTRY_BYTES, _NEAR_ENTRY_BYTES = 8, 12
# A program with its kernels, and a cell's own arrays and rows: Ukraine and Canada, November 2026.
_PROGRAM_BYTES, _CELL_BYTES = 400e6, 15_000.0
# Schedules that a study keeps at hand: a cell has some 200 bytes in each.
_CELLS_REMEMBERED, _MOST_REMEMBERED = 200_000, 100


def class_named(text: str) -> int | None:
    """Index into CLASS_NAMES of a class by its name or the first word of it; None: there is none."""
    word = text.strip().lower().replace(" ", "_").replace("-", "_")
    for names in (CLASS_NAMES, _SHORT_NAMES):
        if word in names:
            return names.index(word)
    return None


@dataclass(frozen=True, slots=True)
class Region:
    """Cells to be served: M H3 indices, their centres and their area in km2 (M,)."""

    name: str
    cells: tuple[str, ...]
    places: tuple[Place, ...]
    area_km2: Floats

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True, slots=True)
class Demand:
    """wanted_bps (M, 4) by class; barred uint8 (M,): 0, or a WhyDown: wanted there is not served.

    even         everybody wants the same of each square kilometre that may be served
    outside_bps  wanted by places that are in no cell of the region: not served either
    """

    wanted_bps: Floats
    barred: npt.NDArray[np.uint8]
    even: bool = False
    outside_bps: float = 0.0

    @property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """(M,) which cells may be served."""
        return np.asarray(self.barred == 0)

    @property
    def barred_bps(self) -> float:
        """Wanted where it may not be served."""
        return float(self.wanted_bps[~self.allowed].sum()) + self.outside_bps


def even_demand(region: Region, barred: npt.NDArray[np.uint8], bps_per_km2: float) -> Demand:
    """The same wanted by everybody of each square kilometre, barred or not."""
    wanted = np.zeros((len(region), len(CLASS_NAMES)))
    wanted[:, EVERYBODY] = bps_per_km2 * region.area_km2
    return Demand(wanted, barred, even=True)


@dataclass(frozen=True, slots=True)
class CapacityCase:
    """All that a capacity study is made from, read and resolved.

    ka_fraction  of what the links between gateways and satellites carry, 1 for all
    """

    catalogue: Catalogue
    region: Region
    demand: Demand
    gateways: tuple[Gateway, ...]
    radio: Radio
    user_antenna: AntennaModel
    gateway_antenna: AntennaModel
    rules: ScheduleRules
    disturbances: Disturbances = field(default_factory=Disturbances)
    slots: SlotClock = field(default_factory=SlotClock)
    earth: EarthOrientation | None = None
    ka_fraction: float = 1.0


@dataclass(frozen=True, slots=True)
class Hour:
    """One slot of a study: what could be had, and what was made of it."""

    at_us: int
    offer: Offer
    schedule: Schedule

    @property
    def served_bps(self) -> Floats:
        """(M,) over all classes."""
        return np.asarray(self.schedule.served_bps.sum(axis=1), dtype=np.float64)


def cells_under_a_beam(cells: int, cell_km2: float) -> float:
    """How many cells of a region a beam covers, about; of Ukraine at resolution 5 ten, at 7 five hundred."""
    return min(float(cells), max(_CONE_KM2 / cell_km2, 1.0))


def memory_bytes(cells: int, cell_km2: float) -> float:
    """What a study of so many cells takes, about: lists of neighbours grow with the square of finer cells."""
    near = min(float(cells), max(_NEAR_KM2 / cell_km2, 1.0)) * _NEAR_ENTRY_BYTES
    cones = _LOOKED_AT * cells_under_a_beam(cells, cell_km2) * _CONE_ENTRY_BYTES
    return _PROGRAM_BYTES + cells * (_CELL_BYTES + near + cones)


class CapacityStudy:
    """Holds what does not change between slots, so that many slots and many what-ifs cost little."""

    def __init__(self, case: CapacityCase) -> None:
        self.case = case
        self._ground = _Ground(case)
        self._propagator = Propagator(case.catalogue)
        users = self._ground.users
        self._arrays = case.radio.system.arrays_of(case.catalogue.name)
        self._memory = Memory(max(min(_CELLS_REMEMBERED // len(case.region), _MOST_REMEMBERED), 2))
        self._scheduler = BeamScheduler(users.position_ecef_m, STUDY_REMAKES, self._memory)
        self.cells = Cells(users.position_ecef_m, case.demand.wanted_bps, case.demand.barred)

    @cached_property
    def _ground_without_arc(self) -> _Ground:
        # Looked for only where somebody asks what the arc takes away.
        case = self.case
        return _Ground(
            replace(
                case,
                user_antenna=replace(case.user_antenna, arc_separation_deg=0.0),
                gateway_antenna=replace(case.gateway_antenna, arc_separation_deg=0.0),
            )
        )

    def offer(self, at_us: int, arc: bool = True) -> Offer:
        """What the slot that begins at `at_us` has to give; arc False: as if no arc were kept clear."""
        half_us = self.case.slots.length_us // 2
        edges = np.array([at_us, at_us + half_us, at_us + 2 * half_us], dtype=np.int64)
        positions = self._propagator.ephemeris(edges, frame="itrs", earth=self.case.earth).position_ecef_m
        ground = self._ground if arc else self._ground_without_arc
        offer = ground.supply.offer(
            SlotGeometry(
                at_us,
                positions[1],
                ground.user_finder.find(positions),
                ground.gateway_finder.find(positions),
                self._arrays,
            )
        )
        feeders = offer.gateways.feeders_bps() * self.case.ka_fraction
        return replace(offer, gateways=replace(offer.gateways, pair_feeder_bps=feeders))

    def schedule(
        self, offer: Offer, rules: ScheduleRules | None = None, wanted_bps: Floats | None = None
    ) -> Schedule:
        """The schedule of an offer, which a caller may have changed. wanted_bps (M, 4); None: the case's."""
        asked_bps = self.cells.wanted_bps if wanted_bps is None else wanted_bps
        rules = rules or self.case.rules
        if only_class(asked_bps) is None:
            return self._scheduled(offer, asked_bps, rules)
        found = self._scheduled(offer, *in_steps(asked_bps, rules, FIRST_ENDS))
        ends = ends_about(found, asked_bps)
        if ends is not None:
            found = self._scheduled(offer, *in_steps(asked_bps, rules, ends))
        return as_asked(found, asked_bps, rules.floor_fraction)

    def _scheduled(self, offer: Offer, wanted_bps: Floats, rules: ScheduleRules) -> Schedule:
        return self._scheduler.schedule(offer.slot(replace(self.cells, wanted_bps=wanted_bps), rules))

    def hours(self, slot_starts_us: Sequence[int]) -> Iterator[Hour]:
        """One result for each slot; slots know nothing of one another, for they lie far apart."""
        for at_us in slot_starts_us:
            offer = self.offer(at_us)
            yield Hour(at_us, offer, self.schedule(offer))


class _Ground:
    """Cells and gateways as sites, with what finds their satellites and what their links carry."""

    def __init__(self, case: CapacityCase) -> None:
        self.users = sites_of(case.region.places, [case.user_antenna] * len(case.region))
        gateways = sites_of([g.place for g in case.gateways], [_model(case, g) for g in case.gateways])
        antennas = np.array([g.antennas for g in case.gateways], dtype=np.int32)
        self.supply = Supply(self.users, gateways, antennas, case.radio, case.disturbances)
        self.user_finder, self.gateway_finder = UsableFinder(self.users), UsableFinder(gateways)


def _model(case: CapacityCase, gateway: Gateway) -> AntennaModel:
    return replace(case.gateway_antenna, minimum_elevation_deg=gateway.minimum_elevation_deg)
