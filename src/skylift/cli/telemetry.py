"""skylift fleet health: which dishes are down, since when and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN


def register(app: typer.Typer) -> None:
    fleet = typer.Typer(help="All dishes together, through the running service.", no_args_is_help=True)
    fleet.command("health")(health)
    app.add_typer(fleet, name="fleet")


def health(
    region: Annotated[str, typer.Option(help="Only dishes of this region.")] = "",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Which dishes are down, since when and why: their own trouble, their area's, or this service's ear."""
    from urllib.parse import urlencode

    from skylift.cli.office import client_of
    from skylift.cli.office_tables import table

    query = f"?{urlencode({'region': region})}" if region else ""
    found = client_of(server, token).ask("GET", f"fleet/health{query}")
    if as_json:
        typer.echo(json.dumps(found))
        return
    if found["down"]:
        table(found["down"], ("terminal", "since", "why", "area", "silent", "says"))
    by = ", ".join(f"{number} {why}" for why, number in found["by"].items()) or "none has reported yet"
    typer.echo(f"of {found['terminals']} terminals: {by}", err=True)
