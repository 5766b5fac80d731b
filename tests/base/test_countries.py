"""The list of countries: that it is the outlines' own, and what is said of what is not in it."""

from __future__ import annotations

import pytest

from skylift.adapters.outlines import packaged_countries
from skylift.base.countries import NAMES, near_countries, read_country
from skylift.base.errors import Refused
from skylift.base.labels import country


def test_it_is_the_list_of_the_packaged_outlines() -> None:
    assert packaged_countries().names == NAMES
    assert len(NAMES) == 250
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in NAMES)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("ua", "UA (Ukraine)"),
        ("Ukraine", "UA (Ukraine)"),
        ("ukrane", "UA (Ukraine)"),
        ("UQ", "UA (Ukraine)"),
        ("UK", "GB (United Kingdom)"),
    ],
)
def test_what_is_no_code_is_refused_with_what_was_perhaps_meant(text: str, near: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_country(text, "region")
    assert refusal.value.code == "region.country"
    assert near in refusal.value.way_out


@pytest.mark.parametrize("text", ["", "  ", "ZZZZZZZZ", "УКРАЇНА", "00", "U\0"])
def test_any_text_gets_an_answer(text: str) -> None:
    with pytest.raises(Refused):
        read_country(text, "region")
    assert set(near_countries(text)) <= set(NAMES)


def test_labels_know_no_other_country() -> None:
    assert country("UA", "shipment") == "UA"
    for wrong in ("XX", "ZZ", "EU", "UK"):
        with pytest.raises(Refused) as refusal:
            country(wrong, "shipment")
        assert refusal.value.code == "shipment.country"
