"""skylift cells: the H3 cells of a country or of an area of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli.outputs import check_output, check_picture

if TYPE_CHECKING:
    from skylift.base.places import Outline


def register(app: typer.Typer) -> None:
    app.command("cells")(cells)


def cells(
    country: str | None = typer.Option(None, help="ISO 3166 code or English name, such as UA."),
    geojson: Path | None = typer.Option(None, help="Own area: GeoJSON with Polygons or MultiPolygons."),
    resolution: int = typer.Option(5, help="H3 resolution, 0 (coarse) to 15; 5 has about 253 km2 a cell."),
    touching: bool = typer.Option(
        False, "--touching", help="Every cell that the area reaches into, not only those centred in it."
    ),
    out: Path | None = typer.Option(
        None, "-o", "--out", "--output", help="Write the cells: .csv, .geojson or .txt."
    ),
    plot: Path | None = typer.Option(None, help="Draw a map, .png."),
    as_json: bool = typer.Option(False, "--json", help="Print {cells, count, area_km2, ...} on stdout."),
) -> None:
    """List the H3 cells of a country, or of an area of your own, and their area.

    A cell belongs to the area that its centre lies in, so that areas add up. Being in a country does not
    mean being allowed to be served there: that takes the country's authority, and a region that is active.
    Crimea and Sevastopol are Ukraine. Outlines are good to about a kilometre.
    """
    from rich.console import Console

    from skylift.base.errors import Refused
    from skylift.base.places import cells_area_km2, cells_of

    check_output(out, endings=(".csv", ".geojson", ".txt"))
    check_picture(plot, (".png",))
    outline = _outline(country, geojson)
    with Console(stderr=True).status("finding the cells"):
        found = cells_of(outline, resolution, touching=touching)
    if not found:
        raise Refused(
            "cells.none",
            outline.name,
            f"no cell of resolution {resolution} has its centre in it",
            "take a finer --resolution, or --touching for the cells that it reaches into",
        )
    area_km2 = cells_area_km2(found)
    said = f"{outline.name}: {len(found):,} cells of resolution {resolution}, {area_km2:,.0f} km2"
    if out is not None or plot is not None:
        _write(out, plot, outline, found, said)
    if as_json:
        document = {
            "area": outline.name,
            "resolution": resolution,
            "count": len(found),
            "area_km2": round(area_km2, 3),
            "cells": found,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        typer.echo(said)


def _outline(country: str | None, geojson: Path | None) -> Outline:
    from skylift.adapters.outlines import country_outline, read_outline
    from skylift.base.errors import Refused

    if country is not None and geojson is None:
        return country_outline(country)
    if geojson is not None and country is None:
        return read_outline(geojson)
    raise Refused(
        "cells.area",
        "the area",
        "exactly one of --country and --geojson is needed",
        "for example: skylift cells --country UA --resolution 5",
    )


def _write(out: Path | None, plot: Path | None, outline: Outline, found: list[str], title: str) -> None:
    from skylift.adapters.cells_files import draw_cells, write_cells

    if out is not None:
        write_cells(out, found)
    if plot is not None:
        draw_cells(plot, outline, found, title)
