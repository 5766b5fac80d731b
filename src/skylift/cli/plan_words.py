"""How a capacity study is told to people: tables, and a sentence on what limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from skylift.study.readable import counted, gbps, three_digits

LIFTED = {
    "beams": "twice the beams of every satellite",
    "antennas": "twice the antennas at every gateway",
    "ka": "twice the Ka of every antenna",
    "gso": "no distance kept to the geostationary arc",
    "nco": "beams of one channel side by side",
}
# A gain below this share of what is served is within what the greedy schedule errs by.
LEAST_GAIN_FRACTION = 0.01
ALL_SERVED_FRACTION = 0.999
# Of a day every second hour.
MOST_NAMED_SLOTS = 12


class Figure(NamedTuple):
    """One of a study: its name, its value, and how such values are told."""

    name: str
    value: float
    say: Callable[[float], str]

    @property
    def text(self) -> str:
        return self.say(self.value)


def percent(part: float, whole: float) -> str:
    return _percent(_part(part, whole))


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


_percent = "{:.1%}".format


def verdict(summary: dict[str, Any]) -> str:
    """One sentence: whether the demand is served, and if not, what would help most."""
    allowed = summary["demand_bps"] - summary["barred_bps"]
    served = summary["served_bps"]
    if allowed <= 0:
        return "Nothing is wanted where service is allowed."
    if served >= ALL_SERVED_FRACTION * allowed:
        more = (
            "more in --demand" if summary["demand_mbps_per_km2"] is None else "a higher --demand-mbps-per-km2"
        )
        return (
            "All that is wanted is served. What the region could bear beyond that: the terminals above, "
            f"or {more}."
        )
    if served <= 0:
        return _nothing(summary)
    if not summary["limited_by"]:
        return "What limits it was not asked (--limits-every 0)."
    name, gain = max(summary["limited_by"].items(), key=lambda item: item[1])
    then = _served_when_asked(summary)
    if gain < LEAST_GAIN_FRACTION * max(served, then):
        return (
            "No resource alone would help: what limits is where satellites fly, what gateways and cells "
            "see at once, and the spectrum."
        )
    more = f" (+{gain / then:.0%})" if then else ""
    return f"What limits most: {LIFTED[name]} would serve {gbps(gain)} Gbit/s more{more}."


def _served_when_asked(summary: dict[str, Any]) -> float:
    """What the slots that were asked what limits them serve, mean: gains are over these."""
    served = [summary["hours"][hour]["served_bps"] for hour in summary["limited_by_hours"]]
    return float(sum(served) / len(served)) if served else 0.0


def _nothing(summary: dict[str, Any]) -> str:
    """Why nothing at all is served: what the caller took away first, then what the sky lacks."""
    rules = summary["rules"]
    if not any(rules["beams_per_polarisation"]):
        why = "satellites have no beams"
    elif not rules["ka_fraction"]:
        why = "gateways carry nothing over Ka"
    elif not summary["gateways"]["known"]:
        why = "there is no gateway"
    elif not summary["gateways"].get("antennas", 1):
        why = "gateways have no antennas"
    elif not any(row["satellites_in_reach"] for row in summary["hours"]):
        why = "no satellite is in reach of the region and of a gateway at once"
    else:
        why = "no link closes to any satellite that a gateway sees"
    return f"Nothing is served: {why}."


def print_summary(summary: dict[str, Any]) -> None:
    """Tables of one study, the sentence, and what a reader must know."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    console.print(
        f"{escape(summary['region'])}: {counted(summary['cells'], 'cell')}, {summary['area_km2']:,.0f} km2; "
        f"{counted(summary['satellites'], 'satellite')}, {escape(summary['system'])}; "
        f"{_slots(len(summary['hours']))} {summary['at']}"
    )
    console.print(_figures(summary))
    console.print(_hours(summary))
    if summary["limited_by"]:
        console.print(_limits(summary))
    console.print(_gateways(summary))
    console.print(verdict(summary), style="bold", highlight=False)
    for note in summary["notes"]:
        console.print(f"note: {escape(note)}", highlight=False)


def _slots(n: int) -> str:
    return "the slot of" if n == 1 else f"{n} slots, one in each hour from"


