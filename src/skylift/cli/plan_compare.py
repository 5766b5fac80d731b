"""skylift plan compare: two results of plan capacity side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skylift.cli.outputs import check_picture

if TYPE_CHECKING:
    from skylift.adapters.capacity_report import CapacityReport
    from skylift.cli.plan_words import Figure

# A share that rose more than this is told as so many times as much.
_MANY_TIMES = 10.0


def register(plan: typer.Typer) -> None:
    plan.command("compare")(compare)


def compare(
    before: Annotated[
        Path, typer.Argument(dir_okay=False, help="A result: skylift plan capacity ... -o before.json")
    ],
    after: Annotated[Path, typer.Argument(dir_okay=False, help="Another of the same region and cells.")],
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
    from rich.console import Console
    from rich.markup import escape

    from skylift.cli.plan_words import verdict
    from skylift.study.readable import counted

    one, two = (report.summary for report in pair)
    console = Console()
    console.print(_table(one, two, names))
    moved = _differences(pair)
    better, worse = (counted(moved[key], "cell") for key in ("cells_better", "cells_worse"))
    console.print(f"More for {better}, less for {worse} (by over a hundredth).", highlight=False)
    console.print(_gain(one["served_bps"], two["served_bps"]), style="bold", highlight=False)
    for name, summary in zip(names, (one, two), strict=True):
        console.print(f"{escape(name)}: {verdict(summary)}", highlight=False)
    if one["at"] != two["at"] or len(one["hours"]) != len(two["hours"]):
        console.print("note: the two are not of the same slots", highlight=False)


def _table(one: dict[str, Any], two: dict[str, Any], names: tuple[str, str]) -> Any:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    from skylift.cli.plan_words import figures

    table = Table(box=SIMPLE, title=escape(one["region"]), title_justify="left")
    table.add_column("", no_wrap=True)
    for name in (*names, "difference"):
        table.add_column(escape(name), justify="right")
    # Of one demand it says how much; of two they stand in one row.
    each = one["demand_mbps_per_km2"] == two["demand_mbps_per_km2"]
    before, after = ({f.name: f for f in figures(summary, each)} for summary in (one, two))
    for name in before | after:
        pair = before.get(name), after.get(name)
        table.add_row(name, *("-" if figure is None else figure.text for figure in pair), _change(*pair))
    return table


def _change(before: Figure | None, after: Figure | None) -> str:
    """The difference of two figures as it is, not of what is printed of them."""
    if before is None or after is None:
        return ""
    change = after.value - before.value
    said = before.say(abs(change))
    sign = "" if said == before.say(0.0) else "+" if change > 0.0 else "-"
    return f"{sign}{said}".replace("%", " points")


def _gain(before_bps: float, after_bps: float) -> str:
    from skylift.cli.plan_words import percent
    from skylift.study.readable import gbps

    gain = after_bps - before_bps
    if not gain:
        return "Served: as much as before."
    if not before_bps:
        share = ", where nothing was"
    elif after_bps > _MANY_TIMES * before_bps:
        share = f", {after_bps / before_bps:,.0f} times as much"
    else:
        share = f" ({percent(abs(gain), before_bps)})"
    return f"Served: {gbps(abs(gain))} Gbit/s {'more' if gain > 0 else 'less'}{share}."
