"""What each pair of a site and a satellite carries, through the air of its place and what disturbs it there.

    air = Air(maps, climate_at(maps, sites.latitude_rad, sites.longitude_rad), rain)  # once per set of sites
    got = pair_rates(link, modcods, sites, site, elevation_rad, azimuth_rad, range_m, air=air, at_us=at_us)
    got.rate_bps                                                                      # (K,)

The same function serves users' dishes and gateways: only the link, the sites and their air differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.coverage.sites import Sites
from skylift.sky.radio.antenna_pattern import off_boresight_rad
from skylift.sky.radio.atmosphere import AtmosphereMaps, SiteClimate, SlantPaths, clear_air_db
from skylift.sky.radio.atmosphere_air import LEAST_ELEVATION_RAD
from skylift.sky.radio.jam_field import MOST_CHANNELS, Against
from skylift.sky.radio.jam_view import Jammed, JamPairs, JamView
from skylift.sky.radio.link_budget import LinkBudget, Surroundings, link_budget
from skylift.sky.radio.modcod import ModcodTable
from skylift.sky.radio.power import Floats, decibels
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
    # By frequency: gases and clouds do not change, and slot after slot asks for them.
    _zenith_db: dict[float, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def zenith_db(self, frequency_hz: float) -> Floats:
        """Gases and clouds straight up from each site, (M,)."""
        if frequency_hz not in self._zenith_db:
            self._zenith_db[frequency_hz] = clear_air_db(
                self.maps.gases, self.climate, SlantPaths(frequency_hz, np.pi / 2.0)
            )
        return self._zenith_db[frequency_hz]


@dataclass(frozen=True, slots=True)
class PairRates:
    """K pairs.

    rate_bps            of one channel of one polarisation, on every channel that is not barred
    barred_channels     bit f set: channel f is not to be used by the pair
    atmosphere_loss_db  gases, clouds and rain, beside the link's own
    off_boresight_rad   of the ground antenna
    j_over_s_db         on the channel that is disturbed most, -inf for none; None without a view of jamming
    answers             bool (K,): the return link closes; None where it was not asked for
    """

    rate_bps: Floats
    barred_channels: Words
    atmosphere_loss_db: Floats
    off_boresight_rad: Floats
    j_over_s_db: Floats | None = None
    answers: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class ReturnLink:
    """The other direction of a pair: where it does not close there is no service."""

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
    satellite: Ints | None = None,
    back: ReturnLink | None = None,
) -> PairRates:
    """Rates of K pairs at one instant.

    site                       int (K,), index into `sites`
    elevation_rad, azimuth_rad (K,) of the satellite, azimuth from north over east
    range_m                    (K,)
    air                        over the same sites; None leaves the losses at the link's own
    jam                        of the same sites; what it has against the link's receiver lowers the rate
    satellite                  int (K,), index into the view's NORAD numbers, where it names satellites
    back                       a pair has no rate where this does not close on any channel; what `jam` has
                               against its receiver counts. None: it is not asked

    A disturbed pair gets the rate and the channels that together carry most: the n best channels at the rate
    of the n-th. A little less on every channel is borne, a channel that would drag the others down is barred.

    Raises Refused below 5 degrees of elevation where there is air, and for a `jam` that has something
    against the receiver of the return link while `back` is missing.
    """
    off_rad = off_boresight_rad(sites, site, elevation_rad, azimuth_rad)
    paths = _Paths(sites, site, satellite, elevation_rad, azimuth_rad, range_m, off_rad)
    air_db, budget = _undisturbed(link, modcods, paths, air, at_us)
    rate_bps = np.array(budget.rate_bps, dtype=np.float64)
    barred = np.zeros(len(site), dtype=np.uint32)
    worst_db, answers = None, None
    if jam is not None:
        jammed, rates = _disturbed(link, modcods, paths, budget, jam, at_us)
        rate_bps[jammed.pair], barred[jammed.pair] = _best_channels(rates[:, jammed.kind])
        worst_db = np.full(len(site), -np.inf)
        worst_db[jammed.pair] = decibels(jammed.ratio.max(axis=1))
        if back is None and link.ground_receives and jam.is_active(Against.UPLINK, at_us):
            raise Refused(
                "jam.return-link",
                "jam file",
                "it disturbs uplinks, and no return link was asked for",
                "give the return link, or leave out what is against the uplink",
            )
    if back is not None:
        answers = _answers(back, paths, air, jam, at_us)
        rate_bps[~answers] = 0.0
    return PairRates(rate_bps, barred, air_db, off_rad, worst_db, answers)


def _undisturbed(
    link: Link, modcods: ModcodTable, paths: _Paths, air: Air | None, at_us: int
) -> tuple[Floats, LinkBudget]:
    """Losses in the air, and the budget without jamming, (K,)."""
    air_db = np.zeros(len(paths.site))
    if air is not None:
        air_db = _air_db(air, link.frequency_hz, paths, at_us)
    around = Surroundings(atmosphere_loss_db=air_db)
    return air_db, link_budget(
        link, modcods, paths.elevation_rad, paths.range_m, paths.off_boresight_rad, around
    )


def _disturbed(
    link: Link, modcods: ModcodTable, paths: _Paths, budget: LinkBudget, jam: JamView, at_us: int
) -> tuple[Jammed, Floats]:
    """The pairs that are disturbed, and the rate of each on each kind of channel, (A, U)."""
    against = Against.DOWNLINK if link.ground_receives else Against.UPLINK
    pairs = JamPairs(
        paths.sites,
        paths.site,
        paths.satellite,
        paths.elevation_rad,
        paths.azimuth_rad,
        paths.range_m,
        budget.signal_dbw,
    )
    jammed = jam.j_over_s(against, at_us, link, pairs)
    if len(jammed) == 0:
        return jammed, np.zeros(jammed.ratio.shape)
    at = jammed.pair[:, np.newaxis]
    around = Surroundings(
        atmosphere_loss_db=budget.atmosphere_loss_db[at] - link.atmosphere_loss_db,
        j_over_s_db=decibels(jammed.ratio),
    )
    under = link_budget(
        link, modcods, paths.elevation_rad[at], paths.range_m[at], paths.off_boresight_rad[at], around
    )
    return jammed, under.rate_bps


def _best_channels(rates: Floats) -> tuple[Floats, Words]:
    """From rates (A, F) on F channels: one rate (A,), and the channels that do not carry it, as bits (A,)."""
    channels = rates.shape[1]
    if channels > MOST_CHANNELS:
        raise Refused(
            "jam.channels",
            "jam file",
            f"jamming is told by channel for at most {MOST_CHANNELS} of them, not {channels}",
            "take a link with fewer channels",
        )
    falling = -np.sort(-rates, axis=1)
    count = np.arange(1, channels + 1)
    # The last of equals: the more channels, the more freely the schedule chooses.
    best = channels - 1 - np.argmax((falling * count)[:, ::-1], axis=1)
    rate = np.take_along_axis(falling, best[:, np.newaxis], axis=1)
    unfit = (rates < rate) | (rate <= 0.0)
    return rate[:, 0], np.asarray(unfit @ (1 << np.arange(channels)), dtype=np.uint32)


def _answers(
    back: ReturnLink, paths: _Paths, air: Air | None, jam: JamView | None, at_us: int
) -> npt.NDArray[np.bool_]:
    """Where the return link carries anything on any channel, (K,)."""
    _, budget = _undisturbed(back.link, back.modcods, paths, air, at_us)
    closes = np.array(budget.rate_bps > 0.0)
    if jam is not None:
        jammed, rates = _disturbed(back.link, back.modcods, paths, budget, jam, at_us)
        closes[jammed.pair] = rates.any(axis=1)
    return closes


@dataclass(frozen=True, slots=True)
class _Paths:
    sites: Sites
    site: Ints
    satellite: Ints | None
    elevation_rad: Floats
    azimuth_rad: Floats
    range_m: Floats
    off_boresight_rad: Floats


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
    zenith_db = air.zenith_db(frequency_hz)
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
