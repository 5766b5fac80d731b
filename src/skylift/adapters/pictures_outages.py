"""Pictures of outages: series beside what was ordinary, a time line of all, a map where areas are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from skylift.adapters.outlines import packaged_countries
from skylift.base.places import Outline
from skylift.base.units import US_PER_S
from skylift.study.outages import Detection, Traces
from skylift.watch.detector import Outage
from skylift.watch.hysteresis import Patience
from skylift.watch.samples import Floats

# Dark to light as it gets milder, and told apart by colour-blind readers (after Okabe and Ito).
COLOURS = {"critical": "#A50F15", "major": "#E6550D", "warning": "#FDBE6F"}
WORDS = {
    "critical": "critical: below 20 % of ordinary",
    "major": "major: below 50 %",
    "warning": "warning: below 80 %",
}
MEASURED, ORDINARY, UNKNOWN, ORDINARY_LAND = "#14202E", "#0072B2", "#ECECEC", "#DDEBDD"
LEARNT = "#EFF0F1"
SEA, LAND, BORDER = "#E8F0F5", "#FAF8F2", "#B8B2A5"
MOST_PANELS = 8
MOST_ROWS = 60


def draw_series(found: Detection, traces: Traces, title: str, unit: str, path: Path) -> None:
    """One panel for each series: measured, ordinary with its band, and what was called an outage."""
    shown = traces.series
    height = 1.5 + 1.75 * len(shown)
    figure, panels = plt.subplots(
        len(shown), 1, figsize=(11, height), sharex=True, squeeze=False, layout="constrained"
    )
    times = _times([found.grid.at_us(row) for row in range(found.grid.bins + 1)])
    for column, series in enumerate(shown):
        _panel(panels[column, 0], found, traces, column, times)
        panels[column, 0].set_title(found.entities[series], loc="left", fontsize=10, parse_math=False)
    panels[-1, 0].set_xlim(times[0], times[-1])
    _time_axis(panels[-1, 0])
    figure.supylabel(unit, fontsize=10, parse_math=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, parse_math=False)
    handles: list[Any] = [
        Line2D([], [], color=MEASURED, lw=1.4, label="measured"),
        Line2D([], [], color=ORDINARY, lw=1.2, ls="--", label="ordinary"),
        Patch(color=ORDINARY, alpha=0.2, label="about 90 % sure to hold the ordinary"),
        Line2D([], [], color=ORDINARY, lw=0.9, ls=":", label="80 % of it: below is low"),
        *(Patch(color=COLOURS[band], alpha=0.45, label=WORDS[band]) for band in COLOURS),
    ]
    if traces.learnt_us is not None:
        handles.append(Patch(color=LEARNT, label="ordinary is the median of this time"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    _save(figure, path)


def _panel(axes: Any, found: Detection, traces: Traces, column: int, times: Any) -> None:
    series, kept = traces.series[column], traces.recorder
    level, low, high = (_held(values[:, column]) for values in (kept.level, kept.low, kept.high))
    axes.fill_between(times, low, high, step="post", color=ORDINARY, alpha=0.2, lw=0)
    axes.plot(times, level, color=ORDINARY, lw=1.2, ls="--", drawstyle="steps-post")
    if traces.learnt_us is not None:
        axes.axvspan(*_times(traces.learnt_us), color=LEARNT, lw=0, zorder=0)
    below = Patience().open_below
    axes.plot(times, level * below, color=ORDINARY, lw=0.9, ls=":", drawstyle="steps-post")
    for outage in found.outages:
        if outage.series == series:
            start, end = times[outage.opened_row], times[_until(found, outage)]
            axes.axvspan(start, end, color=COLOURS[outage.band], alpha=0.35, lw=0)
    measured = _held(found.grid.values[:, series])
    axes.plot(times, measured, color=MEASURED, lw=1.4, drawstyle="steps-post")
    top = np.nanmax(np.concatenate((measured, high, [0.0])))
    axes.set_ylim(0, top * 1.08 or 1.0)
    axes.grid(alpha=0.25)
    _without_frame(axes)


def draw_time_line(found: Detection, title: str, path: Path) -> int:
    """A bar for each outage, a row for each entity, the first to fall on top; returns how many rows.

    Where there are more than can be read, those that fell deepest are shown.
    """
    first: dict[int, int] = {}
    deepest: dict[int, float] = {}
    for outage in found.outages:
        first.setdefault(outage.series, outage.opened_row)
        deepest[outage.series] = min(outage.min_fraction, deepest.get(outage.series, np.inf))
    kept = sorted(deepest, key=lambda series: (deepest[series], first[series], series))[:MOST_ROWS]
    rows = {s: r for r, s in enumerate(sorted(kept, key=lambda s: (first[s], deepest[s], found.entities[s])))}
    figure, axes = plt.subplots(figsize=(11, 1.7 + 0.2 * max(len(rows), 3)), layout="constrained")
    times = _times([found.grid.at_us(row) for row in range(found.grid.bins + 1)])
    for outage in found.outages:
        if outage.series in rows:
            _bar(axes, found, outage, rows[outage.series], times)
    axes.set_yticks(range(len(rows)), [found.entities[s] for s in rows], fontsize=8, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    # What came before the first of them says nothing here.
    begins = times[min(first[series] for series in rows)]
    axes.set_xlim(max(times[0], begins - 0.03 * (times[-1] - begins)), times[-1])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25)
    _without_frame(axes)
    _time_axis(axes)
    left_out = len(deepest) - len(rows)
    more = f"; the {len(rows)} deepest of {len(deepest)}" if left_out else ""
    axes.set_title(f"{title}{more}", loc="left", fontsize=12, parse_math=False)
    handles: list[Any] = [Patch(color=COLOURS[band], label=WORDS[band]) for band in COLOURS]
    handles.append(Line2D([], [], color=MEASURED, marker=">", ls="", ms=5, label="still down at the end"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    _save(figure, path)
    return len(rows)


def _bar(axes: Any, found: Detection, outage: Outage, row: int, times: Any) -> None:
    start, end = times[outage.opened_row], times[_until(found, outage)]
    axes.barh(row, end - start, left=start, height=0.72, color=COLOURS[outage.band], lw=0)
    if outage.closed_row is None:
        axes.plot(end, row, marker=">", color=MEASURED, ms=5, clip_on=False)


def draw_map(found: Detection, areas: Mapping[str, Outline], title: str, path: Path) -> None:
    """Each entity's area by the lowest level that it fell to; hatched where there was not enough data."""
    deepest: dict[str, Outage] = {}
    for outage in found.outages:
        name = found.entities[outage.series]
        if name not in deepest or outage.min_fraction < deepest[name].min_fraction:
            deepest[name] = outage
    unjudged = {name for name, _ in found.insufficient}
    box = _box(areas.values())
    squeeze = max(0.2, float(np.cos(np.radians((box[1] + box[3]) / 2))))
    ratio = (box[3] - box[1]) / ((box[2] - box[0]) * squeeze)
    figure, axes = plt.subplots(
        figsize=(10, float(np.clip(9.0 * ratio + 1.3, 4.0, 12.0))), layout="constrained"
    )
    axes.set_facecolor(SEA)
    _land(axes, box)
    for name, outline in areas.items():
        band = deepest[name].band if name in deepest else ""
        colour = COLOURS.get(band, UNKNOWN if name in unjudged else ORDINARY_LAND)
        axes.add_collection(
            PolyCollection(
                [polygon.rings[0].T for polygon in outline.polygons], facecolors=colour, edgecolors=BORDER,
                linewidths=0.6, hatch="////" if name in unjudged else None, zorder=2,
            )
        )  # fmt: skip
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_aspect(1 / squeeze)
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")
    axes.set_title(title, loc="left", fontsize=12, parse_math=False)
    handles = [Patch(color=COLOURS[band], label=WORDS[band]) for band in COLOURS]
    handles.append(Patch(color=ORDINARY_LAND, label="no outage found"))
    if unjudged & areas.keys():
        handles.append(Patch(facecolor=UNKNOWN, edgecolor=BORDER, hatch="////", label="not enough data"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    _save(figure, path)


def _box(outlines: Iterable[Outline]) -> tuple[float, float, float, float]:
    bounds = np.array([polygon.bounds_deg for outline in outlines for polygon in outline.polygons])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    margin = 0.05 * max(east - west, north - south, 0.5)
    return float(west - margin), float(south - margin), float(east + margin), float(north + margin)


def _land(axes: Any, box: tuple[float, float, float, float]) -> None:
    countries = packaged_countries()
    rings = []
    for code in countries.names:
        for polygon in countries.outline(code).polygons:
            west, south, east, north = polygon.bounds_deg
            if west <= box[2] and east >= box[0] and south <= box[3] and north >= box[1]:
                rings.append(polygon.rings[0].T)
    axes.add_collection(PolyCollection(rings, facecolors=LAND, edgecolors=BORDER, linewidths=0.7, zorder=1))


def _until(found: Detection, outage: Outage) -> int:
    return found.grid.bins if outage.closed_row is None else outage.closed_row


def _held(values: Floats) -> Floats:
    """With the last bin once more at its end: a bin is a stretch of time, no point."""
    return np.append(values, values[-1:])


def _times(at_us: Sequence[int]) -> Any:
    return mdates.date2num([datetime.fromtimestamp(at / US_PER_S, UTC) for at in at_us])


def _time_axis(axes: Any) -> None:
    locator = mdates.AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlabel("UTC")


def _without_frame(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=130, bbox_inches="tight", pad_inches=0.1)
    plt.close(figure)
