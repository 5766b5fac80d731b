"""From a scenario's names to a world: everything is looked up, checked and turned into indices here."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place, great_circle_m, place_to_ecef_m
from skylift.base.ids import TerminalId
from skylift.base.randomness import random_stream
from skylift.base.strict import StrictTable
from skylift.base.units import EARTH_MEAN_RADIUS_M, RAD_PER_DEG, WGS72_MU_M3_PER_S2
from skylift.sky.coverage.sites import AntennaModel
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.radio.atmosphere import AtmosphereMaps
from skylift.sky.radio.atmosphere_air import LEAST_ELEVATION_RAD
from skylift.sky.radio.jam_field import Against, JamField, checked_channel
from skylift.sky.radio.rain_field import RainCell
from skylift.sky.routing.delay import DelayTerms
from skylift.sky.routing.ground import Gateway, GroundSegment, Pop
from skylift.sky.routing.lasers import LaserRules
from skylift.sky.schedule.supply import Radio
from skylift.twin.scenario import FailurePlan, FleetPlan, Scenario, TerminalPlan
from skylift.twin.world import (
    CapacityPlan,
    Failure,
    LaserPlan,
    Period,
    ServicePeriod,
    Terminal,
    Timeline,
    World,
)

T = TypeVar("T")

# Is this place inside that region of the scenario? A whole function, so that outlines stay with adapters.
Inside = Callable[[str, Place], bool]
# Rectangles that together cover a region: south, west, north, east in degrees. They may overlap.
Bounds = Callable[[str], Sequence[tuple[float, float, float, float]]]

# So many places in a row outside a region, and it is taken to be empty.
MOST_MISSES = 20_000


@dataclass(frozen=True, slots=True)
class CapacityParts:
    """What adapters have read for a scenario with rates."""

    radio: Radio
    maps: AtmosphereMaps | None = None
    rain: tuple[RainCell, ...] = ()
    jam: JamField = field(default_factory=JamField)


@dataclass(frozen=True, slots=True)
class Parts:
    """What adapters have read for a scenario.

    neighbour  int32 (N, 4) of a generated constellation's +grid, None where there is none
    inside     with a margin, as outlines are coarse; strictly_inside without: nobody is put into the sea,
               or over a border, where places are drawn at random
    """

    catalogue: Catalogue
    neighbour: npt.NDArray[np.int32] | None
    ground: GroundSegment
    antennas: Mapping[str, AntennaModel]
    inside: Inside
    strictly_inside: Inside
    bounds: Bounds
    earth: EarthOrientation | None = None
    capacity: CapacityParts | None = None


def build_world(scenario: Scenario, parts: Parts) -> tuple[World, tuple[str, ...]]:
    """The world of a scenario, and what its reader should be warned of. Raises Refused."""
    catalogue = _shifted(scenario, parts.catalogue)
    ground = _ground(scenario, parts.ground)
    terminals = _terminals(scenario, parts, ground)
    world = World(
        catalogue=catalogue,
        terminals=terminals,
        ground=ground,
        timeline=Timeline(
            service=tuple(
                ServicePeriod(
                    s.period, tuple(i for i, t in enumerate(terminals) if parts.inside(s.region, t.place))
                )
                for s in scenario.service
            ),
            failures=(*(_failure(f, catalogue, ground) for f in scenario.failures), *_without_lasers(parts)),
        ),
        gateway_antenna=_named(parts.antennas, scenario.ground.antenna, "antenna", scenario.root, "ground"),
        delay=replace(DelayTerms(), **scenario.delay_numbers),
        policy=scenario.policy,
        lasers=_lasers(scenario, parts),
        earth=parts.earth,
        capacity=_capacity(scenario, parts, terminals, ground),
        memory_us=scenario.memory_us,
    )
    return world, (*_reach_warnings(scenario, world), *_service_warnings(world), *_policy_warnings(world))


def _shifted(scenario: Scenario, catalogue: Catalogue) -> Catalogue:
    if not scenario.shift_to_start:
        return catalogue
    # The median, because a few stale element sets must not drag all others with them.
    middle_us = int(np.sort(catalogue.epoch_us)[len(catalogue) // 2])
    return catalogue.shifted(scenario.start_us - middle_us)


def _named(known: Mapping[str, T], name: str, kind: str, table: StrictTable, key: str) -> T:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)
        options = ", ".join(near or sorted(known)[:10])
        more = "; `skylift gateways` lists all" if kind in ("gateway", "PoP") else ""
        raise table.refused(key, f"there is no {kind} {name!r}", f"take one of: {options}{more}")
    return known[name]


def sites_by_name(sites: Iterable[Gateway | Pop]) -> dict[str, int]:
    """Indices by id, and by town where only one has it: another list may call Kaunas "kaunas-lithuania"."""
    listed = [(str(site.id), _town(site.name.partition(",")[0])) for site in sites]
    towns = Counter(town for _, town in listed)
    by_town = {town: i for i, (_, town) in enumerate(listed) if towns[town] == 1}
    return by_town | {name: i for i, (name, _) in enumerate(listed)}


def _town(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _ground(scenario: Scenario, ground: GroundSegment) -> GroundSegment:
    plan = scenario.ground
    index = sites_by_name(ground.gateways)

    def named(names: Sequence[str]) -> set[int]:
        return {_named(index, name, "gateway", scenario.root, "ground") for name in names}

    only, without = named(plan.only), named(plan.without)
    chosen: Iterable[Gateway] = (
        g for i, g in enumerate(ground.gateways) if (not only or i in only) and i not in without
    )
    if plan.minimum_elevation_deg is not None:
        chosen = (replace(g, minimum_elevation_deg=plan.minimum_elevation_deg) for g in chosen)
    if plan.antennas_per_gateway is not None:
        chosen = (replace(g, antennas=plan.antennas_per_gateway) for g in chosen)
    ground = replace(ground, gateways=tuple(chosen))
    if not ground.gateways or not ground.pops:
        what = "PoP" if ground.gateways else "gateway"
        raise scenario.root.refused(
            "ground", f"the scenario is left with no {what}", "name at least one", "reach"
        )
    return ground


def _terminals(scenario: Scenario, parts: Parts, ground: GroundSegment) -> tuple[Terminal, ...]:
    pops = sites_by_name(ground.pops)
    places_m = np.array([place_to_ecef_m(p.place) for p in ground.pops])
    placed: list[tuple[str, Place, TerminalPlan | FleetPlan]] = []
    for t in scenario.terminals:
        if t.region is not None:
            _check_inside(scenario, t.id, t.place, t.region, parts.inside)
        placed.append((t.id, t.place, t))
    for f in scenario.fleets:
        places = _scattered(
            scenario.seed, f.id, f.count, partial(parts.strictly_inside, f.region), parts.bounds(f.region)
        )
        digits = len(str(f.count))
        placed += [(f"{f.id}-{i + 1:0{digits}}", place, f) for i, place in enumerate(places)]
    twice = [name for name, count in Counter(name for name, *_ in placed).items() if count > 1]
    if twice:
        raise scenario.root.refused(
            "fleet", f"the id {twice[0]!r} stands at two terminals", "rename the fleet or the terminal"
        )
    return tuple(
        Terminal(
            TerminalId(name),
            place,
            _antenna(parts, plan),
            _nearest(place, places_m)
            if plan.pop is None
            else _named(pops, plan.pop, "PoP", plan.line, "pop"),
            plan.need,
        )
        for name, place, plan in placed
    )


def _antenna(parts: Parts, plan: TerminalPlan | FleetPlan) -> AntennaModel:
    """The plan's model, with what stands before this very dish."""
    model = _named(parts.antennas, plan.antenna, "antenna", plan.line, "antenna")
    own = plan.horizon_mask if isinstance(plan, TerminalPlan) else ()
    return replace(model, horizon_mask=own) if own else model


