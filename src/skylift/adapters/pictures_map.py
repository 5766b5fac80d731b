"""A map of a simulation: terminals by availability, gateways, and which carried whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import patheffects
from matplotlib.collections import LineCollection, PolyCollection

from skylift.adapters.outlines import packaged_countries
from skylift.study.tally import SlotColumns, available_while_active
from skylift.twin.world import World

MOST_NAMED = 30
SEA, LAND, BORDER, NEVER_SERVED = "#E8F0F5", "#FAF8F2", "#B8B2A5", "#9A9A9A"


def draw_map(world: World, columns: SlotColumns, title: str, folder: Path) -> list[str]:
    """map.png, or nothing where there are no slots. Exact places are in it: it stays with the run's owner."""
    if len(columns.at_us) == 0:
        return []
    terminals = np.array([[t.place.longitude_deg, t.place.latitude_deg] for t in world.terminals])
    gateways = np.array([[g.place.longitude_deg, g.place.latitude_deg] for g in world.ground.gateways])
    share = _share(columns, len(world.ground.gateways))
    used = np.flatnonzero(share.sum(axis=0) > 0)
    box = _box(np.vstack([terminals, gateways[used]]))
    figure, axes = plt.subplots(figsize=_size(box), layout="constrained")
    axes.set_facecolor(SEA)
    _land(axes, box)
    _lines(axes, terminals, gateways, share)
    shown = [
        i for i, (lon, lat) in enumerate(gateways) if box[0] <= lon <= box[2] and box[1] <= lat <= box[3]
    ]
    _gateways(axes, world, gateways, shown, used)
    available = available_while_active(columns)
    served = np.isfinite(available)
    looks: dict[str, Any] = {
        "s": 70 if len(terminals) <= MOST_NAMED else 12,
        "edgecolors": "white",
        "linewidths": 0.8,
        "zorder": 5,
    }
    axes.scatter(*terminals[~served].T, c=NEVER_SERVED, label="never had service", **looks)
    dots = axes.scatter(*terminals[served].T, c=available[served], cmap="cividis", vmin=0, vmax=1, **looks)
    if not served.all():
        axes.legend(loc="lower left", frameon=True, fontsize=9)
    if len(terminals) <= MOST_NAMED:
        for terminal, (lon, lat) in zip(world.terminals, terminals, strict=True):
            _label(axes, str(terminal.id), lon, lat)
    figure.colorbar(dots, ax=axes, label="share of the time with a link, while service was on", shrink=0.7)
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    # Degrees of longitude are shorter towards the poles.
    axes.set_aspect(1 / max(0.2, np.cos(np.radians((box[1] + box[3]) / 2))))
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")
    axes.set_title(f"{title}: terminals and the gateways that carried them", loc="left", fontsize=11)
    figure.savefig(folder / "map.png", dpi=130)
    plt.close(figure)
    return ["map.png"]


def _share(columns: SlotColumns, gateways: int) -> npt.NDArray[np.float64]:
    """(M, G) share of all slots that a gateway carried a terminal."""
    slots, terminals = columns.gateway.shape
    rows = np.broadcast_to(np.arange(terminals), (slots, terminals))
    up = columns.gateway >= 0
    share = np.zeros((terminals, gateways))
    np.add.at(share, (rows[up], columns.gateway[up]), 1.0 / slots)
    return share


def _box(points: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    west, south = points.min(axis=0)
    east, north = points.max(axis=0)
    margin = max(2.5, 0.08 * max(east - west, north - south))
    return (
        max(-180.0, west - margin),
        max(-90.0, south - margin),
        min(180.0, east + margin),
        min(90.0, north + margin),
    )


def _size(box: tuple[float, float, float, float]) -> tuple[float, float]:
    ratio = (box[3] - box[1]) / ((box[2] - box[0]) * max(0.2, np.cos(np.radians((box[1] + box[3]) / 2))))
    return 11.0, float(np.clip(9.5 * ratio + 1.0, 4.0, 12.0))


def _land(axes: Any, box: tuple[float, float, float, float]) -> None:
    rings = []
    countries = packaged_countries()
    for code in countries.names:
        for polygon in countries.outline(code).polygons:
            west, south, east, north = polygon.bounds_deg
            if west <= box[2] and east >= box[0] and south <= box[3] and north >= box[1]:
                rings.append(polygon.rings[0].T)
    axes.add_collection(PolyCollection(rings, facecolors=LAND, edgecolors=BORDER, linewidths=0.7, zorder=1))


def _lines(axes: Any, terminals: Any, gateways: Any, share: npt.NDArray[np.float64]) -> None:
    pairs = np.argwhere(share > 0.0)
    if len(pairs) == 0:
        return
    strength = share[pairs[:, 0], pairs[:, 1]]
    axes.add_collection(
        LineCollection(
            [(terminals[m], gateways[g]) for m, g in pairs],
            linewidths=0.4 + 3.0 * strength if len(terminals) <= MOST_NAMED else 0.2,
            colors="#0072B2",
            alpha=0.45 if len(terminals) <= MOST_NAMED else 0.12,
            zorder=3,
        )
    )


def _gateways(axes: Any, world: World, places: Any, shown: list[int], used: npt.NDArray[np.intp]) -> None:
    for i in shown:
        lon, lat = places[i]
        busy = i in used
        axes.plot(
            lon,
            lat,
            marker="^",
            ms=9 if busy else 6,
            color="#D55E00" if busy else "#999999",
            mec="white",
            zorder=4,
        )
        if len(shown) <= MOST_NAMED:
            _label(axes, world.ground.gateways[i].name, lon, lat, below=True)


def _label(axes: Any, text: str, lon: float, lat: float, below: bool = False) -> None:
    axes.annotate(
        text,
        (lon, lat),
        xytext=(0, -9 if below else 8),
        textcoords="offset points",
        ha="center",
        va="top" if below else "bottom",
        fontsize=8.5,
        color="#7A3300" if below else "black",
        zorder=6,
        path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
    )
