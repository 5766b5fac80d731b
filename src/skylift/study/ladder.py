"""Demand of one class alone, told to the schedule in steps that it resolves well.

The schedule levels cells to some hundredths of a level (docs/why/011), so where the levels begin and end
decides how even and how full it becomes. With one class nothing else depends on them: a cell's level rises
with served/wanted and with nothing else. So the demand is split over the floor and all four classes, alike in
every cell: first in steps that grow, to see about how much everybody gets, then in fine ones about that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skylift.sky.schedule.problem import CLASSES, Floats, Schedule, ScheduleRules

Ends = tuple[float, ...]

# Where the floor and the four classes end, as parts of what a cell wants. Each is about six times the one
# before: whatever cells get, a hundredth of a level is 1 to 6 % of it.
FIRST_ENDS: Ends = (0.0005, 0.003, 0.015, 0.1, 1.0)
# The same about what the middle cell was given, in parts of that; wide above, where cells stand that only
# satellites see which nobody else needs: without a step at 8 a few of them took it all, and beams idled.
_ABOUT = (0.8, 1.1, 2.0, 8.0)
# If the middle cell is given nearly all, no step becomes narrower than this.
_NARROWEST = 0.05


def only_class(wanted_bps: Floats) -> int | None:
    """The one class that wants anything, of demand (M, 4); None if there are more, or none."""
    wants = np.flatnonzero(wanted_bps.any(axis=0))
    return int(wants[0]) if len(wants) == 1 else None


def ends_about(found: Schedule, wanted_bps: Floats) -> Ends | None:
    """Finer steps, from the schedule with coarse ones; None where everybody has all, or nobody anything."""
    wanted = wanted_bps.sum(axis=1)
    part = found.served_bps.sum(axis=1)[wanted > 0.0] / wanted[wanted > 0.0]
    some = part[part > 0.0]
    if not len(some) or part.min() > 1.0 - 1e-6:
        return None
    middle, steps = float(np.median(some)), len(_ABOUT)
    inner = (min(a * middle, 1.0 - (steps - k) * _NARROWEST) for k, a in enumerate(_ABOUT))
    return (*inner, 1.0)


def in_steps(wanted_bps: Floats, rules: ScheduleRules, ends: Ends) -> tuple[Floats, ScheduleRules]:
    """Demand of one class in steps, (M, 4), and the rules whose floor is the first of them."""
    widths = np.diff(ends) / (1.0 - ends[0])
    return wanted_bps.sum(axis=1)[:, np.newaxis] * widths, replace(
        rules, floor_fraction=ends[0], class_weights=None, class_tiers=None
    )


def as_asked(found: Schedule, wanted_bps: Floats, floor_fraction: float) -> Schedule:
    """The schedule of such demand with what is served, and the levels, of the class that asked."""
    one = only_class(wanted_bps)
    if one is None:
        return found
    served = np.zeros_like(wanted_bps)
    wanted = wanted_bps[:, one]
    served[:, one] = np.minimum(found.served_bps.sum(axis=1), wanted)
    part = np.divide(served[:, one], wanted, out=np.ones(len(wanted)), where=wanted > 0.0)
    above = one + 1.0 + (part - floor_fraction) / max(1.0 - floor_fraction, 1e-12)
    below = part / max(floor_fraction, 1e-12)
    level = np.where(part < floor_fraction, below, above)
    # Classes after the last that wants are passed through for nothing; a hair is no want.
    level[part >= 1.0 - 1e-6] = CLASSES + 1.0
    return replace(found, served_bps=served, level=level)
