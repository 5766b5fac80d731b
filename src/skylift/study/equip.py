"""How many terminals a site takes: the same rule wherever it is asked."""

from __future__ import annotations

import math


def terminals_needed(wanted_bps: float, people: int, terminal_bps: float, people_per_terminal: int) -> int:
    """By rate and by people, whichever takes more; 0 where nothing is wanted.

    terminal_bps         what one terminal is counted on for
    people_per_terminal  Wi-Fi and not the satellite is what gives out first
    """
    if wanted_bps <= 0.0:
        return 0
    # A rate that is a whole number of terminals must not become one more by a rounded division.
    by_rate = math.ceil(wanted_bps / terminal_bps - 1e-9)
    return max(by_rate, math.ceil(people / people_per_terminal))
