"""skylift catalogue: look into, make, convert and fetch catalogues of satellites."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from skylift.cli.outputs import check_output, check_picture
from skylift.cli.skipped import LENIENT_HELP, say_skipped, skipped_records

if TYPE_CHECKING:
    from skylift.sky.orbit.constellation import Constellation
    from skylift.sky.orbit.records import CatalogueFile

catalogue_app = typer.Typer(
    help="Look into, make, convert and fetch catalogues of satellites.", no_args_is_help=True
)
FORMAT_HELP = "tle, omm-json, omm-csv, omm-xml or omm-kvn; by default what the output's suffix says."
JSON_HELP = "Print one JSON document."
MOST_ROWS = 30


def register(app: typer.Typer) -> None:
    app.add_typer(catalogue_app, name="catalogue")


@catalogue_app.command("info")
def info(
    file: Path = typer.Argument(..., help="A catalogue: TLE, or OMM as JSON, CSV, XML or KVN."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
    lenient: bool = typer.Option(False, "--lenient", help=LENIENT_HELP),
    plot: Path | None = typer.Option(None, help="Draw inclination against altitude into this file."),
) -> None:
    """How many objects a catalogue holds, in which shells, and what they are doing."""
    from skylift.adapters.catalogue_files import read_catalogue

    check_picture(plot)
    read = read_catalogue(file, lenient)
    say_skipped(read)
    document = _document(read)
    if plot is not None:
        from skylift.adapters.pictures_catalogue import draw_catalogue

        draw_catalogue(read.catalogue, file.name, plot)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print_info(document, file.name)


@catalogue_app.command("presets")
def presets(as_json: bool = typer.Option(False, "--json", help=JSON_HELP)) -> None:
    """The constellations that come with skylift, and how well each number is known."""
    from skylift.adapters.packaged import constellation_names, constellation_preset

    rows = [{"preset": name, **_shells(constellation_preset(name))} for name in constellation_names()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for row in rows:
        table = Table("shell", "planes", "km", "deg", "F", "F is", "nearest km", title_justify="left")
        table.title = f"{row['preset']}: {row['title']}"
        table.columns[0].overflow = "fold"
        for shell in row["shells"]:
            table.add_row(
                shell["name"],
                f"{shell['planes']} x {shell['satellites_per_plane']}",
                f"{shell['altitude_km']:g}",
                f"{shell['inclination_deg']:g}",
                f"{shell['phasing']:.4g}",
                shell["standing"],
                "" if shell["least_distance_km"] is None else f"{shell['least_distance_km']:.1f}",
            )
        console.print(table, highlight=False)
    console.print(
        "km: altitude above the WGS72 equatorial radius, 6378.135 km. nearest km: least distance of two "
        "satellites of the shell, as planned. F: Walker's phasing. Sources: --json",
        highlight=False,
    )


@catalogue_app.command("generate")
def generate(
    constellation: str = typer.Argument(..., help="A preset (see `catalogue presets`), or a .toml file."),
    out: Path = typer.Option(..., "-o", "--out", "--output", help="The catalogue to write."),
    epoch: str | None = typer.Option(
        None, help="Epoch of all elements, ISO 8601; by default the file's own, or 00:00 UTC of today."
    ),
    file_format: str | None = typer.Option(None, "--format", help=FORMAT_HELP),
    first_norad: int | None = typer.Option(
        None, min=1, max=999_000_000, help="Number of the first satellite."
    ),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Make a catalogue from Walker shells.

    Satellites are numbered from 300001 on, where no real object is. Altitudes count from the WGS72 equatorial
    radius, 6378.135 km. A phasing whose satellites would meet is refused.
    """
    from skylift.adapters.atomic import write_atomically
    from skylift.base.instants import format_instant
    from skylift.sky.orbit.formats import write_catalogue
    from skylift.sky.orbit.separation import separation_warnings
    from skylift.sky.orbit.walker import FIRST_GENERATED_NORAD
    from skylift.sky.orbit.walker import generate as make

    check_output(out)
    chosen_format = _format(file_format, out)
    chosen = _constellation(constellation)
    epoch_us = _epoch_us(chosen, epoch)
    made = make(chosen.shells, epoch_us, first_norad or FIRST_GENERATED_NORAD)
    warnings = separation_warnings(chosen.shells)
    for warning in warnings:
        sys.stderr.write(f"note: {warning}\n")
    write_atomically(out, write_catalogue(made, chosen_format))
    if as_json:
        summary = {"epoch": format_instant(epoch_us), "format": chosen_format, "output": str(out)}
        typer.echo(json.dumps({**_shells(chosen), **summary, "warnings": list(warnings)}, ensure_ascii=False))
    else:
        typer.echo(f"{len(made):,} satellites of {chosen.name}, epoch {format_instant(epoch_us)}, in {out}")


