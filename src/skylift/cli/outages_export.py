"""skylift outages export: what a monitor's store still knows, hour by hour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skylift.cli.outages_import import STORE
from skylift.cli.outputs import check_output

_COLUMNS = ("time", "signal", "kind", "entity", "country", "mean", "least", "samples")


def register(outages: typer.Typer) -> None:
    outages.command("export")(export)


def export(
    store: STORE,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write this file, .csv, for you alone.")],
) -> None:
    """Write what the monitor's store knows, hour by hour: a recording that detect and report read.

    Samples are kept as they came for five weeks after they were judged, and as hours for 400 days.
    """
    import csv
    import io

    from skylift.adapters.outage_store import OutageStore
    from skylift.adapters.terminals_report import write_privately
    from skylift.base.errors import Refused
    from skylift.base.instants import format_instant

    check_output(out, endings=(".csv",))
    if not store.is_file():
        raise Refused("outages.store", store.name, "it is not there", "name the store of a monitor")
    kept = OutageStore(store)
    try:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        hours = list(kept.hours())
        for one in hours:
            of = one.of
            rows.writerow(
                (
                    format_instant(one.at_us), one.signal, of.kind, of.code, of.country,
                    f"{one.mean:.6g}", f"{one.least:.6g}", one.count,
                )
            )  # fmt: skip
    finally:
        kept.close()
    write_privately(out, text.getvalue())
    typer.echo(f"{len(hours):,} hours in {out.name}")
