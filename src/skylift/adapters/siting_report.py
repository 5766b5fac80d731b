"""The result of a siting study as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from skylift.adapters.plan_sources import PlanInputs
from skylift.base.instants import format_instant
from skylift.study.readable import gbps
from skylift.study.siting import Figures, SitingResult

_METHODS = {
    "exact": "no other choice of {n} brings more ({valued:,} of {sets:,} sets scheduled{rest})",
    "bounded": "the best of {valued:,} sets scheduled, of {sets:,}; no other has more than {bound}",
    "greedy": "chosen one after the other, {valued:,} of {sets:,} sets scheduled; no choice of {n} has more "
    "than {bound}",
}
_OF = {
    "capacity": "served_bps, the mean over the slots by this schedule",
    "availability": "availability, the mean over the slots",
    "robustness": "robustness, a fraction",
}


def siting_summary(inputs: PlanInputs, result: SitingResult, hours: int) -> dict[str, Any]:
    """The document of docs/reference/plan-gateways.md. It holds names of gateways and no places."""
    say = _Say(result.by)
    # What was not scheduled cannot be better: that is what makes the choice exact.
    rest = ", the limit of no other is higher" if result.valued < result.sets else ""
    text = _METHODS[result.method].format(
        n=len(result.chosen), sets=result.sets, valued=result.valued, bound=say(result.bound), rest=rest
    )
    return {
        "region": inputs.case.region.name,
        "at": format_instant(inputs.start_us),
        "hours": hours,
        "system": inputs.system,
        "cells": len(inputs.case.region),
        "wanted_bps": round(result.wanted_bps),
        "most_bps": round(result.most_bps),
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
                "gain_served_bps": round(one.served_bps),
            }
            for one in result.chosen
        ],
        "before": _figures(result.before),
        "after": _figures(result.after),
        "lost_one": [
            {
                "gateway": one.gateway.id,
                "name": one.gateway.name,
                "availability": one.availability,
                "served_bps": round(one.served_bps),
            }
            for one in result.lost_one
        ],
        "alternatives": [
            {"gateways": [g.id for g in gateways], "value": value, "text": say(value)}
            for gateways, value in result.alternatives
        ],
        "notes": list(inputs.notes),
    }


def _figures(figures: Figures) -> dict[str, float]:
    """Rates in whole bits per second, as plan capacity gives them."""
    return {name: round(v) if name.endswith("_bps") else v for name, v in asdict(figures).items()}


class _Say:
    """A goal's value in words."""

    def __init__(self, by: str) -> None:
        self._by = by

    def __call__(self, value: float) -> str:
        return f"{gbps(value)} Gbit/s" if self._by == "capacity" else f"{value:.2%}"
