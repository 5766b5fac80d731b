"""Blocks of satellites through SGP4 at many instants, and their results put where they belong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from skylift.sky.orbit.sgp4_kernel import (
    BLOCK,
    CODE,
    SCRATCH_ROWS,
    UNSURE,
    VX,
    long_block,
    moving_block,
    oval_block,
    round_block,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# What an object's error is while the `sgp4` package has yet to decide.
UNDECIDED = 255


@njit(cache=True)
def _turn(scratch: Floats, first: int, matrix: Floats) -> None:
    """Turns the vectors in rows first, first + 1, first + 2 by a (3, 3) matrix."""
    for i in range(BLOCK):
        x = scratch[first * BLOCK + i]
        y = scratch[(first + 1) * BLOCK + i]
        z = scratch[(first + 2) * BLOCK + i]
        scratch[first * BLOCK + i] = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z
        scratch[(first + 1) * BLOCK + i] = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z
        scratch[(first + 2) * BLOCK + i] = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z


@njit(cache=True)
def _put(scratch: Floats, first: int, where: Ints, start: int, count: int, out: Floats) -> None:
    """Copies three rows of the scratch to out (3, N), in one piece where the satellites stand in one."""
    if start >= 0:
        for k in range(3):
            row, base = out[k, start : start + count], (first + k) * BLOCK
            for i in range(count):
                row[i] = scratch[base + i]
    else:
        for k in range(3):
            row, base = out[k], (first + k) * BLOCK
            for i in range(count):
                row[where[i]] = scratch[base + i]


@njit(cache=True)
def _note(scratch: Floats, where: Ints, count: int, position: Floats, error: npt.NDArray[np.uint8]) -> int:
    """Writes the codes of a block in which some are not 0, and nan for these; how many are undecided."""
    undecided = 0
    for i in range(count):
        code = scratch[CODE * BLOCK + i]
        if code != 0.0:
            undecided += code == UNSURE
            error[where[i]] = UNDECIDED if code == UNSURE else int(code)
            position[:, where[i]] = np.nan
    return undecided


@njit(cache=True)
def _finish(
    scratch: Floats,
    where: Ints,
    start: int,
    count: int,
    polar: Floats,
    position: Floats,
    error: npt.NDArray[np.uint8],
) -> int:
    """Polar motion, where there is any, and the results of one block at one instant to their places."""
    if len(polar) > 0:
        _turn(scratch, 0, polar)
    _put(scratch, 0, where, start, count, position)
    faulty = 0
    for i in range(BLOCK):
        faulty |= scratch[CODE * BLOCK + i] != 0.0
    return _note(scratch, where, count, position, error) if faulty else 0


# One driver per kind of orbit, and one for velocities: only what a catalogue needs is compiled, which takes
# seconds. All fill position (T, 3, N) m and error (T, N), which is 0 before, and return how many entries are
# undecided.
#
# rows       (B, rows x BLOCK)    constants, see `sgp4_init.near_earth_rows`
# where      (B, BLOCK)           the satellites' columns in the output
# start      (B,)                 first column where they are consecutive, else -1
# count      (B,)                 satellites in the block; the rest of it is padding
# at_us, turn, polar  (T,), (T,), (T, 3, 3) or (T, 0, 3) without polar motion; see `frames.earth_turns`


@njit(cache=True)
def round_blocks(
    rows: Floats,
    where: Ints,
    start: Ints,
    count: Ints,
    at_us: Floats,
    turn: Floats,
    polar: Floats,
    position: Floats,
    error: npt.NDArray[np.uint8],
) -> int:
    """Eccentricities up to 0.02."""
    scratch = np.zeros(SCRATCH_ROWS * BLOCK)
    undecided = 0
    for b in range(len(rows)):
        for k in range(len(at_us)):
            round_block(rows[b], scratch, at_us[k], turn[k])
            undecided += _finish(scratch, where[b], start[b], count[b], polar[k], position[k], error[k])
    return undecided


@njit(cache=True)
def oval_blocks(
    rows: Floats,
    where: Ints,
    start: Ints,
    count: Ints,
    at_us: Floats,
    turn: Floats,
    polar: Floats,
    position: Floats,
    error: npt.NDArray[np.uint8],
) -> int:
    """Eccentricities up to 0.2."""
    scratch = np.zeros(SCRATCH_ROWS * BLOCK)
    undecided = 0
    for b in range(len(rows)):
        for k in range(len(at_us)):
            oval_block(rows[b], scratch, at_us[k], turn[k])
            undecided += _finish(scratch, where[b], start[b], count[b], polar[k], position[k], error[k])
    return undecided


@njit(cache=True)
def long_blocks(
    rows: Floats,
    where: Ints,
    start: Ints,
    count: Ints,
    at_us: Floats,
    turn: Floats,
    polar: Floats,
    position: Floats,
    error: npt.NDArray[np.uint8],
) -> int:
    """Eccentricities up to 0.75."""
    scratch = np.zeros(SCRATCH_ROWS * BLOCK)
    undecided = 0
    for b in range(len(rows)):
        for k in range(len(at_us)):
            long_block(rows[b], scratch, at_us[k], turn[k])
            undecided += _finish(scratch, where[b], start[b], count[b], polar[k], position[k], error[k])
    return undecided


@njit(cache=True)
def moving_blocks(
    rows: Floats,
    where: Ints,
    start: Ints,
    count: Ints,
    at_us: Floats,
    turn: Floats,
    polar: Floats,
    position: Floats,
    error: npt.NDArray[np.uint8],
    spin: float,
    velocity: Floats,
) -> int:
    """Any eccentricity, with velocities (T, 3, N) m/s; `spin` is the frame's rate of turn (rad/s)."""
    scratch = np.zeros(SCRATCH_ROWS * BLOCK)
    undecided = 0
    for b in range(len(rows)):
        for k in range(len(at_us)):
            moving_block(rows[b], scratch, at_us[k], turn[k])
            for i in range(BLOCK):
                scratch[VX * BLOCK + i] += spin * scratch[BLOCK + i]
                scratch[(VX + 1) * BLOCK + i] -= spin * scratch[i]
            undecided += _finish(scratch, where[b], start[b], count[b], polar[k], position[k], error[k])
            if len(polar[k]) > 0:
                _turn(scratch, VX, polar[k])
            _put(scratch, VX, where[b], start[b], count[b], velocity[k])
            for i in range(count[b]):
                if error[k, where[b, i]] != 0:
                    velocity[k, :, where[b, i]] = np.nan
    return undecided
