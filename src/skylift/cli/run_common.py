"""What `run` and `run --demo` share: folder, address, and what is said at the beginning and the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import socket

    from skylift.adapters.sky_messages import Failed


@contextmanager
def loading() -> Iterator[None]:
    """While modules are loaded nothing is looked through for garbage: none of it is, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end(failed: Failed | None) -> None:
    from skylift.base.errors import SkyliftError

    if failed is not None:
        error = SkyliftError(**failed.error)
        error.exit_code = 2 if failed.refused else 1
        raise error
    typer.echo("skylift has stopped", err=True)


def address_of(listening: socket.socket, scheme: str) -> tuple[str, bool]:
    """The URL that is listened on, and whether it is loopback."""
    from skylift.api.listening import loopback_address

    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", loopback_address(host) is not None


def say_ready(url: str, after_s: float, about: dict[str, Any]) -> None:
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
