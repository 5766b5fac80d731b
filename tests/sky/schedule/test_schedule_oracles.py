"""The schedule against oracles that share nothing with it: a whole MILP, progressive filling, brute force."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.base.errors import Refused
from skylift.sky.schedule import scheduler
from skylift.sky.schedule.problem import (
    Cells,
    Gateways,
    Satellites,
    Schedule,
    ScheduleRules,
    Slot,
    UserPairs,
)
from skylift.sky.schedule.scheduler import BeamScheduler, schedule

SlotOf = Callable[..., Slot]
Breaches = Callable[[Slot, Schedule], list[str]]


def _beside(name: str) -> ModuleType:
    """A helper of this folder; pytest's importlib mode leaves the folder off the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look themselves up there.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


programmes = _beside("schedule_milp")
judges = _beside("schedule_judges")
sequences = _beside("schedule_sequences")

EARTH_M, ABOVE_M = 6_371_000.0, 6_921_000.0


def points(latitude_deg: Any, longitude_deg: Any, radius_m: float) -> npt.NDArray[np.float64]:
    lat, lon = np.radians(latitude_deg), np.radians(longitude_deg)
    return radius_m * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def slot_by_hand(
    cells: list[tuple[float, float]],
    wanted: Any,
    satellites: list[tuple[float, float]],
    rate: dict[tuple[int, int], float],
    *,
    beams: Any = 1,
    antennas: tuple[int, ...] = (9,),
    feeder_bps: float = 1e12,
    rules: ScheduleRules | None = None,
) -> Slot:
    """Places: latitude and longitude in degrees; rate by (cell, satellite); gateways reach all satellites."""
    n, g = len(satellites), len(antennas)
    keys = sorted(rate)
    count = np.bincount([c for c, _ in keys], minlength=len(cells)) if cells else np.zeros(0, dtype=int)
    return Slot(
        Cells(
            points(*np.array(cells).reshape(-1, 2).T, EARTH_M),
            np.asarray(wanted, dtype=float).reshape(-1, 4),
            np.zeros(len(cells), dtype=np.uint8),
        ),
        Satellites(
            points(*np.array(satellites).reshape(-1, 2).T, ABOVE_M),
            np.broadcast_to(np.asarray(beams, dtype=np.int32), (n, 2)).copy(),
        ),
        UserPairs(
            np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
            np.array([s for _, s in keys], dtype=np.int32),
            np.array([rate[key] for key in keys], dtype=float),
        ),
        Gateways(
            np.arange(g + 1, dtype=np.int64) * n,
            np.tile(np.arange(n, dtype=np.int32), g),
            np.array(antennas, dtype=np.int32),
            np.full(g, feeder_bps),
        ),
        rules or ScheduleRules(channels=1),
    )


# --- the whole MILP


def small(slot_of: SlotOf, seed: int, kind: str) -> Slot:
    """3 to 5 satellites, 6 to 13 cells, 1 to 3 channels, 2 gateways of 1 or 2 antennas, thin feeders in half.

    kind  "plain", or "two satellites": Nco 2, with 10, 40 or 80 degrees of dish separation
    """
    random = np.random.default_rng([seed, 7])
    channels = int(random.integers(2, 4)) if kind != "two satellites" else int(random.integers(1, 3))
    dish_rad = np.radians(random.choice([10, 40, 80]))
    rules = {} if kind == "plain" else {"nco": 2, "dish_separation_rad": dish_rad}
    return slot_of(
        seed,
        cells=int(random.integers(6, 14 if channels == 2 else 10)),
        satellites=int(random.integers(3, 6)),
        gateways=2,
        antennas=int(random.integers(1, 3)),
        feeder_bps=float(random.choice([2e9, 20e9])),
        beams=int(random.integers(1, channels + 1)),
        half_width_deg=float(random.uniform(0.5, 3)),
        load=float(random.uniform(0.5, 1.8)),
        rules=ScheduleRules(channels=channels, **rules),
    )


def against_milp(slot: Slot, seconds: float = 20.0) -> tuple[float, npt.NDArray[np.float64]] | None:
    """What the optimum serves of what is wanted, and made / optimum of classes 1 to k; None if not solved.

    On the way: the schedule fulfils every row of the programme, and its levels are no better than the best.
    """
    made, programme = schedule(slot), programmes.Programme(slot, seconds)
    assert programme.broken(made) == []
    try:
        best = programme.leximin()
    except programmes.Unsolved:
        return None
    levels = np.sort(made.level[programme.wants])
    unlike = np.flatnonzero(np.abs(levels - best.levels) > 1e-3)
    assert not len(unlike) or levels[unlike[0]] < best.levels[unlike[0]]
    optimum = classes(slot, best.rate_bps)
    ratio = np.array(
        [made.served_bps[:, : k + 1].sum() / max(optimum[:, : k + 1].sum(), 1.0) for k in range(4)]
    )
    return float(optimum.sum() / slot.cells.wanted_bps.sum()), ratio


