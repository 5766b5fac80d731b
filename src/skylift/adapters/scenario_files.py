"""A scenario with all the files it names, as a world."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skylift import __version__
from skylift.adapters.antennas import packaged_antennas
from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.adapters.catalogue_files import read_catalogue, read_text
from skylift.adapters.earth_orientation_file import read_earth_orientation
from skylift.adapters.gateways_file import packaged_ground_segment, read_ground_segment
from skylift.adapters.outlines import country_of, country_outline, packaged_area, read_outline
from skylift.adapters.packaged import constellation_preset, packaged_bytes, packaged_text
from skylift.adapters.radio_files import modcods_of, read_system
from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.places import Outline, contains
from skylift.sky.orbit.age import refuse_stale, stale_elements
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.constellation import Constellation, constellation_from_toml
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.orbit.walker import generate
from skylift.sky.radio.jam_field import JamField, jam_field
from skylift.sky.radio.rain_field import RainCell, rain_field
from skylift.sky.routing.grid import LaserPattern, plus_grid
from skylift.sky.routing.ground import GroundSegment
from skylift.sky.schedule.supply import Radio
from skylift.twin.build import CapacityParts, Parts, build_world, sites_by_name
from skylift.twin.scenario import RegionPlan, Scenario, read_scenario, with_made_up
from skylift.twin.scenario_capacity import CapacityScenario
from skylift.twin.world import World

DEFAULT_SCENARIO = "scenarios/default.toml"
DEFAULT_PRESET = "starlink-as-flown"
# A terminal on the coast may stand outside a simplified outline; outlines are good to about this.
COAST_MARGIN_M = 5_000.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Files and switches of a run. scenario None: the packaged default.

    with_capacity  rates are asked for: a scenario without [capacity] gets the defaults
    made_up        so many terminals at random places of the first served region, instead of the scenario's
    policy         of which satellite a terminal takes, instead of the scenario's
    """

    scenario: Path | None = None
    catalogue: Path | None = None
    gateways: Path | None = None
    lenient: bool = False
    strict_epoch: bool = False
    earth_orientation: Path | None = None
    with_capacity: bool = False
    made_up: int = 0
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A world, and where it comes from.

    inputs       by role: the name, and the sha256 of the file or packaged table that was read
    files        that were read, where they lie: nothing may be written there
    fingerprint  one hash of all inputs and of skylift's version
    """

    world: World
    scenario: Scenario
    warnings: tuple[str, ...]
    inputs: dict[str, dict[str, str]]
    files: tuple[Path, ...] = ()

    @property
    def fingerprint(self) -> str:
        return _sha256(json.dumps([__version__, self.inputs], sort_keys=True).encode())


@dataclass(slots=True)
class _Reader:
    """Reads what a scenario names, relative to the scenario's own folder, and keeps book of it."""

    folder: Path
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def note_file(self, role: str, path: Path) -> Path:
        try:
            self.inputs[role] = {"name": path.name, "sha256": _sha256(path.read_bytes())}
        except OSError as error:
            raise Refused(
                f"{role}.unreadable",
                f"{role} {path}",
                f"it cannot be read ({error.strerror})",
                "check the path",
            ) from None
        self.files.append(path)
        return path

    def note_packaged(self, role: str, name: str) -> None:
        """`name` is a path under skylift/data."""
        self.inputs[role] = {"name": f"packaged {name}", "sha256": _sha256(packaged_bytes(name))}

    def beside(self, name: str) -> Path:
        return self.folder / name


