"""Look: where everything is, and who can use whom. Pure; any slot can be looked at by any process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.coverage.usable import UsableFinder, UsablePairs
from skylift.sky.orbit.propagate import Propagator
from skylift.twin.world import World, working_at


@dataclass(frozen=True, slots=True)
class Sky:
    """One slot's geometry.

    position_start_m, ..._mid_m, ..._end_m  (3, N) Earth-fixed, nan where a satellite has no valid position
    users, gateways                   pairs that hold at slot start, middle and end
    any_valid                         whether the catalogue has any valid position at all
    """

    at_us: int
    position_start_m: npt.NDArray[np.float64]
    position_mid_m: npt.NDArray[np.float64]
    position_end_m: npt.NDArray[np.float64]
    users: UsablePairs
    gateways: UsablePairs

    @property
    def any_valid(self) -> bool:
        return bool(np.isfinite(self.position_start_m[0]).any())


class Observatory:
    """What `look` builds once per process: initialised orbits and sites."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._propagator = Propagator(world.catalogue)
        self._users = UsableFinder(world.terminal_sites())
        self._gateways = UsableFinder(world.gateway_sites())

    def renew(self, world: World) -> None:
        """The same world with other terminals, from the next sky on, also of a look that has begun."""
        self.world = world
        self._users = UsableFinder(world.terminal_sites())

    def look(self, slot_starts_us: Sequence[int]) -> Iterator[Sky]:
        """The sky of consecutive slots (each begins where the one before ends)."""
        half_us = self.world.slots.length_us // 2
        if len(slot_starts_us) == 0:
            return
        edges = [at + step for at in slot_starts_us for step in (0, half_us)]
        edges.append(slot_starts_us[-1] + 2 * half_us)
        positions = self._propagator.ephemeris(
            np.array(edges, dtype=np.int64), frame="itrs", earth=self.world.earth
        ).position_ecef_m
        for i, at_us in enumerate(slot_starts_us):
            three = positions[2 * i : 2 * i + 3]
            working = working_at(self.world, at_us)
            yield Sky(
                at_us=at_us,
                position_start_m=three[0],
                position_mid_m=three[1],
                position_end_m=three[2],
                users=self._users.find(three, working.satellites),
                gateways=self._gateways.find(three, working.satellites),
            )
