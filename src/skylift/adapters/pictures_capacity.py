"""Pictures of capacity studies: a map of cells, hours and duration curves; and two studies side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import patheffects
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.patches import Patch

from skylift.adapters.atomic import save_atomically
from skylift.adapters.capacity_report import CapacityReport
from skylift.adapters.outlines import packaged_countries
from skylift.base.places import cell_rings
from skylift.study.readable import gbps, three_digits

Floats = npt.NDArray[np.float64]

SEA, LAND, BORDER, BARRED, GATEWAY = "#E8F0F5", "#FAF8F2", "#9A958A", "#C9C9C9", "#D55E00"
# Okabe and Ito: told apart by colour-blind readers.
FIRST, SECOND, FAINT = "#0072B2", "#D55E00", "#999999"
DENSITY = "served, Mbit/s per km²"
_HALO = patheffects.withStroke(linewidth=2.5, foreground="white")
_NAME: dict[str, Any] = {
    "xytext": (0, 8), "textcoords": "offset points", "ha": "center", "fontsize": 8, "parse_math": False,
    "path_effects": [_HALO],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Where cells lie on a map: rings (each P x 2), whose each is, and the box west, south, east, north."""

    rings: list[Floats]
    cell: list[int]
    box: tuple[float, float, float, float]

    @classmethod
    def of(cls, cells: list[str]) -> _Canvas:
        rings, owner = [], []
        for i, name in enumerate(cells):
            for ring in cell_rings(name):
                rings.append(ring.T)
                owner.append(i)
        middles = np.array([ring[:, 0].mean() for ring in rings])
        # An area on both sides of the antimeridian is drawn in one piece.
        if np.ptp(middles) > 180.0:
            rings = [r + np.array([360.0, 0.0]) if r[:, 0].mean() < 0.0 else r for r in rings]
        points = np.concatenate(rings)
        (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
        margin = 0.04 * max(east - west, north - south) + 0.05
        return cls(rings, owner, (west - margin, south - margin, east + margin, north + margin))

    @property
    def squeeze(self) -> float:
        return max(0.2, float(np.cos(np.radians((self.box[1] + self.box[3]) / 2))))

    @property
    def aspect(self) -> float:
        """Height over width on paper."""
        west, south, east, north = self.box
        return float(np.clip((north - south) / ((east - west) * self.squeeze), 0.35, 1.6))

    def fill(self, axes: Any, values: Floats, look: dict[str, Any]) -> Any:
        """Cells by value over land and sea; nan is a cell in which service is not allowed."""
        axes.set_facecolor(SEA)
        axes.add_collection(
            PolyCollection(self._land(), facecolors=LAND, edgecolors=BORDER, linewidths=0.6, zorder=1)
        )
        shown = values[self.cell]
        allowed = np.isfinite(shown)
        edge = 0.15 if len(self.cell) < 4000 else 0.0
        painted = PolyCollection(
            [r for r, a in zip(self.rings, allowed, strict=True) if a],
            array=shown[allowed], linewidths=edge, edgecolors="face", zorder=2, **look,
        )  # fmt: skip
        axes.add_collection(painted)
        barred = [r for r, a in zip(self.rings, allowed, strict=True) if not a]
        if barred:
            axes.add_collection(PolyCollection(barred, facecolors=BARRED, edgecolors="none", zorder=2))
            label = "service not allowed: not served"
            axes.legend(handles=[Patch(color=BARRED, label=label)], loc="lower left", fontsize=8)
        axes.add_collection(
            PolyCollection(self._land(), facecolors="none", edgecolors="#55524B", linewidths=0.6, zorder=3)
        )
        axes.set_xlim(self.box[0], self.box[2])
        axes.set_ylim(self.box[1], self.box[3])
        axes.set_aspect(1.0 / self.squeeze, adjustable="box")
        axes.xaxis.set_major_formatter(lambda x, _: f"{180.0 - (180.0 - x) % 360.0:g}°")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}°")
        axes.tick_params(labelsize=8)
        return painted

    def _land(self) -> list[Floats]:
        west, south, east, north = self.box
        rings = []
        countries = packaged_countries()
        for code in countries.names:
            for polygon in countries.outline(code).polygons:
                left, bottom, right, top = polygon.bounds_deg
                rings += [
                    polygon.rings[0].T + np.array([turn, 0.0])
                    for turn in (0.0, 360.0)
                    if left + turn <= east and right + turn >= west and bottom <= north and top >= south
                ]
        return rings

    def sites(self, axes: Any, report: CapacityReport) -> None:
        """Gateways that serve, where they stand on the map."""
        west, south, east, north = self.box
        for site in report.detail.get("sites", ()):
            x, y = site["longitude_deg"], site["latitude_deg"]
            if x < west and x + 360.0 <= east:
                x += 360.0
            if not (west <= x <= east and south <= y <= north):
                continue
            axes.scatter([x], [y], marker="^", s=70, c=GATEWAY, edgecolors="white", zorder=5)
            axes.annotate(site["name"], (x, y), zorder=6, **_NAME)


