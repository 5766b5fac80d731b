"""How long is waited between attempts to tell somebody, and when no more is tried.

The recommendation of Standard Webhooks 1.0.0 ("Deliverability and reliability"): exponential, with jitter,
over several days. 5 s, 20 s, 80 s, ... are four times as long each, and 12 hours at most.
"""

from __future__ import annotations

from skylift.base.units import US_PER_S

MOST_ATTEMPTS = 12
FIRST_WAIT_S = 5
GROWTH = 4
LONGEST_WAIT_S = 12 * 3600
# The least part of a wait that is kept: many that failed at once do not come back at once.
LEAST_FRACTION = 0.75


def wait_us(failures: int, jitter_fraction: float, asked_s: int = 0) -> int:
    """Microseconds until the next attempt, after so many failed ones (1 or more).

    jitter_fraction  0 to 1, at random
    asked_s          what the other side asked for (Retry-After); it is heeded up to the longest wait
    """
    if failures < 1 or not 0.0 <= jitter_fraction <= 1.0:
        raise ValueError("a wait follows a failed attempt, with a jitter from 0 to 1")
    longest = min(FIRST_WAIT_S * GROWTH ** (min(failures, MOST_ATTEMPTS) - 1), LONGEST_WAIT_S)
    wait_s = longest * (LEAST_FRACTION + (1.0 - LEAST_FRACTION) * jitter_fraction)
    return int(max(wait_s, min(asked_s, LONGEST_WAIT_S)) * US_PER_S)


def is_enough(failures: int) -> bool:
    """Whether it was tried often enough."""
    return failures >= MOST_ATTEMPTS
