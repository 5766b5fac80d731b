"""Visible pairs of 12,000 satellites and 10,000 sites on one core, against brute force in NumPy.

The shells are those of starlink-12k, turned by angles of the seed; the sites are spread evenly on Earth.
Errors are taken on the timed output: satellites missing or too many (degrees, as 90 each), elevation and
azimuth against brute force, separation from the geostationary arc against a dense sampling of the arc for
every 500th pair. One thread: CPU time is what an idle core takes, whatever else the machine does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.harness import Case, Result
from skylift.base.geodesy import Place
from skylift.base.randomness import random_stream
from skylift.base.units import GEOSTATIONARY_RADIUS_M, WGS72_A_M

Floats = npt.NDArray[np.float64]

SITES = 10_000
FLOOR_DEG = 25.0
# (planes, satellites in each, km, degrees): FCC SAT-MOD-20200417-00037 and SAT-LOA-20170301-00027 (three
# V-band shells of 2,493, 2,478 and 2,547 satellites; their planes are taken as 277, 59 and 283).
SHELLS = (
    (72, 22, 550.0, 53.0), (72, 22, 540.0, 53.2), (36, 20, 570.0, 70.0), (6, 58, 560.0, 97.6),
    (4, 43, 560.0, 97.6), (277, 9, 335.9, 42.0), (59, 42, 340.8, 48.0), (283, 9, 345.6, 53.0),
)  # fmt: skip
# Sites of a twin: 1,000 terminals of one country and a slot of three instants.
TERMINALS = 1_000


@dataclass(frozen=True, slots=True)
class Input:
    """position_m (3 instants, 3, N), 7.5 s apart; finders for the world and for a country."""

    position_m: Floats
    world: Any
    country: Any


@cache
def build(seed: int) -> Input:
    from skylift.sky.coverage.sites import AntennaModel, sites_of
    from skylift.sky.coverage.usable import UsableFinder
    from skylift.sky.coverage.visible import PairFinder

    random = random_stream(seed, "bench/coverage")
    position_m = np.concatenate([_shell(random, *shell) for shell in SHELLS], axis=2)
    latitude = np.degrees(np.arcsin(random.uniform(-1, 1, SITES)))
    plain = AntennaModel("plain", "", minimum_elevation_deg=FLOOR_DEG)
    dish = AntennaModel(
        "dish",
        "",
        FLOOR_DEG,
        24.0,
        0.0,
        field_of_view_deg=50.0,
        arc_separation_deg=18.0,
        tilt_toward_pole=True,
    )
    world = [Place(a, b) for a, b in zip(latitude, random.uniform(-180, 180, SITES), strict=True)]
    country = [
        Place(a, b)
        for a, b in zip(random.uniform(44, 52, TERMINALS), random.uniform(22, 40, TERMINALS), strict=True)
    ]
    return Input(
        position_m,
        PairFinder(sites_of(world, [plain] * SITES)),
        UsableFinder(sites_of(country, [dish] * TERMINALS)),
    )


def _shell(
    random: np.random.Generator, planes: int, each: int, altitude_km: float, inclination_deg: float
) -> Floats:
    """Circles, (3 instants, 3, planes * each): geometry alone, so that propagation is not in the figure."""
    node = np.repeat(np.arange(planes), each) * 2 * np.pi / planes + random.uniform(0, 2 * np.pi)
    along = np.tile(np.arange(each), planes) * 2 * np.pi / each + 0.3 * node + random.uniform(0, 2 * np.pi)
    tilt = np.radians(inclination_deg)
    instants = []
    for step in range(3):
        # 0.49 degrees along the orbit in 7.5 s at 500 km.
        u = along + np.radians(0.49) * step
        x = np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * np.cos(tilt)
        y = np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * np.cos(tilt)
        instants.append((WGS72_A_M + altitude_km * 1e3) * np.stack([x, y, np.sin(u) * np.sin(tilt)]))
    return np.stack(instants)


def brute(position_m: Floats, sites: Any) -> list[tuple[npt.NDArray[np.int64], Floats, Floats, Floats]]:
    """Satellite, elevation, azimuth and range of every site's pairs: sines of all, the rest for the few."""
    answer = []
    floor = np.sin(np.radians(FLOOR_DEG))
    size2 = np.einsum("jn,jn->n", position_m, position_m)
    for m in range(len(sites)):
        site_m, up = sites.position_ecef_m[:, m], sites.up[:, m]
        distance = np.sqrt(size2 - 2.0 * (site_m @ position_m) + site_m @ site_m)
        seen = np.flatnonzero(up @ position_m - up @ site_m >= floor * distance)
        to = position_m[:, seen] - site_m[:, np.newaxis]
        east, north, high = sites.east[:, m] @ to, sites.north[:, m] @ to, up @ to
        range_m = np.sqrt(np.einsum("jn,jn->n", to, to))
        azimuth = np.mod(np.arctan2(east, north), 2 * np.pi)
        answer.append((seen, np.arctan2(high, np.hypot(east, north)), azimuth, range_m))
    return answer


