"""What a region can bear: served and unserved demand by cell, hour by hour, and what limits it.

    study = CapacityStudy(case)
    for hour in study.hours(instants):
        hour.served_bps.sum(), hour.schedule.level
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
from skylift.sky.schedule.problem import Cells, Floats, Schedule, ScheduleRules
from skylift.sky.schedule.scheduler import BeamScheduler
from skylift.sky.schedule.supply import Disturbances, Offer, Radio, SlotGeometry, Supply


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
    """wanted_bps (M, 4) by class; barred uint8 (M,): 0, or a WhyDown: wanted there is not served."""

    wanted_bps: Floats
    barred: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CapacityCase:
    """All that a capacity study is made from, read and resolved."""

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


class CapacityStudy:
    """Holds what does not change between slots, so that many slots and many what-ifs cost little."""

    def __init__(self, case: CapacityCase) -> None:
        self.case = case
        users = sites_of(case.region.places, [case.user_antenna] * len(case.region))
        gateways = sites_of([g.place for g in case.gateways], [_model(case, g) for g in case.gateways])
        antennas = np.array([g.antennas for g in case.gateways], dtype=np.int32)
        self._supply = Supply(users, gateways, antennas, case.radio, case.disturbances)
        self._propagator = Propagator(case.catalogue)
        self._users, self._gateways = UsableFinder(users), UsableFinder(gateways)
        self._scheduler = BeamScheduler(users.position_ecef_m)
        self.cells = Cells(users.position_ecef_m, case.demand.wanted_bps, case.demand.barred)

    def offer(self, at_us: int) -> Offer:
        """What the slot that begins at `at_us` has to give."""
        half_us = self.case.slots.length_us // 2
        edges = np.array([at_us, at_us + half_us, at_us + 2 * half_us], dtype=np.int64)
        positions = self._propagator.ephemeris(edges, frame="itrs", earth=self.case.earth).position_ecef_m
        return self._supply.offer(
            SlotGeometry(at_us, positions[1], self._users.find(positions), self._gateways.find(positions))
        )

    def schedule(self, offer: Offer, rules: ScheduleRules | None = None) -> Schedule:
        """The schedule of an offer, which a caller may have changed."""
        return self._scheduler.schedule(offer.slot(self.cells, rules or self.case.rules))

    def hours(self, slot_starts_us: Sequence[int]) -> Iterator[Hour]:
        """One result for each slot; slots know nothing of one another, for they lie far apart."""
        for at_us in slot_starts_us:
            offer = self.offer(at_us)
            yield Hour(at_us, offer, self.schedule(offer))


def _model(case: CapacityCase, gateway: Gateway) -> AntennaModel:
    from dataclasses import replace

    return replace(case.gateway_antenna, minimum_elevation_deg=gateway.minimum_elevation_deg)
