"""Oracles of study/siting_kernel.py: an assignment solver, and all ways of giving antennas to satellites."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from skylift.study.siting_kernel import most_covered, most_tracked, track

Longs = npt.NDArray[np.int64]


def rows(reach: list[list[int]]) -> tuple[Longs, Longs]:
    offset = np.cumsum([0, *(len(r) for r in reach)]).astype(np.int64)
    return offset, np.array([g for r in reach for g in r], dtype=np.int64)


@st.composite
def grounds(draw: st.DrawFn, satellites: int = 7, gateways: int = 4) -> tuple[list[list[int]], Longs]:
    count = draw(st.integers(1, gateways))
    reach = draw(
        st.lists(
            st.lists(st.integers(0, count - 1), unique=True, max_size=count), min_size=1, max_size=satellites
        )
    )
    antennas = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    return reach, np.array(antennas, dtype=np.int64)


def assigned(weight: npt.NDArray[np.float64], reach: list[list[int]], antennas: Longs) -> float:
    """The same by SciPy: a column for each antenna."""
    owner = np.repeat(np.arange(len(antennas)), antennas)
    gain = np.array([[weight[s] if g in reach[s] else 0.0 for g in owner] for s in range(len(reach))])
    if not gain.size:
        return 0.0
    row, column = linear_sum_assignment(gain, maximize=True)
    return float(gain[row, column].sum())


def tracked(weight: npt.NDArray[np.float64], reach: list[list[int]], antennas: Longs) -> float:
    return float(most_tracked(weight, np.argsort(-weight, kind="stable"), *rows(reach), antennas))


@given(grounds(), st.lists(st.integers(0, 20), min_size=7, max_size=7))
def test_most_tracked_is_the_best_assignment(
    ground: tuple[list[list[int]], Longs], weights: list[int]
) -> None:
    reach, antennas = ground
    weight = np.array(weights[: len(reach)], dtype=np.float64)
    assert tracked(weight, reach, antennas) == pytest.approx(assigned(weight, reach, antennas))


@given(grounds(), st.lists(st.integers(0, 20), min_size=7, max_size=7), st.data())
def test_most_tracked_is_submodular_in_the_gateways(
    ground: tuple[list[list[int]], Longs], weights: list[int], data: st.DataObject
) -> None:
    """What a gateway adds to many is no more than what it adds to few of them: the bound rests on it."""
    reach, antennas = ground
    weight = np.array(weights[: len(reach)], dtype=np.float64)
    everybody = range(len(antennas))
    few = data.draw(st.frozensets(st.sampled_from(everybody)))
    many = few | data.draw(st.frozensets(st.sampled_from(everybody)))
    one = data.draw(st.sampled_from(everybody))

    def worth(gateways: frozenset[int]) -> float:
        return tracked(weight, reach, np.where([g in gateways for g in everybody], antennas, 0))

    assert worth(many | {one}) - worth(many) <= worth(few | {one}) - worth(few) + 1e-9
    assert worth(few) <= worth(many)


def trackable(group: tuple[int, ...], reach: list[list[int]], antennas: Longs) -> bool:
    """Whether antennas can track all of these at once, by trying everything."""
    if not group:
        return True
    for g in reach[group[0]]:
        if antennas[g]:
            fewer = antennas.copy()
            fewer[g] -= 1
            if trackable(group[1:], reach, fewer):
                return True
    return False


CELLS = 6


@given(
    grounds(satellites=5, gateways=3),
    st.lists(st.frozensets(st.integers(0, CELLS - 1)), min_size=5, max_size=5),
    st.lists(st.integers(0, 9), min_size=CELLS, max_size=CELLS),
)
def test_most_covered_can_be_had_and_is_at_least_half_of_the_most(
    ground: tuple[list[list[int]], Longs], sees: list[frozenset[int]], weights: list[int]
) -> None:
    reach, antennas = ground
    sees = sees[: len(reach)]
    cell_weight = np.array(weights, dtype=np.float64)
    got = most_covered(cell_weight, *rows([sorted(cells) for cells in sees]), *rows(reach), antennas)
    worths = {
        sum(weights[c] for c in frozenset().union(*(sees[s] for s in group)))
        for size in range(len(reach) + 1)
        for group in combinations(range(len(reach)), size)
        if trackable(group, reach, antennas)
    }
    assert got in worths
    assert max(worths) / 2 <= got <= max(worths)


def test_a_chain_of_moves_frees_an_antenna() -> None:
    """Satellite 0 sits where 1 must go, and can move on: both are tracked, and a third is not."""
    offset, gateway = rows([[0, 1], [0], [0, 1]])
    antennas = np.array([1, 1], dtype=np.int64)
    count, held = np.zeros(2, np.int64), np.zeros((2, 1), np.int64)
    gateway_of, closed = np.full(3, -1, np.int64), np.zeros(2, np.bool_)
    scratch = np.empty(2, np.int64), np.empty(2, np.int64)
    seats = [track(s, offset, gateway, antennas, count, held, gateway_of, closed, *scratch) for s in range(3)]
    assert seats == [True, True, False]
    assert gateway_of.tolist() == [1, 0, -1]
    assert closed.all()
