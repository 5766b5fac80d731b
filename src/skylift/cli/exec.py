"""skylift exec and skylift shell: a command, or a shell, behind a terminal, with real packets."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from skylift.cli.packet_options import (
    REPORT,
    TERMINAL,
    LinkWords,
    PacketWords,
    check_outputs,
    followed,
    packets,
    write_report,
)
from skylift.cli.spread import spread


def register(app: typer.Typer) -> None:
    app.command("exec")(execute)
    app.command("shell")(shell)


@spread()
def execute(
    terminal: TERMINAL,
    command: Annotated[list[str], typer.Argument(help="What to run behind it, after --.")],
    link: LinkWords,
    packet: PacketWords,
    report: REPORT = None,
) -> None:
    """Run a command behind a terminal: its packets go through the constellation as it is at that second.

    The command finds itself in a network of its own, whose one way out is the terminal's link: the delay,
    rate, loss and gaps of each slot. `pop` is the host at the other end. Its exit status is this one's.

        skylift exec kyiv --scenario S.toml --at 2022-02-27T03:05:00Z -- ping -c 5 pop
    """
    _behind(terminal, command, link, packet, report)


@spread()
def shell(terminal: TERMINAL, link: LinkWords, packet: PacketWords, report: REPORT = None) -> None:
    """Open your shell behind a terminal; all that it starts goes through the constellation. `exit` ends it.

    skylift shell kharkiv --server http://127.0.0.1:8480
    """
    program = os.environ.get("SHELL", "")
    command = [program] if program and shutil.which(program) else ["/bin/sh"]
    typer.echo(f"a shell behind {terminal}: `pop` is the other end; exit ends it", err=True)
    _behind(terminal, command, link, packet, report)


def _behind(
    terminal: str, command: list[str], link: LinkWords, packet: PacketWords, report: Path | None
) -> None:
    check_outputs(report, packet.capture)
    outcome = packets(followed(terminal, link), command, packet)
    write_report(outcome.report, report)
    raise typer.Exit(outcome.status)