def classes(slot: Slot, rate_bps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rates (M,) split over the classes in the objective's order, (M, 4)."""
    floor, wanted = slot.rules.floor_fraction, slot.cells.wanted_bps
    whole = wanted.sum(axis=1)
    part = np.minimum(rate_bps, floor * whole) / np.where(whole > 0, whole, 1.0)
    left = np.maximum(rate_bps - floor * whole, 0.0)
    before = np.cumsum((1 - floor) * wanted, axis=1) - (1 - floor) * wanted
    return wanted * part[:, np.newaxis] + np.clip(left[:, np.newaxis] - before, 0.0, (1 - floor) * wanted)


# Seeds whose programme HiGHS solves in about a second and whose optimum serves 40 to 80 %. Of seeds 0 to 119
# these are the quick ones; all that HiGHS solved are in the docstring below.
QUICK: dict[str, tuple[int, ...]] = {
    "plain": (0, 3, 11, 26, 42, 45, 54, 64, 74, 77, 87, 89, 92, 94, 97, 98, 109, 112, 115, 117),
    "two satellites": (2, 8, 11, 12, 17, 24, 26, 31, 33, 42),
}
LEAST_RATIO = {"plain": 0.8, "two satellites": 0.95}


@pytest.fixture(scope="module")
def compared(slot_of: SlotOf) -> dict[str, dict[int, npt.NDArray[np.float64]]]:
    """Ratios by kind and seed; every comparison also checks feasibility and that none beats the optimum."""
    out: dict[str, dict[int, npt.NDArray[np.float64]]] = {}
    for kind, seeds in QUICK.items():
        out[kind] = {}
        for seed in seeds:
            result = against_milp(small(slot_of, seed, kind))
            assert result is not None
            assert 0.4 <= result[0] <= 0.8
            out[kind][seed] = result[1]
    return out


@pytest.mark.parametrize("kind", QUICK)
def test_no_better_than_the_optimum_and_not_far_below(
    kind: str, compared: dict[str, dict[int, npt.NDArray[np.float64]]]
) -> None:
    """Served by all classes over the optimum's, over seeds 0 to 119 that HiGHS solved, measured before cells
    were placed on channels while loads are evened (since then the twenty here are above 0.97):

    plain (50 slots): least 0.636, mean 0.978, under 0.97 in 7
        by classes 1, 1-2, 1-3: least 0.927, 0.945, 0.689
    two satellites (48): least 0.973, mean 0.997
        by classes 1, 1-2, 1-3: least 0.837, 0.946, 0.930
    with a separation of 8 degrees (11 of seeds 0 to 44): least 0.741, mean 0.954
    In the eight worst the engine's feeders cost nothing: with these held, HiGHS serves as much. What is lost
    is lost in who serves whom on which channel.
    """
    for seed, ratio in compared[kind].items():
        assert ratio[-1] >= LEAST_RATIO[kind], (seed, ratio)
    assert np.mean([ratio[-1] for ratio in compared[kind].values()]) >= 0.97


def test_the_least_of_twenty_small_slots(compared: dict[str, dict[int, npt.NDArray[np.float64]]]) -> None:
    """Twenty quick ones: once 0.827; above 0.97 since cells are placed on channels while loads are evened.

    Slow ones: seed 62 has 0.675 (once 0.636; 1.000 with 300 remakes), 30 0.968, 66 0.998, 91 1.002.
    """
    assert min(ratio[-1] for ratio in compared["plain"].values()) >= 0.97


def test_the_floor_is_served_where_it_can_be(slot_of: SlotOf) -> None:
    """Five satellites, one channel, Nco 2. Among 98 slots compared this happened in two (plain: seed 91)."""
    slot = small(slot_of, 28, "two satellites")
    programme = programmes.Programme(slot)
    best = programme.leximin()
    assert best.levels[0] > 4
    assert schedule(slot).level.min() >= 1.0


def test_the_most_that_can_be_served_is_never_exceeded(slot_of: SlotOf) -> None:
    for kind, seeds in QUICK.items():
        for seed in seeds[:3]:
            slot = small(slot_of, seed, kind)
            most = programmes.Programme(slot).most_bps()
            assert schedule(slot).served_bps.sum() <= most * (1 + 1e-4)


def test_the_programme_sees_a_broken_rule(slot_of: SlotOf) -> None:
    """The judge must be able to say no."""
    slot = small(slot_of, 117, "plain")
    made, thin = schedule(slot), replace(slot, gateways=replace(slot.gateways, feeder_bps=np.full(2, 1e6)))
    assert programmes.Programme(slot).broken(made) == []
    assert programmes.Programme(thin).broken(made)
    one_channel = replace(made, channel=np.zeros_like(made.channel))
    assert programmes.Programme(slot).broken(one_channel)
    far = replace(slot, rules=replace(slot.rules, separation_rad=np.radians(8)))
    assert programmes.Programme(far).broken(made)


# --- progressive filling


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 8]), st.sampled_from([0.2, 1.0, 4.0]), st.booleans())
def test_one_satellite_fills_as_water_does(seed: int, beams: int, load: float, thin: bool) -> None:
    """One satellite has nobody to keep clear of, so progressive filling is the optimum, cell by cell."""
    random = np.random.default_rng(seed)
    m = int(random.integers(1, 40))
    wanted = random.lognormal(0, 1, (m, 4)) * (random.uniform(size=(m, 4)) > 0.25)
    wanted *= load * 2 * beams * 600e6 / max(wanted.sum(), 1.0)
    slot = slot_by_hand(
        [(49 + x, 31 + y) for x, y in random.uniform(-3, 3, (m, 2))],
        wanted,
        [(49.0, 31.0)],
        {(c, 0): float(random.uniform(2e8, 7e8)) for c in range(m)},
        beams=beams,
        feeder_bps=0.6 * 2 * beams * 450e6 if thin else 1e12,
        rules=ScheduleRules(channels=8),
    )
    made = schedule(slot)
    exact = judges.filled(slot, 2 * beams, float(slot.gateways.feeder_bps[0]), 2 * beams)
    got = made.served_bps.sum(axis=1)
    np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-6 * max(exact.max(), 1.0))


