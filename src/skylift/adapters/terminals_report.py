"""The result of `skylift plan terminals` as one JSON document, coarsened to cells."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from skylift.adapters.atomic import write_atomically
from skylift.adapters.sites_file import ReadSite, SitesInputs
from skylift.base.instants import format_instant
from skylift.study.capacity import CLASS_NAMES, EVERYBODY
from skylift.study.terminals import SitePlan, TerminalPlan, TerminalRules
from skylift.study.terminals_why import Why

# Short because others are served, not for want of a way.
_FULL = (Why.ANTENNAS, Why.BEAMS, Why.KA, Why.NCO)

# Average power of a kit, W, least and most, as the maker publishes it for each model and nexustelemetry.com
# (guide to power consumption) repeats it; for the round dish the maker has none, and the range is the users'.
POWER_W = {
    "starlink-round-2021": (65, 150),
    "starlink-standard-v2": (50, 75),
    "starlink-standard-v3": (75, 100),
    "starlink-mini": (20, 40),
    "starlink-high-performance": (110, 150),
}


def terminals_summary(sites: SitesInputs, plan: TerminalPlan, rules: TerminalRules) -> dict[str, Any]:
    """The document that docs/reference/plan-terminals.md describes. Ids and cells, no places and no names."""
    inputs = sites.inputs
    return {
        "at": format_instant(inputs.start_us),
        "hours": plan.slots,
        "system": inputs.system,
        "terminal_mbps": rules.terminal_bps / 1e6,
        "people_per_terminal": rules.people_per_terminal,
        "sites": [
            _site(inputs.case.region.cells[one.site.cell], one, read)
            for one, read in zip(plan.sites, sites.read, strict=True)
        ],
        "totals": _totals(plan, inputs.case.user_antenna.name),
        "notes": [*inputs.notes, *_notes(sites, plan)],
    }


def _site(cell: str, one: SitePlan, read: ReadSite) -> dict[str, Any]:
    return {
        "id": one.site.id,
        "cell": cell,
        "kind": read.kind,
        "class": CLASS_NAMES[one.site.class_],
        "people": one.site.people,
        "wanted_bps": one.site.wanted_bps,
        "wanted_source": read.rate_source,
        "terminals": one.terminals,
        "per_terminal_bps": one.per_terminal_bps,
        "gets_bps": {"least": one.least_bps, "median": one.median_bps},
        "unserved_bps": one.unserved_bps,
        "why": None if one.why is None else one.why.value,
        "why_hours": {why.value: count for why, count in sorted(one.whys.items(), key=lambda w: w[0].value)},
    }


def _totals(plan: TerminalPlan, antenna: str) -> dict[str, Any]:
    by_class = Counter[str]()
    for one in plan.sites:
        by_class[CLASS_NAMES[one.site.class_]] += one.terminals
    power = POWER_W.get(antenna)
    return {
        "sites": len(plan.sites),
        "sites_short": sum(one.why is not None for one in plan.sites),
        "people": sum(one.site.people for one in plan.sites),
        "terminals": plan.terminals,
        "terminals_by_class": {name: by_class[name] for name in CLASS_NAMES if by_class[name]},
        "spares": plan.spares,
        "terminals_with_spares": plan.terminals + plan.spares,
        "wanted_bps": sum(one.site.wanted_bps for one in plan.sites),
        "gets_bps": {
            "least": float(sum(one.gets_bps for one in plan.sites).min()),  # type: ignore[union-attr]
            "median": float(_median(plan)),
        },
        "unserved_bps": sum(one.unserved_bps for one in plan.sites),
        "antenna": antenna,
        "power_w": None
        if power is None
        else {"least": power[0] * plan.terminals, "most": power[1] * plan.terminals},
    }


def _median(plan: TerminalPlan) -> float:
    import numpy as np

    return float(np.median(np.sum([one.gets_bps for one in plan.sites], axis=0)))


def _notes(sites: SitesInputs, plan: TerminalPlan) -> list[str]:
    assumed = sum(one.rate_source != "given" for one in sites.read)
    notes = ["this list tells where people depend on a dish: keep it as you would keep the sites themselves"]
    if assumed:
        notes.append(f"{assumed} of {len(sites.read)} sites state no rate: that of their kind is taken")
    case = sites.inputs.case
    held = sum(one.why in _FULL and one.site.class_ < EVERYBODY for one in plan.sites)
    if held and case.rules.floor_fraction > 0.0 and case.demand.wanted_bps[:, EVERYBODY].any():
        notes.append(
            f"sites of the first three classes that are short of capacity: {held}. The floor, "
            f"{case.rules.floor_fraction:.3g} of what everybody wants, comes before them: "
            "--set floor_fraction=0 would serve them first"
        )
    return notes


def write_privately(path: Path, text: str) -> None:
    """Puts a text into a file that its owner alone may read, also if it was there before."""
    if path.exists() and path.is_file():
        path.chmod(0o600)
    elif not path.exists():
        # An existing file keeps its mode when it is replaced, so it is made with the right one first.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    write_atomically(path, text)