@catalogue_app.command("convert")
def convert(
    file: Path = typer.Argument(..., help="A catalogue in any format."),
    out: Path = typer.Option(..., "-o", "--out", "--output", help="The catalogue to write."),
    file_format: str | None = typer.Option(None, "--format", help=FORMAT_HELP),
    lenient: bool = typer.Option(False, "--lenient", help=LENIENT_HELP),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Write a catalogue in another format. Nothing is lost that the other format can hold."""
    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.catalogue_files import read_catalogue
    from skylift.sky.orbit.formats import write_catalogue

    check_output(out)
    chosen_format = _format(file_format, out)
    read = read_catalogue(file, lenient)
    say_skipped(read)
    write_atomically(out, write_catalogue(read.catalogue, chosen_format))
    summary = {
        "objects": len(read.catalogue),
        "skipped": len(read.skipped),
        "skipped_records": skipped_records(read),
        "duplicates": read.duplicates,
        "from": read.format,
        "to": chosen_format,
        "output": str(out),
    }
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        typer.echo(f"{len(read.catalogue):,} objects from {read.format} to {chosen_format}, in {out}")


@catalogue_app.command("fetch")
def fetch(
    group: str = typer.Argument("starlink", help="A group of CelesTrak's, such as starlink or oneweb."),
    file_format: str = typer.Option(
        "omm-json", "--format", help="tle, omm-json, omm-csv, omm-xml or omm-kvn."
    ),
    out: Path | None = typer.Option(None, "-o", "--out", "--output", help="Also copy the file here."),
    cache_dir: Path | None = typer.Option(None, help="Where fetched files are kept."),
    offline: bool = typer.Option(False, "--offline", help="Only look into the cache."),
    url: str | None = typer.Option(None, help="Ask another server that understands GROUP and FORMAT."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Get current element sets from CelesTrak, at most once in two hours; without a net, from the cache."""
    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.celestrak import default_cache_dir, fetch_group
    from skylift.adapters.clock import WallClock
    from skylift.base.instants import format_instant

    check_output(out)
    fetched = fetch_group(
        group, file_format, cache_dir or default_cache_dir(), WallClock().now(), url, offline
    )
    if out is not None:
        write_atomically(out, fetched.path.read_bytes())
    if fetched.note:
        sys.stderr.write(f"note: from the cache, {fetched.age_s / 3600:.1f} hours old: {fetched.note}\n")
    path = fetched.path if out is None else out
    if as_json:
        document = {
            "group": group,
            "objects": fetched.objects,
            "output": str(path),
            "fetched": format_instant(fetched.fetched_us),
            "age_s": round(fetched.age_s, 3),
            "from_cache": not fetched.fresh,
            "note": fetched.note,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        typer.echo(f"{fetched.objects:,} objects in {path}")


def _format(named: str | None, out: Path) -> str:
    from skylift.base.errors import Refused
    from skylift.sky.orbit.formats import FORMATS, format_of_suffix

    if named is None:
        return format_of_suffix(out.suffix)
    if named not in FORMATS:
        rule = f"a format is one of {', '.join(FORMATS)}"
        raise Refused("catalogue.format", named, rule, "choose one of these with --format")
    return named


def _constellation(text: str) -> Constellation:
    from skylift.adapters.catalogue_files import read_text
    from skylift.adapters.packaged import constellation_preset
    from skylift.sky.orbit.constellation import constellation_from_toml

    if text.endswith(".toml"):
        path = Path(text)
        return constellation_from_toml(read_text(path, "constellation"), path.name)
    return constellation_preset(text)


def _epoch_us(constellation: Constellation, wanted: str | None) -> int:
    from skylift.adapters.clock import WallClock
    from skylift.base.instants import parse_instant
    from skylift.base.units import US_PER_DAY

    if wanted is not None:
        return parse_instant(wanted, "--epoch")
    if constellation.epoch_us is not None:
        return constellation.epoch_us
    return WallClock().now() // US_PER_DAY * US_PER_DAY


def _shells(constellation: Constellation) -> dict[str, Any]:
    from math import isfinite

    from skylift.base.units import WGS72_A_M
    from skylift.sky.orbit.separation import least_distance_m

    shells = []
    for shell in constellation.shells:
        least_m = least_distance_m(shell)
        shells.append(
            {
                "name": shell.name,
                "pattern": shell.pattern.value,
                "planes": shell.planes,
                "satellites_per_plane": shell.satellites_per_plane,
                "altitude_km": round((shell.radius_m - WGS72_A_M) / 1000.0, 3),
                "inclination_deg": shell.inclination_deg,
                "phasing": shell.phasing,
                "standing": shell.standing.value,
                "source": shell.source,
                "least_distance_km": round(least_m / 1000.0, 3) if isfinite(least_m) else None,
            }
        )
    count = sum(shell.count for shell in constellation.shells)
    return {"name": constellation.name, "title": constellation.title, "objects": count, "shells": shells}


def _document(read: CatalogueFile) -> dict[str, Any]:
    from skylift.base.instants import format_instant
    from skylift.sky.orbit.status import count_shells, count_statuses

    catalogue = read.catalogue
    return {
        "objects": len(catalogue),
        "skipped": len(read.skipped),
        "skipped_records": skipped_records(read),
        "duplicates": read.duplicates,
        "format": read.format,
        "epoch_min": format_instant(int(catalogue.epoch_us.min())),
        "epoch_max": format_instant(int(catalogue.epoch_us.max())),
        "by_status": count_statuses(catalogue),
        "by_shell": [
            {"inclination_deg": row.inclination_deg, "altitude_km": row.altitude_km, "count": row.count}
            for row in count_shells(catalogue)
        ],
    }


def _print_info(document: dict[str, Any], name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(
        f"{name}: {document['objects']:,} objects ({document['format']})", highlight=False, markup=False
    )
    console.print(f"epochs from {document['epoch_min']} to {document['epoch_max']}", highlight=False)
    doing = ", ".join(f"{count:,} {status}" for status, count in document["by_status"].items() if count)
    console.print(doing, highlight=False)
    table = Table("inclination (deg)", "altitude (km)", "objects")
    for column in table.columns:
        column.justify = "right"
    rows = document["by_shell"]
    for row in rows[:MOST_ROWS]:
        table.add_row(f"{row['inclination_deg']:.2f}", str(row["altitude_km"]), f"{row['count']:,}")
    console.print(table)
    if len(rows) > MOST_ROWS:
        rest = sum(row["count"] for row in rows[MOST_ROWS:])
        console.print(f"and {rest:,} in {len(rows) - MOST_ROWS} more; --json lists all", highlight=False)
