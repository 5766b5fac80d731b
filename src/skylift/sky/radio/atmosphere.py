"""How much of a signal the atmosphere takes away, by the recommendations of the ITU-R.

Two questions, two answers:

- `exceeded`: the loss that is exceeded for a share of an average year at each site (P.618-13, 2.5): for
  planning one link's margin. Sites' worst hours do not come together: to apply one share to a whole country
  at once would have it rain everywhere.
- `clear_air_db`, and on top of it skylift.sky.radio.rain_field: the loss now, with rain where and when it is.

    climate = climate_at(maps, latitude_rad, longitude_rad)          # once per set of sites
    paths = SlantPaths(11.7e9, elevation_rad, antenna_diameter_m=0.5)
    loss = exceeded(maps.gases, climate.take(site_of_pair), paths, 0.001)
    loss.total_db, noise.sky_temperature_k(loss.absorbed_db)

Of P.618 it leaves out depolarisation, beam spreading, low-angle fading below 5 degrees and site diversity.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.radio.atmosphere_air import GasTables, cloud_db, gas_db, scintillation_db
from skylift.sky.radio.atmosphere_grid import GeoMap
from skylift.sky.radio.atmosphere_rain import (
    CIRCULAR_TILT_RAD,
    rain_exceeded_db,
    specific_attenuation_db_per_km,
)

Floats = npt.NDArray[np.float64]

# P.618-13, 2.5: below 1 % of the time, clouds and gases are kept at their value for 1 %.
_AIR_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class AtmosphereMaps:
    """The packaged maps (data/atmosphere/SOURCE.toml); P shares of the year, ascending, are `levels` (P,).

    rain_rate_mm_per_h     exceeded for 0.01 % of the year (P.837-7)
    rain_height_m          above sea level (P.839-4)
    altitude_m             mean of the ground (P.1511-2), for sites whose own is not known
    temperature_k          mean at the ground (P.1510-1)
    wet_refractivity       median N_wet (P.453-13)
    liquid_kg_per_m2       reduced cloud liquid (P, R, C) (P.840-8)
    vapour_at_sea_kg_per_m2  column of water vapour, brought down to sea level (P, R, C) (P.836-6)
    vapour_height_m        in which that column falls to 1/e (P, R, C) (P.836-6)
    """

    rain_rate_mm_per_h: GeoMap
    rain_height_m: GeoMap
    altitude_m: GeoMap
    temperature_k: GeoMap
    wet_refractivity: GeoMap
    liquid_kg_per_m2: GeoMap
    vapour_at_sea_kg_per_m2: GeoMap
    vapour_height_m: GeoMap
    levels: Floats
    gases: GasTables


@dataclass(frozen=True, slots=True)
class SiteClimate:
    """What the maps say of M sites: columns (M,), and (P, M) for liquid and vapour at the P `levels`."""

    latitude_rad: Floats
    altitude_m: Floats
    rain_rate_mm_per_h: Floats
    rain_height_m: Floats
    temperature_k: Floats
    wet_refractivity: Floats
    liquid_kg_per_m2: Floats
    vapour_kg_per_m2: Floats
    levels: Floats

    def take(self, site: npt.NDArray[np.integer]) -> SiteClimate:
        """The climate of each pair (K,), given the site of each."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        levels = columns.pop("levels")
        return SiteClimate(**{name: column[..., site] for name, column in columns.items()}, levels=levels)


@dataclass(frozen=True, slots=True)
class SlantPaths:
    """Paths from sites to satellites; the fields broadcast with the sites (M,).

    tilt_rad  of the polarisation (0 horizontal, pi/2 vertical, pi/4 circular)
    antenna_diameter_m, antenna_efficiency  of the ground antenna: they matter to scintillation alone
    """

    frequency_hz: Floats | float
    elevation_rad: Floats | float
    tilt_rad: Floats | float = CIRCULAR_TILT_RAD
    antenna_diameter_m: Floats | float = 0.5
    antenna_efficiency: Floats | float = 0.6


@dataclass(frozen=True, slots=True)
class Attenuation:
    """Losses in dB, each exceeded for the share of the time that was asked for, (M,) or broadcast."""

    gas_db: Floats
    cloud_db: Floats
    rain_db: Floats
    scintillation_db: Floats

    @property
    def total_db(self) -> Floats:
        """P.618-13, 2.5, eq. 64: what rarely happens at the same time is added as squares."""
        return self.gas_db + np.hypot(self.rain_db + self.cloud_db, self.scintillation_db)

    @property
    def absorbed_db(self) -> Floats:
        """Without scintillation, which takes no power from the wave and adds no noise: for noise.py."""
        return self.gas_db + self.cloud_db + self.rain_db