def load_world(sources: Sources, default_start_us: int | None = None) -> Loaded:
    """Read a scenario and all that it names. Raises Refused; writes nothing.

    default_start_us  where given, the scenario need not have a start (a service on the wall clock)
    """
    if sources.scenario is None:
        reader = _Reader(Path())
        text, name = packaged_text(DEFAULT_SCENARIO), "the packaged scenario"
        reader.note_packaged("scenario", DEFAULT_SCENARIO)
    else:
        reader = _Reader(sources.scenario.parent)
        reader.note_file("scenario", sources.scenario)
        text, name = _text(sources.scenario), sources.scenario.name
    scenario = read_scenario(text, name, default_start_us)
    if sources.with_capacity and scenario.capacity is None:
        scenario = replace(scenario, capacity=CapacityScenario())
        reader.notes.append(f"the scenario has no [capacity]: rates are those of {CapacityScenario().system}")
    if sources.made_up:
        scenario = with_made_up(scenario, sources.made_up)
    scenario = scenario if sources.policy is None else replace(scenario, policy=sources.policy)
    reader.note_packaged("antennas", "antennas/antennas.toml")
    catalogue, neighbour = _catalogue(scenario, sources, reader)
    regions = {region.id: _region(region, reader) for region in scenario.regions}
    parts = Parts(
        catalogue=catalogue,
        neighbour=neighbour,
        ground=_ground(scenario, sources, reader),
        antennas=packaged_antennas(),
        inside=lambda region, place: _inside(regions[region], place, COAST_MARGIN_M),
        strictly_inside=lambda region, place: _inside(regions[region], place, 0.0),
        bounds=lambda region: _bounds(regions[region][0]),
        earth=_earth(sources, reader),
        capacity=_capacity(scenario.capacity, reader),
    )
    world, reach = build_world(scenario, parts)
    ages = _ages(world.catalogue, scenario, sources.strict_epoch)
    return Loaded(world, scenario, (*reader.notes, *ages, *reach), reader.inputs, tuple(reader.files))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(
            "scenario.unreadable", f"scenario {path.name}", "it is not UTF-8 text", "save it as UTF-8"
        ) from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _catalogue(
    scenario: Scenario, sources: Sources, reader: _Reader
) -> tuple[Catalogue, npt.NDArray[np.int32] | None]:
    path = sources.catalogue or (reader.beside(scenario.catalogue_file) if scenario.catalogue_file else None)
    if path is not None:
        read = read_catalogue(reader.note_file("catalogue", path), sources.lenient)
        if read.skipped:
            lines = ", ".join(str(skipped.line) for skipped in read.skipped[:10])
            more = ", ..." if len(read.skipped) > 10 else ""
            count = len(read.skipped)
            reader.notes.append(f"{count} bad records of {path.name} were skipped: line {lines}{more}")
        return read.catalogue, None
    if scenario.constellation_file:
        path = reader.note_file("constellation", reader.beside(scenario.constellation_file))
        return _generated(constellation_from_toml(read_text(path, "constellation"), path.name), scenario)
    name = scenario.preset or DEFAULT_PRESET
    preset = constellation_preset(name)
    reader.note_packaged("catalogue", f"constellations/{name}.toml")
    return _generated(preset, scenario)


def _generated(made: Constellation, scenario: Scenario) -> tuple[Catalogue, npt.NDArray[np.int32] | None]:
    """Satellites at the constellation's own epoch or the scenario's start; its +grid if it has lasers."""
    catalogue = generate(made.shells, scenario.start_us if made.epoch_us is None else made.epoch_us)
    asked = int(scenario.laser_numbers.get("per_satellite", made.lasers_per_satellite))
    per_satellite = min(asked, made.lasers_per_satellite, 4)
    if per_satellite >= 2:
        neighbour = plus_grid(made.shells, LaserPattern(made.laser_pattern), per_satellite)
        if (neighbour >= 0).any():
            return catalogue, neighbour
    if scenario.laser_mode == "as-flown":
        raise scenario.root.refused(
            "links", "this constellation has no lasers to match", 'write lasers = "none", or take another'
        )
    return catalogue, None


def _ground(scenario: Scenario, sources: Sources, reader: _Reader) -> GroundSegment:
    path = sources.gateways or (reader.beside(scenario.ground.file) if scenario.ground.file else None)
    if path is None:
        reader.note_packaged("gateways", "ground/ground-segment.toml")
        return packaged_ground_segment(scenario.start_us)
    segment = read_ground_segment(reader.note_file("gateways", path), scenario.start_us)
    reader.notes += [f"{path.name}: {count} sites left out: {why}" for why, count in segment.skipped]
    reader.notes += segment.notes
    return _with_named_pops(segment, scenario, reader)


