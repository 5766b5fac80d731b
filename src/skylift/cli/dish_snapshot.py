"""skylift dish snapshot: one look at a dish, or at the debug data of its app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer


def snapshot(
    dish: str = typer.Option("192.168.100.1:9200", help="HOST:PORT of the dish."),
    debug_data: Path | None = typer.Option(None, help="Read the file that the app saves, and no dish."),
    with_place: bool = typer.Option(
        False, "--with-place", help="Show its place and where it points: whoever has that can find it."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Read a dish once: how it is, what its last quarter of an hour was like.

    Its place, country and pointing are left out unless asked for. Nothing is stored and nothing is sent.
    """
    document = _from_dish(dish, with_place) if debug_data is None else _from_file(debug_data, with_place)
    if as_json:
        typer.echo(json.dumps(document, allow_nan=False))
    else:
        _show(document)


def _from_dish(dish: str, with_place: bool) -> dict[str, Any]:
    from skylift.adapters.clock import WallClock
    from skylift.adapters.dish_client import DishClient
    from skylift.adapters.dish_snapshot import take
    from skylift.wire.dish.address import checked_address

    checked_address(dish, "--dish")
    with DishClient(dish) as client:
        return take(client, WallClock().now(), with_place)


def _from_file(file: Path, with_place: bool) -> dict[str, Any]:
    from skylift.adapters.dish_snapshot import MOST_BYTES, from_debug_data
    from skylift.base.errors import Refused

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(
            "dish.debug_data", "--debug-data", f"it cannot be read ({error.strerror})", "check its name"
        ) from None
    return from_debug_data(data, with_place)


def _show(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    dish, history = document["dish"], document["history"]
    table = Table(show_header=False)
    for name, value in _lines(dish, history):
        # A dish may say anything: its brackets are no orders to the table.
        table.add_row(name, escape(value))
    for name, value in document.get("place", {}).items():
        table.add_row(name, "unknown" if value is None else escape(str(value)))
    console = Console()
    console.print(table)
    if "place" not in document:
        console.print("its place is left out; --with-place shows it")


def _lines(dish: dict[str, Any], history: dict[str, Any] | None) -> list[tuple[str, str]]:
    outage = dish["outage"]
    lines = [
        ("dish", dish["device"]["id"] or "it does not say"),
        ("software", dish["device"]["software_version"] or "it does not say"),
        ("state", dish["state"]),
        ("up for", _number(dish["uptime_s"], "s")),
        ("no link since", _since(outage, dish["state"])),
        ("latency", _number(dish["latency_ms"], "ms")),
        ("lost", _number(dish["drop_fraction"], "of all pings")),
        ("obstructed", _number(dish["obstructed_fraction"], "of the time")),
        ("alerts", ", ".join(dish["alerts"]) or "none"),
        ("account", dish["disablement"] or "it does not say"),
        ("radio off", {True: "yes", False: "no", None: "it does not say"}[dish["radio_off"]]),
        ("software update", dish["software_update"] or "it does not say"),
    ]
    if history is not None:
        lines += [
            (f"last {history['seconds']} s", f"mean latency {_number(history['mean_latency_ms'], 'ms')}, "
             f"lost {_number(history['mean_drop_fraction'], 'of all pings')}, "
             f"power {_number(history['mean_power_w'], 'W')}"),
            ("outages it remembers", str(len(history["outages"]))),
        ]  # fmt: skip
    return lines


def _since(outage: dict[str, Any] | None, state: str) -> str:
    if outage is not None:
        return f"{outage['start'] or 'unknown'} ({outage['cause']})"
    return "there is a link" if state == "connected" else "it does not say"


def _number(value: float | None, unit: str) -> str:
    return (
        "it does not say"
        if value is None
        else f"{value:.4g} {unit}"
        if value < 10_000
        else f"{value:.0f} {unit}"
    )