def climate_at(
    maps: AtmosphereMaps, latitude_rad: Floats, longitude_rad: Floats, altitude_m: Floats | None = None
) -> SiteClimate:
    """What the maps say of sites (M,).

    altitude_m  of each site above sea level; nan, or none at all, where not known: then the ground's mean
    """
    latitude, longitude = np.broadcast_arrays(
        np.atleast_1d(np.asarray(latitude_rad, dtype=np.float64)), np.asarray(longitude_rad, dtype=np.float64)
    )
    ground_m = maps.altitude_m.at(latitude, longitude)
    height_m = ground_m if altitude_m is None else np.where(np.isnan(altitude_m), ground_m, altitude_m)
    corners = maps.vapour_height_m.corners(latitude, longitude)
    at_sea = maps.vapour_at_sea_kg_per_m2.at_corners(corners)
    # Each node's column is brought up to the site's altitude before it is mixed with the others (P.836-6).
    columns = at_sea * np.exp(-height_m / maps.vapour_height_m.at_corners(corners))
    return SiteClimate(
        latitude,
        height_m,
        maps.rain_rate_mm_per_h.at(latitude, longitude),
        maps.rain_height_m.at(latitude, longitude),
        maps.temperature_k.at(latitude, longitude),
        maps.wet_refractivity.at(latitude, longitude),
        maps.liquid_kg_per_m2.at(latitude, longitude),
        np.einsum("pcm,cm->pm", columns, corners.weight),
        maps.levels,
    )


def exceeded(
    gases: GasTables, climate: SiteClimate, paths: SlantPaths, exceeded_fraction: Floats | float
) -> Attenuation:
    """Losses exceeded for a share of an average year, 1e-5 to 0.5 (0.001 is 0.1 %), at each site by itself.

    P.618-13, 2.5. Raises Refused for other shares, frequencies beyond the tables, elevations below 5 degrees.
    """
    gamma = specific_attenuation_db_per_km(
        climate.rain_rate_mm_per_h, paths.frequency_hz, paths.elevation_rad, paths.tilt_rad
    )
    rain_db = rain_exceeded_db(
        climate.latitude_rad,
        climate.rain_rate_mm_per_h,
        climate.rain_height_m - climate.altitude_m,
        gamma_db_per_km=gamma,
        frequency_hz=paths.frequency_hz,
        elevation_rad=paths.elevation_rad,
        exceeded_fraction=exceeded_fraction,
    )
    gas, cloud = _air(gases, climate, paths, np.maximum(exceeded_fraction, _AIR_FRACTION))
    scintillation = scintillation_db(
        paths.frequency_hz,
        paths.elevation_rad,
        climate.wet_refractivity,
        exceeded_fraction,
        np.asarray(paths.antenna_diameter_m) * np.sqrt(paths.antenna_efficiency),
    )
    return Attenuation(gas, cloud, rain_db, scintillation)


def clear_air_db(
    gases: GasTables, climate: SiteClimate, paths: SlantPaths, exceeded_fraction: Floats | float = 0.5
) -> Floats:
    """Gases and clouds without rain, dB: what a path has all the time, at their median unless told otherwise.

    exceeded_fraction  0.01 to 0.5. This much may be set for a whole country at once, rain may not.
    """
    fraction = np.asarray(exceeded_fraction, dtype=np.float64)
    if not np.all((fraction >= _AIR_FRACTION) & (fraction <= 0.5)):
        raise Refused(
            "atmosphere.exceeded_fraction",
            "share of the time",
            "the maps of clouds and vapour hold for 0.01 to 0.5 of a year",
            "give a fraction, not percent: 0.5 is the median",
        )
    gas, cloud = _air(gases, climate, paths, fraction)
    return gas + cloud


def _air(
    gases: GasTables, climate: SiteClimate, paths: SlantPaths, fraction: Floats | float
) -> tuple[Floats, Floats]:
    gas = gas_db(
        gases,
        paths.frequency_hz,
        paths.elevation_rad,
        altitude_m=climate.altitude_m,
        temperature_k=climate.temperature_k,
        vapour_kg_per_m2=_at_level(climate.vapour_kg_per_m2, climate.levels, fraction),
    )
    liquid = _at_level(climate.liquid_kg_per_m2, climate.levels, fraction)
    return gas, cloud_db(paths.frequency_hz, paths.elevation_rad, liquid)


def _at_level(values: Floats, levels: Floats, fraction: Floats | float) -> Floats:
    """Values (P, M) at a share of the time between the levels: straight in its logarithm (P.836, P.840)."""
    level = np.log(levels)
    at = np.log(np.asarray(fraction, dtype=np.float64))
    lower = np.clip(np.searchsorted(level, at, side="right") - 1, 0, level.size - 2)
    share = np.clip((at - level[lower]) / (level[lower + 1] - level[lower]), 0.0, 1.0)
    site = np.arange(values.shape[1])
    return np.asarray((1.0 - share) * values[lower, site] + share * values[lower + 1, site])
