"""Values on a grid: maps of the globe, and small tables, read between their nodes by straight lines.

ITU-R P.1144 prescribes bilinear interpolation for the maps of P.836, P.837, P.839, P.840 and P.1510.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.units import DEG_PER_RAD

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corners:
    """The four nodes around each of M points: `index` (4, M) into a flattened map, `weight` (4, M)."""

    index: Ints
    weight: Floats


@dataclass(frozen=True, slots=True)
class GeoMap:
    """Values (..., R, C) around the globe, the same step both ways.

    Rows go from 90 N to 90 S and hold both poles; columns go east from 180 W and end one step short of it.
    """

    values: npt.NDArray[np.float32]
    step_deg: float

    def corners(self, latitude_rad: Floats, longitude_rad: Floats) -> Corners:
        """Nodes and weights for points (M,); any longitude will do, latitudes lie within -pi/2 to pi/2."""
        rows, columns = self.values.shape[-2:]
        row = np.clip((90.0 - latitude_rad * DEG_PER_RAD) / self.step_deg, 0.0, rows - 1.0)
        column = (longitude_rad * DEG_PER_RAD + 180.0) / self.step_deg
        # The last row has no neighbour to the south: the one before is used, with all the weight on the last.
        top = np.minimum(row.astype(np.int64), rows - 2)
        left = np.floor(column).astype(np.int64)
        down, right = row - top, column - left
        west, east = left % columns, (left + 1) % columns
        north, south = top * columns, (top + 1) * columns
        return Corners(
            np.stack([north + west, north + east, south + west, south + east]),
            np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]),
        )

    def at_corners(self, corners: Corners) -> Floats:
        """The nodes' own values, (..., 4, M)."""
        flat = self.values.reshape(*self.values.shape[:-2], -1)
        return flat[..., corners.index].astype(np.float64)

    def at(self, latitude_rad: Floats, longitude_rad: Floats) -> Floats:
        """Values (..., M) at points (M,), bilinear."""
        corners = self.corners(latitude_rad, longitude_rad)
        return np.asarray(np.einsum("...cm,cm->...m", self.at_corners(corners), corners.weight))


@dataclass(frozen=True, slots=True)
class Table:
    """A function of a few quantities at the nodes of its axes: values (A, B, ...), each axis ascending."""

    axes: tuple[Floats, ...]
    values: Floats

    def at(self, *coordinates: Floats | float) -> Floats:
        """The function where the coordinates, broadcast against each other, say; beyond an axis, its end."""
        places = [_place(axis, np.asarray(x)) for axis, x in zip(self.axes, coordinates, strict=True)]
        total = np.zeros(np.broadcast_shapes(*(weight.shape for _, weight in places)))
        for corner in range(2 ** len(places)):
            index: list[Ints] = []
            weight: Floats | float = 1.0
            for bit, (node, share) in enumerate(places):
                upper = corner >> bit & 1
                index.append(node + upper)
                weight = weight * (share if upper else 1.0 - share)
            total += weight * self.values[tuple(index)]
        return total


def _place(axis: Floats, x: Floats) -> tuple[Ints, Floats]:
    """The node below each x, and how far x is on the way to the next, 0 to 1."""
    node = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, axis.size - 2)
    share = np.clip((x - axis[node]) / (axis[node + 1] - axis[node]), 0.0, 1.0)
    return node, share
