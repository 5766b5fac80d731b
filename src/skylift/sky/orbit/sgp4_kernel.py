"""Near-Earth SGP4 for blocks of satellites, written so that LLVM vectorises it over a block's satellites.

What that needs (measured, docs/why/002-propagation.md): one block table with rows at fixed distances, an inner
loop from 0 to a constant, no branch, no call that is not inlined, sine and cosine of our own. The Earth's
turn costs nothing: it is subtracted from the node. A lane that leaves the region for which the shortened
arithmetic is proven says so (code UNSURE) and is done again by the `sgp4` package.
"""

from __future__ import annotations

from numba import njit

from skylift.sky.orbit.hardware import hardware_sqrt, negated_if_odd
from skylift.sky.orbit.sgp4_init import (  # noqa: I001
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
    """Sine and cosine, each within 1e-13, of angles folded by half turns.

    The polynomials go through the Chebyshev nodes of (0, pi^2/4) in the square of the angle. They are summed
    in pairs (Estrin): one long chain of additions would leave the processor waiting.
    """
    count = angle * 0.3183098861837907 + ROUNDER
    # pi as one float64 is enough: its own error is below the rounding of `angle`.
    r = angle - (count - ROUNDER) * 3.141592653589793
    z = r * r
    z2 = z * z
    z4 = z2 * z2
    sine = (
        (0.9999999999999496 - 0.1666666666646667 * z)
        + z2 * (0.008333333320358335 - 0.00019841266683128165 * z)
        + z4 * ((2.7556952912640355e-06 - 2.503026818019821e-08 * z) + z2 * 1.5411219619569325e-10)
    )
    cosine = (
        (0.9999999999999981 - 0.49999999999989936 * z)
        + z2 * (0.04166666666580973 - 0.0013888888861087155 * z)
        + z4
        * (
            (2.4801582870369468e-05 - 2.7556935431354027e-07 * z)
            + z2 * (2.0858318015619476e-09 - 1.1007956482240758e-11 * z)
        )
    )
    return negated_if_odd(r * sine, count), negated_if_odd(cosine, count)


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _rough_sine(angle):
    """Sine within 3e-11, for the drag terms, which are small themselves."""
    count = angle * 0.3183098861837907 + ROUNDER
    r = angle - (count - ROUNDER) * 3.141592653589793
    z = r * r
    z2 = z * z
    sine = (
        (0.9999999999829191 - 0.16666666616815518 * z)
        + z2 * (0.008333330974205713 - 0.0001984086117907701 * z)
        + z2 * z2 * (2.752526979966569e-06 - 2.388921754597074e-08 * z)
    )
    return negated_if_odd(r * sine, count)


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _tiny_sincos(angle):
    """Sine and cosine of an angle below 0.0012 rad, within 1e-13."""
    z = angle * angle
    return angle - angle * z * (1.0 / 6.0), 1.0 - 0.5 * z


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _kepler_round(axnl, aynl, u):
    """Kepler's equation for eccentricities up to 0.02, all done on d = E - u, which is then a small angle.

    The start is good to third order (4e-6), so that one Newton step is exact to 2e-13.
    Returns sine and cosine of E (from the node), and 1 / (1 - e cos E).
    """
    sin_u, cos_u = _sincos(u)
    p = axnl * sin_u - aynl * cos_u
    q = axnl * cos_u + aynl * sin_u
    d = p * (1.0 + q * (1.0 + q))
    z = d * d
    sin_d = d * (1.0 - z * (1.0 / 6.0 - z * (1.0 / 120.0)))
    cos_d = 1.0 - z * (0.5 - z * (1.0 / 24.0 - z * (1.0 / 720.0)))
    ecose = q * cos_d - p * sin_d
    esine = p * cos_d + q * sin_d
    inverse = 1.0 / (1.0 - ecose)
    step = (esine - d) * inverse
    turn = 1.0 - 0.5 * step * step
    sin_e = sin_d * turn + cos_d * step
    cos_e = cos_d * turn - sin_d * step
    inverse = inverse - inverse * inverse * esine * step
    return sin_u * cos_e + cos_u * sin_e, cos_u * cos_e - sin_u * sin_e, inverse


@njit(fastmath=FAST, error_model="numpy", inline="always")
def _kepler(axnl, aynl, u, newton):
    """Kepler's equation by 4 or 8 Newton steps; also returns how far the last step still went."""
    sin_e, cos_e = _sincos(u)
    e = u + axnl * sin_e - aynl * cos_e
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
    return sin_e, cos_e, 1.0 / (1.0 - axnl * cos_e - aynl * sin_e), step


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
        tempa = 1.0 - t * (
            rows[CC1 * BLOCK + i]
            + t * (rows[D2 * BLOCK + i] + t * (rows[D3 * BLOCK + i] + t * rows[D4 * BLOCK + i]))
        )
        templ = (
            t
            * t
            * (
                rows[L2 * BLOCK + i]
                + t * (rows[L3 * BLOCK + i] + t * (rows[L4 * BLOCK + i] + t * rows[L5 * BLOCK + i]))
            )
        )
        # The cosine, as a sine a quarter of a turn on.
        delm = 1.0 + rows[ETA * BLOCK + i] * _rough_sine(xmdf + 1.5707963267948966)
        sway = rows[OMGCOF * BLOCK + i] * t + rows[XMCOF * BLOCK + i] * (
            delm * delm * delm - rows[DELMO * BLOCK + i]
        )
        drag = rows[BC4 * BLOCK + i] * t + rows[BC5 * BLOCK + i] * (
            _rough_sine(xmdf + sway) - rows[SINMAO * BLOCK + i]
        )
        e_raw = rows[ECCO * BLOCK + i] - drag
        e = max(e_raw, 1e-6)
        am = rows[AO * BLOCK + i] * tempa * tempa
        inv_a = 1.0 / am
        # Long-period terms. The sway shifts anomaly and perigee oppositely: it cancels in their sum.
        sin_g, cos_g = _sincos(argpdf - sway)
        axnl = e * cos_g
        e2 = e * e
        inv_p = inv_a * (1.0 + e2 * (1.0 + e2 * (1.0 + e2))) if newton == 1 else inv_a / (1.0 - e2)
        aynl = e * sin_g + inv_p * rows[AYCOF * BLOCK + i]
        u = xmdf + argpdf + templ + inv_p * rows[XLCOF * BLOCK + i] * axnl
        el2 = axnl * axnl + aynl * aynl
        if newton == 1:
            sin_e, cos_e, inv_r = _kepler_round(axnl, aynl, u)
            miss = 0.0
            # Series in el2, which is below 4e-4.
            betal = 1.0 - el2 * (0.5 + el2 * 0.125)
            half = 0.25 * el2 * (1.0 + 0.25 * el2)
            part = 0.5 + half * (0.5 + 0.5 * half)
            inv_pl = inv_a * (1.0 + el2 * (1.0 + el2 * (1.0 + el2)))
        else:
            sin_e, cos_e, inv_r, miss = _kepler(axnl, aynl, u, newton)
            betal = hardware_sqrt(1.0 - el2)
            part = 1.0 / (1.0 + betal)
            inv_pl = inv_a / (1.0 - el2)
        # Short-period terms.
        ecose = axnl * cos_e + aynl * sin_e
        esine = axnl * sin_e - aynl * cos_e
        rl = am * (1.0 - ecose)
        part *= esine
        sin_u = inv_r * (sin_e - aynl - axnl * part)
        cos_u = inv_r * (cos_e - axnl + aynl * part)
        sin_2u = (cos_u + cos_u) * sin_u
        cos_2u = 1.0 - 2.0 * sin_u * sin_u
        temp1 = 0.5 * J2 * inv_pl
        temp2 = temp1 * inv_pl
        cos_i, sin_i = rows[COSI * BLOCK + i], rows[SINI * BLOCK + i]
        radius = (
            rl * (1.0 - 1.5 * temp2 * betal * rows[CON41 * BLOCK + i])
            + 0.5 * temp1 * rows[X1MTH2 * BLOCK + i] * cos_2u
        )
        # The three angles are turned by their small corrections instead of being summed and evaluated anew.
        sin_d, cos_d = _tiny_sincos(-0.25 * temp2 * rows[X7THM1 * BLOCK + i] * sin_2u)
        sin_su = sin_u * cos_d + cos_u * sin_d
        cos_su = cos_u * cos_d - sin_u * sin_d
        sin_d, cos_d = _tiny_sincos(1.5 * temp2 * cos_i * sin_2u)
        sin_n, cos_n = _sincos(node)
        sin_node = sin_n * cos_d + cos_n * sin_d
        cos_node = cos_n * cos_d - sin_n * sin_d
        sin_d, cos_d = _tiny_sincos(1.5 * temp2 * cos_i * sin_i * cos_2u)
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
            & (inv_pl > 0.0)
            & (inv_pl < 1.15)
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
                hardware_sqrt(am * (1.0 - el2)) / rl
                + pull * (rows[X1MTH2 * BLOCK + i] * cos_2u + 1.5 * rows[CON41 * BLOCK + i])
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
