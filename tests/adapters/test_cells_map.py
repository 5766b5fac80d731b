"""The map of cells: where it begins and ends, and which lines are coast."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from skylift.adapters.cells_files import coast_of, draw_cells
from skylift.adapters.outlines import country_outline
from skylift.base.places import cells_of


@pytest.mark.parametrize(
    ("country", "resolution", "west", "east"),
    [("AQ", 2, (-181, -180), (180, 181)), ("FJ", 5, (176, 178), (180, 183)), ("UA", 3, (20, 23), (39, 43))],
)
def test_the_map_holds_the_area_and_not_twice_the_earth(
    country: str,
    resolution: int,
    west: tuple[float, float],
    east: tuple[float, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plt, "close", drawn.append)
    outline = country_outline(country)
    draw_cells(tmp_path / "map.png", outline, cells_of(outline, resolution), country)
    monkeypatch.undo()
    limits = drawn[0].axes[0].get_xlim()
    margin = 0.03 * 360 if country == "AQ" else 0.0
    plt.close(drawn[0])
    assert west[0] - margin <= limits[0] <= west[1]
    assert east[0] <= limits[1] <= east[1] + margin


def test_cuts_are_no_coast() -> None:
    ring = np.array([[179.0, 1.0], [180.0, 1.0], [180.0, -1.0], [179.0, -1.0], [179.0, 1.0]])
    assert len(coast_of(ring)) == 3
    polar = np.array([[0.0, -70.0], [90.0, -71.0], [90.0, -90.0], [0.0, -90.0], [0.0, -70.0]])
    (coast,) = coast_of(polar)
    assert coast.tolist() == [[0.0, -70.0], [90.0, -71.0]]
