"""A picture of a siting study: gateways that are, that could be and that are chosen; and what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import patheffects
from matplotlib.collections import PolyCollection

from skylift.adapters.atomic import save_atomically
from skylift.adapters.outlines import packaged_countries
from skylift.adapters.plan_sources import PlanInputs
from skylift.base.places import cell_rings
from skylift.sky.routing.ground import Gateway
from skylift.study.readable import gbps
from skylift.study.siting import SitingResult

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

# The region is neither land elsewhere nor water: a pale green.
SEA, LAND, BORDER, REGION = "#E8F0F5", "#FAF8F2", "#B8B2A5", "#D6E6C3"
INK, EXISTING, CANDIDATE, CHOSEN, LOST = "#1b2733", "#666666", "#0072B2", "#D55E00", "#9aa5ae"
MOST_NAMED, MOST_LOST = 24, 9
# No gateway further from the region's edge shares a satellite with it: two radii of 940 km (550 km up, seen
# at 25 degrees).
NEAR_DEG = 17.0


def draw_siting(path: Path, inputs: PlanInputs, existing: int, result: SitingResult) -> None:
    """A map at the left; at the right before, after, and after with one gateway lost."""
    figure = plt.figure(figsize=(14.0, 7.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.5, 1.0), height_ratios=(1.0, 1.6))
    _map(figure.add_subplot(grid[:, 0]), inputs, existing, result)
    _bars(figure.add_subplot(grid[0, 1]), result)
    _losses(figure.add_subplot(grid[1, 1]), result)
    names = " and ".join(one.gateway.name for one in result.chosen)
    title = f"{inputs.case.region.name}: best {len(result.chosen)} by {result.by}, {names} ({result.method})"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, color=INK, parse_math=False)
    save_atomically(path, lambda file: figure.savefig(file, dpi=110))
    plt.close(figure)


def _map(axes: Any, inputs: PlanInputs, existing: int, result: SitingResult) -> None:
    region, gateways = inputs.case.region, inputs.case.gateways
    cells = np.array([[p.longitude_deg, p.latitude_deg] for p in region.places])
    middle = _middle(cells[:, 0])
    rings = [_beside(ring.T, middle) for cell in region.cells for ring in cell_rings(cell)]
    places = np.array([[g.place.longitude_deg, g.place.latitude_deg] for g in gateways])
    places[:, 0] = middle + _wrapped(places[:, 0] - middle)
    cells[:, 0] = middle + _wrapped(cells[:, 0] - middle)
    chosen_ids = {one.gateway.id for one in result.chosen}
    chosen = np.array([i >= existing and g.id in chosen_ids for i, g in enumerate(gateways)])
    squeeze = max(0.2, float(np.cos(np.radians(np.median(cells[:, 1])))))
    index = np.arange(len(gateways))
    felt = _felt(gateways, result)
    # Candidates near by, and those gateways whose loss is felt; of the others what lies between them.
    named = ((index >= existing) & _near(places, cells, squeeze)) | chosen | ((index < existing) & felt)
    box = _box(np.vstack([cells, places[named]]))
    near = (places >= box[:2]).all(axis=1) & (places <= box[2:]).all(axis=1)
    axes.set_facecolor(SEA)
    axes.add_collection(
        PolyCollection(_land(box), facecolors=LAND, edgecolors=BORDER, linewidths=0.7, zorder=1)
    )
    axes.add_collection(PolyCollection(rings, facecolors=REGION, edgecolors=REGION, linewidths=0.2, zorder=2))
    _sites(axes, places, near & (index < existing), ("^", 60, EXISTING, "gateway that exists"))
    _sites(axes, places, near & (index >= existing) & ~chosen, ("o", 55, CANDIDATE, "candidate"))
    _sites(axes, places, chosen, ("*", 300, CHOSEN, "chosen"))
    shown = np.flatnonzero(named)
    if len(shown) <= MOST_NAMED:
        _names(axes, gateways, places, shown, chosen)
    axes.set_xlim(box[0], box[2])
    axes.set_ylim(box[1], box[3])
    axes.set_aspect(1.0 / squeeze)
    axes.xaxis.set_major_formatter(lambda x, _: f"{_wrapped(x):g}")
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, frameon=False, fontsize=9)


def _felt(gateways: Sequence[Gateway], result: SitingResult) -> npt.NDArray[np.bool_]:
    """Which gateways' loss takes a thousandth of what is served, or of what is covered, or more."""
    after = result.after
    lost = {
        one.gateway.id
        for one in result.lost_one
        if one.served_bps < 0.999 * after.served_bps or one.availability < 0.999 * after.availability
    }
    return np.array([g.id in lost for g in gateways], dtype=np.bool_)


def _sites(
    axes: Any, places: Floats, shown: npt.NDArray[np.bool_], look: tuple[str, float, str, str]
) -> None:
    marker, size, colour, label = look
    if shown.any():
        axes.scatter(
            *places[shown].T, marker=marker, s=size, c=colour, edgecolors="white", zorder=4, label=label
        )


