"""Histories of dishes as tables: CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skylift.adapters.atomic import save_atomically
from skylift.base.instants import format_instant

Columns = Mapping[str, Sequence[Any]]


def csv_of(columns: Columns) -> str:
    """Times in ISO 8601, alerts separated by semicolons; nothing that a table program takes for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["at" if name == "at_us" else name for name in columns])
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(name, value) for name, value in zip(columns, row, strict=True)])
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    if name == "at_us":
        return format_instant(value)
    if isinstance(value, list):
        value = ";".join(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def write_history(path: Path, columns: Columns) -> None:
    """A .csv or .parquet file; whole, or not at all."""
    if path.suffix.lower() == ".csv":
        save_atomically(path, lambda temporary: Path(temporary).write_text(csv_of(columns), "utf-8"))
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Where nobody ever raised an alert there is none to tell the type by.
    types = {"alerts": pa.list_(pa.string())}
    arrays = {name: pa.array(list(values), types.get(name)) for name, values in columns.items()}
    if "at_us" in arrays:
        arrays = {"at": arrays.pop("at_us").cast(pa.timestamp("us", tz="UTC")), **arrays}
    table = pa.table(arrays)
    save_atomically(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
