"""Our own terminals as a source of the outage monitor: what the service itself counts, in crowds alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Unavailable
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.probes import Gathered, Measured, Sample, Signal
from skylift.service.outage.events import EntityKind
from skylift.service.outage.state import LEAST_TERMINALS

GROUPS = ("country", "region", "cell")
# Dishes' reports come up to ten minutes late where links are well.
LATE_US = 600 * US_PER_S
# History for a baseline of seven days, and a day; asked for a day at a time, as the service counts it anew.
_FIRST_US = 8 * US_PER_DAY
_AT_ONCE_US = US_PER_DAY


@dataclass(frozen=True)
class FleetProbes:
    """The share of the dishes expected to be online that are, by country, region or coarse cell.

    ask  the service's answer to a path below /api/v1/
    """

    signal: Signal
    ask: Callable[[str], Mapping[str, Any]]
    by: str = "country"
    country: str = ""

    def gather(self, since_us: int, until_us: int) -> Gathered:
        step_us = self.signal.step_us
        end_us = (until_us - LATE_US) // step_us * step_us
        begin_us = max(since_us, end_us - _FIRST_US)
        samples: list[Sample] = []
        while begin_us < end_us:
            until = min(begin_us + max(_AT_ONCE_US, step_us), end_us)
            samples += self._answered(begin_us, until)
            begin_us = until
        return Gathered(samples, max(since_us, end_us))

    def _answered(self, from_us: int, until_us: int) -> Iterator[Sample]:
        path = (
            f"fleet/online?by={self.by}&step={self.signal.step_us // US_PER_S}"
            f"&from={format_instant(from_us)}&until={format_instant(until_us)}"
        )
        try:
            for at_us, code, online, expected in self.ask(path)["items"]:
                # The service leaves small groups out; a crowd of one would be somebody's house.
                if expected < LEAST_TERMINALS:
                    continue
                country = code if self.by == "country" else self.country
                of = Measured(EntityKind.TERMINALS.value, str(code), str(country))
                yield Sample(int(at_us), of, min(online / expected, 1.0), float(expected))
        except (KeyError, TypeError, ValueError):
            raise Unavailable(
                "outages.fleet",
                "the service's answer",
                "it does not say how many terminals are online",
                "use the same version of skylift for the service and the monitor",
            ) from None
