"""skylift gateways: which gateways and points of presence are known, from where, and how well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.sky.routing.ground import Gateway, GroundSegment, Pop


def register(app: typer.Typer) -> None:
    app.command("gateways")(gateways)


def gateways(
    file: Path | None = typer.Option(
        None, "--gateways", help="A list of your own (JSON, CSV, GeoJSON, TOML) instead of the packaged one."
    ),
    at: str | None = typer.Option(None, help="Only what can have been in operation then, ISO 8601."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """List gateways and points of presence (PoPs) with their source and how well their place is known."""
    from skylift.adapters.gateways_file import packaged_ground_segment, read_ground_segment
    from skylift.base.instants import parse_instant

    at_us = None if at is None else parse_instant(at, "--at")
    segment = packaged_ground_segment(at_us) if file is None else read_ground_segment(file, at_us)
    if as_json:
        document = {
            "gateways": [{**_common(g), **_of_gateway(g)} for g in segment.gateways],
            "pops": [{**_common(p), "code": p.code} for p in segment.pops],
            "skipped": dict(segment.skipped),
            "notes": list(segment.notes),
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print(segment)


def _common(site: Gateway | Pop) -> dict[str, Any]:
    from skylift.base.instants import format_instant

    return {
        "id": site.id,
        "name": site.name,
        "latitude_deg": site.place.latitude_deg,
        "longitude_deg": site.place.longitude_deg,
        "accuracy_m": site.accuracy_m,
        "source": site.source,
        "since": None if site.since_us is None else format_instant(site.since_us),
        "until": None if site.until_us is None else format_instant(site.until_us),
    }


def _of_gateway(gateway: Gateway) -> dict[str, Any]:
    return {
        "antennas": gateway.antennas,
        "minimum_elevation_deg": gateway.minimum_elevation_deg,
        "pop": gateway.pop,
        "in_doubt": gateway.in_doubt,
    }


def _print(segment: GroundSegment) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for title, sites in (("gateways", segment.gateways), ("points of presence", segment.pops)):
        table = Table(title=f"{len(sites)} {title}", title_justify="left", box=SIMPLE)
        # An id is never cut. What the other columns leave is for the source: rich would rather drop short
        # columns than shorten a long one.
        longest = max((len(_marked(site)) for site in sites), default=2)
        room = max(16, console.width - longest - 42)
        table.add_column("id", no_wrap=True, min_width=longest)
        table.add_column("since", no_wrap=True)
        for column in ("known to", "dishes"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("source", no_wrap=True)
        for site in sites:
            common = _common(site)
            antennas = str(getattr(site, "antennas", ""))
            name = escape(_marked(site))
            since = (common["since"] or "unknown")[:10]
            known = f"{site.accuracy_m / 1e3:g} km"
            table.add_row(name, since, known, antennas, escape(site.source[:room]))
        console.print(table)
    console.print("names, places and whole sources: --json")
    for why, count in segment.skipped:
        console.print(f"left out: {count} {escape(why)}")
    for note in segment.notes:
        console.print(escape(note))


def _marked(site: Any) -> str:
    return f"{site.id} (in doubt)" if getattr(site, "in_doubt", False) else str(site.id)
