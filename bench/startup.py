"""The second start of a command, kernels from the cache: `skylift ephemeris` on a generated catalogue."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.harness import Case, Result
from bench.propagation import START_US, build
from skylift.base.instants import format_instant

LIMIT_S = 2.0


class Sides:
    """Writes the catalogue once, and starts the command in a process of its own each time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def prepare(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        (Path(self.folder.name) / "in.tle").write_text(build(self.seed).text + "\n")

    def ours(self) -> Path:
        assert self.folder is not None
        folder = Path(self.folder.name)
        subprocess.run(
            [
                *(sys.executable, "-m", "skylift", "ephemeris", str(folder / "in.tle")),
                *("--at", format_instant(START_US), "--frame", "teme", "-o", str(folder / "out.parquet")),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        return folder / "out.parquet"

    def error_m(self, ours: Path, _: object) -> float:
        """What the command wrote, against `sgp4`."""
        import pyarrow.parquet as pq
        from sgp4.api import SatrecArray

        given = build(self.seed)
        jd, fraction = given.julian()
        _, position_km, _ = SatrecArray(given.records).sgp4(jd[:1], fraction[:1])
        table = pq.read_table(ours)
        found = np.stack([table[name].to_numpy() for name in ("x_m", "y_m", "z_m")], axis=1)
        return float(np.max(np.abs(found - position_km[:, 0] * 1e3)))


def _quick(result: Result) -> bool:
    return result.ours.wall_s < LIMIT_S and result.max_error is not None and result.max_error <= 1e-3


def cases(seed: int) -> list[Case]:
    sides = Sides(seed)
    return [
        Case(
            id="startup-second",
            ours=sides.ours,
            peer=None,
            peer_name="",
            peer_version="",
            compare=sides.error_m,
            limit="whole command on 10,000 objects < 2 s wall, error <= 1e-3 m",
            ok=_quick,
            seed=seed,
            # What a person waits for: the command may use what a small machine has.
            threads=2,
            prepare=sides.prepare,
        )
    ]
