"""Choosing N of many: all subsets where they are few, otherwise greedily, always with a bound that is true.

Nothing here knows what is chosen. A `Score` gives a value and a quick upper limit of it for a set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

Chosen = tuple[int, ...]
# Upper limits and values are sums of floats: what differs by less is equal.
_SLACK = 1e-9


class Score(Protocol):
    """What a set is worth. Both take a sorted tuple of choices.

    upper  never less than `value`, and quick
    value  slow. It may be any number below `floor` as soon as it is known to lie below it
    prefer decides, by the higher, between sets of equal limits and values
    """

    def upper(self, chosen: Chosen) -> float: ...

    def value(self, chosen: Chosen, floor: float = -math.inf) -> float: ...

    def prefer(self, chosen: Chosen) -> float: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """most_sets   up to so many sets all are looked at; beyond, greedy
    most_values  so many sets are valued at most, the rest being judged by their upper limits
    """

    most_sets: int = 2_000
    most_values: int = 60


@dataclass(frozen=True, slots=True)
class Found:
    """method  "exact": no other set is better. "bounded": all sets were looked at by their upper limits, and
             the most promising valued. "greedy": one choice after the other
    bound    no set of so many has a higher value; inf where nothing is known (greedy)
    others   further sets that were valued, best first
    sets     how many sets there are;  valued  how many were valued
    """

    method: str
    chosen: Chosen
    value: float
    bound: float
    others: tuple[tuple[Chosen, float], ...]
    sets: int
    valued: int


def choose(score: Score, candidates: int, add: int, limits: Limits | None = None) -> Found:
    """The best set of `add` of the candidates 0, 1, ...; `add` is at most `candidates`.

    Who knows more of the score has a bound for greedy choices: see `submodular_bound`.
    """
    limits = limits or Limits()
    sets = math.comb(candidates, add)
    if sets > limits.most_sets:
        return _greedy(score, candidates, add, limits)
    ranked = _by_limit(score, combinations(range(candidates), add))
    valued, left = _valued(score, ranked, limits.most_values)
    best = valued[0][1]
    return Found(
        method="exact" if left is None else "bounded",
        chosen=valued[0][0],
        value=best,
        bound=best if left is None else max(best, left),
        others=tuple(valued[1:]),
        sets=sets,
        valued=len(valued),
    )


def _greedy(score: Score, candidates: int, add: int, limits: Limits) -> Found:
    """One choice after the other, each the best beside those before; the most promising are tried first."""
    chosen: Chosen = ()
    total, valued = 0, [(chosen, -math.inf)]
    for _ in range(add):
        nexts = (tuple(sorted((*chosen, c))) for c in range(candidates) if c not in chosen)
        valued, _left = _valued(score, _by_limit(score, nexts), max(1, limits.most_values // add))
        total += len(valued)
        chosen = valued[0][0]
    if not add:
        valued = [(chosen, score.value(chosen))]
    sets = math.comb(candidates, add)
    return Found("greedy", chosen, valued[0][1], math.inf, tuple(valued[1:]), sets, total)


def _by_limit(score: Score, sets: Iterable[Chosen]) -> list[tuple[float, Chosen]]:
    limits = ((score.upper(s), score.prefer(s), s) for s in sets)
    return [(limit, s) for limit, _, s in sorted(limits, key=lambda one: (-_even(one[0]), -one[1], one[2]))]


def _valued(
    score: Score, ranked: Sequence[tuple[float, Chosen]], most: int
) -> tuple[list[tuple[Chosen, float]], float | None]:
    """Sets and their values, best first, until no limit is above the best value; and the highest limit among
    those that ought to have been valued as well, None if there is none. At least one is valued."""
    valued: list[tuple[Chosen, float]] = []
    best, left = -math.inf, None
    for limit, chosen in ranked:
        if valued and limit <= best + _SLACK * abs(best):
            break
        if len(valued) >= max(1, most):
            left = limit
            break
        value = score.value(chosen, best)
        valued.append((chosen, value))
        best = max(best, value)
    return best_first(valued), left


def best_first(valued: Iterable[tuple[Chosen, float]]) -> list[tuple[Chosen, float]]:
    """Stable: among equals the one that came first, which is preferred."""
    return sorted(valued, key=lambda pair: -_even(pair[1]))


def _even(value: float) -> float:
    """Sums of floats in another order are the same number."""
    return float(f"{value:.12g}")


def submodular_bound(worth: Callable[[Chosen], float], candidates: int, add: int) -> float:
    """No set of `add` candidates is worth more than this, if `worth` is monotone and submodular.

    For any set S the worth of the best set is at most worth(S) + the sum of the `add` greatest gains
    worth(S + c) - worth(S) (Nemhauser, Wolsey and Fisher 1978). The least of these over the sets that
    greedy passes through, and never above the worth of all.
    """
    chosen: Chosen = ()
    bound = worth(tuple(range(candidates)))
    for step in range(add + 1):
        base = worth(chosen)
        gains = sorted(
            ((worth(tuple(sorted((*chosen, c)))) - base, -c) for c in range(candidates) if c not in chosen),
            reverse=True,
        )
        bound = min(bound, base + sum(max(gain, 0.0) for gain, _ in gains[:add]))
        if step < add and gains:
            chosen = tuple(sorted((*chosen, -gains[0][1])))
    return bound
