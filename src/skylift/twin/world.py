"""All that does not change within a run: satellites, ground, terminals, and what happens when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from skylift.base.geodesy import Place
from skylift.base.ids import TerminalId
from skylift.base.instants import SlotClock
from skylift.base.link import WhyDown
from skylift.sky.coverage.sites import AntennaModel, Sites, sites_of
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.radio.atmosphere import AtmosphereMaps
from skylift.sky.radio.jam_field import JamField
from skylift.sky.radio.rain_field import RainCell
from skylift.sky.routing.delay import DelayTerms, fibre_us
from skylift.sky.routing.ground import Gateway, GroundSegment, Pop
from skylift.sky.routing.lasers import LaserRules
from skylift.sky.schedule.problem import ScheduleRules
from skylift.sky.schedule.supply import Radio

Floats = npt.NDArray[np.float64]

FOREVER_US = 2**62


# The last of the classes 1 to 4, in which everybody is who is nothing else.
EVERYBODY = 4


@dataclass(frozen=True, slots=True)
class Need:
    """What a terminal wants, and may have; it asks for the lesser of the two in each direction.

    wanted_*_bps  100 and 20 Mbit/s: what the FCC calls broadband since March 2024 (FCC 24-27)
    plan_*_bps    inf: no plan limits it
    priority      1 to 4, as in base.link.Ask
    obstructed_fraction  share of the time in which something before the dish breaks the signal
    """

    wanted_down_bps: float = 100e6
    wanted_up_bps: float = 20e6
    plan_down_bps: float = math.inf
    plan_up_bps: float = math.inf
    priority: int = EVERYBODY
    obstructed_fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Terminal:
    """A dish at a fixed place. `pop` is an index into the ground segment's PoPs."""

    id: TerminalId
    place: Place
    antenna: AntennaModel
    pop: int
    need: Need = Need()


@dataclass(frozen=True, slots=True)
class Period:
    """From `from_us` until just before `until_us`."""

    from_us: int = -FOREVER_US
    until_us: int = FOREVER_US

    def holds_at(self, at_us: int) -> bool:
        return self.from_us <= at_us < self.until_us

    def touches(self, start_us: int, end_us: int) -> bool:
        return self.from_us < end_us and self.until_us > start_us


