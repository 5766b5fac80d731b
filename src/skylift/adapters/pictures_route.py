"""Draws the delay of a route over time, with its changes and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from skylift.adapters.atomic import save_atomically

if TYPE_CHECKING:
    from skylift.study.route import RouteStep


def draw_route(path: Path, rows: Sequence[RouteStep], total: bool) -> None:
    """Delay in milliseconds over time; a break in the line is a time without a route, a dot a new path."""
    from matplotlib.dates import ConciseDateFormatter
    from matplotlib.figure import Figure

    times = [datetime.fromtimestamp(row.at_us / 1e6, UTC) for row in rows]
    delays = [float("nan") if row.delay_us is None else row.delay_us / 1e3 for row in rows]
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(times, delays, color="#1f5fa8", linewidth=1.4, marker="." if len(rows) < 3 else "")  # type: ignore[arg-type]
    new = [(t, d) for t, d, row in zip(times, delays, rows, strict=True) if row.changed]
    axes.plot(
        [t for t, _ in new],  # type: ignore[arg-type]
        [d for _, d in new],
        linestyle="",
        marker="o",
        markersize=4,
        color="#c2410c",
        label=f"new path ({len(new)})",
    )
    gaps = sum(row.delay_us is None for row in rows)
    kind = "light, access and processing" if total else "light time"
    title = f"One-way delay, {kind}"
    axes.set_title(title + (f"; {gaps} of {len(rows)} steps without a route" if gaps else ""), loc="left")
    axes.set_ylabel("milliseconds")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    if len(times) > 1:
        # Else a time without a route at either end, or all along, would not be on the picture.
        axes.set_xlim(times[0], times[-1])  # type: ignore[arg-type]
    if gaps == len(rows):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no route", transform=axes.transAxes, ha="center", fontsize=14, color="#555555")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if new:
        axes.legend(frameon=False)
    save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))
