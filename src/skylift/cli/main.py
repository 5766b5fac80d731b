"""The command `skylift`. Start-up must stay light: nothing here loads NumPy or Numba."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import typer

from skylift import __version__
from skylift.base.errors import SkyliftError

app = typer.Typer(
    name="skylift",
    help="Operating software of a low-Earth-orbit satellite-internet service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each module has `register(app)`; it imports heavy things inside its commands only.
COMMAND_MODULES: tuple[str, ...] = (
    "catalogue",
    "simulate",
    "run",
    "cells",
    "gateways",
    "ephemeris",
    "sky",
    "passes",
    "route",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"skylift {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    from skylift.adapters.compiled import drop_stale_kernels

    drop_stale_kernels()


for _module in COMMAND_MODULES:
    import_module(f"skylift.cli.{_module}").register(app)


def main() -> None:
    """Run a command; refusals end in one clear text (or JSON with --json) and their exit code."""
    try:
        app()
    except SkyliftError as error:
        if "--json" in sys.argv:
            sys.stderr.write(json.dumps(error.as_dict(), ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"{error.thing}: {error.rule}\n  {error.way_out}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # `skylift ... | head`: the reader has seen enough. Without this, Python complains at exit.
        sys.stderr.close()
        sys.exit(1)
