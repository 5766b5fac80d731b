"""From SGP4's frame to the Earth's: TEME turned by Greenwich mean sidereal time, then polar motion.

As in Vallado et al., AIAA 2006-6753, appendix C. TEME goes with the mean sidereal time of 1982 (Aoki et al.
1982); apparent or newer sidereal time would not fit the elements.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from skylift.base.instants import J2000_US
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.sky.orbit.earth_orientation import EarthOrientation

Floats = npt.NDArray[np.float64]

TWO_PI = 2.0 * math.pi
DAYS_PER_CENTURY = 36_525.0
# Rate of the Earth's turn: 1.00273781191135448 turns a day of UT1 (IAU 2000 resolution B1.8).
EARTH_SPIN_RAD_PER_S = 7.292115146706979e-5


def gmst_rad(at_us: npt.NDArray[np.int64], ut1_minus_utc_s: Floats | float = 0.0) -> Floats:
    """Greenwich mean sidereal time of 1982, 0 to 2 pi, for instants (T,).

    The whole days are taken off as integers first: in one float64 the angle would be good to 0.05 mm only.
    """
    since_us = np.asarray(at_us, dtype=np.int64) - np.int64(J2000_US)
    days, rest_us = np.divmod(since_us, US_PER_DAY)
    day_part = (rest_us + np.asarray(ut1_minus_utc_s) * US_PER_S) / US_PER_DAY
    centuries = (days + day_part) / DAYS_PER_CENTURY
    # Aoki et al. 1982, in seconds of time; the turn per day (876,600 h a century) is in day_part.
    seconds = 67_310.54841 + centuries * (8_640_184.812866 + centuries * (0.093104 - 6.2e-6 * centuries))
    return np.asarray(TWO_PI * np.mod(seconds / 86_400.0 + day_part, 1.0))


def polar_matrices(pole_x_rad: Floats, pole_y_rad: Floats) -> Floats:
    """Rotations from the pseudo-Earth-fixed frame to ITRS, (T, 3, 3): R1(-yp)' R2(-xp)' of AIAA 2006-6753."""
    cos_x, sin_x = np.cos(pole_x_rad), np.sin(pole_x_rad)
    cos_y, sin_y = np.cos(pole_y_rad), np.sin(pole_y_rad)
    zero = np.zeros_like(cos_x)
    rows = [
        [cos_x, sin_x * sin_y, sin_x * cos_y],
        [zero, cos_y, -sin_y],
        [-sin_x, cos_x * sin_y, cos_x * cos_y],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), -1, 0))


def earth_turns(at_us: npt.NDArray[np.int64], earth: EarthOrientation | None) -> tuple[Floats, Floats]:
    """The sidereal angle (T,) and the polar rotations (T, 3, 3), or (T, 0, 3) without a table."""
    if earth is None:
        return gmst_rad(at_us), np.zeros((len(at_us), 0, 3))
    ut1_minus_utc_s, x_rad, y_rad = earth.at(at_us)
    return gmst_rad(at_us, ut1_minus_utc_s), polar_matrices(x_rad, y_rad)


def teme_to_itrs(
    position_m: Floats, velocity_m_per_s: Floats, turn_rad: Floats, polar: Floats
) -> tuple[Floats, Floats]:
    """Turns positions and velocities (T, 3, N) from TEME; `turn_rad` and `polar` come from `earth_turns`.

    The velocity is what an observer on the turning Earth sees.
    """
    cos, sin = np.cos(turn_rad)[:, np.newaxis], np.sin(turn_rad)[:, np.newaxis]
    x, y, z = np.moveaxis(position_m, 1, 0)
    vx, vy, vz = np.moveaxis(velocity_m_per_s, 1, 0)
    position = np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)
    velocity = np.stack(
        [
            cos * vx + sin * vy + EARTH_SPIN_RAD_PER_S * position[:, 1],
            cos * vy - sin * vx - EARTH_SPIN_RAD_PER_S * position[:, 0],
            vz,
        ],
        axis=1,
    )
    return (position, velocity) if polar.shape[1] == 0 else (polar @ position, polar @ velocity)