@dataclass(frozen=True, slots=True)
class Failure:
    """What does not work for a while: indices of satellites, gateways, satellites whose lasers are off."""

    period: Period
    satellites: tuple[int, ...] = ()
    gateways: tuple[int, ...] = ()
    lasers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServicePeriod:
    """While it holds, the terminals named (by index) may be served."""

    period: Period
    terminals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What changes during a run. A terminal that no service period names is never served."""

    service: tuple[ServicePeriod, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class LaserPlan:
    """How satellites are linked: a fixed grid of neighbours (N, D), or None: matched as flown."""

    rules: LaserRules
    neighbour: npt.NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """How rates are reckoned.

    resolution  of the H3 cells in which terminals of one model of antenna share beams
    laser_bps   of one laser link in each direction. 100 Gbit/s sustained, 200 at most: SpaceX at SPIE
                Photonics West, January 2024, as reported by PCMag (31 Jan 2024)
    maps        of the air; None: losses are those of the system's links alone
    remakes     how often a crowded slot is tried in another way
    rain, jam   where and when it rains, and who disturbs the dishes and the satellites that serve them
    """

    radio: Radio
    rules: ScheduleRules
    resolution: int = 5
    laser_bps: float = 100e9
    remakes: int = 0
    maps: AtmosphereMaps | None = None
    rain: tuple[RainCell, ...] = ()
    jam: JamField = field(default_factory=JamField)


@dataclass(frozen=True, slots=True)
class World:
    """All that `look` and `choose` need besides the time.

    memory_us  hysteresis is forgotten at whole multiples of this (UTC), so that the state at any slot is
               a function of the scenario and the instant alone, whenever and wherever a run began
    capacity   None: rates are not modelled
    """

    catalogue: Catalogue
    terminals: tuple[Terminal, ...]
    ground: GroundSegment
    timeline: Timeline
    gateway_antenna: AntennaModel
    delay: DelayTerms
    policy: str = "sticky"
    lasers: LaserPlan | None = None
    earth: EarthOrientation | None = None
    capacity: CapacityPlan | None = None
    slots: SlotClock = field(default_factory=SlotClock)
    memory_us: int = 15 * 60 * 1_000_000

    def terminal_sites(self) -> Sites:
        return sites_of([t.place for t in self.terminals], [t.antenna for t in self.terminals])

    def gateway_sites(self) -> Sites:
        places = [g.place for g in self.ground.gateways]
        models = [
            _with_minimum_elevation(self.gateway_antenna, g.minimum_elevation_deg)
            for g in self.ground.gateways
        ]
        return sites_of(places, models)

    def fibre_us(self) -> npt.NDArray[np.float64]:
        """One-way microseconds of fibre from each gateway to each PoP, (G, P)."""
        return np.array(
            [[self._backhaul_us(g, p) for p in self.ground.pops] for g in self.ground.gateways]
        ).reshape(len(self.ground.gateways), len(self.ground.pops))

    def _backhaul_us(self, gateway: Gateway, pop: Pop) -> float:
        """Fibre to the PoP; other PoPs than the one a gateway is bound to are reached through that one."""
        first = next((p for p in self.ground.pops if p.id == gateway.pop), None)
        if first is None:
            return fibre_us(gateway.place, pop.place, self.delay)
        return fibre_us(gateway.place, first.place, self.delay) + fibre_us(first.place, pop.place, self.delay)

    def memory_start(self, at_us: int) -> int:
        """The first slot of the memory window in which the slot beginning at `at_us` lies."""
        window_us = at_us // self.memory_us * self.memory_us
        return self.slots.starts(window_us, window_us + self.memory_us)[0]


def _with_minimum_elevation(model: AntennaModel, minimum_elevation_deg: float) -> AntennaModel:
    return replace(model, minimum_elevation_deg=minimum_elevation_deg)


@dataclass(frozen=True, slots=True)
class Needs:
    """What all terminals want, as columns (M,).

    down_bps, up_bps     the lesser of what it wants and what its plan allows
    priority  1 to 4;  obstructed_fraction  0 to 1
    """

    down_bps: Floats
    up_bps: Floats
    priority: npt.NDArray[np.uint8]
    obstructed_fraction: Floats


def needs_of(terminals: Sequence[Terminal]) -> Needs:
    needs = [t.need for t in terminals]
    return Needs(
        down_bps=np.array([min(n.wanted_down_bps, n.plan_down_bps) for n in needs], dtype=np.float64),
        up_bps=np.array([min(n.wanted_up_bps, n.plan_up_bps) for n in needs], dtype=np.float64),
        priority=np.array([n.priority for n in needs], dtype=np.uint8),
        obstructed_fraction=np.array([n.obstructed_fraction for n in needs], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Asks:
    """base.link.Ask as columns (M,): `barred` is 0 where a terminal may be served, or the reason why not."""

    barred: npt.NDArray[np.uint8]
    needs: Needs


@dataclass(frozen=True, slots=True)
class Working:
    """What works in a slot: bool (N,), (G,), (N,). None: everything does."""

    satellites: npt.NDArray[np.bool_]
    gateways: npt.NDArray[np.bool_]
    lasers: npt.NDArray[np.bool_]


def asks_at(world: World, at_us: int, needs: Needs) -> Asks:
    """Service as it stands at the beginning of the slot: a change takes effect with the next slot."""
    barred = np.full(len(world.terminals), WhyDown.REGION_NOT_ACTIVE, dtype=np.uint8)
    for service in world.timeline.service:
        if service.period.holds_at(at_us):
            barred[list(service.terminals)] = WhyDown.UP
    return Asks(barred, needs)


def working_at(world: World, at_us: int) -> Working:
    """What works during the whole slot that begins at `at_us`."""
    satellites = np.ones(len(world.catalogue), dtype=np.bool_)
    lasers = np.ones(len(world.catalogue), dtype=np.bool_)
    gateways = np.ones(len(world.ground.gateways), dtype=np.bool_)
    for failure in world.timeline.failures:
        if failure.period.touches(at_us, at_us + world.slots.length_us):
            satellites[list(failure.satellites)] = False
            gateways[list(failure.gateways)] = False
            lasers[list(failure.lasers)] = False
    return Working(satellites, gateways, lasers & satellites)
