"""A dish's slot as JSON: what a running service tells the process that serves its emulated dishes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.link import WhyDown
from skylift.wire.dish.view import SlotView

# Four places of a radian are 0.006 degrees: two hundred times finer than a pixel of the obstruction map.
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class DishSeen:
    """What the sky process tells of a slot of a terminal that has an emulated dish.

    boresight  azimuth and elevation of its axis, radians;  antenna  its model
    cell       H3, resolution 5, in which it stands
    """

    view: SlotView
    boresight: tuple[float, float]
    antenna: str
    cell: str


@dataclass(frozen=True, slots=True)
class ToldSlot:
    """One slot of one dish; null for what there is not. Angles in radians, azimuth from north over east.

    track      azimuth and elevation of the serving satellite at the slot's start, middle and end; its start
               alone in slots before the dish was there
    blocked    of a satellite behind what stands before the dish
    boresight  azimuth and elevation of the dish's axis; null likewise, as antenna and cell
    """

    at_us: int
    length_us: int
    why_down: str | None = None
    rtt_start_ms: float | None = None
    rtt_end_ms: float | None = None
    down_bps: float | None = None
    up_bps: float | None = None
    loss_fraction: float | None = None
    satellite: int | None = None
    track: tuple[tuple[float, float], ...] = ()
    handover: bool = False
    gateway: str | None = None
    pop: str | None = None
    reasons: tuple[str, ...] = ()
    boresight: tuple[float, float] | None = None
    antenna: str | None = None
    cell: str | None = None
    blocked: tuple[tuple[float, float], ...] = ()


def told_of(seen: DishSeen, reasons: Sequence[str]) -> ToldSlot:
    """As it is sent. reasons: codes of why the office bars it."""
    view = seen.view
    return ToldSlot(
        at_us=view.at_us,
        length_us=view.length_us,
        why_down=None if view.up else view.why_down.label,
        rtt_start_ms=_or_null(view.rtt_start_ms),
        rtt_end_ms=_or_null(view.rtt_end_ms),
        down_bps=_or_null(view.down_bps),
        up_bps=_or_null(view.up_bps),
        loss_fraction=_or_null(view.loss_fraction),
        satellite=view.satellite if view.up else None,
        track=tuple(_rounded(angles) for angles in view.track),
        handover=view.handover,
        gateway=view.gateway or None,
        pop=view.pop or None,
        reasons=tuple(reasons),
        boresight=_rounded(seen.boresight),
        antenna=seen.antenna,
        cell=seen.cell,
        blocked=tuple(_rounded(angles) for angles in view.blocked),
    )


def view_of(told: ToldSlot) -> SlotView:
    """As the dish has it. Raises KeyError for a reason that we do not know."""
    return SlotView(
        told.at_us,
        told.length_us,
        WhyDown.UP if told.why_down is None else WhyDown[told.why_down.upper()],
        rtt_start_ms=_or_nan(told.rtt_start_ms),
        rtt_end_ms=_or_nan(told.rtt_end_ms),
        down_bps=_or_nan(told.down_bps),
        up_bps=_or_nan(told.up_bps),
        loss_fraction=_or_nan(told.loss_fraction),
        satellite=-1 if told.satellite is None else told.satellite,
        track=told.track,
        handover=told.handover,
        gateway=told.gateway or "",
        pop=told.pop or "",
        reasons=told.reasons,
        blocked=told.blocked,
    )


def _rounded(angles: tuple[float, float]) -> tuple[float, float]:
    return round(angles[0], _DECIMALS), round(angles[1], _DECIMALS)


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
