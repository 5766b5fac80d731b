"""A day of a real catalogue: 5,760 slots, 1,000 terminals, all gateways in operation, two processes.

With `[capacity]` and `--schedule`, six hours of it. The whole command is timed, from start to pictures,
once: it takes minutes. Its error is that of 1,000 random rows against the `sgp4` package and a rotation by
GMST written out here, in microseconds of light time. Needs ../shared/data; without it there is nothing to
measure, and no case.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.harness import Case, Result

DATA = Path(__file__).parents[2] / "shared" / "data"
CATALOGUE = DATA / "catalogues" / "starlink_2026-05-30.tle"
GATEWAYS = DATA / "gateways" / "ground-stations_2026-04.json"
SAMPLED_ROWS = 1_000
MOST_ERROR_US = 2.0
MOST_BYTES = 2 * 10**9
LIGHT_M_PER_US = 299.792458
SCENARIO = """\
title = "a day for the bench"
start = 2026-05-30T12:00:00Z
duration_h = {hours}
seed = {seed}
[links]
lasers = "{lasers}"
{capacity}[[region]]
id = "ukraine"
country = "UA"
[[fleet]]
id = "t"
count = 1000
region = "ukraine"
[[service]]
region = "ukraine"
"""


SCHEDULE = "beams.parquet"


@dataclass(frozen=True, slots=True)
class Day:
    """What is simulated, and for how long. capacity: rates are reckoned, and the beams written."""

    lasers: str
    hours: int = 24
    capacity: bool = False

    def scenario(self, seed: int) -> str:
        capacity = "[capacity]\n" if self.capacity else ""
        return SCENARIO.format(seed=seed, lasers=self.lasers, hours=self.hours, capacity=capacity)


@dataclass(frozen=True, slots=True)
class Ran:
    folder: Path
    peak_bytes: int


def cases(seed: int) -> list[Case]:
    """Bent-pipe, with lasers, and bent-pipe with rates and beams."""
    if not CATALOGUE.exists():
        print(f"simulate-day: left out, {CATALOGUE.name} is not beside the project", file=sys.stderr)
        return []
    return [
        _case("simulate-day-bent-pipe", Day("none"), 300.0, seed),
        _case("simulate-day-lasers", Day("as-flown"), 600.0, seed),
        _case("simulate-6h-capacity", Day("none", hours=6, capacity=True), 75.0, seed),
    ]


def _case(name: str, day: Day, most_s: float, seed: int) -> Case:
    def ok(result: Result) -> bool:
        # No bound was asked for with rates: a quarter of a bent-pipe day's, on both cores.
        spent_s = result.ours.cpu_s / 2 if day.capacity else result.ours.wall_s
        return (
            spent_s <= most_s
            and result.ours.peak_rss_bytes <= MOST_BYTES
            and result.max_error is not None
            and result.max_error <= MOST_ERROR_US
        )

    return Case(
        id=name,
        ours=lambda: _simulate(day, seed),
        peer=None,
        peer_name="",
        peer_version="",
        compare=lambda ran, _: _error_us(ran.folder, day, seed),
        limit=(f"<= {2 * most_s:.0f} s of CPU" if day.capacity else f"<= {most_s:.0f} s")
        + ", <= 2 GB in all processes together, light time within 2 us"
        + (", no lane beyond its time" if day.capacity else ""),
        ok=ok,
        seed=seed,
        threads=2,
        work=240.0 * day.hours,
        unit="slots",
        rounds=1,
        peak_of=lambda ran: int(ran.peak_bytes),
    )


def _simulate(day: Day, seed: int) -> Ran:
    folder = Path(tempfile.mkdtemp(prefix="skylift-bench-"))
    scenario = folder / "day.toml"
    scenario.write_text(day.scenario(seed))
    command = [sys.executable, "-m", "skylift", "simulate", str(scenario), "-o", str(folder / "out")]
    command += ["--catalogue", str(CATALOGUE), "--gateways", str(GATEWAYS), "--workers", "2"]
    if day.capacity:
        command += ["--schedule", str(folder / SCHEDULE)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watch = _Watch(process.pid)
        watch.start()
        code = process.wait()
    if code != 0:
        raise RuntimeError(f"skylift simulate ended with {code}")
    return Ran(folder / "out", watch.peak_bytes)


class _Watch(threading.Thread):
    """Adds up what a process and its children hold, twice a second. Shared pages count once (PSS)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak_bytes = 0

    def run(self) -> None:
        while Path(f"/proc/{self._pid}/smaps_rollup").exists():
            self.peak_bytes = max(self.peak_bytes, sum(_held_bytes(pid) for pid in _family(self._pid)))
            time.sleep(0.5)