def figures(summary: dict[str, Any], each: bool = True) -> list[Figure]:
    """What stands at the top; also what a comparison sets side by side.

    each  with what everybody wants of each km2, where it is the same everywhere
    """
    allowed = summary["demand_bps"] - summary["barred_bps"]
    even = summary["demand_mbps_per_km2"] if each else None
    of_each = "" if even is None else f" ({even:g} Mbit/s per km2)"
    rows = [
        Figure(f"wanted{of_each}, Gbit/s", summary["demand_bps"], gbps),
        Figure("served, mean, Gbit/s", summary["served_bps"], gbps),
        Figure("served, least hour, Gbit/s", summary["least_served_bps"], gbps),
        Figure("served of what is allowed", _part(summary["served_bps"], allowed), _percent),
        Figure("Mbit/s per km2, mean", summary["mbps_per_km2"], three_digits),
    ]
    if summary["barred_bps"]:
        rows.insert(1, Figure("of that barred or outside, Gbit/s", summary["barred_bps"], gbps))
    if len(summary["classes"]) > 1:
        for name, row in summary["classes"].items():
            part = _part(row["served_bps"], row["demand_bps"])
            rows.append(Figure(f"served of {name.replace('_', ' ')}", part, _percent))
    return rows + [
        Figure(f"terminals at {mbps} Mbit/s each", n, "{:,.0f}".format)
        for mbps, n in summary["terminals_at"].items()
    ]


def _figures(summary: dict[str, Any]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", justify="right")
    for figure in figures(summary):
        table.add_row(figure.name, figure.text)
    return table


def _hours(summary: dict[str, Any]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    table.add_column("slot", no_wrap=True)
    for name in ("Gbit/s", "cells without", "in reach", "tracked", "beams used", "Ka used"):
        # No word is cut short at 80 columns.
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    for row in summary["hours"]:
        used = [
            "-" if row[key] is None else f"{row[key]:.0%}"
            for key in ("beams_used_fraction", "ka_used_fraction")
        ]
        table.add_row(
            row["at"].replace("T", " ").removesuffix("Z"),
            gbps(row["served_bps"]),
            f"{row['cells_without_service']:,}",
            str(row["satellites_in_reach"]),
            str(row["satellites_tracked"]),
            *used,
        )
    return table


def _limits(summary: dict[str, Any]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table

    asked, then = summary["limited_by_hours"], _served_when_asked(summary)
    table = Table(box=SIMPLE, caption=_slots_asked(summary), caption_justify="left")
    table.add_column(f"with ({len(asked)} of {counted(len(summary['hours']), 'slot')})", no_wrap=True)
    table.add_column("Gbit/s more", justify="right")
    table.add_column("", justify="right")
    for name, gain in sorted(summary["limited_by"].items(), key=lambda item: -item[1]):
        table.add_row(LIFTED[name], gbps(gain), f"+{percent(gain, then)}")
    return table


def _slots_asked(summary: dict[str, Any]) -> str | None:
    """Which slots these gains are the mean of, where it is not all of them."""
    asked = summary["limited_by_hours"]
    if len(asked) == len(summary["hours"]):
        return None
    named = ", ".join(summary["hours"][hour]["at"][11:16] for hour in asked[:MOST_NAMED_SLOTS])
    more = f" and {len(asked) - MOST_NAMED_SLOTS} more" if len(asked) > MOST_NAMED_SLOTS else ""
    return f"means of the slots at {named}{more}; of more of them with --limits-every 1"


def _gateways(summary: dict[str, Any]) -> Any:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    known, serving = summary["gateways"]["known"], summary["gateways"]["serving"]
    table = Table(box=SIMPLE)
    table.add_column(f"gateway ({len(serving)} of {known} serve)", overflow="fold")
    for name in ("antennas", "satellites", "Gbit/s"):
        table.add_column(name, justify="right")
    for row in serving[:12]:
        table.add_row(
            escape(row["id"]), str(row["antennas"]), f"{row['satellites']:.1f}", gbps(row["served_bps"])
        )
    if len(serving) > 12:
        table.add_row(f"and {len(serving) - 12} more: --json", "", "", "")
    return table
