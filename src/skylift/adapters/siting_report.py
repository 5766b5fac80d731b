"""The result of a siting study as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from skylift.adapters.plan_sources import PlanInputs
from skylift.base.instants import format_instant
from skylift.study.siting import SitingResult

_METHODS = {
    "exact": "no other {n} of the candidates have more (of {sets:,} sets {valued:,} were valued in full, the "
    "rest have a limit no higher)",
    "bounded": "the best of {valued:,} sets valued in full, of {sets:,}; no other has more than {bound}",
    "greedy": "chosen one after the other, {valued:,} of {sets:,} sets valued in full; no {n} of the "
    "candidates have more than {bound}",
}
_OF = {
    "capacity": "served_bps, the mean over the slots by this schedule",
    "availability": "availability, the mean over the slots",
    "robustness": "robustness, a fraction",
}


def siting_summary(inputs: PlanInputs, result: SitingResult, hours: int) -> dict[str, Any]:
    """The document of docs/reference/plan-gateways.md. It holds names of gateways and no places."""
    say = _Say(result.by)
    text = _METHODS[result.method].format(
        n=len(result.chosen), sets=result.sets, valued=result.valued, bound=say(result.bound)
    )
    return {
        "region": inputs.case.region.name,
        "at": format_instant(inputs.start_us),
        "hours": hours,
        "system": inputs.system,
        "cells": len(inputs.case.region),
        "wanted_bps": result.wanted_bps,
        "most_bps": result.most_bps,
        "by": result.by,
        "method": result.method,
        "value": result.value,
        "bound": {
            "value": result.bound,
            "of": _OF[result.by],
            "sets": result.sets,
            "valued": result.valued,
            "text": f"{result.method}: {text}",
        },
        "chosen": [
            {
                "gateway": one.gateway.id,
                "name": one.gateway.name,
                "antennas": one.gateway.antennas,
                "gain_availability": one.availability,
                "gain_served_bps": one.served_bps,
            }
            for one in result.chosen
        ],
        "before": asdict(result.before),
        "after": asdict(result.after),
        "lost_one": [
            {
                "gateway": one.gateway.id,
                "name": one.gateway.name,
                "availability": one.availability,
                "served_bps": one.served_bps,
            }
            for one in result.lost_one
        ],
        "alternatives": [
            {"gateways": [g.id for g in gateways], "value": value, "text": say(value)}
            for gateways, value in result.alternatives
        ],
        "notes": list(inputs.notes),
    }


class _Say:
    """A goal's value in words."""

    def __init__(self, by: str) -> None:
        self._by = by

    def __call__(self, value: float) -> str:
        return f"{value / 1e9:,.1f} Gbit/s" if self._by == "capacity" else f"{value:.2%}"