def _nearest(place: Place, places_m: npt.NDArray[np.float64]) -> int:
    """Which of the places (P, 3), Earth-fixed, is the nearest: straight through the Earth, to order them."""
    return int(np.argmin(np.linalg.norm(places_m - place_to_ecef_m(place), axis=1)))


def _check_inside(scenario: Scenario, name: str, place: Place, region: str, inside: Inside) -> None:
    if inside(region, place):
        return
    swapped = abs(place.longitude_deg) <= 90 and inside(
        region, Place(place.longitude_deg, place.latitude_deg)
    )
    raise Refused(
        "scenario.terminal_outside",
        f"{scenario.source}: terminal {name!r}",
        f"it lies outside its region {region!r}",
        "its latitude and longitude look swapped: exchange them"
        if swapped
        else "correct its place, or name the region it is in",
    )


def _scattered(
    seed: int,
    name: str,
    count: int,
    inside: Callable[[Place], bool],
    boxes: Sequence[tuple[float, float, float, float]],
) -> list[Place]:
    """`count` places, uniform over the region's area: uniform in longitude and in the sine of latitude.

    Each is drawn from one of the rectangles `boxes`, which for islands hold far less sea than one around all.
    """
    stream = random_stream(seed, f"fleet/{name}/places")
    south, west, north, east = np.array(boxes).T
    low, high = np.sin(south * RAD_PER_DEG), np.sin(north * RAD_PER_DEG)
    up_to = np.cumsum((high - low) * (east - west))
    found: list[Place] = []
    misses = 0
    while len(found) < count and misses < MOST_MISSES:
        misses += 1
        i = min(int(np.searchsorted(up_to, stream.uniform(0.0, up_to[-1]))), len(up_to) - 1)
        latitude = float(np.arcsin(stream.uniform(low[i], high[i])) / RAD_PER_DEG)
        longitude = float(stream.uniform(west[i], east[i]))
        # A place in three rectangles is drawn three times as often, so two of three are put back.
        covers = (south <= latitude) & (latitude <= north) & (west <= longitude) & (longitude <= east)
        kept = stream.uniform() * np.count_nonzero(covers) < 1.0
        place = Place(round(latitude, 5), round(longitude, 5))
        if kept and inside(place):
            found.append(place)
            misses = 0
    if len(found) < count:
        raise Refused(
            "scenario.fleet_region",
            f"fleet {name!r}",
            "its region is too small to find places in",
            "take a larger region, or leave less of it out",
        )
    return found


