"""Positions of a catalogue at instants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

# TEME is SGP4's own frame, true equator and mean equinox of date; ITRS turns with the Earth.
Frame = Literal["itrs", "teme"]

# Beyond SGP4's own codes 1 to 6.
ALTITUDE_OUT_OF_RANGE = 7


@dataclass(frozen=True, slots=True)
class Ephemeris:
    """Earth-fixed positions of N objects at T instants.

    at_us            int64 (T,)
    position_ecef_m  float64 (T, 3, N); nan where not valid. In TEME instead where `frame` says so
    valid            bool (T, N): SGP4 error 0, and altitude 100-2,000 km for a near-earth object
    error            uint8 (T, N): SGP4's error code (0 none, 1-6), 7 for an altitude out of range
    frame            the frame of positions and velocities
    velocity_ecef_m_per_s  (T, 3, N), relative to that frame, nan where not valid; None unless asked for
    """

    at_us: npt.NDArray[np.int64]
    position_ecef_m: npt.NDArray[np.float64]
    valid: npt.NDArray[np.bool_]
    error: npt.NDArray[np.uint8]
    frame: Frame = "itrs"
    velocity_ecef_m_per_s: npt.NDArray[np.float64] | None = None
