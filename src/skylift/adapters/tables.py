"""Tables from CSV and XLSX files that strangers have made: what is in them, and nothing of it computed.

CSV   commas, semicolons, tabs or bars; UTF-8 or UTF-16, anything else must be declared
XLSX  read by calamine, in Rust: twenty times as fast as openpyxl (docs/why/001). Before that every part is
      unpacked here, within limits, and packed anew without compression: what the archive says of its sizes
      is believed by nobody, and calamine sees these very bytes alone
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from defusedxml import ElementTree  # type: ignore[import-untyped]
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]

from skylift.base.errors import Refused
from skylift.twin.office.imports_table import Oddity, Table

KIND = "table"
MOST_BYTES = 32 * 1024 * 1024
MOST_ROWS = 200_000
MOST_COLUMNS = 64
# From the first cell to the last, the empty ones between them too: readers keep room for each.
MOST_CELLS = 6_000_000
# What an XLSX of so many rows unpacks to, and twice that.
MOST_UNPACKED_BYTES = 256 * 1024 * 1024
MOST_PARTS = 200
# Those that are tried on a text that is declared to be so written.
ENCODINGS = ("utf-8", "utf-16", "cp1251", "cp1252", "cp1250", "koi8-u", "cp866", "iso-8859-2", "iso-8859-5")
DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read.

    sheet     number of the sheet from 1, or its name; "": the only one
    workbook  who sends it says that it is an XLSX
    """

    encoding: str = ""
    sheet: str = ""
    workbook: bool = False


def read_table(data: bytes, reading: Reading = Reading()) -> Table:
    """A table of a CSV or XLSX file, told apart by its bytes. Raises Refused; no cell is repeated."""
    if len(data) > MOST_BYTES:
        raise Refused(
            f"{KIND}.too-large", "the file", f"it has at most {MOST_BYTES >> 20} MiB", "split it into several"
        )
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(
            f"{KIND}.kind",
            "the file",
            "it is an .xls, or locked with a password",
            "save it without a password as .xlsx or as CSV in UTF-8",
        )
    # One that lost its beginning still has its directory, at its end.
    if data.startswith(b"PK\x03\x04") or b"PK\x01\x02" in data or reading.workbook:
        return _of_xlsx(data, reading)
    if reading.sheet:
        raise Refused(f"{KIND}.sheet", "the sheet", "only an XLSX file has sheets", "leave it out")
    return _of_csv(data, reading.encoding)


def _table(rows: Iterable[Sequence[str]], data: bytes, odd: dict[tuple[int, int], Oddity]) -> Table:
    headings: tuple[str, ...] | None = None
    kept: list[tuple[int, Sequence[str]]] = []
    empty = 0
    for number, cells in enumerate(rows, 1):
        if not any(cells) or not any(cell.strip() for cell in cells):
            empty += headings is not None
            continue
        if headings is None:
            if number > 1:
                raise Refused(
                    f"{KIND}.headings", "row 1", "it is empty: the headings are the first row", "move them up"
                )
            headings = _headings(cells)
            continue
        if len(kept) == MOST_ROWS:
            raise Refused(
                f"{KIND}.too-long", "the table", f"it has at most {MOST_ROWS} rows", "split it into several"
            )
        kept.append((number, cells))
    if headings is None:
        raise Refused(f"{KIND}.empty", "the table", "there is nothing in it", "check the file, or the sheet")
    return Table(headings, kept, hashlib.sha256(data).hexdigest(), odd, empty)


def _headings(cells: Sequence[str]) -> tuple[str, ...]:
    names = [cell.strip() for cell in cells]
    while not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise Refused(
            f"{KIND}.too-wide", "the table", f"it has at most {MOST_COLUMNS} columns", "delete the others"
        )
    return tuple(names)


# --- CSV


def _of_csv(data: bytes, encoding: str) -> Table:
    text = _decoded(data, encoding)
    head, _, rest = text.partition("\n")
    declared = re.fullmatch(r'"?sep=(.)"?\r?', head)
    delimiter = declared[1] if declared else ""
    if declared:
        text = rest
    delimiter = delimiter or max(DELIMITERS, key=lambda one: _cells_of_first(text, one))
    odd: dict[tuple[int, int], Oddity] = {}
    return _table(_records(text, delimiter), data, odd)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            yield cells
    except csv.Error:
        raise Refused(
            f"{KIND}.csv",
            f"row {number + 1}",
            "this is not CSV: a quote is not closed, text stands behind one, or a cell is very long",
            "save it anew as CSV",
        ) from None


