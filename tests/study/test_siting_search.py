"""Choosing N of many against enumeration, for coverage functions, whose greedy choices are known to err."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylift.study.siting_search import Chosen, Limits, choose, submodular_bound

# Each candidate covers some of twelve points, which have weights.
POINTS = 12
COVERS = st.lists(st.frozensets(st.integers(0, POINTS - 1)), min_size=1, max_size=8)
WEIGHTS = st.lists(st.integers(0, 9), min_size=POINTS, max_size=POINTS)


def coverage(covers: list[frozenset[int]], weights: list[int]) -> Callable[[Chosen], float]:
    def worth(chosen: Chosen) -> float:
        return float(sum(weights[p] for p in frozenset().union(*(covers[c] for c in chosen))))

    return worth


class Exact:
    """A score whose limit is a little above its value; what is cut short lies below the floor, and lies."""

    def __init__(self, worth: Callable[[Chosen], float], slack: float = 0.0) -> None:
        self.worth, self.slack, self.valued = worth, slack, 0

    def upper(self, chosen: Chosen) -> float:
        return self.worth(chosen) * (1.0 + self.slack)

    def value(self, chosen: Chosen, floor: float = -math.inf) -> float:
        self.valued += 1
        value = self.worth(chosen)
        return value if value >= floor else (value + floor) / 2 - 1e-9

    def prefer(self, chosen: Chosen) -> float:
        return -float(sum(chosen))


def best(worth: Callable[[Chosen], float], candidates: int, add: int) -> float:
    return max(worth(chosen) for chosen in combinations(range(candidates), add))


@given(COVERS, WEIGHTS, st.integers(1, 4), st.floats(0.0, 1.0))
def test_all_sets_are_as_good_as_enumeration(
    covers: list[frozenset[int]], weights: list[int], add: int, slack: float
) -> None:
    add = min(add, len(covers))
    worth = coverage(covers, weights)
    # Of eight candidates there are at most 70 sets.
    found = choose(Exact(worth, slack), len(covers), add, Limits(most_values=70))
    assert found.method == "exact"
    assert found.value == worth(found.chosen) == best(worth, len(covers), add) == found.bound
    assert len(found.chosen) == len(set(found.chosen)) == add
    assert found.sets == math.comb(len(covers), add)
    assert all(value <= found.value for _, value in found.others)


@given(COVERS, WEIGHTS, st.integers(1, 4), st.integers(1, 3))
def test_when_the_work_is_cut_short_the_bound_stays_true(
    covers: list[frozenset[int]], weights: list[int], add: int, most_values: int
) -> None:
    add = min(add, len(covers))
    worth = coverage(covers, weights)
    score = Exact(worth, slack=0.5)
    found = choose(score, len(covers), add, Limits(most_values=most_values))
    assert score.valued == found.valued <= most_values
    assert found.value == worth(found.chosen)
    assert found.value <= best(worth, len(covers), add) <= found.bound
    if found.method == "exact":
        assert found.value == best(worth, len(covers), add)


@given(COVERS, WEIGHTS, st.integers(1, 4))
def test_greedy_is_within_its_guarantee_and_the_bound_above_the_optimum(
    covers: list[frozenset[int]], weights: list[int], add: int
) -> None:
    add = min(add, len(covers))
    worth = coverage(covers, weights)
    found = choose(Exact(worth), len(covers), add, Limits(most_sets=0, most_values=10_000))
    optimum = best(worth, len(covers), add)
    assert found.method == "greedy"
    assert found.value == worth(found.chosen)
    assert (1.0 - 1.0 / math.e) * optimum <= found.value + 1e-9
    assert optimum <= submodular_bound(worth, len(covers), add) <= worth(tuple(range(len(covers))))


def test_greedy_does_err_and_the_bound_tells_by_how_much() -> None:
    """The classic trap: the largest first, which then is of no use beside the two halves."""
    covers = [frozenset(range(4, 9)), frozenset(range(6)), frozenset(range(6, 12))]
    covers[0] = frozenset({0, 1, 2, 6, 7, 8, 9})
    worth = coverage(covers, [1] * POINTS)
    greedy = choose(Exact(worth), 3, 2, Limits(most_sets=0))
    assert (greedy.chosen, greedy.value) == ((0, 1), 10.0)
    assert choose(Exact(worth), 3, 2).value == 12.0
    assert submodular_bound(worth, 3, 2) == 12.0


def test_the_bound_is_better_than_everything_together() -> None:
    """Twenty candidates that share nothing: two of them are worth two, not twenty."""
    assert submodular_bound(lambda chosen: float(len(chosen)), 20, 2) == 2.0


@pytest.mark.parametrize("most_sets", [0, 2_000])
def test_among_equals_the_preferred_are_chosen(most_sets: int) -> None:
    score = Exact(lambda chosen: 1.0)
    score.prefer = lambda chosen: float(sum(chosen))  # type: ignore[method-assign]
    assert choose(score, 6, 2, Limits(most_sets=most_sets)).chosen == (4, 5)


def test_greedy_adds_as_many_as_asked_for_even_with_little_work() -> None:
    worth = coverage([frozenset({i}) for i in range(10)], list(range(1, 13)))
    found = choose(Exact(worth), 10, 4, Limits(most_sets=0, most_values=1))
    assert found.chosen == (6, 7, 8, 9)


@pytest.mark.parametrize("seed", range(5))
def test_a_score_that_is_not_submodular_is_still_enumerated(seed: int) -> None:
    values = {
        c: float(v)
        for c, v in zip(combinations(range(6), 3), np.random.default_rng(seed).random(20), strict=True)
    }
    found = choose(Exact(lambda chosen: values[chosen], slack=3.0), 6, 3)
    assert found.value == max(values.values())
