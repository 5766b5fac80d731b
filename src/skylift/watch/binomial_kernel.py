"""How unlikely so few answers are, exactly: the lower tail of the binomial distribution."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def lower_tails(answered, asked, rate, tails):  # type: ignore[no-untyped-def]
    """tails[i] = P(X <= answered[i]) for X ~ Binomial(asked[i], rate[i]); nan where a number is missing.

    answered, asked, rate, tails  (S,) float64; counts are whole numbers
    Terms are added from `answered` downwards until they no longer count, so the cost is about sqrt(asked).
    """
    for i in range(answered.size):
        x, n, p = answered[i], asked[i], rate[i]
        if not (n >= 0.0 and p >= 0.0 and x >= 0.0):
            tails[i] = np.nan
        elif x >= n or p <= 0.0:
            tails[i] = 1.0
        elif p >= 1.0:
            tails[i] = 0.0
        else:
            # Above the mean the tail is near one and long: its complement is short.
            upper = x > n * p
            k = x + 1.0 if upper else x
            log_term = (
                math.lgamma(n + 1.0)
                - math.lgamma(k + 1.0)
                - math.lgamma(n - k + 1.0)
                + k * math.log(p)
                + (n - k) * math.log1p(-p)
            )
            term = math.exp(log_term)
            total = term
            odds = p / (1.0 - p)
            while term > total * 1e-17 and (k < n if upper else k > 0.0):
                if upper:
                    term *= (n - k) / (k + 1.0) * odds
                    k += 1.0
                else:
                    term *= k / (n - k + 1.0) / odds
                    k -= 1.0
                total += term
            tails[i] = max(0.0, 1.0 - total) if upper else min(1.0, total)
