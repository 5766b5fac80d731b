"""Interference and jamming: chains of carrier-to-interference ratios, and J/S by satellite and place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.sky.radio.power import Floats, decibels, power_ratio


def combined_db(*ratios_db: npt.ArrayLike) -> Floats:
    """One carrier-to-everything ratio from several, in dB; any shapes that broadcast. inf: no disturbance.

    Powers add: 1/r = 1/r1 + 1/r2 + ... (noise, adjacent channel, adjacent satellite, cross polarisation,
    intermodulation, other beams).
    """
    total = np.zeros(np.broadcast_shapes(*(np.shape(ratio) for ratio in ratios_db)))
    for ratio_db in ratios_db:
        total = total + power_ratio(-np.asarray(ratio_db, dtype=np.float64))
    return -decibels(total)