def _cells_of_first(text: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter), ()))
    except csv.Error:
        return 0


def _decoded(data: bytes, declared: str) -> str:
    """The text. What is declared counts; without that, UTF-8, or UTF-16 with its mark."""
    name = declared.lower().replace("_", "-").replace("windows-", "cp")
    name = {"utf8": "utf-8", "utf16": "utf-16"}.get(name, name)
    if name and name not in ENCODINGS:
        raise Refused(
            f"{KIND}.encoding", "the encoding", "it is not known here", f"one of {', '.join(ENCODINGS)}"
        )
    if not name:
        name = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = data.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Refused(
            f"{KIND}.encoding",
            "the file",
            f"it is not written in {name.upper()}",
            "save it as CSV in UTF-8, or declare what it is written in, such as cp1251",
        ) from None
    if "\0" in text:
        raise Refused(
            f"{KIND}.encoding",
            "the file",
            "it holds zero characters: it is no text, or UTF-16 without its mark",
            "save it as CSV in UTF-8, or declare utf-16",
        )
    return text


# --- XLSX

_BROKEN = (
    zipfile.BadZipFile, zlib.error, ElementTree.ParseError, DefusedXmlException, KeyError, ValueError,
    NotImplementedError, RuntimeError, EOFError, OSError,
)  # fmt: skip
_PARTS = re.compile(
    r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/(?!externalLinks/)[\w./-]+\.(?:xml|rels))", re.ASCII
)
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_PLACE = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]{0,3})(\d{1,7})""")
_FORMULA = re.compile(
    rb"""<(?:\w+:)?c\b[^<>]*?\br\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["'][^<>]*>\s*<(?:\w+:)?f[\s/>]"""
)
_ERROR = re.compile(
    rb"""<(?:\w+:)?c\b(?=[^<>]*?\bt\s*=\s*["']e["'])[^<>]*?\br\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["']"""
)
_ANY_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


def _of_xlsx(data: bytes, reading: Reading) -> Table:
    try:
        parts = _unpacked(data)
        name, part = _sheet(parts, reading.sheet)
        odd = _uncomputed(parts[part])
        return _table(_sheet_rows(_packed(parts), name, odd), data, odd)
    except Refused:
        raise
    except _BROKEN:
        raise _no_xlsx() from None


def _no_xlsx() -> Refused:
    return Refused(
        f"{KIND}.xlsx", "the file", "it is no XLSX that can be read", "save it anew as .xlsx, or as CSV"
    )


