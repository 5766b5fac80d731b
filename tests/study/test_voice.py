"""The E-model against what ITU-T and others published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.study.voice import CODECS, G711, Codec, opinion, rating


def test_all_at_default_the_rating_is_the_recommendations_own() -> None:
    """G.107, clause 7.7: with all parameters at their defaults R is 93.2."""
    assert rating(0.0) == pytest.approx(93.2, abs=0.05)


# R of an implementation of G.107 (06/2015) by others (github.com/manucorporat/e-model, in Go), all at the
# defaults but T = Ta, Tr = 2T, and Bpl 25.1; the first stands in its README.
BY_OTHERS = [
    (0, 0, 1, 93.206208), (20, 1, 1, 88.891497), (50, 3, 2, 81.041875), (100, 0, 1, 90.663730),
    (150, 0, 1, 89.539132), (200, 1, 1, 82.164871), (400, 0, 1, 62.246827), (800, 3, 2, 32.107892),
]  # fmt: skip


@pytest.mark.parametrize(("delay_ms", "loss_percent", "burst_ratio", "r"), BY_OTHERS)
def test_the_rating_is_that_of_an_implementation_by_others(
    delay_ms: float, loss_percent: float, burst_ratio: float, r: float
) -> None:
    assert rating(delay_ms, loss_percent, burst_ratio) == pytest.approx(r, abs=1e-6)


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_opinions_are_those_of_annex_b(r: float, mos: float) -> None:
    """G.107, annex B, table B.1."""
    assert opinion(r) == pytest.approx(mos, abs=0.01)


def test_opinions_end_where_the_scale_does() -> None:
    assert (opinion(-5), opinion(0), opinion(100), opinion(120)) == (1.0, 1.0, 4.5, 4.5)


# G.113 (02/2001), table I.2: what listening tests gave as Ie under random losses, before there was a formula.
LISTENED = [
    (CODECS["g729a"], {0: 11, 1: 15, 2: 19, 3: 23, 4: 26, 8: 36, 16: 49}, 0.7),
    (CODECS["g723.1"], {0: 15, 1: 19, 2: 24, 3: 27, 4: 32, 8: 41, 16: 55}, 1.3),
    (G711, {0: 0, 2: 7, 3: 10, 5: 15, 7: 20, 10: 25, 15: 35}, 2.2),
]


@pytest.mark.parametrize(("codec", "heard", "within"), LISTENED, ids=lambda one: getattr(one, "name", ""))
def test_losses_impair_as_listeners_heard(codec: Codec, heard: dict[float, float], within: float) -> None:
    for percent, impairment in heard.items():
        assert rating(0.0) - rating(0.0, percent, 1.0, codec) == pytest.approx(impairment, abs=within)


@pytest.mark.parametrize("delay_ms", [25, 50, 100, 150, 200, 250, 300])
def test_delays_impair_as_cole_and_rosenbluth_fitted(delay_ms: float) -> None:
    """R. Cole, J. Rosenbluth, Voice over IP performance monitoring (CCR 31, 2001)."""
    fitted = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    assert rating(0.0) - rating(delay_ms) == pytest.approx(fitted, abs=0.6)


def test_losses_in_a_row_are_worse_than_the_same_number_apart() -> None:
    assert rating(50.0, 3.0, 2.0) < rating(50.0, 3.0, 1.0)
    # G.107, 3.5: with a burst ratio of 1 it is the formula for random loss.
    assert rating(0.0) - rating(0.0, 3.0) == pytest.approx(95 * 3 / (3 + G711.bpl))


@given(
    st.floats(0.0, 10_000.0),
    st.floats(0.0, 100.0),
    st.floats(1.0, 10_000.0),
    st.sampled_from(list(CODECS.values())),
)
def test_the_scale_is_never_left(
    delay_ms: float, loss_percent: float, burst_ratio: float, codec: Codec
) -> None:
    """Half a minute without a link is 70 % lost in one burst: the bare formula takes 300 of the hundred."""
    assert 0.0 <= rating(delay_ms, loss_percent, burst_ratio, codec) <= 93.3
    assert rating(0.0, 70.0, 700.0, codec) == 0.0
