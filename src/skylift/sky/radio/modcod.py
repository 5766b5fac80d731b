"""MODCOD tables: which modulation and code a signal-to-noise ratio carries, and how many bits that is."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skylift.base.errors import Refused
from skylift.sky.radio.power import Floats

_COLUMNS = ["name", "bits_per_symbol", "es_n0_db"]


@dataclass(frozen=True, slots=True)
class ModcodTable:
    """R rows: name, bits_per_symbol (R,), es_n0_db (R,) needed; both ascending, so that no row is worse
    than another in both. `best` picks rows by index."""

    name: tuple[str, ...]
    bits_per_symbol: Floats
    es_n0_db: Floats

    def best(self, es_n0_db: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Row of the most bits that each Es/N0 carries, any shape; -1 for none (also for nan)."""
        ratio_db = np.nan_to_num(np.asarray(es_n0_db, dtype=np.float64), nan=-np.inf)
        return np.asarray(np.searchsorted(self.es_n0_db, ratio_db, side="right") - 1, dtype=np.intp)

    def bits_at(self, row: npt.NDArray[np.intp]) -> Floats:
        """Bits per symbol of rows of `best`, any shape; 0 for -1."""
        return np.where(row >= 0, self.bits_per_symbol[np.maximum(row, 0)], 0.0)

    def name_at(self, row: int) -> str | None:
        return self.name[row] if row >= 0 else None


def modcod_table(text: str, source: str, modulations: tuple[str, ...] = ()) -> ModcodTable:
    """A table from CSV with the columns name, bits_per_symbol, es_n0_db; lines from # on are comments.

    Rows that need more than another row and carry no more bits are left out. With `modulations`, only rows
    whose name begins with one of them ("16QAM 3/4": 16QAM). Raises Refused, naming `source`.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    if not rows or list(rows[0]) != _COLUMNS:
        raise Refused(
            "modcod.columns",
            source,
            f"a MODCOD table has the columns {', '.join(_COLUMNS)}",
            "add a first line",
        )
    try:
        found = [(float(row["es_n0_db"]), float(row["bits_per_symbol"]), row["name"].strip()) for row in rows]
    except (TypeError, ValueError):
        raise Refused("modcod.number", source, "bits and Es/N0 are numbers", "mend the row") from None
    if modulations:
        found = [row for row in found if row[2].split(" ")[0] in modulations]
    kept: list[tuple[float, float, str]] = []
    for row in sorted(found, key=lambda row: (row[0], -row[1])):
        if not kept or row[1] > kept[-1][1]:
            kept.append(row)
    if not kept:
        raise Refused("modcod.empty", source, "no row is left of this MODCOD table", "check the modulations")
    return ModcodTable(
        name=tuple(row[2] for row in kept),
        bits_per_symbol=np.array([row[1] for row in kept]),
        es_n0_db=np.array([row[0] for row in kept]),
    )
