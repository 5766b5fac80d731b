"""What chance alone can do to a small sample."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from skylift.watch.baseline import Z_90
from skylift.watch.binomial_kernel import lower_tails
from skylift.watch.samples import Floats


def lower_tail(answered: Floats, asked: Floats, rate: Floats) -> Floats:
    """P(X <= answered) for X ~ Binomial(asked, rate), (S,) each; nan where a number is missing."""
    tails = np.empty(answered.shape)
    lower_tails(np.round(answered), np.round(asked), rate, tails)
    return tails


def deviations(chance: float) -> float:
    """So many standard deviations below its mean a normal variable falls with this chance."""
    return -NormalDist().inv_cdf(chance)


def wilson_interval(share: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """About 90 % sure to hold the true share of those who answer (Wilson 1927); (S,) each, 0 to 1."""
    z2 = Z_90 * Z_90
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        middle = (share + z2 / (2 * asked)) / (1 + z2 / asked)
        half = Z_90 / (1 + z2 / asked) * np.sqrt(share * (1 - share) / asked + z2 / (4 * asked * asked))
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)
