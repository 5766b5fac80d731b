"""skylift route: the lowest-delay route between two places over time."""

from __future__ import annotations

import csv
import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_output, check_picture
from skylift.cli.skipped import LENIENT_HELP

if TYPE_CHECKING:
    from skylift.base.geodesy import Place
    from skylift.study.route import RouteCase, RouteStep

MOST_S = 1e9
COLUMNS = ("at_us", "delay_us", "hops", "path", "path_changed")


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    app.command("route")(route)


def route(
    start_at: Annotated[str, typer.Option("--from", help="LAT,LON in decimal degrees.")],
    end_at: Annotated[str, typer.Option("--to", help="LAT,LON in decimal degrees.")],
    constellation: Annotated[
        Path | None, typer.Option(help="A constellation of explicit shells (TOML); see examples/.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="A catalogue: TLE or OMM; lasers are matched as flown.")
    ] = None,
    gateways: Annotated[
        Path | None,
        typer.Option(help="Reach --to over one of these gateways and fibre, not by a dish of its own."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Instant, ISO 8601. Default: the constellation's epoch.")
    ] = None,
    duration: Annotated[float, typer.Option(help="Seconds; 0 for one instant.")] = 0.0,
    step: Annotated[float, typer.Option(help="Seconds between instants.")] = 15.0,
    form: Annotated[
        Format | None, typer.Option("--format", help="How to print; by default what the file's ending says.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    total: Annotated[
        bool, typer.Option("--total", help="Add access and processing to the light time.")
    ] = False,
    lasers: Annotated[
        bool, typer.Option("--lasers/--no-lasers", help="--no-lasers: both ends under one satellite.")
    ] = True,
    min_elevation: Annotated[
        float | None, typer.Option(help="Degrees. Default: the constellation's, or 25.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--out", "--output", help="Write here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the delay over time (PNG, SVG or PDF).")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help=LENIENT_HELP)] = False,
    strict_epoch: Annotated[
        bool, typer.Option("--strict-epoch", help="Refuse elements more than 30 days from the time.")
    ] = False,
) -> None:
    """Print the lowest-delay route between two places, one row per instant.

    Columns: at_us (UTC microseconds since 1970), delay_us (one way, light time only unless --total), hops
    (links on the way, both ground links included), path (satellites: NORAD numbers of a catalogue, or their
    places in the constellation, from 0 on), path_changed. Without a route: delay empty, hops 0, path empty.
    """
    from dataclasses import replace

    from skylift.sky.routing.delay import DelayTerms
    from skylift.sky.routing.routes import GroundLink
    from skylift.study.route import routes

    check_picture(plot)
    check_output(output)
    near, far = _place(start_at, "--from"), _place(end_at, "--to")
    case, at = _case((constellation, catalogue), (start, duration, step), lenient, strict_epoch)
    if gateways is not None:
        from skylift.adapters.gateways_file import read_ground_segment

        case = replace(case, gateways=read_ground_segment(gateways, at.start).gateways)
    if min_elevation is not None:
        case = replace(case, ground=GroundLink(min_elevation))
    case = replace(case, terms=DelayTerms() if total else None, lasers=case.lasers and lasers)
    rows = _computed(routes, case, (near, far), at)
    names = case.catalogue.norad if catalogue is not None else range(len(case.catalogue))
    chosen = Format.JSON if as_json else form or _format_of(output)
    _write(_printed(rows, [int(name) for name in names], case, chosen), output)
    if plot is not None:
        from skylift.adapters.pictures_route import draw_route

        draw_route(plot, rows, total)
    _say_counts(rows)


def _format_of(output: Path | None) -> Format:
    """As the file's ending says; a table for people where it says nothing."""
    named = "" if output is None else output.suffix.lower().removeprefix(".")
    return Format(named) if named in (Format.CSV, Format.JSON) else Format.TABLE


def _say_counts(rows: list[RouteStep]) -> None:
    without = sum(row.delay_us is None for row in rows)
    changes = sum(row.changed for row in rows)
    steps = "1 step" if len(rows) == 1 else f"{len(rows)} steps"
    sys.stderr.write(f"{steps}, {changes} changes of path, {without} without a route\n")


def _place(text: str, option: str) -> Place:
    """A place from LAT,LON; what was typed is never repeated, not even where it is wrong."""
    from skylift.base.errors import Refused
    from skylift.base.geodesy import Place

    parts = text.split(",")
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        raise Refused(
            "place.unreadable",
            option,
            "a place is LAT,LON: two numbers in decimal degrees with a comma between them",
            "latitude first, points for decimals, such as 0.5,-1.25; are they swapped?",
        ) from None
    try:
        return Place(latitude, longitude)
    except Refused as error:
        raise Refused(error.code, f"{option}: {error.thing}", error.rule, error.way_out) from None


def _case(
    files: tuple[Path | None, Path | None],
    when: tuple[str | None, float, float],
    lenient: bool,
    strict_epoch: bool,
) -> tuple[RouteCase, range]:
    from skylift.adapters.catalogue_files import read_text
    from skylift.base.errors import Refused
    from skylift.base.instants import parse_instant
    from skylift.cli.observer import elements
    from skylift.sky.orbit.constellation import constellation_from_toml
    from skylift.study.route import RouteCase, case_of, instants

    constellation, catalogue = files
    if (constellation is None) == (catalogue is None):
        raise Refused(
            "route.sky",
            "--constellation and --catalogue",
            "a route needs one of them",
            "give --constellation FILE.toml or --catalogue FILE",
        )
    start, duration, step = when
    start_us = None if start is None else parse_instant(start, "--start")
    made = None
    if constellation is not None:
        made = constellation_from_toml(read_text(constellation, "constellation"), constellation.name)
        start_us = made.epoch_us if start_us is None else start_us
    if start_us is None:
        raise Refused("route.start", "--start", "no instant to begin with", "give --start, in ISO 8601")
    at = instants(start_us, _microseconds(duration, "--duration"), _microseconds(step, "--step"))
    if made is not None:
        return case_of(made, start_us), at
    assert catalogue is not None
    return RouteCase(elements(catalogue, (at.start, at[-1]), lenient, strict_epoch)), at


def _microseconds(seconds: float, option: str) -> int:
    from skylift.base.errors import Refused
    from skylift.base.units import US_PER_S

    if not abs(seconds) <= MOST_S:
        raise Refused(
            "route.time", option, f"it must be a number of seconds, and at most {MOST_S:.0e}", "such as 600"
        )
    return round(seconds * US_PER_S)


def _computed(routes: Any, case: RouteCase, ends: tuple[Place, Place], at: range) -> list[RouteStep]:
    from skylift.cli.progress import slot_progress

    done = 0
    with slot_progress("routes") as report:

        def one_more(steps: int) -> None:
            nonlocal done
            done += steps
            report(done, len(at))

        return list(routes(case, *ends, at, one_more))


def _row(row: RouteStep, names: list[int], case: RouteCase) -> dict[str, Any]:
    delay = None if row.delay_us is None else round(row.delay_us, 4)
    cells = (row.at_us, delay, row.hops, [names[i] for i in row.path], row.changed)
    document: dict[str, Any] = dict(zip(COLUMNS, cells, strict=True))
    if case.gateways:
        document["gateway"] = case.gateways[row.gateway].id if row.gateway >= 0 else None
    return document


def _printed(rows: list[RouteStep], names: list[int], case: RouteCase, form: Format) -> str:
    documents = [_row(row, names, case) for row in rows]
    if form is Format.JSON:
        return json.dumps(documents) + "\n"
    if form is Format.TABLE:
        return _table(documents)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(["gateway"] if case.gateways else [])])
    for document in documents:
        path = "-".join(str(satellite) for satellite in document["path"])
        flag = "true" if document["path_changed"] else "false"
        writer.writerow(
            ["" if v is None else v for v in (document | {"path": path, "path_changed": flag}).values()]
        )
    return text.getvalue()


def _table(documents: list[dict[str, Any]]) -> str:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from skylift.base.instants import format_instant

    table = Table(box=SIMPLE)
    for heading in ("instant", "delay ms", "hops"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("path", overflow="fold")
    if documents and "gateway" in documents[0]:
        table.add_column("gateway", overflow="fold")
    for document in documents:
        delay = "no route" if document["delay_us"] is None else f"{document['delay_us'] / 1e3:.3f}"
        mark = "* " if document["path_changed"] else "  "
        path = mark + " ".join(str(satellite) for satellite in document["path"])
        more = [document["gateway"] or ""] if "gateway" in document else []
        table.add_row(format_instant(document["at_us"]), delay, str(document["hops"]), path, *more)
    console = Console(file=io.StringIO(), width=max(80, Console().width))
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        from skylift.adapters.atomic import write_atomically

        write_atomically(output, text)
