"""skylift exec and skylift shell: a command, or a shell, behind a terminal, with real packets."""

from __future__ import annotations

import os
import shutil

import typer

from skylift.cli.outputs import check_output
from skylift.cli.packet_options import (
    AT,
    CAPTURE,
    CATALOGUE,
    ENCRYPT,
    FIBRE,
    FIBRE_CUT,
    INTERNET,
    KEYS_LAST,
    MAHIMAHI,
    POP_RUN,
    PRESET,
    QUEUE,
    REPLAY,
    REPORT,
    SCENARIO,
    SEED,
    SERVER,
    SET,
    TERMINAL,
    TOKEN,
    TRACE,
    TRACE_PLACES,
    LinkWords,
    PacketWords,
    finish,
    followed,
    packets,
)


def register(app: typer.Typer) -> None:
    app.command("exec")(execute)
    app.command("shell")(shell)


def execute(
    terminal: TERMINAL,
    command: list[str] = typer.Argument(help="What to run behind it, after --."),
    scenario: SCENARIO = None,
    catalogue: CATALOGUE = None,
    at: AT = None,
    server: SERVER = None,
    token: TOKEN = "",
    replay: REPLAY = None,
    mahimahi: MAHIMAHI = None,
    trace: TRACE = None,
    trace_places: TRACE_PLACES = False,
    set_: SET = [],  # noqa: B006
    preset: PRESET = "ideal",
    seed: SEED = 0,
    queue_bytes: QUEUE = 1_000_000,
    pop_command: POP_RUN = "",
    encrypt: ENCRYPT = None,
    keys_last: KEYS_LAST = 3600.0,
    fibre: FIBRE = None,
    fibre_cut: FIBRE_CUT = [],  # noqa: B006
    internet: INTERNET = False,
    capture: CAPTURE = None,
    report: REPORT = None,
) -> None:
    """Run a command behind a terminal: its packets go through the constellation as it is at that second.

    The command finds itself in a network of its own, whose one way out is the terminal's link: the delay,
    rate, loss and gaps of each slot. `pop` is the host at the other end. Its exit status is this one's.

        skylift exec kyiv --scenario S.toml --at 2022-02-27T03:05:00Z -- ping -c 5 pop
    """
    check_output(report, "--report", (".json",))
    check_output(capture, "--capture", (".pcap",))
    said = LinkWords(
        scenario, catalogue, at, server, token, replay, mahimahi, trace, trace_places, set_, preset, seed
    )
    link = followed(terminal, said)
    words = PacketWords(queue_bytes, pop_command, encrypt, keys_last, fibre, fibre_cut, capture, internet)
    raise finish(packets(link, command, words), report)


def shell(
    terminal: TERMINAL,
    scenario: SCENARIO = None,
    catalogue: CATALOGUE = None,
    at: AT = None,
    server: SERVER = None,
    token: TOKEN = "",
    replay: REPLAY = None,
    mahimahi: MAHIMAHI = None,
    trace: TRACE = None,
    trace_places: TRACE_PLACES = False,
    set_: SET = [],  # noqa: B006
    preset: PRESET = "ideal",
    seed: SEED = 0,
    queue_bytes: QUEUE = 1_000_000,
    pop_command: POP_RUN = "",
    encrypt: ENCRYPT = None,
    keys_last: KEYS_LAST = 3600.0,
    fibre: FIBRE = None,
    fibre_cut: FIBRE_CUT = [],  # noqa: B006
    internet: INTERNET = False,
    capture: CAPTURE = None,
    report: REPORT = None,
) -> None:
    """Open your shell behind a terminal; all that it starts goes through the constellation. `exit` ends it.

    skylift shell kharkiv --server http://127.0.0.1:8480
    """
    program = os.environ.get("SHELL", "")
    command = [program] if program and shutil.which(program) else ["/bin/sh"]
    typer.echo(f"a shell behind {terminal}: `pop` is the other end; exit ends it", err=True)
    check_output(report, "--report", (".json",))
    check_output(capture, "--capture", (".pcap",))
    said = LinkWords(
        scenario, catalogue, at, server, token, replay, mahimahi, trace, trace_places, set_, preset, seed
    )
    link = followed(terminal, said)
    words = PacketWords(queue_bytes, pop_command, encrypt, keys_last, fibre, fibre_cut, capture, internet)
    raise finish(packets(link, command, words), report)
