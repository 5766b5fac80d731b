"""Pictures of what dishes reported: latency, losses and rates over time, of one dish or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from skylift.adapters.atomic import save_atomically

INK, GRID = "#1b2733", "#c9d3dc"
# Okabe and Ito's colours: told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# More dishes than this cannot be told apart by colour.
MOST_SERIES = len(COLOURS)

Columns = Mapping[str, Sequence[Any]]
Floats = npt.NDArray[np.float64]


def draw_history(path: Path, title: str, series: Mapping[str, Columns]) -> None:
    """series: a dish's name -> its columns, as the history of the API gives them; at most MOST_SERIES."""
    figure = Figure(figsize=(10.0, 7.0), layout="constrained")
    FigureCanvasAgg(figure)
    latency, loss, rate = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": (3, 2, 2)})
    alone = len(series) == 1
    for colour, (name, columns) in zip(COLOURS, series.items(), strict=False):
        at = times(columns)
        _latency(latency, at, columns, colour, name, alone)
        _line(loss, at, 100.0 * floats(columns, "ping_drop_fraction"), colour, "lost" if alone else name)
        if alone:
            _line(loss, at, 100.0 * floats(columns, "obstructed_fraction"), COLOURS[1], "obstructed")
        _line(rate, at, floats(columns, "down_bps") / 1e6, colour, "down" if alone else name)
        if alone:
            _line(rate, at, floats(columns, "up_bps") / 1e6, COLOURS[2], "up")
    for axes, label in ((latency, "latency, ms"), (loss, "of pings and time, %"), (rate, "Mbit/s, mean")):
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0.0)
        axes.grid(color=GRID, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, loc="upper right", ncols=3, fontsize=8)
    locator = AutoDateLocator()
    rate.xaxis.set_major_locator(locator)
    rate.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    rate.set_xlabel("UTC")
    latency.set_title(title, loc="left", color=INK)
    save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110))


def times(columns: Columns) -> npt.NDArray[np.datetime64]:
    """(N,) UTC."""
    return np.asarray(columns.get("at_us", ()), dtype=np.int64).astype("datetime64[us]")


def floats(columns: Columns, name: str) -> Floats:
    """(N,) with nan where a value was not known, or the column is not there."""
    values = columns.get(name)
    if values is None:
        return np.full(len(columns.get("at_us", ())), np.nan)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _latency(
    axes: Axes, at: npt.NDArray[np.datetime64], columns: Columns, colour: str, name: str, alone: bool
) -> None:
    if alone and "ping_latency_max_ms" in columns:
        low, high = floats(columns, "ping_latency_min_ms"), floats(columns, "ping_latency_max_ms")
        axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0, label="least to most")
    _line(axes, at, floats(columns, "ping_latency_ms"), colour, "mean" if alone else name)


def _line(axes: Axes, at: npt.NDArray[np.datetime64], values: Floats, colour: str, label: str) -> None:
    if np.all(np.isnan(values)):
        return
    axes.plot(*_with_gaps(at, values), color=colour, linewidth=0.9, label=label)


def _with_gaps(at: npt.NDArray[np.datetime64], values: Floats) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """The same with a hole wherever nothing was reported: no line is drawn over what nobody measured."""
    if len(at) < 3:
        return at, values
    steps = np.diff(at.astype(np.int64))
    holes = np.flatnonzero(steps > 3 * np.median(steps)) + 1
    return np.insert(at, holes, at[holes - 1] + 1), np.insert(values, holes, np.nan)
