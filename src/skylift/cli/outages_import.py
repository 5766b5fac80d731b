"""skylift outages import: recordings into the store that the monitor judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skylift.adapters.outage_store import Put

STORE = Annotated[Path, typer.Option(help="The monitor's store, one file; made where it is not.")]
_SHOWN = 10


def register(outages: typer.Typer) -> None:
    outages.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="A recording: .csv or .parquet, one sample a row.")],
    store: STORE,
    signal: Annotated[str, typer.Option(help="What it measures, such as ping-slash24.")],
    time_column: Annotated[str, typer.Option(help="Column of the time: epoch or ISO 8601.")],
    time_zone: Annotated[str, typer.Option(help="IANA name of the zone of stamps without offset.")],
    value_column: Annotated[str, typer.Option(help="Column of the level: 0 is nothing, --scale-max is all.")],
    entity_columns: Annotated[str, typer.Option(help="Columns that together name a series.")],
    scale_max: Annotated[float, typer.Option(help="The level that means all of it: 1, 10 or 100.")],
    prober: Annotated[
        str, typer.Option(help="Who measured it: its own trouble makes all fall.")
    ] = "recorded",
    targets_column: Annotated[str, typer.Option(help="Column of how many were asked.")] = "",
    time_unit: Annotated[str, typer.Option(help="Unit of epochs: s, ms or us.")] = "s",
    step_s: Annotated[
        int | None, typer.Option(min=1, help="Width of a bin; the samples' own by default.")
    ] = None,
    aggregate: Annotated[str, typer.Option(help="mean, median or least, as for `detect`.")] = "",
    kind: Annotated[
        str, typer.Option(help="What its entities are: country, region, as, cell, ...")
    ] = "region",
    country: Annotated[str, typer.Option(help="Where they are, ISO 3166.")] = "",
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The data are made up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print {new, repeated, rejected, ...}.")] = False,
) -> None:
    """Put a recording into the monitor's store, as often as you like: what is there stays as it is.

    The same sample again is counted as repeated; another value of a bin, and what comes after its bin was
    judged, is left out with row and reason. `skylift outages monitor --store F` then judges it.
    """
    from skylift.adapters.clock import WallClock
    from skylift.adapters.outage_files import read_recording
    from skylift.adapters.outage_recorded import RecordedProbes, gathered_of
    from skylift.adapters.outage_store import OutageStore
    from skylift.cli.outages_report import kind_of
    from skylift.ports.probes import Signal
    from skylift.watch.recording import Declared

    columns = tuple(name.strip() for name in entity_columns.split(","))
    declared = Declared(
        time_column, time_zone, value_column, columns, scale_max, time_unit, targets_column, aggregate
    )
    recording = read_recording(file, declared, None if step_s is None else step_s * 1_000_000)
    what = Signal(signal, prober, recording.grid.step_us, scale_max, synthetic)
    probes = RecordedProbes(file, declared, what, kind_of(kind).value, country.upper())
    kept = OutageStore(store)
    try:
        put = kept.put(what, gathered_of(recording, probes), WallClock().now())
    finally:
        kept.close()
    if as_json:
        typer.echo(json.dumps(as_document(put) | {"series": len(recording.entities)}))
        return
    typer.echo(f"{put.new:,} new samples of {len(recording.entities):,} series, {put.repeated:,} were there")
    for one in put.left[:_SHOWN]:
        typer.echo(f"left out: row {one.row}: {one.reason}", err=True)
    if len(put.left) + put.more_left > _SHOWN:
        typer.echo(f"... {len(put.left) + put.more_left - _SHOWN} more; --json has them", err=True)


def as_document(put: Put) -> dict[str, object]:
    return {
        "new": put.new,
        "repeated": put.repeated,
        "rejected": [{"row": one.row, "reason": one.reason} for one in put.left],
        "more_rejected": put.more_left,
    }
