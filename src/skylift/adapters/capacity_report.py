"""A capacity study as one document: the summary that --json prints, and the details that a file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skylift.adapters.plan_sources import PlanInputs
from skylift.base.instants import format_instant
from skylift.base.units import DEG_PER_RAD, US_PER_S
from skylift.study.bearing import TERMINAL_MBPS, CapacityResult
from skylift.study.capacity import CLASS_NAMES

# Shares of cells and hours at which the duration curve is kept.
DURATION_STEPS = 200


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """summary: what --json prints. detail: cells, duration curve and sites, for maps and comparisons."""

    summary: dict[str, Any]
    detail: dict[str, Any]


def report_of(inputs: PlanInputs, result: CapacityResult) -> CapacityReport:
    """Whole bits per second, and other numbers rounded to what they are good for."""
    return CapacityReport(_summary(inputs, result), _detail(result))


def _summary(inputs: PlanInputs, result: CapacityResult) -> dict[str, Any]:
    case = result.case
    demand = case.demand
    return {
        "at": format_instant(inputs.start_us),
        "region": case.region.name,
        "system": inputs.system,
        "satellites": len(case.catalogue),
        "time_shift_s": case.catalogue.time_shift_us / US_PER_S,
        "cells": len(case.region),
        "area_km2": round(float(case.region.area_km2.sum()), 1),
        "allowed_area_km2": round(result.allowed_km2, 1),
        "demand_mbps_per_km2": _even_mbps_per_km2(result),
        "demand_bps": round(result.demand_bps),
        "barred_bps": round(demand.barred_bps),
        "served_bps": round(result.served_bps),
        "least_served_bps": round(result.least_served_bps),
        "mbps_per_km2": round(result.mbps_per_km2, 5),
        "classes": _classes(result),
        "terminals_at": {str(mbps): result.terminals_at(mbps) for mbps in TERMINAL_MBPS},
        "limited_by": {name: round(gain) for name, gain in result.limited_by.items()},
        "limited_by_hours": list(result.limited_at),
        "hours": _hours(result),
        "gateways": _gateways(result),
        "rules": _rules(result),
        "notes": list(inputs.notes),
    }


def _even_mbps_per_km2(result: CapacityResult) -> float | None:
    """What everybody wants of each km2; None where a file says who wants what."""
    case = result.case
    if not case.demand.even:
        return None
    return round(float(case.demand.wanted_bps.sum() / case.region.area_km2.sum()) / 1e6, 6)


def _classes(result: CapacityResult) -> dict[str, dict[str, int]]:
    demand = result.case.demand
    wanted = demand.wanted_bps[demand.allowed].sum(axis=0)
    served = result.class_served_bps.mean(axis=0)
    return {
        name: {"demand_bps": round(float(wanted[i])), "served_bps": round(float(served[i]))}
        for i, name in enumerate(CLASS_NAMES)
        if wanted[i] > 0
    }


def _hours(result: CapacityResult) -> list[dict[str, Any]]:
    return [
        {
            "at": format_instant(hour.at_us),
            "served_bps": round(hour.served_bps),
            "cells_without_service": hour.cells_without_service,
            "least_served_fraction": round(hour.least_fraction, 6),
            "satellites_in_reach": hour.satellites_in_reach,
            "satellites_tracked": hour.satellites_tracked,
            "beams_used_fraction": _rounded(hour.beams_used_fraction),
            "ka_used_fraction": _rounded(hour.ka_used_fraction),
        }
        for hour in result.hours
    ]


def _rounded(fraction: float) -> float | None:
    return None if np.isnan(fraction) else round(fraction, 4)


def _gateways(result: CapacityResult) -> dict[str, Any]:
    case = result.case
    order = np.argsort(-result.gateway_served_bps, kind="stable")
    serving = [int(i) for i in order if result.gateway_served_bps[i] > 0]
    return {
        "known": len(case.gateways),
        "antennas": sum(g.antennas for g in case.gateways),
        "serving": [
            {
                "id": str(case.gateways[i].id),
                "antennas": case.gateways[i].antennas,
                "satellites": round(float(result.gateway_satellites[i]), 2),
                "served_bps": round(float(result.gateway_served_bps[i])),
            }
            for i in serving
        ],
    }


def _rules(result: CapacityResult) -> dict[str, Any]:
    case = result.case
    rules = case.rules
    return {
        "beams_per_polarisation": list(case.radio.system.beams_per_polarisation),
        "arrays": {one.name: one.arrays for one in case.radio.system.generations},
        "channels": rules.channels,
        "nco": rules.nco,
        "separation_deg": round(rules.separation_rad * DEG_PER_RAD, 6),
        "dish_separation_deg": round(rules.dish_separation_rad * DEG_PER_RAD, 6),
        "floor_fraction": rules.floor_fraction,
        "class_tiers": list(rules.tiers()),
        "class_weights": None if rules.class_weights is None else list(rules.class_weights),
        "minimum_elevation_deg": case.user_antenna.minimum_elevation_deg,
        "arc_separation_deg": case.user_antenna.arc_separation_deg,
        "ka_fraction": case.ka_fraction,
    }


def _detail(result: CapacityResult) -> dict[str, Any]:
    case = result.case
    fractions = np.linspace(0.0, 1.0, DURATION_STEPS + 1)
    return {
        "cells": {
            "cell": list(case.region.cells),
            "area_km2": np.round(case.region.area_km2, 4).tolist(),
            "wanted_bps": np.round(case.demand.wanted_bps.sum(axis=1)).tolist(),
            "served_bps": np.round(result.cell_served_bps.mean(axis=0)).tolist(),
            "least_served_bps": np.round(result.cell_served_bps.min(axis=0)).tolist(),
            "allowed": case.demand.allowed.tolist(),
        },
        "duration": {
            "share_fraction": np.round(fractions, 6).tolist(),
            "mbps_per_km2": np.round(result.duration_mbps_per_km2(fractions.tolist()), 6).tolist(),
        },
        "sites": [
            {
                "id": str(g.id),
                "name": g.name,
                "latitude_deg": g.place.latitude_deg,
                "longitude_deg": g.place.longitude_deg,
                "served_bps": round(float(result.gateway_served_bps[i])),
            }
            for i, g in enumerate(case.gateways)
            if result.gateway_served_bps[i] > 0
        ],
    }