def test_two_satellites_of_one_rate_fill_as_one() -> None:
    """Cells far apart, seen by both at one rate: as if one satellite had the beams of both.

    Measured: what is served to 1e-15; the worst level 0.0103 below.
    """
    places = [(46.0 + 1.5 * i, 26.0 + 2.5 * j) for i in range(5) for j in range(5)]
    both = {(c, s): 500e6 for c in range(25) for s in range(2)}
    for seed in range(10):
        wanted = np.random.default_rng(seed).lognormal(0, 0.5, (25, 4)) * 150e6
        slot = slot_by_hand(
            places, wanted, [(48.0, 30.0), (50.0, 32.0)], both, beams=4, rules=ScheduleRules(channels=8)
        )
        single = replace(slot, pairs=UserPairs(np.arange(26), np.zeros(25, np.int32), np.full(25, 500e6)))
        exact = judges.filled(single, 16, 1e12, 16)
        made, curve = schedule(slot), judges.curves(slot)
        assert made.served_bps.sum() == pytest.approx(exact.sum(), rel=1e-3)
        for c in range(25):
            assert made.level[c] == pytest.approx(judges.level_of(curve[c], exact[c]), abs=0.05)


# --- less of everything

KINDS: dict[str, dict[str, Any]] = {
    "small": {
        "cells": 12, "satellites": 4, "gateways": 2, "antennas": 2, "beams": 2, "half_width_deg": 2.0,
        "rules": ScheduleRules(channels=3),
    },
    "medium": {"cells": 80, "satellites": 10, "antennas": 3, "beams": 4, "rules": ScheduleRules(channels=4)},
    "crowded": {"cells": 100, "half_width_deg": 1.8},
}  # fmt: skip
LOADS = (0.3, 0.8, 1.5, 3.0)


def rises(slot_of: SlotOf, kind: str, seeds: range) -> dict[str, list[float]]:
    """How much what is served rises, as a fraction, where there is less of a thing; by thing."""
    out: dict[str, list[float]] = {}
    for seed in seeds:
        slot = slot_of(seed, load=LOADS[seed % 4], **KINDS[kind])
        before = schedule(slot).served_bps.sum()
        if before > 0:
            for name, less in judges.with_less(slot):
                out.setdefault(name, []).append(schedule(less).served_bps.sum() / before - 1)
    return out


# The most that halving, or taking one away, raised what is served, and how often: 100, 60 and 40 slots.
#             beams   antennas  feeder         channels  rates  gateway        satellite
#   small     never   never     never          never     never  never          0.039, 1.0 %
#   medium    never   never     0.0018, 3.3 %  never     never  0.0017, 1.7 %  never
#   crowded   never   never     0.014, 2.5 %   never     never  0.014, 2.5 %   never
MOST_RISE = {"small": 0.002, "medium": 0.002, "crowded": 0.03}
MOST_WITHOUT_ONE = {"small": 0.05, "medium": 0.01, "crowded": 0.03}


@pytest.mark.parametrize(("kind", "count"), [("small", 100), ("medium", 24), ("crowded", 12)])
def test_less_of_a_thing_raises_little_if_anything(kind: str, count: int, slot_of: SlotOf) -> None:
    """Half the beams, antennas, feeder rate, channels or user rates; without a gateway; without a satellite.

    It is not true that what is served never rises: crowded cells block one another, and with less thrust on
    them fewer do. Nor could it be: see below. A study (plan capacity)
    tries with less as well, as far as its budget goes: skylift.study.less.
    """
    for name, risen in rises(slot_of, kind, range(count)).items():
        most = MOST_WITHOUT_ONE if name in ("gateway", "satellite") else MOST_RISE
        assert max(risen) <= most[kind], name
        assert np.mean(np.array(risen) > 1e-3) <= 0.1, name
    for name in ("channels", "rates"):
        assert max(rises(slot_of, kind, range(4))[name]) <= 1e-9