def _density(report: CapacityReport) -> Floats:
    """Mean Mbit/s per km2 by cell; nan where service is not allowed."""
    cells = report.detail["cells"]
    density = np.array(cells["served_bps"]) / 1e6 / np.array(cells["area_km2"])
    return np.where(np.array(cells["allowed"], dtype=bool), density, np.nan)


def _top(*densities: Floats) -> float:
    """The upper end of a colour scale: below the greatest, so that a few cells do not dim all others."""
    values = np.concatenate([d[np.isfinite(d)] for d in densities])
    return (float(np.quantile(values, 0.98)) if len(values) else 0.0) or 1.0


def draw_capacity(path: Path, report: CapacityReport) -> None:
    """One study: the map, what cells get for how much of the time, and the hours."""
    summary = report.summary
    canvas, density = _Canvas.of(report.detail["cells"]["cell"]), _density(report)
    figure = plt.figure(figsize=(13.5, 1.9 + 7.0 * max(canvas.aspect, 0.5)), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.65, 1.0])
    axes = figure.add_subplot(grid[:, 0])
    look = {"cmap": "viridis", "norm": Normalize(0.0, _top(density))}
    painted = canvas.fill(axes, density, look)
    canvas.sites(axes, report)
    _scale(figure, painted, axes, f"{DENSITY}, mean")
    axes.set_title("Where it goes", loc="left", fontsize=11)
    _duration(figure.add_subplot(grid[0, 1]), [(report, "", FIRST)])
    _hours(figure.add_subplot(grid[1, 1]), [(report, "served", FIRST)], tracked=True)
    title = (
        f"{summary['region']}: {gbps(summary['served_bps'])} Gbit/s, "
        f"{three_digits(summary['mbps_per_km2'])} Mbit/s per km²; {summary['system']}, from {summary['at']}"
    )
    figure.suptitle(title, fontsize=13, ha="left", x=0.01, parse_math=False)
    save_atomically(path, lambda file: figure.savefig(file, dpi=120))
    plt.close(figure)


def draw_comparison(
    path: Path, before: CapacityReport, after: CapacityReport, names: tuple[str, str]
) -> None:
    """Two studies of the same cells: both maps on one scale, their difference, and their curves."""
    canvas = _Canvas.of(before.detail["cells"]["cell"])
    first, second = _density(before), _density(after)
    figure = plt.figure(figsize=(16.0, 5.4 + 4.6 * max(canvas.aspect, 0.6)), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=[1.25, 1.0])
    maps = [figure.add_subplot(grid[0, 2 * i : 2 * i + 2]) for i in range(3)]
    look = {"cmap": "viridis", "norm": Normalize(0.0, _top(first, second))}
    for axes, density, report, name in zip(maps, (first, second), (before, after), names, strict=False):
        painted = canvas.fill(axes, density, look)
        canvas.sites(axes, report)
        axes.set_title(f"{name}: {gbps(report.summary['served_bps'])} Gbit/s", loc="left", parse_math=False)
    _scale(figure, painted, maps[:2], f"{DENSITY}, mean")
    change = second - first
    most = _top(np.abs(change))
    changed = canvas.fill(maps[2], change, {"cmap": "PuOr", "norm": TwoSlopeNorm(0.0, -most, most)})
    maps[2].set_title("difference", loc="left")
    _scale(figure, changed, maps[2], "Mbit/s per km² more", extend="both")
    both = [(before, names[0], FIRST), (after, names[1], SECOND)]
    _duration(figure.add_subplot(grid[1, :3]), both)
    _hours(figure.add_subplot(grid[1, 3:]), both, tracked=False)
    title = f"{before.summary['region']}: what each cell gets, {names[0]} and {names[1]}"
    figure.suptitle(title, fontsize=13, ha="left", x=0.01, parse_math=False)
    save_atomically(path, lambda file: figure.savefig(file, dpi=110))
    plt.close(figure)


