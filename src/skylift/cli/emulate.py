"""skylift emulate: many terminals at once, each in a network of its own, with real packets."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_output
from skylift.cli.packet_options import (
    POP_RUN,
    QUEUE,
    REPORT,
    LinkWords,
    end_by_signals,
    overrides_of,
    pop_words,
    server_of,
    write_report,
)
from skylift.cli.spread import spread

if TYPE_CHECKING:
    from skylift.adapters.packet_server import ServerLink
    from skylift.adapters.scenario_files import Sources


def register(app: typer.Typer) -> None:
    app.command("emulate")(emulate)


# A trace is of one link.
@spread("replay", "mahimahi", "trace", "trace_places")
def emulate(
    link: LinkWords,
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run behind each, after --; {terminal} is its id.")
    ] = None,
    terminals: Annotated[
        str, typer.Option(help="Ids of the scenario's, or the service's, terminals: a,b,c.")
    ] = "all",
    count: Annotated[int, typer.Option(min=0, max=10_000, help="So many made-up terminals instead.")] = 0,
    queue_bytes: QUEUE = 1_000_000,
    pop_command: POP_RUN = "",
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Ends after so long.", show_default="when the commands do")
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt/--no-encrypt", help="Not for many: see skylift exec.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for what each command says; else it goes where this does."),
    ] = None,
    namespaces: Annotated[
        Path | None, typer.Option(help="Write each terminal's addresses and network namespace, .json.")
    ] = None,
    report: REPORT = None,
) -> None:
    """Many terminals in one process: each in a network of its own, reaching `pop` and one another by name.

    Without a command it waits for the time given, or for Ctrl-C; others join with nsenter --net=NAMESPACE.
    Its exit status is that of the first command, in the terminals' order, that did not end with 0.

        skylift emulate --count 200 --scenario S.toml --at 2022-02-27T03:05:00Z -- ping -c 5 pop
    """
    from skylift.adapters.atomic import write_atomically
    from skylift.adapters.packet_net_loop import Orders
    from skylift.adapters.packet_net_run import NetWanted, run_net
    from skylift.wire.packet.texture import preset as check_preset

    ids = _ids(terminals, count)
    _check(encrypt, output)
    check_output(report, "--report", (".json",))
    check_output(namespaces, "--namespaces", (".json",))
    check_preset(link.preset)
    sources, at_us, anchor_ns = _source(link, count)
    orders = Orders(
        at_us,
        tuple(command or ()),
        pop_words(pop_command),
        seconds,
        "" if output is None else str(output.resolve()),
        report is not None,
        link.preset,
        link.seed,
        queue_bytes,
        **asdict(overrides_of(link.set_)),
        anchor_ns=anchor_ns,
    )

    def ready(said: dict[str, Any]) -> None:
        for note in said["notes"]:
            typer.echo(f"note: {note}", err=True)
        count = len(said["terminals"])
        typer.echo(f"{count} terminal{'s' * (count > 1)}, made in {said['created_s']:g} s", err=True)
        if namespaces is not None:
            write_atomically(namespaces, json.dumps(said["terminals"], indent=1) + "\n")

    end_by_signals()
    said = run_net(NetWanted(sources, ids, orders), ready, lambda line: typer.echo(line, err=True))
    write_report(said, report)
    raise typer.Exit(next((one["status"] for one in said["terminals"] if one["status"]), 0))


def _source(words: LinkWords, count: int) -> tuple[Sources | ServerLink, int, int | None]:
    """Who tells of the links, the sky's instant at which it begins, and the monotonic one of that.

    The last is None where it may be any. Raises Refused or Unavailable.
    """
    from skylift.adapters.clock import WallClock
    from skylift.adapters.packet_server import ServerLink, clock_of
    from skylift.adapters.scenario_files import Sources
    from skylift.base.errors import Refused
    from skylift.base.instants import parse_instant
    from skylift.client.http import kept_token
    from skylift.wire.packet.texture import POLICIES

    if count and words.server is not None:
        raise Refused(
            "packets.source",
            "--server and --count",
            "a service has terminals of its own",
            "give one of them; --terminals names some of the service's",
        )
    server = None if count else server_of(words)
    if server is not None:
        service = ServerLink(server, words.token or kept_token(server))
        return service, *clock_of(service)
    sources = Sources(words.scenario, words.catalogue, made_up=count, policy=POLICIES.get(words.preset))
    return sources, WallClock().now() if words.at is None else parse_instant(words.at, "--at"), None


def _ids(terminals: str, count: int) -> tuple[str, ...]:
    """The terminals that are named; () for all. Raises Refused."""
    from skylift.base.errors import Refused

    ids = () if terminals == "all" else tuple(part.strip() for part in terminals.split(","))
    if ids and count:
        raise Refused(
            "packets.terminals",
            "--terminals and --count",
            "made-up terminals stand in for the scenario's own",
            "give one of them",
        )
    if not all(ids):
        raise Refused(
            "packets.terminals", "--terminals", "an id is missing", "write it like kyiv,lviv, or all"
        )
    return ids


def _check(encrypt: bool, output: Path | None) -> None:
    from skylift.base.errors import Refused

    if encrypt:
        raise Refused(
            "packets.many_encrypted",
            "--encrypt",
            "a run of many terminals has no WireGuard: it would take a process for each",
            "leave it out, or run skylift exec for each terminal that needs it",
        )
    if output is not None and not output.is_dir():
        raise Refused("output.folder", "--output", "it is no folder that is there", "create the folder first")
