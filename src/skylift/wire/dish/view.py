"""What the network did for one dish in one slot: all that an emulated dish knows of the sky."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from skylift.base.link import WhyDown


class Cause(enum.IntEnum):
    """Why a dish has no link; numbers as in DishOutage.Cause."""

    UNKNOWN = 0
    BOOTING = 1
    STOWED = 2
    THERMAL_SHUTDOWN = 3
    NO_SCHEDULE = 4
    NO_SATS = 5
    OBSTRUCTED = 6
    NO_DOWNLINK = 7
    NO_PINGS = 8
    SLEEPING = 11
    SKY_SEARCH = 13
    INHIBIT_RF = 14


# A dish cannot tell a lost gateway from a beam that is switched off: it hears nothing.
CAUSES = {
    WhyDown.NO_SATELLITE: Cause.NO_SATS,
    WhyDown.OBSTRUCTED: Cause.OBSTRUCTED,
    WhyDown.GEO_ARC: Cause.NO_SCHEDULE,
    WhyDown.NO_GATEWAY: Cause.NO_DOWNLINK,
    WhyDown.REGION_NOT_ACTIVE: Cause.NO_SCHEDULE,
    WhyDown.TERMINAL_OFF: Cause.NO_SCHEDULE,
    WhyDown.NO_EPHEMERIS: Cause.NO_SATS,
    WhyDown.NO_CAPACITY: Cause.NO_SCHEDULE,
    WhyDown.NOT_PERMITTED: Cause.NO_SCHEDULE,
}


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot of one terminal.

    at_us, length_us     when it begins, UTC microseconds, and how long it lasts
    why_down             UP, or why there is no link
    rtt_start_ms, _end   up + down at the slot's edges, along one path; nan while down
    down_bps, up_bps     what the twin gives it; nan where rates are not modelled
    loss_fraction        share of packets lost; nan likewise
    satellite            serving one; -1 while down
    track                (azimuth, elevation) of it at start, middle and end, radians; () while down
    blocked              (azimuth, elevation) of a satellite behind what stands before the dish; () for none
    handover             another satellite than in the slot before
    gateway, pop         names; "" while down
    reasons              codes of why the office bars it, as service.permission.reasons has them; () where not
    """

    at_us: int
    length_us: int
    why_down: WhyDown
    rtt_start_ms: float = math.nan
    rtt_end_ms: float = math.nan
    down_bps: float = math.nan
    up_bps: float = math.nan
    loss_fraction: float = math.nan
    satellite: int = -1
    track: tuple[tuple[float, float], ...] = ()
    handover: bool = False
    gateway: str = ""
    pop: str = ""
    reasons: tuple[str, ...] = ()
    blocked: tuple[tuple[float, float], ...] = ()

    @property
    def up(self) -> bool:
        return self.why_down == WhyDown.UP

    @property
    def end_us(self) -> int:
        return self.at_us + self.length_us

    def rtt_ms(self, at_us: int) -> float:
        """Round trip at an instant within the slot; nan while down."""
        part = (at_us - self.at_us) / self.length_us
        return self.rtt_start_ms + (self.rtt_end_ms - self.rtt_start_ms) * part

    @property
    def drop_fraction(self) -> float:
        """What a ping every moment would lose: 1 while down."""
        if not self.up:
            return 1.0
        return 0.0 if math.isnan(self.loss_fraction) else self.loss_fraction
