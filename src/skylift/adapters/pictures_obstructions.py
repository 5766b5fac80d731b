"""A picture of what stands before a dish, as its obstruction map has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.figure import Figure

from skylift.adapters.atomic import save_atomically
from skylift.adapters.figures import png_bytes

# Unseen is paper; from blocked to clear by Okabe and Ito's colours, told apart by colour-blind readers.
UNSEEN, BLOCKED, CLEAR = "#f2f4f6", "#D55E00", "#0072B2"
DPI = 120
_STEPS = 10
_FRAMES = {"earth": "north is up", "ut": "up is where the dish has its own front"}


def draw_obstructions(path: Path, title: str, seen: Mapping[str, Any]) -> None:
    """seen: rows, columns, frame and values (row by row, -1 unseen, 0 blocked to 1 clear), as the API has it.

    The zenith is in the middle.
    """
    figure = _figure(title, seen)
    save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=DPI))


def png_of(title: str, seen: Mapping[str, Any]) -> bytes:
    """The same, as a PNG's bytes; one at a time (`png_bytes`)."""
    return png_bytes(_figure(title, seen), DPI)


def _figure(title: str, seen: Mapping[str, Any]) -> Figure:
    values = np.array(seen["values"], dtype=np.float64).reshape(seen["rows"], seen["columns"])
    known = np.ma.masked_less(values, 0.0)
    figure = Figure(figsize=(6.4, 5.6))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.05, 0.05, 0.78, 0.83))
    scale = LinearSegmentedColormap.from_list("seen", [BLOCKED, "#f0e442", CLEAR])
    colours = scale.with_extremes(bad=UNSEEN)
    edges = np.linspace(0.0, 1.0, _STEPS + 1)
    drawn = axes.imshow(known, cmap=colours, norm=BoundaryNorm(edges, colours.N), interpolation="nearest")
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.86, 0.05, 0.03, 0.83)), ticks=[0.0, 0.5, 1.0])
    bar.set_label("0 blocked, 1 clear; pale: not seen yet")
    axes.set_xticks([])
    axes.set_yticks([])
    blocked = float((known == 0.0).sum() / max(1, known.count()))
    says = f"{known.count():,} of {known.size:,} directions seen, {blocked:.1%} of them blocked"
    axes.set_title(
        f"{title}\n{says}; {_FRAMES.get(seen['frame'], 'up is not known')}", fontsize=10, loc="left"
    )
    return figure
