"""A scenario: what is simulated, as one commented TOML. docs/reference/scenario.md lists every key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.instants import parse_instant
from skylift.base.strict import StrictTable, read_toml
from skylift.base.units import US_PER_S
from skylift.sky.coverage.antennas import horizon_mask
from skylift.twin.policy import POLICIES
from skylift.twin.scenario_capacity import NEED_KEYS, CapacityScenario, read_capacity, read_need
from skylift.twin.scenario_outages import ConnectivityPlan, SitePlan, read_connectivity, read_sites
from skylift.twin.world import FOREVER_US, Need, Period

LASER_MODES = ("none", "plus-grid", "as-flown")

# The first satellite flew in 1957; SGP4 is not meant for centuries, and dates end with the year 9999.
FIRST_YEAR_US, LAST_YEAR_US = int(parse_instant("1957-01-01")), int(parse_instant("2100-01-01"))
LONGEST_ID = 80

KNOWN = (
    "title", "start", "end", "duration_h", "seed", "time_shift", "memory_min",
    "catalogue", "links", "lasers", "ground", "delay",
    "region", "service", "terminal", "fleet", "failure", "capacity",
    "connectivity", "site",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """An area: a country or the user's GeoJSON, less an area that is left out."""

    id: str
    country: str | None
    outline_file: str | None
    except_area: str | None
    except_file: str | None


@dataclass(frozen=True, slots=True)
class TerminalPlan:
    """One terminal as written; its place is checked against `region`, where one is named."""

    id: str
    place: Place
    region: str | None
    antenna: str
    pop: str | None
    need: Need
    line: StrictTable = field(repr=False)
    horizon_mask: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """`count` terminals at random places of a region, the same for the same seed and id."""

    id: str
    count: int
    region: str
    antenna: str
    pop: str | None
    need: Need
    line: StrictTable = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """While the period holds, terminals inside the region may be served."""

    region: str
    period: Period


@dataclass(frozen=True, slots=True)
class FailurePlan:
    """What does not work for a while: gateways by id, satellites (or only their lasers) by NORAD number."""

    period: Period
    gateways: tuple[str, ...]
    satellites: tuple[int, ...]
    lasers_of: tuple[int, ...]
    line: StrictTable


