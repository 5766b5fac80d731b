"""skylift agent: beside a real dish, on a small board. Loads neither NumPy nor Numba."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from skylift.cli import agent_share
from skylift.cli.agent_share import CA, STATE_DIR, folder_of, taking_back

if TYPE_CHECKING:
    from skylift.adapters.agent_doctor import Finding
    from skylift.adapters.agent_folder import AgentFolder, Beside

DISH = typer.Option(
    None,
    "--dish",
    help="HOST:PORT of the dish, as seen from here: that of last time, at first 192.168.100.1:9200.",
)
ROUTER = typer.Option(
    None,
    "--router",
    help="HOST:PORT of its router, for Wi-Fi off where that is allowed: that of last time, at first "
    "192.168.1.1:9000.",
)


def register(app: typer.Typer) -> None:
    agent = typer.Typer(help="Beside a real dish: send what it says, and obey what its owner allows.")
    agent.callback(invoke_without_command=True)(run)
    agent.command("doctor")(doctor)
    agent.command("status")(status)
    agent.command("share")(agent_share.share)
    agent.command("wipe")(wipe)
    agent.command("unit")(unit)
    app.add_typer(agent, name="agent")


def run(
    context: typer.Context,
    dish: str | None = DISH,
    router: str | None = ROUTER,
    server: str | None = typer.Option(
        None, envvar="SKYLIFT_SERVER", help="The service, https://HOST[:PORT]."
    ),
    code: str | None = typer.Option(
        None, envvar="SKYLIFT_AGENT_CODE", help="One-time code of an operator, the first time."
    ),
    state_dir: Path | None = STATE_DIR,
    ca: Path | None = CA,
    enrol_only: bool = typer.Option(False, "--enrol-only", help="Enrol, and end."),
    at: str | None = typer.Option(None, hidden=True),
    speed: float = typer.Option(1.0, hidden=True, min=0.01, max=10_000),
    began_ns: int | None = typer.Option(None, hidden=True),
) -> None:
    """Read a dish every 15 s and send what it says to a service, until stopped.

    It sends no place, no obstruction map, no pointing and no satellite, unless you let it (`share`). While
    the link is down it keeps rows, sealed, on its disk. What may be done to the dish from afar stands in
    allow.toml of its folder: nothing, until the owner writes it there. The first time it takes a one-time
    code, from an operator of the service; from then on it knows the service, the dish, the router and --ca.
    """
    if context.invoked_subcommand is not None:
        return
    from skylift.adapters.agent_folder import AgentFolder

    folder = AgentFolder(folder_of(state_dir))
    beside = _beside(folder, dish, router, ca)
    folder.made()
    with folder.locked():
        _show_safety(folder)
        _enrol_once(folder, server, code, beside.authority)
        folder.keep_beside(beside)
    if not enrol_only:
        from skylift.adapters.agent_process import Options, become
        from skylift.base.instants import parse_instant

        at_us = None if at is None else int(parse_instant(at, "--at"))
        become(Options(str(folder.path), beside.dish, beside.ca, at_us, speed, began_ns, beside.router))


def _beside(folder: AgentFolder, dish: str | None, router: str | None, ca: Path | None) -> Beside:
    """What is said now, before what was said last time."""
    from skylift.adapters.agent_folder import Beside
    from skylift.wire.dish.address import checked_address

    known = folder.beside()
    return Beside(
        known.dish if dish is None else checked_address(dish, "--dish"),
        known.router if router is None else checked_address(router, "--router", "192.168.1.1:9000"),
        known.ca if ca is None else str(ca.absolute()),
    )


def doctor(
    dish: str | None = DISH,
    state_dir: Path | None = STATE_DIR,
    ca: Path | None = CA,
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Say what is wrong with the agent here, and what to do about it. Exit 1 where anything is."""
    from skylift.adapters.agent_doctor import examine
    from skylift.adapters.agent_folder import AgentFolder
    from skylift.adapters.dish_client import DishClient

    folder = AgentFolder(folder_of(state_dir))
    beside = _beside(folder, dish, None, ca)
    with DishClient(beside.dish) as client:
        findings = list(examine(folder, client, beside.authority))
    raise typer.Exit(0 if _say(findings, as_json) else 1)


