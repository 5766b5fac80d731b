"""skylift plan compare: two results of plan capacity side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_picture

if TYPE_CHECKING:
    from skylift.adapters.capacity_report import CapacityReport


def register(plan: typer.Typer) -> None:
    plan.command("compare")(compare)


def compare(
    before: Annotated[Path, typer.Argument(help="A result: skylift plan capacity ... -o before.json")],
    after: Annotated[Path, typer.Argument(help="Another of the same region and cells.")],
    plot: Annotated[
        Path | None, typer.Option(help="Draw both maps, their difference and curves, .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Set two capacity studies of one region side by side: before and after a gateway, a storm, a new fleet.

    Both must be of the same cells. Maps have one colour scale.
    """
    from skylift.adapters.capacity_files import read_report

    check_picture(plot, (".png",))
    pair = read_report(before), read_report(after)
    _check_same(pair, before.name, after.name)
    names = (before.stem, after.stem)
    if plot is not None:
        from skylift.adapters.pictures_capacity import draw_comparison

        draw_comparison(plot, *pair, names)
    if as_json:
        typer.echo(json.dumps(_document(pair, names), ensure_ascii=False))
    else:
        _print(pair, names)


def _check_same(pair: tuple[CapacityReport, CapacityReport], first: str, second: str) -> None:
    from skylift.base.errors import Refused

    cells = [report.detail["cells"]["cell"] for report in pair]
    if cells[0] != cells[1]:
        raise Refused(
            "plan.other-cells",
            f"{first} and {second}",
            "they are of other regions or resolutions",
            "compare results of the same --region and --resolution",
        )


def _differences(pair: tuple[CapacityReport, CapacityReport]) -> dict[str, Any]:
    """What changed, after less before; cells that gain or lose by more than a hundredth of their own."""
    one, two = (report.summary for report in pair)
    served = [report.detail["cells"]["served_bps"] for report in pair]
    return {
        "served_bps": two["served_bps"] - one["served_bps"],
        "least_served_bps": two["least_served_bps"] - one["least_served_bps"],
        "mbps_per_km2": round(two["mbps_per_km2"] - one["mbps_per_km2"], 5),
        "terminals_at": {m: two["terminals_at"][m] - n for m, n in one["terminals_at"].items()},
        "cells_better": sum(b > 1.01 * a for a, b in zip(*served, strict=True)),
        "cells_worse": sum(b < 0.99 * a for a, b in zip(*served, strict=True)),
    }


def _document(pair: tuple[CapacityReport, CapacityReport], names: tuple[str, str]) -> dict[str, Any]:
    return {
        "before": {"name": names[0], **pair[0].summary},
        "after": {"name": names[1], **pair[1].summary},
        "difference": _differences(pair),
    }


def _print(pair: tuple[CapacityReport, CapacityReport], names: tuple[str, str]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from skylift.cli.plan_words import figures, gbps, percent, verdict

    one, two = (report.summary for report in pair)
    table = Table(box=SIMPLE, title=escape(one["region"]), title_justify="left")
    table.add_column("", no_wrap=True)
    for name in (*names, "difference"):
        table.add_column(escape(name), justify="right")
    rows = [dict(figures(summary)) for summary in (one, two)]
    for name in [*rows[0], *(n for n in rows[1] if n not in rows[0])]:
        values = [row.get(name, "-") for row in rows]
        table.add_row(name, *values, _change(*values))
    console = Console()
    console.print(table)
    moved = _differences(pair)
    console.print(
        f"{moved['cells_better']:,} cells get more, {moved['cells_worse']:,} less (by over a hundredth).",
        highlight=False,
    )
    gain = moved["served_bps"]
    sign = "more" if gain >= 0 else "less"
    share = f" ({percent(gain, one['served_bps'])})" if one["served_bps"] else ", where nothing was"
    console.print(f"Served: {gbps(abs(gain))} Gbit/s {sign}{share}.", style="bold", highlight=False)
    for name, summary in zip(names, (one, two), strict=True):
        console.print(f"{escape(name)}: {verdict(summary)}", highlight=False)
    if one["at"] != two["at"] or len(one["hours"]) != len(two["hours"]):
        console.print("note: the two are not of the same slots", highlight=False)


def _change(before: str, after: str) -> str:
    """The difference of two printed figures, as they are printed."""
    if "-" in (before, after):
        return ""
    unit = "%" if before.endswith("%") else ""
    one, two = (float(text.replace(",", "").removesuffix("%")) for text in (before, after))
    decimals = max(len(text.removesuffix("%").partition(".")[2]) for text in (before, after))
    return f"{two - one:+,.{decimals}f}{unit}"
