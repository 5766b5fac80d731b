"""The beam schedule of one slot on one core: a world of 11,926 satellites, Ukraine's real sky, and quality.

What is timed is the schedule alone: pairs, rates and gateways' reach are found before. The speed cases have
no peer: OR-tools is not among the dependencies, and no library at hand knows this objective.

*quality*: 20 random slots, of which the optimum serves 40 to 80 %, and beside ours the same objective in
HiGHS without separation, antennas divided at will: an upper bound (tests/sky/schedule/conftest.py). The
error is what the worst of the 20 slots lacks of it, as a fraction, with classes added up from the highest.

*even*: crowded slots; the error is the part of a fixed sample of cells that could still rise by one
exchange, to 0.05 of a level, without lowering one that stands no higher: by brute force
(tests/sky/schedule/schedule_judges.py). Ukraine as below, live and in a study, and the world at ten times
its demand.

*world*: the shells of bench/coverage.py, 20,000 cells in 200 clusters between 60 south and 60 north,
a gateway of 8 antennas in each. *ukraine*: every cell of `skylift cells --country UA`, the 10,395 objects
of the catalogue of 2026-05-30 at its median epoch, 16 gateways around; where ../shared is absent, the
shells of bench/coverage.py instead.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.coverage import SHELLS, _shell
from bench.harness import Case, Result
from skylift.base.geodesy import Place
from skylift.base.randomness import random_stream

if TYPE_CHECKING:
    from skylift.sky.schedule.problem import Schedule, Slot

Floats = npt.NDArray[np.float64]

CATALOGUE = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalogues" / "starlink_2026-05-30.tle"
CELLS = 20_000
FLOOR_DEG = 25.0
ANTENNAS = 8
# Two polarisations of 8 beams, and what a feeder of 2.1 GHz in two polarisations carries at 4 b/s/Hz, about.
BEAMS, FEEDER_BPS = 8, 17e9
JUDGES = Path(__file__).resolve().parents[1] / "tests" / "sky" / "schedule"
# The world's demand where it is crowded, times its own.
CROWDED_WORLD = 10.0
# (latitude, longitude) of gateways around Ukraine, rounded to degrees: all that the first hop can reach.
AROUND = (
    (52, 21), (54, 24), (41, 29), (45, 11), (47, 8), (50, 8), (55, 25), (48, 17), (42, 23), (38, 24),
    (60, 11), (57, 16), (61, 25), (39, 45), (40, 36), (43, 12),
)  # fmt: skip


def slot_of(
    position_m: Floats, cells: list[Place], gateways: list[Place], random: Any, load_bps: float
) -> Slot:
    """A slot of pairs above 25 degrees and 18 degrees from the arc; demand is lognormal, in four classes."""
    from skylift.sky.coverage.sites import AntennaModel, sites_of
    from skylift.sky.coverage.usable import usable_pairs
    from skylift.sky.schedule.problem import Cells, Gateways, Satellites, Slot, UserPairs

    dish = AntennaModel("dish", "", FLOOR_DEG, arc_separation_deg=18.0)
    sites = sites_of(cells, [dish] * len(cells))
    seen = usable_pairs(sites, position_m)
    reach = usable_pairs(sites_of(gateways, [dish] * len(gateways)), position_m)
    m, n = len(cells), position_m.shape[2]
    size, mix = random.lognormal(0.0, 0.8, (m, 1)), random.lognormal(0.0, 0.4, (m, 4))
    wanted = size * mix * np.array([0.05, 0.15, 0.2, 0.6])
    wanted *= load_bps / wanted.sum()
    return Slot(
        Cells(sites.position_ecef_m, wanted, np.zeros(m, dtype=np.uint8)),
        Satellites(np.nan_to_num(position_m[1], nan=1e7), np.full((n, 2), BEAMS, dtype=np.int32)),
        # 2.4 to 3.1 b/s/Hz between 25 degrees and the zenith: the spread of C/N from 15 to 18 dB.
        UserPairs(
            seen.site_offset, seen.satellite, 240e6 * (2.4 + 0.7 * np.sin(seen.elevation_rad.astype(float)))
        ),
        Gateways(
            reach.site_offset,
            reach.satellite,
            np.full(len(gateways), ANTENNAS, dtype=np.int32),
            np.full(len(gateways), FEEDER_BPS),
        ),
    )


@cache
def world(seed: int) -> tuple[Slot, Any]:
    from skylift.sky.schedule.scheduler import BeamScheduler

    random = random_stream(seed, "bench/schedule/world")
    position_m = np.concatenate([_shell(random, *shell) for shell in SHELLS], axis=2)
    centres = np.degrees(np.arcsin(random.uniform(-0.86, 0.86, 200))), random.uniform(-180, 180, 200)
    which = random.integers(0, 200, CELLS)
    latitude = centres[0][which] + random.normal(0, 1.5, CELLS)
    longitude = centres[1][which] + random.normal(0, 2.0, CELLS)
    places = [Place(float(a), float((b + 180) % 360 - 180)) for a, b in zip(latitude, longitude, strict=True)]
    gateways = [Place(float(a), float(b)) for a, b in zip(*centres, strict=True)]
    slot = slot_of(position_m, places, gateways, random, 8e12)
    return slot, BeamScheduler(slot.cells.position_ecef_m)


@cache
def ukraine(seed: int) -> tuple[Slot, Any]:
    import h3

    from skylift.adapters.outlines import country_outline
    from skylift.base.places import cells_of
    from skylift.sky.schedule.scheduler import BeamScheduler

    random = random_stream(seed, "bench/schedule/ukraine")
    places = [Place(*h3.cell_to_latlng(cell)) for cell in cells_of(country_outline("UA"), 5)]
    gateways = [Place(float(a), float(b)) for a, b in AROUND]
    slot = slot_of(_catalogue_m(random), places, gateways, random, 1.5e12)
    return slot, BeamScheduler(slot.cells.position_ecef_m)


def _catalogue_m(random: np.random.Generator) -> Floats:
    """Positions (3 instants, 3, N) of the real catalogue, or of the shells where it is absent."""
    if not CATALOGUE.exists():
        return np.concatenate([_shell(random, *shell) for shell in SHELLS], axis=2)
    from skylift.adapters.catalogue_files import read_catalogue
    from skylift.sky.orbit.propagate import Propagator

    catalogue = read_catalogue(CATALOGUE).catalogue
    at_us = int(np.median(catalogue.epoch_us))
    instants = np.array([at_us, at_us + 7_500_000, at_us + 15_000_000], dtype=np.int64)
    return np.asarray(Propagator(catalogue).ephemeris(instants, frame="itrs").position_ecef_m)


@cache
def judges(module_name: str = "conftest") -> Any:
    """A module of the tests: conftest makes random slots and solves them with HiGHS."""
    spec = importlib.util.spec_from_file_location(f"schedule_{module_name}", JUDGES / f"{module_name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def study(seed: int) -> tuple[Slot, Any]:
    """Ukraine, as a study schedules it."""
    from skylift.sky.schedule.problem import STUDY_REMAKES
    from skylift.sky.schedule.scheduler import BeamScheduler

    slot, _ = ukraine(seed)
    return slot, BeamScheduler(slot.cells.position_ecef_m, STUDY_REMAKES)


@cache
def crowded_world(seed: int) -> tuple[Slot, Any]:
    slot, scheduler = world(seed)
    cells = replace(slot.cells, wanted_bps=slot.cells.wanted_bps * CROWDED_WORLD)
    return replace(slot, cells=cells), scheduler


def could_rise(slot: Slot, made: Schedule, seed: int, sample: int) -> float:
    """Of a sample of a slot's cells, the part that could rise by one exchange."""
    cells = random_stream(seed, "bench/schedule/even").permutation(len(slot.cells))[:sample]
    return float(judges("schedule_judges").could_rise_in_a_crowd(slot, made, cells).mean())


