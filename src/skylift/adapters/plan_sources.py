"""What `skylift plan` reads: region, catalogue, gateways, system, weather; resolved into a CapacityCase.

inputs = load_plan(PlanSources("UA", only=("Wola Krobowska, Poland",)))
result = bearing(inputs.case, hourly(inputs.start_us, 24))
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h3
import numpy as np

from skylift.adapters.antennas import packaged_antenna
from skylift.adapters.catalogue_files import read_catalogue
from skylift.adapters.gateways_file import packaged_ground_segment, read_ground_segment, slug
from skylift.adapters.outlines import country_outline, packaged_area, read_outline
from skylift.adapters.packaged import constellation_preset
from skylift.adapters.plan_demand import read_demand
from skylift.adapters.plan_disturbances import disturbed, without_effect
from skylift.adapters.radio_files import modcods_of, read_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.instants import SlotClock, format_instant, parse_instant
from skylift.base.link import WhyDown
from skylift.base.places import (
    DEFAULT_RESOLUTION,
    FINEST_RESOLUTION,
    Outline,
    cells_area_km2,
    cells_of,
    contains,
)
from skylift.base.units import US_PER_DAY, US_PER_S, WGS72_A_M, WGS72_MU_M3_PER_S2
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.walker import generate
from skylift.sky.radio.generations import generation_of
from skylift.sky.radio.systems import RadioSystem
from skylift.sky.routing.ground import Gateway
from skylift.sky.schedule.problem import ScheduleRules
from skylift.sky.schedule.supply import Radio
from skylift.study.bearing import SATURATING_BPS_PER_KM2
from skylift.study.capacity import EVERYBODY, CapacityCase, Demand, Region, even_demand, memory_bytes
from skylift.twin.build import sites_by_name
from skylift.twin.scenario import DEFAULT_GATEWAY_ANTENNA

__all__ = ["EVERYBODY", "PlanInputs", "PlanSources", "hourly", "load_plan", "resolve_gateways"]

DEFAULT_PRESET = "starlink-as-flown"
# The day of the elements that most of it was fitted to.
DEFAULT_START_US = parse_instant("2022-12-01T12:00:00Z")
# Most satellites in orbit were of the first kind until V2 mini outnumbered them; launches of these began in
# February 2023, and by 2024 hardly another kind was launched (planet4589.org, Starlink statistics).
FIRST_YEAR_OF_2026 = 2024
DEFAULT_SYSTEM = "starlink-2022"
LATER_SYSTEM = "starlink-2026"
# Whose satellites and gateways are packaged.
PACKAGED_OPERATOR = "Starlink"
# Twice Russia at the default resolution.
MOST_CELLS = 150_000
# What a study may take: a large workstation's memory, of which the rest is for others.
MOST_BYTES = 16e9
# How a file is named, and no country: with a folder, or with an ending.
_FILE = re.compile(r"/|\.[A-Za-z0-9]{2,8}$")
# Elements this old say where the planes are and no longer where in them the satellites are.
SHIFT_BEYOND_US = 7 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class PlanSources:
    """What a planner names. None and () stand for the packaged defaults.

    region   an ISO code, an English name, or a GeoJSON file
    system   a packaged radio system or a .toml; None: by the year of the study
    at_us    start of the study; None: the middle of the catalogue's epochs. If it is more than a week from
             that, all epochs are shifted by one constant, and a note says so
    demand   CSV: cell, or latitude_deg and longitude_deg; wanted_mbps; class. None: the same everywhere
    left_out a packaged area or a GeoJSON file in which service is not allowed
    beams    of a satellite in each polarisation it uses; antennas: of each gateway; None: as the files say
    hours    how long the study goes on: whether rain or jamming falls in it at all is told
    """

    region: str
    catalogue: Path | None = None
    lenient: bool = False
    gateways: Path | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    system: str | None = None
    resolution: int = 5
    at_us: int | None = None
    demand_mbps_per_km2: float = SATURATING_BPS_PER_KM2 / 1e6
    rules: ScheduleRules | None = None
    demand: Path | None = None
    left_out: str | None = None
    rain: Path | None = None
    jam: Path | None = None
    beams: int | None = None
    antennas: int | None = None
    ka_fraction: float = 1.0
    hours: int = 24


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """The case, when it begins, and what a reader of the result must know.

    doubts  those of the notes after which one may not want to wait for the result
    """

    case: CapacityCase
    start_us: int
    notes: tuple[str, ...] = field(default=())
    system: str = DEFAULT_SYSTEM
    outline: Outline | None = None
    doubts: tuple[str, ...] = ()


def load_plan(sources: PlanSources) -> PlanInputs:
    """Read and resolve. Raises Refused; writes nothing."""
    notes: list[str] = []
    outline = _outline(sources.region)
    region = _region(outline, sources.resolution)
    catalogue, start_us = _catalogue(sources, notes)
    name = sources.system or _system_of(start_us)
    system = _with_beams(read_system(name), sources.beams)
    radio = Radio(system, {name: modcods_of(link) for name, link in system.links.items()})
    down = system.link("down")
    doubts = _doubts(sources, catalogue, system, name)
    doubts += without_effect(sources.rain, sources.jam, hourly(start_us, sources.hours))
    notes += doubts
    gateways = _with_antennas(_gateways(sources, start_us, notes), sources.antennas)
    user_antenna = replace(
        packaged_antenna(down.ground_antenna), minimum_elevation_deg=system.minimum_elevation_deg
    )
    case = CapacityCase(
        catalogue=catalogue,
        region=region,
        demand=_demand(sources, region, notes),
        gateways=gateways,
        radio=radio,
        user_antenna=user_antenna,
        gateway_antenna=packaged_antenna(DEFAULT_GATEWAY_ANTENNA),
        rules=_rules(sources, down.channels),
        ka_fraction=_amount("--ka-fraction", sources.ka_fraction, 0.0, 100.0),
    )
    notes += later_generations(system, catalogue)
    notes.append(alone(region.name))
    case = disturbed(case, sources.rain, sources.jam)
    return PlanInputs(case, start_us, tuple(notes), name, outline, tuple(doubts))


def later_generations(system: RadioSystem, catalogue: Catalogue) -> list[str]:
    """A note on each generation that the catalogue's names tell, for its number of beams is a guess."""
    of = generation_of(system.generations, catalogue.name)
    counts = [(one, int((of == i).sum())) for i, one in enumerate(system.generations)]
    return [
        f"{count:,} of {len(catalogue):,} satellites are {one.name} by their names: {one.arrays} "
        f"array{'s' if one.arrays > 1 else ''} of beams each, as {system.name} {system.year} has it"
        for one, count in counts
        if count
    ]


