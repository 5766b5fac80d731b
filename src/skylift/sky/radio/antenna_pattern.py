"""Antennas: greatest gain of an aperture, what scanning costs, and what reaches them from the side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.base.units import DEG_PER_RAD, LIGHT_SPEED_M_PER_S
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
    # From 0.0, so that the boresight loses 0.0 and not -0.0.
    return 0.0 - exponent * decibels(np.maximum(np.cos(off_boresight_rad), 0.0))


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


def dish_gain_dbi(off_axis_rad: npt.ArrayLike, peak_dbi: float, diameter_wavelengths: float) -> Floats:
    """Greatest gain to expect of a dish toward `off_axis_rad` from its beam, any shape.

    Main lobe parabolic in dB with 70 wavelengths / diameter between its half-power points; beside it ITU-R
    S.465-6: 32 - 25 log10(degrees) down to -10 dBi from 48 degrees. A phased array is taken as no worse.
    """
    degrees = np.abs(np.asarray(off_axis_rad, dtype=np.float64)) * DEG_PER_RAD
    main_dbi = peak_dbi - 12.0 * (degrees * diameter_wavelengths / 70.0) ** 2
    beside_dbi = np.maximum(32.0 - 25.0 * np.log10(np.maximum(degrees, 1e-3)), -10.0)
    return np.asarray(np.minimum(np.maximum(main_dbi, beside_dbi), peak_dbi), dtype=np.float64)


def satellite_gain_dbi(
    off_beam_rad: npt.ArrayLike, peak_dbi: float, half_beam_rad: float, far_out_dbi: float = 5.0
) -> Floats:
    """Gain of a beam of a low satellite toward `off_beam_rad` from its centre, any shape.

    ITU-R S.1528, recommends 1.3 for low orbits: -3 dB at `half_beam_rad`, parabolic in dB to 1.5 times it,
    then falling by 25 log10 from -6.75 dB down to `far_out_dbi` (never above the peak).
    """
    ratio = np.abs(np.asarray(off_beam_rad, dtype=np.float64)) / half_beam_rad
    main_dbi = peak_dbi - 3.0 * ratio**2
    beside_dbi = peak_dbi - 6.75 - 25.0 * np.log10(np.maximum(ratio, 1.5) / 1.5)
    far_dbi = min(far_out_dbi, peak_dbi - 6.75)
    return np.where(ratio <= 1.5, main_dbi, np.maximum(beside_dbi, far_dbi))
