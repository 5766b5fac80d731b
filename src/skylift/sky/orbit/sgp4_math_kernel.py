"""Sine, cosine and Kepler's equation without a branch or a call, for SGP4's vectorised loops."""

from __future__ import annotations

from numba import njit

from skylift.sky.orbit.hardware import negated_if_odd

# No reassociation: it would let LLVM undo the exact reduction of angles. No "no nans": nan must stay nan.
FAST = {"contract", "arcp", "nsz", "afn"}
# Added and taken off again, it rounds to the nearest whole number: 1.5 x 2^52.
ROUNDER = 6_755_399_441_055_744.0


@njit(fastmath=FAST, error_model="numpy", inline="always")
def sincos(angle: float) -> tuple[float, float]:
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
def rough_sine(angle: float) -> float:
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
    return negated_if_odd(r * sine, count)  # type: ignore[no-any-return]


@njit(fastmath=FAST, error_model="numpy", inline="always")
def tiny_sincos(angle: float) -> tuple[float, float]:
    """Sine and cosine of an angle below 0.0012 rad, within 1e-13."""
    z = angle * angle
    return angle - angle * z * (1.0 / 6.0), 1.0 - 0.5 * z


@njit(fastmath=FAST, error_model="numpy", inline="always")
def kepler_round(axnl: float, aynl: float, u: float) -> tuple[float, float, float]:
    """Kepler's equation for eccentricities up to 0.02, all done on d = E - u, which is then a small angle.

    The start is good to third order (4e-6), so that one Newton step is exact to 2e-13.
    Returns sine and cosine of E (from the node), and 1 / (1 - e cos E).
    """
    sin_u, cos_u = sincos(u)
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
def kepler(axnl: float, aynl: float, u: float, newton: int) -> tuple[float, float, float, float]:
    """Kepler's equation by 4 or 8 Newton steps; also returns how far the last step still went."""
    sin_e, cos_e = sincos(u)
    e = u + axnl * sin_e - aynl * cos_e
    sin_e, cos_e = sincos(e)
    step = 0.0
    # Loops of four are unrolled and then vectorised; a loop of eight would be neither.
    for _ in range(4):
        step = (u - aynl * cos_e + axnl * sin_e - e) / (1.0 - cos_e * axnl - sin_e * aynl)
        e += step
        sin_e, cos_e = sincos(e)
    if newton == 8:
        for _ in range(4):
            step = (u - aynl * cos_e + axnl * sin_e - e) / (1.0 - cos_e * axnl - sin_e * aynl)
            e += step
            sin_e, cos_e = sincos(e)
    return sin_e, cos_e, 1.0 / (1.0 - axnl * cos_e - aynl * sin_e), step
