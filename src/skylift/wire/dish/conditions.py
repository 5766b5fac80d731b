"""What befalls a dish from outside, said beforehand: weather, heat, a cut of power, new software."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What can befall it. The twin models none of these, so nothing happens that nobody asked for."""

    SNOW = "snow"
    WARM = "thermal-throttle"
    HOT = "thermal-shutdown"
    WATER = "water"
    SLOW_ETHERNET = "slow-ethernet"
    NO_GPS = "no-gps"
    POWER_CUT = "power-cut"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Happening:
    """One of them, from an instant on and until another; `version` of new software."""

    kind: Kind
    start_us: int
    end_us: int
    version: str = ""

    def holds(self, at_us: int) -> bool:
        return self.start_us <= at_us < self.end_us


class Conditions:
    """All that befalls one dish."""

    def __init__(self, happenings: Iterable[Happening] = ()) -> None:
        self._of: dict[Kind, list[Happening]] = {}
        for one in sorted(happenings, key=lambda one: one.start_us):
            self._of.setdefault(one.kind, []).append(one)

    def holds(self, kind: Kind, at_us: int) -> bool:
        return kind in self._of and any(one.holds(at_us) for one in self._of[kind])

    def ended_within(self, kind: Kind, at_us: int, last_us: int) -> bool:
        """Whether one of a kind ended at most `last_us` before an instant."""
        return kind in self._of and any(0 <= at_us - one.end_us < last_us for one in self._of[kind])

    def power_back_us(self, booted_us: int) -> int | None:
        """When the power comes back after the first cut that a dish on since `booted_us` meets."""
        return next((one.end_us for one in self._of.get(Kind.POWER_CUT, ()) if one.end_us > booted_us), None)

    def offered(self, version: str, at_us: int) -> str:
        """The newest software that is offered at an instant, other than the one that runs; "" for none."""
        offers = [one.version for one in self._of.get(Kind.UPDATE, ()) if one.holds(at_us)]
        return offers[-1] if offers and offers[-1] != version else ""
