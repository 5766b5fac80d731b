"""Texts from elsewhere: what a terminal would obey is gone, all that can be read stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.base.texts import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mKyiv\x1b[0m", "[31mKyiv [0m"),
        ("Distrito\tCapital\r\n", "Distrito Capital"),
        ("bell\x07 null\x00 C1\x9b", "bell null C1"),
        ("ab\u202egnp.exe", "ab gnp.exe"),
        ("Київ, Bolívar, 東京", "Київ, Bolívar, 東京"),
        ("\u00a0wide\u2003spaces ", "wide spaces"),
    ],
)
def test_what_is_not_printable_is_a_space(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_the_outcome_is_printable_and_stays_as_it_is(text: str) -> None:
    once = printable(text)
    assert once.isprintable()
    assert printable(once) == once
