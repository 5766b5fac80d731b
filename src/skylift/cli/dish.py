"""skylift dish: an emulated dish that the tools for real ones can talk to."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from skylift.adapters.clock import AnyClock
    from skylift.adapters.dish_grpc import DishServer
    from skylift.twin.world import World


def register(app: typer.Typer) -> None:
    dish = typer.Typer(help="An emulated dish that the tools for real ones can talk to.")
    dish.command("serve")(serve)
    app.add_typer(dish, name="dish", no_args_is_help=True)


def serve(
    terminal: str | None = typer.Option(None, help="Id of the scenario's terminal; the first by default."),
    scenario: Path | None = typer.Option(None, help="Scenario, .toml; the packaged one by default."),
    catalogue: Path | None = typer.Option(None, help="Satellites instead of the scenario's: .tle, .json ..."),
    at: str | None = typer.Option(None, help="Where its clock begins, ISO 8601; now by default."),
    speed: float | None = typer.Option(None, help="Simulated seconds in one second.", show_default="1"),
    listen: str = typer.Option("127.0.0.1:9200", help="HOST:PORT; real dishes are at 192.168.100.1:9200."),
    count: int = typer.Option(1, min=1, help="Serve so many terminals, on this port and the next ones."),
    as_json: bool = typer.Option(False, "--json", help="Say on stdout, in one JSON document, who is where."),
) -> None:
    """Serve the local gRPC interface of a terminal's dish until Ctrl-C.

    What it says comes from the twin: latency, drops, outages, the satellites' ways across the sky. Stowed,
    asleep, rebooting or with its radio off it gets no link in the next slot. Tools for real dishes work on
    it unchanged; the interface has no login, as a real dish's has none, so let it listen where you trust.
    """
    from skylift.adapters.clock import make_clock
    from skylift.adapters.dish_grpc import DishServer, dish_schema
    from skylift.adapters.dish_twin import DishFeed, emulated
    from skylift.adapters.scenario_files import Sources, load_world
    from skylift.base.instants import parse_instant
    from skylift.base.units import US_PER_DAY

    host, port = _address(listen)
    clock = make_clock(None, None if at is None else parse_instant(at, "--at"), speed)
    day_us = clock.now() // US_PER_DAY * US_PER_DAY
    world = load_world(Sources(scenario, catalogue), day_us).world
    rows = _rows(world, terminal, count)
    dishes = emulated(world, rows, clock.now())
    schema = dish_schema()
    servers = [DishServer(dishes[row], schema, clock.now) for row in rows]
    feed = DishFeed(world, dishes, clock)
    with ExitStack() as stack:
        ports = _listen(stack, servers, host, port)
        said = [
            {"terminal": str(world.terminals[row].id), "address": f"{host}:{p}"}
            for row, p in zip(rows, ports, strict=True)
        ]
        once = iter([None])

        def ready() -> None:
            for _ in once:
                _say(said, clock, as_json)

        typer.echo("working out the last quarter of an hour ...", err=True)
        try:
            feed.run(ready)
        except KeyboardInterrupt:
            feed.stop()
            typer.echo("stopped", err=True)


def _listen(stack: ExitStack, servers: list[DishServer], host: str, port: int) -> list[int]:
    """Start all of them; returns their ports."""
    from concurrent.futures import ThreadPoolExecutor

    from skylift.adapters.dish_grpc import WORKERS

    pool = stack.enter_context(ThreadPoolExecutor(max_workers=WORKERS))
    ports = []
    for number, server in enumerate(servers):
        running, taken = server.serve(f"{host}:{port + number if port else 0}", pool)
        stack.callback(running.stop, 0)
        ports.append(taken)
    return ports


def _say(said: list[dict[str, str]], clock: AnyClock, as_json: bool) -> None:
    from skylift.base.instants import format_instant

    if as_json:
        typer.echo(json.dumps({"dishes": said}))
        return
    for one in said[:10]:
        typer.echo(f"{one['terminal']}: {one['address']}", err=True)
    if len(said) > 10:
        typer.echo(f"... and {len(said) - 10} more", err=True)
    now = format_instant(clock.now() // 1_000_000 * 1_000_000)
    typer.echo(f"their clock shows {now}; Ctrl-C ends", err=True)


def _rows(world: World, terminal: str | None, count: int) -> list[int]:
    """Which of the world's terminals to serve."""
    import difflib

    from skylift.base.errors import Refused

    ids = [str(one.id) for one in world.terminals]
    if terminal is not None and terminal not in ids:
        near = difflib.get_close_matches(terminal, ids, n=3, cutoff=0.5) or ids[:3]
        raise Refused(
            "dish.terminal",
            f"terminal {terminal[:40]!r}",
            "the scenario has none of this id",
            f"it has, for example, {', '.join(near)}",
        )
    first = 0 if terminal is None else ids.index(terminal)
    if count > len(ids):
        raise Refused(
            "dish.count",
            f"--count {count}",
            f"the scenario has {len(ids)} terminals",
            "ask for fewer, or add terminals to the scenario",
        )
    return [(first + k) % len(ids) for k in range(count)]


def _address(listen: str) -> tuple[str, int]:
    from skylift.base.errors import Refused

    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise Refused(
            "dish.address",
            f"--listen {listen[:60]!r}",
            "it is an address and a port from 0 to 65535",
            "write it like 127.0.0.1:9200",
        )
    return host, int(port)
