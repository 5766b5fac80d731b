"""skylift management: an account's terminals, lines and telemetry, as the operator's own API gives them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.adapters.management_api import ManagementApi

ID = typer.Option(..., "--id", envvar="SKYLIFT_MANAGEMENT_ID", help="Client id of a service account.")
BASE = typer.Option("https://starlink.com", "--base", help="Where the API is.")
_SECRET = "SKYLIFT_MANAGEMENT_SECRET"


def register(app: typer.Typer) -> None:
    management = typer.Typer(
        help="Read an account through the operator's management API (V2); nothing is changed."
    )
    management.command("terminals")(terminals)
    management.command("lines")(lines)
    management.command("telemetry")(telemetry)
    management.command("import")(import_telemetry)
    app.add_typer(management, name="management", no_args_is_help=True)


def terminals(
    client_id: str = ID,
    hardware: str = typer.Option("", help="What all of them are, such as STD-V2; a new one needs it."),
    origin: str = typer.Option("other-records", help="bought-abroad, gift or other-records."),
    base: str = BASE,
) -> None:
    """Write the account's dishes as a table that `skylift terminal import` takes.

    Nicknames and addresses are not read. The secret is taken from SKYLIFT_MANAGEMENT_SECRET.
    """
    api = _api(client_id, base)
    rows = ((one.dish_id, one.kit, one.serial, hardware, "operator", origin) for one in api.terminals())
    _write(("dish_id", "kit", "serial", "hardware", "network", "origin"), rows)


def lines(client_id: str = ID, base: str = BASE) -> None:
    """Write the account's service lines."""
    api = _api(client_id, base)
    rows = ((one.number, one.product, one.active, one.started, one.ended) for one in api.service_lines())
    _write(("number", "product", "active", "started", "ended"), rows)


def telemetry(
    client_id: str = ID,
    batches: int = typer.Option(1, min=1, max=10_000, help="Read at most so many batches of 1,000 rows."),
    base: str = BASE,
) -> None:
    """Write what the account's dishes reported and nobody with this service account has read yet.

    Reading moves the account's place in the operator's stream: what is read is given to no one again.
    The operator keeps 8 hours. The cell in which a dish is, is not written.
    """
    from skylift.base.instants import format_instant

    api = _api(client_id, base)
    names = ("dish_id", "at", "down_bps", "up_bps", "latency_ms", "drop", "obstruction", "signal", "uptime_s")
    rows = (
        (
            *(one.dish_id, format_instant(one.at_us), one.down_bps, one.up_bps, one.latency_ms, one.drop),
            *(one.obstruction, one.signal, one.uptime_s, one.software, ";".join(one.alerts)),
        )
        for one in api.readings(batches)
    )
    _write((*names, "software", "alerts"), rows)


def import_telemetry(
    table: Path = typer.Argument(..., help="What `skylift management telemetry` wrote."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Write nothing; say what would be taken."),
    server: str = typer.Option(
        "http://127.0.0.1:8480", envvar="SKYLIFT_SERVER", help="The service's address."
    ),
    token: str = typer.Option("", envvar="SKYLIFT_TOKEN", help="Instead of that of the last login."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Give a running service what the operator reported of dishes that have no agent.

    Rows are marked as the operator's, and signed by nobody. The same table again changes nothing.
    """
    import msgspec

    from skylift.base.errors import Refused
    from skylift.client.http import Client, kept_token
    from skylift.wire.telemetry.management import by_dish, table_of

    client = Client(server, token or kept_token(server))
    taken: dict[str, Any] = {}
    for dish_id, rows in by_dish(table_of(_text(table))):
        body = {"dish_id": dish_id, "rows": msgspec.to_builtins(rows), "dry_run": dry_run}
        one = taken.setdefault(dish_id, {"rows": 0, "new": 0, "put_aside": 0, "left_out": ""})
        try:
            said = client.ask("POST", "telemetry/managed", body)
        except Refused as error:
            if error.code not in ("terminal.unknown", "telemetry.has-agent"):
                raise
            one["left_out"] = error.code
            continue
        one["rows"] += said["rows"]
        one["new"] += said["new"] or 0
        one["put_aside"] += len(said["put_aside"])
    _say_taken(taken, dry_run, as_json)


def _say_taken(taken: dict[str, Any], dry_run: bool, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "dishes": taken}))
        return
    left_out = [id for id, one in taken.items() if one["left_out"]]
    sums = {name: sum(one[name] for one in taken.values()) for name in ("rows", "new", "put_aside")}
    would = "would be taken" if dry_run else f"taken, {sums['new']} of them new"
    typer.echo(f"{len(taken)} dishes: {sums['rows']} rows {would}, {sums['put_aside']} put aside")
    for id in left_out:
        why = "an agent reports for it" if taken[id]["left_out"] == "telemetry.has-agent" else "not ours"
        typer.echo(f"left out: {id} ({why})")


def _text(table: Path) -> str:
    from skylift.base.errors import Refused

    try:
        return table.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Refused("management.table", str(table), "it cannot be read as text", "check the path") from None


def _api(client_id: str, base: str) -> ManagementApi:
    import os

    from skylift.adapters.management_api import ManagementApi
    from skylift.base.errors import Refused

    secret = os.environ.get(_SECRET, "")
    if not secret:
        # Not an option: whatever stands on a command line, every user of the machine can read.
        raise Refused(
            "management.secret", _SECRET, "it is needed", "set it in the environment of this command"
        )
    return ManagementApi(client_id, secret, base)


def _write(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(names)
    for row in rows:
        out.writerow(["" if value is None else _safe(value) for value in row])


def _safe(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
