"""A table of figures that others published about the app, row by row, with what is wrong with each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.service.appstats.figures import Imported
from skylift.service.appstats.state import Figure, What, imported

COLUMNS = ("country", "day", "what", "value", "source")
MOST_ROWS = 10_000
_NOBODY = Who(InstantUs(0), "")


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One row: its number in the file, the figure, and in words what is wrong with it; "" for nothing."""

    number: int
    figure: dict[str, Any]
    wrong: str = ""


def read_figures(data: bytes) -> list[FigureRow]:
    """Rows of a CSV in UTF-8. Raises Refused for what is no such table."""
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        given = list(rows)
    except (UnicodeDecodeError, csv.Error):
        raise _no_table() from None
    if tuple(rows.fieldnames or ()) != COLUMNS or len(given) > MOST_ROWS:
        raise _no_table()
    return [_row(number, row) for number, row in enumerate(given, 2)]


def _row(number: int, row: dict[str | Any, str | Any]) -> FigureRow:
    figure: dict[str, Any] = {name: (row.get(name) or "").strip() for name in COLUMNS}
    try:
        if None in row or None in row.values():
            raise Refused("app-figure.row", "the row", "it has as many values as the head", "mend it")
        if figure["what"] not in {what.value for what in What}:
            raise Refused("app-figure.what", "what", "it is rank, installs or active", "mend it")
        try:
            figure["value"] = float(figure["value"])
        except ValueError:
            raise Refused("app-figure.value", "value", "it is a number", "mend it") from None
        imported(Figure(""), _NOBODY, Imported(**figure))
    except Refused as error:
        return FigureRow(number, figure, f"{error.thing}: {error.rule}")
    return FigureRow(number, figure)


def _no_table() -> Refused:
    return Refused(
        "app-figure.table",
        "the file",
        f"it is a CSV in UTF-8 with the head {','.join(COLUMNS)} and at most {MOST_ROWS} rows",
        "write such a table",
    )
