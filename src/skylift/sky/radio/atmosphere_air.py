"""Air, clouds and turbulence on a slant path: ITU-R P.676-12 (tabulated), P.840-8 and P.618-13, 2.4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import RAD_PER_DEG
from skylift.sky.radio.atmosphere_grid import Table

Floats = npt.NDArray[np.float64]

LEAST_ELEVATION_RAD = 5.0 * RAD_PER_DEG
"""Below it the cosecant law of P.676, P.840 and P.618 2.4.1 does not hold."""
# Elevations come as float32 from the pairs, and 5 degrees is a least elevation that gateways have.
_ROUNDING_RAD = 1e-6

# P.618-13, 2.4.1, step 4: height of the turbulent layer, in metres.
_TURBULENT_M = 1_000.0
# P.840-8, eq. 2 to 11, for clouds at 0 degrees Celsius, as its section 3 has it.
_CLOUD_THETA = 300.0 / 273.15


@dataclass(frozen=True, slots=True)
class GasTables:
    """Zenith attenuation by gases, computed once from P.676-12's lines; see tools/make_atmosphere_maps.py.

    dry_db          over (frequency Hz, altitude m, surface temperature K)
    wet_db_per_kg   per kg/m2 of water vapour above the site, over (frequency Hz, ln of that vapour in kg/m2)
    """

    dry_db: Table
    wet_db_per_kg: Table

    def check(self, frequency_hz: Floats) -> None:
        """Raises Refused where the tables have no value: they skip the lines of oxygen around 60 GHz."""
        nodes = self.dry_db.axes[0]
        inside = (frequency_hz >= nodes[0]) & (frequency_hz <= nodes[-1])
        gap = int(np.argmax(np.diff(nodes)))
        low, high = nodes[gap], nodes[gap + 1]
        if high - low > 2.0 * np.median(np.diff(nodes)):
            inside &= (frequency_hz <= low) | (frequency_hz >= high)
        if not np.all(inside):
            bands = f"{nodes[0] / 1e9:g} to {low / 1e9:g} and {high / 1e9:g} to {nodes[-1] / 1e9:g} GHz"
            raise Refused(
                "atmosphere.frequency",
                "frequency",
                f"the tables of attenuation by gases hold for {bands}",
                "give hertz within these bands",
            )


def gas_db(
    tables: GasTables,
    frequency_hz: Floats | float,
    elevation_rad: Floats | float,
    *,
    altitude_m: Floats,
    temperature_k: Floats,
    vapour_kg_per_m2: Floats,
) -> Floats:
    """Attenuation by oxygen and water vapour, dB; P.676-12 Annex 2 with P.835-6's pressure at the altitude.

    vapour_kg_per_m2  all the water vapour above the site (P.836)
    Shapes broadcast. Raises Refused beyond the tables' frequencies or below 5 degrees.
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    tables.check(frequency)
    vapour = np.maximum(vapour_kg_per_m2, 1e-3)
    wet_db = (
        vapour * tables.wet_db_per_kg.at(frequency, np.log(vapour)) * _altitude_factor(frequency, altitude_m)
    )
    return (tables.dry_db.at(frequency, altitude_m, temperature_k) + wet_db) / _sine(elevation_rad)


def _altitude_factor(frequency_hz: Floats, altitude_m: Floats) -> Floats:
    """1 + a h^b from 20 GHz on (P.676-12, eq. 37 and 38): the water line is narrower up high."""
    # Below 20 GHz there is no such factor, and its exponent would overflow.
    f = np.maximum(frequency_hz / 1e9, 20.0)
    height_km = np.clip(altitude_m, 0.0, 4_000.0) / 1e3
    a = (
        0.2048 * np.exp(-(((f - 22.43) / 3.097) ** 2))
        + 0.2326 * np.exp(-(((f - 183.5) / 4.096) ** 2))
        + 0.2073 * np.exp(-(((f - 325.0) / 3.651) ** 2))
        - 0.1113
    )
    b = 8.741e4 * np.exp(-0.587 * f) + 312.2 * f**-2.38 + 0.723
    return np.asarray(np.where(frequency_hz < 20e9, 1.0, 1.0 + a * height_km**b))


def cloud_db(frequency_hz: Floats | float, elevation_rad: Floats | float, liquid_kg_per_m2: Floats) -> Floats:
    """Attenuation by clouds, dB; P.840-8 eq. 12, of the reduced liquid water above the site; to 200 GHz."""
    return cloud_coefficient(frequency_hz) * liquid_kg_per_m2 / _sine(elevation_rad)


def cloud_coefficient(frequency_hz: Floats | float) -> Floats:
    """K_l in dB per kg/m2 at 0 degrees Celsius; P.840-8 eq. 2: Rayleigh scattering, double-Debye water."""
    f = np.asarray(frequency_hz) / 1e9
    warmth = _CLOUD_THETA - 1.0
    static = 77.66 + 103.3 * warmth
    middle, optical = 0.0671 * static, 3.52
    first = 20.20 - 146.0 * warmth + 316.0 * warmth**2
    second = 39.8 * first
    real = (
        (static - middle) / (1.0 + (f / first) ** 2)
        + (middle - optical) / (1.0 + (f / second) ** 2)
        + optical
    )
    imaginary = f * (static - middle) / (first * (1.0 + (f / first) ** 2)) + f * (middle - optical) / (
        second * (1.0 + (f / second) ** 2)
    )
    eta = (2.0 + real) / imaginary
    return np.asarray(0.819 * f / (imaginary * (1.0 + eta**2)))


def scintillation_db(
    frequency_hz: Floats | float,
    elevation_rad: Floats | float,
    wet_refractivity: Floats,
    exceeded_fraction: Floats | float,
    effective_diameter_m: Floats | float,
) -> Floats:
    """Fade by turbulence exceeded for a share of the time, dB; P.618-13, 2.4.1: 4 to 55 GHz, 5 degrees up.

    wet_refractivity      N_wet, N-units (P.453), its median over the year
    effective_diameter_m  the antenna's diameter times the root of its efficiency
    """
    f = np.asarray(frequency_hz) / 1e9
    sine = _sine(elevation_rad)
    length_m = 2.0 * _TURBULENT_M / (np.sqrt(sine**2 + 2.35e-4) + sine)
    x = 1.22 * np.asarray(effective_diameter_m) ** 2 * f / length_m
    averaged = 3.86 * (x**2 + 1.0) ** (11.0 / 12.0) * np.sin(11.0 / 6.0 * np.arctan2(1.0, x)) - 7.08 * x ** (
        5.0 / 6.0
    )
    # A large antenna averages the turbulence away: beyond x = 7 nothing is left.
    smoothing = np.sqrt(np.maximum(np.where(x < 7.0, averaged, 0.0), 0.0))
    deviation_db = (3.6e-3 + 1e-4 * wet_refractivity) * f ** (7.0 / 12.0) * smoothing / sine**1.2
    log_p = np.log10(100.0 * np.asarray(exceeded_fraction))
    depth = -0.061 * log_p**3 + 0.072 * log_p**2 - 1.71 * log_p + 3.0
    return np.asarray(np.maximum(depth, 0.0) * deviation_db)


def _sine(elevation_rad: Floats | float) -> Floats:
    elevation = np.asarray(elevation_rad, dtype=np.float64)
    if np.any(elevation < LEAST_ELEVATION_RAD - _ROUNDING_RAD):
        raise Refused(
            "atmosphere.elevation",
            "elevation",
            "attenuation by air and clouds is modelled from 5 degrees of elevation up",
            "leave lower satellites out",
        )
    return np.asarray(np.sin(elevation))
