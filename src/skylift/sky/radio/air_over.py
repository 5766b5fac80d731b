"""What each pair of a site and a satellite carries, through the air of its place and what disturbs it there.

    air = Air(maps, climate_at(maps, sites.latitude_rad, sites.longitude_rad), rain)  # once per set of sites
    got = pair_rates(link, modcods, sites, site, elevation_rad, azimuth_rad, range_m, air=air, at_us=at_us)
    got.rate_bps                                                                      # (K,)

The same function serves users' dishes and gateways: only the link, the sites and their air differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.antenna_pattern import off_boresight_rad
from skylift.sky.radio.atmosphere import AtmosphereMaps, SiteClimate, SlantPaths, clear_air_db
from skylift.sky.radio.atmosphere_air import LEAST_ELEVATION_RAD
from skylift.sky.radio.jam_field import JamView
from skylift.sky.radio.link_budget import Surroundings, link_budget
from skylift.sky.radio.modcod import ModcodTable
from skylift.sky.radio.power import Floats
from skylift.sky.radio.rain_field import RainCell, RainPaths, rain_along, rain_loss_db, sites_near_rain
from skylift.sky.radio.systems import Link

__all__ = ["Air", "JamView", "PairRates", "ReturnLink", "pair_rates"]

Ints = npt.NDArray[np.integer]
Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Air:
    """The air over M sites: gases and clouds at their median all the time, and rain where its cells are.

    climate  of the sites, in their order (`climate_at`)
    rain     cells of rain (`rain_field`); none is a dry day
    """

    maps: AtmosphereMaps
    climate: SiteClimate
    rain: tuple[RainCell, ...] = ()


@dataclass(frozen=True, slots=True)
class PairRates:
    """K pairs.

    rate_bps            of one channel of one polarisation, on every channel that is not barred
    barred_channels     bit f set: channel f is not to be used by the pair
    atmosphere_loss_db  gases, clouds and rain, beside the link's own
    off_boresight_rad   of the ground antenna
    """

    rate_bps: Floats
    barred_channels: Words
    atmosphere_loss_db: Floats
    off_boresight_rad: Floats


@dataclass(frozen=True, slots=True)
class ReturnLink:
    """The other direction of a pair: without it, there is no service."""

    link: Link
    modcods: ModcodTable


def pair_rates(  # noqa: PLR0913 - geometry as the finders of pairs have it, in columns
    link: Link,
    modcods: ModcodTable,
    sites: Sites,
    site: Ints,
    elevation_rad: Floats,
    azimuth_rad: Floats,
    range_m: Floats,
    *,
    air: Air | None = None,
    at_us: int = 0,
    jam: JamView | None = None,
) -> PairRates:
    """Rates of K pairs at one instant.

    site                       int (K,), index into `sites`
    elevation_rad, azimuth_rad (K,) of the satellite, azimuth from north over east
    range_m                    (K,)
    air                        over the same sites; None leaves the losses at the link's own

    Raises Refused below 5 degrees of elevation where there is air.
    """
    off_rad = off_boresight_rad(sites, site, elevation_rad, azimuth_rad)
    air_db = np.zeros(len(site))
    if air is not None:
        paths = _Paths(sites, site, elevation_rad, azimuth_rad)
        air_db = _air_db(air, link.frequency_hz, paths, at_us)
    budget = link_budget(
        link, modcods, elevation_rad, range_m, off_rad, Surroundings(atmosphere_loss_db=air_db)
    )
    return PairRates(budget.rate_bps, np.zeros(len(site), dtype=np.uint32), air_db, off_rad)


@dataclass(frozen=True, slots=True)
class _Paths:
    sites: Sites
    site: Ints
    elevation_rad: Floats
    azimuth_rad: Floats


def _air_db(air: Air, frequency_hz: float, paths: _Paths, at_us: int) -> Floats:
    """Gases, clouds and rain of each pair, (K,)."""
    if len(paths.site) == 0:
        return np.zeros(0)
    sine = np.sin(paths.elevation_rad)
    least_rad = float(np.min(paths.elevation_rad))
    # Elevations come as float32 from the pairs: 5 degrees must pass.
    if least_rad < LEAST_ELEVATION_RAD - 1e-6:
        raise Refused(
            "atmosphere.elevation",
            "elevation",
            "attenuation by air and clouds is modelled from 5 degrees of elevation up",
            "raise the least elevation of the sites to 5 degrees",
        )
    # The loss goes by the cosecant (P.676, P.840), so the zenith of each site is enough.
    zenith_db = clear_air_db(air.maps.gases, air.climate, SlantPaths(frequency_hz, np.pi / 2.0))
    loss_db = np.asarray(zenith_db[paths.site] / sine)
    if air.rain:
        _add_rain_db(loss_db, air, frequency_hz, paths, at_us)
    return loss_db


def _add_rain_db(loss_db: Floats, air: Air, frequency_hz: float, paths: _Paths, at_us: int) -> None:
    """Adds the rain to the pairs that it can reach; pairs of sites far from it are not looked at."""
    climate, sites = air.climate, paths.sites
    near = sites_near_rain(
        air.rain,
        at_us,
        RainPaths(
            sites.latitude_rad,
            sites.longitude_rad,
            climate.altitude_m,
            climate.rain_height_m,
            np.full(len(sites), np.min(paths.elevation_rad)),
            np.zeros(len(sites)),
        ),
    )
    pair = np.flatnonzero(near[paths.site])
    at = paths.site[pair]
    wet = RainPaths(
        sites.latitude_rad[at],
        sites.longitude_rad[at],
        climate.altitude_m[at],
        climate.rain_height_m[at],
        paths.elevation_rad[pair],
        paths.azimuth_rad[pair],
    )
    loss_db[pair] += rain_loss_db(rain_along(air.rain, at_us, wet), frequency_hz)
