"""Antenna assignment against a plain greedy loop that looks at everything again in every round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.twin.antennas_kernel import assign_for_terminals, assign_the_rest, transpose

WEIGHT = 32.0 ** -np.arange(6)
KEEP = 1.25


@dataclass(frozen=True)
class Case:
    """Who sees whom: by terminal and by gateway, sets of satellites."""

    satellites: int
    users: list[list[int]]
    gateways: list[list[int]]
    cost: list[list[float]]
    free: list[int]
    works: list[bool]
    asks: list[bool]
    previous: list[int]
    in_use: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(1, 9))
    some = st.lists(st.integers(0, n - 1), unique=True, max_size=n).map(sorted)
    users = draw(st.lists(some, min_size=1, max_size=6))
    gateways = draw(st.lists(some, min_size=1, max_size=4))
    g = len(gateways)
    return Case(
        n,
        users,
        gateways,
        # Few distinct costs, so that equals occur.
        [[float(draw(st.integers(1, 3))) for _ in seen] for seen in gateways],
        draw(st.lists(st.integers(0, 3), min_size=g, max_size=g)),
        draw(st.lists(st.booleans(), min_size=g, max_size=g)),
        draw(st.lists(st.booleans(), min_size=len(users), max_size=len(users))),
        draw(st.lists(st.integers(-1, g - 1), min_size=n, max_size=n)),
        [draw(st.sampled_from([-1, *seen])) for seen in users],
    )


def csr(rows: list[list[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    offset = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return offset, np.array([s for row in rows for s in row], dtype=np.int32)


def kernel(case: Case) -> tuple[list[int], list[int], list[int]]:
    """gateway_of, pair_of, antennas left."""
    free = np.where(case.works, case.free, 0).astype(np.int32)
    gateway_of = np.full(case.satellites, -1, dtype=np.int32)
    pair_of = np.full(case.satellites, -1, dtype=np.int64)
    user_offset, user_satellite = csr(case.users)
    gate_offset, gate_satellite = csr(case.gateways)
    assign_for_terminals(
        transpose(user_offset, user_satellite, np.array(case.asks), case.satellites),
        transpose(gate_offset, gate_satellite, np.array(case.works), case.satellites),
        np.array([c for row in case.cost for c in row], dtype=np.float64),
        free,
        np.array(case.previous, dtype=np.int32),
        np.array(case.in_use, dtype=np.int32),
        WEIGHT,
        KEEP,
        gateway_of,
        pair_of,
    )
    return gateway_of.tolist(), pair_of.tolist(), free.tolist()


def plain(case: Case) -> list[int]:
    """Round after round the satellite of greatest gain, the lowest number among equals."""
    free = [f if works else 0 for f, works in zip(case.free, case.works, strict=True)]
    gateway_of = [-1] * case.satellites
    cover = [0] * len(case.users)
    given_up: set[int] = set()
    while True:
        best, best_gain = -1, 0.0
        for s in range(case.satellites):
            fans = [m for m, seen in enumerate(case.users) if case.asks[m] and s in seen]
            trackers = [g for g, seen in enumerate(case.gateways) if case.works[g] and s in seen]
            if s in given_up or not fans or not trackers:
                continue
            gain = 0.0
            for m in fans:
                gain += WEIGHT[min(cover[m], 5)]
                gain += 2.0 if case.in_use[m] == s else 0.0
            gain *= KEEP if case.previous[s] in trackers else 1.0
            if gain > best_gain:
                best, best_gain = s, gain
        if best < 0:
            return gateway_of
        given_up.add(best)
        open_ones = [g for g, seen in enumerate(case.gateways) if free[g] > 0 and best in seen]
        if not open_ones:
            continue
        chosen = min(open_ones, key=lambda g: (case.cost[g][case.gateways[g].index(best)], g))
        if case.previous[best] in open_ones:
            chosen = case.previous[best]
        gateway_of[best] = chosen
        free[chosen] -= 1
        for m, seen in enumerate(case.users):
            cover[m] += case.asks[m] and best in seen


@settings(max_examples=300)
@given(cases())
def test_as_a_plain_greedy_loop(case: Case) -> None:
    gateway_of, pair_of, free = kernel(case)
    assert gateway_of == plain(case)
    _, gate_satellite = csr(case.gateways)
    gate_offset, _ = csr(case.gateways)
    for s, (g, pair) in enumerate(zip(gateway_of, pair_of, strict=True)):
        assert (g < 0) == (pair < 0)
        if g >= 0:
            assert case.works[g]
            assert gate_satellite[pair] == s
            assert gate_offset[g] <= pair < gate_offset[g + 1]
    for g, antennas in enumerate(case.free):
        used = gateway_of.count(g)
        assert used <= antennas
        assert free[g] == (antennas - used if case.works[g] else 0)


@given(cases())
def test_twice_the_same(case: Case) -> None:
    assert kernel(case) == kernel(case)


@settings(max_examples=200)
@given(cases(), st.integers(0, 2**32 - 1))
def test_the_rest_goes_to_the_highest(case: Case, seed: int) -> None:
    """Antennas that are left track what nobody tracks: kept ones first, then the highest."""
    gateway_of, pair_of, free = (np.array(a) for a in kernel(case))
    rng = np.random.default_rng(seed)
    offset, satellite = csr(case.gateways)
    elevation = rng.integers(1, 5, len(satellite)).astype(np.float32)
    expected, left = gateway_of.tolist(), free.tolist()
    for g, seen in enumerate(case.gateways):
        by_height = sorted(
            range(len(seen)), key=lambda k: (case.previous[seen[k]] != g, -elevation[offset[g] + k], k)
        )
        for k in by_height:
            if left[g] > 0 and expected[seen[k]] < 0:
                expected[seen[k]] = g
                left[g] -= 1
    previous = np.array(case.previous, dtype=np.int32)
    gateway_of, free = gateway_of.astype(np.int32), free.astype(np.int32)
    assign_the_rest(offset, satellite, elevation, free, previous, gateway_of, pair_of)
    assert gateway_of.tolist() == expected
    assert free.tolist() == left
    for s, g in enumerate(gateway_of):
        assert g < 0 or satellite[pair_of[s]] == s


def test_transpose_is_one() -> None:
    rows = [[0, 3], [], [1, 3], [3]]
    offset, column = csr(rows)
    got_offset, row_of, pair_of = transpose(offset, column, np.array([True, True, True, False]), 4)
    columns = [row_of[got_offset[c] : got_offset[c + 1]].tolist() for c in range(4)]
    assert columns == [[0], [2], [], [0, 2]]
    assert column[pair_of].tolist() == [0, 1, 3, 3]
