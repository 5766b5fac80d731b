"""Series of connectivity that a scenario makes up: drawn from its seed, and never measured."""

from __future__ import annotations

import numpy as np

from skylift.base.randomness import random_stream
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.twin.scenario import Scenario
from skylift.watch.samples import Grid

STEP_US = 600 * US_PER_S
# Seven days of history, and two to look at before the scenario begins.
_BEFORE_US = 9 * US_PER_DAY
# The least answer at this hour of UTC, the most twelve hours later: a night and a day in Europe.
_NIGHT_US = 2 * 3_600 * US_PER_S


def made_up(scenario: Scenario) -> Grid:
    """Series of `scenario.connectivity`, (T, S), as fractions of all targets, from nine days before it.

    Each target answers by chance: by the ordinary share, the hour of the day, and the dip that it is in.
    """
    first = (scenario.start_us - _BEFORE_US) // STEP_US
    last = -(-scenario.end_us // STEP_US)
    at_us = np.arange(first, last, dtype=np.int64) * STEP_US
    plans = scenario.connectivity
    values = np.empty((at_us.size, len(plans)))
    targets = np.empty(values.shape)
    hour = np.cos((at_us - _NIGHT_US) % US_PER_DAY / US_PER_DAY * 2 * np.pi)
    for column, plan in enumerate(plans):
        share = plan.ordinary_fraction * (1 - plan.swing_fraction / 2 - plan.swing_fraction / 2 * hour)
        for dip in plan.dips:
            share = np.where((at_us >= dip.from_us) & (at_us < dip.until_us), share * dip.fraction, share)
        stream = random_stream(scenario.seed, f"connectivity/{plan.kind}/{plan.entity}")
        values[:, column] = stream.binomial(plan.targets, share) / plan.targets
        targets[:, column] = plan.targets
    return Grid(int(first * STEP_US), STEP_US, values, targets)
