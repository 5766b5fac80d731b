"""skylift plan capacity: how much a region gets, hour by hour, and what limits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(plan: typer.Typer) -> None:
    plan.command("capacity")(capacity)


def capacity(
    region: Annotated[str, typer.Option(help="ISO code or English name of a country, or a GeoJSON file.")],
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue: TLE or OMM.")] = None,
    gateways: Annotated[Path | None, typer.Option(help="Own list of gateways.")] = None,
    gateway: Annotated[list[str] | None, typer.Option(help="Only this one; again for more.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Not this gateway; again for more.")] = None,
    system: Annotated[str, typer.Option(help="A packaged radio system, or a .toml.")] = "starlink-2022",
    hours: Annotated[int, typer.Option(min=1, max=168, help="One slot of each hour.")] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Schedule one slot of each hour for every cell of a region, and add up what is served."""
    from skylift.adapters.plan_sources import PlanSources, hourly, load_plan
    from skylift.base.instants import format_instant
    from skylift.study.capacity import CapacityStudy

    inputs = load_plan(
        PlanSources(
            region,
            catalogue=catalogue,
            gateways=gateways,
            only=tuple(gateway or ()),
            without=tuple(without or ()),
            system=system,
        )
    )
    study = CapacityStudy(inputs.case)
    rows = [
        {"at": format_instant(hour.at_us), "served_bps": float(hour.served_bps.sum())}
        for hour in study.hours(hourly(inputs.start_us, hours))
    ]
    typer.echo(json.dumps({"at": format_instant(inputs.start_us), "cells": len(inputs.case.region), "hours": rows}))
