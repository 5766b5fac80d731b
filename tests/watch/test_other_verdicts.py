"""IODA's rules (watch.moving_median_kernel), decline, agreement of signals, and the prober's own trouble."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skylift.watch.agreement import agreement, own_trouble
from skylift.watch.decline import Cusum
from skylift.watch.ioda import LEAST_HISTORY, MovingMedian, overall_score, severity_score


@given(st.lists(st.one_of(st.floats(0, 5), st.just(float("nan"))), max_size=120))
def test_the_moving_median_is_a_plain_one(values: list[float]) -> None:
    window = 30
    ours = MovingMedian(2, window)
    kept: list[float] = []
    for row, value in enumerate(values):
        expected = ours.expected(row)
        history = sorted(x for x in kept[-window:] if not np.isnan(x))
        enough = len(history) >= LEAST_HISTORY
        taken = value
        if history:
            level = history[(len(history) + 1) // 2 - 1]
            assert expected.level[1] == level
            assert bool(expected.enough[1]) == (enough and level > 0)
            # Dividing by a tiny level may overflow, as it does for us.
            with np.errstate(over="ignore"):
                if enough and level > 0 and not 0.8 <= np.float64(value) / level <= 2:
                    taken = level if not np.isnan(value) else value
        else:
            assert not expected.enough[1]
        ours.learn(row, np.array([1.0, value]), np.zeros(2, dtype=np.bool_))
        kept.append(taken)


def test_scores() -> None:
    scores = np.array([severity_score(np.array([0.5, 0.0]), np.array([60.0, 0.0])), np.array([2.0, 0.0])])
    assert overall_score(scores).tolist() == [6000.0, 0.0]


def test_people_leaving_is_a_decline_and_noise_is_none_for_years() -> None:
    random = np.random.default_rng(5)
    series, days = 400, 300
    ordinary = Cusum(series, np.full(series, 0.05))
    alarmed = np.zeros(series, dtype=np.bool_)
    for _ in range(days):
        alarmed |= ordinary.step(np.exp(0.05 * random.standard_normal(series)))
    # A run of 930 days on average is geometric, nearly: 28 % in 300 days.
    assert 0.18 < alarmed.mean() < 0.38
    leaving = Cusum(series, np.full(series, 0.05))
    first = np.full(series, days)
    for day in range(60):
        found = leaving.step(np.exp(-0.01 * day + 0.05 * random.standard_normal(series)))
        first = np.where(found, np.minimum(first, day), first)
    assert np.median(first) < 21  # one per cent a day


def test_a_missing_day_changes_nothing() -> None:
    one = Cusum(2, np.array([0.1, 0.1]))
    one.step(np.array([0.5, 0.5]))
    before = one.sums.copy()
    one.step(np.array([np.nan, 0.0]))
    assert one.sums.tolist() == before.tolist()


def test_signals_agree_where_two_do_or_where_there_is_but_one() -> None:
    opened = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.bool_)
    judged = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0]], dtype=np.bool_)
    assert agreement(opened, judged).agreed().tolist() == [True, False, False, True]


def test_when_everything_falls_it_is_the_prober() -> None:
    prober = np.array([0] * 6 + [1] * 6)
    country = np.array([0, 0, 0, 1, 1, 1] + [0] * 6)
    judged = np.ones(12, dtype=np.bool_)
    low = np.array([1, 1, 1, 1, 1, 0] + [0] * 6, dtype=np.bool_)
    own, unsure = own_trouble(low, judged, prober, country, 2)
    assert own.tolist() == [True] * 6 + [False] * 6
    assert not unsure.any()


def test_one_country_that_goes_dark_is_still_believed_and_said_to_be_unsure() -> None:
    low = np.ones(6, dtype=np.bool_)
    own, unsure = own_trouble(low, low, np.zeros(6, dtype=np.int64), np.zeros(6, dtype=np.int64), 1)
    assert not own.any()
    assert unsure.all()
