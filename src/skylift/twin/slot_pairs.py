"""Parts of a slot: the same cells and satellites, with fewer pairs of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Slot, UserPairs

Flags = npt.NDArray[np.bool_]


def pairs_among(slot: Slot, cell: npt.NDArray[np.int64], satellite: npt.NDArray[np.int32]) -> Flags:
    """(K,) which pairs of a slot are among these, given by their columns."""
    site, n = np.repeat(np.arange(len(slot.cells)), np.diff(slot.pairs.offset)), len(slot.satellites)
    among: Flags = np.isin(site * n + slot.pairs.satellite, cell * n + satellite)
    return among


def only_pairs(slot: Slot, kept: Flags) -> Slot:
    """The slot with these pairs (K,) alone."""
    pairs = slot.pairs
    whole = np.concatenate([[0], np.cumsum(kept)])
    return replace(
        slot,
        pairs=UserPairs(
            offset=whole[pairs.offset].astype(np.int64),
            satellite=pairs.satellite[kept],
            full_rate_bps=pairs.full_rate_bps[kept],
            barred_channels=None if pairs.barred_channels is None else pairs.barred_channels[kept],
        ),
    )
