"""A table as people hand it in: headings, rows with their numbers, and what is wrong with single cells.

Whoever reads files makes one (adapters/tables.py). Rows are numbered as a spreadsheet does: the headings are
row 1, and a cell with a line break in it is in one row.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skylift.base.errors import Refused

MOST_CELL = 4_000
FIXED = "correct the row, or leave this cell empty"


class Oddity(enum.Enum):
    """What a spreadsheet's cell is, where it is no plain text."""

    NUMBER = "number"
    DATE = "date"
    FORMULA = "formula"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Table:
    """rows: their numbers and cells; odd: what single cells are, by row number and place.

    digest  of the file as it came: the same file gives the same
    empty   how many rows had nothing in them
    """

    headings: tuple[str, ...]
    rows: Sequence[tuple[int, Sequence[str]]]
    digest: str
    odd: Mapping[tuple[int, int], Oddity] = field(default_factory=dict)
    empty: int = 0


class BadCell(NamedTuple):
    """Why a row cannot be taken. column: "" where it is the row as a whole. No value is repeated."""

    row: int
    column: str
    reason: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Column:
    """One that a kind of table may have.

    read      a text that is not empty -> the value; raises Refused
    write     the other way, for exports
    personal  it goes to rows that can be erased, and is never exported
    takes     what a spreadsheet's cell may be beside text
    fixed     what is to be done where a thing that is there has another value, and an import sets none
    """

    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    aliases: tuple[str, ...] = ()
    personal: bool = False
    takes: tuple[Oddity, ...] = ()
    fixed: str = FIXED


def places(table: Table, columns: Sequence[Column], needs: Sequence[Collection[str]], kind: str) -> list[str]:
    """The column of each heading, in order. Raises Refused for the whole table; no heading is repeated.

    needs  of each of these, one at least must be there
    """
    known = {_plain(name): column.name for column in columns for name in (column.name, *column.aliases)}
    found: list[str] = []
    for place, heading in enumerate(table.headings, 1):
        name = known.get(_plain(heading))
        if name is None or name in found:
            raise Refused(
                f"{kind}.column",
                f"column {place}",
                "two columns have the same heading" if name else "its heading is not known",
                f"use only {', '.join(column.name for column in columns)}, and delete the others",
            )
        found.append(name)
    missing = [" or ".join(sorted(some)) for some in needs if not set(some) & set(found)]
    if missing:
        raise Refused(
            f"{kind}.column-missing",
            "the table",
            f"it lacks {', and '.join(missing)}",
            "add it, with a heading; the headings are its first row",
        )
    return found


def _plain(heading: str) -> str:
    return re.sub(r"[\s_-]", "", heading).casefold()


_ODD = {
    Oddity.FORMULA: (
        "it is a formula, and formulas are never computed here",
        "paste what it gives, as a value",
    ),
    Oddity.ERROR: ("the spreadsheet has an error there", "correct it, or empty the cell"),
    Oddity.NUMBER: (
        "it is stored as a number: zeros at its beginning are lost, and so are digits after the fifteenth",
        "format the column as text, and type it anew",
    ),
    Oddity.DATE: ("it is stored as a date", "format the column as text, and type it anew"),
}
# What a spreadsheet makes of a long number when it saves CSV.
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,3}", re.IGNORECASE | re.ASCII)


def read_row(
    number: int,
    cells: Sequence[str],
    columns: Sequence[Column],
    odd: Mapping[tuple[int, int], Oddity],
) -> tuple[dict[str, Any], list[BadCell]]:
    """The values of a row by column, those of empty cells left out; and what is wrong with it."""
    row: dict[str, Any] = {}
    bad: list[BadCell] = []
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        bad.append(BadCell(number, "", "it has more cells than there are headings", "remove them"))
    for place, (column, cell) in enumerate(zip(columns, cells, strict=False)):
        text = cell.strip()
        if odd:
            oddity = odd.get((number, place))
            if oddity is not None and oddity not in column.takes:
                bad.append(BadCell(number, column.name, *_ODD[oddity]))
                continue
        if not text:
            continue
        try:
            row[column.name] = _value(column, text)
        except Refused as error:
            bad.append(BadCell(number, column.name, error.rule, error.way_out))
    return row, bad


def _value(column: Column, text: str) -> Any:
    if len(text) > MOST_CELL:
        raise Refused("", "", f"it has more than {MOST_CELL} characters", "shorten it")
    if text[0] == "'" and text.lstrip("'")[:1] in _GUARDED:
        text = text[1:]
    if not column.takes and text[-3:-2] in "+E" and _ROUNDED.fullmatch(text):
        raise Refused("", "", *_ODD[Oddity.NUMBER])
    return column.read(text)


# With one of these before it a spreadsheet takes a text for a formula (owasp.org, CSV Injection).
_GUARDED = frozenset("=+-@\t\r")


def guarded(text: str) -> str:
    """A cell of a CSV that no spreadsheet computes. `read_row` takes the guard off."""
    return f"'{text}" if text.lstrip("'")[:1] in _GUARDED else text