def _with_named_pops(segment: GroundSegment, scenario: Scenario, reader: _Reader) -> GroundSegment:
    """A list of gateways need not have the PoPs that a scenario names: those come from the packaged table."""
    asked = {t.pop for t in scenario.terminals} | {f.pop for f in scenario.fleets}
    there = sites_by_name(segment.pops)
    ours = packaged_ground_segment(scenario.start_us).pops
    added = tuple(p for p in ours if p.id in asked and p.id not in there)
    if added:
        names = ", ".join(p.name for p in added)
        reader.notes.append(f"not in the list of gateways, taken from the packaged table: PoP {names}")
    return replace(segment, pops=(*segment.pops, *added))


def _capacity(wish: CapacityScenario | None, reader: _Reader) -> CapacityParts | None:
    if wish is None:
        return None
    own = wish.system.endswith(".toml")
    if own:
        system = read_system(str(reader.note_file("system", reader.beside(wish.system))))
    else:
        system = read_system(wish.system)
        reader.note_packaged("system", f"radio/systems/{wish.system}.toml")
    radio = Radio(system, {name: modcods_of(link) for name, link in system.links.items()})
    for table in sorted({link.modcod_table for link in system.links.values()}):
        reader.note_packaged(f"modcod {table}", f"radio/modcod-{table}.csv")
    reader.note_packaged("atmosphere", "atmosphere/atmosphere.npz")
    rain: tuple[RainCell, ...] = ()
    if wish.rain_file is not None:
        path = reader.note_file("rain", reader.beside(wish.rain_file))
        rain = rain_field(read_text(path, "rain"), path.name)
    jam = JamField()
    if wish.jam_file is not None:
        path = reader.note_file("jam", reader.beside(wish.jam_file))
        jam = jam_field(read_text(path, "jam"), path.name)
    return CapacityParts(radio, packaged_atmosphere(), rain, jam)


def _region(plan: RegionPlan, reader: _Reader) -> tuple[Outline, Outline | None]:
    whole = (
        country_outline(plan.country)
        if plan.country is not None
        else read_outline(reader.note_file(f"region {plan.id}", reader.beside(str(plan.outline_file))))
    )
    if plan.except_area is not None:
        return whole, packaged_area(plan.except_area)
    if plan.except_file is not None:
        role = f"region {plan.id} except"
        return whole, read_outline(reader.note_file(role, reader.beside(plan.except_file)))
    return whole, None


def _inside(region: tuple[Outline, Outline | None], place: Place, within_m: float) -> bool:
    whole, left_out = region
    at = (place.latitude_deg, place.longitude_deg)
    if left_out is not None and contains(left_out, *at):
        return False
    # The margin is for quays that a coarse coastline leaves in the sea, never for the far side of a border.
    return contains(whole, *at) or (
        within_m > 0.0 and country_of(place) is None and contains(whole, *at, within_m=within_m)
    )


def _bounds(outline: Outline) -> list[tuple[float, float, float, float]]:
    """South, west, north, east of each polygon of an outline."""
    boxes = (polygon.bounds_deg for polygon in outline.polygons)
    return [(south, west, north, east) for west, south, east, north in boxes]


def _earth(sources: Sources, reader: _Reader) -> EarthOrientation | None:
    if sources.earth_orientation is None:
        return None
    return read_earth_orientation(reader.note_file("earth orientation", sources.earth_orientation))


def _ages(catalogue: Catalogue, scenario: Scenario, strict: bool) -> tuple[str, ...]:
    stale = stale_elements(catalogue, [scenario.start_us, scenario.end_us])
    if strict:
        refuse_stale(stale)
    return () if stale is None else (str(stale),)
