"""Shells of a generated constellation, and what is known of each number."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from skylift.base.units import S_PER_DAY, WGS72_A_M, WGS72_MU_M3_PER_S2

TAU = 2.0 * math.pi


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
    node_spread_deg     the angle over which the planes' nodes are spread; None for 360 (delta) or 180 (star).
                        A star with a smaller spread is an arc of planes: its ends are not neighbours.
    allow_collisions    why satellites of this shell may meet: the paper that is reproduced; "" forbids it
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
    node_spread_deg: float | None = None
    allow_collisions: str = ""

    @property
    def count(self) -> int:
        """Satellites in the shell."""
        return self.planes * self.satellites_per_plane

    @property
    def mean_motion_rad_per_s(self) -> float:
        """Kozai's mean motion, as an element set prints it."""
        if self.mean_motion_rev_per_day is not None:
            return self.mean_motion_rev_per_day * TAU / S_PER_DAY
        return mean_motion_rad_per_s(self.altitude_m)

    @property
    def radius_m(self) -> float:
        """Semi-major axis that the mean motion stands for."""
        return float((WGS72_MU_M3_PER_S2 / self.mean_motion_rad_per_s**2) ** (1.0 / 3.0))

    @property
    def node_spread_rad(self) -> float:
        """The angle over which the ascending nodes are spread."""
        if self.node_spread_deg is not None:
            return math.radians(self.node_spread_deg)
        return TAU if self.pattern is Pattern.DELTA else math.pi

    def phase_rad(self, plane: int) -> float:
        """How far the satellites of `plane` lead those of plane 0 with the same number."""
        slot_rad = TAU / self.satellites_per_plane
        if self.alternating_phase:
            return slot_rad / 2.0 * (plane % 2)
        return plane * self.phasing * slot_rad / self.planes


def mean_motion_rad_per_s(altitude_m: float) -> float:
    """Mean motion of an orbit `altitude_m` above the WGS72 equatorial radius.

    Kepler's third law with WGS72's mu, no J2 term: the same convention by which `catalogue info` and public
    catalogues turn mean motion into altitude, so that 550 km reads back as 550 km. SGP4 takes the number for
    Kozai's mean motion and flies within 5 km of the nominal radius, depending on the inclination.
    """
    return math.sqrt(WGS72_MU_M3_PER_S2 / (WGS72_A_M + altitude_m) ** 3)
