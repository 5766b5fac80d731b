"""skylift outages report: pictures and sentences of what a recording shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from skylift.service.outage.events import EntityKind


def register(outages: typer.Typer) -> None:
    outages.command("report")(report)


def report(
    file: Annotated[Path, typer.Argument(help="A recording, as for `detect`.")],
    time_column: Annotated[str, typer.Option(help="Column of the time: epoch or ISO 8601.")],
    time_zone: Annotated[str, typer.Option(help="IANA name of the zone of stamps without offset.")],
    value_column: Annotated[str, typer.Option(help="Column of the level.")],
    entity_columns: Annotated[str, typer.Option(help="Columns that together name a series.")],
    scale_max: Annotated[float, typer.Option(help="The level that means all of it.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the report; made where it is not.")],
    baseline: Annotated[str, typer.Option(help="tod:7d, tow:4w or pinned:FROM/TO.")] = "tod:7d",
    targets_column: Annotated[str, typer.Option(help="Column of how many were asked.")] = "",
    time_unit: Annotated[str, typer.Option(help="Unit of epochs: s, ms or us.")] = "s",
    step_s: Annotated[int | None, typer.Option(min=1, help="Width of a bin.")] = None,
    aggregate: Annotated[str, typer.Option(help="mean, median or least, as for `detect`.")] = "",
    entity: Annotated[
        list[str] | None,
        typer.Option(help="Series to draw, again for more; those that lost most by default."),
    ] = None,
    areas: Annotated[Path | None, typer.Option(help="Where entities are, for a map: GeoJSON.")] = None,
    area_properties: Annotated[
        str, typer.Option(help="Properties that name its features, as entities are named.")
    ] = "name",
    kind: Annotated[
        str, typer.Option(help="What its entities are: country, region, as, cell, ...")
    ] = "region",
    country: Annotated[str, typer.Option(help="Where they are, ISO 3166.")] = "",
    signal: Annotated[str, typer.Option(help="Which signal it was, such as ping-slash24.")] = "",
    title: Annotated[str, typer.Option(help="Stands over everything.")] = "Connectivity",
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The data are made up; everything says so.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print {folder, files, events, series}.")] = False,
) -> None:
    """Draw what a recording shows, and tell it in English and Ukrainian.

    series.png: measured beside ordinary with its band, outages shaded; time-line.png: all of them; map.png
    where areas are given, or entities are countries; report.md: sentences, numbers, what they rest on.
    """
    from skylift.adapters.outage_areas import areas_of
    from skylift.adapters.outage_files import read_recording
    from skylift.adapters.outage_report import About, write_report
    from skylift.cli.progress import slot_progress
    from skylift.study.outages import detect_outages, traced, worst_series
    from skylift.watch.detector import Rules
    from skylift.watch.recording import Declared, baseline_rule

    about = About(title, file.name, kind_of(kind), country, signal, baseline, synthetic)
    rule = baseline_rule(baseline)
    columns = tuple(name.strip() for name in entity_columns.split(","))
    declared = Declared(
        time_column, time_zone, value_column, columns, scale_max, time_unit, targets_column, aggregate
    )
    recording = read_recording(file, declared, None if step_s is None else step_s * 1_000_000)
    rules = Rules(full_scale=scale_max)
    with slot_progress("detecting", "bins") as progress:
        found = detect_outages(recording.grid, recording.entities, rule, rules, progress)
    traces = traced(found, rule, worst_series(found, 6, entity or ()), rules)
    outlines = areas_of(found.entities, areas, [one.strip() for one in area_properties.split(",")])
    make_folder(out)
    files = write_report(out, about, recording, found, traces, outlines, declared)
    document = {
        "folder": str(out), "files": files, "events": len(found.outages), "series": len(found.entities),
        "on_map": len(outlines), "synthetic": synthetic,
    }  # fmt: skip
    _tell(document, as_json)


def _tell(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    files, on_map = document["files"], document["on_map"]
    typer.echo(f"{document['events']} outages; wrote {', '.join(files)} to {document['folder']}")
    if not on_map:
        typer.echo("no map: it is not known where entities are; name a file with --areas", err=True)
    elif on_map < document["series"]:
        typer.echo(
            f"on the map are {on_map} of {document['series']} entities: no area is known of the others",
            err=True,
        )


def kind_of(text: str) -> EntityKind:
    from skylift.base.errors import Refused
    from skylift.service.outage.events import EntityKind

    try:
        return EntityKind(text)
    except ValueError:
        raise Refused(
            "outages.kind",
            f"--kind {text[:30]!r}",
            f"it is one of {', '.join(one.value for one in EntityKind)}",
            "choose one of them",
        ) from None


def make_folder(out: Path) -> None:
    from skylift.base.errors import Refused, Unavailable

    if out.exists() and not out.is_dir():
        raise Refused("output.is-file", "-o", "it is a file", "name a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            "output.folder", "-o", error.strerror or "it cannot be made", "choose another folder"
        ) from None
