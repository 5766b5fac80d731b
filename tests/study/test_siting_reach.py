"""What a set of gateways could do in a slot, against loops over everything, for random small skies."""

from __future__ import annotations

from itertools import combinations
from typing import Any, cast

import numpy as np
import pytest

from skylift.base.link import WhyDown
from skylift.base.randomness import random_stream
from skylift.sky.schedule.problem import Cells, Gateways, Satellites, UserPairs
from skylift.sky.schedule.supply import Offer
from skylift.study.siting_reach import slot_reach

CELLS, SATELLITES, GATEWAYS = 12, 6, 4


def sky(seed: int) -> tuple[Offer, Cells, dict[str, Any]]:
    """A random offer, and the same as matrices: rate (cells, satellites), feeder (gateways, satellites)."""
    random = random_stream(seed, "tests/siting-reach")
    sees = random.random((CELLS, SATELLITES)) < 0.4
    rate = np.where(sees, random.choice([0.0, 1e9, 3e9], sees.shape), 0.0)
    words = np.where(random.random(sees.shape) < 0.15, np.uint32(0xFFFFFFFF), np.uint32(1)).astype(np.uint32)
    tracks = random.random((GATEWAYS, SATELLITES)) < 0.4
    feeder = np.where(tracks, random.choice([0.0, 4e9, 9e9], tracks.shape), 0.0)
    wanted = random.random((CELLS, 4)) * 1e9
    barred = np.where(random.random(CELLS) < 0.2, WhyDown.REGION_NOT_ACTIVE, WhyDown.UP).astype(np.uint8)
    beams = random.integers(0, 4, (SATELLITES, 2)).astype(np.int32)
    antennas = random.integers(1, 3, GATEWAYS).astype(np.int32)
    cell, satellite = np.nonzero(sees)
    gateway, tracked = np.nonzero(tracks)
    offer = Offer(
        at_us=0,
        satellites=Satellites(np.ones((3, SATELLITES)), beams),
        pairs=UserPairs(offsets(cell, CELLS), satellite.astype(np.int32), rate[sees], words[sees]),
        gateways=Gateways(
            offsets(gateway, GATEWAYS), tracked.astype(np.int32), antennas, np.zeros(GATEWAYS), feeder[tracks]
        ),
        users=cast(Any, None),
    )
    open_rate = np.where(words == 0xFFFFFFFF, 0.0, rate)
    plain = {
        "rate": open_rate,
        "feeder": feeder,
        "wanted": np.where(barred == 0, wanted.sum(axis=1), 0.0),
        "beams": beams.sum(axis=1),
        "antennas": antennas,
    }
    return offer, Cells(np.zeros((3, CELLS)), wanted, barred), plain


def offsets(row: Any, rows: int) -> Any:
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int64)


def reached(plain: dict[str, Any], works: tuple[int, ...]) -> float:
    total = 0.0
    for c in range(CELLS):
        for s in range(SATELLITES):
            if plain["rate"][c, s] > 0 and any(plain["feeder"][g, s] > 0 for g in works):
                total += plain["wanted"][c]
                break
    return total


def seats(works: tuple[int, ...], group: tuple[int, ...], plain: dict[str, Any]) -> bool:
    """Whether these gateways' antennas can track all satellites of the group, by trying everything."""
    if not group:
        return True
    for g in works:
        if plain["feeder"][g, group[0]] > 0 and plain["antennas"][g] > 0:
            fewer = {**plain, "antennas": plain["antennas"] - (np.arange(GATEWAYS) == g)}
            if seats(works, group[1:], fewer):
                return True
    return False


def through(plain: dict[str, Any], s: int) -> float:
    """No schedule puts more through a satellite."""
    asks = plain["wanted"] * (plain["rate"][:, s] > 0)
    heard = plain["rate"][plain["wanted"] > 0, s].max(initial=0.0)
    return float(min(plain["beams"][s] * heard, plain["feeder"][:, s].max(), asks.sum()))


@pytest.mark.parametrize("seed", range(12))
def test_reach_and_limits_by_loops(seed: int) -> None:
    offer, cells, plain = sky(seed)
    reach = slot_reach(offer, cells)
    assert reach.wanted_bps == pytest.approx(plain["wanted"])
    groups = [g for size in range(SATELLITES + 1) for g in combinations(range(SATELLITES), size)]
    for size in range(GATEWAYS + 1):
        for works in combinations(range(GATEWAYS), size):
            flags = np.isin(np.arange(GATEWAYS), works)
            antennas = np.where(flags, offer.gateways.antennas, 0).astype(np.int64)
            assert reach.reached_bps(flags) == pytest.approx(reached(plain, works))
            possible = [group for group in groups if seats(works, group, plain)]
            carried = max(sum(through(plain, s) for s in group) for group in possible)
            assert reach.carried_bps(antennas) == pytest.approx(carried)
            covers = {
                round(float(plain["wanted"][(plain["rate"][:, list(group)] > 0).any(axis=1)].sum()))
                for group in possible
            }
            covered = reach.covered_bps(antennas)
            assert round(covered) in {c + d for c in covers for d in (-1, 0, 1)}
            assert max(covers) / 2 - 1 <= covered <= max(covers) + 1
    assert reach.gateways() == {
        g
        for g in range(GATEWAYS)
        for s in range(SATELLITES)
        if plain["feeder"][g, s] > 0 and (plain["wanted"] * plain["rate"][:, s] > 0).any()
    }
