"""CSV rows and scanned codes -> lines. One bad row and none is read; each is told with its reason.

Scanners put a symbology identifier before a code ("]C1", ISO/IEC 15424), and boxes carry GS1 element
strings, in which 01 is the product's GTIN and 21 the serial (GS1 General Specifications, section 3):
"(01)...(21)KIT0001", or without brackets and with a separator. Of these the serial is read; anything else is
a serial as it stands.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.service.shipment.events import Line
from skylift.service.shipment.goods import KIND, Goods, read_line

COLUMNS = ("product", "quantity", "serial")
_ALIASES = {
    "product": ("productcode", "model", "товар", "модель"),
    "quantity": ("qty", "count", "кількість", "количество"),
    "serial": ("serialnumber", "kit", "kitnumber", "серійнийномер", "серийныйномер"),
}
_COLUMN_OF = {alias: column for column, aliases in _ALIASES.items() for alias in (column, *aliases)}

_SYMBOLOGY = re.compile(r"\](?:[A-Za-z]\w)")
_GROUP = "\x1d"
_BRACKETED = re.compile(r"(?:\(\d{2,4}\)[^()]+)+")
_SERIAL_IN_BRACKETS = re.compile(r"\(21\)([^()]+)")
_PLAIN_GS1 = re.compile(rf"01\d{{14}}(?:1[0-7]\d{{6}})*21([^{_GROUP}]{{1,20}})(?:{_GROUP}.*)?")


@dataclass(frozen=True, slots=True)
class BadRow:
    """Why a row cannot be taken. number: its line in the text, from 1."""

    number: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class ReadLines:
    """Lines, counts of one product added up; none where there is a bad row."""

    lines: tuple[Line, ...]
    bad: tuple[BadRow, ...]


def of_csv(text: str) -> ReadLines:
    """Lines of a CSV text with commas, semicolons or tabs, and headings: product, quantity, serial.

    A row has a serial, or a quantity, or both with the quantity 1. Raises Refused where the headings are not
    these.
    """
    table = _table(text.removeprefix("\ufeff"))
    columns = _columns(table)
    lines, bad, seen = list[Line](), list[BadRow](), dict[str, int]()
    for number, cells in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        row = {column: _cell(cells, place) for column, place in columns.items()}
        try:
            if len(cells) > len(columns):
                raise Refused("shipment.row", "", "it has more cells than there are headings", "remove them")
            line = read_line(row["product"], _quantity(row), row.get("serial", ""))
        except Refused as refusal:
            bad.append(BadRow(number, refusal.thing, f"{refusal.rule}; {refusal.way_out}"))
            continue
        if line.serial in seen:
            bad.append(
                BadRow(number, "serial", f"it is the same as in row {seen[line.serial]}; name it once")
            )
            continue
        if line.serial:
            seen[line.serial] = number
        lines.append(line)
    return ReadLines(() if bad else Goods().plus(lines).lines(), tuple(bad))


def of_scans(text: str, product: str, despite_bad: bool = False) -> ReadLines:
    """Lines of codes as a scanner types them, one on each line, all of one product.

    despite_bad  the good ones also where some are bad: for looking at them
    The same code twice in a row is one trigger pulled twice; the same later on is told as a bad row.
    """
    product = labels.code(product, KIND, "product")
    lines, bad, seen, before = list[Line](), list[BadRow](), dict[str, int](), ""
    # Not splitlines: that would cut at the separator that GS1 codes have inside.
    for number, raw in enumerate(text.replace("\r", "\n" if "\n" not in text else "").split("\n"), 1):
        scanned = raw.strip(" \t")
        if not scanned or scanned == before:
            continue
        before = scanned
        try:
            serial = labels.serial(serial_of_code(scanned), KIND)
        except Refused as refusal:
            bad.append(BadRow(number, "code", f"{refusal.rule}; {refusal.way_out}"))
            continue
        if serial in seen:
            bad.append(
                BadRow(number, "code", f"it was scanned before, as {seen[serial]}; scan each box once")
            )
            continue
        seen[serial] = number
        lines.append(Line(product, 1, serial))
    return ReadLines(() if bad and not despite_bad else Goods().plus(lines).lines(), tuple(bad))


def serial_of_code(scanned: str) -> str:
    """The serial within a scanned code. Raises Refused for a GS1 code without one, and for a link."""
    code = _SYMBOLOGY.sub("", scanned, count=1) if scanned.startswith("]") else scanned
    code = code.removeprefix(_GROUP)
    if "://" in code:
        raise Refused("shipment.code", "code", "it is a link, not a serial", "scan the bar code beside it")
    if _BRACKETED.fullmatch(code):
        found = _SERIAL_IN_BRACKETS.search(code)
    else:
        found = _PLAIN_GS1.fullmatch(code)
        if found is None:
            return code
    if found is None:
        raise Refused(
            "shipment.code",
            "code",
            "it has a product's number and no serial",
            "scan the code with the serial",
        )
    return found.group(1)


def _table(text: str) -> list[list[str]]:
    heading = text.partition("\n")[0]
    try:
        return list(csv.reader(text.splitlines(), delimiter=max(",;\t", key=heading.count), strict=True))
    except csv.Error:
        raise Refused(
            "shipment.csv", "lines", "this is not CSV: a quote is not closed", "write it anew as CSV"
        ) from None


def _columns(table: list[list[str]]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for place, heading in enumerate(table[0] if table else ()):
        column = _COLUMN_OF.get(re.sub(r"[\s_-]", "", heading).casefold())
        if column is None or column in columns:
            raise Refused(
                "shipment.column",
                f"column {place + 1}",
                "two columns have the same heading" if column else "its heading is not known",
                f"use only {', '.join(COLUMNS)}",
            )
        columns[column] = place
    if "product" not in columns or len(columns) < 2:
        raise Refused(
            "shipment.column", "lines", "they have the columns product, and quantity or serial", "add them"
        )
    return columns


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _quantity(row: dict[str, str]) -> int:
    text = row.get("quantity", "")
    if not text and row.get("serial"):
        return 1
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Refused("shipment.quantity", "quantity", "it is a whole number", "write for example 20")
    return int(text)
