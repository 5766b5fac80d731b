"""Any text at all is a cell or none; none of them is an error."""

from __future__ import annotations

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.cells import is_cell


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    try:
        written = h3.int_to_str(h3.str_to_int(text))
    except (ValueError, OverflowError):
        written = ""
    assert is_cell(text) == (written == text and h3.is_valid_cell(text))


@pytest.mark.parametrize(
    "text", ["f" * 17, "f" * 40, "0x851e5227fffffff", "", "851E5227FFFFFFF", "851e5227fffffff "]
)
def test_what_h3_would_not_write_is_none(text: str) -> None:
    assert not is_cell(text)


@given(st.floats(-89, 89), st.floats(-180, 180), st.integers(0, 15))
def test_every_cell_is_one_down_to_its_own_resolution(
    latitude: float, longitude: float, resolution: int
) -> None:
    cell = h3.latlng_to_cell(latitude, longitude, resolution)
    assert [is_cell(cell, finest) for finest in (resolution - 1, resolution, 15)] == [False, True, True]
