"""Jamming as arrays: how much stronger than the wanted signal it is, by satellite, footprint and channel.

Who jams, and what to do about it, is decided elsewhere; here is what it does to a link. Into `link_budget` it
goes as `Surroundings.j_over_s_db`: it lowers C/(N+I), so that the link falls to a lower MODCOD, or to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.base.units import EARTH_MEAN_RADIUS_M
from skylift.sky.radio.path_loss import free_space_loss_db
from skylift.sky.radio.power import Floats, decibels, power_ratio

Integers = npt.NDArray[np.int64]

# In a row of `Jamming`: every satellite, footprint or channel.
ANY = -1


@dataclass(frozen=True, slots=True)
class Jamming:
    """J disturbances. Several that meet a link add up as powers.

    satellite    int (J,), index in the catalogue of the tick
    footprint    int (J,), whatever numbers the caller's cells or beams have; an H3 cell fits
    channel      int (J,)
    j_over_s_db  (J,), at the receiver's input and inside the channel
    ANY (-1) stands for all of them.
    """

    satellite: Integers
    footprint: Integers
    channel: Integers
    j_over_s_db: Floats

    def __post_init__(self) -> None:
        shapes = {np.shape(column) for column in (self.satellite, self.footprint, self.channel)}
        if shapes != {np.shape(self.j_over_s_db)} or np.ndim(self.j_over_s_db) != 1:
            raise Refused(
                "jamming.shape",
                "jamming",
                "satellite, footprint, channel and j_over_s_db are columns of one length",
                "give one number of each per row",
            )
        if np.isnan(self.j_over_s_db).any():
            raise Refused(
                "jamming.nan", "jamming", "J/S is a number of decibels", "leave the row out instead"
            )

    def at(self, satellite: Integers, footprint: Integers, channel: Integers) -> Floats:
        """J/S of K links, (K,) dB; -inf where nothing disturbs them. O((J + K) log J)."""
        rows = (self.satellite, self.footprint, self.channel)
        links = tuple(np.asarray(column, dtype=np.int64) for column in (satellite, footprint, channel))
        total = np.zeros(len(links[0]))
        power = power_ratio(self.j_over_s_db)
        # Rows that leave the same columns open are matched by the others, all at once: at most eight kinds.
        kinds = sum((np.asarray(column) != ANY).astype(np.int64) << bit for bit, column in enumerate(rows))
        for kind in np.unique(kinds) if len(power) else ():
            chosen = kinds == kind
            columns = [bit for bit in range(3) if kind >> bit & 1]
            if not columns:
                total += power[chosen].sum()
                continue
            keys = [np.asarray(rows[bit])[chosen].astype(np.int64) for bit in columns]
            total += _sums_by_key(keys, [links[bit] for bit in columns], power[chosen])
        return decibels(total)


def _sums_by_key(rows: Sequence[Integers], links: Sequence[Integers], power: Floats) -> Floats:
    """For each link the power of the rows that are equal to it in every column. O((J + K) log J)."""
    row_key = np.zeros(len(power), dtype=np.int64)
    link_key = np.zeros(len(links[0]), dtype=np.int64)
    met = np.ones(len(links[0]), dtype=bool)
    for row, link in zip(rows, links, strict=True):
        # Numbers of at most J values each: three columns of a million rows each would still fit.
        values, place = np.unique(row, return_inverse=True)
        at = np.minimum(np.searchsorted(values, link), len(values) - 1)
        met &= values[at] == link
        row_key = row_key * len(values) + place.reshape(-1)
        link_key = link_key * len(values) + at
    keys, place = np.unique(row_key, return_inverse=True)
    sums = np.bincount(place.reshape(-1), weights=power)
    at = np.minimum(np.searchsorted(keys, link_key), len(keys) - 1)
    matched: Floats = np.where(met & (keys[at] == link_key), sums[at], 0.0)
    return matched


def radio_horizon_m(height_m: npt.ArrayLike, other_height_m: npt.ArrayLike) -> Floats:
    """How far two antennas so high above smooth ground may stand apart and still see each other; any shapes.

    Rays bend with the mean gradient of the air: an Earth of 4/3 of its radius (ITU-R P.310, standard
    radio atmosphere). 12 km for 2 m and 2 m, 28 km for 2 m and 30 m.
    """
    radius_m = 4.0 / 3.0 * EARTH_MEAN_RADIUS_M
    return np.asarray(
        np.sqrt(2.0 * radius_m * np.asarray(height_m, dtype=np.float64))
        + np.sqrt(2.0 * radius_m * np.asarray(other_height_m, dtype=np.float64))
    )


@dataclass(frozen=True, slots=True)
class Jammer:
    """One transmitter on the receiver's frequency.

    eirp_dbw         toward the receiver, all of its power
    bandwidth_hz     over which it spreads it evenly, centred on the channel
    """

    eirp_dbw: float
    bandwidth_hz: float


def jammed_power_dbw(
    jammer: Jammer,
    range_m: npt.ArrayLike,
    gain_dbi: npt.ArrayLike,
    frequency_hz: float,
    channel_hz: float,
) -> Floats:
    """Power of a jammer that a receiver takes in within its channel; any shapes that broadcast.

    gain_dbi  of the receiver toward the jammer: `dish_gain_dbi` or `satellite_gain_dbi` off its beam

    In free space: hills, houses and the curve of the Earth only ever take away from it.
    """
    inside = min(1.0, channel_hz / jammer.bandwidth_hz)
    power: Floats = (
        jammer.eirp_dbw
        - free_space_loss_db(range_m, frequency_hz)
        + np.asarray(gain_dbi, dtype=np.float64)
        + decibels(inside)
    )
    return power
