"""A constellation as a TOML file: its shells, and the models a publication was computed with.

    name = "kuiper-630"
    epoch = 2000-01-01T00:00:00Z         # optional; positions are those of the epoch

    [earth]                              # optional
    model = "wgs72"                      # of the sites: wgs84 (default), wgs72, or sphere with radius_km

    [ground]                             # optional; one of the two
    minimum_elevation_deg = 30           # or maximum_slant_range_km

    [lasers]                             # optional
    pattern = "plus-grid-nearest-phase"  # or same-index, none
    per_satellite = 4
    maximum_range_km = 5000
    cross_plane_maximum_latitude_deg = 70

    [[shell]]
    name = "K1"
    planes = 34
    satellites_per_plane = 34
    altitude_km = 630                    # or mean_motion_rev_per_day, or both: then the mean motion rules
    inclination_deg = 51.9
    phasing = 17                         # Walker's F; or alternating_phase = true
    standing = "filed"                   # of the phasing: filed, fitted or assumed
    source = "where the numbers are from"

`altitude_km` is counted from the WGS72 equatorial radius, 6,378.135 km, unless `altitude_datum_km` says
another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.instants import InstantUs
from skylift.base.strict import StrictTable, read_toml
from skylift.base.units import RAD_PER_DEG, WGS72_A_M
from skylift.sky.orbit.separation import refuse_collisions
from skylift.sky.orbit.shells import Pattern, Shell, Standing

EARTH_MODELS = ("wgs84", "wgs72", "sphere")
# As sky.routing.grid.LaserPattern spells them.
LASER_PATTERNS = ("plus-grid-nearest-phase", "same-index", "none")

_KNOWN = ("name", "title", "epoch", "altitude_datum_km", "earth", "ground", "lasers", "shell")
_SHELL = (
    "name",
    "planes",
    "satellites_per_plane",
    "altitude_km",
    "mean_motion_rev_per_day",
    "inclination_deg",
    "phasing",
    "alternating_phase",
    "pattern",
    "standing",
    "source",
    "first_raan_deg",
    "first_mean_anomaly_deg",
    "node_spread_deg",
    "eccentricity",
    "arg_perigee_deg",
    "lasers",
    "allow_collisions",
)
# A single shell of a real filing has had 1,998 planes at most; more is a slip of the keyboard.
_MAX_PLANES = 100_000
_MAX_SATELLITES = 100_000


@dataclass(frozen=True, slots=True)
class Constellation:
    """What a constellation file says.

    epoch_us             None where the file leaves it to its user
    earth_model          one of EARTH_MODELS; earth_radius_m for "sphere", else None
    minimum_elevation_rad, maximum_slant_range_m  at most one is not None
    laser_pattern        one of LASER_PATTERNS
    laser_maximum_range_m, cross_plane_maximum_latitude_rad  None for no limit
    """

    name: str
    title: str
    shells: tuple[Shell, ...]
    epoch_us: InstantUs | None = None
    earth_model: str = "wgs84"
    earth_radius_m: float | None = None
    minimum_elevation_rad: float | None = None
    maximum_slant_range_m: float | None = None
    laser_pattern: str = LASER_PATTERNS[0]
    lasers_per_satellite: int = 4
    laser_maximum_range_m: float | None = None
    cross_plane_maximum_latitude_rad: float | None = None


def shells_from_toml(text: str, source_name: str) -> tuple[Shell, ...]:
    """The shells of a constellation file alone; see `constellation_from_toml`."""
    return constellation_from_toml(text, source_name).shells


def constellation_from_toml(text: str, source_name: str) -> Constellation:
    """Reads a constellation file's text; `source_name` names it in errors.

    Raises Refused for unknown keys, wrong types and units (with the line and the nearest right key), and for
    a shell whose satellites would meet.
    """
    root = read_toml(text, source_name).table(known=_KNOWN)
    datum_m = root.number("altitude_datum_km", WGS72_A_M / 1000.0, minimum=6_300, maximum=6_400) * 1000.0
    tables = root.tables("shell", known=_SHELL)
    if not tables:
        raise root.refused(
            None, "a constellation has at least one shell", "add a table [[shell]]", code="missing"
        )
    shells = tuple(_shell(table, number, datum_m) for number, table in enumerate(tables, 1))
    _refuse_twins(tables, shells)
    refuse_collisions(shells)
    earth = root.table("earth", known=("model", "radius_km"))
    ground = root.table("ground", known=("minimum_elevation_deg", "maximum_slant_range_km"))
    lasers = root.table(
        "lasers", known=("pattern", "per_satellite", "maximum_range_km", "cross_plane_maximum_latitude_deg")
    )
    if ground.has("minimum_elevation_deg") and ground.has("maximum_slant_range_km"):
        raise ground.refused(
            "maximum_slant_range_km", "give either a minimum elevation or a maximum slant range", "remove one"
        )
    model = earth.choice("model", EARTH_MODELS, EARTH_MODELS[0])
    if earth.has("radius_km") != (model == "sphere"):
        raise earth.refused(
            "radius_km", "a sphere has a radius, and only a sphere", 'set model = "sphere" with it'
        )
    elevation_deg = _optional(ground, "minimum_elevation_deg", 0, 90)
    return Constellation(
        name=root.text("name", source_name),
        title=root.text("title", ""),
        shells=shells,
        epoch_us=root.instant("epoch") if root.has("epoch") else None,
        earth_model=model,
        earth_radius_m=_metres(_optional(earth, "radius_km", 6_300, 6_400)),
        minimum_elevation_rad=None if elevation_deg is None else elevation_deg * RAD_PER_DEG,
        maximum_slant_range_m=_metres(_optional(ground, "maximum_slant_range_km", 100, 100_000)),
        laser_pattern=lasers.choice("pattern", LASER_PATTERNS, LASER_PATTERNS[0]),
        lasers_per_satellite=lasers.whole("per_satellite", 4, minimum=0, maximum=8),
        laser_maximum_range_m=_metres(_optional(lasers, "maximum_range_km", 1, 100_000)),
        cross_plane_maximum_latitude_rad=_radians(
            _optional(lasers, "cross_plane_maximum_latitude_deg", 0, 90)
        ),
    )


def _optional(table: StrictTable, key: str, minimum: float, maximum: float) -> float | None:
    return table.number(key, minimum=minimum, maximum=maximum) if table.has(key) else None


def _metres(kilometres: float | None) -> float | None:
    return None if kilometres is None else kilometres * 1000.0


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else degrees * RAD_PER_DEG


def _shell(table: StrictTable, number: int, datum_m: float) -> Shell:
    motion = _optional(table, "mean_motion_rev_per_day", 0.01, 17.0)
    altitude_m = 0.0
    if motion is None or table.has("altitude_km"):
        altitude_m = table.number("altitude_km", minimum=100, maximum=50_000) * 1000.0 + datum_m - WGS72_A_M
    alternating = table.flag("alternating_phase", False)
    if alternating and table.has("phasing"):
        raise table.refused(
            "phasing", "phasing and alternating_phase exclude each other", "remove one of them"
        )
    planes = table.whole("planes", minimum=1, maximum=_MAX_PLANES)
    shell = Shell(
        name=table.text("name", f"SHELL-{number}"),
        planes=planes,
        satellites_per_plane=table.whole("satellites_per_plane", minimum=1, maximum=_MAX_SATELLITES),
        altitude_m=altitude_m,
        inclination_deg=table.number("inclination_deg", minimum=0, maximum=180),
        # Without a neighbour there is nothing to be in phase with.
        phasing=planes / 2.0 if alternating else table.number("phasing", *([0.0] if planes == 1 else [])),
        pattern=Pattern(table.choice("pattern", [p.value for p in Pattern], Pattern.DELTA.value)),
        standing=Standing(table.choice("standing", [s.value for s in Standing], Standing.ASSUMED.value)),
        source=table.text("source", ""),
        first_raan_deg=table.number("first_raan_deg", 0.0, minimum=-360, maximum=360),
        first_mean_anomaly_deg=table.number("first_mean_anomaly_deg", 0.0, minimum=-360, maximum=360),
        eccentricity=table.number("eccentricity", 0.0, minimum=0, maximum=0.9),
        arg_perigee_deg=table.number("arg_perigee_deg", 0.0, minimum=-360, maximum=360),
        mean_motion_rev_per_day=motion,
        alternating_phase=alternating,
        lasers=table.flag("lasers", True),
        node_spread_deg=_optional(table, "node_spread_deg", 0.001, 360),
        allow_collisions=table.text("allow_collisions", ""),
    )
    if shell.count > _MAX_SATELLITES:
        raise table.refused(
            "planes", f"a shell has at most {_MAX_SATELLITES:,} satellites", "lower one of the two"
        )
    if shell.radius_m * (1.0 - shell.eccentricity) < WGS72_A_M + 100_000.0:
        raise table.refused(None, "a perigee is above 100 km", "raise the orbit or lower its eccentricity")
    return shell


def _refuse_twins(tables: Sequence[StrictTable], shells: Sequence[Shell]) -> None:
    names: set[str] = set()
    for table, shell in zip(tables, shells, strict=True):
        if shell.name in names:
            raise table.refused("name", "each shell has a name of its own", "rename one of them")
        names.add(shell.name)
