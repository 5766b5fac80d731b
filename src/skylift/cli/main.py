"""The command `skylift`. Start-up must stay light: nothing here loads NumPy or Numba."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import import_module
from typing import NoReturn

import typer

from skylift import __version__
from skylift.base.errors import Refused, SkyliftError, Unavailable

app = typer.Typer(
    name="skylift",
    help="Operating software of a low-Earth-orbit satellite-internet service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Else the line breaks of docstrings stay, and break paragraphs anew at every width.
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each module has `register(app)`; it imports heavy things inside its commands only.
COMMAND_MODULES: tuple[str, ...] = (
    "catalogue",
    "simulate",
    "outages",
    "dish",
    "agent",
    "management",
    "exec",
    "emulate",
    "proxy",
    "connect",
    "netreport",
    "run",
    "cells",
    "gateways",
    "ephemeris",
    "sky",
    "passes",
    "route",
    "link",
    "plan",
    "audit",
    "backup",
    "office",
    "office_more",
    "access",
    "milestones",
    "office_stock",
    "appstats",
    "telemetry",
)


_DECIMAL = re.compile(r"[-+]?\d+\.\d*")
# All of C0 and C1 but the line feed.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


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
    """Run a command; whatever fails ends in one clear text (or JSON with --json) and its exit code."""
    try:
        code = app(prog_name="skylift", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _end_quietly()
    except SystemExit as error:
        # So rich and typer answer a broken pipe; anything else that ends here is meant.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        _end_quietly()
    except typer.Abort:
        sys.exit(1)
    except SystemError as error:
        # Ctrl-C while a compiled kernel is called: Python wraps the interrupt.
        if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise
        sys.exit(130)
    except (typer.TyperException, SkyliftError, MemoryError, OSError) as error:
        _fail(error)
    except RuntimeError as error:
        # Numba's words where it may keep compiled code neither beside the source nor at home.
        if "no locator available" not in str(error):
            raise
        _fail(error)
    sys.exit(code if isinstance(code, int) else 0)


def _end_quietly() -> NoReturn:
    """`skylift ... | head`: the reader has seen enough, and that is nobody's fault.

    What still waits to be written goes nowhere: at exit Python would complain that it cannot be.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(0)


def _fail(error: Exception) -> NoReturn:
    if isinstance(error, typer.TyperException):
        # A place that stands where no argument belongs is not repeated.
        error.message = _DECIMAL.sub("...", error.message)
    if isinstance(error, typer.TyperException) and "--json" not in sys.argv:
        from typer import rich_utils

        # Typer raises no other kind; its name for it is private.
        rich_utils.rich_format_error(error)  # type: ignore[arg-type]
        sys.exit(error.exit_code)
    said = _said(error)
    if "--json" in sys.argv:
        sys.stderr.write(json.dumps(said.as_dict(), ensure_ascii=False) + "\n")
    else:
        # What a file holds must not drive the terminal.
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", f"{said.thing}: {said.rule}\n  {said.way_out}")
        sys.stderr.write(f"{text}\n")
    if isinstance(error, OSError):
        # What did not fit on standard output would be tried again, and complained about, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(said.exit_code)


def _said(error: Exception) -> SkyliftError:
    """Any failure as what it breaks and the way out."""
    if isinstance(error, SkyliftError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        help_of = "skylift" if context is None else context.command_path
        return Refused("command.usage", "the command line", error.format_message(), f"see {help_of} --help")
    if isinstance(error, MemoryError):
        return Unavailable(
            "system.memory", "memory", "there is not enough of it for this", "ask for less at a time"
        )
    if isinstance(error, RuntimeError):
        return Unavailable(
            "system.compiled",
            "the folder of compiled code",
            "neither the installation nor a home of yours can be written to",
            "name one that you can: NUMBA_CACHE_DIR=FOLDER skylift ...",
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Unavailable(
        "system.output",
        "a file or standard output",
        f"it could not be read or written ({reason})",
        "check rights and free space",
    )