def _scale(figure: Any, painted: Any, axes: Any, label: str, extend: str = "max") -> None:
    figure.colorbar(
        painted, ax=axes, label=label, orientation="horizontal", shrink=0.7, extend=extend, aspect=35
    )


_Curves = list[tuple[CapacityReport, str, str]]


def _plain(axes: Any, top: float) -> None:
    axes.set_ylim(0.0, top or 1.0)
    if not top:
        axes.text(0.5, 0.5, "nothing is served", ha="center", transform=axes.transAxes, color="#555555")
        axes.set_yticks([0.0])
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes: Any, **where: Any) -> None:
    shown = axes.legend(frameon=False, fontsize=9, **where)
    for text in shown.get_texts():
        text.set_parse_math(False)


def _duration(axes: Any, curves: _Curves) -> None:
    tops, greatest = [], []
    for report, name, colour in curves:
        curve = report.detail["duration"]
        # The few that get most would press all others against the axis.
        tops.append(1.3 * float(np.interp(0.03, curve["share_fraction"], curve["mbps_per_km2"])))
        greatest.append(curve["mbps_per_km2"][0])
        share = np.array(curve["share_fraction"]) * 100.0
        axes.step(share, curve["mbps_per_km2"], where="post", color=colour, lw=1.8, label=name)
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("share of cells and slots, by area (%)")
    axes.set_ylabel(f"at least, {DENSITY.removeprefix('served, ')}")
    axes.set_title("How much, for how much of the area and time", loc="left", fontsize=11)
    top = max(tops)
    if max(greatest) > top:
        axes.annotate(
            f"up to {max(greatest):.3g}", (0.05, 0.985), xycoords="axes fraction", va="top", fontsize=8.5,
            color="#555555",
        )  # fmt: skip
    _plain(axes, top)
    if len(curves) > 1:
        _legend(axes, loc="best")


def _hours(axes: Any, curves: _Curves, tracked: bool) -> None:
    top = 0.0
    for report, name, colour in curves:
        served = [row["served_bps"] / 1e9 for row in report.summary["hours"]]
        top = max([top, *served])
        axes.plot(range(len(served)), served, marker="o", ms=3.5, lw=1.6, color=colour, label=name)
    axes.set_xlabel("hours after the start")
    axes.set_ylabel("served, Gbit/s")
    axes.set_title("Hour by hour", loc="left", fontsize=11)
    _whole_hours(axes, max((len(report.summary["hours"]) for report, _, _ in curves), default=1))
    _plain(axes, 1.12 * top)
    if tracked:
        other = axes.twinx()
        counts = [row["satellites_tracked"] for row in curves[0][0].summary["hours"]]
        # One slot alone is no line: it gets a dash.
        line = {"color": FAINT, "lw": 1.2} | (
            {"marker": "_", "ms": 24, "mew": 1.2} if len(counts) == 1 else {}
        )
        other.step(range(len(counts)), counts, where="mid", label="satellites tracked", **line)
        other.set_ylim(0.0, 1.15 * max([*counts, 1]))
        other.set_ylabel("satellites tracked", color="#666666")
        other.spines[["top"]].set_visible(False)
        other.yaxis.get_major_locator().set_params(integer=True)
        handles = [*axes.get_legend_handles_labels()[0], *other.get_legend_handles_labels()[0]]
        axes.legend(handles=handles, frameon=False, fontsize=9, loc="lower right")
    else:
        _legend(axes, loc="best")


def _whole_hours(axes: Any, hours: int) -> None:
    """Ticks at whole hours alone, also where there is but one."""
    step = next((s for s in (1, 2, 3, 4, 6, 12) if hours / s <= 12), 24)
    axes.set_xlim(-0.5, hours - 0.5)
    axes.set_xticks(range(0, hours, step))
