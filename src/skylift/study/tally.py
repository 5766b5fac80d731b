"""What a simulation's links add up to: availability, delays, handovers, reasons for being down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skylift.base.link import WhyDown
from skylift.base.units import US_PER_S


@dataclass(frozen=True, slots=True)
class SlotColumns:
    """S slots of M terminals, each (S, M), and the S slot starts.

    rtt_us   float32, up + down at slot start, nan where down
    gateway  int16 index, -1 where down; why_down  uint8 codes of WhyDown
    in_view, usable  satellites above the least elevation, and those that a terminal can use
    down_bps, up_bps  float32, nan where down; None where capacity is not modelled
    """

    at_us: npt.NDArray[np.int64]
    rtt_us: npt.NDArray[np.float32]
    handover: npt.NDArray[np.bool_]
    why_down: npt.NDArray[np.uint8]
    in_view: npt.NDArray[np.int16]
    usable: npt.NDArray[np.int16]
    gateway: npt.NDArray[np.int16]
    down_bps: npt.NDArray[np.float32] | None = None
    up_bps: npt.NDArray[np.float32] | None = None


_KINDS = (np.float32, np.bool_, np.uint8, np.int16, np.int16, np.int16)


def concatenated(parts: Sequence[SlotColumns], terminals: int) -> SlotColumns:
    """All parts one after the other; no parts give no slots."""
    if not parts:
        empty: list[npt.NDArray[Any]] = [np.zeros((0, terminals), kind) for kind in _KINDS]
        return SlotColumns(np.zeros(0, np.int64), *empty)
    known = [f for f in SlotColumns.__dataclass_fields__ if getattr(parts[0], f) is not None]
    return SlotColumns(**{field: np.concatenate([getattr(p, field) for p in parts]) for field in known})


@dataclass(frozen=True, slots=True)
class TerminalTally:
    """One terminal over the whole run; None where it was never up, or never allowed to be."""

    availability_fraction: float
    availability_while_active_fraction: float | None
    rtt_ms_median: float | None
    rtt_ms_p95: float | None
    handovers_per_hour: float | None
    longest_gap_s: float
    why_down: dict[str, int]


def tally(columns: SlotColumns, terminal: int, slot_s: float) -> TerminalTally:
    """Everything about one terminal."""
    why = columns.why_down[:, terminal]
    slots = len(why)
    up = why == WhyDown.UP
    active = why != WhyDown.REGION_NOT_ACTIVE
    rtt_ms = columns.rtt_us[up, terminal].astype(np.float64) / 1e3
    codes, counts = np.unique(why[~up], return_counts=True)
    return TerminalTally(
        availability_fraction=float(up.mean()) if slots else 0.0,
        availability_while_active_fraction=float(up[active].mean()) if active.any() else None,
        rtt_ms_median=float(np.median(rtt_ms)) if len(rtt_ms) else None,
        rtt_ms_p95=float(np.quantile(rtt_ms, 0.95)) if len(rtt_ms) else None,
        handovers_per_hour=float(columns.handover[:, terminal].sum() / (up.sum() * slot_s / 3600.0))
        if up.any()
        else None,
        longest_gap_s=_longest_run(~up & active) * slot_s,
        why_down={WhyDown(code).label: int(count) for code, count in zip(codes, counts, strict=True)},
    )


@dataclass(frozen=True, slots=True)
class RateTally:
    """Rates of one or more terminals over a run, bit/s; None where they were never up.

    *_median, *_p05, *_least  over all slots in which they were up
    unserved_fraction   of what they asked for, downwards, while service was on; None where it never was
    """

    down_bps_median: float | None
    down_bps_p05: float | None
    down_bps_least: float | None
    up_bps_median: float | None
    unserved_fraction: float | None


def rate_tally(
    columns: SlotColumns, asked_bps: npt.NDArray[np.float64], who: npt.NDArray[np.intp]
) -> RateTally:
    """asked_bps (M,): what each terminal asks for, downwards; who: indices of terminals."""
    assert columns.down_bps is not None
    assert columns.up_bps is not None
    why, down_bps = columns.why_down[:, who], columns.down_bps[:, who].astype(np.float64)
    up = why == WhyDown.UP
    asked = ((why != WhyDown.REGION_NOT_ACTIVE) * asked_bps[who]).sum()
    rates, back = down_bps[up], columns.up_bps[:, who][up].astype(np.float64)
    return RateTally(
        down_bps_median=float(np.median(rates)) if len(rates) else None,
        down_bps_p05=float(np.quantile(rates, 0.05)) if len(rates) else None,
        down_bps_least=float(rates.min()) if len(rates) else None,
        up_bps_median=float(np.median(back)) if len(back) else None,
        unserved_fraction=max(1.0 - float(rates.sum() / asked), 0.0) if asked > 0.0 else None,
    )


def available_while_active(columns: SlotColumns) -> npt.NDArray[np.float64]:
    """(M,) share of the slots with service in which each terminal is up; nan where it never had service."""
    active = (columns.why_down != WhyDown.REGION_NOT_ACTIVE).sum(axis=0)
    up = (columns.why_down == WhyDown.UP).sum(axis=0)
    return np.where(active > 0, up / np.maximum(active, 1), np.nan)


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def span_s(columns: SlotColumns, slot_us: int) -> float:
    """Seconds from the first slot's beginning to the last one's end."""
    return (float(columns.at_us[-1] - columns.at_us[0]) + slot_us) / US_PER_S if len(columns.at_us) else 0.0
