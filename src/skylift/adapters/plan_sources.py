"""What `skylift plan` reads: region, catalogue, gateways, system, weather; resolved into a CapacityCase."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h3
import numpy as np

from skylift.adapters.antennas import packaged_antenna
from skylift.adapters.catalogue_files import read_catalogue
from skylift.adapters.gateways_file import packaged_ground_segment, read_ground_segment, slug
from skylift.adapters.outlines import country_outline, read_outline
from skylift.adapters.packaged import constellation_preset
from skylift.adapters.radio_files import modcods_of, read_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.instants import SlotClock
from skylift.base.link import WhyDown
from skylift.base.places import Outline, cells_of
from skylift.base.units import US_PER_S
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.ground import Gateway
from skylift.sky.schedule.problem import CLASSES, ScheduleRules
from skylift.sky.schedule.supply import Radio
from skylift.study.capacity import CapacityCase, Demand, Region
from skylift.twin.build import sites_by_name
from skylift.twin.scenario import DEFAULT_GATEWAY_ANTENNA

DEFAULT_PRESET = "starlink-as-flown"
DEFAULT_SYSTEM = "starlink-2022"
EVERYBODY = CLASSES - 1


@dataclass(frozen=True, slots=True)
class PlanSources:
    """What a planner names. None and () stand for the packaged defaults.

    region   an ISO code, an English name, or a GeoJSON file
    at_us    start of the study; None: the middle of the catalogue's epochs
    """

    region: str
    catalogue: Path | None = None
    lenient: bool = False
    gateways: Path | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    system: str = DEFAULT_SYSTEM
    resolution: int = 5
    at_us: int | None = None
    demand_mbps_per_km2: float = 1.0
    rules: ScheduleRules | None = None


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """The case, when it begins, and what a reader of the result must know."""

    case: CapacityCase
    start_us: int
    notes: tuple[str, ...] = field(default=())


def load_plan(sources: PlanSources) -> PlanInputs:
    """Read and resolve. Raises Refused; writes nothing."""
    system = read_system(sources.system)
    radio = Radio(system, {name: modcods_of(link) for name, link in system.links.items()})
    down = system.link("down")
    catalogue, notes = _catalogue(sources)
    at_us = int(np.median(catalogue.epoch_us)) if sources.at_us is None else sources.at_us
    start_us = int(SlotClock().start(at_us))
    region = _region(sources)
    rules = sources.rules or ScheduleRules(channels=down.channels)
    wanted = np.zeros((len(region), CLASSES))
    wanted[:, EVERYBODY] = sources.demand_mbps_per_km2 * 1e6 * region.area_km2
    case = CapacityCase(
        catalogue=catalogue,
        region=region,
        demand=Demand(wanted, np.full(len(region), WhyDown.UP, dtype=np.uint8)),
        gateways=_gateways(sources, start_us, notes),
        radio=radio,
        user_antenna=replace(
            packaged_antenna(down.ground_antenna), minimum_elevation_deg=system.minimum_elevation_deg
        ),
        gateway_antenna=packaged_antenna(DEFAULT_GATEWAY_ANTENNA),
        rules=rules,
    )
    return PlanInputs(case, start_us, tuple(notes))


def hourly(start_us: int, hours: int) -> list[int]:
    """The first slots of so many hours, one after the other."""
    return [int(SlotClock().start(start_us + hour * 3600 * US_PER_S)) for hour in range(hours)]


def _catalogue(sources: PlanSources) -> tuple[Catalogue, list[str]]:
    if sources.catalogue is None:
        made = constellation_preset(DEFAULT_PRESET)
        return generate(made.shells, made.epoch_us or 0), [f"constellation: packaged {DEFAULT_PRESET}"]
    read = read_catalogue(sources.catalogue, sources.lenient)
    return read.catalogue, [f"{len(read.skipped)} bad records were skipped"] if read.skipped else []


def _region(sources: PlanSources) -> Region:
    outline = _outline(sources.region)
    cells = cells_of(outline, sources.resolution)
    if not cells:
        raise Refused(
            "plan.no-cells", outline.name, f"no cell of resolution {sources.resolution} has its centre in it",
            "take a finer --resolution",
        )  # fmt: skip
    return Region(
        name=outline.name,
        cells=tuple(cells),
        places=tuple(Place(*h3.cell_to_latlng(cell)) for cell in cells),
        area_km2=np.array([h3.cell_area(cell, unit="km^2") for cell in cells]),
    )


def _outline(region: str) -> Outline:
    if region.lower().endswith((".json", ".geojson")):
        return read_outline(Path(region))
    return country_outline(region)


def _gateways(sources: PlanSources, at_us: int, notes: list[str]) -> tuple[Gateway, ...]:
    if sources.gateways is None:
        ground = packaged_ground_segment(at_us)
    else:
        ground = read_ground_segment(sources.gateways, at_us)
        notes += [f"{sources.gateways.name}: {n} sites left out: {why}" for why, n in ground.skipped]
        notes += ground.notes
    chosen = resolve_gateways(ground.gateways, sources.only, "--gateway") or set(range(len(ground.gateways)))
    chosen -= resolve_gateways(ground.gateways, sources.without, "--without")
    return tuple(g for i, g in enumerate(ground.gateways) if i in chosen)


def resolve_gateways(gateways: Sequence[Gateway], names: Sequence[str], option: str) -> set[int]:
    """Indices of gateways by id, name or town. Raises Refused with the near names."""
    index = sites_by_name(gateways)
    found = set()
    for name in names:
        key = slug(name)
        if key not in index:
            near = difflib.get_close_matches(key, index, n=3, cutoff=0.5)
            raise Refused(
                "plan.unknown-gateway",
                f"{option} {name!r}" if len(name) <= 60 else option,
                "there is no gateway of this name among those in operation then",
                f"did you mean {' or '.join(near)}?" if near else "skylift gateways lists them",
            )
        found.add(index[key])
    return found
