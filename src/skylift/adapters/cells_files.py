"""Cells of an area into files: a list for programs, and a map for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import h3
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection, PolyCollection

from skylift.adapters.atomic import save_atomically, write_atomically
from skylift.base.places import Outline, cell_rings, cells_area_km2

Points = npt.NDArray[np.float64]

# Beyond this many, edges of cells would cover the map in one colour.
MOST_DRAWN_EDGES = 20_000


def write_cells(path: Path, cells: Sequence[str]) -> None:
    """The cells as .csv, .geojson or .txt, told by the file's ending."""
    writers = {".csv": _csv, ".geojson": _geojson, ".txt": _txt}
    write_atomically(path, writers[path.suffix.lower()](cells))


def _txt(cells: Sequence[str]) -> str:
    return "".join(f"{cell}\n" for cell in cells)


def _csv(cells: Sequence[str]) -> str:
    lines = ["cell,latitude_deg,longitude_deg,area_km2\n"]
    for cell in cells:
        latitude, longitude = h3.cell_to_latlng(cell)
        lines.append(f"{cell},{latitude:.6f},{longitude:.6f},{cells_area_km2([cell]):.4f}\n")
    return "".join(lines)


def _geojson(cells: Sequence[str]) -> str:
    features = []
    for cell in cells:
        rings = [[[round(x, 6), round(y, 6)] for x, y in ring.T.tolist()] for ring in cell_rings(cell)]
        one = len(rings) == 1
        geometry = {"type": "Polygon", "coordinates": rings}
        if not one:
            geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
        properties = {"area_km2": round(cells_area_km2([cell]), 4)}
        features.append({"type": "Feature", "id": cell, "properties": properties, "geometry": geometry})
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")) + "\n"


def draw_cells(path: Path, outline: Outline, cells: Sequence[str], title: str) -> None:
    """A map of the cells under the area's outline, as .png."""
    rings = [ring.T for cell in cells for ring in cell_rings(cell)]
    west, east = _shortest_span(rings)
    # An area on both sides of the antimeridian is drawn in one piece.
    rings = [_moved(ring, west) for ring in rings]
    borders = [line for p in outline.polygons for ring in p.rings for line in coast_of(_moved(ring.T, west))]
    latitudes = np.concatenate([ring[:, 1] for ring in rings])
    south, north = latitudes.min(), latitudes.max()
    squeeze = max(0.2, np.cos(np.radians((south + north) / 2)))
    height = np.clip(10.0 * (north - south) / max(1e-6, (east - west) * squeeze) + 1.0, 3.5, 14.0)
    figure, axes = plt.subplots(figsize=(11.0, float(height)), layout="constrained")
    edge = 0.3 if len(cells) <= MOST_DRAWN_EDGES else 0.0
    axes.add_collection(
        PolyCollection(rings, facecolors="#9CC9E8", edgecolors="#FFFFFF", linewidths=edge, zorder=1)
    )
    axes.add_collection(LineCollection(borders, colors="#333333", linewidths=0.8, zorder=2))
    margin = 0.03 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(max(-90.0, south - margin), min(90.0, north + margin))
    axes.set_aspect(1.0 / squeeze)
    axes.xaxis.set_major_formatter(lambda x, _: f"{180.0 - (180.0 - x) % 360.0:g}")
    axes.set_xlabel("longitude (degrees)")
    axes.set_ylabel("latitude (degrees)")
    axes.set_title(title, loc="left", fontsize=11)
    save_atomically(path, lambda file: figure.savefig(file, dpi=130))
    plt.close(figure)


def _shortest_span(rings: Sequence[Points]) -> tuple[float, float]:
    """The narrowest span of longitudes that holds all rings: from west to east, east perhaps above 180."""
    middles = np.sort([ring[:, 0].mean() for ring in rings])
    gaps = np.diff(middles, append=middles[0] + 360.0)
    first = (int(gaps.argmax()) + 1) % len(middles)
    half = max(float(np.ptp(ring[:, 0])) for ring in rings) / 2.0
    if 2.0 * half >= gaps.max():
        # Around a pole there is no gap to cut at.
        return -180.0, 180.0
    west = float(middles[first]) - half
    return west, west + 360.0 - float(gaps.max()) + 2.0 * half


def coast_of(ring: Points) -> list[Points]:
    """A ring's edges, each (2, 2), but those where the outline is cut: the antimeridian, lines to a pole."""
    edges = np.stack([ring[:-1], ring[1:]], axis=1)
    longitude, latitude = edges[..., 0], edges[..., 1]
    cut = (np.abs(np.abs(longitude) - 180.0) < 1e-9).all(axis=1) | (np.abs(latitude) > 90.0 - 1e-9).any(
        axis=1
    )
    return list(edges[~cut])


def _moved(ring: Points, west: float) -> Points:
    turns = 1.0 if ring[:, 0].mean() < west - 1e-9 else 0.0
    moved: Points = ring + np.array([360.0 * turns, 0.0])
    return moved