def _failure(plan: FailurePlan, catalogue: Catalogue, ground: GroundSegment) -> Failure:
    gateways = sites_by_name(ground.gateways)
    index = {int(n): i for i, n in enumerate(catalogue.norad)}

    def satellites(numbers: Sequence[int], key: str) -> tuple[int, ...]:
        for number in numbers:
            if number not in index:
                raise plan.line.refused(
                    key,
                    f"the catalogue has no object {number}",
                    "take a NORAD number from `skylift catalogue info`",
                )
        return tuple(index[number] for number in numbers)

    return Failure(
        plan.period,
        satellites=satellites(plan.satellites, "satellites"),
        gateways=tuple(_named(gateways, g, "gateway", plan.line, "gateways") for g in plan.gateways),
        lasers=satellites(plan.lasers_of, "lasers_of"),
    )


def _without_lasers(parts: Parts) -> tuple[Failure, ...]:
    """Satellites of generated shells without lasers never have any, also where lasers are matched."""
    if parts.neighbour is None:
        return ()
    bare = np.flatnonzero((parts.neighbour < 0).all(axis=1))
    return (Failure(Period(), lasers=tuple(int(i) for i in bare)),) if len(bare) else ()


def _lasers(scenario: Scenario, parts: Parts) -> LaserPlan | None:
    if scenario.laser_mode == "none":
        return None
    numbers = dict(scenario.laser_numbers)
    defaults = LaserRules()
    per_satellite = int(numbers.pop("per_satellite", defaults.per_satellite))
    rules = replace(defaults, per_satellite=per_satellite, **numbers)
    if scenario.laser_mode == "as-flown":
        return LaserPlan(rules)
    if parts.neighbour is None:
        raise scenario.root.refused(
            "links",
            "plus-grid lasers need a generated constellation with lasers; a catalogue has no regular grid",
            'write lasers = "as-flown" or "none", or take another preset',
        )
    return LaserPlan(rules, parts.neighbour)


