"""Positions to Parquet, block by block: memory stays that of one block, and a file is whole or not there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from skylift.adapters.atomic import save_atomically
from skylift.sky.orbit.ephemeris import Ephemeris

SCHEMA = pa.schema(
    [
        ("norad", pa.int32()),
        ("at_us", pa.int64()),
        ("x_m", pa.float64()),
        ("y_m", pa.float64()),
        ("z_m", pa.float64()),
        ("error", pa.uint8()),
    ]
)


def write_ephemeris(path: Path, norad: npt.NDArray[np.int32], blocks: Iterable[Ephemeris], frame: str) -> int:
    """Writes one row per instant and object, instants first; positions of rows with an error are null.

    Returns the number of rows. The file's metadata tell the frame (`skylift.frame`).
    """
    schema = SCHEMA.with_metadata({"skylift.frame": frame})
    rows = 0

    def save(part: Path) -> None:
        nonlocal rows
        with pq.ParquetWriter(part, schema) as writer:
            for block in blocks:
                for k in range(len(block.at_us)):
                    writer.write_table(_table(norad, block, k, schema))
                    rows += len(norad)

    save_atomically(path, save)
    return rows


def _table(norad: npt.NDArray[np.int32], block: Ephemeris, k: int, schema: pa.Schema) -> pa.Table:
    unknown = ~block.valid[k]
    positions = [pa.array(block.position_ecef_m[k, axis], mask=unknown) for axis in range(3)]
    at_us = pa.array(np.full(len(norad), block.at_us[k]))
    return pa.table([pa.array(norad), at_us, *positions, pa.array(block.error[k])], schema=schema)
