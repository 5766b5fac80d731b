"""Tables as strangers hand them in: every way that spreadsheets write CSV, and XLSX files that mean harm."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters import tables
from skylift.adapters.tables import Reading, read_table
from skylift.base.errors import Refused
from skylift.twin.office.imports_table import Oddity, Table

ROWS = [["SN-0001", "Łódź, the first"], ["SN-0002", "two\nlines"], ["SN-0003", 'a "quote"']]


def cells(table: Table) -> list[list[str]]:
    return [list(row) for _, row in table.rows]


def csv_of(delimiter: str, end: str) -> str:
    quoted = (",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in ROWS)
    return end.join(
        (f"serial{delimiter}title", *(row.replace('","', f'"{delimiter}"') for row in quoted), "")
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-sig"])
def test_csv_however_it_is_written(delimiter: str, end: str, encoding: str) -> None:
    text = csv_of(delimiter, end)
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-sig" else text.encode(encoding)
    table = read_table(data)
    assert table.headings == ("serial", "title")
    assert cells(table) == ROWS
    assert [number for number, _ in table.rows] == [2, 3, 4], "a row with a line break in a cell is one row"


def test_what_excel_says_of_its_delimiter_counts() -> None:
    table = read_table(b"sep=;\r\nserial;title\r\nSN-1;a,b,c\r\n")
    assert (table.headings, cells(table)) == (("serial", "title"), [["SN-1", "a,b,c"]])


def test_rows_that_are_empty_are_counted_and_keep_the_numbers_of_the_others() -> None:
    table = read_table(b"serial,title\n\n , \nSN-1,x\n,\nSN-2,y\n\n")
    assert ([number for number, _ in table.rows], table.empty) == ([4, 6], 4)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "table.empty"),
        (b"\n\n", "table.empty"),
        (b"\nserial\nSN-1\n", "table.headings"),
        (b'serial\n"SN-1\n', "table.csv"),
        (b'serial\n"SN-1"x\n', "table.csv"),
        (b"serial\n" + b"x" * 200_000, "table.csv"),
        (b"serial\nSN\x001\n", "table.encoding"),
        ("serial\nКиїв\n".encode("cp1251"), "table.encoding"),
        ("serial\nКиїв\n".encode("utf-16-le"), "table.encoding"),
        (b"\xff\xfes\x00e\x00r", "table.encoding"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "table.kind"),
        (b"PK\x03\x04 no archive", "table.xlsx"),
        (b",".join([b"h"] * 65) + b"\n", "table.too-wide"),
        (b"x" * (tables.MOST_BYTES + 1), "table.too-large"),
        (b"serial\n" + b"x\n" * (tables.MOST_ROWS + 1), "table.too-long"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_whole(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        read_table(data)
    assert caught.value.code == code
    assert "Київ" not in str(caught.value)


def test_another_encoding_is_believed_where_it_is_declared() -> None:
    data = "serial;title\nSN-1;Київ\n".encode("cp1251")
    for name in ("cp1251", "windows-1251", "CP1251"):
        assert cells(read_table(data, Reading(encoding=name))) == [["SN-1", "Київ"]]
    assert cells(read_table("serial\nЛьвів\n".encode("koi8-u"), Reading(encoding="koi8-u"))) == [["Львів"]]
    with pytest.raises(Refused, match="not known here"):
        read_table(data, Reading(encoding="rot13"))
    with pytest.raises(Refused, match="only an XLSX"):
        read_table(data, Reading(sheet="1"))


@given(st.binary(max_size=300))
def test_whatever_the_bytes_it_is_a_table_or_refused(data: bytes) -> None:
    for prefix in (b"", b"PK\x03\x04", b"\xff\xfe"):
        try:
            table = read_table(prefix + data)
        except Refused:
            continue
        assert table.headings


def test_the_same_file_has_the_same_digest_and_another_has_not() -> None:
    assert read_table(b"a\n1\n").digest == read_table(b"a\n1\n").digest != read_table(b"a\n1 \n").digest


# --- XLSX


def workbook(*sheets: list[list[Any]]) -> bytes:
    """As another library writes it."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def raw(sheet: str | bytes, **more: str | bytes) -> bytes:
    """A workbook of one sheet whose part is given, byte by byte."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{relations}"><sheets>'
        '<sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": sheet
        if isinstance(sheet, bytes)
        else f'<worksheet xmlns="{space}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {**parts, **more}.items():
            archive.writestr(name, body)
    return out.getvalue()


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_a_sheet_is_read_and_what_is_no_text_is_marked() -> None:
    rows = [
        ["serial", "count", "when", "sum"],
        ["00123", 7, datetime.datetime(2022, 2, 26, 12, 30), "=1+1"],
        [123, 2.5, datetime.date(2022, 2, 27), "=HYPERLINK(1)"],
        [],
        [123456789012345678, True, None, "'=1+1"],
    ]
    table = read_table(workbook(rows))
    assert table.headings == ("serial", "count", "when", "sum")
    assert [number for number, _ in table.rows] == [2, 3, 5]
    assert cells(table)[0][:3] == ["00123", "7", "2022-02-26T12:30:00"]
    assert cells(table)[1][:3] == ["123", "2.5", "2022-02-27"]
    assert cells(table)[2][1:] == ["true", "", "'=1+1"]
    assert table.odd == {
        (2, 1): Oddity.NUMBER, (2, 2): Oddity.DATE, (2, 3): Oddity.FORMULA,
        (3, 0): Oddity.NUMBER, (3, 1): Oddity.NUMBER, (3, 2): Oddity.DATE, (3, 3): Oddity.FORMULA,
        (5, 0): Oddity.NUMBER,
    }  # fmt: skip


def test_rows_of_a_sheet_that_begins_further_down_keep_their_numbers() -> None:
    with pytest.raises(Refused, match="headings are the first row"):
        read_table(workbook([[], ["serial"], ["SN-1"]]))
    sheet = raw(f'<row r="1">{text_cell("B1", "serial")}</row><row r="4">{text_cell("B4", "SN-1")}</row>')
    table = read_table(sheet)
    assert (table.headings, list(table.rows)) == (("", "serial"), [(4, ["", "SN-1"])])


def test_an_error_in_a_cell_is_marked() -> None:
    error = '<c r="A2" t="e"><v>#N/A</v></c>'
    rows = f'<row r="1">{text_cell("A1", "serial")}</row><row r="2">{error}{text_cell("B2", "x")}</row>'
    assert read_table(raw(rows)).odd == {(2, 0): Oddity.ERROR}


def test_of_several_sheets_the_one_that_is_meant_must_be_said() -> None:
    one, two = [["serial"], ["SN-1"]], [["serial"], ["SN-2"]]
    assert cells(read_table(workbook([], one, []))) == [["SN-1"]], "only one has something in it"
    both = workbook(one, [], two)
    with pytest.raises(Refused, match="3 sheets, and there is something in: 1, 3"):
        read_table(both)
    assert cells(read_table(both, Reading(sheet="3"))) == [["SN-2"]]
    assert cells(read_table(both, Reading(sheet="Sheet 1"))) == [["SN-1"]]
    for wrong in ("4", "0", "Absent", "99"):
        with pytest.raises(Refused, match="3 sheets"):
            read_table(both, Reading(sheet=wrong))
    with pytest.raises(Refused):
        read_table(both, Reading(sheet="2"))


def test_a_bomb_is_not_unpacked_whatever_it_says_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_UNPACKED_BYTES", 100_000)
    row = f'<row r="1">{text_cell("A1", "serial")}</row>'
    bomb = raw(row + " " * 5_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(Refused, match="unpacks to more than"):
        read_table(bomb)
    # The archive's directory and its headers say 1,000 bytes: more than that is never believed to be there.
    size = struct.pack("<I", zipfile.ZipFile(io.BytesIO(bomb)).getinfo("xl/worksheets/sheet1.xml").file_size)
    with pytest.raises(Refused):
        read_table(bomb.replace(size, struct.pack("<I", 1_000)))
    with pytest.raises(Refused, match="200 parts"):
        read_table(raw(row, **{f"xl/x{n}.xml": "" for n in range(300)}))


@pytest.mark.parametrize("far", ["A300000", "XFD2", "BM2", "BL150000"])
def test_a_cell_at_the_far_end_does_not_make_a_table_of_all_between(far: str) -> None:
    number = far.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    rows = f'<row r="1">{text_cell("A1", "serial")}</row><row r="{number}">{text_cell(far, "x")}</row>'
    with pytest.raises(Refused) as caught:
        read_table(raw(rows))
    assert caught.value.code == "table.far-cell"


def test_neither_entities_nor_another_alphabet_hide_anything() -> None:
    rows = f'<row r="1">{text_cell("A1", "&x;")}</row>'
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
    hidden = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x "{"y" * 50}">]>{sheet}'
    far = f'<?xml version="1.0" encoding="utf-16"?>{sheet.replace("&x;", "serial")}'
    relations = '<!DOCTYPE r [<!ENTITY a "b">]><Relationships/>'
    for data in (
        raw(hidden.encode()),
        raw(far.encode("utf-16")),
        raw("", **{"xl/_rels/workbook.xml.rels": relations}),
    ):
        with pytest.raises(Refused) as caught:
            read_table(data)
        assert caught.value.code == "table.xlsx"


def test_formulas_without_an_address_stop_all() -> None:
    rows = f'<row r="1">{text_cell("A1", "serial")}</row><row r="2"><c><f>1+1</f><v>2</v></c></row>'
    with pytest.raises(Refused, match="formulas"):
        read_table(raw(rows))


def test_a_workbook_without_its_beginning_is_not_taken_for_text() -> None:
    noise, declared = b"\x93" * 500, Reading(workbook=True)
    half = len(_WHOLE) // 2
    for data, reading in (
        (_WHOLE[half:], Reading()),
        (bytes(half) + _WHOLE[half:], Reading()),
        (_WHOLE[:half], Reading()),
        (noise, declared),
    ):
        with pytest.raises(Refused) as caught:
            read_table(data, reading)
        assert caught.value.code == "table.xlsx"


@given(st.data())
def test_a_damaged_workbook_is_refused_or_read(data: st.DataObject) -> None:
    whole = bytearray(_WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        table = read_table(bytes(whole))
    except Refused:
        return
    assert table.headings


_WHOLE = workbook([["serial", "title"], ["SN-1", "x"], ["SN-2", 7]])