def alone(served: str) -> str:
    """The note that others would take their part."""
    return f"nobody but {served} is served: neighbours would take their part of satellites"


def hourly(start_us: int, hours: int) -> list[int]:
    """The first slots of so many hours, one after the other."""
    return [int(SlotClock().start(start_us + hour * 3600 * US_PER_S)) for hour in range(hours)]


def _amount(option: str, value: float, least: float, most: float) -> float:
    # Written so that nan fails as well.
    if not (math.isfinite(value) and least <= value <= most):
        raise Refused("plan.amount", option, f"it is a number from {least:g} to {most:g}", "correct it")
    return value


def _rules(sources: PlanSources, channels: int) -> ScheduleRules:
    # Rules of the caller's own come from flags; the channels are the system's.
    return replace(sources.rules, channels=channels) if sources.rules else ScheduleRules(channels=channels)


def _with_beams(system: RadioSystem, beams: int | None) -> RadioSystem:
    if beams is None:
        return system
    most = system.link("down").channels
    if not 0 <= beams <= most:
        raise Refused(
            "plan.beams",
            "--beams",
            f"a polarisation has 0 to {most} beams, one for each channel",
            "correct it",
        )
    first, second = (beams if n else 0 for n in system.beams_per_polarisation)
    return replace(system, beams_per_polarisation=(first, second))


