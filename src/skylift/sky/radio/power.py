"""Decibels, and the power that may arrive on the ground: the power-flux masks of Article 21."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import DEG_PER_RAD

Floats = npt.NDArray[np.float64]


def decibels(ratio: npt.ArrayLike) -> Floats:
    """10 log10 of a power ratio, any shape; -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(np.asarray(ratio, dtype=np.float64)), dtype=np.float64)


def power_ratio(value_db: npt.ArrayLike) -> Floats:
    """The power ratio of decibels, any shape; 0 for -inf."""
    return np.asarray(10.0 ** (np.asarray(value_db, dtype=np.float64) / 10.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PowerFluxMask:
    """Greatest power flux density at the ground, per `reference_hz`, over the angle of arrival.

    `low` up to 5 degrees, `high` from 25 degrees on, between them linear in degrees. Radio Regulations,
    Article 21, Table 21-4. It limits all that one satellite sends to a place within the reference bandwidth:
    both polarisations, where it lights a place in both (docs/why/009-link-budget.md). That of 10.7-11.7 GHz
    was read in 47 CFR 25.208(b), which repeats it; the other two were not read in the original.
    """

    name: str
    low_dbw_per_m2: float
    high_dbw_per_m2: float
    reference_hz: float = 1e6

    def limit_dbw_per_m2(self, elevation_rad: npt.ArrayLike) -> Floats:
        """The limit at each angle of arrival, any shape."""
        degrees = np.asarray(elevation_rad, dtype=np.float64) * DEG_PER_RAD
        return np.asarray(
            np.interp(degrees, (5.0, 25.0), (self.low_dbw_per_m2, self.high_dbw_per_m2)), dtype=np.float64
        )


def ka_mask(satellites: int) -> PowerFluxMask:
    """The mask of 17.7-19.3 GHz for a non-geostationary system of `satellites`.

    Its lower end falls with the number of satellites, by X dB: Table 21-4 and No. 21.16.6. The formula was
    not made for tens of thousands (440 dB for 29,988). SpaceX's filing for these has 31 dB, by a newer one
    that counts the satellites in view: X ends there. From 25 degrees on, X changes nothing.
    """
    if satellites <= 50:
        x_db = 0.0
    elif satellites <= 288:
        x_db = 5.0 / 119.0 * (satellites - 50)
    else:
        x_db = min((satellites + 402) / 69.0, 31.0)
    return PowerFluxMask("17.7-19.3 GHz", -115.0 - x_db, -105.0)


MASKS = {
    "10.7-11.7 GHz": PowerFluxMask("10.7-11.7 GHz", -126.0, -116.0),
    "11.7-12.7 GHz": PowerFluxMask("11.7-12.7 GHz", -124.0, -114.0),
}


def spreading_loss_db(range_m: npt.ArrayLike) -> Floats:
    """10 log10(4 pi range^2): from watts radiated to watts per square metre."""
    return decibels(4.0 * np.pi * np.square(np.asarray(range_m, dtype=np.float64)))


def eirp_limit_dbw(
    mask: PowerFluxMask, elevation_rad: npt.ArrayLike, range_m: npt.ArrayLike, occupied_hz: float
) -> Floats:
    """The EIRP whose flux, spread evenly over `occupied_hz`, just keeps the mask in free space; any shape.

    The least loss counts: no credit is taken for the atmosphere.
    """
    per_reference_db = 10.0 * np.log10(occupied_hz / mask.reference_hz)
    limit: Floats = mask.limit_dbw_per_m2(elevation_rad) + spreading_loss_db(range_m) + per_reference_db
    return limit
