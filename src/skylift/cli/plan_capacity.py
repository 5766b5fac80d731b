"""skylift plan capacity: how much a region gets, hour by hour, and what limits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli import plan_options as option
from skylift.cli.outputs import check_output, check_picture
from skylift.cli.plan_rules import rules_of
from skylift.cli.progress import slot_progress

if TYPE_CHECKING:
    from skylift.adapters.plan_sources import PlanSources


def register(plan: typer.Typer) -> None:
    plan.command("capacity")(capacity)


def capacity(
    context: typer.Context,
    region: option.Region,
    catalogue: option.Catalogue = None,
    gateways: option.Gateways = None,
    gateway: option.Gateway = None,
    without: option.Without = None,
    system: option.System = None,
    at: option.At = None,
    hours: option.Hours = 24,
    demand_mbps_per_km2: option.Density = 100.0,
    demand: option.Demand = None,
    left_out: option.LeftOut = None,
    rain: option.Rain = None,
    jam: option.Jam = None,
    resolution: option.Resolution = 5,
    nco: option.Nco = 1,
    separation_deg: option.Separation = 2.5,
    setting: option.Setting = None,
    beams: option.Beams = None,
    antennas_per_gateway: option.Antennas = None,
    ka_fraction: option.KaFraction = 1.0,
    limits_every: option.LimitsEvery = None,
    lenient: option.Lenient = False,
    out: option.Out = None,
    plot: option.Plot = None,
    as_json: option.AsJson = False,
) -> None:
    """How much a region gets hour by hour, how many terminals that is, and what limits it.

    One slot of every hour is scheduled for every cell of the region; `served_bps` is the mean over these.
    Nobody else is served: neighbours that share satellites and gateways would take their part.
    """
    from skylift.adapters.plan_sources import PlanSources

    option.check_demand(context, demand)
    sources = PlanSources(
        region, catalogue, lenient, gateways, tuple(gateway or ()), tuple(without or ()), system, resolution,
        _instant(at), demand_mbps_per_km2, rules_of(setting or (), nco, separation_deg), demand, left_out,
        rain, jam, beams, antennas_per_gateway, ka_fraction, hours,
    )  # fmt: skip
    _check_outputs(out, plot)
    _answer(sources, (hours, limits_every), (out, plot), as_json)


def _check_outputs(out: Path | None, plot: Path | None) -> None:
    from skylift.adapters.capacity_files import ENDINGS

    check_output(out, endings=ENDINGS)
    check_picture(plot, (".png",))


def _answer(
    sources: PlanSources, hours: tuple[int, int | None], files: tuple[Path | None, Path | None], as_json: bool
) -> None:
    from skylift.adapters.capacity_files import write_report
    from skylift.adapters.capacity_report import report_of
    from skylift.adapters.plan_sources import hourly, load_plan
    from skylift.cli.plan_warnings import warn
    from skylift.cli.plan_words import print_summary
    from skylift.study.bearing import asked_slots, bearing
    from skylift.study.limits import RESOURCES

    out, plot = files
    inputs = load_plan(sources)
    asked = asked_slots(len(inputs.case.region), *hours)
    warn(inputs, hours[0] + len(asked) * len(RESOURCES))
    with slot_progress("scheduling") as progress:
        result = bearing(inputs.case, hourly(inputs.start_us, hours[0]), hours[1], progress)
    report = report_of(inputs, result)
    if out is not None:
        write_report(out, report)
    if plot is not None:
        from skylift.adapters.pictures_capacity import draw_capacity

        draw_capacity(plot, report)
    if as_json:
        typer.echo(json.dumps(report.summary, ensure_ascii=False))
    else:
        print_summary(report.summary)


def _instant(at: str | None) -> int | None:
    from skylift.base.instants import parse_instant

    return None if at is None else int(parse_instant(at, "--at"))
