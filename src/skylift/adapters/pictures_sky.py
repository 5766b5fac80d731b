"""Polar pictures of the sky over a place: satellites at an instant, and passes. They print no coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from skylift.adapters.atomic import save_atomically
from skylift.base.instants import format_instant
from skylift.base.units import GEOSTATIONARY_RADIUS_M
from skylift.sky.coverage.pairs import VisiblePairs
from skylift.sky.coverage.sites import AntennaModel, Sites
from skylift.sky.coverage.visible import visible_pairs
from skylift.sky.orbit.catalogue import Catalogue
from skylift.study.passes import Pass

Floats = npt.NDArray[np.float64]

# Okabe and Ito's colours: told apart by colour-blind readers, and in grey by their lightness.
INK, GRID, SHADE = "#1b2733", "#c9d3dc", "#eef2f5"
USABLE, HIDDEN, NEAR_ARC, FIELD = "#009E73", "#9aa5ae", "#CC79A7", "#0072B2"
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1b2733", "#8C6D31")
# Names and times are written while they can be told apart.
MOST_NAMES = 12
MOST_TRACKS = 40


def draw_sky(
    path: Path, at_us: int, observer: tuple[Sites, AntennaModel], pairs: VisiblePairs, catalogue: Catalogue
) -> None:
    """All visible satellites of one site (K pairs), coloured by whether the antenna can use them."""
    site, model = observer
    limited = model.field_of_view_deg < 90.0 or model.arc_separation_deg > 0.0 or bool(model.horizon_mask)
    fig, ax = _sky_axes(math.degrees(float(site.min_elevation_rad[0])))
    limits = _limits(ax, site, model)
    handles: list[Any] = []
    clear = pairs.arc_rad >= site.arc_separation_rad[0]
    groups = [
        ("usable" if limited else "above the least elevation", USABLE, "o", pairs.in_field & clear),
        ("too near the geostationary arc", NEAR_ARC, "X", pairs.in_field & ~clear),
        ("outside the field of view", HIDDEN, "o", ~pairs.in_field),
    ]
    for label, colour, marker, chosen in groups:
        if not chosen.any():
            continue
        angle, radius = pairs.azimuth_rad[chosen], _radius(pairs.elevation_rad[chosen])
        ax.scatter(angle, radius, s=34, c=colour, marker=marker, edgecolors="white", linewidths=0.6, zorder=5)
        handles.append(_dot(f"{int(chosen.sum())} {label}", colour, marker))
    highest = np.argsort(-pairs.elevation_rad)[:MOST_NAMES]
    for k in highest if len(pairs) <= MOST_NAMES else ():
        satellite = int(pairs.satellite[k])
        _label(
            ax,
            pairs.azimuth_rad[k],
            pairs.elevation_rad[k],
            catalogue.name[satellite] or str(catalogue.norad[satellite]),
        )
    subtitle = model.name if limited else f"from {math.degrees(site.min_elevation_rad[0]):g}° up"
    _finish(
        fig,
        ax,
        path,
        f"{len(pairs)} satellites overhead",
        f"{format_instant(at_us)} · {subtitle}",
        [*handles, *limits],
    )


def draw_passes(
    path: Path,
    observer: tuple[Sites, AntennaModel],
    found: Sequence[Pass],
    tracks: Sequence[tuple[Floats, Floats]],
    title: tuple[str, Sequence[str]],
) -> None:
    """Tracks (elevation, azimuth) of passes, in the order of `found`, with their names; title and names."""
    site, _ = observer
    fig, ax = _sky_axes(math.degrees(float(site.min_elevation_rad[0])))
    written = len(found) <= MOST_NAMES
    handles = []
    for i, (one, (elevation, azimuth), name) in enumerate(zip(found, tracks, title[1], strict=True)):
        colour = LINES[i % len(LINES)]
        angle = np.unwrap(azimuth)
        ax.plot(angle, _radius(elevation), color=colour, lw=2.0 if written else 1.1, alpha=0.95, zorder=4)
        # The arrow stands past the middle, so that it does not hide the culmination.
        k = int(0.62 * len(angle))
        ax.annotate(
            "",
            xy=(angle[k + 1], _radius(elevation[k + 1])),
            xytext=(angle[k], _radius(elevation[k])),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "lw": 1.2,
                "mutation_scale": 13 if written else 9,
            },
            zorder=5,
        )
        if written:
            _moments(ax, one, colour)
            high = math.degrees(one.culmination.elevation_rad)
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    lw=2.0,
                    label=f"{name} at {high:.0f}°, {format_instant(one.culmination.at_us)[11:16]}",
                )
            )
    _finish(fig, ax, path, f"{len(found)} passes", title[0], handles)


def _moments(ax: Any, one: Pass, colour: str) -> None:
    """Dots and times of rise, culmination and set."""
    for moment in (one.rise, one.culmination, one.set):
        if moment is None:
            continue
        radius = float(_radius(np.array(moment.elevation_rad)))
        ax.plot([moment.azimuth_rad], [radius], "o", ms=5, color=colour, mec="white", mew=0.8, zorder=6)
        time = format_instant(moment.at_us)[11:19]
        _label(ax, moment.azimuth_rad, moment.elevation_rad, time, outward=moment is not one.culmination)


def _sky_axes(floor_deg: float) -> tuple[Any, Any]:
    """North up and east to the right, as on a map; the zenith in the middle, the horizon at the rim."""
    fig = plt.figure(figsize=(7.2, 8.6), dpi=150)
    ax = fig.add_axes((0.09, 0.17, 0.82, 0.70), projection="polar")
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    rim = 90.0 - min(0.0, floor_deg)
    ax.set_ylim(0.0, rim)
    ax.set_yticks([0, 30, 60, 90], ["90°", "60°", "30°", "0°"])
    ax.set_rlabel_position(135)
    ax.set_xticks(np.radians(np.arange(0, 360, 30)))
    ax.set_xticklabels(["N", "30°", "60°", "E", "120°", "150°", "S", "210°", "240°", "W", "300°", "330°"])
    ax.tick_params(colors=INK, labelsize=9, pad=4)
    for label in ax.get_yticklabels():
        label.set_fontsize(8)
        label.set_color("#5b6873")
    ax.grid(color=GRID, lw=0.7)
    ax.set_axisbelow(True)
    ax.spines["polar"].set_color(GRID)
    turn = np.linspace(0.0, 2.0 * np.pi, 361)
    ax.fill_between(turn, 90.0 - floor_deg, rim, color=SHADE, zorder=0.5, lw=0)
    ax.plot(turn, np.full(361, 90.0 - floor_deg), color="#8593a0", lw=1.0, ls=(0, (4, 3)), zorder=1.5)
    return fig, ax


def _limits(ax: Any, site: Sites, model: AntennaModel) -> list[Any]:
    """Field of view, horizon mask and the band about the geostationary arc, as far as the model has them."""
    elevation, azimuth = np.meshgrid(
        np.radians(np.arange(0.0, 90.01, 0.5)), np.radians(np.arange(0.0, 361.0))
    )
    sideways = np.cos(azimuth)[..., None] * site.north[:, 0] + np.sin(azimuth)[..., None] * site.east[:, 0]
    direction = np.cos(elevation)[..., None] * sideways + np.sin(elevation)[..., None] * site.up[:, 0]
    handles: list[Any] = []
    if model.arc_separation_deg > 0.0:
        handles += _arc_band(ax, site, (elevation, azimuth, direction), model)
    if site.cos_field_of_view[0] > -1.0:
        cosine = direction @ site.boresight[:, 0]
        ax.contour(
            azimuth, _radius(elevation), cosine, [site.cos_field_of_view[0]], colors=FIELD, linewidths=1.4
        )
        handles.append(Line2D([], [], color=FIELD, lw=1.4, label="field of view"))
    if model.horizon_mask:
        turn = np.radians(np.arange(360))
        mask = np.maximum(site.mask_elevation_rad[0].astype(np.float64), 0.0)
        ax.fill_between(turn, _radius(mask), 90.0, step="post", color="#b8a99a", alpha=0.8, zorder=2, lw=0)
        handles.append(Patch(color="#b8a99a", label="obstructed horizon"))
    return handles


def _arc_band(ax: Any, site: Sites, grid: tuple[Floats, Floats, Floats], model: AntennaModel) -> list[Any]:
    elevation, azimuth, direction = grid
    points_m = site.position_ecef_m + 1e6 * direction.reshape(-1, 3).T
    everywhere = Sites(
        **{name: getattr(site, name) for name in Sites.__dataclass_fields__}
        | {"min_elevation_rad": np.array([-0.1])}
    )
    pairs = visible_pairs(points_m, everywhere)
    arc = np.full(direction.shape[:2], np.pi)
    arc.reshape(-1)[pairs.satellite] = pairs.arc_rad
    if not (arc < np.pi).any():
        return []
    ax.contourf(
        azimuth,
        _radius(elevation),
        arc,
        [0.0, float(site.arc_separation_rad[0])],
        colors=[NEAR_ARC],
        alpha=0.18,
        zorder=1,
    )
    longitude = site.longitude_rad[0] + np.linspace(-np.pi / 2, np.pi / 2, 721)
    arc_m = GEOSTATIONARY_RADIUS_M * np.stack([np.cos(longitude), np.sin(longitude), 0 * longitude])
    seen = visible_pairs(arc_m, everywhere)
    ax.plot(seen.azimuth_rad, _radius(seen.elevation_rad), ".", ms=1.6, color=NEAR_ARC, zorder=2)
    band = f"within {model.arc_separation_deg:g}° of the geostationary arc"
    return [Patch(color=NEAR_ARC, alpha=0.3, label=band)]


def _radius(elevation_rad: Any) -> Floats:
    return np.asarray(90.0 - np.degrees(elevation_rad), dtype=np.float64)


def _dot(label: str, colour: str, marker: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, ls="", ms=7, mec="white", mew=0.6, label=label)


def _label(ax: Any, azimuth_rad: float, elevation_rad: float, text: str, outward: bool = False) -> None:
    """A small text beside a point: to its upper right, or away from the zenith."""
    away = (9.0 * math.sin(azimuth_rad), 9.0 * math.cos(azimuth_rad)) if outward else (6.0, 5.0)
    ax.annotate(
        text,
        xy=(float(azimuth_rad), float(_radius(elevation_rad))),
        xytext=away,
        textcoords="offset points",
        ha="left" if away[0] >= 0.0 else "right",
        va="center" if outward else "bottom",
        fontsize=7.5,
        color=INK,
        zorder=7,
        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.9)],
    )


def _finish(fig: Any, ax: Any, path: Path, title: str, subtitle: str, handles: Sequence[Any]) -> None:
    fig.text(0.06, 0.958, title, fontsize=16, fontweight="bold", color=INK, ha="left")
    fig.text(0.06, 0.934, subtitle, fontsize=10, color="#5b6873", ha="left")
    if handles:
        fig.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.015),
            ncols=2,
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )
    save_atomically(path, lambda temporary: fig.savefig(temporary, facecolor="white"))
    plt.close(fig)
