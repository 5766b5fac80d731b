"""skylift terminal place: what the owner of a dish shares of where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from skylift.client.http import Client

# How a document is shown to people: office.py's own way.
Show = Callable[[dict[str, Any], bool], None]

_NOTHING = "its owner shares nothing of its place; only at the dish can that be changed (skylift agent share)"


def show_place(client: Client, show: Show, id: str, given: dict[str, str], as_json: bool) -> None:
    """The last values, and the picture of its map; that somebody looked is in the journal."""
    from skylift.cli.outputs import check_picture

    plot = Path(given["plot"]) if "plot" in given else None
    check_picture(plot, option="plot")
    found = client.ask("GET", f"terminals/{id}/place")
    maps = [one["obstructions"] for one in found["shared"] if one["obstructions"] is not None]
    if plot is not None:
        _draw(plot, id, maps)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for one in found["shared"]:
        show(_plain(one), False)
    if not found["shared"]:
        typer.echo(_NOTHING, err=True)
    elif maps and plot is None:
        typer.echo("its obstruction map: plot=FILE.png draws it", err=True)


def _draw(plot: Path, id: str, maps: list[dict[str, Any]]) -> None:
    from skylift.adapters.pictures_obstructions import draw_obstructions
    from skylift.base.errors import Refused

    if not maps:
        raise Refused("place.no-map", "plot", "no obstruction map of this dish is shared", "leave plot out")
    draw_obstructions(plot, f"sky of {id}", maps[0])
    typer.echo(f"{plot} shows what can give the place away: keep it as you would keep the place", err=True)


def _plain(one: dict[str, Any]) -> dict[str, Any]:
    shown = {name: one[name] for name in ("key", "at", "received", "home")}
    shown["shared"] = ", ".join(one["kinds"])
    told = {**(one["location"] or {}), **(one["boresight"] or {})}
    shown |= {name: value for name, value in told.items() if value not in (None, "")}
    if one["satellites"]:
        shown["satellites"] = (
            f"{len(one['satellites'])} of the last hour; the newest {one['satellites'][-1][1]}"
        )
    return shown


def say_shared(shared: list[dict[str, Any]]) -> None:
    """A line beside what is shown of a terminal."""
    for one in shared:
        kinds = ", ".join(one["kinds"])
        typer.echo(f"its owner shares {kinds}, since {one['since']}: skylift terminal place ID", err=True)
