"""Near-Earth SGP4 for blocks of satellites, written so that LLVM vectorises it over the satellites of a block.

What that needs (measured, docs/why/002-propagation.md): one block table with rows at fixed distances, an inner
loop from 0 to a constant, no branch, no call that is not inlined, sine and cosine of our own. The Earth's turn costs
nothing: it is subtracted from the node. A lane that leaves the region for which the shortened arithmetic is
proven says so (code UNSURE) and is done again by the `sgp4` package.
"""

from __future__ import annotations




from numba import njit

from skylift.sky.orbit.hardware_sqrt import hardware_sqrt
from skylift.sky.orbit.sgp4_init import (
    AO, ARGPDOT, ARGPO, AYCOF, BC4, BC5, CC1, CON41, COSI, D2, D3, D4, DELMO, ECCO, EPOCH_US, ETA, J2,
    L2, L3, L4, L5, MDOT, MIN_PER_US, MO, NODECF, NODEDOT, NODEO, OMGCOF, SINI, SINMAO, X1MTH2, X7THM1, XKE,
    XLCOF, XMCOF,
)  # fmt: skip

# Satellites per block: 32 rows x 64 x 8 B = 16 kB stay in the first-level cache over all instants.
BLOCK = 64
# Rows of the scratch that a block's loop writes: x, y, z (m), the code, and on request the velocity (m/s).
X, Y, Z, CODE, VX, VY, VZ = range(7)
UNSURE = -1.0
EARTH_RADIUS_M = 6_378_135.0
M_PER_S_OF_UNIT = EARTH_RADIUS_M * XKE / 60.0
# Altitudes of a valid near-Earth object, in Earth radii from the centre.
LOWEST = 1.0 + 100e3 / EARTH_RADIUS_M
HIGHEST = 1.0 + 2_000e3 / EARTH_RADIUS_M
# No reassociation: it would let LLVM undo the exact reduction of angles. No "no nans": nan must stay nan.
FAST = {"contract", "arcp", "nsz", "afn"}
# Added and taken off again, it rounds to the nearest whole number: 1.5 x 2^52.
ROUNDER = 6_755_399_441_055_744.0


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _sincos(angle):
    """Sine and cosine, each within 1e-13. Interpolated at Chebyshev nodes of (0, pi^2/4), half a turn folded."""
    half_turns = (angle * 0.3183098861837907 + ROUNDER) - ROUNDER
    r = (angle - half_turns * 3.141592653589793) - half_turns * 1.2246467991473532e-16
    turns = (half_turns * 0.5 - 0.25 + ROUNDER) - ROUNDER
    sign = 1.0 - 2.0 * (half_turns - 2.0 * turns)
    z = r * r
    sine = 1.5411219619569325e-10
    sine = sine * z - 2.503026818019821e-08
    sine = sine * z + 2.7556952912640355e-06
    sine = sine * z - 0.00019841266683128165
    sine = sine * z + 0.008333333320358335
    sine = sine * z - 0.1666666666646667
    sine = sine * z + 0.9999999999999496
    cosine = -1.1007956482240758e-11
    cosine = cosine * z + 2.0858318015619476e-09
    cosine = cosine * z - 2.7556935431354027e-07
    cosine = cosine * z + 2.4801582870369468e-05
    cosine = cosine * z - 0.0013888888861087155
    cosine = cosine * z + 0.04166666666580973
    cosine = cosine * z - 0.49999999999989936
    cosine = cosine * z + 0.9999999999999981
    return sign * r * sine, sign * cosine


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _small_sincos(angle):
    """Sine and cosine of an angle below 0.06 rad, within 1e-12."""
    z = angle * angle
    return (
        angle * (1.0 - z * (1.0 / 6.0 - z * (1.0 / 120.0))),
        1.0 - z * (0.5 - z * (1.0 / 24.0 - z * (1.0 / 720.0))),
    )


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _eccentric_anomaly(axnl, aynl, u, newton):
    """Sine and cosine of SGP4's E + perigee, and how far the last step still went.

    newton = 1 is for eccentricities up to 0.02: all is done on E - u, which is then a small angle, and one step
    from a start good to third order is exact to 2e-13. Otherwise 4 or 8 steps of the usual iteration.
    """
    sin_u, cos_u = _sincos(u)
    p = axnl * sin_u - aynl * cos_u
    q = axnl * cos_u + aynl * sin_u
    if newton == 1:
        d = p * (1.0 + q * (1.0 + q))
        sin_d, cos_d = _small_sincos(d)
        step = (p * cos_d + q * sin_d - d) / (1.0 + p * sin_d - q * cos_d)
        turn = 1.0 - 0.5 * step * step
        sin_e = sin_d * turn + cos_d * step
        cos_e = cos_d * turn - sin_d * step
        return sin_u * cos_e + cos_u * sin_e, cos_u * cos_e - sin_u * sin_e, step * step
    e = u + p
    sin_e, cos_e = _sincos(e)
    step = 0.0
    # Loops of four are unrolled and then vectorised; a loop of eight would be neither.
    for _ in range(4):
        step = (u - aynl * cos_e + axnl * sin_e - e) / (1.0 - cos_e * axnl - sin_e * aynl)
        e += step
        sin_e, cos_e = _sincos(e)
    if newton == 8:
        for _ in range(4):
            step = (u - aynl * cos_e + axnl * sin_e - e) / (1.0 - cos_e * axnl - sin_e * aynl)
            e += step
            sin_e, cos_e = _sincos(e)
    return sin_e, cos_e, step


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _block(rows, out, at_us, turn, newton, most_e2, velocity):
    """One block of satellites at one instant; newton and velocity are compile-time numbers of the caller.

    rows     (len(ROWS), BLOCK)   constants from `near_earth_rows`
    out      (7, BLOCK)           x, y, z in metres, code, velocity in m/s
    at_us    from the same reference as the epochs
    turn     the Earth's angle to take from the node (rad); 0 leaves the result in TEME
    most_e2  the square of the eccentricity up to which `newton` steps suffice
    """
    for i in range(BLOCK):
        t = (at_us - rows[EPOCH_US * BLOCK + i]) * MIN_PER_US
        # Secular gravity and drag.
        xmdf = rows[MO * BLOCK + i] + rows[MDOT * BLOCK + i] * t
        argpdf = rows[ARGPO * BLOCK + i] + rows[ARGPDOT * BLOCK + i] * t
        node = rows[NODEO * BLOCK + i] + t * (rows[NODEDOT * BLOCK + i] + rows[NODECF * BLOCK + i] * t) - turn
        tempa = 1.0 - t * (rows[CC1 * BLOCK + i] + t * (rows[D2 * BLOCK + i] + t * (rows[D3 * BLOCK + i] + t * rows[D4 * BLOCK + i])))
        templ = t * t * (rows[L2 * BLOCK + i] + t * (rows[L3 * BLOCK + i] + t * (rows[L4 * BLOCK + i] + t * rows[L5 * BLOCK + i])))
        sin_m, cos_m = _sincos(xmdf)
        delm = 1.0 + rows[ETA * BLOCK + i] * cos_m
        sway = rows[OMGCOF * BLOCK + i] * t + rows[XMCOF * BLOCK + i] * (delm * delm * delm - rows[DELMO * BLOCK + i])
        sin_s, cos_s = _small_sincos(sway)
        sin_mm = sin_m * cos_s + cos_m * sin_s
        e_raw = rows[ECCO * BLOCK + i] - rows[BC4 * BLOCK + i] * t - rows[BC5 * BLOCK + i] * (sin_mm - rows[SINMAO * BLOCK + i])
        e = max(e_raw, 1e-6)
        am = rows[AO * BLOCK + i] * tempa * tempa
        # Long-period terms. The sway shifts anomaly and perigee oppositely: it cancels in their sum.
        sin_g, cos_g = _sincos(argpdf)
        axnl = e * (cos_g * cos_s + sin_g * sin_s)
        inv_p = 1.0 / (am * (1.0 - e * e))
        aynl = e * (sin_g * cos_s - cos_g * sin_s) + inv_p * rows[AYCOF * BLOCK + i]
        u = xmdf + argpdf + templ + inv_p * rows[XLCOF * BLOCK + i] * axnl
        sin_e, cos_e, miss = _eccentric_anomaly(axnl, aynl, u, newton)
        # Short-period terms.
        ecose = axnl * cos_e + aynl * sin_e
        esine = axnl * sin_e - aynl * cos_e
        el2 = axnl * axnl + aynl * aynl
        pl = am * (1.0 - el2)
        rl = am * (1.0 - ecose)
        inv_r = 1.0 / (1.0 - ecose)
        betal = hardware_sqrt(1.0 - el2)
        part = esine / (1.0 + betal)
        sin_u = inv_r * (sin_e - aynl - axnl * part)
        cos_u = inv_r * (cos_e - axnl + aynl * part)
        sin_2u = (cos_u + cos_u) * sin_u
        cos_2u = 1.0 - 2.0 * sin_u * sin_u
        inv_pl = 1.0 / pl
        temp1 = 0.5 * J2 * inv_pl
        temp2 = temp1 * inv_pl
        cos_i, sin_i = rows[COSI * BLOCK + i], rows[SINI * BLOCK + i]
        radius = rl * (1.0 - 1.5 * temp2 * betal * rows[CON41 * BLOCK + i]) + 0.5 * temp1 * rows[X1MTH2 * BLOCK + i] * cos_2u
        # The three angles are turned by their small corrections instead of being summed and evaluated anew.
        sin_d, cos_d = _small_sincos(-0.25 * temp2 * rows[X7THM1 * BLOCK + i] * sin_2u)
        sin_su = sin_u * cos_d + cos_u * sin_d
        cos_su = cos_u * cos_d - sin_u * sin_d
        sin_d, cos_d = _small_sincos(1.5 * temp2 * cos_i * sin_2u)
        sin_n, cos_n = _sincos(node)
        sin_node = sin_n * cos_d + cos_n * sin_d
        cos_node = cos_n * cos_d - sin_n * sin_d
        sin_d, cos_d = _small_sincos(1.5 * temp2 * cos_i * sin_i * cos_2u)
        sin_inc = sin_i * cos_d + cos_i * sin_d
        cos_inc = cos_i * cos_d - sin_i * sin_d
        ux = cos_node * cos_su - sin_node * cos_inc * sin_su
        uy = sin_node * cos_su + cos_node * cos_inc * sin_su
        uz = sin_inc * sin_su
        radius_m = radius * EARTH_RADIUS_M
        out[X * BLOCK + i] = radius_m * ux
        out[Y * BLOCK + i] = radius_m * uy
        out[Z * BLOCK + i] = radius_m * uz
        sure = (
            (e_raw > -0.0009)
            & (el2 < most_e2)
            & (pl > 0.5)
            & (abs(sway) < 0.05)
            & (abs(miss) < 1e-9)
            & (abs(radius - 1.0) > 1e-7)
        )
        inside = (radius > LOWEST) & (radius < HIGHEST)
        fault = 6.0 if radius < 1.0 else 7.0
        code = 0.0 if inside else fault
        out[CODE * BLOCK + i] = code if sure else UNSURE
        if velocity:
            root = hardware_sqrt(am)
            # nm / xke of SGP4 is am^-1.5.
            pull = temp1 / (am * root)
            vr = (root * esine / rl - pull * rows[X1MTH2 * BLOCK + i] * sin_2u) * M_PER_S_OF_UNIT
            vt = (
                hardware_sqrt(pl) / rl + pull * (rows[X1MTH2 * BLOCK + i] * cos_2u + 1.5 * rows[CON41 * BLOCK + i])
            ) * M_PER_S_OF_UNIT
            out[VX * BLOCK + i] = vr * ux + vt * (-sin_node * cos_inc * cos_su - cos_node * sin_su)
            out[VY * BLOCK + i] = vr * uy + vt * (cos_node * cos_inc * cos_su - sin_node * sin_su)
            out[VZ * BLOCK + i] = vr * uz + vt * sin_inc * cos_su


@njit(cache=True, fastmath=FAST, error_model="numpy")
def round_block(rows, out, at_us, turn):
    _block(rows, out, at_us, turn, 1, 0.02 * 0.02, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def oval_block(rows, out, at_us, turn):
    _block(rows, out, at_us, turn, 4, 0.2 * 0.2, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def long_block(rows, out, at_us, turn):
    _block(rows, out, at_us, turn, 8, 0.75 * 0.75, False)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def moving_block(rows, out, at_us, turn):
    _block(rows, out, at_us, turn, 8, 0.75 * 0.75, True)
