"""skylift sky: which satellites stand over a place at an instant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from skylift.cli import observer as door
from skylift.cli.outputs import check_picture

if TYPE_CHECKING:
    from skylift.sky.coverage.pairs import VisiblePairs
    from skylift.sky.coverage.sites import Sites
    from skylift.sky.orbit.catalogue import Catalogue


def register(app: typer.Typer) -> None:
    app.command("sky")(sky)


def sky(
    file: Path = typer.Argument(..., help="Catalogue: TLE or OMM."),
    at: str = typer.Option(..., "--at", help="Instant, ISO 8601; UTC unless it ends in an offset."),
    latitude: float = door.LATITUDE,
    longitude: float = door.LONGITUDE,
    altitude_m: float = door.ALTITUDE,
    min_elevation: float | None = typer.Option(
        None, "--min-elevation", help="Least elevation in degrees.", show_default="25, or the antenna's"
    ),
    antenna: str | None = typer.Option(
        None, "--antenna", help="Antenna model: adds which satellites it can use; see data/antennas."
    ),
    plot: Path | None = door.PLOT,
    lenient: bool = door.LENIENT,
    strict_epoch: bool = door.STRICT_EPOCH,
    as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout."),
) -> None:
    """List the satellites above a place, the highest first; with --antenna, whether a dish can use them."""
    from skylift.base.instants import parse_instant
    from skylift.sky.coverage.visible import visible_pairs
    from skylift.sky.orbit.propagate import Propagator

    at_us = parse_instant(at, "--at")
    site, model = door.observer((latitude, longitude, altitude_m), antenna, min_elevation)
    check_picture(plot)
    catalogue = door.elements(file, (at_us, at_us), lenient, strict_epoch)
    position_m = Propagator(catalogue).ephemeris([at_us], frame="itrs").position_ecef_m[0]
    pairs = visible_pairs(position_m, site)
    rows = _rows(catalogue, pairs, site, antenna is not None)
    if plot is not None:
        from skylift.adapters.pictures_sky import draw_sky

        draw_sky(plot, at_us, (site, model), pairs, catalogue)
    if as_json:
        typer.echo(json.dumps([{k: v for k, v in row.items() if k != "name"} for row in rows]))
    else:
        _table(rows, at_us)


def _rows(catalogue: Catalogue, pairs: VisiblePairs, site: Sites, with_antenna: bool) -> list[dict[str, Any]]:
    """One row per satellite, the highest first; nothing is rounded away that the angles hold."""
    import math

    rows = []
    for k in sorted(
        range(len(pairs)), key=lambda k: (-float(pairs.elevation_rad[k]), int(pairs.satellite[k]))
    ):
        satellite = int(pairs.satellite[k])
        row: dict[str, Any] = {
            "norad": int(catalogue.norad[satellite]),
            "name": catalogue.name[satellite],
            "elevation_deg": round(math.degrees(pairs.elevation_rad[k]), 5),
            "azimuth_deg": round(math.degrees(pairs.azimuth_rad[k]), 5) % 360.0,
            "range_km": round(float(pairs.range_m[k]) / 1e3, 6),
        }
        if with_antenna:
            clear = bool(pairs.arc_rad[k] >= site.arc_separation_rad[0])
            row["in_field_of_view"] = bool(pairs.in_field[k])
            row["arc_separation_deg"] = round(math.degrees(pairs.arc_rad[k]), 4)
            row["usable"] = row["in_field_of_view"] and clear
        rows.append(row)
    return rows


def _table(rows: list[dict[str, Any]], at_us: int) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from skylift.base.instants import format_instant

    console = Console()
    # What the other columns leave; rich would rather cut a column of numbers than a name.
    with_antenna = bool(rows) and "usable" in rows[0]
    room = max(8, console.width - (74 if with_antenna else 47))
    title = f"{len(rows)} satellites at {format_instant(at_us)}"
    if with_antenna:
        title += f", {sum(row['usable'] for row in rows)} usable"
    table = Table(title=title, box=SIMPLE)
    for heading in ("NORAD", "height °", "towards °", "range km"):
        table.add_column(heading, justify="right", min_width=len(heading))
    table.add_column("name", no_wrap=True)
    if with_antenna:
        table.add_column("arc °", justify="right", min_width=5)
        table.add_column("usable", min_width=16)
    for row in rows:
        cells = [
            str(row["norad"]),
            f"{row['elevation_deg']:.2f}",
            f"{row['azimuth_deg']:.2f}",
            f"{row['range_km']:,.1f}",
            escape(row["name"][:room]),
        ]
        if with_antenna:
            why = "no, near the arc" if row["in_field_of_view"] else "no, out of view"
            cells += [f"{row['arc_separation_deg']:.1f}", "yes" if row["usable"] else why]
        table.add_row(*cells)
    console.print(table)
