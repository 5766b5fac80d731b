"""What a scenario says about capacity: the table [capacity], and what each terminal wants."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.strict import StrictTable
from skylift.base.units import RAD_PER_DEG
from skylift.sky.schedule.problem import STUDY_REMAKES, ScheduleRules
from skylift.twin.world import EVERYBODY, Need

BPS_PER_MBPS = 1e6
# Classes in the order in which they are served; their numbers are those of base.link.Ask.
CLASS_NAMES = ("life", "critical", "government", "everybody")

CAPACITY_KEYS = (
    "system", "resolution", "floor_fraction", "nco", "separation_deg", "keep_level", "class_weights",
    "class_tiers", "effort", "rain_file", "jam_file",
)  # fmt: skip
NEED_KEYS = (
    "wanted_down_mbps", "wanted_up_mbps", "plan_down_mbps", "plan_up_mbps", "class", "obstructed_fraction",
)  # fmt: skip
DEFAULT_SYSTEM = "starlink-2022"
# How long a schedule is worked at, and how often a crowded slot is then tried in another way.
REMAKES = {"live": 0, "study": STUDY_REMAKES}
# About 250 km2: a beam of 24 km covers one and its neighbours' edges.
DEFAULT_RESOLUTION = 5


@dataclass(frozen=True, slots=True)
class CapacityScenario:
    """[capacity] as written: files are not read yet, and the number of channels is the system's to say."""

    system: str = DEFAULT_SYSTEM
    resolution: int = DEFAULT_RESOLUTION
    floor_fraction: float = ScheduleRules().floor_fraction
    nco: int = ScheduleRules().nco
    separation_rad: float = ScheduleRules().separation_rad
    keep_level: float = ScheduleRules().keep_level
    class_weights: tuple[float, ...] | None = None
    class_tiers: tuple[int, ...] | None = None
    remakes: int = REMAKES["live"]
    rain_file: str | None = None
    jam_file: str | None = None

    def rules(self, channels: int) -> ScheduleRules:
        """The schedule's parameters for a system with so many channels in a polarisation."""
        return ScheduleRules(
            channels=channels,
            nco=self.nco,
            floor_fraction=self.floor_fraction,
            separation_rad=self.separation_rad,
            keep_level=self.keep_level,
            class_weights=self.class_weights,
            class_tiers=self.class_tiers,
        )


def read_capacity(root: StrictTable) -> CapacityScenario | None:
    """[capacity] of a scenario, None where it has none. Raises Refused."""
    if not root.has("capacity"):
        return None
    table, default = root.table("capacity", known=CAPACITY_KEYS), CapacityScenario()
    weights = (
        table.numbers("class_weights", minimum=0.001, maximum=1000.0) if table.has("class_weights") else None
    )
    tiers = table.wholes("class_tiers", minimum=1, maximum=4) if table.has("class_tiers") else None
    try:
        ScheduleRules(class_weights=weights, class_tiers=tiers)
    except Refused as wrong:
        raise table.refused(wrong.thing, wrong.rule, wrong.way_out) from wrong
    return CapacityScenario(
        system=table.text("system", default.system),
        resolution=table.whole("resolution", default.resolution, minimum=0, maximum=9),
        floor_fraction=table.number("floor_fraction", default.floor_fraction, minimum=0.0, maximum=1.0),
        nco=table.whole("nco", default.nco, minimum=1, maximum=8),
        separation_rad=table.number(
            "separation_deg", default.separation_rad / RAD_PER_DEG, minimum=0.0, maximum=20.0
        )
        * RAD_PER_DEG,
        keep_level=table.number("keep_level", default.keep_level, minimum=0.0, maximum=1.0),
        class_weights=weights,
        class_tiers=tiers,
        remakes=REMAKES[table.choice("effort", tuple(REMAKES), "live")],
        rain_file=table.text("rain_file") if table.has("rain_file") else None,
        jam_file=table.text("jam_file") if table.has("jam_file") else None,
    )


def read_need(table: StrictTable) -> Need:
    """What a [[terminal]] wants, or each dish of a [[fleet]]. Raises Refused."""
    default = Need()
    return Need(
        wanted_down_bps=_bps(table, "wanted_down_mbps", default.wanted_down_bps),
        wanted_up_bps=_bps(table, "wanted_up_mbps", default.wanted_up_bps),
        plan_down_bps=_bps(table, "plan_down_mbps", default.plan_down_bps),
        plan_up_bps=_bps(table, "plan_up_mbps", default.plan_up_bps),
        priority=1 + CLASS_NAMES.index(table.choice("class", CLASS_NAMES, CLASS_NAMES[EVERYBODY - 1])),
        obstructed_fraction=table.number("obstructed_fraction", 0.0, minimum=0.0, maximum=1.0),
    )


def _bps(table: StrictTable, key: str, default: float) -> float:
    # A bit in a second is nobody's wish: 0.001 keeps out what is meant to be 0, and what is given in Gbit/s.
    if not table.has(key):
        return default
    return table.number(key, minimum=0.001, maximum=100_000.0) * BPS_PER_MBPS
