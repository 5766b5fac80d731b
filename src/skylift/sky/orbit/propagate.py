"""Where every object of a catalogue is: near-Earth objects by our SGP4 kernel, the rest by `sgp4`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import WGS72_A_M
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.earth_orientation import EarthOrientation
from skylift.sky.orbit.ephemeris import ALTITUDE_OUT_OF_RANGE, Ephemeris, Frame
from skylift.sky.orbit.frames import EARTH_SPIN_RAD_PER_S, earth_turns, teme_to_itrs
from skylift.sky.orbit.library_sgp4 import library_states, satrec
from skylift.sky.orbit.propagate_kernel import (
    UNDECIDED,
    long_blocks,
    moving_blocks,
    oval_blocks,
    round_blocks,
)
from skylift.sky.orbit.sgp4_init import is_deep_space, near_earth_rows
from skylift.sky.orbit.sgp4_kernel import BLOCK

# Altitudes (above the equatorial radius of WGS72, as SGP4 has it) between which a near-Earth object is valid.
LOWEST_M, HIGHEST_M = 100e3, 2_000e3
# Mean eccentricities up to which one, and up to which four, Kepler steps are taken; the kernel checks the
# osculating ones itself. J3 alone moves them by 0.0012.
ROUND_BELOW, OVAL_BELOW = 0.015, 0.18

Floats = npt.NDArray[np.float64]
Instants = Sequence[int] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Pack:
    """Blocks of objects that one driver of propagate_kernel propagates; the fields are its arguments."""

    driver: Callable[..., int]
    rows: Floats
    where: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]


def _packed(
    catalogue: Catalogue, members: npt.NDArray[np.intp], driver: Callable[..., int], reference_us: int
) -> _Pack:
    """Cuts blocks of the objects at `members`, which are in the catalogue's order."""
    constants = near_earth_rows(catalogue.take(members), reference_us)
    firsts = np.arange(0, len(members), BLOCK)
    # The last block is filled up by repeating the last object: harmless numbers, and never written out.
    lanes = np.minimum(firsts[:, np.newaxis] + np.arange(BLOCK), len(members) - 1)
    count = np.minimum(len(members) - firsts, BLOCK)
    where = members[lanes].astype(np.int64)
    consecutive = where[:, -1] - where[:, 0] == count - 1
    return _Pack(
        driver=driver,
        rows=np.ascontiguousarray(np.moveaxis(constants[:, lanes], 0, 1)).reshape(len(firsts), -1),
        where=where,
        start=np.where(consecutive, where[:, 0], -1),
        count=count.astype(np.int64),
    )


