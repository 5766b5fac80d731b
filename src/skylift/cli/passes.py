"""skylift passes: when satellites rise, culminate and set over a place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from skylift.cli import observer as door
from skylift.cli.outputs import check_picture

if TYPE_CHECKING:
    from skylift.sky.coverage.sites import AntennaModel, Sites
    from skylift.sky.orbit.catalogue import Catalogue
    from skylift.sky.orbit.propagate import Propagator
    from skylift.study.passes import Moment, Pass

MOST_ROWS = 100
LONGEST_S = 32 * 86_400.0


def register(app: typer.Typer) -> None:
    app.command("passes")(passes)


def passes(
    file: Path = typer.Argument(..., help="Catalogue: TLE or OMM."),
    latitude: float = door.LATITUDE,
    longitude: float = door.LONGITUDE,
    start: str = typer.Option(..., "--start", "--at", help="First instant, ISO 8601, UTC."),
    duration: float | None = typer.Option(None, "--duration", help="Length of the window in seconds."),
    hours: float | None = typer.Option(None, "--hours", help="Length of the window in hours."),
    norad: list[int] | None = typer.Option(None, "--norad", help="Only this object; may be repeated."),
    altitude_m: float = door.ALTITUDE,
    min_elevation: float = typer.Option(
        door.DEFAULT_FLOOR_DEG, "--min-elevation", help="Least elevation in degrees."
    ),
    plot: Path | None = door.PLOT,
    lenient: bool = door.LENIENT,
    strict_epoch: bool = door.STRICT_EPOCH,
    as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout."),
) -> None:
    """List the passes over a place by the time they are highest; the window is one day unless you say so.

    A pass that the window cuts has no rise or no set, and culminates where it is highest inside the window.
    """
    from skylift.base.instants import parse_instant
    from skylift.sky.orbit.propagate import Propagator
    from skylift.study import passes as study

    start_us = parse_instant(start, "--start")
    window_us = (start_us, start_us + round(_length_s(duration, hours) * 1e6))
    site, model = door.observer((latitude, longitude, altitude_m), None, min_elevation)
    check_picture(plot)
    catalogue = _chosen(door.elements(file, window_us, lenient, strict_epoch), norad)
    propagator = Propagator(catalogue)
    with _progress() as progress:
        found = study.passes(propagator, site, window_us, progress=progress)
    if plot is not None:
        _draw(plot, (site, model), found, propagator, window_us)
    rows = [_row(catalogue, one) for one in found]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        _table(rows)


def _draw(
    plot: Path,
    observer: tuple[Sites, AntennaModel],
    found: list[Pass],
    propagator: Propagator,
    window_us: tuple[int, int],
) -> None:
    """The highest passes, in the order of time."""
    from skylift.adapters.pictures_sky import MOST_TRACKS, draw_passes
    from skylift.base.instants import format_instant
    from skylift.study.passes import track_rad

    highest = sorted(found, key=lambda one: -one.culmination.elevation_rad)[:MOST_TRACKS]
    chosen = [one for one in found if one in highest]
    tracks = [track_rad(propagator, observer[0], one, window_us) for one in chosen]
    catalogue = propagator.catalogue
    names = [catalogue.name[one.satellite] or str(catalogue.norad[one.satellite]) for one in chosen]
    window = " to ".join(format_instant(at) for at in window_us)
    if len(chosen) < len(found):
        window += f" · the {len(chosen)} highest of {len(found):,} passes"
    draw_passes(plot, observer, chosen, tracks, (window, names))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the time left; silent where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("searching", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _length_s(duration_s: float | None, hours: float | None) -> float:
    from skylift.base.errors import Refused

    if duration_s is not None and hours is not None:
        raise Refused(
            "passes.window", "--duration and --hours", "they say the same thing", "give one of them"
        )
    length_s = duration_s if duration_s is not None else (24.0 if hours is None else hours) * 3600.0
    if not 0.0 < length_s <= LONGEST_S:
        raise Refused(
            "passes.window",
            "--hours" if duration_s is None else "--duration",
            "a window lasts longer than nothing and at most 32 days",
            "elements are not good for longer: take newer ones",
        )
    return length_s


def _chosen(catalogue: Catalogue, norad: list[int] | None) -> Catalogue:
    from skylift.base.errors import Refused

    if not norad:
        return catalogue
    place = {int(number): i for i, number in enumerate(catalogue.norad)}
    missing = sorted(set(norad) - set(place))
    if missing:
        raise Refused(
            "passes.norad",
            f"--norad {', '.join(map(str, missing[:5]))}",
            "the catalogue holds no such object",
            "check the number; `skylift catalogue convert FILE -o FILE.csv` lists all there are",
        )
    return catalogue.take(sorted({place[number] for number in norad}))


def _row(catalogue: Catalogue, one: Pass) -> dict[str, Any]:
    import math

    from skylift.base.instants import format_instant

    def said(moment: Moment | None) -> str | None:
        # Elements are not good to a microsecond: a millisecond is what the search itself is good for.
        return None if moment is None else format_instant(round(moment.at_us, -3))

    def azimuth(moment: Moment | None) -> float | None:
        return None if moment is None else round(math.degrees(moment.azimuth_rad), 3) % 360.0

    return {
        "norad": int(catalogue.norad[one.satellite]),
        "name": catalogue.name[one.satellite],
        "rise": said(one.rise),
        "culmination": said(one.culmination),
        "set": said(one.set),
        "culmination_elevation_deg": round(math.degrees(one.culmination.elevation_rad), 4),
        "rise_azimuth_deg": azimuth(one.rise),
        "culmination_azimuth_deg": azimuth(one.culmination),
        "set_azimuth_deg": azimuth(one.set),
        "culmination_range_km": round(one.culmination.range_m / 1e3, 3),
    }


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title = f"{len(rows)} passes"
    if len(rows) > MOST_ROWS:
        title += f", the first {MOST_ROWS}; --json lists all"
    shown = rows[:MOST_ROWS]
    digits = max([5, *(len(str(row["norad"])) for row in shown)])
    console = Console()
    # Where the screen is narrow a name is cut, never a number or a time.
    room = max(8, console.width - digits - 59)
    table = Table(title=title, box=SIMPLE)
    table.add_column("NORAD", justify="right", min_width=digits)
    table.add_column("name", no_wrap=True)
    for heading, width in (("day", 10), ("rise", 8), ("highest", 8), ("set", 8), ("°", 4)):
        table.add_column(heading, justify="right", min_width=width)

    def short(instant: str | None, cut: str) -> str:
        return cut if instant is None else instant[11:19]

    for row in shown:
        table.add_row(
            str(row["norad"]),
            escape(row["name"][:room]),
            row["culmination"][:10],
            short(row["rise"], "before"),
            short(row["culmination"], ""),
            short(row["set"], "after"),
            f"{row['culmination_elevation_deg']:.1f}",
        )
    console.print(table)
