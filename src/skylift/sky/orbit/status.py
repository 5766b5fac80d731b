"""What each object of a catalogue is doing, told from its altitude, its mean motion and its neighbours.

A shell in use is tight: on 2026-05-30 nine tenths of the 1,304 Starlink objects at 540 km sit within 0.1 km
of each other, while what climbs or comes down is strewn over 150 km. So altitude decides first, and the mean
motion's first derivative only for what stands outside: inside a shell it is mostly drag, which the thruster
undoes (direct-to-cell satellites at 356 km seem to fall 1.4 km a day, and do not).
Numbers and their reasons: docs/why/003-catalogues.md.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import DEG_PER_RAD, S_PER_DAY, WGS72_A_M, WGS72_MU_M3_PER_S2
from skylift.sky.orbit.catalogue import Catalogue, Floats

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Inclinations this close to a crowded one belong to it: launches into one shell scatter by 0.3 degree, filed
# shells that share an altitude differ by more than 1.
FAMILY_HALF_WIDTH_DEG = 0.5
ALTITUDE_BIN_KM = 5
# Neighbours are counted this far up and down.
LEVEL_HALF_WIDTH_M = 1_500.0
# A level in use holds this part of what the most crowded level of its inclination holds, and three at least.
LEVEL_SHARE = 0.1
LEVEL_LEAST = 3
# Waiting groups: ten within 1 km is four times what chance gives among the objects coming down in 2026.
PARKED_HALF_WIDTH_M = 500.0
PARKED_LEAST = 10
# Drag at 350 km takes less than this from a satellite: whoever is faster inside a shell is passing through.
PASSING_M_PER_DAY = 3_000.0
# Slower than this is within the scatter of fitted element sets at shell altitudes.
STILL_M_PER_DAY = 20.0
# Without a shell to compare with, only thrust or the last weeks of decay speak for themselves.
PLAIN_M_PER_DAY = 1_000.0
# SGP4's own border: a period of 225 minutes or more is propagated as deep-space.
DEEP_SPACE_PERIOD_S = 225.0 * 60.0


class Status(enum.Enum):
    """What an object is doing, as far as one element set per object tells."""

    OPERATIONAL = "operational"
    RAISING = "raising"
    DECAYING = "decaying"
    PARKED = "parked"  # in a tight group beside the shells: waiting for its turn or its plane
    DRIFTING = "drifting"  # outside every shell, neither climbing nor falling
    DEEP_SPACE = "deep-space"
    UNKNOWN = "unknown"  # no shell to compare with


STATUSES = tuple(Status)


@dataclass(frozen=True, slots=True)
class ShellCount:
    """How many objects fly at about one inclination and altitude.

    inclination_deg  median of the objects, to 0.01
    altitude_km      middle of a 5 km bin, above the WGS72 equatorial radius
    """

    inclination_deg: float
    altitude_km: int
    count: int


def altitude_m(catalogue: Catalogue) -> Floats:
    """Semi-major axis less the WGS72 equatorial radius, from the mean motion by Kepler's third law, (N,)."""
    axis: Floats = np.cbrt(WGS72_MU_M3_PER_S2 / catalogue.mean_motion_rad_per_s**2) - WGS72_A_M
    return axis


def climb_m_per_day(catalogue: Catalogue) -> Floats:
    """How fast the semi-major axis grows according to the element set's ndot, (N,)."""
    axis_m = altitude_m(catalogue) + WGS72_A_M
    motion_rev_per_day = catalogue.mean_motion_rad_per_s * (S_PER_DAY / (2.0 * np.pi))
    # A TLE prints half of the derivative; a^3 n^2 is constant, so da/a = -2/3 dn/n.
    rate: Floats = -2.0 / 3.0 * axis_m * 2.0 * catalogue.ndot_rev_per_day2 / motion_rev_per_day
    return rate


