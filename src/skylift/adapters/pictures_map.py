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
from skylift.adapters.pictures_simulation import Heading
from skylift.study.tally import SlotColumns, available_while_active
from skylift.twin.world import World

MOST_NAMED = 30
# Names of gateways that carried nobody are left out where they would cover the others.
MOST_NAMED_IDLE = 12
SEA, LAND, BORDER, NEVER_SERVED = "#E8F0F5", "#FAF8F2", "#B8B2A5", "#9A9A9A"
GATEWAY, IDLE_GATEWAY, LINK = "#D55E00", "#999999", "#0072B2"

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


def draw_map(world: World, columns: SlotColumns, heading: Heading, folder: Path) -> list[str]:
    """map.png, or nothing where there are no slots. Exact places are in it: it stays with the run's owner."""
    if len(columns.at_us) == 0:
        return []
    terminals = np.array([[t.place.longitude_deg, t.place.latitude_deg] for t in world.terminals])
    gateways = np.array([[g.place.longitude_deg, g.place.latitude_deg] for g in world.ground.gateways])
    share = _share(columns, len(world.ground.gateways))
    used = share.sum(axis=0) > 0
    centre_deg = _centre(np.append(terminals[:, 0], gateways[used, 0]))
    for places in (terminals, gateways):
        places[:, 0] = centre_deg + _wrapped(places[:, 0] - centre_deg)
    box = _box(np.vstack([terminals, gateways[used]]), centre_deg)
    figure, axes = plt.subplots(figsize=_size(box), layout="constrained")
    axes.set_facecolor(SEA)
    _land(axes, box)
    _lines(axes, terminals, gateways, share)
    _gateways(axes, world, gateways, used, box)
    dots = _terminals(axes, world, terminals, available_while_active(columns))
    figure.colorbar(dots, ax=axes, label="availability while service was on", shrink=0.7)
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    # Degrees of longitude are shorter towards the poles.
    axes.set_aspect(1 / max(0.2, np.cos(np.radians((box[1] + box[3]) / 2))))
    axes.xaxis.set_major_formatter(lambda degrees, _: f"{_wrapped(degrees):g}")
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")
    heading.over(axes, "terminals and the gateways that carried them")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(folder / "map.png", dpi=130)
    plt.close(figure)
    return ["map.png"]


def _wrapped(degrees: Any) -> Any:
    """The same angle in -180 to 180, 180 itself kept."""
    return 180.0 - (180.0 - degrees) % 360.0


def _centre(longitudes_deg: Floats) -> float:
    """The middle of the shortest stretch of longitude that holds all: a map may cross the antimeridian."""
    ring = np.unique(longitudes_deg)
    gaps = np.diff(np.append(ring, ring[0] + 360.0))
    widest = int(np.argmax(gaps))
    west = ring[(widest + 1) % len(ring)]
    return float(_wrapped(west + (360.0 - gaps[widest]) / 2))


def _share(columns: SlotColumns, gateways: int) -> npt.NDArray[np.float64]:
    """(M, G) share of all slots that a gateway carried a terminal."""
    slots, terminals = columns.gateway.shape
    rows = np.broadcast_to(np.arange(terminals), (slots, terminals))
    up = columns.gateway >= 0
    share = np.zeros((terminals, gateways))
    np.add.at(share, (rows[up], columns.gateway[up]), 1.0 / slots)
    return share


def _box(points: Floats, centre_deg: float) -> Box:
    """West, south, east, north; west may lie below -180 and east beyond 180."""
    west, south = points.min(axis=0)
    east, north = points.max(axis=0)
    margin = max(2.5, 0.08 * max(east - west, north - south))
    return (
        max(centre_deg - 180.0, west - margin),
        max(-90.0, south - margin),
        min(centre_deg + 180.0, east + margin),
        min(90.0, north + margin),
    )


