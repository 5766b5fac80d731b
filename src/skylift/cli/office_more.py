"""skylift may-serve, clock, events, ask: doors that are of no one kind of thing."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from skylift.cli.office import AS_JSON, HERE, SERVER, TOKEN, client_of


def register(app: typer.Typer) -> None:
    app.command("may-serve")(may_serve)
    app.command("clock")(clock)
    app.command("events")(events)
    app.command("ask")(ask)


def may_serve(
    terminal: Annotated[str, typer.Argument(help="Its id, such as trm_...")],
    cell: Annotated[str, typer.Argument(help="H3 index of resolution 5, such as 851e6387fffffff.")],
    at: Annotated[str, typer.Option(help="When, ISO 8601; now without it.")] = "",
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """May this terminal be served in this cell? If not: every reason, who decides, what would change it."""
    from skylift.cli.office_tables import table

    body = {"terminal": terminal, "cell": cell, **({"at": at} if at else {})}
    found = client_of(server, token).ask("POST", "may-serve", body)
    if as_json:
        typer.echo(json.dumps(found))
        return
    cap = f", at most {found['cap_bps'] / 1e6:g} Mbit/s" if found["cap_bps"] else ""
    typer.echo(f"yes{cap}" if found["allowed"] else "no")
    if found["reasons"]:
        table(found["reasons"], ("code", "authority", "would_change"))


def clock(
    advance: Annotated[float, typer.Option(min=0.0, help="Leap so many seconds ahead (simulated).")] = 0.0,
    pause: Annotated[
        bool | None, typer.Option("--pause/--go-on", help="Let a simulated clock stand still, or run.")
    ] = None,
    server: SERVER = HERE,
    token: TOKEN = "",
    as_json: AS_JSON = False,
) -> None:
    """What time the service has; a simulated clock can be moved by an operator."""
    from skylift.cli.office_tables import show

    client = client_of(server, token)
    if advance or pause is not None:
        show(client.ask("POST", "clock", {"advance_s": advance, "paused": pause}), as_json)
    else:
        show(client.ask("GET", "clock"), as_json)


def events(
    after: Annotated[
        int | None, typer.Option(min=0, help="Begin after this sequence number; 0: all.")
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0: go on until Ctrl-C.")] = 0,
    server: SERVER = HERE,
    token: TOKEN = "",
) -> None:
    """The journal as it grows, one JSON document a line: what you may hear of, from now on or --after."""
    path = "events" if after is None else f"events?after={after}"
    for number, line in enumerate(client_of(server, token).events(path), 1):
        typer.echo(line)
        if number == count:
            return


def ask(
    path: Annotated[str, typer.Argument(help="Below /api/v1/, such as links or 'ioda/v2/outages/events'.")],
    server: SERVER = HERE,
    token: TOKEN = "",
) -> None:
    """What any door answers to a GET, as it stands: for what has no command of its own."""
    sys.stdout.write(client_of(server, token).text(path.removeprefix("/").removeprefix("api/v1/")))
