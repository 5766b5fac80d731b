"""skylift plan capacity: how much a region gets, hour by hour, and what limits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skylift.cli.outputs import check_output, check_picture
from skylift.cli.progress import slot_progress

if TYPE_CHECKING:
    from skylift.sky.schedule.problem import ScheduleRules


def register(plan: typer.Typer) -> None:
    plan.command("capacity")(capacity)


def capacity(
    region: Annotated[str, typer.Option(help="ISO code or English name of a country, or a GeoJSON file.")],
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue: TLE or OMM.")] = None,
    gateways: Annotated[Path | None, typer.Option(help="Own list of gateways.")] = None,
    gateway: Annotated[list[str] | None, typer.Option(help="Only this one; again for more.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Not this gateway; again for more.")] = None,
    system: Annotated[
        str | None, typer.Option(help="A packaged radio system, or a .toml. Without it: by the year.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Start, ISO 8601. Without it: the catalogue's middle epoch.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=168, help="One slot of each hour.")] = 24,
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
    resolution: Annotated[int, typer.Option(help="H3 resolution of the cells; 5 has about 253 km2.")] = 5,
    nco: Annotated[int, typer.Option(help="Satellites on one channel of one cell.")] = 1,
    separation_deg: Annotated[
        float, typer.Option(help="Between beams on one channel, from the satellite.")
    ] = 2.5,
    beams: Annotated[
        int | None, typer.Option(help="Of a satellite, in each polarisation that it uses.")
    ] = None,
    antennas_per_gateway: Annotated[
        int | None, typer.Option(help="Satellites that a gateway talks to.")
    ] = None,
    ka_fraction: Annotated[float, typer.Option(help="Of what a link to a gateway carries.")] = 1.0,
    limits_every: Annotated[
        int, typer.Option(min=0, help="Ask what limits in each so-manieth hour; 0: do not ask.")
    ] = 4,
    lenient: Annotated[bool, typer.Option("--lenient", help="Skip bad records of the catalogue.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", "--output", help="Write .json, .csv or .geojson.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a map and curves, .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Schedule one slot of each hour for every cell of a region, and add up what is served."""
    from skylift.adapters.capacity_report import report_of
    from skylift.adapters.plan_sources import PlanSources, hourly, load_plan
    from skylift.base.instants import parse_instant
    from skylift.study.bearing import bearing

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
        rules=_rules(nco, separation_deg),
        demand=demand,
        left_out=left_out,
        rain=rain,
        beams=beams,
        antennas=antennas_per_gateway,
        ka_fraction=ka_fraction,
    )
    inputs = load_plan(sources)
    with slot_progress("scheduling") as progress:
        result = bearing(inputs.case, hourly(inputs.start_us, hours), limits_every, progress)
    report = report_of(inputs, result)
    if as_json:
        typer.echo(json.dumps(report.summary, ensure_ascii=False))


def _rules(nco: int, separation_deg: float) -> ScheduleRules:
    import math

    from skylift.sky.schedule.problem import ScheduleRules

    return ScheduleRules(nco=nco, separation_rad=math.radians(separation_deg))
