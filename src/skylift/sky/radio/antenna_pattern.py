"""Antennas: greatest gain of an aperture, what scanning costs, and what reaches them from the side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.base.units import LIGHT_SPEED_M_PER_S
from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.power import Floats, decibels


def directivity_dbi(diameter_m: npt.ArrayLike, frequency_hz: npt.ArrayLike) -> Floats:
    """Directivity of an evenly lit circular aperture, 20 log10(pi D f / c): no gain is above it."""
    wavelengths = np.asarray(diameter_m, dtype=np.float64) * np.asarray(frequency_hz) / LIGHT_SPEED_M_PER_S
    return np.asarray(20.0 * np.log10(np.pi * wavelengths), dtype=np.float64)


def scan_loss_db(off_boresight_rad: npt.ArrayLike, exponent: float) -> Floats:
    """What a flat phased array loses toward `off_boresight_rad`, any shape: -10 n log10(cos), inf from 90.

    exponent  1 for the projected area alone, 1.2 to 1.5 with the element's pattern; 0 for a steered dish
    """
    if exponent == 0.0:
        return np.zeros(np.shape(off_boresight_rad))
    return -exponent * decibels(np.maximum(np.cos(off_boresight_rad), 0.0))


def off_boresight_rad(
    sites: Sites, site: npt.ArrayLike, elevation_rad: npt.ArrayLike, azimuth_rad: npt.ArrayLike
) -> Floats:
    """Angle between each direction and its site's boresight, (K,); the boresight of the field of view.

    site           int (K,), index into `sites`
    elevation_rad, azimuth_rad  (K,), azimuth from north over east
    """
    at = np.asarray(site)
    flat = np.cos(elevation_rad)
    direction = (
        sites.up[:, at] * np.sin(elevation_rad)
        + sites.north[:, at] * (flat * np.cos(azimuth_rad))
        + sites.east[:, at] * (flat * np.sin(azimuth_rad))
    )
    cosine = np.sum(direction * sites.boresight[:, at], axis=0)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)), dtype=np.float64)
