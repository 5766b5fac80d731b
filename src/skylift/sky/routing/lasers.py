"""Lasers between satellites: what they can do, and which of them carry traffic at an instant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import LIGHT_SPEED_M_PER_S, RAD_PER_DEG, US_PER_S, WGS84_A_M, WGS84_B_M
from skylift.sky.routing import lasers_kernel as kernel

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Columns of an adjacency (N, 4): two lasers within the plane, then those to other planes.
AHEAD, BEHIND, EAST, WEST = 0, 1, 2, 3
FIRST_CROSS_PLANE = 2


@dataclass(frozen=True, slots=True)
class LaserRules:
    """What a satellite's lasers can do. Every number has its source or is called assumed.

    per_satellite    lasers of one satellite, 2 to 4. 4 is the +grid of the literature (Bhattacherjee and
                     Singla, CoNEXT 2019); "three" is what SpaceX said of its V2 Mini in 2023.
    clearance_m      least altitude of the beam above WGS84. 80 km: Kassing et al., "Hypatia", IMC 2020, whose
                     links stay above 80 km to keep out of the weather.
    max_range_m      longest link. 5,400 km: SpaceX at SPIE Photonics West, January 2024, as reported by PCMag
                     ("more than 5,400 km"): what has been done, not the limit of the design.
    cross_plane_max_latitude_deg  lasers to other planes are off where either end is closer to a pole
                     (geocentric). 70: assumed; near the poles neighbours in other planes swap sides and the
                     beam would have to slew fast, which is why Iridium switches its off above some 60 to 68.
    acquisition_s    from pointing to carrying traffic. 10 s: assumed, "in the order of seconds" in "Laser
                     Inter-Satellite Link Setup Delay", arXiv 2301.05285 (2023).
    """

    per_satellite: int = 4
    clearance_m: float = 80_000.0
    max_range_m: float = 5_400_000.0
    cross_plane_max_latitude_deg: float = 70.0
    acquisition_s: float = 10.0

    def __post_init__(self) -> None:
        _check("lasers.per_satellite", "lasers per satellite", 2 <= self.per_satellite <= 4, "2, 3 or 4")
        _check(
            "lasers.clearance",
            "clearance of lasers",
            0.0 <= self.clearance_m <= 500_000.0,
            "between 0 and 500 km above the ground",
        )
        _check(
            "lasers.max_range",
            "longest laser link",
            0.0 < self.max_range_m <= 20_000_000.0,
            "above 0 and at most 20,000 km",
        )
        _check(
            "lasers.max_latitude",
            "highest latitude of lasers to other planes",
            0.0 <= self.cross_plane_max_latitude_deg <= 90.0,
            "between 0 and 90 degrees; 90 switches none off",
        )
        _check(
            "lasers.acquisition",
            "acquisition time of lasers",
            0.0 <= self.acquisition_s <= 3_600.0,
            "between 0 and 3,600 s",
        )


def _check(code: str, thing: str, holds: bool, rule: str) -> None:
    if not holds:
        raise Refused(code, thing, f"it must be {rule}", "correct the number, and mind its unit")


def laser_hops(
    neighbour: Ints,
    position_ecef_m: Floats,
    rules: LaserRules,
    working: Flags | None = None,
    laser_working: Flags | None = None,
) -> Floats:
    """Light time of every laser link at one instant, (N, D) microseconds; inf where it does not carry.

    neighbour        int32 (N, D), -1 where there is none; columns from FIRST_CROSS_PLANE on lead to other
                     planes and obey the latitude rule
    position_ecef_m  (3, N); a satellite without a position (nan) has no links
    working          bool (N,): False for a failed satellite
    laser_working    bool (N, D): False for a failed laser; a link needs both of its ends

    Clearance is kept from the ellipsoid with both half axes longer by clearance_m, which lies within a metre
    of the surface at that altitude.
    """
    count = neighbour.shape[0]
    hop_us = np.empty(neighbour.shape, dtype=np.float64)
    all_work = np.ones(count, dtype=np.bool_) if working is None else working
    lasers = np.ones((1, 1), dtype=np.bool_) if laser_working is None else laser_working
    kernel.hops(
        neighbour,
        np.ascontiguousarray(position_ecef_m),
        all_work,
        lasers,
        laser_working is not None,
        *geometry(rules),
        FIRST_CROSS_PLANE,
        US_PER_S / LIGHT_SPEED_M_PER_S,
        hop_us,
    )
    return hop_us


def geometry(rules: LaserRules) -> tuple[float, float, float, float]:
    """The rules as the kernels take them.

    clear_m       half axis of the ellipsoid to be cleared, after z is stretched by
    stretch       so that the ellipsoid becomes a sphere
    max_range_m
    max_sine      of the geocentric latitude for lasers to other planes; above 1 for no limit
    """
    clear_m = WGS84_A_M + rules.clearance_m
    limit_deg = rules.cross_plane_max_latitude_deg
    max_sine = math.sin(limit_deg * RAD_PER_DEG) if limit_deg < 90.0 else 2.0
    return clear_m, clear_m / (WGS84_B_M + rules.clearance_m), rules.max_range_m, max_sine
