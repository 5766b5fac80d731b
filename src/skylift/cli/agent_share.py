"""skylift agent share: what the owner of a dish lets the agent tell of where it is. At the dish alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from skylift.adapters.agent_folder import AgentFolder
    from skylift.wire.agent.sharing import Shares

STATE_DIR = typer.Option(
    None, "--state-dir", envvar="SKYLIFT_AGENT_DIR", help="The agent's own folder.", show_default="per user"
)
CA = typer.Option(None, "--ca", help="PEM file of the authority that signs the service's certificate.")
_KINDS = ("location", "obstruction-map", "boresight", "satellite-trace")
# What each gives away, before anybody says yes to it.
_MEANS = {
    "location": "In which {area} your dish is: an H3 cell of resolution {resolution}.",
    "exact": "EXACTLY where your dish is, as its GPS says.",
    "obstruction-map": "What stands around your dish, and the ways of satellites across its sky. Either can\n"
    "  tell where it is, to somebody with pictures of the place, or with public orbits.",
    "boresight": "Where your dish points, and how it is tilted.",
    "satellite-trace": "Which satellite serves your dish, every 15 s of the last hour. With public orbits\n"
    "  that can tell roughly where it is.",
}
_FOR = """\
A dish transmits. In a war it can be a target, and so can you: read SAFETY.md.
Who will see it: operators of {server},
each time with a line in its journal; and whoever breaks into it, or makes them.
The last value is kept and no history; it is in no export and no log.
To take it back: skylift agent share {kind} off. The service then erases it, also from its backups
once they are put back. What somebody has seen or copied, nobody can erase.
"""
# h3geo.org, statistics across resolutions: average areas.
_AREAS = {
    0: "4,400,000 km2", 1: "610,000 km2", 2: "87,000 km2", 3: "12,000 km2", 4: "1,800 km2", 5: "250 km2",
    6: "36 km2", 7: "5 km2",
}  # fmt: skip


def folder_of(wanted: Path | None) -> Path:
    """The agent's folder: as wanted, or this user's own."""
    import platformdirs

    return wanted or Path(platformdirs.user_state_dir("skylift", appauthor=False)) / "agent"


def share(
    kind: str = typer.Argument("", metavar="[KIND]", help=f"{', '.join(_KINDS)}; or all, with off."),
    switch: str = typer.Argument("", metavar="[on|off]"),
    exact: bool = typer.Option(False, "--exact", help="Of location: the place itself, and no cell."),
    resolution: int = typer.Option(5, min=0, max=7, help="Of location: the H3 cell's; 5 is 250 km2, 7 is 5."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    state_dir: Path | None = STATE_DIR,
) -> None:
    """Say what the agent may tell of where this dish is: nothing, unless you switch it on here.

    Nobody can switch it on from afar, the service least of all. Without KIND: what is shared now. A running
    agent heeds it within seconds; one that does not run, when it is started.
    """
    from skylift.adapters.agent_doctor import words_of
    from skylift.adapters.agent_folder import AgentFolder
    from skylift.base.errors import Refused, SkyliftError

    folder = AgentFolder(folder_of(state_dir))
    if not kind:
        typer.echo(f"shared of its place: {words_of(folder.shares())}")
        return
    if kind not in (*_KINDS, "all") or switch not in ("on", "off") or (kind, switch) == ("all", "on"):
        raise Refused(
            "agent.share",
            "skylift agent share",
            "it takes a kind, and on or off",
            f"write one of {', '.join(_KINDS)}, each apart, and on; or all off",
        )
    if (exact or resolution != 5) and (kind, switch) != ("location", "on"):
        raise Refused(
            "agent.share", "--exact and --resolution", "they are of `location on`", "leave them out"
        )
    try:
        before = folder.shares()
    except SkyliftError:
        if switch == "on":
            raise
        # Taking back always works.
        from skylift.wire.agent.sharing import Shares

        before = Shares()
    after = _changed(before, kind, switch == "on", (exact, resolution))
    if switch == "on":
        _confirm(folder, kind, exact, resolution, yes)
    folder.made().keep_shares(after)
    typer.echo(f"shared of its place: {words_of(after)}")
    if switch == "off":
        typer.echo("the agent tells the service to erase it; `skylift agent status` says when it has heard")


def _changed(before: Shares, kind: str, on: bool, how: tuple[bool, int]) -> Shares:
    from skylift.wire.agent.sharing import Shares
    from skylift.wire.telemetry.sharing import EXACT, KINDS, LOCATION

    if kind == "all":
        return Shares()
    exact, resolution = how
    drops = {LOCATION, EXACT} if kind == LOCATION else {kind}
    wanted = set(before.kinds) - drops
    if on:
        wanted.add(EXACT if exact else kind)
    kinds = tuple(one for one in KINDS if one in wanted)
    return Shares(kinds, resolution if kind == LOCATION and on else before.resolution)


def _confirm(folder: AgentFolder, kind: str, exact: bool, resolution: int, yes: bool) -> None:
    """What it means, in plain words; and whether it is meant."""
    from skylift.base.errors import Refused

    enrolment = folder.enrolment()
    server = enrolment.server if enrolment is not None else "the service that this agent will enrol with"
    means = _MEANS["exact" if exact else kind].format(area=_AREAS[resolution], resolution=resolution)
    typer.echo(f"You are about to let the agent tell its service:\n  {means}\n", err=True)
    typer.echo(_FOR.format(server=server, kind=kind), err=True)
    if not yes and not (sys.stdin.isatty() and typer.confirm("Is that what you want?")):
        raise Refused(
            "agent.share-unconfirmed", f"sharing {kind}", "nobody confirmed it", "confirm it, or add --yes"
        )


def taking_back(folder: AgentFolder, ca: Path | None) -> Callable[[], str] | None:
    """What tells the service to erase what was shared, once the folder is gone; None where nothing was."""
    import msgspec

    from skylift.adapters.agent_http import SignedHttp
    from skylift.base.errors import SkyliftError
    from skylift.wire.telemetry.sharing import PATH, Shared

    told = folder.told()
    try:
        known = folder.enrolment()
    except SkyliftError:
        known = None
    if known is None or told.word == 0 or (not told.shares.kinds and told.heard):
        return None
    try:
        http = SignedHttp(known.server, folder.agent_key(), known.key_id, ca)
    except SkyliftError:
        return lambda: _NOT_TOLD
    body = msgspec.json.encode(Shared(known.terminal, told.word + 1, (), 0))

    def tell() -> str:
        said = http.post(PATH, "application/json", body)
        return "the service has erased what was shared of its place" if said.status == 200 else _NOT_TOLD

    return tell


_NOT_TOLD = (
    "the service could not be told to erase what was shared of its place: ask an operator to erase it "
    "(revoking the key does)"
)
