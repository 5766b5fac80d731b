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
        """J/S of K links, (K,) dB; -inf where nothing disturbs them. O((J + K) log(J + K))."""
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
            keys = [
                np.concatenate([np.asarray(rows[bit])[chosen].astype(np.int64), links[bit]])
                for bit in columns
            ]
            total += _sums_by_key(keys, power[chosen])
        return decibels(total)


def _sums_by_key(keys: Sequence[Integers], power: Floats) -> Floats:
    """For each key after the first len(power), the power of those among the first that equal it."""
    _, group = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    sums = np.zeros(int(group.max()) + 1)
    np.add.at(sums, group[: len(power)], power)
    matched: Floats = sums[group[len(power) :]]
    return matched


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
