"""What was set and what was seen, slot by slot, and whether the machine kept up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from skylift.wire.packet.pipe import Counters

# A run whose frames leave later than this in one of a hundred cases says nothing about a link.
TRUSTED_P99_US = 10_000.0
# Share of the wall's time that the packet loop waited for a processor.
STARVED_FRACTION = 0.05


@dataclass(slots=True)
class Seen:
    """One slot of a run; transit is from arrival to delivery, queueing included.

    rtt_set_ms, loss_set  of the whole slot, without fine structure: what is told where nothing went through,
                          NaN without a link. Of what did, the report tells what was set at those moments.
    lost, tried           wire packets, those of a gap included
    """

    at_us: int
    satellite: int
    gateway: str
    rtt_set_ms: float
    loss_set: float
    transit_ns: list[int] = field(default_factory=lambda: [0, 0])
    frames: list[int] = field(default_factory=lambda: [0, 0])
    jitter_ns: list[int] = field(default_factory=lambda: [0, 0])
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    length_us: int = 15_000_000
    delay_set_ns: list[int] = field(default_factory=lambda: [0, 0])
    lost: int = 0
    lost_set: float = 0.0
    tried: int = 0

    def count(self, side: int, before: Counters, after: Counters) -> None:
        """Book what one direction's counters grew by."""
        self.transit_ns[side] += after.transit_ns - before.transit_ns
        self.frames[side] += after.frames - before.frames
        self.jitter_ns[side] += after.jitter_ns - before.jitter_ns
        self.bytes[side] += after.delivered_bytes - before.delivered_bytes
        self.delay_set_ns[side] += after.delay_set_ns - before.delay_set_ns
        self.lost += after.lost + after.dropped_down - before.lost - before.dropped_down
        self.lost_set += after.lost_set - before.lost_set
        self.tried += after.tried - before.tried

    def as_dict(self) -> dict[str, Any]:
        seen_ms = None
        set_ms = None if math.isnan(self.rtt_set_ms) else self.rtt_set_ms
        loss_set = 1.0 if set_ms is None else self.loss_set
        if all(self.frames):
            set_ms, seen_ms = (
                sum(ns / count for ns, count in zip(both_ns, self.frames, strict=True)) / 1e6
                for both_ns in (self.delay_set_ns, self.transit_ns)
            )
        if self.tried:
            loss_set = self.lost_set / self.tried
        return {
            "at_us": self.at_us,
            "satellite": None if self.satellite < 0 else self.satellite,
            "gateway": self.gateway or None,
            "rtt_set_ms": None if set_ms is None else round(set_ms, 3),
            "rtt_seen_ms": None if seen_ms is None else round(seen_ms, 3),
            "loss_set": round(loss_set, 6),
            "loss_seen": None if self.tried == 0 else round(self.lost / self.tried, 6),
            "jitter_up_ms": self._jitter_ms(0),
            "jitter_down_ms": self._jitter_ms(1),
            # Of the whole slot, also where the run held only a part of it.
            "up_bps": round(self.bytes[0] * 8e6 / self.length_us),
            "down_bps": round(self.bytes[1] * 8e6 / self.length_us),
        }

    def _jitter_ms(self, side: int) -> float | None:
        if self.frames[side] < 2:
            return None
        return round(self.jitter_ns[side] / self.frames[side] / 1e6, 3)


@dataclass(frozen=True, slots=True)
class Kept:
    """How well the machine kept up.

    p50_us, p99_us  how late frames left
    tun_dropped     frames that the system dropped before we read them, or after we wrote them
    starved         the packet loop waited for a processor
    """

    p50_us: float
    p99_us: float
    tun_dropped: int
    starved: bool

    @property
    def trustworthy(self) -> bool:
        return self.p99_us <= TRUSTED_P99_US and self.tun_dropped == 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "trustworthy": self.trustworthy,
            "lateness_us": {"p50": self.p50_us, "p99": self.p99_us},
            "tun_dropped": self.tun_dropped,
            "cpu_starved": self.starved,
        }
