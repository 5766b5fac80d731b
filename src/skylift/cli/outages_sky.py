"""What the sky can serve at the sites that an outage cut off: `plan terminals` for just these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylift.study.need import NeedReport


def served(sites: Path, report: NeedReport, catalogue: Path | None, hours: int = 24) -> dict[str, Any]:
    """Each site that is cut off, with what it would get from the sky over a day, and what that rests on.

    sites  the list that the report was made from
    """
    from skylift.adapters.plan_sources import PlanSources, hourly
    from skylift.adapters.sites_file import load_sites, read_sites
    from skylift.cli.progress import slot_progress
    from skylift.study.terminals import TerminalRules, TerminalStudy

    cut_off = {one.site.id for one in report.sites}
    if not cut_off:
        return {"sites": [], "assumptions": []}
    read = tuple(one for one in read_sites(sites) if one.id in cut_off)
    sources = PlanSources("", catalogue, at_us=report.at_us, hours=hours)
    loaded = load_sites(sources, sites, read=read)
    rules = TerminalRules(report.rules.terminal_bps, report.rules.people_per_terminal)
    study = TerminalStudy(loaded.inputs.case, loaded.sites, rules)
    with slot_progress("scheduling") as progress:
        plan = study.plan(hourly(loaded.inputs.start_us, hours), progress)
    return {
        "sites": [
            {
                "id": one.site.id,
                "terminals": one.terminals,
                "least_bps": round(one.least_bps),
                "median_bps": round(one.median_bps),
                "unserved_bps": round(one.unserved_bps),
                "why": None if one.why is None else one.why.value,
            }
            for one in plan.sites
        ],
        "assumptions": [
            f"over {hours} hours; nobody else in these cells wants anything",
            *loaded.inputs.notes,
        ],
    }


def said(document: dict[str, Any]) -> list[str]:
    """A line for each site, and one for what it rests on."""
    lines = [
        f"the sky gives {one['id']} {one['median_bps'] / 1e6:.0f} Mbit/s in the median hour, "
        f"{one['least_bps'] / 1e6:.0f} at least, with {one['terminals']} terminals"
        + (f" ({one['why']})" if one["why"] else "")
        for one in document["sites"]
    ]
    return [*lines, "assumed of the sky: " + "; ".join(document["assumptions"])] if lines else []
