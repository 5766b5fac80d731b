"""SGP4's constants for near-Earth objects, all objects at once, laid out for the kernel.

The model and its constants are those of Vallado, Crawford, Hujsak, Kelso, "Revisiting Spacetrack Report #3",
AIAA 2006-6753, with WGS72 and the improved mode ("i"): what published mean elements are fitted with. Inside,
SGP4 counts in Earth radii and minutes; metres and microseconds come back at the kernel's end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import WGS72_A_M, WGS72_MU_M3_PER_S2
from skylift.sky.orbit.catalogue import Catalogue

Floats = npt.NDArray[np.float64]

# WGS72 zonal harmonics (AIAA 2006-6753, table 1).
J2 = 0.001082616
J3 = -0.00000253881
J4 = -0.00000165597
J3_OVER_J2 = J3 / J2
EARTH_RADIUS_KM = WGS72_A_M / 1e3
# sqrt(mu) in Earth radii^1.5 per minute.
XKE = 60.0 / math.sqrt(WGS72_A_M**3 / WGS72_MU_M3_PER_S2)
# SGP4 hands over to its deep-space half at this period.
DEEP_PERIOD_MIN = 225.0
TWO_PI = 2.0 * math.pi
MIN_PER_US = 1.0 / 60e6

# One row per constant of a satellite, see `near_earth_rows`. Kernels take these as compile-time numbers.
ROWS = (
    "EPOCH_US", "MO", "MDOT", "ARGPO", "ARGPDOT", "NODEO", "NODEDOT", "NODECF",
    "CC1", "D2", "D3", "D4", "L2", "L3", "L4", "L5",
    "OMGCOF", "XMCOF", "ETA", "DELMO", "BC4", "BC5", "SINMAO",
    "ECCO", "AO", "AYCOF", "XLCOF", "CON41", "X1MTH2", "X7THM1", "SINI", "COSI",
)  # fmt: skip
(
    EPOCH_US, MO, MDOT, ARGPO, ARGPDOT, NODEO, NODEDOT, NODECF,
    CC1, D2, D3, D4, L2, L3, L4, L5,
    OMGCOF, XMCOF, ETA, DELMO, BC4, BC5, SINMAO,
    ECCO, AO, AYCOF, XLCOF, CON41, X1MTH2, X7THM1, SINI, COSI,
) = range(len(ROWS))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shape:
    """What both the secular and the drag terms are made of; every field is (N,)."""

    inclination_cos: Floats
    inclination_sin: Floats
    eccentricity: Floats
    one_minus_e2: Floats
    # Brouwer's mean motion (rad/min) and semi-major axis (Earth radii), Kozai's correction taken off.
    mean_motion: Floats
    axis: Floats


def brouwer_mean_motion_rad_per_min(catalogue: Catalogue) -> Floats:
    """The published (Kozai) mean motion without Kozai's J2 term, (N,)."""
    return _shape(catalogue).mean_motion