class Propagator:
    """A catalogue made ready to be propagated; holds the constants, about 260 bytes per object.

    Reading is thread-safe except for deep-space objects, whose records the `sgp4` package changes in use.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.deep_space = is_deep_space(catalogue)
        self._reference_us = int(np.median(catalogue.epoch_us)) if len(catalogue) else 0
        self._records: dict[int, Any] = {}
        near = np.flatnonzero(~self.deep_space)
        kinds = np.searchsorted([ROUND_BELOW, OVAL_BELOW], catalogue.eccentricity[near], side="right")
        self._packs = [
            _packed(catalogue, near[kinds == kind], driver, self._reference_us)
            for kind, driver in enumerate((round_blocks, oval_blocks, long_blocks))
            if np.any(kinds == kind)
        ]

    def __len__(self) -> int:
        return len(self.catalogue)

    def empty(self, instants: int, frame: Frame = "itrs", velocity: bool = False) -> Ephemeris:
        """An ephemeris for `ephemeris(out=...)`, again and again: fresh memory costs as much as SGP4."""
        shape = (instants, 3, len(self))
        return Ephemeris(
            at_us=np.zeros(instants, dtype=np.int64),
            position_ecef_m=np.empty(shape),
            valid=np.empty((instants, len(self)), dtype=np.bool_),
            error=np.empty((instants, len(self)), dtype=np.uint8),
            frame=frame,
            velocity_ecef_m_per_s=np.empty(shape) if velocity else None,
        )

    def ephemeris(
        self,
        at_us: Instants,
        frame: Frame = "itrs",
        earth: EarthOrientation | None = None,
        out: Ephemeris | None = None,
        velocity: bool = False,
    ) -> Ephemeris:
        """Positions at instants (T,), UTC microseconds since 1970; columns in the catalogue's order.

        frame     "itrs" turns with the Earth, "teme" is SGP4's own
        earth     UT1 - UTC and polar motion; None takes UT1 = UTC: off by up to 0.9 s of the Earth's turn,
                  455 m at 550 km over the equator (see earth_orientation)
        out       filled and returned where it has the right shape and frame, else refused
        velocity  with velocities, at a third of the speed
        Error codes: SGP4's 1 to 6; 7 for a near-Earth object outside 100 to 2,000 km. Not valid means nan.
        """
        instants = np.ascontiguousarray(at_us, dtype=np.int64)
        if instants.ndim != 1:
            raise ValueError("instants are a one-dimensional array")
        filled = (
            self.empty(len(instants), frame, velocity)
            if out is None
            else self._checked(out, instants, frame, velocity)
        )
        filled.at_us[:] = instants
        filled.error[:] = 0
        turn, polar = self._turns(instants, frame, earth)
        undecided = self._near_earth(filled, turn, polar)
        if undecided:
            self._settle(filled, turn, polar)
        self._deep(filled, turn, polar)
        np.equal(filled.error, 0, out=filled.valid)
        return filled

    def blocks(
        self,
        at_us: Instants,
        instants_per_block: int,
        frame: Frame = "itrs",
        earth: EarthOrientation | None = None,
        velocity: bool = False,
    ) -> Iterator[Ephemeris]:
        """The same, some instants at a time, in one block's memory: use each before asking for the next."""
        if instants_per_block < 1:
            raise ValueError("a block holds at least one instant")
        instants = np.ascontiguousarray(at_us, dtype=np.int64)
        out: Ephemeris | None = None
        for first in range(0, len(instants), instants_per_block):
            part = instants[first : first + instants_per_block]
            if out is not None and len(part) != len(out.at_us):
                out = None
            out = self.ephemeris(part, frame, earth, out, velocity)
            yield out

    def _checked(
        self, out: Ephemeris, instants: npt.NDArray[np.int64], frame: Frame, velocity: bool
    ) -> Ephemeris:
        right = (
            out.position_ecef_m.shape == (len(instants), 3, len(self))
            and out.frame == frame
            and (out.velocity_ecef_m_per_s is not None) == velocity
        )
        if not right:
            raise Refused(
                "ephemeris.out",
                "the ephemeris to be filled",
                f"it is not for {len(instants)} instants of {len(self)} objects in this frame",
                "make it with Propagator.empty",
            )
        return out

    def _turns(
        self, instants: npt.NDArray[np.int64], frame: Frame, earth: EarthOrientation | None
    ) -> tuple[Floats, Floats]:
        if frame == "teme":
            return np.zeros(len(instants)), np.zeros((len(instants), 0, 3))
        return earth_turns(instants, earth)

    def _near_earth(self, filled: Ephemeris, turn: Floats, polar: Floats) -> int:
        since_us = (filled.at_us - np.int64(self._reference_us)).astype(np.float64)
        moving = filled.velocity_ecef_m_per_s
        spin = EARTH_SPIN_RAD_PER_S if filled.frame == "itrs" else 0.0
        undecided = 0
        for pack in self._packs:
            inputs = (pack.rows, pack.where, pack.start, pack.count, since_us, turn, polar)
            outputs = (filled.position_ecef_m, filled.error)
            if moving is None:
                undecided += int(pack.driver(*inputs, *outputs))
            else:
                undecided += int(moving_blocks(*inputs, *outputs, spin, moving))
        return undecided

    def _settle(self, filled: Ephemeris, turn: Floats, polar: Floats) -> None:
        """Asks the package about the entries on which the kernel did not commit itself."""
        open_entries = filled.error == UNDECIDED
        for index in np.flatnonzero(open_entries.any(axis=0)):
            self._fill_from_library(filled, int(index), np.flatnonzero(open_entries[:, index]), turn, polar)

    def _deep(self, filled: Ephemeris, turn: Floats, polar: Floats) -> None:
        every = np.arange(len(filled.at_us))
        for index in np.flatnonzero(self.deep_space):
            self._fill_from_library(filled, int(index), every, turn, polar)

    def _fill_from_library(
        self,
        filled: Ephemeris,
        index: int,
        instants: npt.NDArray[np.intp],
        turn: Floats,
        polar: Floats,
    ) -> None:
        if index not in self._records:
            self._records[index] = satrec(self.catalogue, index)
        error, position, velocity = library_states(
            self._records[index], int(self.catalogue.epoch_us[index]), filled.at_us[instants]
        )
        error = np.asarray(error, dtype=np.uint8)
        if not self.deep_space[index]:
            altitude_m = np.linalg.norm(position, axis=1) - WGS72_A_M
            inside = (altitude_m > LOWEST_M) & (altitude_m < HIGHEST_M)
            error = np.where((error == 0) & ~inside, ALTITUDE_OUT_OF_RANGE, error).astype(np.uint8)
        if filled.frame == "itrs":
            p, v = teme_to_itrs(
                position[:, :, np.newaxis], velocity[:, :, np.newaxis], turn[instants], polar[instants]
            )
            position, velocity = p[:, :, 0], v[:, :, 0]
        faulty = error != 0
        position[faulty] = np.nan
        velocity[faulty] = np.nan
        filled.error[instants, index] = error
        filled.position_ecef_m[instants, :, index] = position
        if filled.velocity_ecef_m_per_s is not None:
            filled.velocity_ecef_m_per_s[instants, :, index] = velocity
