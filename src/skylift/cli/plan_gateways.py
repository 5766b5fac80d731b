"""skylift plan gateways: which further sites help a region most."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli import plan_options as option
from skylift.cli.outputs import check_output, check_picture
from skylift.study.readable import counted, gbps

if TYPE_CHECKING:
    from collections.abc import Callable

    from skylift.adapters.plan_sources import PlanSources
    from skylift.study.siting import Figures, SitingResult
    from skylift.study.siting_search import Limits

_MostSets = Annotated[
    int, typer.Option(min=1, max=100_000, help="Up to so many sets all are looked at; beyond, greedy.")
]
_MostValues = Annotated[
    int, typer.Option(min=1, max=100_000, help="So many sets are scheduled at most in the search.")
]
_Out = Annotated[Path | None, typer.Option("-o", "--out", "--output", help="Write the JSON document there.")]


MOST_LOSSES = 6


def register(plan: typer.Typer) -> None:
    plan.command("gateways")(gateways)


def gateways(
    context: typer.Context,
    region: option.Region,
    candidates: Annotated[
        Path, typer.Option(dir_okay=False, help="Sites to choose from, in any format of --gateways.")
    ],
    add: Annotated[int, typer.Option(min=1, max=50, help="How many to choose.")] = 1,
    by: Annotated[str, typer.Option(help="capacity, availability or robustness.")] = "capacity",
    candidate: Annotated[list[str] | None, typer.Option(help="Only this candidate; again for more.")] = None,
    catalogue: option.Catalogue = None,
    gateways: option.Gateways = None,
    gateway: option.Gateway = None,
    without: option.Without = None,
    system: option.System = None,
    at: option.At = None,
    hours: option.Hours = 4,
    demand_mbps_per_km2: option.Density = 100.0,
    demand: option.Demand = None,
    left_out: option.LeftOut = None,
    rain: option.Rain = None,
    jam: option.Jam = None,
    resolution: option.Resolution = 5,
    antennas_per_gateway: option.Antennas = None,
    most_sets: _MostSets = 2_000,
    most_values: _MostValues = 60,
    lenient: option.Lenient = False,
    out: _Out = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a map and bars, .png.")] = None,
    as_json: option.AsJson = False,
) -> None:
    """Choose the sites, of those in a list, that help a region most, and say how sure the choice is.

    capacity: bits served by the beam schedule. availability: share of what is wanted that stands in cells
    which see a satellite that some gateway tracks. robustness: the least of both shares when any one gateway
    is lost.
    """
    from skylift.adapters.plan_sources import PlanSources
    from skylift.base.instants import parse_instant
    from skylift.study.siting_search import Limits

    check_output(out, endings=(".json",))
    check_picture(plot, (".png",))
    at_us = None if at is None else parse_instant(at, "--at")
    option.check_demand(context, demand)
    sources = PlanSources(
        region, catalogue, lenient, gateways, tuple(gateway or ()), tuple(without or ()), system, resolution,
        at_us, demand_mbps_per_km2, demand=demand, left_out=left_out, rain=rain, jam=jam,
        antennas=antennas_per_gateway, hours=hours,
    )  # fmt: skip
    question = _Question(candidates, tuple(candidate or ()), add, by, hours, Limits(most_sets, most_values))
    _answer(sources, question, (out, plot), as_json)


@dataclass(frozen=True, slots=True)
class _Question:
    candidates: Path
    only: tuple[str, ...]
    add: int
    by: str
    hours: int
    limits: Limits


def _answer(
    sources: PlanSources, question: _Question, files: tuple[Path | None, Path | None], as_json: bool
) -> None:
    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.candidates_file import load_siting
    from skylift.adapters.plan_sources import hourly
    from skylift.adapters.siting_report import siting_summary
    from skylift.cli.plan_warnings import warn
    from skylift.study.siting import SitingStudy

    inputs, existing = load_siting(sources, question.candidates, question.only)
    warn(inputs, question.hours)
    with _progress() as progress:
        study = SitingStudy(inputs.case, existing, hourly(inputs.start_us, question.hours), progress)
        result = study.choose(question.add, question.by, question.limits)
    summary = siting_summary(inputs, result, question.hours)
    text = json.dumps(summary, ensure_ascii=False)
    out, plot = files
    if out is not None:
        write_atomically(out, text + "\n")
    if plot is not None:
        from skylift.adapters.pictures_siting import draw_siting

        draw_siting(plot, inputs, existing, result)
    if as_json:
        typer.echo(text)
    else:
        _say(result, summary)


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Schedules are told by number alone: how many it takes is known only at the end."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("finding who sees whom") as status:

        def report(what: str, done: int) -> None:
            if what != "slots":
                status.update(f"scheduling: {counted(done, 'slot')} done")

        yield report


def _say(result: SitingResult, summary: dict[str, Any]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for note in summary["notes"]:
        sys.stderr.write(f"note: {note}\n")
    names = " and ".join(one.gateway.name for one in result.chosen)
    table = Table(
        box=SIMPLE,
        title=escape(f"{summary['region']}: {names}, the best {len(result.chosen)} by {result.by}"),
    )
    table.add_column("gateways", overflow="fold")
    for heading in ("available", "least", "Gbit/s", "least", "robust"):
        table.add_column(heading, justify="right")
    _add(table, "as they are", result.before)
    _add(table, "with those chosen", result.after)
    for one in result.lost_one[:MOST_LOSSES]:
        served = gbps(one.served_bps)
        table.add_row(
            escape(f"  and without {one.gateway.name}"), _share(one.availability), "", served, "", ""
        )
    console = Console()
    console.print(table)
    if len(result.lost_one) > MOST_LOSSES:
        console.print(
            f"the loss of any other of {len(result.lost_one)} gateways takes no more than the last of these"
        )
    console.print(escape(summary["bound"]["text"]))
    for other in summary["alternatives"]:
        console.print(escape(f"else {' and '.join(other['gateways'])}: {other['text']}"))


def _add(table: Any, name: str, figures: Figures) -> None:
    table.add_row(
        name,
        _share(figures.availability),
        _share(figures.least_availability),
        gbps(figures.served_bps),
        gbps(figures.least_served_bps),
        _share(figures.robustness),
    )


def _share(fraction: float) -> str:
    return f"{fraction:.1%}"
