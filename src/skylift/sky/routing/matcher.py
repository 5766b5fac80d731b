"""Lasers of a real catalogue, which is no regular grid: who points at whom, and since when.

Links are kept for as long as the rules allow. Free lasers look for partners once a minute: first the next
satellite along the same plane, then, to the east and to the west, the one in another plane that stays nearest
over the next half orbit, then on any side, and at last for some minutes only: these links join the shells.
A new link carries after its acquisition time.

The real network's plan is not published. What it is measured by here: SpaceX said in January 2024 that some
9,000 lasers made 266,141 acquisitions a day (SPIE Photonics West, as reported by PCMag), about 30 per laser.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skylift.base.units import RAD_PER_DEG, US_PER_S
from skylift.sky.orbit.frames import EARTH_SPIN_RAD_PER_S
from skylift.sky.routing import matcher_kernel as kernel
from skylift.sky.routing import matcher_parts_kernel as parts
from skylift.sky.routing.lasers import FIRST_CROSS_PLANE, LaserRules, geometry

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Free lasers look for partners this often. Assumed.
PLAN_EVERY_US = 60 * US_PER_S
# Satellites whose planes are less than this apart count as one plane. Planes of the shells flown stand 4 to 8
# degrees apart, satellites of a plane within 0.1 (measured on catalogues of 2021 to 2026).
COPLANAR_RAD = 1.0 * RAD_PER_DEG
# Where the distance to a possible partner is looked at, in turns of an orbit from now: the first NEAR_TURNS
# for links that bridge shells and last some minutes, all of them for links that stay.
LOOK_AHEAD_TURNS = np.array([0.0, 0.0625, 0.125, 0.25, 0.375])
NEAR_TURNS = 2
# How far a partner is looked for, in mean distances between satellites, but at least LEAST_REACH_M.
REACH_IN_SPACINGS = 6.0
LEAST_REACH_M = 1_000_000.0
PARTNERS = 8
ROUNDS = 3

# Modes of the kernel.
IN_PLANE, TO_THE_EAST, ANYWHERE = 0, 1, 2


class LaserMatcher:
    """Who points at whom, slot after slot. The same steps from the same state give the same links."""

    def __init__(self, rules: LaserRules) -> None:
        self.rules = rules
        self._neighbour: Ints | None = None
        self._carries_from_us = np.zeros((0, 4), dtype=np.int64)
        self._plan_at_us = 0

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that the next step depends on, as arrays: for a checkpoint."""
        neighbour = np.zeros((0, 4), dtype=np.int32) if self._neighbour is None else self._neighbour
        return {
            "neighbour": neighbour.copy(),
            "carries_from_us": self._carries_from_us.copy(),
            "plan_at_us": np.array([self._plan_at_us], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, rules: LaserRules, state: Mapping[str, npt.NDArray[np.generic]]) -> LaserMatcher:
        """A matcher that goes on where another's `state()` was taken."""
        made = cls(rules)
        neighbour = np.array(state["neighbour"], dtype=np.int32)
        if len(neighbour):
            made._neighbour = neighbour
        made._carries_from_us = np.array(state["carries_from_us"], dtype=np.int64)
        made._plan_at_us = int(np.asarray(state["plan_at_us"], dtype=np.int64)[0])
        return made

    def step(
        self,
        at_us: int,
        position_ecef_m: Floats,
        velocity_ecef_m_per_s: Floats,
        working: Flags | None = None,
        laser_working: Flags | None = None,
    ) -> Ints:
        """The links that carry at `at_us`: int32 (N, 4), mutual, -1 for none.

        Columns as in a +grid: ahead, behind, and from FIRST_CROSS_PLANE on to other planes.

        position_ecef_m        (3, N); a satellite without a position (nan) has no links
        velocity_ecef_m_per_s  (3, N), Earth-fixed; the difference of two positions over a slot will do
        working                bool (N,): False for failed satellites, and for those that have no lasers
        laser_working          bool (N, 4): False for failed lasers

        Steps go forward in time. At the first one the network is taken as already running: its links carry
        at once.
        """
        count = position_ecef_m.shape[1]
        position = np.ascontiguousarray(position_ecef_m)
        works = np.ones(count, dtype=np.bool_) if working is None else working
        lasers = np.ones((count, 4), dtype=np.bool_) if laser_working is None else laser_working
        first = self._neighbour is None
        if self._neighbour is None:
            self._neighbour = np.full((count, 4), -1, dtype=np.int32)
            self._carries_from_us = np.zeros((count, 4), dtype=np.int64)
        elif len(self._neighbour) != count:
            raise ValueError("the number of satellites must not change between steps")
        shape = geometry(self.rules)
        kernel.drop(self._neighbour, position, works, lasers, FIRST_CROSS_PLANE, *shape)
        if first or at_us >= self._plan_at_us:
            wait_us = 0 if first else round(self.rules.acquisition_s * US_PER_S)
            self._plan(position, np.ascontiguousarray(velocity_ecef_m_per_s), works, lasers, at_us + wait_us)
            self._plan_at_us = (at_us // PLAN_EVERY_US + 1) * PLAN_EVERY_US
        return np.where(self._carries_from_us <= at_us, self._neighbour, np.int32(-1))

    def _plan(self, position: Floats, velocity: Floats, works: Flags, lasers: Flags, from_us: int) -> None:
        normal, forward = np.empty_like(position), np.empty_like(position)
        ahead = np.empty((len(LOOK_AHEAD_TURNS), *position.shape))
        angle = 2.0 * math.pi * LOOK_AHEAD_TURNS
        parts.orbits(
            position, velocity, EARTH_SPIN_RAD_PER_S, np.cos(angle), np.sin(angle), normal, forward, ahead
        )
        found = (position, normal, forward, ahead)
        planes = _cells(normal, 2.0 * math.sin(COPLANAR_RAD / 2.0))
        self._match(IN_PLANE, planes, found, (works, lasers), (0.0, from_us))
        if self.rules.per_satellite > FIRST_CROSS_PLANE:
            reach_m = self._reach_m(position)
            places = _cells(position, reach_m)
            self._match(TO_THE_EAST, places, found, (works, lasers), (reach_m, from_us))
            self._match(ANYWHERE, places, found, (works, lasers), (reach_m, from_us))
            near = (position, normal, forward, ahead[:NEAR_TURNS])
            self._match(ANYWHERE, places, near, (works, lasers), (reach_m, from_us))

    def _reach_m(self, position: Floats) -> float:
        squared = np.einsum("in,in->n", position, position)
        known = squared[np.isfinite(squared)]
        if len(known) == 0:
            return LEAST_REACH_M
        spacing_m = math.sqrt(4.0 * math.pi * float(known.mean()) / len(known))
        return min(self.rules.max_range_m, max(LEAST_REACH_M, REACH_IN_SPACINGS * spacing_m))

    def _match(
        self,
        mode: int,
        cells: tuple[npt.NDArray[np.int64], npt.NDArray[np.intp], npt.NDArray[np.int64]],
        found: tuple[Floats, Floats, Floats, Floats],
        working: tuple[Flags, Flags],
        limits: tuple[float, int],
    ) -> None:
        """Link free lasers, best pairs first; whoever loses a partner to another asks again."""
        assert self._neighbour is not None
        works, lasers = working
        reach_m, from_us = limits
        count, per_satellite = len(self._neighbour), self.rules.per_satellite
        best = np.empty((count, PARTNERS))
        partner = np.empty((count, PARTNERS), dtype=np.int32)
        for _ in range(ROUNDS):
            kernel.candidates(
                mode,
                *cells,
                self._neighbour,
                lasers,
                works,
                *found,
                math.cos(COPLANAR_RAD),
                reach_m,
                per_satellite,
                FIRST_CROSS_PLANE,
                *geometry(self.rules),
                best,
                partner,
            )
            first, slot = np.nonzero(partner >= 0)
            # Stable: among equal scores the lower numbers come first.
            order = np.argsort(best[first, slot], kind="stable")
            pairs = (first[order].astype(np.int32), partner[first, slot][order])
            linked = parts.accept(
                mode, *pairs, self._neighbour, self._carries_from_us, from_us, lasers, per_satellite
            )
            if linked == 0:
                break


def _cells(
    points: Floats, size: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Key of each point's cube, the order that sorts them, and the sorted keys."""
    keys = np.empty(points.shape[1], dtype=np.int64)
    parts.cell_keys(points, size, keys)
    order = np.argsort(keys, kind="stable")
    return keys, order, keys[order]