def test_half_of_a_thing_never_raises_what_is_served_in_a_crowd(slot_of: SlotOf) -> None:
    for name, risen in rises(slot_of, "crowded", range(8)).items():
        assert max(risen) <= 1e-9, name


@pytest.mark.parametrize("taken", ["satellite", "half of all beams"])
def test_the_objective_itself_may_serve_more_with_less(taken: str) -> None:
    """Not the engine: the exact optimum. One antenna, three cells, of which the first is seen by the poor
    satellite only. To lift it, leximin gives the antenna to the poor satellite, and all have 0.07 Gb/s each;
    without that satellite the other two cells are full. So "halving never raises served_bps" cannot hold.
    """
    slot = slot_by_hand(
        [(49.0, 31.0), (50.0, 31.0), (51.0, 31.0)],
        [[0, 0, 0, 1e9]] * 3,
        [(49.5, 30.0), (50.5, 32.0)],
        {(0, 0): 1e8, (1, 0): 1e8, (2, 0): 1e8, (1, 1): 1e9, (2, 1): 1e9},
        beams=[[1, 1], [2, 2]],
        antennas=(1,),
        rules=ScheduleRules(channels=2),
    )
    halves = replace(slot, satellites=replace(slot.satellites, beams=slot.satellites.beams // 2))
    less = halves if taken != "satellite" else judges.without_satellite(slot, 0)
    for case, levels, served in [(slot, [4.0476] * 3, 0.2e9), (less, [0, 5, 5], 2e9)]:
        best, made = programmes.Programme(case).leximin(), schedule(case)
        np.testing.assert_allclose(best.levels, levels, atol=1e-3)
        assert best.rate_bps.sum() == pytest.approx(served, rel=1e-3)
        # The engine finds that optimum.
        np.testing.assert_allclose(np.sort(made.level), levels, atol=1e-3)


# --- fairness


FAIR: dict[str, dict[str, Any]] = {
    "small": KINDS["small"],
    "ordinary": {},
    "few beams": {"beams": 3},
    "thin feeders": {"feeder_bps": 3e9},
    "few antennas": {"satellites": 20, "antennas": 2},
    "two satellites": {"rules": ScheduleRules(nco=2)},
}
SPARSE = {"half_width_deg": 9.0, "cells": 60, "satellites": 20}


def rising(slot: Slot, made: Schedule, **how: Any) -> Counter[str]:
    counted: Counter[str] = judges.could_rise(
        slot, made, programmes.covers(slot), programmes.too_close(slot), **how
    )
    return counted


@pytest.mark.parametrize("kind", FAIR)
def test_no_cell_can_rise_at_the_cost_of_one_that_stands_higher(kind: str, slot_of: SlotOf) -> None:
    """Unlit beams, idle time, feeder rate, donors on every lane the cell may lawfully use; to 0.05 levels.

    Measured over 60 slots each, nobody could rise in any: 720 cells (small), 7,200 (ordinary, few antennas,
    two satellites), 3,600 (sparse), 6,000 (crowded). If a higher cell may be cleared off a channel too: 11 of
    the crowded, nobody elsewhere.
    """
    for seed in range(3):
        slot = slot_of(seed, **FAIR[kind])
        assert rising(slot, schedule(slot)) == Counter()


# Seeds 17, 19 and 34 were once the worst: rounds ended too soon, a row that was used again hid one that fell
# empty, and a giver a hair above a class that it wants nothing of was asked again and again, and nobody else.
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 17, 19, 34])
def test_in_a_crowd_nobody_could_rise(seed: int, slot_of: SlotOf) -> None:
    slot = slot_of(seed, **KINDS["crowded"])
    assert rising(slot, schedule(slot)) == Counter()


def as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots are scheduled by units alone, as those of a crowded country are: no lanes, no exchanges."""
    monkeypatch.setattr(scheduler, "QUICK_PAIRS", 0)
    monkeypatch.setattr(scheduler, "CROWDED_LARGE", 0.0)


def test_in_a_large_slot_hardly_anybody_could_rise(slot_of: SlotOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 480 cells none could, where 372 could before levels were evened out. Of a crowded Ukraine's 2,467
    one in a hundred may: docs/why/011. A study takes more rounds.
    """
    as_large(monkeypatch)
    slots = [slot_of(seed, cells=120, half_width_deg=2.0) for seed in range(4)]
    made = [schedule(slot) for slot in slots]
    live = [rising(slot, at)["cells"] for slot, at in zip(slots, made, strict=True)]
    assert sum(live) <= 2
    # The judge of slots of thousands of cells finds the same.
    risers = [
        judges.could_rise_in_a_crowd(slot, at, np.arange(120)) for slot, at in zip(slots, made, strict=True)
    ]
    assert [int(them.sum()) for them in risers] == live
    study = [schedule(slot, remakes=300) for slot in slots]
    assert rising(slots[1], study[1])["cells"] <= live[1]
    # A study goes on from there, and never ends worse.
    assert all(lacks(at) <= lacks(then) for at, then in zip(study, made, strict=True))