def status(
    state_dir: Path | None = STATE_DIR,
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Say who the agent is, what is allowed and shared, and what waits, asking neither dish nor service.

    Exit 1 where anything of it is not well.
    """
    from skylift.adapters.agent_doctor import examine
    from skylift.adapters.agent_folder import AgentFolder

    findings = list(examine(AgentFolder(folder_of(state_dir)), None))
    raise typer.Exit(0 if _say(findings, as_json) else 1)


def _say(findings: list[Finding], as_json: bool) -> bool:
    """Whether all is well."""
    well = all(one.ok for one in findings)
    if as_json:
        shown = [
            {"check": one.check, "ok": one.ok, "says": one.says, "way_out": one.way_out} for one in findings
        ]
        typer.echo(json.dumps({"ok": well, "checks": shown}))
        return well
    for one in findings:
        typer.echo(f"{'well ' if one.ok else 'WRONG'}  {one.check}: {one.says}")
        if one.way_out:
            typer.echo(f"       -> {one.way_out}")
    return well


def wipe(
    state_dir: Path | None = STATE_DIR,
    ca: Path | None = CA,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Leave nothing of the agent on this board: keys, rows, names, the owner's lists, the folder itself.

    Where something of the dish's place was shared, the service is told to erase it, once all is gone here.
    """
    from skylift.adapters.agent_folder import AgentFolder
    from skylift.base.errors import Refused

    folder = AgentFolder(folder_of(state_dir))
    if not folder.path.exists():
        typer.echo("there is nothing of an agent here")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm("remove the agent's keys and rows for good?")):
        raise Refused("agent.wipe", "skylift agent wipe", "it cannot be undone", "confirm it, or add --yes")
    with folder.locked():
        tell = taking_back(folder, _beside(folder, None, None, ca).authority)
        known = folder.was_enrolled()
        files = folder.wipe()
    left = folder.path.exists()
    gone = "are gone; their folder is empty, and root may remove it" if left else "and their folder are gone"
    typer.echo(f"{files} files {gone}{'; have an operator revoke the key' if known else ''}")
    if tell is not None:
        typer.echo(tell())


def unit() -> None:
    """Print a unit file for systemd; docs/how-to/run-an-agent.md says where it goes."""
    typer.echo(_packaged("skylift-agent.service"), nl=False)


def _packaged(name: str) -> str:
    from importlib import resources

    return resources.files("skylift.data").joinpath("agent", name).read_text("utf-8")


def _show_safety(folder: AgentFolder) -> None:
    """Before anything is sent, once: what a transmitting dish can bring upon people."""
    if not folder.safety_was_shown():
        typer.echo(_packaged("safety.txt"), err=True)
        folder.keep_safety_shown()


def _enrol_once(folder: AgentFolder, server: str | None, code: str | None, ca: Path | None) -> None:
    """Where the agent is nobody yet, a code makes it somebody."""
    from skylift.adapters.agent_folder import Enrolment
    from skylift.adapters.agent_http import SignedHttp, enrol
    from skylift.base.errors import Refused

    known = folder.enrolment()
    if known is not None:
        if server is not None and server.rstrip("/") != known.server:
            raise Refused(
                "agent.other-server",
                "--server",
                "this agent is enrolled with another service",
                "run skylift agent wipe first, or give it another folder with --state-dir",
            )
        return
    if server is None:
        raise Refused("agent.server", "--server", "it is needed the first time", "write https://HOST[:PORT]")
    if code is None and sys.stdin.isatty():
        code = str(typer.prompt("one-time code"))
    if code is None:
        raise Refused(
            "agent.code",
            "the one-time code",
            "it is needed the first time",
            "ask an operator for one, and give it with --code",
        )
    keys = folder.agent_key()
    enrolled = enrol(SignedHttp(server, keys, ca=ca), keys, code)
    made = Enrolment(
        server.rstrip("/"),
        enrolled.terminal,
        enrolled.key_id,
        enrolled.server_public_key,
        enrolled.at,
        enrolled.interval_s,
        max(0, enrolled.next_sequence - 1),
    )
    folder.keep_enrolment(made)
    typer.echo(f"enrolled as {made.terminal}", err=True)