def _family(pid: int) -> list[int]:
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in path.read_text().split():
                found += _family(int(child))
        except OSError:
            continue
    return found


def _held_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _error_us(folder: Path, day: Day, seed: int) -> float:
    """The greatest difference of propagation_us from path length / c, microseconds; inf where beams clash."""
    import pyarrow.parquet as pq

    from skylift.base.randomness import random_stream

    if day.capacity and _fullest_lane(folder.parent / SCHEDULE) > 1.0 + 1e-9:
        return float("inf")
    table = pq.read_table(folder / "links.parquet")
    up = np.flatnonzero(table["satellite"].is_valid().to_numpy())
    chosen = random_stream(seed, "bench/simulate/rows").choice(up, SAMPLED_ROWS, replace=False)
    places = _places(day, seed)
    gateways = _gateway_places()
    records = _records()
    worst = 0.0
    for row in table.take(np.sort(chosen)).to_pylist():
        path = [_satellite_ecef_m(records[number], row["at_us"]) for number in row["path"]]
        points = [places[row["terminal"]], *path, gateways[row["gateway"]]]
        length_m = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(points))
        worst = max(worst, abs(length_m / LIGHT_M_PER_US - row["propagation_us"]))
    return worst


def _fullest_lane(schedule: Path) -> float:
    """The greatest share of a slot that any satellite's polarisation and channel is lit for."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    lanes = pq.read_table(schedule).group_by(["at_us", "satellite", "polarisation", "channel"])
    return float(pc.max(lanes.aggregate([("share_fraction", "sum")])["share_fraction_sum"]).as_py())


def _places(day: Day, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Where the fleet stands: only skylift can say; its conversion to Earth-fixed is written anew here."""
    from skylift.adapters.scenario_files import Sources, load_world

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(day.scenario(seed))
        file.flush()
        world = load_world(Sources(Path(file.name), CATALOGUE, GATEWAYS)).world
    return {t.id: _ecef_m(t.place.latitude_deg, t.place.longitude_deg) for t in world.terminals}


def _gateway_places() -> dict[str, npt.NDArray[np.float64]]:
    from skylift.adapters.gateways_file import read_ground_segment

    return {
        g.id: _ecef_m(g.place.latitude_deg, g.place.longitude_deg)
        for g in read_ground_segment(GATEWAYS).gateways
    }


def _records() -> dict[int, Any]:
    from sgp4.api import Satrec

    lines = [line.rstrip() for line in CATALOGUE.read_text().splitlines()]
    pairs = [(lines[i], lines[i + 1]) for i in range(len(lines) - 1) if lines[i].startswith("1 ")]
    return {record.satnum: record for record in (Satrec.twoline2rv(*pair) for pair in pairs)}


def _satellite_ecef_m(record: Any, at_us: int) -> npt.NDArray[np.float64]:
    days, rest_us = divmod(at_us, 86_400_000_000)
    error, teme_km, _ = record.sgp4(days + 2_440_587.5, rest_us / 86_400_000_000)
    if error:
        raise ValueError(f"sgp4 gives error {error} for a satellite in use")
    # GMST 1982 (Aoki et al.), UT1 taken as UTC like the run itself.
    centuries = (days + 2_440_587.5 - 2_451_545.0 + rest_us / 86_400_000_000) / 36_525.0
    seconds = 67_310.54841 + centuries * (
        876_600.0 * 3_600.0 + 8_640_184.812866 + centuries * (0.093104 - centuries * 6.2e-6)
    )
    angle = np.radians(seconds / 240.0 % 360.0)
    x, y, z = (1e3 * value for value in teme_km)
    return np.array([np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x, z])


def _ecef_m(latitude_deg: float, longitude_deg: float) -> npt.NDArray[np.float64]:
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    flattening = 1.0 / 298.257223563
    squared = flattening * (2.0 - flattening)
    normal_m = 6_378_137.0 / np.sqrt(1.0 - squared * np.sin(latitude) ** 2)
    return np.array(
        [
            normal_m * np.cos(latitude) * np.cos(longitude),
            normal_m * np.cos(latitude) * np.sin(longitude),
            normal_m * (1.0 - squared) * np.sin(latitude),
        ]
    )
