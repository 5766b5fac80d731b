"""The map of what a dish has seen: 123 x 123 pixels, traced by the satellites that served it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PIXELS = 123
MAX_THETA_DEG = 80.0
UNSEEN, BLOCKED, CLEAR = -1.0, 0.0, 1.0
_CENTRE = (PIXELS - 1) / 2
_PIXELS_PER_DEG = _CENTRE / MAX_THETA_DEG
# Points drawn along a slot's track: a satellite crosses at most about 8 degrees, 6 pixels, in 15 s.
_POINTS = 24


def pixel(azimuth_rad: float, elevation_rad: float) -> tuple[float, float]:
    """(row, column) of a direction; the zenith is the centre, north is up, east is right.

    The distance from the centre is proportional to the angle from the zenith, `MAX_THETA_DEG` at the rim.
    """
    radius = (90.0 - math.degrees(elevation_rad)) * _PIXELS_PER_DEG
    return _CENTRE - radius * math.cos(azimuth_rad), _CENTRE + radius * math.sin(azimuth_rad)


class ObstructionMap:
    """What was seen clear or blocked since the map was last cleared."""

    def __init__(self) -> None:
        self.snr: npt.NDArray[np.float32] = np.full((PIXELS, PIXELS), UNSEEN, dtype=np.float32)

    def clear(self) -> None:
        self.snr[:] = UNSEEN

    def trace(self, track: Sequence[tuple[float, float]], value: float = CLEAR) -> None:
        """Draw the way of one satellite through (azimuth, elevation) points, radians; outside is left out."""
        points = np.array([pixel(azimuth, elevation) for azimuth, elevation in track])
        if len(points) == 0:
            return
        along = np.linspace(0.0, len(points) - 1.0, _POINTS)
        rows = np.rint(np.interp(along, np.arange(len(points)), points[:, 0])).astype(int)
        columns = np.rint(np.interp(along, np.arange(len(points)), points[:, 1])).astype(int)
        inside = (rows >= 0) & (rows < PIXELS) & (columns >= 0) & (columns < PIXELS)
        self.snr[rows[inside], columns[inside]] = value

    @property
    def patches(self) -> int:
        """How many pixels were seen at all."""
        return int((self.snr != UNSEEN).sum())

    @property
    def fraction_obstructed(self) -> float:
        """Share of seen pixels that are blocked; 0 where nothing was seen."""
        seen = self.patches
        return float((self.snr == BLOCKED).sum() / seen) if seen else 0.0