def is_deep_space(catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    """Objects whose period is 225 minutes or more: SGP4 adds sun, moon and resonances for them, (N,)."""
    return np.asarray(TWO_PI / brouwer_mean_motion_rad_per_min(catalogue) >= DEEP_PERIOD_MIN)


def near_earth_rows(catalogue: Catalogue, reference_us: int) -> Floats:
    """SGP4's constants of near-Earth objects, (len(ROWS), N).

    EPOCH_US counts from `reference_us`, so that whole microseconds stay exact in a float64. L2 to L5 are
    SGP4's t2cof to t5cof times the mean motion, BC4 and BC5 its cc4 and cc5 times bstar.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shape = _shape(catalogue)
        rows = np.zeros((len(ROWS), len(catalogue)))
        rows[EPOCH_US] = (catalogue.epoch_us - np.int64(reference_us)).astype(np.float64)
        rows[MO] = catalogue.mean_anomaly_rad
        rows[ARGPO] = catalogue.arg_perigee_rad
        rows[NODEO] = catalogue.raan_rad
        rows[ECCO] = shape.eccentricity
        rows[AO] = (XKE / shape.mean_motion) ** (2.0 / 3.0)
        _geometry(rows, shape)
        node_rate = _secular(rows, shape)
        _drag(rows, shape, catalogue, node_rate)
    return rows


def _shape(catalogue: Catalogue) -> _Shape:
    eccentricity = catalogue.eccentricity
    one_minus_e2 = 1.0 - eccentricity**2
    cos_i = np.cos(catalogue.inclination_rad)
    kozai = catalogue.mean_motion_rad_per_s * 60.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        axis = (XKE / kozai) ** (2.0 / 3.0)
        d1 = 0.75 * J2 * (3.0 * cos_i**2 - 1.0) / (np.sqrt(one_minus_e2) * one_minus_e2)
        delta = d1 / axis**2
        axis = axis * (1.0 - delta**2 - delta * (1.0 / 3.0 + 134.0 * delta**2 / 81.0))
        mean_motion = kozai / (1.0 + d1 / axis**2)
        axis = (XKE / mean_motion) ** (2.0 / 3.0)
    return _Shape(cos_i, np.sin(catalogue.inclination_rad), eccentricity, one_minus_e2, mean_motion, axis)


def _geometry(rows: Floats, shape: _Shape) -> None:
    cos_i, sin_i = shape.inclination_cos, shape.inclination_sin
    rows[SINI], rows[COSI] = sin_i, cos_i
    rows[CON41] = 3.0 * cos_i**2 - 1.0
    rows[X1MTH2] = 1.0 - cos_i**2
    rows[X7THM1] = 7.0 * cos_i**2 - 1.0
    # At 180 degrees the divisor vanishes; SGP4 then takes this number for it.
    divisor = np.where(np.abs(cos_i + 1.0) > 1.5e-12, 1.0 + cos_i, 1.5e-12)
    rows[XLCOF] = -0.25 * J3_OVER_J2 * sin_i * (3.0 + 5.0 * cos_i) / divisor
    rows[AYCOF] = -0.5 * J3_OVER_J2 * sin_i


def _secular(rows: Floats, shape: _Shape) -> Floats:
    """Rates of anomaly, perigee and node from J2 and J4; returns the node's first-order part (rad/min)."""
    cos2, n = shape.inclination_cos**2, shape.mean_motion
    cos4 = cos2 * cos2
    semi_latus_inv2 = 1.0 / (shape.axis * shape.one_minus_e2) ** 2
    root = np.sqrt(shape.one_minus_e2)
    first = 1.5 * J2 * semi_latus_inv2 * n
    second = 0.5 * first * J2 * semi_latus_inv2
    fourth = -0.46875 * J4 * semi_latus_inv2**2 * n
    rows[MDOT] = (
        n + 0.5 * first * root * rows[CON41] + 0.0625 * second * root * (13.0 - 78.0 * cos2 + 137.0 * cos4)
    )
    rows[ARGPDOT] = (
        -0.5 * first * (1.0 - 5.0 * cos2)
        + 0.0625 * second * (7.0 - 114.0 * cos2 + 395.0 * cos4)
        + fourth * (3.0 - 36.0 * cos2 + 49.0 * cos4)
    )
    node_rate = -first * shape.inclination_cos
    rows[NODEDOT] = node_rate + shape.inclination_cos * (
        0.5 * second * (4.0 - 19.0 * cos2) + 2.0 * fourth * (3.0 - 7.0 * cos2)
    )
    return np.asarray(node_rate)


def _atmosphere(shape: _Shape) -> tuple[Floats, Floats]:
    """SGP4's s (Earth radii) and (q0 - s)^4 for each perigee height."""
    perigee_km = (shape.axis * (1.0 - shape.eccentricity) - 1.0) * EARTH_RADIUS_KM
    s_km = np.where(perigee_km < 98.0, 20.0, np.where(perigee_km < 156.0, perigee_km - 78.0, 78.0))
    return s_km / EARTH_RADIUS_KM + 1.0, ((120.0 - s_km) / EARTH_RADIUS_KM) ** 4


def _drag(rows: Floats, shape: _Shape, catalogue: Catalogue, node_rate: Floats) -> None:
    e, a, n, bstar = shape.eccentricity, shape.axis, shape.mean_motion, catalogue.bstar_per_earth_radius
    s, q4 = _atmosphere(shape)
    tsi = 1.0 / (a - s)
    eta = a * e * tsi
    eta2, e_eta = eta**2, e * eta
    psi2 = np.abs(1.0 - eta2)
    coef = q4 * tsi**4
    coef1 = coef / psi2**3.5
    cc2 = (
        coef1
        * n
        * (
            a * (1.0 + 1.5 * eta2 + e_eta * (4.0 + eta2))
            + 0.375 * J2 * tsi / psi2 * rows[CON41] * (8.0 + 3.0 * eta2 * (8.0 + eta2))
        )
    )
    cc1 = bstar * cc2
    oval = e > 1e-4
    cc3 = np.where(
        oval, -2.0 * coef * tsi * J3_OVER_J2 * n * shape.inclination_sin / np.where(oval, e, 1.0), 0.0
    )
    cc4 = (2.0 * n * coef1 * a * shape.one_minus_e2) * (
        eta * (2.0 + 0.5 * eta2)
        + e * (0.5 + 2.0 * eta2)
        - J2
        * tsi
        / (a * psi2)
        * (
            -3.0 * rows[CON41] * (1.0 - 2.0 * e_eta + eta2 * (1.5 - 0.5 * e_eta))
            + 0.75
            * rows[X1MTH2]
            * (2.0 * eta2 - e_eta * (1.0 + eta2))
            * np.cos(2.0 * catalogue.arg_perigee_rad)
        )
    )
    cc5 = 2.0 * coef1 * a * shape.one_minus_e2 * (1.0 + 2.75 * (eta2 + e_eta) + e_eta * eta2)
    rows[NODECF] = 3.5 * shape.one_minus_e2 * node_rate * cc1
    rows[CC1] = cc1
    rows[BC4] = bstar * cc4
    rows[L2] = 1.5 * cc1 * n
    # Below a perigee of 220 km SGP4 keeps the drag to first order: the rest of the rows stay zero.
    full = a * (1.0 - e) >= 220.0 / EARTH_RADIUS_KM + 1.0
    higher = _higher_drag(cc1, a, s, tsi)
    rows[D2], rows[D3], rows[D4] = (np.where(full, d, 0.0) for d in higher[:3])
    rows[L3], rows[L4], rows[L5] = (np.where(full, n * cof, 0.0) for cof in higher[3:])
    rows[OMGCOF] = np.where(full, bstar * cc3 * np.cos(catalogue.arg_perigee_rad), 0.0)
    rows[XMCOF] = np.where(full & oval, -2.0 / 3.0 * coef * bstar / np.where(oval, e_eta, 1.0), 0.0)
    rows[ETA] = eta
    rows[DELMO] = (1.0 + eta * np.cos(catalogue.mean_anomaly_rad)) ** 3
    rows[BC5] = np.where(full, bstar * cc5, 0.0)
    rows[SINMAO] = np.sin(catalogue.mean_anomaly_rad)


def _higher_drag(cc1: Floats, a: Floats, s: Floats, tsi: Floats) -> tuple[Floats, ...]:
    """d2, d3, d4 and t3cof, t4cof, t5cof."""
    cc1_2 = cc1**2
    d2 = 4.0 * a * tsi * cc1_2
    temp = d2 * tsi * cc1 / 3.0
    d3 = (17.0 * a + s) * temp
    d4 = 0.5 * temp * a * tsi * (221.0 * a + 31.0 * s) * cc1
    t3cof = d2 + 2.0 * cc1_2
    t4cof = 0.25 * (3.0 * d3 + cc1 * (12.0 * d2 + 10.0 * cc1_2))
    t5cof = 0.2 * (3.0 * d4 + 12.0 * cc1 * d3 + 6.0 * d2**2 + 15.0 * cc1_2 * (2.0 * d2 + cc1_2))
    return d2, d3, d4, t3cof, t4cof, t5cof
