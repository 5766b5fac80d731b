"""Runs of real packets that have to be trusted: a machine may be late now and then, an engine not always.

A run that does not trust itself is tried again, and after the last it is a failure. Only where others are
seen to have taken the processors, and not in CI, is it a skip, with that figure.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from bench.machine import Others

TRIES = 3
# Of all processors' time, what others have had from which on they may be why frames left late.
OTHERS_SHARE = 0.4
# A run's own processes go before those of other tests, where we may say so.
_NICENESS = -15

T = TypeVar("T")


@dataclass(frozen=True)
class Tried(Generic[T]):
    """The run that is trusted, or the last.

    why     what was wrong with it; empty where it is trusted
    others  share of all processors that others had while it ran
    """

    outcome: T
    why: str
    others: float

    def trusted(self) -> T:
        """What came of it; skips or fails where it is not trusted."""
        if self.why and self.others >= OTHERS_SHARE and not os.environ.get("CI"):
            pytest.skip(f"others had {self.others:.0%} of the processors: {self.why}")
        if self.why:
            pytest.fail(f"{self.why}; others had {self.others:.0%} of the processors")
        return self.outcome


def tried(run: Callable[[], T], report: Callable[[T], dict[str, Any]]) -> Tried[T]:
    """Run until a run trusts itself, at most TRIES times; `report` finds the report in what a run gives."""
    for _ in range(TRIES):
        others = Others(_own_s)
        with _before_others():
            outcome = run()
        said = report(outcome)
        if said["trustworthy"]:
            return Tried(outcome, "", 0.0)
        share = others.fraction()
    why = (
        f"none of {TRIES} runs is trusted; of the last p99 is {said['lateness_us']['p99']:g} us late, "
        f"{said['tun_dropped']} frames were dropped"
    )
    return Tried(outcome, why, share)


def _own_s() -> float:
    """What this process has worked, and those of its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@contextlib.contextmanager
def _before_others() -> Iterator[None]:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    try:
        yield
    finally:
        # Back up again everybody may.
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