def _capacity(
    scenario: Scenario, parts: Parts, terminals: Sequence[Terminal], ground: GroundSegment
) -> CapacityPlan | None:
    if scenario.capacity is None or parts.capacity is None:
        return None
    radio, jam = parts.capacity.radio, parts.capacity.jam
    # What would be refused in mid-run is refused here: directions that are missing, channels that are none.
    links = {Against.DOWNLINK: radio.system.link("down"), Against.UPLINK: radio.system.link("up")}
    radio.feeders()
    for jammer in jam.jammers:
        jammer.share_in_channels(links[jammer.against])
    for row in jam.rows:
        if row.channel is not None:
            checked_channel(row.channel, links[row.against])
    least_deg = LEAST_ELEVATION_RAD / RAD_PER_DEG
    sites = [(str(t.id), t.antenna.minimum_elevation_deg, "terminal") for t in terminals]
    sites += [(str(g.id), g.minimum_elevation_deg, "gateway") for g in ground.gateways]
    for name, elevation_deg, kind in sites:
        if elevation_deg < least_deg - 1e-9:
            raise scenario.root.refused(
                "capacity",
                f"{kind} {name} sees below {least_deg:.0f} degrees, where losses in the air are not modelled",
                "raise minimum_elevation_deg in [ground]" if kind == "gateway" else "take another antenna",
            )
    return CapacityPlan(
        radio=radio,
        rules=scenario.capacity.rules(radio.system.link("down").channels),
        resolution=scenario.capacity.resolution,
        laser_bps=scenario.laser_bps,
        remakes=scenario.capacity.remakes,
        maps=parts.capacity.maps,
        rain=parts.capacity.rain,
        jam=jam,
    )


def _reach_warnings(scenario: Scenario, world: World) -> tuple[str, ...]:
    """Refuse a bent-pipe scenario none of whose terminals can ever share a satellite with a gateway."""
    useful = [g for g in world.ground.gateways if g.antennas > 0]
    if world.ground.gateways and not useful:
        raise scenario.root.refused(
            "ground",
            "no gateway has an antenna",
            "raise antennas_per_gateway, or name other gateways",
            "reach",
        )
    if world.lasers is not None and useful:
        return ()
    orbit_m = _highest_m(world.catalogue)
    out_of_reach = [t for t in world.terminals if not any(_share(orbit_m, t, g) for g in useful)]
    if len(out_of_reach) == len(world.terminals):
        raise scenario.root.refused(
            "ground",
            "no gateway is in reach of any terminal by one satellite",
            "add a gateway nearer to them, or switch lasers on",
            "reach",
        )
    if out_of_reach:
        names = ", ".join(t.id for t in out_of_reach[:5])
        return (f"{len(out_of_reach)} terminals can never reach a gateway by one satellite: {names}",)
    return ()


def _service_warnings(world: World) -> tuple[str, ...]:
    """Who leaves out [[service]] gets a run in which nobody is ever served, and should be told why."""
    if any(service.terminals for service in world.timeline.service):
        return ()
    return ("no [[service]] covers any terminal: nobody is ever served",)


def _policy_warnings(world: World) -> tuple[str, ...]:
    if world.capacity is None or world.policy == "sticky":
        return ()
    return (f"links.policy {world.policy!r} is not asked: with [capacity] the beam schedule decides",)


def _highest_m(catalogue: Catalogue) -> float:
    """Distance from the Earth's centre of the highest apogee."""
    axis_m = (WGS72_MU_M3_PER_S2 / catalogue.mean_motion_rad_per_s**2) ** (1 / 3)
    return float((axis_m * (1.0 + catalogue.eccentricity)).max())


def _share(orbit_m: float, terminal: Terminal, gateway: Gateway) -> bool:
    """Whether one satellite as high as this can stand above both; in doubt, it can."""

    def half_angle(elevation_deg: float) -> float:
        elevation = elevation_deg * RAD_PER_DEG
        return float(np.arccos(EARTH_MEAN_RADIUS_M / orbit_m * np.cos(elevation)) - elevation)

    reach_rad = half_angle(terminal.antenna.minimum_elevation_deg) + half_angle(gateway.minimum_elevation_deg)
    # The Earth is no sphere: angles at its centre are off by up to 0.2 degrees at either end.
    return great_circle_m(terminal.place, gateway.place) <= (reach_rad + 0.007) * EARTH_MEAN_RADIUS_M
