"""MODCOD tables: DVB-S2X from its frames, coded QAM from the constellation's limit."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.adapters.packaged import packaged_text
from skylift.base.errors import Refused
from skylift.sky.radio.modcod import ModcodTable, modcod_table

BITS = {"QPSK": 2, "8PSK": 3, "8APSK": 3, "16APSK": 4, "32APSK": 5, "64APSK": 6, "128APSK": 7, "256APSK": 8}
DVB = packaged_text("radio/modcod-dvb-s2x.csv")
QAM = packaged_text("radio/modcod-qam.csv")


def rows(text: str) -> list[tuple[str, float, float]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")][1:]
    return [(name, float(bits), float(need)) for name, bits, need in (line.split(",") for line in lines)]


@pytest.mark.parametrize(("name", "bits", "_need"), rows(DVB))
def test_bits_per_symbol_follow_from_the_frame(name: str, bits: float, _need: float) -> None:
    """EN 302 307: (information - BCH parity - 80 of header) / (90 of PL header + slots of 90 symbols)."""
    modulation, rate = name.removesuffix("-L").split(" ")
    slots = math.ceil(64_800 / BITS[modulation] / 90)
    information = 64_800 * Fraction(rate)
    # The outer code takes 192 bits, 160 with the inner codes 2/3 and 5/6 of DVB-S2 that are used anew.
    choices = [float(information - parity - 80) / (90 * (slots + 1)) for parity in (192, 160)]
    assert min(abs(bits - choice) for choice in choices) < 2e-6


def test_the_table_is_whole_and_no_code_beats_shannon() -> None:
    assert len(rows(DVB)) == 39
    for _, bits, need_db in rows(DVB) + rows(QAM):
        assert bits < math.log2(1 + 10 ** (need_db / 10))


def monte_carlo_information(points: int, es_n0_db: float, draws: int) -> float:
    """Bits per symbol of square QAM in Gaussian noise, by drawing symbols and noise: not the tool's way."""
    generator = np.random.default_rng(7)
    axis = np.arange(round(points**0.5)) * 2.0 - (round(points**0.5) - 1)
    grid = (axis[:, None] + 1j * axis[None, :]).ravel()
    grid /= np.sqrt(np.mean(np.abs(grid) ** 2))
    sigma2 = 10 ** (-es_n0_db / 10)
    sent = grid[generator.integers(0, points, draws)]
    noise = generator.normal(size=(2, draws)) * math.sqrt(sigma2 / 2)
    heard = sent + noise[0] + 1j * noise[1]
    distance = np.abs(heard[:, None] - grid[None, :]) ** 2
    ratio = np.exp((np.abs(heard - sent) ** 2)[:, None] / sigma2 - distance / sigma2).sum(axis=1)
    return float(math.log2(points) - np.mean(np.log2(ratio)))


@pytest.mark.parametrize("wanted", ["4QAM 1/2", "16QAM 3/4", "64QAM 2/3", "256QAM 5/6"])
def test_coded_qam_stands_one_decibel_from_its_limit(wanted: str) -> None:
    bits, need_db = next((bits, need) for name, bits, need in rows(QAM) if name == wanted)
    points = int(wanted.split("QAM")[0])
    assert monte_carlo_information(points, need_db - 1.0, 30_000) == pytest.approx(bits, abs=0.03)


@pytest.mark.parametrize(("name", "points"), [("16APSK 25/36", 16), ("64APSK 11/15", 64), ("QPSK 11/20", 4)])
def test_published_codes_stand_as_far_from_their_limit(name: str, points: int) -> None:
    """What the gap of 1.0 dB rests on: DVB-S2X codes need 0.7 to 1.1 dB more than QAM of as many points."""
    bits, need_db = next((bits, need) for row, bits, need in rows(DVB) if row == name)
    low, high = need_db - 3.0, need_db
    for _ in range(10):
        middle = 0.5 * (low + high)
        enough = monte_carlo_information(points, middle, 8_000) >= bits
        low, high = (low, middle) if enough else (middle, high)
    assert 0.6 < need_db - high < 1.15


@given(st.floats(-30.0, 40.0))
def test_the_best_row_is_that_of_a_search_by_hand(es_n0_db: float) -> None:
    for text in (DVB, QAM):
        table = modcod_table(text, "table")
        carried = [bits for _, bits, need in rows(text) if need <= es_n0_db]
        row = table.best(es_n0_db)
        assert float(table.bits_at(row)) == (max(carried) if carried else 0.0)


def test_too_little_and_not_a_number_carry_nothing() -> None:
    table = modcod_table(DVB, "table")
    row = table.best(np.array([-2.86, -2.85, np.nan, -np.inf, np.inf]))
    assert row.tolist() == [-1, 0, -1, -1, len(table.name) - 1]
    assert table.name_at(-1) is None
    assert table.name_at(0) == "QPSK 2/9"


def test_rows_that_need_more_and_carry_less_are_left_out() -> None:
    table = modcod_table(DVB, "table")
    assert isinstance(table, ModcodTable)
    assert (np.diff(table.bits_per_symbol) > 0).all()
    assert (np.diff(table.es_n0_db) > 0).all()
    assert "16APSK 3/5" in {name for name, _, _ in rows(DVB)}
    assert "16APSK 3/5" not in table.name  # 16APSK 3/5-L carries the same at 0.39 dB less


def test_only_the_modulations_that_are_asked_for() -> None:
    table = modcod_table(QAM, "table", ("4QAM", "16QAM"))
    assert {name.split(" ")[0] for name in table.name} == {"4QAM", "16QAM"}
    with pytest.raises(Refused, match="no row"):
        modcod_table(QAM, "table", ("3QAM",))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "modcod.columns"),
        ("a,b\n1,2\n", "modcod.columns"),
        ("name,bits_per_symbol,es_n0_db\nx,y,1\n", "modcod.number"),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        modcod_table(text, "mine.csv")
    assert caught.value.code == code
    assert caught.value.thing == "mine.csv"
