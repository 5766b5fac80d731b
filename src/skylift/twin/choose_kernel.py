"""Per-terminal choices among candidate pairs, in CSR order."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def candidate_cost_us(offset, satellite, range_m, pop, cost_us, us_per_m, out):
    """One-way microseconds from each terminal over each of its satellites to its PoP; inf without a route."""
    for m in range(len(offset) - 1):
        for k in range(offset[m], offset[m + 1]):
            out[k] = range_m[k] * us_per_m + cost_us[pop[m], satellite[k]]


@njit(cache=True)
def pick(offset, satellite, score, cost_us, previous, keep, out):
    """Each terminal's reachable pair of highest score (the first of equals), or the one it has; -1: none."""
    for m in range(len(offset) - 1):
        best, best_score = -1, -np.inf
        for k in range(offset[m], offset[m + 1]):
            if cost_us[k] == np.inf:
                continue
            if keep and satellite[k] == previous[m]:
                best = k
                break
            if score[k] > best_score:
                best, best_score = k, score[k]
        out[m] = best
