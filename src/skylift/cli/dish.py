"""skylift dish: an emulated dish that the tools for real ones can talk to, and a look at a real one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.adapters.dish_grpc import DishServer
    from skylift.adapters.scenario_files import Loaded
    from skylift.base.errors import SkyliftError
    from skylift.twin.world import World


def register(app: typer.Typer) -> None:
    from skylift.cli.dish_snapshot import snapshot

    dish = typer.Typer(
        help="An emulated dish that the tools for real ones can talk to; a look at a real one."
    )
    dish.command("serve")(serve)
    dish.command("snapshot")(snapshot)
    app.add_typer(dish, name="dish", no_args_is_help=True)


def serve(
    terminal: str | None = typer.Option(
        None, help="Id of the terminal, of the scenario or the office; the scenario's first by default."
    ),
    server: str | None = typer.Option(None, help="Address of a running skylift: its sky, its clock."),
    token: str = typer.Option(
        "", envvar="SKYLIFT_TOKEN", help="A token instead of that of the last login, with --server."
    ),
    scenario: Path | None = typer.Option(None, help="Scenario, .toml; the packaged one by default."),
    catalogue: Path | None = typer.Option(None, help="Satellites instead of the scenario's: .tle, .json ..."),
    at: str | None = typer.Option(None, help="Where its clock begins, ISO 8601; now by default."),
    speed: float | None = typer.Option(None, help="Simulated seconds in one second.", show_default="1"),
    listen: str = typer.Option("127.0.0.1:9200", help="HOST:PORT; real dishes are at 192.168.100.1:9200."),
    count: int = typer.Option(1, min=1, help="Serve so many terminals, on this port and the next ones."),
    happen: list[str] = typer.Option(
        [], help="What befalls the dishes, such as snow@+60s/10min or update@+5s=2026.06. Again for more."
    ),
    as_json: bool = typer.Option(False, "--json", help="Say on stdout, in one JSON document, who is where."),
) -> None:
    """Serve the local gRPC interface of a terminal's dish until Ctrl-C.

    What it says comes from the twin: latency, drops, outages, the satellites' ways across the sky. Stowed,
    asleep, rebooting or with its radio off it gets no link in the next slot: of the scenario's replay, or of
    the running service at --server. Tools for real dishes work on it unchanged; the interface has no login,
    as a real dish's has none, so let it listen where you trust.
    """
    from skylift.cli.dish_happen import read_happenings

    # Else grpc says on stderr, in its own words, what is said in ours; it looks when it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    host, port = _address(listen)
    if server is not None:
        _alone(server, {"--scenario": scenario, "--catalogue": catalogue, "--at": at, "--speed": speed})
        _serve_live(server, token, terminal, count, (host, port), happen, as_json)
        return
    from skylift.adapters.clock import make_clock
    from skylift.adapters.dish_grpc import DishServer, dish_schema
    from skylift.adapters.dish_twin import DishFeed, emulated
    from skylift.adapters.scenario_files import Sources, load_world
    from skylift.base.instants import parse_instant
    from skylift.base.units import US_PER_DAY

    clock = make_clock(None, None if at is None else parse_instant(at, "--at"), speed)
    happenings = read_happenings(happen, clock.now())
    day_us = clock.now() // US_PER_DAY * US_PER_DAY
    loaded = load_world(Sources(scenario, catalogue), day_us)
    _warn(loaded, clock.now(), day_us)
    world = loaded.world
    rows = _rows(world, terminal, count)
    dishes = emulated(world, rows, clock.now(), happenings)
    schema = dish_schema()
    servers = [DishServer(dishes[row], schema, clock.now) for row in rows]
    feed = DishFeed(world, dishes, clock)
    with ExitStack() as stack:
        ports = _listen(stack, servers, host, port)
        said = _where([str(world.terminals[row].id) for row in rows], host, ports)
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


def _warn(loaded: Loaded, now_us: int, day_us: int) -> None:
    """Of old orbits, and of a time in which the scenario says nothing."""
    from skylift.adapters.packet_sky import outside_its_time

    notes, told = loaded.warnings, loaded.scenario
    if told.start_us != day_us and not told.start_us <= now_us < told.end_us:
        notes += (outside_its_time(told.start_us, told.end_us),)
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def _alone(server: str, options: dict[str, object]) -> None:
    from skylift.base.errors import Refused

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise Refused(
            "dish.server",
            f"--server with {', '.join(given)}",
            "the running service has a scenario and a clock of its own",
            "give one or the other",
        )


def _serve_live(
    server: str,
    token: str,
    terminal: str | None,
    count: int,
    address: tuple[str, int],
    happen: Sequence[str],
    as_json: bool,
) -> None:
    from skylift.adapters.dish_grpc import DishServer, dish_schema
    from skylift.adapters.dish_live import LiveDishes, once_ready
    from skylift.cli.dish_happen import read_happenings
    from skylift.client.http import Client, kept_token

    client = Client(server, token or kept_token(server))
    typer.echo("waiting for the service's next slot ...", err=True)
    with ExitStack() as stack:
        try:
            about = once_ready(lambda: client.ask("GET", "about"))
            happenings = read_happenings(happen, int(about["now_us"]))
            ids = once_ready(lambda: _terminals(client, terminal, count))
            live = LiveDishes(lambda body: client.ask("POST", "sky/emulated-dishes", body), ids, happenings)
            once_ready(live.find)
            schema = dish_schema()
            servers = [DishServer(live.dishes[id], schema, live.clock.now) for id in ids]
            ports = _listen(stack, servers, *address)
            _say(_where(ids, address[0], ports), live.clock, as_json)
            live.run(_lost)
        except KeyboardInterrupt:
            # Whatever it was at: the servers stop with the stack.
            typer.echo("stopped", err=True)


def _lost(error: SkyliftError | None) -> None:
    if error is None:
        typer.echo("the service is there again", err=True)
    else:
        typer.echo(f"{error.thing}: {error.rule}; the dishes hear nothing until it is back", err=True)


def _terminals(client: Any, terminal: str | None, count: int) -> list[str]:
    """Ids at the service: one of the office's, or of the scenario's so many from the one that is named."""
    ids = [str(one["terminal"]) for one in client.ask("GET", "sky/terminals")["terminals"]]
    if terminal is not None and terminal not in ids:
        from skylift.base.errors import Refused

        if not terminal.startswith("trm_") or count > 1:
            raise (
                _unknown(terminal, ids)
                if count == 1
                else Refused(
                    "dish.count",
                    f"--count {count}",
                    "of the office's terminals one at a time is served",
                    "leave it out, or name one of the scenario's",
                )
            )
        return [terminal]
    first = 0 if terminal is None else ids.index(terminal)
    return [ids[k] for k in _numbers(first, count, len(ids))]


def _where(ids: Sequence[str], host: str, ports: Sequence[int]) -> list[dict[str, str]]:
    return [{"terminal": id, "address": f"{host}:{port}"} for id, port in zip(ids, ports, strict=True)]


def _listen(stack: ExitStack, servers: list[DishServer], host: str, port: int) -> list[int]:
    """Start all of them; returns their ports."""
    from concurrent.futures import ThreadPoolExecutor

    from skylift.adapters.dish_grpc import WORKERS
    from skylift.base.errors import Refused

    if port and port + len(servers) - 1 > 65_535:
        raise Refused(
            "dish.address",
            f"--count {len(servers)} from port {port} on",
            "ports end at 65535",
            "let the first one be lower with --listen",
        )
    pool = stack.enter_context(ThreadPoolExecutor(max_workers=WORKERS))
    running: list[Any] = []
    stack.callback(_stop, running)
    ports = []
    for number, server in enumerate(servers):
        one, taken = server.serve(f"{host}:{port + number if port else 0}", pool)
        running.append(one)
        ports.append(taken)
    return ports


def _stop(running: Sequence[Any]) -> None:
    """All at once; then wait, so that none hands work to threads that are gone."""
    for stopped in [one.stop(0) for one in running]:
        stopped.wait(5.0)


def _say(said: list[dict[str, str]], clock: Any, as_json: bool) -> None:
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
    ids = [str(one.id) for one in world.terminals]
    if terminal is not None and terminal not in ids:
        raise _unknown(terminal, ids)
    return _numbers(0 if terminal is None else ids.index(terminal), count, len(ids))


def _numbers(first: int, count: int, there: int) -> list[int]:
    from skylift.base.errors import Refused

    if count > there:
        raise Refused(
            "dish.count",
            f"--count {count}",
            f"the scenario has {there} terminals",
            "ask for fewer, or add terminals to the scenario",
        )
    return [(first + k) % there for k in range(count)]


def _unknown(terminal: str, ids: Sequence[str]) -> SkyliftError:
    import difflib

    from skylift.base.errors import Refused

    near = difflib.get_close_matches(terminal, ids, n=3, cutoff=0.5) or ids[:3]
    return Refused(
        "dish.terminal",
        f"terminal {terminal[:40]!r}",
        "the scenario has none of this id",
        f"it has, for example, {', '.join(near)}" if near else "add one to it",
    )


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
