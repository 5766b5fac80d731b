"""skylift management: an account's terminals, lines and telemetry, as the operator's own API gives them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
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
            *(one.obstruction, one.signal, one.uptime_s, one.software, " ".join(one.alerts)),
        )
        for one in api.readings(batches)
    )
    _write((*names, "software", "alerts"), rows)


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
