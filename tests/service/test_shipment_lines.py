"""CSV rows and scanned codes: every bad row is told, and then nothing is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.service.shipment import lines
from skylift.service.shipment.events import Line


def test_rows_with_serials_and_quantities() -> None:
    text = "\ufeffProduct;Qty;Kit number\nDISH-GEN2;;kit 00000001\n\nDISH-GEN2;1;KIT00000002\n"
    text += "CABLE-20M;3;\nCABLE-20M;4;\n"
    assert lines.of_csv(text).lines == (
        Line("DISH-GEN2", 1, "KIT00000001"),
        Line("DISH-GEN2", 1, "KIT00000002"),
        Line("CABLE-20M", 7),
    )


def test_every_bad_row_is_told_and_then_none_is_read() -> None:
    text = (
        "product,quantity,serial\n"
        "DISH-GEN2,1,KIT00000001\n"
        "a dish,1,KIT00000002\n"
        "DISH-GEN2,2,KIT00000003\n"
        "DISH-GEN2,1,KIT00000001\n"
        "CABLE-20M,many,\n"
        "CABLE-20M,-3,\n"
        "CABLE-20M,,\n"
        "DISH-GEN2,1,3184710691\n"
        "DISH-GEN2,1,KIT00000004,Olena\n"
    )
    got = lines.of_csv(text)
    assert got.lines == ()
    assert [bad.number for bad in got.bad] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert "same as in row 2" in got.bad[2].why
    assert not any("Olena" in bad.why or "3184710691" in bad.why for bad in got.bad)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "product"),
        ("serial\nKIT1\n", "product"),
        ("product\nDISH\n", "quantity or serial"),
        ("product,serial,address\n", "column 3"),
        ("product,serial,kit\n", "same heading"),
        ('product,serial\n"DISH,KIT1\n', "quote"),
    ],
)
def test_tables_that_are_no_lines(text: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        lines.of_csv(text)


@pytest.mark.parametrize(
    "scanned",
    [
        "KIT00000001",
        "]C1KIT00000001",  # Code 128 with its identifier
        "(01)09501101530003(21)KIT00000001",
        "]d2\x1d010950110153000321KIT00000001",  # GS1 DataMatrix
        "0109501101530003172512312" + "1KIT00000001",  # with an expiry (17) before the serial
        "010950110153000321KIT00000001\x1d10LOT7",
    ],
)
def test_a_serial_is_read_out_of_what_scanners_type(scanned: str) -> None:
    assert lines.of_scans(scanned, "DISH-GEN2").lines == (Line("DISH-GEN2", 1, "KIT00000001"),)


def test_a_trigger_pulled_twice_counts_once_and_a_box_scanned_again_is_told() -> None:
    got = lines.of_scans("KIT00000001\r\nKIT00000001\n\nKIT00000002\n", "DISH-GEN2")
    assert [line.serial for line in got.lines] == ["KIT00000001", "KIT00000002"]
    got = lines.of_scans("KIT00000001\nKIT00000002\nkit00000001\n", "DISH-GEN2")
    assert got.lines == ()
    assert [bad.number for bad in got.bad] == [3]


@pytest.mark.parametrize(
    ("scanned", "hint"),
    [
        ("https://example.org/kit/1", "a link"),
        ("(01)09501101530003", "no serial"),
        ("КІТ00000001", "Latin"),
        ("??", "4 to 40"),
    ],
)
def test_codes_without_a_serial(scanned: str, hint: str) -> None:
    (bad,) = lines.of_scans(f"KIT00000009\n{scanned}", "DISH-GEN2").bad
    assert bad.number == 2
    assert hint in bad.why


@given(st.text(max_size=200))
def test_any_text_gives_lines_or_reasons(text: str) -> None:
    for read in (lines.of_csv, lambda t: lines.of_scans(t, "DISH-GEN2")):
        try:
            got = read(text)
        except Refused:
            continue
        assert not (got.lines and got.bad)
