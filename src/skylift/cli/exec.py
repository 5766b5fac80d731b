"""skylift exec: run a command behind a terminal, with real packets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli.outputs import check_output

if TYPE_CHECKING:
    from skylift.adapters.packet_run import Overrides

_SET = {"delay_ms": (0.0, 10_000.0), "rate_mbps": (0.001, 100_000.0), "loss": (0.0, 1.0)}


def register(app: typer.Typer) -> None:
    app.command("exec")(execute)


def execute(
    terminal: str = typer.Argument(help="Id of the scenario's terminal."),
    command: list[str] = typer.Argument(help="What to run behind it, after --."),
    scenario: Path | None = typer.Option(None, help="Scenario, .toml; the packaged one by default."),
    catalogue: Path | None = typer.Option(None, help="Satellites instead of the scenario's."),
    at: str | None = typer.Option(None, help="The instant at which it begins, ISO 8601; now by default."),
    set_: list[str] = typer.Option([], "--set", help="delay_ms (one way), rate_mbps or loss, as KEY=VALUE."),
    preset: str = typer.Option("ideal", help="Fine structure: ideal, starlink-2022 or starlink-2025."),
    seed: int = typer.Option(0, min=0, help="Of losses and of the fine structure."),
    queue_bytes: int = typer.Option(1_000_000, min=3_000, help="What waits for the link in each direction."),
    pop_command: str = typer.Option(
        "", "--pop-run", help="A command to run at the PoP, such as 'iperf3 -s'."
    ),
    report: Path | None = typer.Option(None, help="Write what was set and seen, .json."),
) -> None:
    """Run a command behind a terminal: its packets go through the constellation as it is at that second.

    The command finds itself in a network of its own, whose one way out is the terminal's link: the delay,
    rate, loss and gaps of each slot. `pop` is the host at the other end. Its exit status is this one's.

        skylift exec kyiv --scenario S.toml --at 2022-02-27T03:05:00Z -- ping -c 5 pop
    """
    import shlex

    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.clock import WallClock
    from skylift.adapters.packet_run import Wanted, run
    from skylift.adapters.scenario_files import Sources
    from skylift.base.instants import parse_instant
    from skylift.wire.packet.pipe import QueueRules
    from skylift.wire.packet.texture import preset as check_preset

    check_output(report)
    at_us = WallClock().now() if at is None else parse_instant(at, "--at")
    wanted = Wanted(
        Sources(scenario, catalogue),
        terminal,
        at_us,
        tuple(command),
        tuple(shlex.split(pop_command)),
        _overrides(set_),
        QueueRules(queue_bytes),
        seed,
        preset,
    )
    check_preset(preset)
    outcome = run(wanted)
    if not outcome.report["trustworthy"]:
        late_ms = outcome.report["lateness_us"]["p99"] / 1_000
        typer.echo(
            f"not to be trusted: frames left up to {late_ms:g} ms late (99th percentile), "
            f"{outcome.report['tun_dropped']} were dropped by this machine",
            err=True,
        )
    if report is not None:
        write_atomically(report, json.dumps(outcome.report, indent=1) + "\n")
    raise typer.Exit(outcome.status)


def _overrides(given: list[str]) -> Overrides:
    from skylift.adapters.packet_run import Overrides
    from skylift.base.errors import Refused

    found: dict[str, float] = {}
    for pair in (part for text in given for part in text.split(",")):
        key, _, text = pair.partition("=")
        least, most = _SET.get(key, (1.0, 0.0))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise Refused(
                "packets.setting",
                f"--set {pair[:60]!r}",
                "delay_ms is 0 to 10000, rate_mbps 0.001 to 100000, loss 0 to 1",
                "write it like --set delay_ms=20,rate_mbps=50,loss=0.01",
            )
        found[key] = value
    return Overrides(**found)
