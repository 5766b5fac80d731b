"""Satellites with several arrays, each of which lights all channels: as if each array were a satellite.

A satellite's arrays stand in one place and share one gateway antenna. To the rules between beams they are
strangers: on a channel a second array may only light what the first one's beam does not cover.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skylift.sky.schedule.problem import Floats, Ints, Satellites, Schedule, Slot, UserPairs
from skylift.sky.schedule.units import Asked

# Satellite, polarisation, channel, cell, beam (R, 5); shares (R,); full rates (R,).
Rows = tuple[Ints, Floats, Floats]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrays:
    """A slot with each array by itself: N satellites, A arrays.

    of     int64 (A,) whose each is, satellites in order; number (A,) from 0 among its satellite's
    first  int64 (N,) each satellite's first array
    """

    slot: Slot
    asked: Asked
    of: Indices
    number: Indices
    first: Indices

    @classmethod
    def apart(cls, slot: Slot, asked: Asked) -> Arrays:
        """Each array of a satellite that has a feeder, with an even part of it."""
        satellites, pairs = slot.satellites, slot.pairs
        count = np.where(asked.feeder_bps > 0.0, satellites.arrays_each(), 1).astype(np.int64)
        first = np.cumsum(count) - count
        of = np.repeat(np.arange(len(satellites)), count)
        pair, number = _repeated(count[pairs.satellite])
        ends = np.concatenate([[0], np.cumsum(count[pairs.satellite])])
        apart = UserPairs(
            offset=ends[pairs.offset].astype(np.int64),
            satellite=(first[pairs.satellite[pair]] + number).astype(np.int32),
            full_rate_bps=pairs.full_rate_bps[pair],
            barred_channels=None if pairs.barred_channels is None else pairs.barred_channels[pair],
        )
        position_m = np.ascontiguousarray(satellites.position_ecef_m[:, of])
        return cls(
            slot=replace(slot, satellites=Satellites(position_m, satellites.beams[of]), pairs=apart),
            asked=Asked(
                asked.full_rate_bps[pair],
                asked.barred_channels[pair],
                asked.kept[pair],
                asked.steps,
                (asked.feeder_bps / count)[of],
            ),
            of=of,
            number=np.arange(len(of)) - first[of],
            first=first,
        )

    def previous(self, before: Schedule | None) -> Schedule | None:
        """The schedule of the slot before, of arrays; a satellite numbers the beams of all its arrays."""
        if before is None:
            return None
        beams = self.slot.satellites.beams[self.first[before.satellite], before.polarisation]
        number = before.beam // np.maximum(beams, 1)
        array = self.first[before.satellite] + number
        # Where its antenna is gone, or fewer arrays are left, the first one stands for all.
        array = np.where(
            self.of[np.minimum(array, len(self.of) - 1)] == before.satellite,
            array,
            self.first[before.satellite],
        )
        return replace(
            before,
            satellite=array.astype(np.int32),
            beam=(before.beam - number * beams).astype(np.int32),
            gateway_of=before.gateway_of[self.of],
        )

    def together(self, rows: Rows) -> Rows:
        """Rows (R, 5) of satellite, polarisation, channel, cell, beam: of satellites again."""
        row = rows[0].copy()
        beams = self.slot.satellites.beams[row[:, 0], row[:, 1]]
        row[:, 4] += (self.number[row[:, 0]] * beams).astype(np.int32)
        row[:, 0] = self.of[row[:, 0]]
        return row, rows[1], rows[2]


def _repeated(count: Indices) -> tuple[Indices, Indices]:
    """Each index as often as its count says, and which time it is."""
    index = np.repeat(np.arange(len(count)), count)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
