"""Positions of a catalogue at instants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Ephemeris:
    """Earth-fixed positions of N objects at T instants.

    at_us            int64 (T,)
    position_ecef_m  float64 (T, 3, N); nan where not valid
    valid            bool (T, N): SGP4 error 0, and altitude 100-2,000 km for a near-earth object
    error            uint8 (T, N): SGP4's error code (0 none, 1-6), 7 for an altitude out of range
    """

    at_us: npt.NDArray[np.int64]
    position_ecef_m: npt.NDArray[np.float64]
    valid: npt.NDArray[np.bool_]
    error: npt.NDArray[np.uint8]
