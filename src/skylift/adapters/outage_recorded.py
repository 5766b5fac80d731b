"""Recorded files as a source of the outage monitor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skylift.adapters.outage_files import Recording, read_recording
from skylift.ports.probes import Gathered, Left, Measured, Sample, Signal
from skylift.watch.recording import Declared


@dataclass(frozen=True)
class RecordedProbes:
    """One file, read anew each time: it may have grown.

    kind, country  what its entities are, and where
    """

    path: Path
    declared: Declared
    signal: Signal
    kind: str = "region"
    country: str = ""

    def gather(self, since_us: int, until_us: int) -> Gathered:
        return gathered_of(read_recording(self.path, self.declared, self.signal.step_us), self, since_us)


def gathered_of(recording: Recording, how: RecordedProbes, since_us: int = 0) -> Gathered:
    """What a recording holds, as samples; complete up to the end of its last bin."""
    entities = [Measured(how.kind, name, how.country) for name in recording.entities]
    rows = zip(*(column.tolist() for column in recording.samples), strict=True)
    samples = [
        Sample(at_us, entities[series], value, targets, row)
        for at_us, series, value, targets, row in rows
        if at_us >= since_us
    ]
    grid = recording.grid
    left = [Left(one.row, one.reason) for one in recording.rejected]
    return Gathered(samples, grid.at_us(grid.bins), left)
