"""A region's cells as a small picture, drawn by the server: no script, no map of somebody else's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skylift.base.cells import is_cell
from skylift.service.region.events import CellMode
from skylift.service.region.state import Region

WIDTH, MOST_HEIGHT = 640.0, 420.0
# With more the page would be megabytes: then numbers alone have to do.
MOST_CELLS = 4000


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG's size, and one path for all cells of each mode."""

    width: int
    height: int
    paths: tuple[tuple[str, str], ...]


def picture_of(region: Region) -> Picture | None:
    """None for a region without cells that could be drawn."""
    import h3

    if not 0 < len(region.cells) <= MOST_CELLS:
        return None
    rings: list[tuple[CellMode, list[tuple[float, float]]]] = []
    for name, cell in region.cells.items():
        if not is_cell(name):
            continue
        rings.append((cell.mode, [(lon, lat) for lat, lon in h3.cell_to_boundary(name)]))
    if not rings:
        return None
    return _drawn(rings)


def _drawn(rings: list[tuple[CellMode, list[tuple[float, float]]]]) -> Picture:
    """Plate carrée about the middle latitude; what lies across the date line is moved to one side."""
    middle = rings[0][1][0][0]
    moved = [(mode, [(middle + (x - middle + 180) % 360 - 180, y) for x, y in ring]) for mode, ring in rings]
    xs = [x for _, ring in moved for x, _ in ring]
    ys = [y for _, ring in moved for _, y in ring]
    squeeze = max(math.cos(math.radians((min(ys) + max(ys)) / 2)), 0.05)
    wide, high = (max(xs) - min(xs)) * squeeze, max(ys) - min(ys)
    scale = min(WIDTH / wide, MOST_HEIGHT / high)
    west, north = min(xs), max(ys)
    paths: dict[str, list[str]] = {}
    for mode, ring in moved:
        points = [f"{(x - west) * squeeze * scale:.1f} {(north - y) * scale:.1f}" for x, y in ring]
        paths.setdefault(mode.value, []).append(f"M{'L'.join(points)}Z")
    return Picture(
        math.ceil(wide * scale),
        math.ceil(high * scale),
        tuple((mode, "".join(parts)) for mode, parts in paths.items()),
    )
