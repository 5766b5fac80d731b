"""A picture of a catalogue: inclination against altitude, coloured by what each object is doing."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from skylift.adapters.atomic import save_atomically
from skylift.base.units import DEG_PER_RAD
from skylift.sky.orbit.catalogue import Catalogue
from skylift.sky.orbit.status import STATUSES, Status, altitude_m, statuses

# Distinguishable for colour-blind readers (Okabe and Ito).
COLOURS = {
    Status.OPERATIONAL: "#009E73",
    Status.RAISING: "#0072B2",
    Status.DECAYING: "#D55E00",
    Status.PARKED: "#E69F00",
    Status.DRIFTING: "#CC79A7",
    Status.DEEP_SPACE: "#000000",
    Status.UNKNOWN: "#999999",
}


def draw_catalogue(catalogue: Catalogue, title: str, path: Path) -> None:
    """Draws the objects into `path`, beside a histogram of altitudes. Raises Unavailable if it cannot."""
    height_km = altitude_m(catalogue) / 1000.0
    inclination_deg = catalogue.inclination_rad * DEG_PER_RAD
    doing = statuses(catalogue)
    figure, (scatter, histogram) = plt.subplots(
        1, 2, figsize=(10, 6), sharey=True, width_ratios=(3, 1), layout="constrained"
    )
    try:
        bins = np.histogram_bin_edges(height_km, bins=100)
        for index, status in enumerate(STATUSES):
            chosen = doing == index
            if not chosen.any():
                continue
            label, colour = f"{status.value} ({int(chosen.sum()):,})", COLOURS[status]
            scatter.scatter(inclination_deg[chosen], height_km[chosen], s=4, color=colour, label=label)
            histogram.hist(
                height_km[chosen], bins=bins, orientation="horizontal", color=colour, histtype="step"
            )
        scatter.set(xlabel="inclination (degrees)", ylabel="altitude (km)", title=title)
        scatter.legend(markerscale=3)
        histogram.set(xlabel="objects", xscale="log")
        save_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))
    finally:
        plt.close(figure)
