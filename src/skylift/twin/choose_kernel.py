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
def pick(offset, satellite, score, cost_us, previous, slack_us, keep_slack_us, out):
    """Each terminal's pair: of those within slack_us of its least cost, the highest score (first of equals).

    The pair that it has stays while it is within keep_slack_us of the least; -inf never keeps. -1: no route.
    """
    for m in range(len(offset) - 1):
        least = np.inf
        for k in range(offset[m], offset[m + 1]):
            least = min(least, cost_us[k])
        best, best_score = -1, -np.inf
        for k in range(offset[m], offset[m + 1]):
            if cost_us[k] == np.inf:
                continue
            if satellite[k] == previous[m] and cost_us[k] <= least + keep_slack_us:
                best = k
                break
            if cost_us[k] <= least + slack_us and score[k] > best_score:
                best, best_score = k, score[k]
        out[m] = best
