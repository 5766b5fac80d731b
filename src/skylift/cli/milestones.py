"""skylift milestones: how long it took from calls for help to service, beside the benchmark."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN

# As a narrow terminal has room for.
STEPS = {
    "acknowledged": "read",
    "authorised": "allowed",
    "activated": "active",
    "first_online": "online",
}


def register(app: typer.Typer) -> None:
    app.command("milestones")(milestones)


def milestones(
    region: Annotated[str, typer.Option(help="Only calls of this region.")] = "",
    requests: Annotated[int, typer.Option(min=0, max=1000, help="How many calls to list.")] = 20,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Hours from calls to acknowledgement, authorisation, active service and the first terminal online.

    Of all calls, of each region and of each call, beside the ten hours of February 2022. "middle" is what
    half of the calls took less than.
    """
    from urllib.parse import urlencode

    from skylift.cli.office import client_of
    from skylift.cli.office_tables import table

    query = urlencode({"limit": requests, **({"region": region} if region else {})})
    found = client_of(server, token).ask("GET", f"milestones?{query}")
    if as_json:
        typer.echo(json.dumps(found))
        return
    rows = [row for sums in (found["whole"], *found["regions"]) for row in _rows(sums)]
    rows += [
        {"of": one["request"], **_hours(one["hours"]), "in time": _in_time(one)} for one in found["items"]
    ]
    rows.append({"of": "benchmark: Ukraine, 2022", "active": f"{found['benchmark_hours']:g}"})
    table(rows, ("of", *STEPS.values(), "in time"))
    typer.echo("hours from the call until it was read, allowed, ...; -: not yet", err=True)
    if found["next"]:
        typer.echo(f"there are more calls: --requests {min(1000, requests * 10)}", err=True)


def _rows(sums: dict[str, Any]) -> list[dict[str, str]]:
    name = "all" if sums["region"] == "*" else sums["region"] or "no region"
    measured = sums["within_benchmark"] + sums["beyond_benchmark"]
    share = f"{sums['within_benchmark']} of {measured}" if measured else "-"
    return [
        {"of": name},
        {"of": "- from the first call", **_hours(sums["from_first_call"])},
        {"of": f"- middle of {sums['requests']}", **_hours(sums["middle"]), "in time": share},
    ]


def _hours(hours: dict[str, float | None]) -> dict[str, str]:
    return {name: "-" if hours[step] is None else f"{hours[step]:.1f}" for step, name in STEPS.items()}


def _in_time(one: dict[str, Any]) -> str:
    return {True: "yes", False: "no", None: "-"}[one["beats_benchmark"]]
