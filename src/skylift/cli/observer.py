"""What `sky` and `passes` share: a catalogue fit for a time, one place with an antenna."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli.skipped import LENIENT_HELP, say_skipped

if TYPE_CHECKING:
    from skylift.sky.coverage.sites import AntennaModel, Sites
    from skylift.sky.orbit.catalogue import Catalogue

DEFAULT_FLOOR_DEG = 25.0

LATITUDE = typer.Option(..., "--lat", help="Geodetic latitude in degrees, north positive.")
LONGITUDE = typer.Option(..., "--lon", help="Longitude in degrees, east positive.")
ALTITUDE = typer.Option(0.0, "--altitude-m", help="Height above the ellipsoid in metres.")
LENIENT = typer.Option(False, "--lenient", help=LENIENT_HELP)
STRICT_EPOCH = typer.Option(
    False, "--strict-epoch", help="Refuse elements more than 30 days from the time asked for."
)
PLOT = typer.Option(None, "--plot", help="Draw a polar picture into this PNG, SVG or PDF.")


def elements(file: Path, window_us: tuple[int, int], lenient: bool, strict_epoch: bool) -> Catalogue:
    """The catalogue in a file; what it lacks is said on stderr, or refused with strict_epoch."""
    from skylift.adapters.catalogue_files import read_catalogue
    from skylift.sky.orbit.age import refuse_stale, stale_elements

    read = read_catalogue(file, lenient)
    say_skipped(read)
    stale = stale_elements(read.catalogue, window_us)
    if strict_epoch:
        refuse_stale(stale)
    elif stale is not None:
        sys.stderr.write(f"warning: {stale}\n")
    return read.catalogue


def observer(
    place: tuple[float, float, float], antenna: str | None, floor_deg: float | None
) -> tuple[Sites, AntennaModel]:
    """One site at (latitude, longitude, altitude): a packaged antenna, or the whole sky above a floor."""
    from dataclasses import replace

    from skylift.adapters.antennas import packaged_antenna
    from skylift.base.errors import Refused
    from skylift.base.geodesy import Place
    from skylift.sky.coverage.sites import AntennaModel, sites_of

    where = Place(*place)
    if floor_deg is not None and not -5.0 <= floor_deg <= 90.0:
        raise Refused(
            "sky.min_elevation",
            "--min-elevation",
            "a least elevation lies between -5 and 90 degrees",
            "give degrees above the horizon",
        )
    if antenna is None:
        model = AntennaModel("whole sky", "", minimum_elevation_deg=DEFAULT_FLOOR_DEG)
    else:
        model = packaged_antenna(antenna)
    if floor_deg is not None:
        model = replace(model, minimum_elevation_deg=floor_deg)
    return sites_of([where], [model]), model
