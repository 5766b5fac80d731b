"""skylift simulate: a scenario, slot by slot, into a folder."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.adapters.simulate import Outcome


MOST_ROWS = 20


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    scenario: Path = typer.Argument(..., help="A scenario, TOML; see scenarios/."),
    out: Path = typer.Option(..., "-o", "--out", help="Folder for links.parquet, summary and pictures."),
    catalogue: Path | None = typer.Option(
        None, help="Catalogue to use instead of the scenario's (TLE or OMM)."
    ),
    gateways: Path | None = typer.Option(None, help="Gateways to use instead (JSON, CSV, GeoJSON, TOML)."),
    workers: int = typer.Option(0, min=0, max=256, help="Processes; 0: one for each core."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a run that was cut off."),
    lenient: bool = typer.Option(
        False, "--lenient", help="Skip bad records of the catalogue, and say which."
    ),
    strict_epoch: bool = typer.Option(
        False, "--strict-epoch", help="Refuse elements more than 30 days from the simulated time."
    ),
    earth_orientation: Path | None = typer.Option(None, help="IERS finals2000A or CelesTrak EOP file."),
    schedule: Path | None = typer.Option(
        None, help="File for the beam schedule, .parquet or .csv; see docs/reference/schedule-parquet.md."
    ),
    pictures: bool = typer.Option(True, "--pictures/--no-pictures", help="Draw the pictures."),
    as_json: bool = typer.Option(False, "--json", help="Print summary.json on stdout."),
) -> None:
    """Simulate a scenario: which satellite each terminal uses, slot by slot, over which gateway, how late.

    With [capacity] in the scenario, or with --schedule, also how fast. Writes links.parquet, summary.json,
    summary.md and pictures. Ctrl-C leaves a valid partial result; --resume goes on with it. The result is the
    same to the byte for any number of workers.
    """
    from skylift.adapters.scenario_files import Sources
    from skylift.adapters.simulate import Options, run
    from skylift.cli.progress import slot_progress

    _check_schedule(schedule, out)
    sources = Sources(
        scenario, catalogue, gateways, lenient, strict_epoch, earth_orientation, schedule is not None
    )
    with slot_progress("simulating") as progress:
        outcome = run(sources, Options(out, workers, resume, pictures, schedule), progress)
    if as_json:
        typer.echo(json.dumps(outcome.summary, ensure_ascii=False))
    else:
        _say(outcome, out, schedule)
    if not outcome.summary["complete"]:
        # The same words again: with other files --resume would refuse.
        words = [word for word in sys.argv[1:] if word != "--resume"]
        sys.stderr.write(f"stopped early; go on with: skylift {shlex.join(words)} --resume\n")
        sys.exit(1)


def _check_schedule(schedule: Path | None, out: Path) -> None:
    from skylift.adapters.schedule_file import ENDINGS
    from skylift.cli.outputs import check_output

    # The folder of the results itself is made when the run begins.
    begins = schedule is not None and not out.exists() and schedule.resolve().parent == out.resolve()
    check_output(schedule, "--schedule", ENDINGS, makes_folder=begins)


def _say(outcome: Outcome, out: Path, schedule: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from skylift.adapters.simulation_report import mbps

    summary = outcome.summary
    if summary["time_shift_s"]:
        sys.stderr.write(
            f"note: all epochs of the catalogue are shifted by {summary['time_shift_s']:.3f} s\n"
        )
    for warning in summary["warnings"]:
        sys.stderr.write(f"note: {warning}\n")
    table = Table(title=escape(f"{summary['title']}: {summary['slots']} slots from {summary['start']}"))
    table.add_column("terminal", overflow="fold")
    with_rates = summary.get("rates") is not None
    for heading in (
        "available", "while active", "RTT ms", "handovers/h", *(("down Mbit/s", "up") if with_rates else ()),
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    worst = sorted(summary["terminals"].items(), key=lambda item: item[1]["availability_fraction"])
    for name, t in worst[:MOST_ROWS]:
        table.add_row(
            escape(name),
            _percent(t["availability_fraction"]),
            _percent(t["availability_while_active_fraction"]),
            _one(t["rtt_ms_median"]),
            _one(t["handovers_per_hour"]),
            *((mbps(t["down_bps_median"]), mbps(t["up_bps_median"])) if with_rates else ()),
        )
    console = Console()
    console.print(table)
    if with_rates and summary["rates"]["all"]["unserved_fraction"] is not None:
        console.print(
            f"{summary['rates']['all']['unserved_fraction']:.2%} of what was asked for was not served"
        )
    if len(worst) > MOST_ROWS:
        console.print(f"and {len(worst) - MOST_ROWS} more, all at least as available")
    written = ["summary.md", "summary.json", "links.parquet", *outcome.pictures]
    console.print(escape(f"in {out}: {', '.join(written)}"))
    if schedule is not None:
        console.print(escape(f"beams in {schedule}"))


def _percent(value: Any) -> str:
    return "-" if value is None else f"{value:.2%}"


def _one(value: Any) -> str:
    return "-" if value is None else f"{value:.1f}"
