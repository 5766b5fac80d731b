"""The +grid: lasers of a generated constellation, to the next satellites within the plane and beside it."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.orbit.shells import Pattern, Shell
from skylift.sky.routing.lasers import AHEAD, BEHIND, EAST, WEST

Ints = npt.NDArray[np.int32]


class LaserPattern(enum.Enum):
    """How a plane's satellites are linked to the next plane's; the texts are a constellation file's."""

    NEAREST_PHASE = "plus-grid-nearest-phase"
    """With the one whose place along the orbit is nearest. The default."""
    SAME_INDEX = "same-index"
    """With the one of the same index, around the whole shell without a shift, as Hypatia does (2020)."""
    NONE = "none"


def plus_grid(
    shells: Sequence[Shell], pattern: LaserPattern = LaserPattern.NEAREST_PHASE, per_satellite: int = 4
) -> Ints:
    """Neighbours of every satellite, int32 (N, 4), columns AHEAD, BEHIND, EAST, WEST; -1 for none.

    Satellites are numbered shell by shell, plane by plane, along the plane, as `walker.generate` does.
    Each shell is a grid of its own. A Walker delta closes in itself from the last plane to the first, with
    its F slots of shift; a star does not: across its seam satellites fly in opposite directions.
    `per_satellite` 3 drops every other link to the east, 2 all links between planes.
    """
    if not 2 <= per_satellite <= 4:
        raise Refused(
            "lasers.per_satellite",
            "lasers per satellite",
            f"a +grid has 2 to 4, not {per_satellite}",
            "set it to 2, 3 or 4",
        )
    total = sum(shell.planes * shell.satellites_per_plane for shell in shells)
    neighbour = np.full((total, 4), -1, dtype=np.int32)
    first = 0
    for shell in shells:
        count = shell.planes * shell.satellites_per_plane
        if shell.lasers and pattern is not LaserPattern.NONE:
            one = neighbour[first : first + count]
            _link_within_planes(one, shell.planes, shell.satellites_per_plane)
            if per_satellite > 2:
                _link_planes(one, shell, pattern)
            if per_satellite == 3:
                _thin_out(one, shell.satellites_per_plane)
            one[one >= 0] += first
        first += count
    return neighbour


def _link_within_planes(neighbour: Ints, planes: int, per_plane: int) -> None:
    if per_plane < 2:
        return
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    neighbour[:, AHEAD] = plane * per_plane + (slot + 1) % per_plane
    neighbour[:, BEHIND] = plane * per_plane + (slot - 1) % per_plane
    if per_plane == 2:
        # Two satellites need one link, not two of them to the same partner.
        neighbour[slot == 1, AHEAD] = -1
        neighbour[slot == 0, BEHIND] = -1


def _lead_slots(shell: Shell, plane: int) -> float:
    """How far slot 0 of the next plane east leads that of `plane` along the orbit, in slots."""
    closing = plane == shell.planes - 1
    if shell.alternating_phase:
        return ((0 if closing else plane + 1) % 2 - plane % 2) * 0.5
    step = shell.phasing / shell.planes
    return step - shell.phasing if closing else step


def _link_planes(neighbour: Ints, shell: Shell, pattern: LaserPattern) -> None:
    planes, per_plane = shell.planes, shell.satellites_per_plane
    if planes < 2:
        return
    slot = np.arange(per_plane)
    closes = shell.pattern is Pattern.DELTA and planes > 2
    for plane in range(planes if closes else planes - 1):
        beside = (plane + 1) % planes
        # Where the next plane leads by d slots, the partner's slot is d lower; halves go to the even d.
        lead = 0 if pattern is LaserPattern.SAME_INDEX else round(_lead_slots(shell, plane))
        west = plane * per_plane + slot
        east = beside * per_plane + (slot - lead) % per_plane
        neighbour[west, EAST] = east
        neighbour[east, WEST] = west


def _thin_out(neighbour: Ints, per_plane: int) -> None:
    """Keep one link to another plane at every satellite, where the grid allows it, as in a wall of bricks."""
    plane, slot = np.divmod(np.arange(len(neighbour)), per_plane)
    for start in np.flatnonzero((plane + slot) % 2 == 1):
        other = neighbour[start, EAST]
        if other >= 0:
            neighbour[start, EAST] = neighbour[other, WEST] = -1
    # Where a shift breaks the pattern, the link to the west goes.
    for both in np.flatnonzero((neighbour[:, EAST] >= 0) & (neighbour[:, WEST] >= 0)):
        other = neighbour[both, WEST]
        neighbour[both, WEST] = neighbour[other, EAST] = -1
