"""`skylift ephemeris`: where every object of a catalogue is, into a Parquet file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skylift.cli.outputs import check_output
from skylift.cli.skipped import LENIENT_HELP, say_skipped

# So many positions are held at a time: about 100 MB with all that is made of them.
POSITIONS_PER_BLOCK = 1_000_000


class FrameChoice(StrEnum):
    ITRS = "itrs"
    TEME = "teme"


def register(app: typer.Typer) -> None:
    app.command("ephemeris")(ephemeris)


def ephemeris(
    file: Annotated[Path, typer.Argument(help="A catalogue: TLE, or OMM as JSON, CSV, XML or KVN.")],
    at: Annotated[
        list[str], typer.Option("--at", help="UTC instant, ISO 8601; may be given again and again.")
    ],
    output: Annotated[Path, typer.Option("-o", "--out", "--output", help="The Parquet file to write.")],
    frame: Annotated[FrameChoice, typer.Option(help="itrs turns with the Earth; teme is SGP4's own.")] = (
        FrameChoice.ITRS
    ),
    earth_orientation: Annotated[
        Path | None,
        typer.Option(help="finals2000A.all or EOP-All.csv. Without it UT1 = UTC: up to 420 m on the ground."),
    ] = None,
    strict_epoch: Annotated[
        bool, typer.Option("--strict-epoch", help="Refuse elements more than 30 days from the time.")
    ] = False,
    lenient: Annotated[bool, typer.Option("--lenient", help=LENIENT_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Positions of all objects at the given instants: norad, at_us, x_m, y_m, z_m, error.

    error is SGP4's code (0 none, 1 to 6), or 7 for a near-Earth object outside 100 to 2,000 km altitude. Its
    position is then null.
    """
    from skylift.adapters.catalogue_files import read_catalogue
    from skylift.adapters.earth_orientation_file import read_earth_orientation
    from skylift.adapters.ephemeris_file import write_ephemeris
    from skylift.base.instants import parse_instant
    from skylift.sky.orbit.age import refuse_stale, stale_elements
    from skylift.sky.orbit.propagate import Propagator

    check_output(output, endings=(".parquet",))
    instants = [parse_instant(text, "--at") for text in at]
    earth = None if earth_orientation is None else read_earth_orientation(earth_orientation)
    read = read_catalogue(file, lenient=lenient)
    say_skipped(read)
    warnings = [f"line {bad.line} skipped ({bad.object}): {bad.reason}" for bad in read.skipped]
    stale = stale_elements(read.catalogue, instants)
    if strict_epoch:
        refuse_stale(stale, str(file))
    if stale is not None:
        warnings.append(str(stale))
        typer.echo(f"warning: {stale}", err=True)
    propagator = Propagator(read.catalogue)
    per_block = max(1, POSITIONS_PER_BLOCK // max(1, len(propagator)))
    blocks = propagator.blocks(instants, per_block, frame.value, earth)
    rows = write_ephemeris(output, read.catalogue.norad, blocks, frame.value)
    if as_json:
        typer.echo(
            json.dumps({"rows": rows, "objects": len(propagator), "frame": frame.value, "warnings": warnings})
        )
    else:
        typer.echo(f"{rows:,} positions of {len(propagator):,} objects in {output}", err=True)
