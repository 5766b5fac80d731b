"""What a set of gateways could do for a region in one slot, told quickly: cells covered, and upper limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Cells, Floats
from skylift.sky.schedule.supply import Offer
from skylift.study.siting_kernel import most_covered, most_tracked

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SlotReach:
    """One slot, cut down to the n satellites that both a cell and a gateway can use.

    wanted_bps     (M,) of cells that are not barred
    cell_offset (n+1,), cell (K,)      the cells that can use each satellite
    offset (n+1,), gateway (J,)        the gateways that can track it
    most_bps (n,)  no schedule puts more through a satellite: its beams at its best rate, its best feeder, and
                   what the cells in its sight want;  order (n,) by falling most_bps
    kinds (U, G), kind_bps (U,)  cells that the same gateways reach, over any satellite: what they want
    """

    wanted_bps: Floats
    cell_offset: Longs
    cell: Longs
    offset: Longs
    gateway: Longs
    most_bps: Floats
    order: Longs
    kinds: Flags
    kind_bps: Floats

    def covered_bps(self, antennas: Longs) -> float:
        """Wanted by the cells that see a tracked satellite. It can be had: see `most_covered`."""
        return float(
            most_covered(self.wanted_bps, self.cell_offset, self.cell, self.offset, self.gateway, antennas)
        )

    def reached_bps(self, works: Flags) -> float:
        """Wanted by the cells that would see one if every gateway could track all satellites in its view.

        A coverage function of the set of gateways: monotone and submodular. Never less than `covered_bps`,
        nor than what a schedule serves.
        """
        return float(self.kind_bps[(self.kinds & works).any(axis=1)].sum())

    def carried_bps(self, antennas: Longs) -> float:
        """The most that satellites tracked at once could carry, were nobody else in anybody's way.

        A greatest-weight matching of satellites to antennas: monotone and submodular in the set of antennas,
        so in that of gateways. Never less than what a schedule serves.
        """
        return float(most_tracked(self.most_bps, self.order, self.offset, self.gateway, antennas))

    def gateways(self) -> set[int]:
        """Those that reach any satellite of the region's cells."""
        return set(np.unique(self.gateway).tolist())


def slot_reach(offer: Offer, cells: Cells) -> SlotReach:
    """Cuts an offer down."""
    n, m, g = len(offer.satellites), len(cells), len(offer.gateways)
    wanted = np.where(cells.barred == 0, cells.wanted_bps.sum(axis=1), 0.0)
    pair_cell = np.repeat(np.arange(m), np.diff(offer.pairs.offset))
    pair_gateway = np.repeat(np.arange(g), np.diff(offer.gateways.offset))
    feeder = offer.gateways.feeders_bps()
    rate = _open_rate(offer)
    pairs = (rate > 0.0) & (wanted[pair_cell] > 0.0)
    feeders = feeder > 0.0
    useful = np.zeros(n, dtype=np.bool_)
    useful[offer.pairs.satellite[pairs]] = True
    reached = np.zeros(n, dtype=np.bool_)
    reached[offer.gateways.satellite[feeders]] = True
    kept = np.flatnonzero(useful & reached)
    compact = np.full(n, -1, dtype=np.int64)
    compact[kept] = np.arange(len(kept))
    pairs &= compact[offer.pairs.satellite] >= 0
    feeders &= compact[offer.gateways.satellite] >= 0
    satellite, cell = compact[offer.pairs.satellite[pairs]], pair_cell[pairs]
    tracked, gateway = compact[offer.gateways.satellite[feeders]], pair_gateway[feeders]
    best_rate, best_feeder, in_sight = np.zeros(len(kept)), np.zeros(len(kept)), np.zeros(len(kept))
    np.maximum.at(best_rate, satellite, rate[pairs])
    np.maximum.at(best_feeder, tracked, feeder[feeders])
    np.add.at(in_sight, satellite, wanted[cell])
    beams = offer.satellites.all_beams()[kept]
    most = np.minimum(np.minimum(beams * best_rate, best_feeder), in_sight)
    reaches = np.zeros((len(kept), g), dtype=np.bool_)
    reaches[tracked, gateway] = True
    by_cell = np.zeros((m, g), dtype=np.bool_)
    np.logical_or.at(by_cell, cell, reaches[satellite])
    kinds, kind_of = np.unique(by_cell, axis=0, return_inverse=True)
    cell_offset, cell = _grouped(satellite, cell, len(kept))
    offset, gateway = _grouped(tracked, gateway, len(kept))
    return SlotReach(
        wanted_bps=wanted,
        cell_offset=cell_offset,
        cell=cell,
        offset=offset,
        gateway=gateway,
        most_bps=most,
        order=np.argsort(-most, kind="stable"),
        kinds=kinds,
        kind_bps=np.asarray(np.bincount(kind_of.ravel(), wanted, len(kinds)), dtype=np.float64),
    )


def _open_rate(offer: Offer) -> Floats:
    """(K,) full rates; 0 where every channel of the pair is barred."""
    words = offer.pairs.barred_channels
    if words is None:
        return offer.pairs.full_rate_bps
    return np.where(words == np.iinfo(words.dtype).max, 0.0, offer.pairs.full_rate_bps)


def _grouped(row: Longs, value: Longs, rows: int) -> tuple[Longs, Longs]:
    order = np.argsort(row, kind="stable")
    offset = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(row, minlength=rows))])
    return offset.astype(np.int64), value[order].astype(np.int64)
