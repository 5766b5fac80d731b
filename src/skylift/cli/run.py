"""`skylift run`: the twin on a clock, as a service on this machine."""

from __future__ import annotations

import enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_PORT = 8480


class ClockKind(enum.StrEnum):
    """Whose time the service runs on."""

    WALL = "wall"
    SIMULATED = "simulated"


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="SKYLIFT_PORT", help="Port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(help="Address to bind to; without a login it must be loopback.")
    ] = "127.0.0.1",
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario (TOML) instead of the packaged one.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Catalogue (TLE, OMM) instead of the scenario's own.")
    ] = None,
    gateways: Annotated[
        Path | None, typer.Option(help="Gateways (JSON, CSV, GeoJSON) instead of the scenario's own.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SKYLIFT_DATA_DIR", help="Folder for what the service keeps.", show_default="per user"
        ),
    ] = None,
    clock: Annotated[
        ClockKind | None, typer.Option(help="Whose time to run on.", show_default="wall")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Where the simulated clock begins, ISO 8601.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated seconds in one second.", show_default="1")
    ] = None,
) -> None:
    """Run the service: the sky slot by slot, as an HTTP API, a live stream and a page."""
    from skylift.adapters.clock import WallClock, make_clock
    from skylift.adapters.sky_process import SkySettings
    from skylift.api.server import Address, listen, serve
    from skylift.base.errors import SkyliftError
    from skylift.base.instants import parse_instant
    from skylift.base.units import US_PER_DAY

    simulated = None if clock is None else clock is ClockKind.SIMULATED
    running = make_clock(simulated, None if at is None else parse_instant(at, "--at"), speed)
    prepare_data_dir(data_dir)
    listening = listen(Address(host, port))
    name = listening.getsockname()
    shown = f"[{name[0]}]" if ":" in name[0] else name[0]
    url = f"http://{shown}:{name[1]}"

    typer.echo(f"skylift listens on {url} and computes the first slot ...", err=True)
    if not isinstance(running, WallClock):
        typer.echo(f"on a simulated clock, {running.speed:g} times as fast as the wall's", err=True)
    start_of_day_us = running.now() // US_PER_DAY * US_PER_DAY
    with listening:
        settings = SkySettings(running, start_of_day_us, scenario, catalogue, gateways)
        failed = serve(listening, settings, partial(_say_ready, url))
    if failed is not None:
        error = SkyliftError(**failed.error)
        error.exit_code = 2 if failed.refused else 1
        raise error
    typer.echo("skylift has stopped", err=True)


def _say_ready(url: str, after_s: float, about: dict[str, Any]) -> None:
    if about["time_shift_s"]:
        shift = f"all epochs of the catalogue are shifted by {about['time_shift_s']:.3f} s"
        typer.echo(f"note: {shift}", err=True)
    for warning in about["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    typer.echo(f"skylift is ready after {after_s:.1f} s: {url}  (Ctrl-C stops it)")


def prepare_data_dir(wanted: Path | None) -> Path:
    """The folder for what the service keeps, made if it is not there, for this user alone."""
    import platformdirs

    from skylift.base.errors import Refused

    folder = wanted or Path(platformdirs.user_data_dir("skylift", appauthor=False))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            "data_dir.unusable",
            f"data folder {folder}",
            f"it must be a folder that can be written ({error.strerror})",
            "name another with --data-dir or SKYLIFT_DATA_DIR",
        ) from None
    return folder
