"""skylift stock: who has how many and where, now or at any time in the past."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import urlencode

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN


def register(app: typer.Typer) -> None:
    app.command("stock")(stock)


def stock(
    depot: Annotated[str, typer.Option(help="Only this depot's code, or this account's id.")] = "",
    product: Annotated[str, typer.Option(help="Only this product.")] = "",
    at: Annotated[str, typer.Option(help="As it was then, ISO 8601.", show_default="now")] = "",
    serials: Annotated[bool, typer.Option("--serials", help="With the serials of pieces.")] = False,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """Who has how many of what: depots, accounts, consignments on their way, what is missing."""
    from skylift.cli.office import client_of
    from skylift.cli.office_tables import table

    query = {"depot": depot, "product": product, "at": at, "serials": "true" if serials else ""}
    found = client_of(server, token).ask("GET", f"stock?{urlencode({k: v for k, v in query.items() if v})}")
    if as_json:
        typer.echo(json.dumps(found))
        return
    columns = ("place_kind", "place", "product", "sound", "damaged", *(("serials",) if serials else ()))
    table(found["items"], columns)
    if found["doubts"]:
        typer.echo(f"{found['doubts']} records contradict one another: let a person look into them", err=True)
