"""skylift plan terminals: how many terminals a list of sites needs, what they get, what stays unserved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli import plan_options as option
from skylift.cli.outputs import check_output
from skylift.cli.progress import slot_progress
from skylift.study.readable import counted, three_digits

if TYPE_CHECKING:
    from skylift.adapters.sites_file import SitesInputs
    from skylift.study.terminals import TerminalPlan, TerminalRules

_Sites = Annotated[
    Path, typer.Option(dir_okay=False, help="CSV or JSON: id, latitude and longitude or cell, kind, people.")
]
_Out = Annotated[
    Path | None, typer.Option("-o", "--out", "--output", help="Write the JSON document, for you alone.")
]

MOST_ROWS = 40
# As TerminalRules calls them.
_OPTION_OF = {
    "the rate of a terminal": "--terminal-mbps",
    "people per terminal": "--people-per-terminal",
    "the share of spares": "--spare",
}


def register(plan: typer.Typer) -> None:
    plan.command("terminals")(terminals)


def terminals(
    sites: _Sites,
    region: Annotated[
        str, typer.Option(help="Where everybody else wants something, too: as for capacity.")
    ] = "",
    background_mbps_per_km2: Annotated[
        float, typer.Option(help="What everybody else in the region wants.")
    ] = 0.0,
    terminal_mbps: Annotated[float, typer.Option(help="Counted on from one terminal.")] = 60.0,
    people_per_terminal: Annotated[int, typer.Option(help="That share one terminal.")] = 100,
    spare: Annotated[float, typer.Option(help="Share of terminals kept in store.")] = 0.2,
    catalogue: option.Catalogue = None,
    gateways: option.Gateways = None,
    gateway: option.Gateway = None,
    without: option.Without = None,
    system: option.System = None,
    at: option.At = None,
    hours: option.Hours = 24,
    left_out: option.LeftOut = None,
    rain: option.Rain = None,
    jam: option.Jam = None,
    resolution: option.Resolution = 5,
    antennas_per_gateway: option.Antennas = None,
    setting: option.Setting = None,
    lenient: option.Lenient = False,
    out: _Out = None,
    as_json: option.AsJson = False,
) -> None:
    """Terminals for a list of sites: how many, what each site gets with them, and why some get less.

    Sites are told by their ids and cells alone. Keep the list, and what comes of it, as you would keep the
    sites themselves.
    """
    from skylift.adapters.plan_sources import PlanSources, hourly
    from skylift.adapters.sites_file import load_sites
    from skylift.base.instants import parse_instant
    from skylift.cli.plan_rules import rules_of
    from skylift.cli.plan_warnings import warn
    from skylift.study.terminals import TerminalStudy

    check_output(out, endings=(".json",))
    rules = _rules(terminal_mbps, people_per_terminal, spare)
    _check(region, background_mbps_per_km2)
    at_us = None if at is None else parse_instant(at, "--at")
    sources = PlanSources(
        region, catalogue, lenient, gateways, tuple(gateway or ()), tuple(without or ()), system, resolution,
        at_us, rules=rules_of(setting or ()), left_out=left_out, rain=rain, jam=jam,
        antennas=antennas_per_gateway, hours=hours,
    )  # fmt: skip
    loaded = load_sites(sources, sites, background_mbps_per_km2)
    warn(loaded.inputs, hours)
    with slot_progress("scheduling") as progress:
        study = TerminalStudy(loaded.inputs.case, loaded.sites, rules)
        plan = study.plan(hourly(loaded.inputs.start_us, hours), progress)
    _tell(loaded, plan, rules, out, as_json)


def _tell(
    loaded: SitesInputs, plan: TerminalPlan, rules: TerminalRules, out: Path | None, as_json: bool
) -> None:
    from skylift.adapters.terminals_report import terminals_summary, write_privately

    summary = terminals_summary(loaded, plan, rules)
    text = json.dumps(summary, ensure_ascii=False)
    if out is not None:
        write_privately(out, text + "\n")
    if as_json:
        typer.echo(text)
    else:
        _say(summary, plan)


def _rules(terminal_mbps: float, people_per_terminal: int, spare: float) -> TerminalRules:
    from skylift.base.errors import Refused
    from skylift.study.terminals import TerminalRules

    try:
        return TerminalRules(terminal_mbps * 1e6, people_per_terminal, spare)
    except Refused as wrong:
        raise Refused(wrong.code, _OPTION_OF[wrong.thing], wrong.rule, wrong.way_out) from None


def _check(region: str, background: float) -> None:
    from skylift.base.errors import Refused

    # Written so that nan fails as well.
    if not 0.0 <= background <= 1e6:
        raise Refused(
            "plan.background", "--background-mbps-per-km2", "it is a number from 0 to 1e6", "correct it"
        )
    if background > 0.0 and not region:
        raise Refused(
            "plan.background",
            "--background-mbps-per-km2",
            "it needs a region in which everybody else is",
            "name it with --region",
        )


def _say(summary: dict[str, Any], plan: TerminalPlan) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for note in summary["notes"]:
        sys.stderr.write(f"note: {note}\n")
    table = Table(
        box=SIMPLE, collapse_padding=True, pad_edge=False,
        title=escape(f"Terminals, over {counted(plan.slots, 'slot')} from {summary['at']}"),
    )  # fmt: skip
    # At 80 columns a long id is folded; "why" is what the table is read for.
    table.add_column("site", overflow="fold", min_width=4)
    table.add_column("class", no_wrap=True)
    for heading in ("wants", "terminals", "least", "median", "short"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("why", min_width=len("no satellite"))
    # Who is shortest comes first: that is where something is to be done.
    rows = sorted(summary["sites"], key=lambda s: (-s["unserved_bps"] / max(s["wanted_bps"], 1.0), s["id"]))
    for row in rows[:MOST_ROWS]:
        table.add_row(
            escape(row["id"]),
            row["class"].partition("_")[0],
            _mbps(row["wanted_bps"]),
            f"{row['terminals']:,}",
            _mbps(row["gets_bps"]["least"]),
            _mbps(row["gets_bps"]["median"]),
            _mbps(row["unserved_bps"]),
            (row["why"] or "").replace("_", " "),
        )
    console = Console()
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(f"and {len(rows) - MOST_ROWS:,} more, none shorter of what it wants")
    totals = summary["totals"]
    terminals, spares, sites = (
        counted(totals[f"{thing}s"], thing) for thing in ("terminal", "spare", "site")
    )
    console.print(
        f"Rates in Mbit/s. {terminals} and {spares} for {sites}; of these {totals['sites_short']:,} get less "
        "than they want in some hour."
    )
    if totals["power_w"] and totals["terminals"]:
        least, most = totals["power_w"]["least"] / 1e3, totals["power_w"]["most"] / 1e3
        console.print(
            f"Power: {least:,.1f} to {most:,.1f} kW for {escape(totals['antenna'])}, spares not on."
        )


def _mbps(bps: float) -> str:
    return three_digits(bps / 1e6)
