"""The `sgp4` package as oracle: catalogues made of its records, and its answers in our shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sgp4.api import SatrecArray

from skylift.base.units import US_PER_DAY
from skylift.sky.orbit.catalogue import Catalogue

Oracle = Callable[..., tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64], npt.NDArray[np.float64]]]


def _epoch_us(record: Any) -> int:
    """The epoch in whole microseconds; 1e-8 of a day, a TLE's last digit, is 864 of them."""
    whole = round((record.jdsatepoch - 2_440_587.5) * 2) * (US_PER_DAY // 2)
    return whole + round(record.jdsatepochF * US_PER_DAY)


def _catalogue_of(records: Sequence[Any]) -> Catalogue:
    def column(name: str) -> npt.NDArray[np.float64]:
        return np.array([getattr(record, name) for record in records], dtype=np.float64)

    count = len(records)
    return Catalogue(
        norad=column("satnum").astype(np.int32),
        name=("",) * count,
        shell=np.full(count, -1, dtype=np.int32),
        epoch_us=np.array([_epoch_us(record) for record in records], dtype=np.int64),
        inclination_rad=column("inclo"),
        raan_rad=column("nodeo"),
        eccentricity=column("ecco"),
        arg_perigee_rad=column("argpo"),
        mean_anomaly_rad=column("mo"),
        mean_motion_rad_per_s=column("no_kozai") / 60.0,
        bstar_per_earth_radius=column("bstar"),
        ndot_rev_per_day2=np.zeros(count),
        nddot_rev_per_day3=np.zeros(count),
        cospar=("",) * count,
        classification=("U",) * count,
        element_set=np.zeros(count, dtype=np.int32),
        revolution=np.zeros(count, dtype=np.int32),
    )


def _states(
    records: Sequence[Any], at_us: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    days, rest_us = np.divmod(np.asarray(at_us, dtype=np.int64), US_PER_DAY)
    array = SatrecArray(list(records))
    error, position_km, velocity = array.sgp4(days + 2_440_587.5, rest_us / US_PER_DAY)
    # (N, T, 3) in kilometres to (T, 3, N) in metres.
    position_m, velocity_m_per_s = (np.transpose(a, (1, 2, 0)) * 1e3 for a in (position_km, velocity))
    return error.T, position_m, velocity_m_per_s


@pytest.fixture(scope="session")
def catalogue_of() -> Callable[[Sequence[Any]], Catalogue]:
    """Makes a Catalogue of `sgp4` records."""
    return _catalogue_of


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """(records, at_us) -> errors (T, N), positions and velocities (T, 3, N) of `sgp4`: TEME, SI."""
    return _states