def error_deg(ours: Any, theirs: Any) -> float:
    """Greatest error of the angles in degrees; a satellite missing or too many counts 90."""
    worst = 0.0
    for m, (seen, elevation, azimuth, range_m) in enumerate(theirs):
        mine = slice(ours.site_offset[m], ours.site_offset[m + 1])
        if not np.array_equal(ours.satellite[mine], seen):
            return 90.0
        if not np.allclose(ours.range_m[mine], range_m, rtol=1e-12):
            return 90.0
        turned = np.abs(np.mod(ours.azimuth_rad[mine] - azimuth + np.pi, 2 * np.pi) - np.pi) * np.cos(
            elevation
        )
        worst = max(
            worst,
            float(np.abs(ours.elevation_rad[mine] - elevation).max(initial=0.0)),
            float(turned.max(initial=0.0)),
        )
    return float(np.degrees(worst))


def arc_error_deg(ours: Any, given: Input) -> float:
    """Error of every 500th separation against the arc sampled every 0.002 degrees of longitude."""
    sites = given.world.sites
    longitude = np.radians(np.arange(-90.0, 90.0, 0.002))
    site_of = np.repeat(np.arange(len(sites)), np.diff(ours.site_offset))
    worst = 0.0
    for k in range(0, len(ours), 500):
        m = site_of[k]
        site_m = sites.position_ecef_m[:, m]
        there = longitude + sites.longitude_rad[m]
        arc = (
            GEOSTATIONARY_RADIUS_M * np.stack([np.cos(there), np.sin(there), 0 * there])
            - site_m[:, np.newaxis]
        )
        arc = arc[:, sites.up[:, m] @ arc >= 0]
        to = given.position_m[0][:, ours.satellite[k]] - site_m
        want = np.pi
        if arc.shape[1]:
            cosine = to @ arc / (np.linalg.norm(to) * np.linalg.norm(arc, axis=0))
            want = np.arccos(np.clip(cosine.max(), -1, 1))
        worst = max(worst, abs(float(ours.arc_rad[k]) - want))
    return float(np.degrees(worst))


def cases(seed: int) -> list[Case]:
    def compare(ours: Any, theirs: Any) -> float:
        given = build(seed)
        # Elevation and azimuth are held to a tenth of the arc's bound.
        return max(10.0 * error_deg(ours, theirs), arc_error_deg(ours, given))

    def fast(result: Result) -> bool:
        return result.ours.cpu_s <= 0.040 and result.max_error is not None and result.max_error <= 0.01

    return [
        Case(
            id="visible-pairs",
            ours=lambda: build(seed).world.find(build(seed).position_m[0]),
            peer=lambda: brute(build(seed).position_m[0], build(seed).world.sites),
            peer_name="numpy, brute force, without the arc",
            peer_version=version("numpy"),
            compare=compare,
            limit="<= 40 ms of one core; arc within 0.01 degrees, elevation and azimuth within 0.001",
            ok=fast,
            seed=seed,
            prepare=lambda: _warm(seed),
            work=SITES,
            unit="sites",
        ),
        Case(
            id="usable-pairs",
            ours=lambda: build(seed).country.find(build(seed).position_m),
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit="<= 10 ms of one core: a tenth of what the twin has for a slot",
            ok=lambda result: result.ours.cpu_s <= 0.010,
            seed=seed,
            prepare=lambda: _warm(seed),
            work=TERMINALS,
            unit="terminals",
        ),
    ]


def _warm(seed: int) -> None:
    """Compiles, and lets the finders grow their arrays."""
    given = build(seed)
    given.world.find(given.position_m[0])
    given.country.find(given.position_m)
