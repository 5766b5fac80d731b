"""skylift plan gateways: which further sites help a region most."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_output, check_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from skylift.study.siting import Figures, SitingResult


def register(plan: typer.Typer) -> None:
    plan.command("gateways")(gateways)


def gateways(
    region: Annotated[str, typer.Option(help="ISO code or English name of a country, or a GeoJSON file.")],
    candidates: Annotated[Path, typer.Option(help="Sites to choose from, in any format of --gateways.")],
    add: Annotated[int, typer.Option(min=1, max=50, help="How many to choose.")] = 1,
    by: Annotated[str, typer.Option(help="capacity, availability or robustness.")] = "capacity",
    candidate: Annotated[list[str] | None, typer.Option(help="Only this candidate; again for more.")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue: TLE or OMM.")] = None,
    gateways: Annotated[Path | None, typer.Option(help="Own list of the gateways that exist.")] = None,
    gateway: Annotated[list[str] | None, typer.Option(help="Only this one exists; again for more.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Not this gateway; again for more.")] = None,
    system: Annotated[
        str | None, typer.Option(help="A packaged radio system, or a .toml. Without it: by the year.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Start, ISO 8601. Without it: the catalogue's middle epoch.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=168, help="One slot of each hour.")] = 4,
    demand_mbps_per_km2: Annotated[
        float, typer.Option(help="What is wanted of each km2; the default is more than can be served.")
    ] = 10.0,
    demand: Annotated[
        Path | None, typer.Option(help="CSV: cell, or latitude_deg and longitude_deg; wanted_mbps; class.")
    ] = None,
    left_out: Annotated[
        str | None, typer.Option("--except", help="Not allowed there: a packaged area, or a GeoJSON file.")
    ] = None,
    rain: Annotated[Path | None, typer.Option(help="Cells of rain, TOML.")] = None,
    jam: Annotated[Path | None, typer.Option(help="Disturbances, TOML.")] = None,
    resolution: Annotated[int, typer.Option(help="H3 resolution of the cells; 5 has about 253 km2.")] = 5,
    antennas_per_gateway: Annotated[
        int | None, typer.Option(help="Satellites that a gateway, or a candidate, talks to.")
    ] = None,
    most_sets: Annotated[
        int, typer.Option(min=1, max=100_000, help="Up to so many sets all are looked at; beyond, greedy.")
    ] = 2_000,
    most_values: Annotated[
        int, typer.Option(min=1, max=100_000, help="So many sets are scheduled at most in the search.")
    ] = 60,
    lenient: Annotated[bool, typer.Option("--lenient", help="Skip bad records of the catalogue.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", "--output", help="Write the JSON document there.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a map and bars, .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Choose the sites, of those in a list, that help a region most, and say how sure the choice is.

    capacity: bits served by the beam schedule. availability: share of what is wanted that stands in cells
    which see a satellite that some gateway tracks. robustness: the least of both shares when any one gateway
    is lost.
    """
    from skylift.adapters.candidates_file import load_siting
    from skylift.adapters.plan_sources import PlanSources, hourly
    from skylift.adapters.siting_report import siting_summary
    from skylift.base.instants import parse_instant
    from skylift.study.siting import SitingStudy
    from skylift.study.siting_search import Limits

    check_output(out)
    check_picture(plot, (".png",))
    sources = PlanSources(
        region,
        catalogue=catalogue,
        lenient=lenient,
        gateways=gateways,
        only=tuple(gateway or ()),
        without=tuple(without or ()),
        system=system,
        resolution=resolution,
        at_us=None if at is None else parse_instant(at, "--at"),
        demand_mbps_per_km2=demand_mbps_per_km2,
        demand=demand,
        left_out=left_out,
        rain=rain,
        jam=jam,
        antennas=antennas_per_gateway,
    )
    inputs, existing = load_siting(sources, candidates, tuple(candidate or ()))
    with _progress() as progress:
        study = SitingStudy(inputs.case, existing, hourly(inputs.start_us, hours), progress)
        result = study.choose(add, by, Limits(most_sets, most_values))
    summary = siting_summary(inputs, result, hours)
    text = json.dumps(summary, ensure_ascii=False)
    if out is not None:
        from skylift.adapters.atomic import write_atomically

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
            status.update("finding who sees whom" if what == "slots" else f"scheduling: {done:,} slots done")

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
    for one in result.lost_one:
        served = f"{one.served_bps / 1e9:,.1f}"
        table.add_row(
            escape(f"  and without {one.gateway.name}"), _share(one.availability), "", served, "", ""
        )
    console = Console()
    console.print(table)
    console.print(escape(summary["bound"]["text"]))
    for other in summary["alternatives"]:
        console.print(escape(f"else {' and '.join(other['gateways'])}: {other['text']}"))


def _add(table: Any, name: str, figures: Figures) -> None:
    table.add_row(
        name,
        _share(figures.availability),
        _share(figures.least_availability),
        f"{figures.served_bps / 1e9:,.1f}",
        f"{figures.least_served_bps / 1e9:,.1f}",
        _share(figures.robustness),
    )


def _share(fraction: float) -> str:
    return f"{fraction:.1%}"
