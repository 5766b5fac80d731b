"""Branch-free arc cosine that vectorises: LLVM calls libm for the exact one, lane by lane."""

from __future__ import annotations

import math

from numba import njit

# No reassoc, no nnan: positions that are not valid are nan, and comparisons with them must stay false.
FAST = {"contract", "arcp", "nsz"}

# Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 4.4.46: |error| <= 2e-8 on [0, 1].
_A0 = 1.5707963050
_A1 = -0.2145988016
_A2 = 0.0889789874
_A3 = -0.0501743046
_A4 = 0.0308918810
_A5 = -0.0170881256
_A6 = 0.0066700901
_A7 = -0.0012624911


@njit(inline="always")
def acos_fast(x: float) -> float:
    """Arc cosine within 3e-8 rad (1.7e-6 degrees); beyond +-1 it is that of +-1, for nan it is nan."""
    a = abs(x)
    a = 1.0 if a > 1.0 else a
    p = _A7
    p = p * a + _A6
    p = p * a + _A5
    p = p * a + _A4
    p = p * a + _A3
    p = p * a + _A2
    p = p * a + _A1
    p = p * a + _A0
    y = math.sqrt(1.0 - a) * p
    return math.pi - y if x < 0.0 else y
