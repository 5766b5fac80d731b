"""Demand of one class alone, told to the schedule in steps that it resolves well.

The schedule levels cells to some hundredths of a level (docs/why/011). Where everybody asks for far more than
there is, all cells stand in the lowest hundredths, and what one gets could be twice what another does. With
one class nothing depends on where classes and floor begin: a cell's level rises with served/wanted and with
nothing else. So the demand is split over the floor and all four classes, in steps that grow alike everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skylift.sky.schedule.problem import CLASSES, Floats, Schedule, ScheduleRules

# Where the floor and the four classes end, as parts of what a cell wants. Each step is about six of the one
# before: a hundredth of a level is then 1 to 6 % of what a cell gets, whatever that is.
ENDS = (0.0005, 0.003, 0.015, 0.1, 1.0)


def only_class(wanted_bps: Floats) -> int | None:
    """The one class that wants anything, of demand (M, 4); None if there are more, or none."""
    wants = np.flatnonzero(wanted_bps.any(axis=0))
    return int(wants[0]) if len(wants) == 1 else None


def in_steps(wanted_bps: Floats, rules: ScheduleRules) -> tuple[Floats, ScheduleRules]:
    """Demand of one class in steps, (M, 4), and the rules whose floor is the first of them."""
    floor = ENDS[0]
    widths = np.diff(ENDS) / (1.0 - floor)
    return wanted_bps.sum(axis=1)[:, np.newaxis] * widths, replace(rules, floor_fraction=floor)


def as_asked(found: Schedule, wanted_bps: Floats, floor_fraction: float) -> Schedule:
    """The schedule of such demand with what is served, and the levels, of the class that asked."""
    one = only_class(wanted_bps)
    if one is None:
        return found
    served = np.zeros_like(wanted_bps)
    served[:, one] = np.minimum(found.served_bps.sum(axis=1), wanted_bps[:, one])
    wanted = wanted_bps[:, one]
    part = np.divide(served[:, one], wanted, out=np.ones(len(wanted)), where=wanted > 0.0)
    above = one + 1.0 + (part - floor_fraction) / max(1.0 - floor_fraction, 1e-12)
    below = part / max(floor_fraction, 1e-12)
    level = np.where(part < floor_fraction, below, above)
    # Classes after the last that wants are passed through for nothing; a hair is no want.
    level[part >= 1.0 - 1e-6] = CLASSES + 1.0
    return replace(found, served_bps=served, level=level)