@dataclass(frozen=True, slots=True)
class GroundPlan:
    """Where gateways come from, and which of them count."""

    file: str | None
    only: tuple[str, ...]
    without: tuple[str, ...]
    antenna: str
    antennas_per_gateway: int | None
    minimum_elevation_deg: float | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as read: names are not resolved yet, numbers are."""

    source: str
    title: str
    start_us: int
    end_us: int
    seed: int
    shift_to_start: bool
    memory_us: int
    preset: str | None
    catalogue_file: str | None
    constellation_file: str | None
    policy: str
    laser_mode: str
    laser_numbers: dict[str, float]
    laser_bps: float
    delay_numbers: dict[str, float]
    ground: GroundPlan
    regions: tuple[RegionPlan, ...]
    service: tuple[ServicePlan, ...]
    terminals: tuple[TerminalPlan, ...]
    fleets: tuple[FleetPlan, ...]
    failures: tuple[FailurePlan, ...]
    capacity: CapacityScenario | None
    root: StrictTable = field(repr=False)
    connectivity: tuple[ConnectivityPlan, ...] = ()
    sites: tuple[SitePlan, ...] = ()


def read_scenario(text: str, source: str, default_start_us: int | None = None) -> Scenario:
    """Parse a scenario; `source` names the file in errors.

    default_start_us  where given, `start` may be left out (a service that runs on the wall clock)
    Raises Refused with the line of the first thing that is wrong.
    """
    root = read_toml(text, source).table(known=KNOWN)
    start_us = int(
        root.instant("start") if default_start_us is None else root.instant("start", default_start_us)
    )
    end_us = _end_us(root, start_us)
    if not FIRST_YEAR_US <= start_us < end_us <= LAST_YEAR_US:
        raise root.refused("start", "a scenario lies within the years 1957 to 2099", "correct its instants")
    catalogue = root.table("catalogue", known=("preset", "file", "constellation_file"))
    _one_of(catalogue, ("preset", "file", "constellation_file"))
    links = root.table("links", known=("policy", "lasers"))
    lasers = root.table("lasers", known=(*LASER_KEYS, "capacity_gbps"))
    scenario = Scenario(
        source=source,
        title=root.text("title", source),
        start_us=start_us,
        end_us=end_us,
        seed=root.whole("seed", 1, minimum=0),
        shift_to_start=root.has("time_shift")
        and root.choice("time_shift", ("to-start", "none")) == "to-start",
        memory_us=round(root.number("memory_min", 15.0, minimum=1.0, maximum=1440.0) * 60) * US_PER_S,
        preset=_maybe(catalogue, "preset"),
        catalogue_file=_maybe(catalogue, "file"),
        constellation_file=_maybe(catalogue, "constellation_file"),
        policy=links.choice("policy", tuple(POLICIES), "sticky"),
        laser_mode=links.choice("lasers", LASER_MODES, "none"),
        laser_numbers=_numbers(lasers, LASER_KEYS),
        laser_bps=lasers.number("capacity_gbps", DEFAULT_LASER_GBPS, minimum=0.001, maximum=100_000.0) * 1e9,
        delay_numbers=_numbers(root.table("delay", known=DELAY_KEYS), DELAY_KEYS),
        ground=_ground(root),
        regions=tuple(_region(t) for t in root.tables("region", known=REGION_KEYS)),
        service=tuple(_service(t) for t in root.tables("service", known=("region", "from", "until"))),
        terminals=tuple(_terminal(t) for t in root.tables("terminal", known=TERMINAL_KEYS)),
        fleets=tuple(_fleet(t) for t in root.tables("fleet", known=FLEET_KEYS)),
        failures=tuple(_failure(t) for t in root.tables("failure", known=FAILURE_KEYS)),
        capacity=read_capacity(root),
        root=root,
        connectivity=read_connectivity(root),
        sites=read_sites(root),
    )
    _check_whole(scenario)
    return scenario


def with_made_up(scenario: Scenario, count: int) -> Scenario:
    """The same with so many terminals at random places of its first served region, instead of its own.

    Antenna, PoP and need are those of its first terminal or fleet. Raises Refused where nothing is served.
    """
    if not scenario.service:
        raise scenario.root.refused(
            None, "terminals are made up over a region that is served", "add a [[service]]", code="missing"
        )
    like = scenario.terminals[0] if scenario.terminals else scenario.fleets[0]
    fleet = FleetPlan(
        MADE_UP, count, scenario.service[0].region, like.antenna, like.pop, like.need, scenario.root
    )
    return replace(scenario, terminals=(), fleets=(fleet,))


MADE_UP = "made-up"
REGION_KEYS = ("id", "country", "outline_file", "except_area", "except_file")
TERMINAL_KEYS = (
    "id", "latitude_deg", "longitude_deg", "altitude_m", "region", "antenna", "pop", "horizon_mask",
    *NEED_KEYS,
)  # fmt: skip
FLEET_KEYS = ("id", "count", "region", "antenna", "pop", *NEED_KEYS)
FAILURE_KEYS = ("from", "until", "gateways", "satellites", "lasers_of")
LASER_KEYS = ("per_satellite", "clearance_m", "max_range_m", "cross_plane_max_latitude_deg", "acquisition_s")
# SpaceX at SPIE Photonics West, January 2024, as reported by PCMag: 100 Gbit/s sustained, 200 at most.
DEFAULT_LASER_GBPS = 100.0
DELAY_KEYS = ("route_factor", "access_up_us", "access_down_us", "processing_up_us", "processing_down_us")
GROUND_KEYS = ("file", "only", "without", "antenna", "antennas_per_gateway", "minimum_elevation_deg")
DEFAULT_ANTENNA = "starlink-round-2021"
DEFAULT_GATEWAY_ANTENNA = "starlink-gateway"


_PLACE_KEYS = {"latitude": "latitude_deg", "longitude": "longitude_deg", "altitude": "altitude_m"}


def _maybe(table: StrictTable, key: str) -> str | None:
    return table.text(key) if table.has(key) else None


def _one_of(table: StrictTable, keys: tuple[str, ...]) -> None:
    given = [key for key in keys if table.has(key)]
    if len(given) > 1:
        raise table.refused(given[1], f"only one of {', '.join(keys)} can be given", "leave the others out")


def _numbers(table: StrictTable, keys: tuple[str, ...]) -> dict[str, float]:
    return {
        key: table.whole(key) if key == "per_satellite" else table.number(key)
        for key in keys
        if table.has(key)
    }


def _id(table: StrictTable) -> str:
    """A name that can stand in a table, a file and a log: one line, neither empty nor endless."""
    name = table.text("id")
    if not 1 <= len(name) <= LONGEST_ID or not name.isprintable() or name != name.strip():
        raise table.refused(
            "id",
            f"an id is 1 to {LONGEST_ID} printable characters, without spaces around it",
            "choose another name",
        )
    return name


def _end_us(root: StrictTable, start_us: int) -> int:
    if root.has("end") and root.has("duration_h"):
        raise root.refused("end", "a scenario has either end or duration_h", "leave one of the two out")
    if root.has("end"):
        end_us = int(root.instant("end"))
        if end_us <= start_us:
            raise root.refused("end", "the end is not after the start", "give a later instant")
        return end_us
    hours = root.number("duration_h", 24.0, minimum=0.005, maximum=24.0 * 366)
    return start_us + round(hours * 3600 * US_PER_S)


def _ground(root: StrictTable) -> GroundPlan:
    table = root.table("ground", known=GROUND_KEYS)
    return GroundPlan(
        file=_maybe(table, "file"),
        only=table.texts("only", ()),
        without=table.texts("without", ()),
        antenna=table.text("antenna", DEFAULT_GATEWAY_ANTENNA),
        antennas_per_gateway=table.whole("antennas_per_gateway", minimum=0, maximum=1000)
        if table.has("antennas_per_gateway")
        else None,
        minimum_elevation_deg=table.number("minimum_elevation_deg", minimum=0.0, maximum=90.0)
        if table.has("minimum_elevation_deg")
        else None,
    )


def _region(table: StrictTable) -> RegionPlan:
    if table.has("country") == table.has("outline_file"):
        raise table.refused(None, "a region has either a country or an outline_file", "give one of the two")
    return RegionPlan(
        _id(table),
        _maybe(table, "country"),
        _maybe(table, "outline_file"),
        _maybe(table, "except_area"),
        _maybe(table, "except_file"),
    )


def _period(table: StrictTable) -> Period:
    period = Period(int(table.instant("from", -FOREVER_US)), int(table.instant("until", FOREVER_US)))
    if period.until_us <= period.from_us:
        raise table.refused("until", "a period ends after it begins", "swap from and until, or correct them")
    return period


def _service(table: StrictTable) -> ServicePlan:
    return ServicePlan(table.text("region"), _period(table))


def _terminal(table: StrictTable) -> TerminalPlan:
    try:
        place = Place(
            table.number("latitude_deg"), table.number("longitude_deg"), table.number("altitude_m", 0.0)
        )
    except Refused as error:
        if error.code.startswith("toml."):
            raise
        key = _PLACE_KEYS.get(error.code.removeprefix("place."))
        raise table.refused(key, error.rule, error.way_out) from None
    return TerminalPlan(
        _id(table),
        place,
        _maybe(table, "region"),
        table.text("antenna", DEFAULT_ANTENNA),
        _maybe(table, "pop"),
        read_need(table),
        table,
        horizon_mask(table),
    )


def _fleet(table: StrictTable) -> FleetPlan:
    return FleetPlan(
        _id(table),
        table.whole("count", minimum=1, maximum=1_000_000),
        table.text("region"),
        table.text("antenna", DEFAULT_ANTENNA),
        _maybe(table, "pop"),
        read_need(table),
        table,
    )


def _failure(table: StrictTable) -> FailurePlan:
    if not any(table.has(key) for key in ("gateways", "satellites", "lasers_of")):
        raise table.refused(None, "a failure names what fails", "add gateways, satellites or lasers_of")
    return FailurePlan(
        _period(table),
        table.texts("gateways", ()),
        _norad_numbers(table, "satellites"),
        _norad_numbers(table, "lasers_of"),
        table,
    )


def _norad_numbers(table: StrictTable, key: str) -> tuple[int, ...]:
    numbers = table.numbers(key, (), minimum=1)
    if any(n != int(n) for n in numbers):
        raise table.refused(key, "NORAD numbers are whole numbers", "leave out the decimals")
    return tuple(int(n) for n in numbers)


def _check_whole(scenario: Scenario) -> None:
    """What no single table can know: ids are unique, regions that are named exist, somebody is there."""
    regions = [r.id for r in scenario.regions]
    names = [t.id for t in scenario.terminals] + [f.id for f in scenario.fleets]
    for kind, ids in (("region", regions), ("terminal", names)):
        for name, count in Counter(ids).items():
            if count > 1:
                raise scenario.root.refused(
                    kind, f"the id {name!r} stands at {count} {kind}s", "give each an id of its own"
                )
    if not names:
        raise scenario.root.refused(
            None, "a scenario has terminals", "add a [[terminal]] or a [[fleet]]", code="missing"
        )
    asked = [(p.region, "service") for p in scenario.service]
    asked += [(t.region, "terminal") for t in scenario.terminals if t.region is not None]
    asked += [(f.region, "fleet") for f in scenario.fleets]
    for region, kind in asked:
        if region not in regions:
            known = ", ".join(regions) or "none"
            raise scenario.root.refused(
                kind,
                f"{kind} names the region {region!r}, which the scenario does not have ({known})",
                "add [[region]] with this id, or correct the name",
            )
