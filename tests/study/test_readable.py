"""Figures as people read them: three digits, never an exponent, one thing or several."""

from __future__ import annotations

import pytest

from skylift.study.readable import counted, gbps, three_digits


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (21.0, "21.0"),
        (0.000273, "0.000273"),
        (1e-9, "0.00000000100"),
        (99.949, "99.9"),
        (99.96, "100"),
        (1242.4, "1,242"),
        (-3.2, "-3.20"),
    ],
)
def test_three_digits_or_all_before_the_point(value: float, said: str) -> None:
    assert three_digits(value) == said
    assert gbps(value * 1e9) == said


def test_one_has_no_s() -> None:
    assert [counted(n, "cell") for n in (0, 1, 1_200)] == ["0 cells", "1 cell", "1,200 cells"]
