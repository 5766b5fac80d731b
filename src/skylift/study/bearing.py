"""One answer for a region: what it gets hour by hour, how many terminals that is, and what limits it.

result = bearing(case, hourly(start_us, 24))
result.served_bps, result.mbps_per_km2, result.terminals_at(5.0), result.limited_by["beams"]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import h3
import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Floats
from skylift.sky.schedule.supply import Offer
from skylift.study.capacity import CapacityCase, CapacityStudy, Hour, even_demand
from skylift.study.less import most_served
from skylift.study.limits import RESOURCES, lifted

# More than there is, so that what is served is what the region can bear: eight channels in both
# polarisations, lit all the time over a cell of 253 km2, are 51 Mbit/s/km2, and whole countries get 0.1 to 2.
SATURATING_BPS_PER_KM2 = 100e6
# Slots are asked what limits them so often that cells, slots asked, come to this; at least every fourth. In
# regions of some hundred cells that takes less time than the rest. A mean over every fourth of 24 slots is
# within 2 % of what is served of Ukraine and Moldova, 8 to 16 % of Lithuania, Estonia and Luxembourg (2022).
_CELLS_ASKED, _LEAST_OFTEN = 15_000, 4
# Rates a planner asks for, Mbit/s.
TERMINAL_MBPS = (1, 2, 5, 10, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class HourTally:
    """One slot in numbers. Fractions of what the tracked satellites have; nan where none is tracked.

    satellites_in_reach   seen by any gateway and by any cell that may be served, for the whole slot
    cells_without_service allowed, wanting something, and given nothing
    least_fraction        served/wanted of the worst-off cell that wants something
    """

    at_us: int
    served_bps: float
    cells_without_service: int
    least_fraction: float
    satellites_in_reach: int
    satellites_tracked: int
    beams_used_fraction: float
    ka_used_fraction: float


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """H slots, M cells, G gateways.

    cell_served_bps   (H, M)
    class_served_bps  (H, 4)
    gateway_satellites, gateway_served_bps  (G,) means over the slots
    limited_by        by how much the mean over `limited_at` rises with each resource lifted, bps; 0 where
                      the schedule, which is greedy, would make less of more: then the one of before stands
    limited_at        indices of the slots that were scheduled anew for it
    bearable_bps      (H', M): what each cell gets where everybody asks for more than there is
    """

    case: CapacityCase
    hours: tuple[HourTally, ...]
    cell_served_bps: Floats
    class_served_bps: Floats
    gateway_satellites: Floats
    gateway_served_bps: Floats
    bearable_bps: Floats
    limited_by: Mapping[str, float] = field(default_factory=dict)
    limited_at: tuple[int, ...] = ()

    @property
    def served_bps(self) -> float:
        """Mean over the slots."""
        return float(self.cell_served_bps.sum(axis=1).mean())

    @property
    def least_served_bps(self) -> float:
        return float(self.cell_served_bps.sum(axis=1).min())

    @property
    def demand_bps(self) -> float:
        """All that is wanted, where it may be served and where not."""
        demand = self.case.demand
        return float(demand.wanted_bps.sum()) + demand.outside_bps

    @property
    def allowed_km2(self) -> float:
        """The area in which service is allowed: what mbps_per_km2 is over."""
        return float(self.case.region.area_km2[self.case.demand.allowed].sum())

    @property
    def mbps_per_km2(self) -> float:
        return self.served_bps / 1e6 / self.allowed_km2 if self.allowed_km2 else 0.0

    def terminals_at(self, mbps: float) -> int:
        """How many terminals could get so much each at the same time, in the slot that can bear least.

        They stand where the region's even share of the rate lies (`bearable_bps`). Beam time moves freely
        between neighbours, so whole terminals are counted in groups of about seven cells (the parents in H3),
        not cell by cell.
        """
        region = self.case.region
        parents = [h3.cell_to_parent(c, max(h3.get_resolution(c) - 1, 0)) for c in region.cells]
        _, group = np.unique(parents, return_inverse=True)
        least = self.bearable_bps[self.bearable_bps.sum(axis=1).argmin()]
        sums = np.bincount(group.reshape(-1), weights=least)
        # A billionth: what is 5 Mbit/s but for rounding is one terminal at 5 Mbit/s.
        return int(np.floor(sums / (mbps * 1e6) + 1e-9).sum())

    def duration_mbps_per_km2(self, fractions: Sequence[float]) -> Floats:
        """What at least such a share of cells and slots gets, by area: it falls as the share grows."""
        allowed = self.case.demand.allowed
        area = np.broadcast_to(self.case.region.area_km2[allowed], (len(self.hours), int(allowed.sum())))
        density = self.cell_served_bps[:, allowed] / 1e6 / area
        order = np.argsort(-density, axis=None, kind="stable")
        reached = np.cumsum(area.ravel()[order]) / area.sum()
        at = np.minimum(np.searchsorted(reached, np.asarray(fractions) - 1e-12), len(order) - 1)
        return np.asarray(density.ravel()[order][at])


def asked_slots(cells: int, slots: int, every: int | None = None) -> range:
    """Indices of the slots that are asked what limits them; every 0: none, None: as many as cost little."""
    if every is None:
        every = min(max(-(-cells * slots // _CELLS_ASKED), 1), _LEAST_OFTEN)
    return range(0, slots, every) if every else range(0)


def bearing(
    case: CapacityCase,
    slot_starts_us: Sequence[int],
    every: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CapacityResult:
    """Schedule each slot, and some once more for every resource lifted.

    every     each so many-th slot; 0: none. Without it each one of a small region, each fourth of a large
    progress  called with (schedules done, schedules in all)
    """
    study = CapacityStudy(case)
    again = tuple(asked_slots(len(case.region), len(slot_starts_us), every))
    counter = _Counter(len(slot_starts_us) + len(again) * len(RESOURCES), progress)
    served, classes, tallies, bearable = [], [], [], []
    satellites, through = np.zeros(len(case.gateways)), np.zeros(len(case.gateways))
    gains: dict[str, list[float]] = {resource: [] for resource in RESOURCES}
    for index, at_us in enumerate(slot_starts_us):
        offer = study.offer(at_us)
        hour = Hour(at_us, offer, most_served(study, offer))
        counter.step()
        served.append(hour.served_bps)
        classes.append(hour.schedule.served_bps.sum(axis=0))
        tallies.append(_tally(case, hour))
        tracked = hour.schedule.gateway_of
        satellites += np.bincount(tracked[tracked >= 0], minlength=len(case.gateways))
        np.add.at(through, hour.schedule.gateway, hour.schedule.rate_bps)
        if index in again or (not again and index == 0):
            bearable.append(_bearable(study, hour))
        for resource in RESOURCES if index in again else ():
            more = lifted(study, offer, resource).served_bps.sum() - hour.served_bps.sum()
            # What is possible with less is possible with more: at worst the schedule of before stands.
            gains[resource].append(max(float(more), 0.0))
            counter.step()
    count = max(len(tallies), 1)
    return CapacityResult(
        case=case,
        hours=tuple(tallies),
        cell_served_bps=np.array(served),
        class_served_bps=np.array(classes),
        gateway_satellites=satellites / count,
        gateway_served_bps=through / count,
        bearable_bps=np.array(served) if _saturated(case, served) else np.array(bearable),
        limited_by={r: float(np.mean(g)) for r, g in gains.items()} if again else {},
        limited_at=again,
    )


class _Counter:
    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def step(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)


def _saturated(case: CapacityCase, served: Sequence[Floats]) -> bool:
    """Whether what is served is all there is: all want the same, and too much of it or more than they get."""
    demand, allowed = case.demand, case.demand.allowed
    wanted = demand.wanted_bps.sum(axis=1)[allowed]
    too_much = bool((wanted >= SATURATING_BPS_PER_KM2 * case.region.area_km2[allowed] * 0.999).all())
    return demand.even and (too_much or all(bool((got[allowed] < 0.999 * wanted).all()) for got in served))


def _bearable(study: CapacityStudy, hour: Hour) -> Floats:
    case = study.case
    if _saturated(case, [hour.served_bps]):
        return hour.served_bps
    most = even_demand(case.region, case.demand.barred, SATURATING_BPS_PER_KM2)
    return np.asarray(most_served(study, hour.offer, most.wanted_bps).served_bps.sum(axis=1))


def _tally(case: CapacityCase, hour: Hour) -> HourTally:
    schedule, offer, served = hour.schedule, hour.offer, hour.served_bps
    wanted = case.demand.wanted_bps.sum(axis=1)
    asks = case.demand.allowed & (wanted > 0)
    tracked = schedule.gateway_of >= 0
    seen_up = np.zeros(len(tracked), dtype=np.bool_)
    seen_up[offer.gateways.satellite] = True
    cell = np.repeat(np.arange(len(case.region)), np.diff(offer.pairs.offset))
    seen_down = np.zeros(len(tracked), dtype=np.bool_)
    seen_down[offer.pairs.satellite[asks[cell]]] = True
    return HourTally(
        at_us=hour.at_us,
        served_bps=float(served.sum()),
        cells_without_service=int((asks & (served <= 0.0)).sum()),
        least_fraction=float((served[asks] / wanted[asks]).min()) if asks.any() else 1.0,
        satellites_in_reach=int((seen_up & seen_down).sum()),
        satellites_tracked=int(tracked.sum()),
        beams_used_fraction=_fraction(
            schedule.share_fraction.sum(), offer.satellites.all_beams()[tracked].sum()
        ),
        ka_used_fraction=_fraction(schedule.rate_bps.sum(), _feeders_bps(offer, schedule.gateway_of)),
    )


def _fraction(used: float, there: float) -> float:
    return float(used / there) if there > 0 else float("nan")


def _feeders_bps(offer: Offer, gateway_of: npt.NDArray[np.int32]) -> float:
    """What the feeders of all tracked satellites carry together."""
    gateway = np.repeat(np.arange(len(offer.gateways)), np.diff(offer.gateways.offset))
    in_use = gateway_of[offer.gateways.satellite] == gateway
    return float(offer.gateways.feeders_bps()[in_use].sum())
