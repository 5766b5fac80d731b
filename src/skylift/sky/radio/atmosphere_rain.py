"""Rain on a slant path: how strongly it damps (ITU-R P.838-3) and how often it does so (ITU-R P.618-13).

The second is long-term statistics of one place: the loss that is exceeded for a share of an average year. It
says nothing of when, and never holds for a whole country at once: rain at a place and a time is a rain_field.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import DEG_PER_RAD, RAD_PER_DEG

Floats = npt.NDArray[np.float64]

# P.838-3, tables 1 to 4: a_j, b_j, c_j of the Gaussians in log10(f/GHz), then slope m and constant c.
_K_HORIZONTAL = (
    (-5.33980, -0.35351, -0.23789, -0.94158),
    (-0.10008, 1.26970, 0.86036, 0.64552),
    (1.13098, 0.45400, 0.15354, 0.16817),
    (-0.18961, 0.71147),
)
_K_VERTICAL = (
    (-3.80595, -3.44965, -0.39902, 0.50167),
    (0.56934, -0.22911, 0.73042, 1.07319),
    (0.81061, 0.51059, 0.11899, 0.27195),
    (-0.16398, 0.63297),
)
_ALPHA_HORIZONTAL = (
    (-0.14318, 0.29591, 0.32177, -5.37610, 16.1721),
    (1.82442, 0.77564, 0.63773, -0.96230, -3.29980),
    (-0.55187, 0.19822, 0.13164, 1.47828, 3.43990),
    (0.67849, -1.95537),
)
_ALPHA_VERTICAL = (
    (-0.07771, 0.56727, -0.20238, -48.2991, 48.5833),
    (2.33840, 0.95545, 1.14520, 0.791669, 0.791459),
    (-0.76284, 0.54039, 0.26809, 0.116226, 0.116479),
    (-0.053739, 0.83433),
)
_Curve = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, float]]

# P.618-13, 2.2.1.1: radius of the Earth with refraction, for elevations below 5 degrees.
_EFFECTIVE_RADIUS_KM = 8_500.0
LEAST_FRACTION = 1e-5
MOST_FRACTION = 0.5
CIRCULAR_TILT_RAD = 45.0 * RAD_PER_DEG
"""Tilt of the polarisation that stands for circular (P.838-3)."""


def rain_coefficients(
    frequency_hz: Floats | float, elevation_rad: Floats | float, tilt_rad: Floats | float = CIRCULAR_TILT_RAD
) -> tuple[Floats, Floats]:
    """k and alpha of gamma = k R^alpha, in dB/km for R in mm/h; ITU-R P.838-3, for 1 to 1,000 GHz.

    tilt_rad  of the polarisation against the horizontal: 0 horizontal, pi/2 vertical, pi/4 circular
    """
    log_f = np.log10(np.asarray(frequency_hz) / 1e9)
    k_h, k_v = 10.0 ** _curve(log_f, _K_HORIZONTAL), 10.0 ** _curve(log_f, _K_VERTICAL)
    slope_h, slope_v = k_h * _curve(log_f, _ALPHA_HORIZONTAL), k_v * _curve(log_f, _ALPHA_VERTICAL)
    lean = np.cos(elevation_rad) ** 2 * np.cos(2.0 * np.asarray(tilt_rad))
    k = 0.5 * (k_h + k_v + (k_h - k_v) * lean)
    alpha = 0.5 * (slope_h + slope_v + (slope_h - slope_v) * lean) / k
    return k, alpha


def _curve(log_f: Floats, curve: _Curve) -> Floats:
    a, b, c, (m, constant) = curve
    bells = sum(a_j * np.exp(-(((log_f - b_j) / c_j) ** 2)) for a_j, b_j, c_j in zip(a, b, c, strict=True))
    return np.asarray(bells + m * log_f + constant)


def specific_attenuation_db_per_km(
    rain_mm_per_h: Floats | float,
    frequency_hz: Floats | float,
    elevation_rad: Floats | float,
    tilt_rad: Floats | float = CIRCULAR_TILT_RAD,
) -> Floats:
    """gamma_R of ITU-R P.838-3; 0 where there is no rain."""
    k, alpha = rain_coefficients(frequency_hz, elevation_rad, tilt_rad)
    return np.asarray(k * np.asarray(rain_mm_per_h) ** alpha)


def rain_exceeded_db(
    latitude_rad: Floats,
    rain_rate_mm_per_h: Floats,
    below_rain_height_m: Floats,
    *,
    gamma_db_per_km: Floats,
    frequency_hz: Floats | float,
    elevation_rad: Floats | float,
    exceeded_fraction: Floats | float,
) -> Floats:
    """Rain attenuation exceeded for a share of an average year, in dB; ITU-R P.618-13, 2.2.1.1.

    rain_rate_mm_per_h   exceeded for 0.01 % of the year (P.837), and gamma_db_per_km is that of this rate
    below_rain_height_m  rain height (P.839) less the site's height; without rain where it is not above 0
    exceeded_fraction    1e-5 to 0.05 as recommended; up to 0.5 the same law is carried on, as P.618 2.5 needs
    Shapes broadcast. Raises Refused for other shares.
    """
    percent = 100.0 * _checked_fraction(exceeded_fraction)
    wet = (np.asarray(below_rain_height_m) > 0.0) & (np.asarray(rain_rate_mm_per_h) > 0.0)
    height_km = np.where(wet, below_rain_height_m, 1.0) / 1e3
    gamma = np.where(wet, gamma_db_per_km, 1.0)
    length_km = effective_length_km(
        latitude_rad, height_km, gamma, np.asarray(frequency_hz) / 1e9, elevation_rad
    )
    at_hundredth_db = gamma * length_km
    sine = np.sin(elevation_rad)
    poleward = np.abs(latitude_rad) * DEG_PER_RAD - 36.0
    beta = np.where(
        (percent >= 1.0) | (poleward >= 0.0),
        0.0,
        -0.005 * poleward + np.where(np.asarray(elevation_rad) >= 25.0 * RAD_PER_DEG, 0.0, 1.8 - 4.25 * sine),
    )
    slope = 0.655 + 0.033 * np.log(percent) - 0.045 * np.log(at_hundredth_db) - beta * (1.0 - percent) * sine
    return np.where(wet, at_hundredth_db * (percent / 0.01) ** -slope, 0.0)


def effective_length_km(
    latitude_rad: Floats,
    height_km: Floats,
    gamma: Floats,
    frequency_ghz: Floats,
    elevation_rad: Floats | float,
) -> Floats:
    """The length L_E that a uniform rain of the 0.01 % rate would have; P.618-13, 2.2.1.1, steps 2 to 8."""
    elevation_deg = np.asarray(elevation_rad) * DEG_PER_RAD
    sine, cosine = np.sin(elevation_rad), np.cos(elevation_rad)
    low = 2.0 * height_km / (np.sqrt(sine**2 + 2.0 * height_km / _EFFECTIVE_RADIUS_KM) + sine)
    ground_km = np.where(elevation_deg < 5.0, low, height_km / sine) * cosine
    inward = 1.0 / (
        1.0 + 0.78 * np.sqrt(ground_km * gamma / frequency_ghz) - 0.38 * (1.0 - np.exp(-2.0 * ground_km))
    )
    rainy_ground_km = ground_km * inward
    # The path leaves the rain through its side where the cell is narrow, through its top else.
    through_side = np.arctan2(height_km, rainy_ground_km) > elevation_rad
    # At the zenith the side is never met; 1 keeps the unused branch finite.
    rainy_km = np.where(
        through_side, rainy_ground_km / np.where(cosine > 1e-9, cosine, 1.0), height_km / sine
    )
    toward_equator = np.maximum(36.0 - np.abs(latitude_rad) * DEG_PER_RAD, 0.0)
    spread = 31.0 * (1.0 - np.exp(-elevation_deg / (1.0 + toward_equator)))
    upward = 1.0 / (1.0 + np.sqrt(sine) * (spread * np.sqrt(rainy_km * gamma) / frequency_ghz**2 - 0.45))
    return np.asarray(rainy_km * upward)


def _checked_fraction(exceeded_fraction: Floats | float) -> Floats:
    fraction = np.asarray(exceeded_fraction, dtype=np.float64)
    if not np.all((fraction >= LEAST_FRACTION) & (fraction <= MOST_FRACTION)):
        raise Refused(
            "atmosphere.exceeded_fraction",
            "share of the time",
            f"the statistics of ITU-R P.618 hold for {LEAST_FRACTION:g} to {MOST_FRACTION:g} of a year",
            "give a fraction, not percent: 0.001 stands for 0.1 %",
        )
    return fraction