def _size(box: Box) -> tuple[float, float]:
    ratio = (box[3] - box[1]) / ((box[2] - box[0]) * max(0.2, np.cos(np.radians((box[1] + box[3]) / 2))))
    return 11.0, float(np.clip(9.5 * ratio + 1.0, 4.0, 12.0))


def _land(axes: Any, box: Box) -> None:
    rings = []
    countries = packaged_countries()
    for code in countries.names:
        for polygon in countries.outline(code).polygons:
            west, south, east, north = polygon.bounds_deg
            # Outlines stand between -180 and 180; a map that goes beyond needs them once more there.
            rings += [
                polygon.rings[0].T + np.array([turn, 0.0])
                for turn in (-360.0, 0.0, 360.0)
                if west + turn <= box[2] and east + turn >= box[0] and south <= box[3] and north >= box[1]
            ]
    axes.add_collection(PolyCollection(rings, facecolors=LAND, edgecolors=BORDER, linewidths=0.7, zorder=1))


def _lines(axes: Any, terminals: Floats, gateways: Floats, share: Floats) -> None:
    pairs = np.argwhere(share > 0.0)
    if len(pairs) == 0:
        return
    strength = share[pairs[:, 0], pairs[:, 1]]
    few = len(terminals) <= MOST_NAMED
    # The short way round; what leaves the map on one side comes back on the other.
    here, there = terminals[pairs[:, 0]], gateways[pairs[:, 1]]
    east = np.column_stack([_wrapped(there[:, 0] - here[:, 0]), there[:, 1] - here[:, 1]])
    torn = ~np.isclose(here[:, 0] + east[:, 0], there[:, 0])
    starts = np.vstack([here, (there - east)[torn]])
    steps = np.vstack([east, east[torn]])
    widths = np.append(strength, strength[torn])
    axes.add_collection(
        LineCollection(
            list(np.stack([starts, starts + steps], axis=1)),
            linewidths=0.4 + 3.0 * widths if few else 0.2,
            colors=LINK,
            alpha=0.45 if few else float(np.clip(60.0 / len(starts), 0.02, 0.12)),
            zorder=3,
        )
    )


def _gateways(axes: Any, world: World, places: Floats, used: npt.NDArray[np.bool_], box: Box) -> None:
    inside = (box[0] <= places[:, 0]) & (places[:, 0] <= box[2])
    inside &= (box[1] <= places[:, 1]) & (places[:, 1] <= box[3])
    busy, idle = np.flatnonzero(inside & used), np.flatnonzero(inside & ~used)
    for shown, colour, size, label in (
        (idle, IDLE_GATEWAY, 36, "gateway, not used"),
        (busy, GATEWAY, 81, "gateway, used"),
    ):
        if len(shown):
            axes.scatter(
                *places[shown].T, marker="^", s=size, c=colour, edgecolors="white", zorder=4, label=label
            )
    named = list(busy) if len(busy) <= MOST_NAMED else []
    named += list(idle) if len(named) + len(idle) <= MOST_NAMED_IDLE else []
    for i in named:
        _label(axes, world.ground.gateways[i].name, places[i, 0], places[i, 1], below=True)


def _terminals(axes: Any, world: World, places: Floats, available: Floats) -> Any:
    served = np.isfinite(available)
    few = len(places) <= MOST_NAMED
    looks: dict[str, Any] = {
        "s": 70.0 if few else float(np.clip(6_000 / len(places), 2.0, 14.0)),
        "edgecolors": "white",
        "linewidths": 0.8 if few else 0.3 if len(places) <= 500 else 0.0,
        "zorder": 5,
    }
    if not served.all():
        axes.scatter(*places[~served].T, c=NEVER_SERVED, label="terminal that never had service", **looks)
    dots = axes.scatter(*places[served].T, c=available[served], cmap="cividis", vmin=0, vmax=1, **looks)
    if few:
        for terminal, place in zip(world.terminals, places, strict=True):
            _label(axes, str(terminal.id), *place)
    return dots


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
        parse_math=False,
        path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
    )