def _unpacked(data: bytes) -> dict[str, bytes]:
    """The parts that a sheet needs. Whatever is said of their sizes, no more than the limit is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_PARTS:
            raise _bomb()
        parts: dict[str, bytes] = {}
        left = MOST_UNPACKED_BYTES
        for info in infos:
            if not _PARTS.fullmatch(info.filename) or info.filename in parts:
                continue
            with archive.open(info) as part:
                body = part.read(left + 1)
            left -= len(body)
            if left < 0:
                raise _bomb()
            # UTF-16, which what is looked for below would not be found in.
            if b"\0" in body or b"<!DOCTYPE" in body[:1000] or b"<!ENTITY" in body:
                raise _no_xlsx()
            parts[info.filename] = body
    if "xl/workbook.xml" not in parts:
        raise _no_xlsx()
    return parts


def _bomb() -> Refused:
    return Refused(
        f"{KIND}.unpacked",
        "the file",
        f"it unpacks to more than {MOST_UNPACKED_BYTES >> 20} MiB, or {MOST_PARTS} parts",
        "save the rows alone, as a new .xlsx or as CSV",
    )


def _packed(parts: dict[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, body in parts.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    out.seek(0)
    return out


def _sheet(parts: dict[str, bytes], wanted: str) -> tuple[str, str]:
    """Name and part of the sheet that is meant. A workbook with several must be told which."""
    sheets = _sheets(parts)
    filled = [one for one in sheets if re.search(rb"<(?:\w+:)?c[\s>]", parts[one[1]])]
    chosen: tuple[str, str] | None = None
    if wanted:
        by_name = [one for one in sheets if one[0] == wanted]
        by_number = sheets[int(wanted) - 1 : int(wanted)] if re.fullmatch(r"[1-9]\d?", wanted) else []
        chosen = next(iter(by_name or by_number), None)
    elif len(filled) == 1:
        chosen = filled[0]
    if chosen is None:
        told = ", ".join(str(sheets.index(one) + 1) for one in filled) or "none"
        raise Refused(
            f"{KIND}.sheet",
            "the sheet",
            f"the file has {len(sheets)} sheets, and there is something in: {told}",
            "say which is meant, by its number or its name",
        )
    _refuse_far_cells(parts[chosen[1]])
    return chosen


def _sheets(parts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Names and parts of all sheets with cells, in the order in which they are shown."""
    goals = {
        one.get("Id"): str(one.get("Target"))
        for one in ElementTree.fromstring(parts["xl/_rels/workbook.xml.rels"])
    }
    book = ElementTree.fromstring(parts["xl/workbook.xml"])
    found = []
    for space in (_MAIN, _STRICT):
        for one in book.iter(f"{space}sheet"):
            id = next((value for name, value in one.attrib.items() if name.endswith("}id")), None)
            goal = goals.get(id, "")
            part = goal.removeprefix("/") if goal.startswith("/") else f"xl/{goal}"
            if part in parts:
                found.append((str(one.get("name")), part))
    if not found:
        raise _no_xlsx()
    return found


def _refuse_far_cells(body: bytes) -> None:
    """A cell at the far end of a sheet makes readers fill in all that is between."""
    widest = longest = 0
    for letters, digits in _PLACE.findall(body):
        longest = max(longest, int(digits))
        if letters:
            widest = max(widest, _place_of(letters))
    if longest > MOST_ROWS + 1 or widest >= MOST_COLUMNS or longest * (widest + 1) > MOST_CELLS:
        raise Refused(
            f"{KIND}.far-cell",
            "the sheet",
            f"a cell in it, if only an empty one, is beyond row {MOST_ROWS + 1} or column {MOST_COLUMNS}, or "
            f"there are more than {MOST_CELLS} between the first and the last",
            "copy the rows that are meant into a new sheet",
        )


def _place_of(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place - 1


def _uncomputed(body: bytes) -> dict[tuple[int, int], Oddity]:
    """Cells with a formula, and those with an error."""
    found = {(int(digits), _place_of(letters)): Oddity.FORMULA for letters, digits in _FORMULA.findall(body)}
    if len(found) != len(_ANY_FORMULA.findall(body)):
        # One in a cell without an address cannot be told from the others.
        raise Refused(
            f"{KIND}.formula", "the sheet", "there are formulas in it", "paste what they give, as values"
        )
    # An error is read as an empty cell.
    errors = {(int(digits), _place_of(letters)) for letters, digits in _ERROR.findall(body)}
    return dict.fromkeys(errors, Oddity.ERROR) | found


def _sheet_rows(packed: io.BytesIO, name: str, odd: dict[tuple[int, int], Oddity]) -> Iterator[list[str]]:
    """The rows from the first of the sheet on; what is no text is noted in `odd`."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        sheet = CalamineWorkbook.from_filelike(packed).get_sheet_by_name(name)
        # A sheet's rows begin with the first that is filled; ours are numbered from the top.
        first = sheet.start or (0, 0)
        for _ in range(first[0]):
            yield []
        for number, cells in enumerate(sheet.iter_rows(), first[0] + 1):
            yield [""] * first[1] + [_text(cell, number, first[1] + n, odd) for n, cell in enumerate(cells)]
    except CalamineError:
        raise _no_xlsx() from None


def _text(cell: Any, number: int, place: int, odd: dict[tuple[int, int], Oddity]) -> str:
    if type(cell) is str:
        return cell
    key = (number, place)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        odd.setdefault(key, Oddity.NUMBER)
        return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else repr(float(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        odd.setdefault(key, Oddity.DATE)
        return cell.isoformat()
    odd.setdefault(key, Oddity.ERROR)
    return "" if cell is None else str(cell)
