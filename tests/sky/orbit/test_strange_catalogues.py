"""Files that look like what they are not, and names that hold what no name should."""

from __future__ import annotations

import pytest

from skylift.base.errors import Refused
from skylift.sky.orbit.formats import FORMATS, detect_format, parse_catalogue, write_catalogue

LINES = """\
1 44713U 19074A   22336.47699629  .00001505  00000+0  11993-3 0  9994
2 44713  53.0561 143.1715 0001798  75.7035 284.4154 15.06402874169073
"""


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_name_with_control_characters_survives_every_format_without_them(file_format: str) -> None:
    read = parse_catalogue(f"A\x1b[31mB\x07\x9bC\n{LINES}").catalogue
    assert read.name == ("A [31mB C",)
    again = parse_catalogue(write_catalogue(read, file_format)).catalogue
    assert again.name == read.name


@pytest.mark.parametrize("name", ["[DTC] STARLINK-11267", "[1]", "[x"])
def test_a_name_that_begins_like_json_is_a_name(name: str) -> None:
    assert parse_catalogue(f"{name}\n{LINES}").catalogue.name == (name,)


@pytest.mark.parametrize("text", ["[", "[]", "[ {", '[\n{"a": 1}]', '{"a": 1}', "[[[["])
def test_json_is_told_by_its_beginning(text: str) -> None:
    assert detect_format(text) == "omm-json"


def test_a_csv_without_numbers_of_objects_is_said_to_be_one() -> None:
    with pytest.raises(Refused) as refused:
        parse_catalogue("OBJECT_NAME,EPOCH,MEAN_MOTION\nISS,2026-05-30T00:00:00,15.5\n")
    assert "NORAD_CAT_ID" in refused.value.rule