def lacks(made: Any) -> float:
    """What all cells lack: the lesser of two schedules' is the better (docs/why/011)."""
    return float(np.exp(-6.0 * made.level).sum())


def test_nobody_in_reach_has_nothing_in_a_jammed_large_slot(
    slot_of: SlotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven of ten channels jammed, pair by pair; in slot 4 a cell had nothing before others made room for it
    at any price.
    """
    as_large(monkeypatch)
    for seed in (3, 4, 5):
        slot = slot_of(seed, cells=150, half_width_deg=1.5, jammed=0.7)
        made = schedule(slot)
        assert not (made.level[np.diff(slot.pairs.offset) > 0] <= 0.0).any(), seed


LARGE: dict[str, dict[str, Any]] = {
    "crowded": {},
    "few beams, many channels": {"beams": 4, "rules": ScheduleRules(channels=16)},
    "two satellites, apart": {"rules": ScheduleRules(nco=2, dish_separation_rad=np.radians(20.0))},
    "jammed channels": {"jammed": 0.5},
    "thin feeders in rain": {"rain": True, "feeder_bps": 4e9},
    "few antennas, barred": {"satellites": 20, "antennas": 2, "barred": 0.2},
    "wide separation": {"rules": ScheduleRules(separation_rad=np.radians(5.0))},
}


@pytest.mark.parametrize("kind", LARGE)
def test_no_rule_is_broken_in_a_large_slot(
    kind: str, slot_of: SlotOf, breaches: Breaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live, and in a study's rounds; then with the slot before in mind, in which other channels were jammed,
    rates and demand were others, and some pairs are gone. Equal bytes, twice.
    """
    as_large(monkeypatch)
    random = np.random.default_rng(7)
    slot = slot_of(1, cells=150, half_width_deg=2.0, **LARGE[kind])
    k = len(slot.pairs.satellite)
    later = replace(
        slot,
        pairs=replace(
            slot.pairs,
            full_rate_bps=slot.pairs.full_rate_bps * np.where(random.uniform(size=k) < 0.1, 0.0, 1.02),
            barred_channels=random.integers(0, 1 << 16, k).astype(np.uint32) if "jammed" in kind else None,
        ),
        cells=replace(slot.cells, wanted_bps=slot.cells.wanted_bps * random.uniform(0.8, 1.2, (150, 1))),
    )
    for remakes in (0, 300):
        first = schedule(slot, remakes=remakes)
        then, again = (schedule(later, first, remakes) for _ in range(2))
        assert len(then) > 0
        assert breaches(slot, first) == []
        assert breaches(later, then) == []
        assert all(getattr(then, f.name).tobytes() == getattr(again, f.name).tobytes() for f in fields(then))


def test_no_beam_stays_dark_that_a_hungry_cell_may_have(slot_of: SlotOf) -> None:
    for seed in range(3):
        slot = slot_of(seed, **SPARSE)
        could = rising(slot, schedule(slot))
        assert could["idle beam"] + could["idle time"] == 0


def test_the_judge_sees_idle_time_donors_and_blockers(slot_of: SlotOf) -> None:
    slot = slot_of(0)
    made = schedule(slot)
    poorest = int(np.argmin(made.level))
    kept = made.cell != poorest
    rows = {
        f.name: getattr(made, f.name)[kept] for f in fields(made) if len(getattr(made, f.name)) == len(made)
    }
    assert rising(slot, replace(made, **rows))["idle time"] >= 1
    # Two cells side by side, a satellite and a channel each: taken by hand from one cell and given to nobody,
    # the channel is idle; with the other cell's satellite on both channels it is that cell which blocks.
    near = slot_by_hand(
        [(49.0, 31.0), (49.05, 31.0)],
        [[0, 0, 0, 1e9], [0, 0, 0, 4e9]],
        [(49.0, 30.0), (49.0, 32.0)],
        {(0, 0): 5e8, (1, 1): 5e8},
        beams=2,
        rules=ScheduleRules(channels=2),
    )
    even = schedule(near)
    assert rising(near, even, blockers=True)["cells"] == 0
    greedy = replace(
        even,
        satellite=np.ones(4, np.int32),
        cell=np.ones(4, np.int32),
        polarisation=np.array([0, 0, 1, 1], np.int32),
        channel=np.array([0, 1, 0, 1], np.int32),
        share_fraction=np.ones(4),
        rate_bps=np.full(4, 5e8),
    )
    assert rising(near, greedy, blockers=True) == Counter({"cells": 1, "blocker": 1})
    assert rising(near, greedy)["cells"] == 0


# --- Nco, separation


@pytest.mark.parametrize("dish_deg", [0.0, 10.0, 60.0])
@pytest.mark.parametrize("nco", [1, 2, 3])
def test_as_many_satellites_as_allowed_and_far_enough_apart(
    nco: int, dish_deg: float, slot_of: SlotOf, breaches: Breaches
) -> None:
    rules = ScheduleRules(channels=2, nco=nco, dish_separation_rad=np.radians(dish_deg))
    for seed in range(3):
        slot = slot_of(seed, cells=60, beams=2, half_width_deg=2.0, rules=rules)
        made = schedule(slot)
        assert len(made) > 0
        assert breaches(slot, made) == []
        # A row of the programme each; it forms cones by chords, the checker by cosines.
        assert programmes.Programme(slot).broken(made) == []


def test_two_satellites_light_one_cell_only_if_they_stand_apart() -> None:
    """One channel, one cell that wants more than one satellite gives; the two are 31 degrees apart for it."""
    at = [(49.0, 31.0)], [[0, 0, 0, 4e9]], [(49.0, 29.0), (49.0, 33.0)], {(0, 0): 5e8, (0, 1): 5e8}
    cell, satellites = points(*np.array(at[0]).T, EARTH_M), points(*np.array(at[2]).T, ABOVE_M)
    u, v = (satellites - cell).T
    apart_rad = np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    for nco, dish_rad, expected in [
        (1, 0.0, 1e9),
        (2, apart_rad - 1e-6, 2e9),
        (2, apart_rad + 1e-6, 1e9),
    ]:
        rules = ScheduleRules(channels=1, nco=nco, dish_separation_rad=dish_rad)
        assert schedule(slot_by_hand(*at, rules=rules)).served_bps.sum() == pytest.approx(expected)


def test_a_cone_ends_where_it_ends() -> None:
    """Two cells of two satellites on one channel: both are served if each lies outside the other's beam."""
    for apart_deg, both in [(0.2, False), (1.0, True)]:
        slot = slot_by_hand(
            [(49.0, 31.0), (49.0 + apart_deg, 31.0)],
            [[0, 0, 0, 1e9]] * 2,
            [(49.0, 31.0), (49.0 + apart_deg, 31.0)],
            {(0, 0): 5e8, (1, 1): 5e8},
        )
        assert bool((schedule(slot).level > 0).all()) == both


@pytest.mark.parametrize("separation_deg", [0.0, 6.0, 9.0])
def test_wide_cones_break_no_rule(separation_deg: float, slot_of: SlotOf, breaches: Breaches) -> None:
    for seed in range(3):
        slot = slot_of(seed, cells=60, rules=ScheduleRules(separation_rad=np.radians(separation_deg)))
        made = schedule(slot)
        assert made.served_bps.sum() > 0
        assert breaches(slot, made) == []


def test_a_separation_that_the_rules_allow_is_scheduled(slot_of: SlotOf) -> None:
    rules = ScheduleRules(separation_rad=np.radians(10.0))
    for seed in range(20):
        schedule(slot_of(seed, cells=20, rules=rules))


# --- odd slots


def test_one_cell_gets_all_beams_and_no_more_than_it_wants() -> None:
    one = {"satellites": [(49.0, 31.0)], "rate": {(0, 0): 5e8}, "rules": ScheduleRules(channels=8)}
    for wanted, beams, got in [(1e9, 4, 1e9), (1e12, 4, 4e9), (0.0, 4, 0.0), (1e9, 0, 0.0)]:
        made = schedule(slot_by_hand([(49.0, 31.0)], [[0, wanted, 0, 0]], beams=beams, **one))
        assert made.served_bps.sum() == pytest.approx(got)


def test_points_of_demand_at_one_place_share_alike(breaches: Breaches) -> None:
    for nco in (1, 2):
        slot = slot_by_hand(
            [(49.0, 31.0)] * 6,
            [[1e8, 2e8, 0, 4e8]] * 6,
            [(48.0, 30.0), (50.0, 33.0)],
            {(c, s): 5e8 for c in range(6) for s in range(2)},
            rules=ScheduleRules(channels=2, nco=nco),
            beams=2,
        )
        made = schedule(slot)
        assert breaches(slot, made) == []
        # With Nco 1 each channel belongs to one satellite: two channels, two polarisations.
        assert made.served_bps.sum() == pytest.approx(4 * nco * 5e8, rel=1e-6)
        assert np.ptp(made.level) <= 0.05


@pytest.mark.parametrize("without", ["satellites", "gateways", "pairs", "beams", "antennas", "rate", "leave"])
def test_nothing_to_serve_with(without: str, slot_of: SlotOf) -> None:
    slot = slot_of(1, cells=20)
    none_i, none_f = np.empty(0, np.int32), np.empty(0)
    no_gates = Gateways(np.zeros(1, np.int64), none_i, none_i, none_f)
    no_pairs = UserPairs(np.zeros(21, np.int64), none_i, none_f)
    less = {
        "satellites": replace(
            slot, satellites=Satellites(np.empty((3, 0)), np.empty((0, 2), np.int32)), pairs=no_pairs,
            gateways=no_gates,
        ),
        "gateways": replace(slot, gateways=no_gates),
        "pairs": replace(slot, pairs=no_pairs),
        "beams": replace(slot, satellites=replace(slot.satellites, beams=0 * slot.satellites.beams)),
        "antennas": replace(slot, gateways=replace(slot.gateways, antennas=0 * slot.gateways.antennas)),
        "rate": replace(slot, pairs=replace(slot.pairs, full_rate_bps=0 * slot.pairs.full_rate_bps)),
        "leave": replace(slot, cells=replace(slot.cells, barred=np.full(20, 3, np.uint8))),
    }[without]  # fmt: skip
    made = schedule(less)
    assert len(made) == 0
    assert made.served_bps.sum() == 0
    hungry = slot.cells.wanted_bps.sum(axis=1) > 0
    assert (made.level[hungry] == (5 if without == "leave" else 0)).all()


def test_cells_that_want_nothing_change_nothing(slot_of: SlotOf) -> None:
    slot = slot_of(4, cells=60, load=1.0)
    silent = np.arange(60) % 3 == 0
    wanted = np.where(silent[:, np.newaxis], 0.0, slot.cells.wanted_bps)
    slot = replace(slot, cells=replace(slot.cells, wanted_bps=wanted))
    made = schedule(slot)
    assert not np.isin(made.cell, np.flatnonzero(silent)).any()
    assert (made.level[silent] == 5).all()
    # The same without them.
    kept = ~silent
    rows = np.repeat(kept, np.diff(slot.pairs.offset))
    fewer = Slot(
        Cells(slot.cells.position_ecef_m[:, kept], wanted[kept], slot.cells.barred[kept]),
        slot.satellites,
        UserPairs(
            np.concatenate([[0], np.cumsum(np.diff(slot.pairs.offset)[kept])]),
            slot.pairs.satellite[rows],
            slot.pairs.full_rate_bps[rows],
        ),
        slot.gateways,
        slot.rules,
    )
    np.testing.assert_allclose(schedule(fewer).served_bps, made.served_bps[kept], rtol=1e-9)


@pytest.mark.parametrize(
    ("part", "name"), [("cells", "wanted_bps"), ("pairs", "full_rate_bps"), ("gateways", "feeder_bps")]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused_by_name(part: str, name: str, value: float, slot_of: SlotOf) -> None:
    slot = slot_of(0, cells=20)
    broken = getattr(getattr(slot, part), name).copy()
    broken.flat[0] = value
    with pytest.raises(Refused) as refusal:
        replace(slot, **{part: replace(getattr(slot, part), **{name: broken})})
    assert refusal.value.thing == f"{part}.{name}"


def test_more_beams_than_channels_are_refused(slot_of: SlotOf) -> None:
    with pytest.raises(Refused, match="as many beams as there are channels"):
        slot_of(0, beams=3, rules=ScheduleRules(channels=2))


def test_no_demand_is_too_great(slot_of: SlotOf) -> None:
    slot = slot_of(0)
    assert schedule(slot_of(0, load=1.5e8)).served_bps.sum() > 0
    schedule(replace(slot, cells=replace(slot.cells, wanted_bps=1e9 * slot.cells.wanted_bps)))


# In a process of its own: where the engine reads beyond its arrays, the process may die.
APART = """
import importlib.util, sys
from dataclasses import replace
from skylift.base.errors import Refused
from skylift.sky.schedule.scheduler import schedule
spec = importlib.util.spec_from_file_location("slots", sys.argv[1])
slots = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slots)
slot = slots.make_slot(0)
thing = "previous"
try:
    if sys.argv[2] == "previous":
        schedule(slot, schedule(slots.make_slot(1, cells=400, satellites=60, gateways=9)))
    else:
        part = getattr(slot, sys.argv[2])
        place_m = part.position_ecef_m.copy()
        place_m[0, 0] = float(sys.argv[3])
        thing = sys.argv[2] + ".position_ecef_m"
        schedule(replace(slot, **{sys.argv[2]: replace(part, position_ecef_m=place_m)}))
except Refused as refusal:
    sys.exit(7 if thing in refusal.thing and "slot." not in refusal.thing else 8)
"""


@pytest.mark.parametrize(
    "wrong", [("previous",), ("cells", "nan"), ("cells", "inf"), ("satellites", "nan"), ("satellites", "inf")]
)
def test_what_would_lead_the_engine_astray_is_refused_by_name(wrong: tuple[str, ...]) -> None:
    conftest = Path(__file__).with_name("conftest.py")
    done = subprocess.run(
        [sys.executable, "-c", APART, str(conftest), *wrong], check=False, capture_output=True
    )
    assert done.returncode == 7


# --- the same again


def permuted(slot: Slot, order: npt.NDArray[np.int64]) -> Slot:
    """The same slot with satellite order[i] in place i."""
    new = np.argsort(order).astype(np.int32)
    pairs, gates = slot.pairs, slot.gateways
    return replace(
        slot,
        satellites=Satellites(
            np.ascontiguousarray(slot.satellites.position_ecef_m[:, order]), slot.satellites.beams[order]
        ),
        pairs=UserPairs(pairs.offset, new[pairs.satellite], pairs.full_rate_bps),
        gateways=Gateways(gates.offset, new[gates.satellite], gates.antennas, gates.feeder_bps),
    )


def test_the_same_bytes_twice_and_the_input_is_left_alone(slot_of: SlotOf) -> None:
    slot, again = slot_of(6, rules=ScheduleRules(nco=2)), slot_of(6, rules=ScheduleRules(nco=2))
    keeper = BeamScheduler(slot.cells.position_ecef_m)
    for made in (keeper.schedule(slot), keeper.schedule(slot)):
        for f in fields(made):
            assert getattr(made, f.name).tobytes() == getattr(schedule(again), f.name).tobytes()
    for part in ("cells", "satellites", "pairs", "gateways"):
        for f in fields(getattr(slot, part)):
            one, two = (getattr(getattr(s, part), f.name) for s in (slot, again))
            np.testing.assert_array_equal(one, two)


def test_the_order_of_satellites_matters_little(slot_of: SlotOf) -> None:
    """Sums may differ where ties are broken by number: measured below."""
    for seed in range(8):
        for kind, limit in (("medium", 0.01), ("crowded", 0.05)):
            slot = slot_of(seed, **KINDS[kind])
            order = np.random.default_rng(seed).permutation(len(slot.satellites))
            one, two = schedule(slot).served_bps.sum(), schedule(permuted(slot, order)).served_bps.sum()
            assert two == pytest.approx(one, rel=limit), (seed, kind)


# --- hysteresis


def dropped(slot_of: SlotOf, seed: int, load: float, keep_level: float, half_width_deg: float = 5.0) -> Any:
    """Twelve slots of 15 s of 100 cells (schedule_sequences.Kept)."""
    cells = slot_of(seed, cells=100, load=load, half_width_deg=half_width_deg).cells
    return sequences.kept_over(sequences.shell_slots(seed, cells, keep_level))


# Load, half-width, and by what factor fewer are dropped at least. Measured over seeds 0 to 5: small 8.9 to
# 159, 2.0 to 4.5, 1.58 to 1.85; large 3.7 to 9.7, 2.9 to 5.0, 2.1 to 2.7.
FEWER = {
    "small, all full": (0.15, 5.0, 5.0),
    "small, a little short": (0.4, 5.0, 1.5),
    "small, far too little": (1.5, 5.0, 1.4),
    "large, all full": (0.15, 5.0, 3.0),
    "large, a little short": (0.4, 5.0, 2.0),
    "large, far too little": (1.5, 2.0, 1.7),
}


@pytest.mark.parametrize("kind", FEWER)
def test_with_the_bonus_fewer_usable_pairs_are_dropped_and_nobody_falls_far(
    kind: str, slot_of: SlotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least level, in the mean over slots: at most 0.008 lower in small slots, 0.047 in large ones.
    Served 0.2 % less at most, 0.6 % in large ones.
    """
    load, half_width_deg, factor = FEWER[kind]
    large = kind.startswith("large")
    if large:
        as_large(monkeypatch)
    for seed in range(2):
        none, some = (dropped(slot_of, seed, load, keep, half_width_deg) for keep in (0.0, 0.02))
        assert factor * some.part <= none.part
        assert np.mean(some.least) >= np.mean(none.least) - (0.05 if large else 0.01)
        assert sum(some.served) >= 0.99 * sum(none.served)


def test_where_all_are_full_most_keep_their_satellite(slot_of: SlotOf) -> None:
    assert dropped(slot_of, 0, 0.15, 0.02).part <= 0.1


def test_with_a_slot_before_nobody_could_rise_either(slot_of: SlotOf) -> None:
    """The bonus holds nobody down by a twentieth of a level: nobody in 11,200 cells of four kinds."""
    cells = slot_of(0, cells=100, load=1.5).cells
    keeper, made = BeamScheduler(cells.position_ecef_m), None
    for slot in sequences.shell_slots(0, cells, 0.02, 6):
        made = keeper.schedule(slot, made)
        assert not judges.could_rise_in_a_crowd(slot, made, np.arange(100)).any()


def test_after_a_slot_before_hardly_anybody_could_rise_in_a_large_one(
    slot_of: SlotOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a twentieth of a level and the bonus together: so high may a kept pair stand above its unit."""
    as_large(monkeypatch)
    cells = slot_of(0, cells=100, load=1.5, half_width_deg=2.0).cells
    keeper, made, risers = BeamScheduler(cells.position_ecef_m), None, 0
    for slot in sequences.shell_slots(0, cells, 0.02, 12):
        made = keeper.schedule(slot, made)
        risers += int(judges.could_rise_in_a_crowd(slot, made, np.arange(100), gap=0.07).sum())
    assert risers <= 2
