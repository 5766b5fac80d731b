"""skylift netreport: what a link is worth, and whether a call can be held over it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_output, check_picture
from skylift.cli.packet_options import LinkWords, followed
from skylift.cli.spread import spread

if TYPE_CHECKING:
    from skylift.study.voice import Codec


def register(app: typer.Typer) -> None:
    app.command("netreport")(netreport)


@spread()
def netreport(
    what: Annotated[str, typer.Argument(help="Id of a terminal to measure now, or a report's file.")],
    link: LinkWords,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="How long small packets are sent.")
    ] = 60.0,
    transfer_seconds: Annotated[
        float,
        typer.Option(
            min=0.0, max=600.0, help="How long each congestion control sends, each way; 0: no transfers."
        ),
    ] = 5.0,
    out: Annotated[Path | None, typer.Option(help="Keep the report, .json.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the round trips slot by slot into this PNG, SVG or PDF.")
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(help="Whose voice is scored: g711, g711-plain, g729a or g723.1.", show_default="g711"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Say what a link is worth: throughput, round trip, jitter, losses, and whether a call can be held.

    A file is what `skylift exec --report` or an earlier netreport wrote. Voice is scored by ITU-T G.107; for
    video Microsoft's bounds on a network for Teams hold in 19 of 20 slots.

        skylift netreport kyiv --scenario S.toml --at 2022-02-27T03:05:00Z
    """
    from skylift.adapters.netreport_run import measured, read_report
    from skylift.study.voice import G711

    wanted = _codec(codec)
    check_output(out, "--out", (".json",))
    check_picture(plot)
    if _names_a_file(what):
        document = read_report(Path(what), wanted)
    else:
        document = measured(followed(what, link), seconds, transfer_seconds, wanted or G711)
    if out is not None:
        from skylift.adapters.atomic import write_atomically

        write_atomically(out, json.dumps(document) + "\n")
    if plot is not None:
        from skylift.adapters.pictures_netreport import draw_netreport

        draw_netreport(document, plot)
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _say(document)


def _names_a_file(what: str) -> bool:
    """A terminal's id has no folders; one with an ending is a file's name where there is such a file."""
    file = Path(what)
    return what.endswith(".json") or os.sep in what or (file.suffix != "" and file.exists())


def _codec(name: str | None) -> Codec | None:
    from skylift.base.errors import Refused
    from skylift.study.voice import CODECS

    if name is None:
        return None
    if name not in CODECS:
        raise Refused(
            "netreport.codec",
            f"--codec {name[:40]!r}",
            "its impairment is not known here",
            f"take {', '.join(CODECS)}",
        )
    return CODECS[name]


def _say(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from skylift.study.netreport import ANSWERS

    console = Console()
    answer = ANSWERS[document["video_call"]]
    voice = document["voice"]
    measured = "" if document["congestion_controls"] else ", as far as delay and losses go"
    console.print(f"{answer[0].upper()}{answer[1:]}{measured}.", highlight=False)
    if not document["trustworthy"]:
        console.print("Not to be trusted: this machine did not keep up.", highlight=False)
    console.print(
        f"Voice: R {voice['r']:.0f}, MOS {voice['mos']:.2f} of 4.5 (ITU-T G.107, {voice['codec']}, "
        f"buffer {voice['buffer_ms']} ms)",
        highlight=False,
    )
    table = Table("", "median", "95 %", box=None)
    table.add_row("round trip, ms", _number(document["rtt_ms"]), _number(document["rtt_p95_ms"]))
    for way in ("up", "down"):
        table.add_row(f"jitter {way}, ms", _number(document[f"jitter_{way}_ms"]), "")
        table.add_row(f"lost {way}, %", _number(document[f"loss_{way}"], 100.0), "")
    console.print(table)
    if document["congestion_controls"]:
        table = Table("Mbit/s", "down", "up", box=None)
        for name, one in document["congestion_controls"].items():
            table.add_row(name, _number(one["down_bps"], 1e-6), _number(one["up_bps"], 1e-6))
        console.print(table)
    table = Table("slot, s", "round trip, ms", "jitter up, down", "lost up, down, %", box=None)
    for slot in document["slots"]:
        table.add_row(
            f"{slot['start_ms'] / 1_000:.1f}",
            _number(slot["rtt_ms"]),
            f"{_number(slot['jitter_up_ms'])}, {_number(slot['jitter_down_ms'])}",
            f"{_number(slot['loss_up'], 100.0)}, {_number(slot['loss_down'], 100.0)}",
        )
    console.print(table)
    steps = document.get("steps") or {"steps": 0}
    if steps["steps"]:
        console.print(
            f"{steps['steps']} steps of the round trip, none farther than {steps['farthest_ms'] / 1e3:.2f} s "
            f"from the edge of a slot (p {steps['p']:g} if slots had nothing to do with it)",
            highlight=False,
        )


def _number(value: float | None, scale: float = 1.0) -> str:
    return "-" if value is None else f"{value * scale:.2f}"
