"""Attenuation by the atmosphere on 10,000 paths, beside stored values of the library itur."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.harness import Case, Result
from skylift.adapters.atmosphere_maps import packaged_atmosphere
from skylift.base.geodesy import Place
from skylift.base.instants import InstantUs
from skylift.base.randomness import random_stream
from skylift.sky.radio.atmosphere import AtmosphereMaps, SiteClimate, SlantPaths, climate_at, exceeded
from skylift.sky.radio.rain_field import RainCell, RainPaths, rain_along, rain_loss_db

Floats = npt.NDArray[np.float64]
# itur itself takes 171 MB and is no dependency of the benches: its values were stored once.
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "itu-r-golden.toml"
PATHS = 10_000
CELLS = 30
LIMIT_S = 0.05
# The worst of docs/why/010-atmosphere.md is a place where the rain rate changes between two nodes of the map.
MOST_ERROR_DB = 0.5


class Statistics:
    """The stored points, over and over up to 10,000, in an order that the seed shuffles."""

    def __init__(self, seed: int) -> None:
        columns = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))["columns"]
        count = len(columns["total_db"])
        order = random_stream(seed, "atmosphere").permutation(np.arange(PATHS) % count)
        at = {name: np.array(column)[order] for name, column in columns.items()}
        self.maps: AtmosphereMaps = packaged_atmosphere()
        self.latitude_rad = np.radians(at["latitude_deg"])
        self.longitude_rad = np.radians(at["longitude_deg"])
        self.altitude_m = at["altitude_m"]
        self.paths = SlantPaths(at["frequency_ghz"] * 1e9, np.radians(at["elevation_deg"]))
        self.fraction: Floats = at["percent"] / 100.0
        self.library_db: Floats = at["total_db"]

    def climate(self) -> SiteClimate:
        return climate_at(self.maps, self.latitude_rad, self.longitude_rad, self.altitude_m)

    def total_db(self) -> Floats:
        """From places to decibels; a running twin keeps the climate of its sites."""
        return exceeded(self.maps.gases, self.climate(), self.paths, self.fraction).total_db


class Storms:
    """Showers over a country of 8 by 18 degrees, and paths at 25 degrees and above."""

    def __init__(self, seed: int) -> None:
        random = random_stream(seed, "storms")
        self.cells = [
            RainCell(
                Place(float(random.uniform(44, 52)), float(random.uniform(22, 40))),
                float(random.uniform(4e3, 40e3)),
                float(random.uniform(5, 80)),
                InstantUs(0),
                InstantUs(1),
            )
            for _ in range(CELLS)
        ]
        self.paths = RainPaths(
            np.radians(random.uniform(44, 52, PATHS)),
            np.radians(random.uniform(22, 40, PATHS)),
            np.zeros(PATHS),
            np.full(PATHS, 2_800.0),
            np.radians(random.uniform(25, 90, PATHS)),
            random.uniform(0, 2 * np.pi, PATHS),
        )

    def loss_db(self) -> Floats:
        return rain_loss_db(rain_along(self.cells, 0, self.paths), np.array([[11.7e9], [28.5e9]]))


@cache
def statistics(seed: int) -> Statistics:
    return Statistics(seed)


@cache
def storms(seed: int) -> Storms:
    return Storms(seed)


def warm(make: Callable[[int], object], seed: int) -> None:
    make(seed)


def fast_and_right(result: Result) -> bool:
    return result.ours.cpu_s < LIMIT_S and (result.max_error is None or result.max_error < MOST_ERROR_DB)


def cases(seed: int) -> list[Case]:
    def worst_db(ours: Floats, _: object) -> float:
        return float(np.max(np.abs(ours - statistics(seed).library_db)))

    return [
        Case(
            id="atmosphere",
            ours=lambda: statistics(seed).total_db(),
            peer=None,
            peer_name="",
            peer_version="",
            compare=worst_db,
            limit="10,000 paths in 50 ms, within 0.5 dB of itur's stored values",
            ok=fast_and_right,
            seed=seed,
            prepare=lambda: warm(statistics, seed),
            work=PATHS,
            unit="paths",
        ),
        Case(
            id="rain-cells",
            ours=lambda: storms(seed).loss_db(),
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit="10,000 paths, 30 cells and 2 frequencies in 50 ms",
            ok=fast_and_right,
            seed=seed,
            prepare=lambda: warm(storms, seed),
            work=PATHS,
            unit="paths",
        ),
    ]