def _with_antennas(gateways: tuple[Gateway, ...], antennas: int | None) -> tuple[Gateway, ...]:
    if antennas is None:
        return gateways
    if not 0 <= antennas <= 1000:
        raise Refused("plan.antennas", "--antennas-per-gateway", "a gateway has 0 to 1,000", "correct it")
    return tuple(replace(g, antennas=antennas) for g in gateways)


def _system_of(start_us: int) -> str:
    return LATER_SYSTEM if int(format_instant(start_us)[:4]) >= FIRST_YEAR_OF_2026 else DEFAULT_SYSTEM


def _doubts(sources: PlanSources, catalogue: Catalogue, system: RadioSystem, name: str) -> list[str]:
    """What fits badly together: packaged things of another operator, satellites at another altitude."""
    doubts = []
    if system.name != PACKAGED_OPERATOR:
        packaged = [
            (sources.catalogue, "satellites", "--catalogue"),
            (sources.gateways, "gateways", "--gateways"),
        ]
        doubts += [
            f"the packaged {what} are {PACKAGED_OPERATOR}'s: give those of {system.name} with {option}"
            for given, what, option in packaged
            if given is None
        ]
    axis_m = np.cbrt(WGS72_MU_M3_PER_S2 / np.median(catalogue.mean_motion_rad_per_s) ** 2)
    flown_km = float(axis_m - WGS72_A_M) / 1e3
    meant_km = system.link("down").altitude_m / 1e3
    if not 2 / 3 <= flown_km / meant_km <= 3 / 2:
        doubts.append(
            f"the catalogue's satellites fly at {flown_km:,.0f} km and {name} is for {meant_km:,.0f} km: "
            "is it the right --system?"
        )
    return doubts


def _catalogue(sources: PlanSources, notes: list[str]) -> tuple[Catalogue, int]:
    """The catalogue, its epochs shifted if need be, and the slot in which the study begins."""
    if sources.catalogue is None:
        made = constellation_preset(DEFAULT_PRESET)
        begins_us = made.epoch_us if made.epoch_us is not None else (sources.at_us or DEFAULT_START_US)
        catalogue = generate(made.shells, begins_us)
        later = abs(begins_us - DEFAULT_START_US) > SHIFT_BEYOND_US
        moved = f", as they flew in December 2022, moved to {format_instant(begins_us)[:10]}" if later else ""
        notes.append(f"constellation: packaged {DEFAULT_PRESET}, {len(catalogue):,} satellites{moved}")
    else:
        read = read_catalogue(sources.catalogue, sources.lenient)
        catalogue = read.catalogue
        if read.skipped:
            notes.append(f"{len(read.skipped)} bad records were skipped")
    middle_us = int(np.median(catalogue.epoch_us))
    at_us = middle_us if sources.at_us is None else sources.at_us
    if abs(at_us - middle_us) > SHIFT_BEYOND_US:
        catalogue = catalogue.shifted(at_us - middle_us)
        days = (at_us - middle_us) / US_PER_DAY
        notes.append(
            f"all epochs of the catalogue shifted by {days:+.2f} days: the grid as it was, not who was where"
        )
    return catalogue, int(SlotClock().start(at_us))


