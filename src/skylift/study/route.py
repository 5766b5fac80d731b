"""Routes between two sites over time: where they run, how long light takes, and when they change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.geodesy import Place
from skylift.base.units import US_PER_S
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.constellation import Constellation
from skylift.sky.orbit.propagate import Propagator
from skylift.sky.orbit.walker import generate
from skylift.sky.routing.delay import DelayTerms, fibre_us
from skylift.sky.routing.grid import LaserPattern, plus_grid
from skylift.sky.routing.ground import Gateway
from skylift.sky.routing.lasers import LaserRules, laser_hops
from skylift.sky.routing.matcher import LaserMatcher
from skylift.sky.routing.routes import (
    EARTH_MODELS,
    NO_ROUTE,
    EarthModel,
    Ground,
    GroundLink,
    Route,
    best_route,
)

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# Positions are computed for this many instants at a time: 12,000 satellites then take 18 MB.
INSTANTS_PER_BLOCK = 64
MOST_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class RouteCase:
    """What a route is asked of.

    neighbour  int32 (N, 4): lasers of a regular grid; None: matched as flown, slot by slot
    lasers     False: bent-pipe only, both ends under one satellite
    gateways   where there are some, the far end is reached over one of them and fibre, not from the sky
    terms      added to the light time; None: propagation only
    """

    catalogue: Catalogue
    neighbour: Ints | None = None
    lasers: bool = True
    rules: LaserRules = field(default_factory=LaserRules)
    ground: GroundLink = field(default_factory=GroundLink)
    earth: EarthModel = field(default_factory=EarthModel)
    gateways: tuple[Gateway, ...] = ()
    terms: DelayTerms | None = None


@dataclass(frozen=True, slots=True)
class RouteStep:
    """One instant. delay_us is None, hops 0 and path empty where there is no route.

    hops     links on the way, those to and from the ground included: one more than satellites
    path     satellites as indices into the catalogue
    changed  whether the path, or that there is one, differs from the step before; False at the first
    gateway  index into the gateways; -1 where there are none
    """

    at_us: int
    delay_us: float | None
    hops: int
    path: tuple[int, ...]
    changed: bool
    gateway: int = -1


def case_of(made: Constellation, start_us: int) -> RouteCase:
    """The case that a constellation file describes, its satellites in the file's order.

    start_us  the epoch, where the file gives none
    """
    defaults = LaserRules()
    latitude_rad = made.cross_plane_maximum_latitude_rad
    # Fewer than two lasers make no grid.
    lasers = made.lasers_per_satellite >= 2 and made.laser_pattern != LaserPattern.NONE.value
    per_satellite = min(max(made.lasers_per_satellite, 2), 4)
    rules = LaserRules(
        per_satellite=per_satellite,
        max_range_m=made.laser_maximum_range_m or defaults.max_range_m,
        cross_plane_max_latitude_deg=90.0 if latitude_rad is None else math.degrees(latitude_rad),
    )
    ground = GroundLink()
    if made.maximum_slant_range_m is not None:
        ground = GroundLink(None, made.maximum_slant_range_m)
    elif made.minimum_elevation_rad is not None:
        ground = GroundLink(math.degrees(made.minimum_elevation_rad))
    if made.earth_radius_m is not None:
        earth = EarthModel(made.earth_radius_m, 0.0)
    else:
        earth = EARTH_MODELS[made.earth_model]
    return RouteCase(
        catalogue=generate(made.shells, start_us if made.epoch_us is None else made.epoch_us),
        neighbour=plus_grid(made.shells, LaserPattern(made.laser_pattern), per_satellite),
        lasers=lasers,
        rules=rules,
        ground=ground,
        earth=earth,
    )


def instants(start_us: int, duration_us: int, step_us: int) -> range:
    """The instants of a study: start, start + step, ... below start + duration; the start alone for 0."""
    if step_us <= 0:
        raise Refused("route.step", "step", "it must be longer than nothing", "give seconds, such as 15")
    if duration_us < 0:
        raise Refused("route.duration", "duration", "it must not be negative", "give seconds, such as 600")
    at = range(start_us, start_us + max(duration_us, 1), step_us)
    if len(at) > MOST_STEPS:
        raise Refused(
            "route.steps",
            f"{len(at):,} steps",
            f"at most {MOST_STEPS:,} are computed at once",
            "take a longer step or a shorter duration",
        )
    return at


def routes(
    case: RouteCase, start: Place, end: Place, at: range, done: Callable[[int], None] = lambda steps: None
) -> Iterator[RouteStep]:
    """The best route at each instant, in order; `done` is told how many steps more are finished."""
    sky = _SkyOfCase(case, at)
    near = Ground(start, case.ground, case.earth)
    far = _Ends(case, end)
    before: tuple[int, ...] | None = None
    for block in Propagator(case.catalogue).blocks(
        np.asarray(at, dtype=np.int64), INSTANTS_PER_BLOCK, velocity=sky.wants_velocity
    ):
        for k, at_us in enumerate(block.at_us.tolist()):
            position, valid = block.position_ecef_m[k], block.valid[k]
            velocity = None if block.velocity_ecef_m_per_s is None else block.velocity_ecef_m_per_s[k]
            starts_us = near.legs_us(position, valid)
            ends_us = far.legs_us(position, valid)
            route = NO_ROUTE
            neighbour, hop_us = sky.lasers(at_us, position, velocity, valid)
            if np.isfinite(starts_us).any():
                route = best_route(neighbour, hop_us, starts_us, ends_us)
            step = _step(case, at_us, route)
            yield replace(step, changed=before is not None and before != (*step.path, step.gateway))
            before = (*step.path, step.gateway)
            done(1)


def _step(case: RouteCase, at_us: int, route: Route) -> RouteStep:
    if route is NO_ROUTE:
        return RouteStep(at_us, None, 0, (), False)
    added_us = 0.0
    if case.terms is not None:
        added_us = case.terms.added_up_us
        if not case.gateways:
            # Two terminals: the one at the far end receives.
            added_us += case.terms.added_down_us
    path = tuple(route.path.tolist())
    gateway = route.end if case.gateways else -1
    return RouteStep(at_us, route.delay_us + added_us, len(path) + 1, path, False, gateway)


class _Ends:
    """Where the sky may be left, and what lies behind: the far site, or gateways and their fibre to it."""

    def __init__(self, case: RouteCase, end: Place) -> None:
        self._grounds = [Ground(end, case.ground, case.earth)]
        self._fibre_us = [0.0]
        if case.gateways:
            terms = case.terms or DelayTerms()
            self._grounds = [
                Ground(
                    g.place, replace(case.ground, minimum_elevation_deg=g.minimum_elevation_deg), case.earth
                )
                for g in case.gateways
            ]
            self._fibre_us = [fibre_us(g.place, end, terms) for g in case.gateways]

    def legs_us(self, position: Floats, valid: npt.NDArray[np.bool_]) -> list[Floats]:
        pairs = zip(self._grounds, self._fibre_us, strict=True)
        return [ground.legs_us(position, valid) + fibre for ground, fibre in pairs]


class _SkyOfCase:
    """The lasers at each instant: of a grid, matched, or none."""

    def __init__(self, case: RouteCase, at: range) -> None:
        self._rules = case.rules
        count = len(case.catalogue)
        self._none = np.full((count, 1), -1, dtype=np.int32), np.full((count, 1), np.inf)
        self._neighbour = case.neighbour if case.lasers else self._none[0]
        self._matcher = LaserMatcher(case.rules) if case.lasers and case.neighbour is None else None
        self._lasers = case.lasers
        if self._matcher is not None and at.step > 60 * US_PER_S:
            raise Refused(
                "route.step",
                "step",
                "lasers matched as flown are followed in steps of at most 60 s",
                "take a shorter step, or --no-lasers",
            )

    @property
    def wants_velocity(self) -> bool:
        return self._matcher is not None

    def lasers(
        self, at_us: int, position: Floats, velocity: Floats | None, valid: npt.NDArray[np.bool_]
    ) -> tuple[Ints, Floats]:
        if not self._lasers:
            return self._none
        neighbour = self._neighbour
        if self._matcher is not None:
            assert velocity is not None
            neighbour = self._matcher.step(at_us, position, velocity, valid)
        assert neighbour is not None
        return neighbour, laser_hops(neighbour, position, self._rules, valid)
