"""Pictures of what dishes reported: latency, losses and rates over time, of one dish or of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from skylift.adapters.atomic import save_atomically
from skylift.adapters.figures import png_bytes

DPI = 110
LEAST_MARGIN = np.timedelta64(1, "m")
INK, GRID = "#1b2733", "#c9d3dc"
# Okabe and Ito's colours: told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# More dishes than this cannot be told apart by colour.
MOST_SERIES = len(COLOURS)

# About one for each pixel of width.
MOST_POINTS = 1000
_DRAWN = ("ping_latency_ms", "ping_latency_min_ms", "ping_latency_max_ms", "ping_drop_fraction",
          "obstructed_fraction", "down_bps", "up_bps")  # fmt: skip
_EXTREMES: Mapping[str, np.ufunc] = {"ping_latency_min_ms": np.fmin, "ping_latency_max_ms": np.fmax}

Columns = Mapping[str, Sequence[Any]]
Floats = npt.NDArray[np.float64]


def draw_history(path: Path, title: str, series: Mapping[str, Columns]) -> None:
    """series: a dish's name -> its columns, as the history of the API gives them; at most MOST_SERIES.

    Latency, and below it losses and rates as far as anything of them is known.
    """
    figure = _figure(title, series)
    save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=DPI))


def png_of(title: str, series: Mapping[str, Columns]) -> bytes:
    """The same, as a PNG's bytes; one at a time (`png_bytes`)."""
    return png_bytes(_figure(title, series), DPI)


def _figure(title: str, series: Mapping[str, Columns]) -> Figure:
    drawn = {name: thinned(columns) for name, columns in series.items()}
    panels = [panel for panel in _PANELS if panel is _PANELS[0] or _is_known(panel, drawn.values())]
    figure = Figure(figsize=(10.0, 1.0 + 2.0 * len(panels)))
    FigureCanvasAgg(figure)
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    margin = 0.5 / figure.get_figheight()
    figure.subplots_adjust(left=0.075, right=0.985, top=1 - margin, bottom=margin, hspace=0.2)
    alone = len(series) == 1
    for axes, panel in zip(every, panels, strict=True):
        for colour, (name, columns) in zip(COLOURS, drawn.items(), strict=False):
            _draw_panel(axes, panel, columns, colour, "" if alone else name)
        axes.set_ylabel(panel.label if alone else panel.of_many or panel.label)
        axes.set_ylim(bottom=0.0)
        axes.grid(color=GRID, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        # Above the lines, where it hides none; of several dishes once.
        if axes.get_legend_handles_labels()[0] and (alone or axes is every[0]):
            axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.97), ncols=3, fontsize=8)
    locator = AutoDateLocator()
    every[-1].xaxis.set_major_locator(locator)
    every[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    every[-1].set_xlabel("UTC")
    _fit_in_time(every[-1], drawn.values())
    every[0].set_title(title, loc="left", color=INK)
    return figure


def _fit_in_time(axes: Axes, series: Iterable[Columns]) -> None:
    """Of a dish's first hour the library would draw four years."""
    known = [at for at in map(times, series) if len(at)]
    if known:
        first, last = min(at.min() for at in known), max(at.max() for at in known)
        margin = max((last - first) // 25, LEAST_MARGIN)
        axes.set_xlim(first - margin, last + margin)


class _Panel(NamedTuple):
    """lines: column, and what it is called where one dish is drawn; of several the first line alone, under
    the label `of_many`.
    """

    label: str
    lines: tuple[tuple[str, str], ...]
    of_many: str = ""
    scale: float = 1.0
    band: bool = False


_PANELS = (
    _Panel("latency, ms", (("ping_latency_ms", "mean"),), band=True),
    _Panel(
        "of pings and time, %",
        (("ping_drop_fraction", "lost"), ("obstructed_fraction", "obstructed")),
        "pings lost, %",
        100,
    ),
    _Panel("Mbit/s, mean", (("down_bps", "down"), ("up_bps", "up")), "Mbit/s down, mean", 1e-6),
)


def _is_known(panel: _Panel, series: Iterable[Columns]) -> bool:
    return any(not np.all(np.isnan(floats(columns, name))) for columns in series for name, _ in panel.lines)


def _draw_panel(axes: Axes, panel: _Panel, columns: Columns, colour: str, name: str) -> None:
    """name: of the dish, where several are drawn."""
    at = times(columns)
    if panel.band and not name and "ping_latency_max_ms" in columns:
        holed, low = with_gaps(at, floats(columns, "ping_latency_min_ms"))
        _, high = with_gaps(at, floats(columns, "ping_latency_max_ms"))
        axes.fill_between(holed, low, high, color=colour, alpha=0.2, linewidth=0, label="least to most")
    lines = panel.lines[:1] if name else panel.lines
    for (column, label), of_line in zip(lines, (colour, COLOURS[1]), strict=False):
        values = panel.scale * floats(columns, column)
        if not np.all(np.isnan(values)):
            holed, known = with_gaps(at, values)
            axes.plot(holed, known, color=of_line, linewidth=0.9, label=name or label)
            lone = without_neighbours(known)
            if lone.any():
                # A line of one point is not seen.
                axes.plot(holed[lone], known[lone], ".", color=of_line, markersize=3)


def times(columns: Columns) -> npt.NDArray[np.datetime64]:
    """(N,) UTC."""
    return np.asarray(columns.get("at_us", ()), dtype=np.int64).astype("datetime64[us]")


def floats(columns: Columns, name: str) -> Floats:
    """(N,) with nan where a value was not known, or the column is not there."""
    values = columns.get(name)
    if values is None:
        return np.full(len(columns.get("at_us", ())), np.nan)
    # None becomes nan.
    return np.array(values, dtype=np.float64)


def thinned(columns: Columns) -> Columns:
    """At most MOST_POINTS rows, each the mean of some; of least and most the least and most.

    A picture is no wider: more points would only be drawn over one another.
    """
    count = len(columns.get("at_us", ()))
    together = -(-count // MOST_POINTS)
    if together <= 1:
        return columns
    starts = np.arange(0, count, together)
    # What lies at one another's place in time stays together; a group begins where its first row does.
    found: dict[str, Any] = {"at_us": np.asarray(columns["at_us"], dtype=np.int64)[starts]}
    for name in _DRAWN:
        values = floats(columns, name)
        known = ~np.isnan(values)
        counts = np.add.reduceat(known.astype(np.int64), starts)
        if name in _EXTREMES:
            # fmin and fmax pass over what was not known.
            found[name] = _EXTREMES[name].reduceat(values, starts)
            continue
        sums = np.add.reduceat(np.where(known, values, 0.0), starts)
        found[name] = np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)
    if "ping_latency_max_ms" not in columns:
        latency = floats(columns, "ping_latency_ms")
        for name, extreme in _EXTREMES.items():
            found[name] = extreme.reduceat(latency, starts)
    return found


def with_gaps(at: npt.NDArray[np.datetime64], values: Floats) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """The same with a hole wherever nothing was reported: no line is drawn over what nobody measured."""
    if len(at) < 3:
        return at, values
    steps = np.diff(at.astype(np.int64))
    # One bucket that is not there is a hole already.
    holes = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    return np.insert(at, holes, at[holes - 1] + 1), np.insert(values, holes, np.nan)


def without_neighbours(values: Floats) -> npt.NDArray[np.bool_]:
    """(N,) which are known while those before and after are not."""
    padded = np.pad(~np.isnan(values), 1)
    known: npt.NDArray[np.bool_] = padded[1:-1] & ~padded[:-2] & ~padded[2:]
    return known
