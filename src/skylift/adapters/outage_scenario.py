"""A scenario's made-up connectivity, played through: series, outages, what is left, need. All synthetic."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from skylift.adapters.need_files import (
    PACKAGED_PEOPLE,
    area_of_entity,
    cuts_of,
    need_sites_of,
    people_of,
    shares_by_name,
)
from skylift.adapters.packaged import packaged_text
from skylift.adapters.people_files import RESOLUTION
from skylift.adapters.sites_file import sites_of
from skylift.base.errors import Refused
from skylift.base.instants import format_instant, parse_instant
from skylift.study.made_up import STEP_US, made_up
from skylift.study.need import NeedReport, NeedRules, Stated, need
from skylift.study.outages import Detection, detect_outages
from skylift.twin.scenario import Scenario, read_scenario
from skylift.twin.scenario_outages import ConnectivityPlan
from skylift.watch.detector import Rules
from skylift.watch.recording import baseline_rule

BASELINE = "tod:7d"


@dataclass(frozen=True, slots=True)
class Played:
    """What a scenario's series show.

    events  as `skylift outages monitor --json` has them, with kind, country and title
    levels  at the instant of the need, by entity: fraction of ordinary and its bounds
    """

    scenario: Scenario
    found: Detection
    events: tuple[dict[str, Any], ...]
    levels: tuple[dict[str, Any], ...]
    need: NeedReport
    nowhere: tuple[str, ...]


def load_scenario(name: str) -> Scenario:
    """A file, or the name of a packaged one. Raises Refused where it has no made-up connectivity."""
    path = Path(name)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Refused(
                "scenario.unreadable", path.name, "it is no readable file", "check the name"
            ) from None
        scenario = read_scenario(text, path.name)
    else:
        there = sorted(
            one.name.removesuffix(".toml")
            for one in resources.files("skylift.data").joinpath("scenarios").iterdir()
            if one.name.endswith(".toml") and one.name != "SOURCE.toml"
        )
        if name not in there:
            raise Refused(
                "scenario.unknown", f"scenario {name[:40]!r}", "none of this name is packaged",
                f"there are {', '.join(there)}; or name a .toml file",
            )  # fmt: skip
        scenario = read_scenario(packaged_text(f"scenarios/{name}.toml"), name)
    if not scenario.connectivity:
        raise Refused(
            "outages.no-series", scenario.source, "it has no [[connectivity]]", "docs/reference/scenario.md"
        )
    return scenario


def play(scenario: Scenario, at_us: int | None = None, shares: dict[str, Stated] | None = None) -> Played:
    """Detect, and reckon the need at an instant; None: just before the deepest outage begins to be over."""
    grid, plans = made_up(scenario), scenario.connectivity
    if at_us is not None and not grid.start_us <= at_us < grid.at_us(grid.bins):
        raise Refused(
            "outages.instant",
            "--at",
            f"the series are from {format_instant(grid.start_us)} to {format_instant(grid.at_us(grid.bins))}",
            "name an instant within them",
        )
    rule = baseline_rule(BASELINE)
    entities = [f"{plan.kind}/{plan.entity}" for plan in plans]
    stated = shares_by_name(entities, shares or {})
    found = detect_outages(grid, entities, rule, Rules(), at_us=at_us)
    if at_us is None:
        at_us = _worst_us(_events(found, plans), grid.at_us(grid.bins))
        found = detect_outages(grid, entities, rule, Rules(), at_us=at_us)
    levels = [
        {"kind": plan.kind, "entity": plan.entity, "title": plan.title,
         "fraction": round(float(found.latest.levels[0, column]), 4)}
        for column, plan in enumerate(plans)
    ]  # fmt: skip
    events = _events(found, plans)
    assumed = {
        name: Stated.alone(plan.users_fraction, plan.users_said)
        for name, plan in zip(entities, plans, strict=True)
        if plan.users_fraction
    } | stated
    told = {f"{event['kind']}/{event['entity']}" for event in events}
    cuts, nowhere = cuts_of(
        {"events": events},
        scenario.source,
        at_us,
        area_of_entity(None),
        {name: share for name, share in assumed.items() if name in told},
    )
    countries = {plan.country for plan in plans if plan.country}
    rows: list[tuple[str, Mapping[str, Any]]] = [
        (f"site {k}", _row(site)) for k, site in enumerate(scenario.sites, 1)
    ]
    sites = need_sites_of(sites_of(rows, scenario.source, RESOLUTION)) if rows else []
    report = need(cuts, people_of(countries), sites, NeedRules(), at_us)
    report = replace(report, people_said=PACKAGED_PEOPLE)
    return Played(scenario, found, tuple(events), tuple(levels), report, tuple(nowhere))


def _events(found: Detection, plans: Sequence[ConnectivityPlan]) -> list[dict[str, Any]]:
    events = []
    for outage in found.outages:
        plan = plans[outage.series]
        said = {"entity": plan.entity, "kind": plan.kind, "country": plan.country, "title": plan.title}
        events.append({**found.event(outage), **said, "signal": "synthetic", "synthetic": True})
    return events


def _row(site: Any) -> dict[str, Any]:
    return {
        "id": site.id, "cell": site.cell, "kind": site.kind, "people": site.people, "network": site.network
    }  # fmt: skip


def _worst_us(events: list[dict[str, Any]], end_us: int) -> int:
    if not events:
        return end_us - STEP_US
    worst = min(events, key=lambda event: float(event["min_fraction"]))
    return (end_us if worst["closed_at"] is None else parse_instant(worst["closed_at"])) - STEP_US


def recording(played: Played) -> str:
    """The series as a CSV that `skylift outages detect` reads."""
    grid = played.found.grid
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", "entity", "level", "targets", "synthetic"])
    assert grid.targets is not None
    for row in range(grid.bins):
        for column, name in enumerate(played.found.entities):
            value, targets = grid.values[row, column], grid.targets[row, column]
            writer.writerow([format_instant(grid.at_us(row)), name, f"{value:.6f}", f"{targets:.0f}", "yes"])
    return text.getvalue()
