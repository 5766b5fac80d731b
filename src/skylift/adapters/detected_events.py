"""Outages as `detect` and `monitor` write them: those that no detector would say are refused by number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from skylift.base.errors import Refused
from skylift.base.instants import parse_instant


def check_events(events: Sequence[Mapping[str, Any]], name: str) -> None:
    """Refuse, before anything is done with them, events whose times or levels contradict themselves.

    name  of the file, for what is refused. Raises KeyError, TypeError, ValueError for what is no event.
    """
    for number, event in enumerate(events, 1):
        wrong = _wrong(event)
        if wrong:
            raise Refused(
                "outages.event",
                f"{name}, event {number}",
                wrong,
                "correct it; of the whole file nothing was taken",
            )


def _wrong(event: Mapping[str, Any]) -> str:
    opened_us = parse_instant(event["opened_at"])
    if "confirmed_at" in event and parse_instant(event["confirmed_at"]) < opened_us:
        return "it is confirmed before it opens"
    if event["closed_at"] is not None and parse_instant(event["closed_at"]) <= opened_us:
        return "it closes before it opens, or at once: its duration is not above zero"
    levels = [event[key] for key in ("min_fraction", "low", "high")]
    now = event.get("now") or {}
    levels += [now[key] for key in ("fraction", "low", "high") if key in now]
    if not all(math.isfinite(level) and level >= 0 for level in map(float, levels)):
        return "a level is not finite, or below zero"
    return ""