def inclination_families(catalogue: Catalogue) -> Integers:
    """Objects of about one inclination share a number, (N,): 0 is the most crowded.

    The most crowded tenth of a degree takes all that is within half a degree of it, then the next one.
    Fixed bins would tear a family apart wherever a border runs through it: 97.43 and 97.60 are one shell.
    """
    tenths = np.round(catalogue.inclination_rad * DEG_PER_RAD * 10.0).astype(np.int64)
    counts = np.bincount(tenths, minlength=1)
    width = round(FAMILY_HALF_WIDTH_DEG * 10.0)
    family_of_tenth = np.full(len(counts), -1, dtype=np.int64)
    free = counts.copy()
    family = 0
    while free.any():
        centre = int(np.argmax(free))
        reach = slice(max(0, centre - width), centre + width + 1)
        untaken = family_of_tenth[reach] < 0
        family_of_tenth[reach][untaken] = family
        free[reach] = 0
        family += 1
    return family_of_tenth[tenths]


def count_shells(catalogue: Catalogue) -> list[ShellCount]:
    """Every object in exactly one row, the most crowded row first."""
    family = inclination_families(catalogue)
    step = np.floor(altitude_m(catalogue) / (ALTITUDE_BIN_KM * 1000.0) + 0.5).astype(np.int64)
    inclination_deg = catalogue.inclination_rad * DEG_PER_RAD
    order = np.lexsort((step, family))
    edges = np.flatnonzero((np.diff(family[order]) != 0) | (np.diff(step[order]) != 0)) + 1
    groups = [group for group in np.split(order, edges) if len(group)]
    rows = [
        ShellCount(
            round(float(np.median(inclination_deg[group])), 2),
            int(step[group[0]]) * ALTITUDE_BIN_KM,
            len(group),
        )
        for group in groups
    ]
    return sorted(rows, key=lambda row: (-row.count, row.inclination_deg, row.altitude_km))


def statuses(catalogue: Catalogue) -> Integers:
    """For each object the index of its status in `STATUSES`, (N,)."""
    height_m, climb = altitude_m(catalogue), climb_m_per_day(catalogue)
    family = inclination_families(catalogue)
    neighbours, most = _neighbours(height_m, family, LEVEL_HALF_WIDTH_M)
    close, _ = _neighbours(height_m, family, PARKED_HALF_WIDTH_M)
    on_level = (neighbours >= LEVEL_LEAST) & (neighbours >= LEVEL_SHARE * most)
    has_level = most >= LEVEL_LEAST
    passing = np.abs(climb) > PASSING_M_PER_DAY
    still = np.where(has_level, STILL_M_PER_DAY, PLAIN_M_PER_DAY)
    deep = catalogue.mean_motion_rad_per_s <= 2.0 * np.pi / DEEP_SPACE_PERIOD_S
    rules: list[tuple[Bools, Status]] = [
        (deep, Status.DEEP_SPACE),
        (on_level & ~passing, Status.OPERATIONAL),
        ((close >= PARKED_LEAST) & (np.abs(climb) <= PLAIN_M_PER_DAY), Status.PARKED),
        (climb > still, Status.RAISING),
        (climb < -still, Status.DECAYING),
        (has_level, Status.DRIFTING),
    ]
    return np.select(
        [rule for rule, _ in rules],
        [STATUSES.index(status) for _, status in rules],
        STATUSES.index(Status.UNKNOWN),
    )


def count_statuses(catalogue: Catalogue) -> dict[str, int]:
    """How many objects have each status; every status is named, also with none."""
    counts = np.bincount(statuses(catalogue), minlength=len(STATUSES))
    return {status.value: int(count) for status, count in zip(STATUSES, counts, strict=True)}


def _neighbours(height_m: Floats, family: Integers, half_width_m: float) -> tuple[Integers, Integers]:
    """For each object: how many of its family are near its altitude, with itself, and the family's most."""
    near = np.zeros(len(height_m), dtype=np.int64)
    most = np.zeros(len(height_m), dtype=np.int64)
    for number in range(int(family.max(initial=-1)) + 1):
        members = np.flatnonzero(family == number)
        heights = np.sort(height_m[members])
        above = np.searchsorted(heights, height_m[members] + half_width_m, side="right")
        below = np.searchsorted(heights, height_m[members] - half_width_m, side="left")
        near[members] = above - below
        most[members] = near[members].max(initial=0)
    return near, most
