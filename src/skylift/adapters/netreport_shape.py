"""What a net report, and a run's report, must have to be read again. Other keys may stand beside these."""

from __future__ import annotations

from typing import Literal

import msgspec

Number = float | None


class Figures(msgspec.Struct):
    """Of a slot, or of all."""

    rtt_ms: Number
    jitter_up_ms: Number
    jitter_down_ms: Number
    loss_up: Number
    loss_down: Number


class SlotFigures(Figures):
    start_ms: float


class Voice(msgspec.Struct):
    r: float
    mos: float
    codec: str
    buffer_ms: Number


class Rates(msgspec.Struct):
    down_bps: float
    up_bps: float


class Steps(msgspec.Struct):
    steps: int
    farthest_ms: Number = None
    p: Number = None


class Sent(msgspec.Struct):
    sent_ms: list[Number]
    up_ms: list[Number]
    down_ms: list[Number]

    def __post_init__(self) -> None:
        if not len(self.sent_ms) == len(self.up_ms) == len(self.down_ms):
            raise ValueError("columns of one length are expected")


class NetReport(Figures, kw_only=True):
    video_call: Literal["yes", "with disturbances", "no"]
    trustworthy: bool
    rtt_p95_ms: Number
    congestion_controls: dict[str, Rates]
    voice: Voice
    slots: list[SlotFigures]
    steps: Steps | None = None
    train: Sent | None = None
    starts_ms: list[float] = []


class RunSlot(msgspec.Struct):
    at_us: int
    rtt_seen_ms: Number = None
    loss_seen: Number = None
    jitter_up_ms: Number = None
    jitter_down_ms: Number = None
    up_bps: Number = None
    down_bps: Number = None


class RunReport(msgspec.Struct):
    trustworthy: bool
    slots: list[RunSlot]
