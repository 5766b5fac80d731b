"""Shells of a generated constellation, and what is known of each number."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Pattern(enum.Enum):
    """Walker's two families: a delta spreads its ascending nodes over 360 degrees, a star over 180."""

    DELTA = "delta"
    STAR = "star"


class Standing(enum.Enum):
    """How a shell's phasing is known."""

    FILED = "filed"
    FITTED = "fitted"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Shell:
    """One Walker shell: `planes` x `satellites_per_plane` circular (or nearly circular) orbits.

    altitude_m          above the WGS72 equatorial radius (6,378.135 km): the datum of published element sets
    phasing             Walker's F: a satellite leads its neighbour in the next plane east by
                        F x 360 / (planes x satellites_per_plane) degrees. Need not be whole: Hypatia's
                        alternating half-slot phasing is F = planes / 2 with `alternating_phase`.
    mean_motion_rev_per_day  where given, it rules and altitude_m is only nominal
    """

    name: str
    planes: int
    satellites_per_plane: int
    altitude_m: float
    inclination_deg: float
    phasing: float
    pattern: Pattern = Pattern.DELTA
    standing: Standing = Standing.ASSUMED
    source: str = ""
    first_raan_deg: float = 0.0
    first_mean_anomaly_deg: float = 0.0
    eccentricity: float = 0.0
    arg_perigee_deg: float = 0.0
    mean_motion_rev_per_day: float | None = None
    alternating_phase: bool = False
    lasers: bool = True
