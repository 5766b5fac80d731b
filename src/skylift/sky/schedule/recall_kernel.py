"""Puts parts of cells back where the slot before served them. Parts and units as in units_kernel."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from skylift.sky.schedule.units_kernel import ONE, look, move, shut


@njit(cache=True)
def recall(
    part_cell, part_of, part_pair, part_channel, row_pair, row_cell, row_channel, row_part, steps, feeder,
    units, list_,
):  # fmt: skip
    """Each unit of the slot before takes its part of the cell again, as far as the rules still let it.

    row_pair, row_cell, row_channel, row_part (R,)  these units, those first that go first; row_part of the
        cell's rate: as many of its parts, at least one
    part_cell  a cell's parts follow one another
    """
    channels = units[11].shape[1]
    fresh = np.empty(channels, np.int64)
    first, end = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.int64)
    for v in range(len(part_cell)):
        if end[part_cell[v]] == 0:
            first[part_cell[v]] = v
        end[part_cell[v]] = v + 1
    count = end - first
    for r in range(len(row_pair)):
        q, c, f = row_pair[r], row_cell[r], row_channel[r]
        parts = min(end[c] - first[c], max(int(row_part[r] * count[c] + 0.5), 1))
        if parts <= 0 or f >= channels:
            continue
        s = list_[1][q]
        room = units[4][s * channels + f] > 0 or units[5][s, 0] > 0 or units[5][s, 1] > 0
        if not room or (look(q, shut(q, c, units, list_), units, list_, fresh) >> np.uint32(f)) & ONE:
            continue
        for v in range(first[c], first[c] + parts):
            move(q, c, f, part_of[v], 1, steps, feeder, units, list_)
            part_pair[v], part_channel[v] = q, f
        first[c] += parts
