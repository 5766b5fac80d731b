"""skylift outages: how much of the internet is left, where, and since when."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from skylift.cli.outputs import check_picture

if TYPE_CHECKING:
    from skylift.adapters.outage_files import Recording
    from skylift.study.outages import Detection
    from skylift.watch.detector import Rules
    from skylift.watch.recording import Rule

# Each has `register(outages)`.
QUESTIONS = (
    "outages_export",
    "outages_import",
    "outages_monitor",
    "outages_need",
    "outages_probe",
    "outages_report",
    "outages_scenario",
    "outages_send",
)
# A table longer than this is no longer read; --json has everything.
_SHOWN = 40


def register(app: typer.Typer) -> None:
    outages = typer.Typer(help="How much of the internet is left, where, and since when.")
    outages.command("detect")(detect)
    for module in QUESTIONS:
        import_module(f"skylift.cli.{module}").register(outages)
    app.add_typer(outages, name="outages", no_args_is_help=True)


def detect(
    file: Path = typer.Argument(help="A recording: .csv or .parquet, one sample a row."),
    time_column: str = typer.Option(help="Column of the time: epoch or ISO 8601."),
    time_zone: str = typer.Option(
        help="IANA name of the zone that stamps without offset are in, such as UTC."
    ),
    value_column: str = typer.Option(help="Column of the level: 0 is nothing, --scale-max is all."),
    entity_columns: str = typer.Option(help="Columns that together name a series, with commas between."),
    scale_max: float = typer.Option(help="The level that means all of it: 1, 10 or 100."),
    baseline: str = typer.Option("tod:7d", help="tod:7d, tow:4w, pinned:FROM/TO or ioda:SIGNAL."),
    targets_column: str = typer.Option("", help="Column that says how many were asked for each sample."),
    time_unit: str = typer.Option("s", help="Unit of epochs: s, ms or us."),
    step_s: int | None = typer.Option(None, min=1, help="Width of a bin; the samples' own by default."),
    aggregate: str = typer.Option(
        "", help="mean, median or least: what a bin wider than the samples' step is made of."
    ),
    plot: Path | None = typer.Option(
        None, help="Draw those that lost most beside what was ordinary: .png, .svg or .pdf."
    ),
    at: str = typer.Option(
        "", help="Say how much was left at this instant, where an outage lasted then; the end by default."
    ),
    slow: bool = typer.Option(
        False, "--declines", help="Find slow decay too, day by day; takes a pinned window of 5 days or more."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print {events, rejected, insufficient, ...}."),
) -> None:
    """Find outages in a recording of connectivity.

    A series opens an outage below 0.8 of ordinary for two bins, and closes it above 0.9 for three. Ordinary
    is the median of the same time of the last seven days, or of a window that you pin. Nothing about the
    file is guessed: zone, columns and scale are yours to declare. Rows left out are listed with the reason.
    """
    from skylift.adapters.outage_files import read_recording
    from skylift.base.instants import parse_instant
    from skylift.cli.progress import slot_progress
    from skylift.study.outages import detect_outages
    from skylift.watch.detector import Rules
    from skylift.watch.recording import Declared, baseline_rule

    check_picture(plot)
    rule = baseline_rule(baseline)
    columns = tuple(name.strip() for name in entity_columns.split(","))
    declared = Declared(
        time_column, time_zone, value_column, columns, scale_max, time_unit, targets_column, aggregate
    )
    recording = read_recording(file, declared, None if step_s is None else step_s * 1_000_000)
    with slot_progress("detecting", "bins") as progress:
        found = detect_outages(
            recording.grid,
            recording.entities,
            rule,
            Rules(full_scale=scale_max),
            progress,
            parse_instant(at, "--at") if at else None,
        )
    sunk = _declines(found, rule) if slow else []
    if plot is not None:
        _draw(found, rule, Rules(full_scale=scale_max), f"{value_column} (0 to {scale_max:g})", plot)
    _tell(recording, found, sunk if slow else None, as_json)


def _tell(recording: Recording, found: Detection, sunk: list[dict[str, Any]] | None, as_json: bool) -> None:
    if as_json:
        rejected = [{"row": one.row, "reason": one.reason} for one in recording.rejected]
        document = {**found.as_dict(), "rejected": rejected, "warnings": list(recording.warnings)}
        if sunk is not None:
            document["declines"] = sunk
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    _print(recording, found)
    for one in sunk or ():
        typer.echo(
            f"{one['entity']} sinks since {_short(one['since'])}: at {one['fraction']:.0%} of its level"
            + (" (with an outage between)" if one["with_outage"] else "")
        )


def _declines(found: Detection, rule: Rule) -> list[dict[str, Any]]:
    from skylift.base.errors import Refused
    from skylift.study.declines import declines
    from skylift.watch.recording import PinnedRule

    if not isinstance(rule, PinnedRule):
        raise Refused(
            "outages.declines",
            "--declines",
            "beside a baseline that moves along, nothing ever sinks",
            "pin one: --baseline pinned:FROM/TO",
        )
    return [one.as_dict(found.entities) for one in declines(found.grid, rule, found.outages)]


def _draw(found: Detection, rule: Rule, rules: Rules, unit: str, plot: Path) -> None:
    from skylift.adapters.pictures_outages import MOST_PANELS, draw_series
    from skylift.base.errors import Refused
    from skylift.study.outages import traced, worst_series

    series = worst_series(found, MOST_PANELS)
    if not series:
        raise Refused(
            "outages.nothing-to-draw",
            "--plot",
            "no series fell below ordinary",
            "`skylift outages report --entity NAME` draws any",
        )
    draw_series(found, traced(found, rule, series, rules), "What fell below ordinary", unit, plot)


def _print(recording: Recording, found: Detection) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    events = [found.event(outage) for outage in found.outages]
    table = Table(box=None, pad_edge=False)
    left = "left at the end" if found.at_us == found.grid.at_us(found.grid.bins) else "left then"
    for title in ("entity", "opened", "closed", "lowest", "about 90 % sure", "band", left):
        table.add_column(title, justify="right" if title in ("lowest", left) else "left", no_wrap=True)
    for event in events[:_SHOWN]:
        table.add_row(
            str(event["entity"]),
            _short(event["opened_at"]),
            _short(event["closed_at"] or "still open"),
            f"{event['min_fraction']:.0%}",
            f"{event['low']:.0%} to {event['high']:.0%}" if event["counted"] else "not known",
            str(event["band"]),
            f"{event['now']['fraction']:.0%}" if isinstance(event["now"], dict) else "",
        )
    if events:
        console.print(table)
    if not all(event["counted"] for event in events):
        console.print("not known: how many were asked, and so how sure a level is (--targets-column)")
    if len(events) > _SHOWN:
        console.print(f"... and {len(events) - _SHOWN} more; --json has them all")
    console.print(found.fell())
    for line in found.unjudged():
        console.print(line)
    if recording.rejected:
        one = recording.rejected[0]
        console.print(f"{len(recording.rejected)} rows left out; the first: row {one.row}: {one.reason}")
    for warning in recording.warnings:
        Console(stderr=True).print(warning)


def _short(instant: object) -> str:
    return str(instant).replace("T", " ").replace(":00Z", "")
