"""Rows of CSV and Parquet files, with their numbers; a row that cannot be read costs no other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from skylift.base.errors import Refused
from skylift.base.texts import printable

Row = Mapping[str, Any]


def read_rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, Row | str]]:
    """Rows of a file that has these columns, counted as an editor counts; of a broken one the reason.

    Raises Refused where a column is missing or stands twice, or the file cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path, wanted)
    return _csv_rows(path, wanted)


def _csv_rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, Row | str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as failure:
        raise Refused("outages.file", path.name, failure.strerror or "unreadable", "check the name") from None
    except UnicodeDecodeError:
        raise Refused("outages.encoding", path.name, "it is not UTF-8", "convert it to UTF-8") from None
    # Line by line: to a reader of the whole, a quote that is not closed swallows all rows up to the next.
    lines = io.StringIO(text, newline=None)
    header = _cells(next(lines, ""))
    _check_columns(path.name, wanted, header if isinstance(header, list) else ())
    for number, line in enumerate(lines, 2):
        cells = _cells(line)
        if isinstance(cells, str):
            yield number, cells
        elif len(cells) > len(header):
            yield number, f"it has {len(cells)} cells under {len(header)} columns"
        elif cells:
            yield number, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))


def _cells(line: str) -> list[str] | str:
    """What stands in a line, or why nobody can tell."""
    line = line.rstrip("\n")
    if not line:
        return []
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return "a quotation mark is not closed in its row"


def _parquet_rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, Row | str]]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowInvalid):
        raise Refused("outages.file", path.name, "it is no readable Parquet file", "check the name") from None
    _check_columns(path.name, wanted, file.schema_arrow.names)
    number = 0
    for batch in file.iter_batches(columns=list(wanted)):
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _check_columns(name: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    missing = [column for column in wanted if column not in there]
    if missing:
        raise Refused(
            "outages.columns",
            f"{name}: column {', '.join(missing)}",
            "it is not there",
            f"the file has: {printable(', '.join(there)) or 'no header'}",
        )
    twice = [column for column in dict.fromkeys(wanted) if there.count(column) > 1]
    if twice:
        raise Refused(
            "outages.columns", f"{name}: column {', '.join(twice)}", "it stands twice", "rename one of them"
        )
