"""Where the round trip jumps from one level to another, and whether it does so at the edges of slots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# A level is what a fifth of the round trips are below (a busy machine, or a queue, only adds), in so long on
# either side of an instant, less what spikes at an edge trouble.
_LEVEL_MS, _TROUBLED_MS = 3_000.0, 200.0
_SHARE = 0.2
# Of normal values: how far below the median that is, and the error of such a level, in sigma (the latter over
# the root of their number: the root of 0.2 * 0.8, over the density there).
_BELOW_SIGMA, _ERROR_SIGMA = 0.8416, 1.4288
_EVERY_MS = 100.0
# A step is one that stands this far out of the scatter of such levels, and that anybody can see.
_SIGMAS, _LEAST_MS = 5.0, 1.0
_FEWEST = 20


def steps_ms(at_ms: Floats, rtt_ms: Floats) -> list[tuple[float, float]]:
    """(when, by how much) of each step of a level; nan of what was lost is passed over.

    at_ms, rtt_ms  (N,), in order of time
    """
    known = ~np.isnan(rtt_ms)
    at_ms, rtt_ms = at_ms[known], rtt_ms[known]
    if at_ms.size < 2 * _FEWEST:
        return []
    splits = np.arange(at_ms[0] + _LEVEL_MS, at_ms[-1] - _LEVEL_MS, _EVERY_MS)
    jumps = np.array([_jump_ms(at_ms, rtt_ms, split) for split in splits])
    found = []
    while jumps.size and np.nanmax(np.abs(jumps), initial=0.0) > 0.0:
        best = int(np.nanargmax(np.abs(jumps)))
        found.append((_refined_ms(at_ms, rtt_ms, float(splits[best])), float(jumps[best])))
        # The same step is seen from everywhere near it.
        jumps[np.abs(splits - splits[best]) < _LEVEL_MS] = 0.0
    return sorted(found)


def on_edges(steps: Sequence[float], starts_ms: Sequence[float], slot_ms: float) -> dict[str, Any]:
    """How far steps lie from the edges of slots, and how likely that is if slots have nothing to do with it.

    p is that of the V-test of directions (Greenwood and Durand, 1955; Zar, Biostatistical Analysis, 27.1),
    a slot being the whole circle and its edge the expected direction: small where steps gather at edges.
    """
    if not steps or not starts_ms:
        return {"steps": 0, "farthest_ms": None, "p": None}
    from_edge_ms = (np.asarray(steps) - starts_ms[0] + slot_ms / 2) % slot_ms - slot_ms / 2
    u = float(np.cos(2 * np.pi * from_edge_ms / slot_ms).sum() * math.sqrt(2.0 / len(steps)))
    return {
        "steps": len(steps),
        "farthest_ms": round(float(np.abs(from_edge_ms).max()), 1),
        # For few steps the normal tail is too heavy, never too light.
        "p": float(f"{math.erfc(u / math.sqrt(2.0)) / 2.0:.2g}"),
    }


def _jump_ms(at_ms: Floats, rtt_ms: Floats, split_ms: float) -> float:
    """After less before, 0 where it is no more than scatter."""
    edges = (-_LEVEL_MS, -_TROUBLED_MS, _TROUBLED_MS, _LEVEL_MS)
    first, before, after, last = np.searchsorted(at_ms, [split_ms + edge for edge in edges])
    left, right = rtt_ms[first:before], rtt_ms[after:last]
    if min(left.size, right.size) < _FEWEST:
        return 0.0
    levels = np.quantile(left, (_SHARE, 0.5)), np.quantile(right, (_SHARE, 0.5))
    sigma_ms = sum(middle - low for low, middle in levels) / 2.0 / _BELOW_SIGMA
    error_ms = _ERROR_SIGMA * sigma_ms * math.sqrt(1.0 / left.size + 1.0 / right.size)
    jump_ms = float(levels[1][0] - levels[0][0])
    return jump_ms if abs(jump_ms) > max(_LEAST_MS, _SIGMAS * error_ms) else 0.0


def _refined_ms(at_ms: Floats, rtt_ms: Floats, split_ms: float) -> float:
    """Where two levels fit best, by the deviations that such levels make least, near a split."""
    first, last = np.searchsorted(at_ms, [split_ms - _LEVEL_MS, split_ms + _LEVEL_MS])
    times, values = at_ms[first:last], rtt_ms[first:last]
    left = np.quantile(values[times < split_ms - _TROUBLED_MS], _SHARE)
    right = np.quantile(values[times > split_ms + _TROUBLED_MS], _SHARE)
    gain = np.cumsum(_deviations(values - left) - _deviations(values - right))
    near = np.abs(times - split_ms) <= 1_000.0
    # The last that is better explained by the level before.
    return float(times[near][np.argmin(gain[near])])


def _deviations(values_ms: Floats) -> Floats:
    """The check function of quantile regression (Koenker and Bassett, 1978)."""
    return np.where(values_ms > 0.0, _SHARE * values_ms, (_SHARE - 1.0) * values_ms)
