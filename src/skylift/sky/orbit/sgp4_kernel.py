"""Near-Earth SGP4 for blocks of satellites, written so that LLVM vectorises it over a block's satellites.

What that needs (measured, docs/why/002-propagation.md): one block table with rows at fixed distances, an
inner loop from 0 to a constant, no branch, no call that is not inlined, sine and cosine of our own. Three
short loops instead of a long one: the processor then works on several satellites while it waits for one. The
Earth's turn costs nothing: it is subtracted from the node. A lane that leaves the region for which the
shortened arithmetic is proven says so (code UNSURE) and is done again by the `sgp4` package.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

# isort: off
from skylift.sky.orbit.hardware import hardware_sqrt
from skylift.sky.orbit.sgp4_init import (
    AO, ARGPDOT, ARGPO, AYCOF, BC4, BC5, CC1, CON41, COSI, D2, D3, D4, DELMO, ECCO, EPOCH_US, ETA, J2,
    L2, L3, L4, L5, MDOT, MIN_PER_US, MO, NODECF, NODEDOT, NODEO, OMGCOF, SINI, SINMAO, X1MTH2, X7THM1, XKE,
    XLCOF, XMCOF,
)  # fmt: skip
from skylift.sky.orbit.sgp4_math_kernel import (
    FAST,
    kepler,
    kepler_round,
    rough_sine,
    sincos,
    tiny_sincos,
)

# isort: on

Floats = npt.NDArray[np.float64]

# Satellites per block: 32 rows x 64 x 8 B = 16 kB stay in the first-level cache over all instants.
B = BLOCK = 64
# Rows of the scratch: results x, y, z (m), the code, on request the velocity (m/s); then what loops hand on.
X, Y, Z, CODE, VX, VY, VZ = range(7)
AXNL, AYNL, U, AM, NODE, E_RAW, SIN_U, COS_U, RADIUS, INV_PL, EL2, ESINE, RL, SAFE = range(7, 21)
SCRATCH_ROWS = 21
UNSURE = -1.0
EARTH_RADIUS_M = 6_378_135.0
M_PER_S_OF_UNIT = EARTH_RADIUS_M * XKE / 60.0
# Altitudes of a valid near-Earth object, in Earth radii from the centre.
LOWEST = 1.0 + 100e3 / EARTH_RADIUS_M
HIGHEST = 1.0 + 2_000e3 / EARTH_RADIUS_M


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _mean(c: Floats, w: Floats, at_us: float, turn: float, newton: int) -> None:
    """Secular gravity, drag and long-period terms: to the elements that Kepler's equation is solved for."""
    for i in range(B):
        t = (at_us - c[EPOCH_US * B + i]) * MIN_PER_US
        xmdf = c[MO * B + i] + c[MDOT * B + i] * t
        argpdf = c[ARGPO * B + i] + c[ARGPDOT * B + i] * t
        w[NODE * B + i] = c[NODEO * B + i] + t * (c[NODEDOT * B + i] + c[NODECF * B + i] * t) - turn
        t2 = t * t
        tempa = 1.0 - (t * c[CC1 * B + i] + t2 * (c[D2 * B + i] + t * (c[D3 * B + i] + t * c[D4 * B + i])))
        templ = t2 * (c[L2 * B + i] + t * (c[L3 * B + i] + t * (c[L4 * B + i] + t * c[L5 * B + i])))
        # The cosine, as a sine a quarter of a turn on.
        delm = 1.0 + c[ETA * B + i] * rough_sine(xmdf + 1.5707963267948966)
        sway = c[OMGCOF * B + i] * t + c[XMCOF * B + i] * (delm * delm * delm - c[DELMO * B + i])
        drag = c[BC4 * B + i] * t + c[BC5 * B + i] * (rough_sine(xmdf + sway) - c[SINMAO * B + i])
        e_raw = c[ECCO * B + i] - drag
        e = max(e_raw, 1e-6)
        am = c[AO * B + i] * tempa * tempa
        # The sway shifts anomaly and perigee oppositely: it cancels in their sum.
        sin_g, cos_g = sincos(argpdf - sway)
        axnl = e * cos_g
        e2 = e * e
        inv_p = (1.0 + e2 * (1.0 + e2 * (1.0 + e2))) / am if newton == 1 else 1.0 / (am * (1.0 - e2))
        w[AXNL * B + i] = axnl
        w[AYNL * B + i] = e * sin_g + inv_p * c[AYCOF * B + i]
        w[U * B + i] = xmdf + argpdf + templ + inv_p * c[XLCOF * B + i] * axnl
        w[AM * B + i] = am
        w[E_RAW * B + i] = e_raw


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _in_plane(c: Floats, w: Floats, newton: int, most_e2: float) -> None:
    """Kepler's equation, the radius with its short-period terms, and whether all this can be relied on."""
    for i in range(B):
        axnl, aynl, am = w[AXNL * B + i], w[AYNL * B + i], w[AM * B + i]
        el2 = axnl * axnl + aynl * aynl
        inv_a = 1.0 / am
        if newton == 1:
            sin_e, cos_e, inv_r = kepler_round(axnl, aynl, w[U * B + i])
            miss = 0.0
            # Series in el2, which is below 4e-4.
            betal = 1.0 - el2 * (0.5 + el2 * 0.125)
            half = 0.25 * el2 * (1.0 + 0.25 * el2)
            part = 0.5 + half * (0.5 + 0.5 * half)
            inv_pl = inv_a * (1.0 + el2 * (1.0 + el2 * (1.0 + el2)))
        else:
            sin_e, cos_e, inv_r, miss = kepler(axnl, aynl, w[U * B + i], newton)
            betal = hardware_sqrt(1.0 - el2)
            part = 1.0 / (1.0 + betal)
            inv_pl = inv_a / (1.0 - el2)
        esine = axnl * sin_e - aynl * cos_e
        rl = am * (1.0 - (axnl * cos_e + aynl * sin_e))
        part *= esine
        sin_u = inv_r * (sin_e - aynl - axnl * part)
        cos_u = inv_r * (cos_e - axnl + aynl * part)
        temp1 = 0.5 * J2 * inv_pl
        w[RADIUS * B + i] = rl * (1.0 - 1.5 * temp1 * inv_pl * betal * c[CON41 * B + i]) + (
            0.5 * temp1 * c[X1MTH2 * B + i] * (1.0 - 2.0 * sin_u * sin_u)
        )
        w[SIN_U * B + i] = sin_u
        w[COS_U * B + i] = cos_u
        w[INV_PL * B + i] = inv_pl
        w[ESINE * B + i] = esine
        w[RL * B + i] = rl
        w[EL2 * B + i] = el2
        safe = (
            (w[E_RAW * B + i] > -0.0009)
            & (el2 < most_e2)
            & (inv_pl > 0.0)
            & (inv_pl < 1.15)
            & (abs(miss) < 1e-9)
        )
        w[SAFE * B + i] = 1.0 if safe else 0.0


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _in_space(c: Floats, w: Floats, velocity: bool) -> None:
    """Orientation with its short-period terms, positions, codes and velocities."""
    for i in range(B):
        sin_u, cos_u, radius = w[SIN_U * B + i], w[COS_U * B + i], w[RADIUS * B + i]
        sin_2u = (cos_u + cos_u) * sin_u
        cos_2u = 1.0 - 2.0 * sin_u * sin_u
        temp1 = 0.5 * J2 * w[INV_PL * B + i]
        temp2 = temp1 * w[INV_PL * B + i]
        cos_i, sin_i = c[COSI * B + i], c[SINI * B + i]
        # The three angles are turned by their small corrections instead of being summed and evaluated anew.
        sin_d, cos_d = tiny_sincos(-0.25 * temp2 * c[X7THM1 * B + i] * sin_2u)
        sin_su = sin_u * cos_d + cos_u * sin_d
        cos_su = cos_u * cos_d - sin_u * sin_d
        sin_d, cos_d = tiny_sincos(1.5 * temp2 * cos_i * sin_2u)
        sin_n, cos_n = sincos(w[NODE * B + i])
        sin_node = sin_n * cos_d + cos_n * sin_d
        cos_node = cos_n * cos_d - sin_n * sin_d
        sin_d, cos_d = tiny_sincos(1.5 * temp2 * cos_i * sin_i * cos_2u)
        sin_inc = sin_i * cos_d + cos_i * sin_d
        cos_inc = cos_i * cos_d - sin_i * sin_d
        ux = cos_node * cos_su - sin_node * cos_inc * sin_su
        uy = sin_node * cos_su + cos_node * cos_inc * sin_su
        uz = sin_inc * sin_su
        radius_m = radius * EARTH_RADIUS_M
        w[X * B + i] = radius_m * ux
        w[Y * B + i] = radius_m * uy
        w[Z * B + i] = radius_m * uz
        inside = (radius > LOWEST) & (radius < HIGHEST)
        fault = 6.0 if radius < 1.0 else 7.0
        code = 0.0 if inside else fault
        sure = (w[SAFE * B + i] > 0.5) & (abs(radius - 1.0) > 1e-7)
        w[CODE * B + i] = code if sure else UNSURE
        if velocity:
            am, rl = w[AM * B + i], w[RL * B + i]
            root = hardware_sqrt(am)
            # nm / xke of SGP4 is am^-1.5.
            pull = temp1 / (am * root)
            vr = (root * w[ESINE * B + i] / rl - pull * c[X1MTH2 * B + i] * sin_2u) * M_PER_S_OF_UNIT
            vt = hardware_sqrt(am * (1.0 - w[EL2 * B + i])) / rl
            vt = (vt + pull * (c[X1MTH2 * B + i] * cos_2u + 1.5 * c[CON41 * B + i])) * M_PER_S_OF_UNIT
            w[VX * B + i] = vr * ux + vt * (-sin_node * cos_inc * cos_su - cos_node * sin_su)
            w[VY * B + i] = vr * uy + vt * (cos_node * cos_inc * cos_su - sin_node * sin_su)
            w[VZ * B + i] = vr * uz + vt * sin_inc * cos_su


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _block(
    rows: Floats, scratch: Floats, at_us: float, turn: float, newton: int, most_e2: float, velocity: bool
) -> None:
    _mean(rows, scratch, at_us, turn, newton)
    _in_plane(rows, scratch, newton, most_e2)
    _in_space(rows, scratch, velocity)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def round_block(rows: Floats, scratch: Floats, at_us: float, turn: float) -> None:
    """One block of satellites at one instant, for eccentricities up to 0.02.

    rows     (len(ROWS) x BLOCK,)       constants from `near_earth_rows`
    scratch  (SCRATCH_ROWS x BLOCK,)    results in its first rows, see X to VZ
    at_us    from the same reference as the epochs
    turn     the Earth's angle to take from the node (rad); 0 leaves the result in TEME
    """
    _block(rows, scratch, at_us, turn, 1, 0.02 * 0.02, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def oval_block(rows: Floats, scratch: Floats, at_us: float, turn: float) -> None:
    """The same for eccentricities up to 0.2: four Kepler steps."""
    _block(rows, scratch, at_us, turn, 4, 0.2 * 0.2, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def long_block(rows: Floats, scratch: Floats, at_us: float, turn: float) -> None:
    """The same for eccentricities up to 0.75: eight Kepler steps."""
    _block(rows, scratch, at_us, turn, 8, 0.75 * 0.75, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def moving_block(rows: Floats, scratch: Floats, at_us: float, turn: float) -> None:
    """The same with velocities (m/s, TEME turned like the positions), eight Kepler steps."""
    _block(rows, scratch, at_us, turn, 8, 0.75 * 0.75, True)