def _names(
    axes: Any,
    gateways: Sequence[Gateway],
    places: Floats,
    shown: npt.NDArray[np.intp],
    chosen: npt.NDArray[np.bool_],
) -> None:
    for i in shown:
        axes.annotate(
            gateways[i].name.partition(",")[0],
            places[i],
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9 if chosen[i] else 8,
            fontweight="bold" if chosen[i] else "normal",
            color=INK,
            zorder=6,
            parse_math=False,
            path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
        )


def _bars(axes: Any, result: SitingResult) -> None:
    """Three shares: of what is wanted in cells with service, of it served, and the least after a loss."""
    before, after = result.before, result.after
    rows: list[tuple[str, float, float, str]] = [
        ("available", before.availability, after.availability, ""),
        (
            "served",
            _part(before.served_bps, result.most_bps),
            _part(after.served_bps, result.most_bps),
            "of what all together could",
        ),
        ("robust", before.robustness, after.robustness, "the least with any one lost"),
    ]
    for row, (name, first, second, why) in enumerate(rows):
        for value, offset, colour in ((first, -0.19, LOST), (second, 0.19, CHOSEN)):
            axes.barh(row + offset, value, 0.34, color=colour)
            axes.annotate(_share(value), (value, row + offset), xytext=(4, 0), textcoords="offset points",
                          va="center", fontsize=9, color=INK)  # fmt: skip
        axes.annotate(
            f"{name}\n{why}" if why else name, (0.0, row), xytext=(-6, 0), textcoords="offset points",
            ha="right", va="center", fontsize=9, color=INK, annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlim(0.0, 1.18 * max(1e-9, *(max(row[1], row[2]) for row in rows)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    axes.set_title("before (grey) and after (orange)", loc="left", fontsize=10, color=INK)
    _bare(axes)


def _losses(axes: Any, result: SitingResult) -> None:
    rows = [("before", result.before.served_bps, LOST), ("after", result.after.served_bps, CHOSEN)]
    rows += [(f"without {one.gateway.name}", one.served_bps, EXISTING) for one in result.lost_one[:MOST_LOST]]
    for row, (_, served, colour) in enumerate(rows):
        axes.barh(row, served / 1e9, 0.66, color=colour)
        axes.annotate(gbps(served), (served / 1e9, row), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=9, color=INK)  # fmt: skip
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=9, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.15 * max(served for _, served, _ in rows) / 1e9 + 1e-9)
    axes.set_xlabel("served, Gbit/s, mean over the slots")
    axes.set_title("before, after, and after with one gateway lost", loc="left", fontsize=10, color=INK)
    _bare(axes)


def _bare(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _share(fraction: float) -> str:
    return f"{fraction:.0%}" if fraction in (0.0, 1.0) else f"{fraction:.1%}"


def _part(served_bps: float, of_bps: float) -> float:
    return served_bps / of_bps if of_bps > 0.0 else 0.0


def _near(places: Floats, cells: Floats, squeeze: float) -> npt.NDArray[np.bool_]:
    """Which places are near enough to any cell to matter."""
    (west, south), (east, north) = cells.min(axis=0), cells.max(axis=0)
    away_x = np.maximum(np.maximum(west - places[:, 0], places[:, 0] - east), 0.0) * squeeze
    away_y = np.maximum(np.maximum(south - places[:, 1], places[:, 1] - north), 0.0)
    return np.asarray(np.hypot(away_x, away_y) <= NEAR_DEG)


def _box(points: Floats) -> Box:
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    margin = max(2.5, 0.06 * max(east - west, north - south))
    # Names stand above their places and reach to both sides.
    beside = 1.5 * margin
    return west - beside, max(-90.0, south - margin), east + beside, min(90.0, north + margin)


def _land(box: Box) -> list[Floats]:
    countries = packaged_countries()
    return [
        polygon.rings[0].T + np.array([turn, 0.0])
        for code in countries.names
        for polygon in countries.outline(code).polygons
        for turn in (-360.0, 0.0, 360.0)
        if polygon.bounds_deg[0] + turn <= box[2]
        and polygon.bounds_deg[2] + turn >= box[0]
        and polygon.bounds_deg[1] <= box[3]
        and polygon.bounds_deg[3] >= box[1]
    ]


def _middle(longitudes_deg: Floats) -> float:
    """The middle of the shortest stretch of longitude that holds all: a region may cross the antimeridian."""
    ring = np.unique(longitudes_deg)
    gaps = np.diff(np.append(ring, ring[0] + 360.0))
    widest = int(np.argmax(gaps))
    west = ring[(widest + 1) % len(ring)]
    return float(_wrapped(west + (360.0 - gaps[widest]) / 2.0))


def _beside(ring: Floats, middle: float) -> Floats:
    """A ring of (P, 2) moved by whole turns to where the middle is."""
    turn = 360.0 * round((middle - float(ring[:, 0].mean())) / 360.0)
    return np.asarray(ring + np.array([turn, 0.0]))


def _wrapped(degrees: Any) -> Any:
    """The same angle in -180 to 180, 180 itself kept."""
    return 180.0 - (180.0 - degrees) % 360.0