@cache
def quality(seed: int) -> list[Slot]:
    """20 slots of 150 cells and 14 satellites that can serve 40 to 80 % of what is wanted."""
    return [judges().make_slot(seed + i, cells=150, load=1.55 + 0.05 * (i % 8)) for i in range(20)]


def _scheduled(seed: int) -> list[Floats]:
    from skylift.sky.schedule.scheduler import schedule

    return [schedule(slot).served_bps for slot in quality(seed)]


def _bounds(seed: int) -> list[Floats]:
    return [judges().by_classes(slot, judges().best_levels(slot)) for slot in quality(seed)]


def _lacking(ours: list[Floats], bounds: list[Floats]) -> float:
    """Of the worst slot and class: what lacks of the bound, this class and those above it together."""
    ratios = [
        mine[:, : k + 1].sum() / best[:, : k + 1].sum()
        for mine, best in zip(ours, bounds, strict=True)
        for k in range(4)
    ]
    return 1.0 - float(min(ratios))


def cases(seed: int) -> list[Case]:
    def run(make: Any) -> Any:
        slot, scheduler = make(seed)
        return scheduler.schedule(slot)

    def case(name: str, make: Any, **judged: Any) -> Case:
        return Case(
            id=name,
            ours=lambda: run(make),
            peer=None,
            peer_name="",
            peer_version="",
            seed=seed,
            prepare=lambda: _warm(make, seed),
            **judged,
        )

    def quick(name: str, make: Any, limit_s: float, cells: int) -> Case:
        return case(
            name,
            make,
            compare=None,
            limit=f"<= {limit_s * 1e3:.0f} ms of one core, the schedule alone",
            ok=lambda result: result.ours.cpu_s <= limit_s,
            work=cells,
            unit="cells",
        )

    def even(name: str, make: Any, sample: int, limit: float) -> Case:
        return case(
            name,
            make,
            compare=lambda made, _: could_rise(make(seed)[0], made, seed, sample),
            limit=f"at most {limit * 100:.0f} % of {sample} cells could still rise by one exchange",
            ok=lambda result: _errs_at_most(result, limit),
            rounds=1,
        )

    import scipy

    return [
        quick("schedule-world", world, 0.4, CELLS),
        quick("schedule-ukraine", ukraine, 0.060, 2_467),
        Case(
            id="schedule-quality",
            ours=lambda: _scheduled(seed),
            peer=lambda: _bounds(seed),
            peer_name="HiGHS in SciPy, an upper bound",
            peer_version=str(scipy.__version__),
            compare=_lacking,
            limit="the worst of 20 slots lacks at most 0.03 of the bound",
            ok=lambda result: _errs_at_most(result, 0.03),
            seed=seed,
            prepare=lambda: _compile(seed),
            work=20,
            unit="slots",
        ),
        even("schedule-even-ukraine", ukraine, 400, 0.02),
        even("schedule-even-study", study, 400, 0.01),
        even("schedule-even-world", crowded_world, 150, 0.01),
    ]


def _errs_at_most(result: Result, limit: float) -> bool:
    return result.max_error is not None and result.max_error <= limit


def _compile(seed: int) -> None:
    _scheduled(seed)


def _warm(make: Any, seed: int) -> None:
    """Compiles, and lets the scheduler find its cells' neighbourhoods."""
    slot, scheduler = make(seed)
    scheduler.schedule(slot)
