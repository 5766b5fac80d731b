"""A picture of a link budget over elevation: C/N above, the rate that it carries below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.pyplot as plt

from skylift.adapters.atomic import save_atomically
from skylift.sky.radio.link_budget import Surroundings, link_budget
from skylift.sky.radio.modcod import ModcodTable
from skylift.sky.radio.path_loss import slant_range_m
from skylift.sky.radio.systems import Link

# Okabe and Ito's colours: told apart by colour-blind readers.
INK, GRID, BLUE, GREEN, ORANGE = "#1b2733", "#c9d3dc", "#0072B2", "#009E73", "#D55E00"


Air = Callable[[npt.NDArray[np.float64]], Surroundings]


def draw_link(path: Path, title: str, link: Link, modcods: ModcodTable, least_deg: float, air: Air) -> None:
    """One channel of `link` from `least_deg` to the zenith, the satellite in the boresight.

    air  what is around the links at elevations (K,) in radians
    """
    degrees = np.linspace(least_deg, 90.0, 261)
    elevation_rad = np.radians(degrees)
    range_m = slant_range_m(link.altitude_m, elevation_rad)
    around = air(elevation_rad)
    got = link_budget(link, modcods, elevation_rad, range_m, 0.0, around)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8.0, 6.4), sharex=True, layout="constrained", gridspec_kw={"height_ratios": (3, 2)}
    )
    if np.any(got.eirp_limit_dbw < link.eirp_dbw):
        free = link_budget(replace(link, mask=None), modcods, elevation_rad, range_m, 0.0, around)
        above.plot(degrees, free.c_n_db, color=ORANGE, linestyle=(0, (4, 3)), label="C/N without the mask")
    above.plot(degrees, got.c_n_db, color=BLUE, linewidth=3.4, label="C/N (noise alone)")
    above.plot(degrees, got.c_ni_db, color=GREEN, linewidth=2.2, label="C/(N+I) (and interference)")
    above.set_ylabel("dB in the channel")
    above.legend(frameon=False, loc="best")
    below.plot(degrees, got.rate_bps / 1e6, color=INK, linewidth=2.0, drawstyle="steps-post")
    below.set_ylabel("Mbit/s, one channel")
    below.set_xlabel("elevation of the satellite, degrees")
    top = float(got.rate_bps.max()) / 1e6
    below.set_ylim(0.0, top * 1.22 if top > 0 else 1.0)
    changes = np.flatnonzero(np.diff(got.modcod, prepend=-2))
    for k, start in enumerate(changes):
        end = changes[k + 1] if k + 1 < len(changes) else len(degrees) - 1
        # A step too narrow for its name goes without.
        if degrees[end] - degrees[start] > 7.0:
            name = modcods.name_at(int(got.modcod[start])) or "no link"
            below.annotate(
                name,
                (0.5 * (degrees[start] + degrees[end]), got.rate_bps[start] / 1e6),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    for axes in (above, below):
        axes.grid(color=GRID, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    above.set_xlim(least_deg, 90.0)
    above.set_title(title, loc="left", color=INK)
    save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))
    plt.close(figure)