def _region(outline: Outline, resolution: int) -> Region:
    # Cells are counted before they are made: a country has millions of fine ones.
    finer = max(min(resolution, FINEST_RESOLUTION) - DEFAULT_RESOLUTION, 0)
    about = len(cells_of(outline, DEFAULT_RESOLUTION)) * 7**finer if finer else 0
    if about > MOST_CELLS and resolution <= FINEST_RESOLUTION:
        raise Refused(
            "plan.too-many-cells", outline.name,
            f"resolution {resolution} would give about {about:,} cells, and {MOST_CELLS:,} is the limit",
            "take a coarser --resolution",
        )  # fmt: skip
    fine = about > 0 and resolution <= FINEST_RESOLUTION
    bytes_ = memory_bytes(about, h3.average_hexagon_area(resolution, "km^2")) if fine else 0.0
    if bytes_ > MOST_BYTES:
        raise Refused(
            "plan.too-many-cells", outline.name,
            f"about {about:,} cells of resolution {resolution} would take {bytes_ / 1e9:,.0f} GB of memory, "
            f"and {MOST_BYTES / 1e9:,.0f} GB is the limit",
            "take a coarser --resolution",
        )  # fmt: skip
    cells = cells_of(outline, resolution)
    if not cells:
        raise Refused(
            "plan.no-cells", outline.name, f"no cell of resolution {resolution} has its centre in it",
            "take a finer --resolution",
        )  # fmt: skip
    return Region(
        name=outline.name,
        cells=tuple(cells),
        places=tuple(Place(*h3.cell_to_latlng(cell)) for cell in cells),
        area_km2=np.array([cells_area_km2([cell]) for cell in cells]),
    )


def _demand(sources: PlanSources, region: Region, notes: list[str]) -> Demand:
    barred = np.full(len(region), WhyDown.UP, dtype=np.uint8)
    if sources.left_out is not None:
        area = _left_out(sources.left_out)
        inside = [contains(area, p.latitude_deg, p.longitude_deg) for p in region.places]
        barred[inside] = WhyDown.REGION_NOT_ACTIVE
        notes.append(
            f"{int(np.sum(inside)):,} cells lie in {area.name}, where service is not allowed: "
            "what is wanted there is not served"
        )
    if sources.demand is not None:
        return read_demand(sources.demand, region, barred, sources.resolution, notes)
    density = _amount("--demand-mbps-per-km2", sources.demand_mbps_per_km2, 1e-6, 1e6)
    return even_demand(region, barred, density * 1e6)


def _left_out(area: str) -> Outline:
    _check_suffix(area, "--except")
    return read_outline(Path(area)) if _is_geojson(area) else packaged_area(area)


def _is_geojson(text: str) -> bool:
    return text.lower().endswith((".json", ".geojson"))


def _check_suffix(text: str, option: str) -> None:
    """Refuses a file of another kind, which would be looked for among names and not be found there."""
    if _is_geojson(text) or not (_FILE.search(text) or Path(text).is_file()):
        return
    raise Refused(
        "area.suffix",
        f"{option} {Path(text).name[:60]!r}",
        "a file of an area is GeoJSON, and ends in .geojson or .json",
        "rename it if it is GeoJSON; else save the area as such",
    )


def _outline(region: str) -> Outline:
    _check_suffix(region, "--region")
    return read_outline(Path(region)) if _is_geojson(region) else country_outline(region)


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


def resolve_gateways(
    gateways: Sequence[Gateway],
    names: Sequence[str],
    option: str,
    rule: str = "no gateway that is in operation then has this name",
    way_out: str = "skylift gateways lists them",
) -> set[int]:
    """Indices of gateways by id, name or town. Raises Refused with the near names."""
    index = {slug(g.name): i for i, g in enumerate(gateways)} | sites_by_name(gateways)
    found = set()
    for name in names:
        key = slug(name)
        if key not in index:
            near = _near(key, index)
            raise Refused(
                "plan.unknown-gateway",
                f"{option} {name!r}" if len(name) <= 60 else option,
                rule,
                f"did you mean {' or '.join(near)}?" if near else way_out,
            )
        found.add(index[key])
    return found


def _near(key: str, index: Mapping[str, int]) -> list[str]:
    """At most three, each by its fullest name: those with this in a name, or else those spelled like it."""
    holding = sorted((name for name in index if key and key in name), key=lambda name: (len(name), name))
    # A gateway has up to three names, so nine may be of three.
    names = holding or difflib.get_close_matches(key, index, n=9, cutoff=0.5)
    fullest: dict[int, str] = {}
    for name in names:
        fullest[index[name]] = max(fullest.get(index[name], ""), name, key=len)
    return list(fullest.values())[:3]
