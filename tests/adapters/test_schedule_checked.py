"""The beam schedule as written, judged by brute force from the text of the element sets: sgp4 and Python.

Nothing of skylift's geometry, radio or scheduling is used by the checker. It knows the rules of
docs/reference/schedule-parquet.md, the numbers of the scenario below, and those of the packaged antenna.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h3
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from sgp4.api import Satrec

from skylift.adapters.packaged import constellation_preset, packaged_text
from skylift.adapters.scenario_files import Sources, load_world
from skylift.adapters.simulate import Options, run
from skylift.base.instants import parse_instant
from skylift.sky.orbit.tle_write import write_tle
from skylift.sky.orbit.walker import generate

Vector = npt.NDArray[np.float64]
Row = dict[str, Any]

START = "2022-02-26T12:00:00Z"
SLOT_US = 15_000_000
GATEWAYS = {"wola-krobowska": (51.87, 20.9), "kaunas": (54.9, 23.9)}
# Few antennas, and a feeder of one carrier: with 64QAM it carries no more than 6 bits in each of its hertz.
ANTENNAS, CARRIER_HZ, MOST_BITS = 3, 480e6, 6.0
BEAMS, CHANNELS, NCO, SEPARATION_DEG = 8, 8, 1, 2.5
CHANNEL_HZ, MOST_USER_BITS = 240e6, 4.0
SCENARIO = f"""
title = "checked"
start = {START}
duration_h = 0.055
seed = 11
memory_min = 5
[catalogue]
file = "sky.tle"
[capacity]
system = "narrow.toml"
[ground]
only = ["wola-krobowska", "kaunas"]
antennas_per_gateway = {ANTENNAS}
minimum_elevation_deg = 25
[[region]]
id = "all"
country = "UA"
[[region]]
id = "held"
country = "UA"
except_area = "ua-not-government-held-2022-02-23"
[[service]]
region = "held"
[[fleet]]
id = "home"
count = 70
region = "all"
wanted_down_mbps = 250
[[fleet]]
id = "hospital"
count = 8
region = "held"
class = "life"
wanted_down_mbps = 40
obstructed_fraction = 0.25
[[terminal]]
id = "kyiv-1"
latitude_deg = 50.45
longitude_deg = 30.52
[[terminal]]
id = "kyiv-2"
latitude_deg = 50.46
longitude_deg = 30.53
plan_down_mbps = 30
[[terminal]]
id = "donetsk"
latitude_deg = 48.0
longitude_deg = 37.8
"""


@dataclass(frozen=True)
class Written:
    """What a run wrote, by slot, and where its terminals stand."""

    beams: dict[int, list[Row]]
    links: dict[int, list[Row]]
    place: dict[str, tuple[float, float]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("checked")
    start_us = int(parse_instant(START))
    made = constellation_preset("starlink-2022-02")
    (folder / "sky.tle").write_text(write_tle(generate(made.shells, start_us)))
    wide = packaged_text("radio/systems/starlink-2022.toml")
    head, _, tail = wide.partition("[link.gateway-up]")
    narrow = tail.replace("channels = 4 ", "channels = 1 ", 1).replace(
        "polarisations = 2", "polarisations = 1", 1
    )
    assert narrow != tail
    (folder / "narrow.toml").write_text(f"{head}[link.gateway-up]{narrow}")
    (folder / "case.toml").write_text(SCENARIO)
    sources = Sources(folder / "case.toml")
    options = Options(folder / "out", workers=1, pictures=False, schedule=folder / "beams.parquet")
    run(sources, options, lambda done, total: None)
    _records(folder / "sky.tle")
    return Written(
        _by_slot(pq.read_table(folder / "beams.parquet").to_pylist()),
        _by_slot(pq.read_table(folder / "out" / "links.parquet").to_pylist()),
        {t.id: (t.place.latitude_deg, t.place.longitude_deg) for t in load_world(sources).world.terminals},
    )


def _by_slot(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["at_us"]].append(row)
    return dict(found)


RECORDS: dict[int, Any] = {}


def _records(path: Path) -> None:
    lines = path.read_text().splitlines()
    for i, line in enumerate(lines):
        if line.startswith("1 "):
            record = Satrec.twoline2rv(line, lines[i + 1])
            RECORDS[record.satnum] = record


@cache
def satellite_m(number: int, at_us: int) -> Vector:
    days, rest_us = divmod(at_us, 86_400_000_000)
    error, teme_km, _ = RECORDS[number].sgp4(days + 2_440_587.5, rest_us / 86_400_000_000)
    assert not error
    # GMST 1982 (Aoki et al.), UT1 taken as UTC.
    centuries = (days + 2_440_587.5 - 2_451_545.0 + rest_us / 86_400_000_000) / 36_525.0
    seconds = 67_310.54841 + centuries * (
        876_600.0 * 3_600.0 + 8_640_184.812866 + centuries * (0.093104 - centuries * 6.2e-6)
    )
    angle = math.radians(seconds / 240.0 % 360.0)
    x, y, z = (1e3 * value for value in teme_km)
    return np.array([math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x, z])


@cache
def ground_m(latitude_deg: float, longitude_deg: float) -> Vector:
    lat, lon = math.radians(latitude_deg), math.radians(longitude_deg)
    squared = (2.0 - 1.0 / 298.257223563) / 298.257223563
    normal_m = 6_378_137.0 / math.sqrt(1.0 - squared * math.sin(lat) ** 2)
    flat = normal_m * math.cos(lat)
    return np.array([flat * math.cos(lon), flat * math.sin(lon), normal_m * (1 - squared) * math.sin(lat)])


def angle_deg(a: Vector, b: Vector) -> float:
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def up_of(place: tuple[float, float]) -> Vector:
    lat, lon = math.radians(place[0]), math.radians(place[1])
    return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])


@cache
def arc_m() -> Vector:
    angles = np.radians(np.arange(0.0, 360.0, 0.5))
    return 42_164_000.0 * np.stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))])


@cache
def dish_breaches(place: tuple[float, float], number: int, at_us: int, dish: bool) -> list[str]:
    """25 degrees of elevation, 18 from the arc for all; a dish leans 24 degrees north and sees 50 around."""
    found = []
    site, up = ground_m(*place), up_of(place)
    lat, lon = math.radians(place[0]), math.radians(place[1])
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    boresight = up * math.cos(math.radians(24)) + north * math.sin(math.radians(24))
    for moment in (at_us, at_us + SLOT_US // 2, at_us + SLOT_US):
        to = satellite_m(number, moment) - site
        if 90.0 - angle_deg(to, up) < 25.0 - 0.01:
            found.append(f"elevation of {number}")
        if dish and angle_deg(to, boresight) > 50.0 + 0.01:
            found.append(f"field of view of {number}")
        geo = arc_m() - site[:, np.newaxis]
        geo = geo[:, up @ geo > 0] / np.linalg.norm(geo[:, up @ geo > 0], axis=0)
        if (to / np.linalg.norm(to) @ geo > math.cos(math.radians(18.0 - 0.01))).any():
            found.append(f"arc of {number}")
    return found


def lane_breaches(rows: list[Row]) -> list[str]:
    found = []
    time: dict[tuple[int, int, int], float] = defaultdict(float)
    beam_of: dict[tuple[int, int, int], set[int]] = defaultdict(set)
    for r in rows:
        lane = (r["satellite"], r["polarisation"], r["channel"])
        time[lane] += r["share_fraction"]
        beam_of[lane].add(r["beam"])
        if not 0 <= r["channel"] < CHANNELS or r["polarisation"] not in (0, 1) or r["share_fraction"] <= 0:
            found.append(f"row of {lane}")
        if r["rate_bps"] > r["share_fraction"] * CHANNEL_HZ * MOST_USER_BITS:
            found.append(f"rate of {lane}")
    found += [f"time of {lane}" for lane, total in time.items() if total > 1.0 + 1e-9]
    found += [f"two beams on {lane}" for lane, beams in beam_of.items() if len(beams) > 1]
    lanes: dict[tuple[int, int], set[int]] = defaultdict(set)
    for (satellite, polarisation, _), beams in beam_of.items():
        if lanes[satellite, polarisation] & beams:
            found.append(f"one beam of {satellite} on two channels")
        lanes[satellite, polarisation] |= beams
    return found + [f"beams of {who}" for who, beams in lanes.items() if len(beams) > BEAMS]


def feeder_breaches(at_us: int, rows: list[Row]) -> list[str]:
    found = []
    gateways: dict[int, set[str]] = defaultdict(set)
    tracked: dict[str, set[int]] = defaultdict(set)
    carried: dict[int, float] = defaultdict(float)
    for r in rows:
        gateways[r["satellite"]].add(r["gateway"])
        tracked[r["gateway"]].add(r["satellite"])
        carried[r["satellite"]] += r["rate_bps"]
    found += [f"gateways of {s}" for s, g in gateways.items() if len(g) > 1]
    found += [f"antennas of {g}" for g, s in tracked.items() if len(s) > ANTENNAS]
    found += [f"feeder of {s}" for s, bps in carried.items() if bps > CARRIER_HZ * MOST_BITS]
    for gateway, satellites in tracked.items():
        for s in satellites if gateway in GATEWAYS else ():
            found += dish_breaches(GATEWAYS[gateway], s, at_us, dish=False)
    return found


def separation_breaches(at_us: int, rows: list[Row]) -> list[str]:
    middle_us = at_us + SLOT_US // 2
    by_channel: dict[int, list[Row]] = defaultdict(list)
    for r in rows:
        by_channel[r["channel"]].append(r)
    found = []
    for channel, same in by_channel.items():
        for cell in {r["cell"] for r in same}:
            lit = set()
            for r in same:
                satellite = satellite_m(r["satellite"], middle_us)
                here, axis = ground_m(*h3.cell_to_latlng(cell)), ground_m(*h3.cell_to_latlng(r["cell"]))
                if angle_deg(here - satellite, axis - satellite) <= SEPARATION_DEG - 1e-6:
                    lit.add(r["satellite"])
            if len(lit) > NCO:
                found.append(f"{len(lit)} satellites on channel {channel} of {cell}")
    return found


def link_breaches(w: Written, at_us: int, rows: list[Row]) -> list[str]:
    found = []
    given: dict[tuple[str, int], float] = defaultdict(float)
    gateway = {r["satellite"]: r["gateway"] for r in rows}
    for r in rows:
        given[r["cell"], r["satellite"]] += r["rate_bps"]
    sent: dict[tuple[str, int], float] = defaultdict(float)
    for link in w.links[at_us]:
        if link["satellite"] is None:
            if any(link[key] is not None for key in ("down_bps", "up_bps", "loss_fraction")):
                found.append(f"rate of {link['terminal']}, which is down")
            continue
        place = w.place[link["terminal"]]
        if link["terminal"] == "donetsk":
            found.append("donetsk is served")
        key = (h3.latlng_to_cell(*place, 5), link["satellite"])
        sent[key] += link["down_bps"] / (1.0 - link["loss_fraction"])
        found += dish_breaches(place, link["satellite"], at_us, dish=True)
        if gateway.get(link["satellite"]) != link["gateway"]:
            found.append(f"gateway of {link['terminal']}")
        most = (
            40e6
            if link["terminal"].startswith("hospital")
            else 30e6
            if link["terminal"] == "kyiv-2"
            else 250e6
        )
        if not 0 < link["down_bps"] <= most * (1.0 - link["loss_fraction"]) + 1 or link["up_bps"] > 20e6 + 1:
            found.append(f"rate of {link['terminal']}")
    for key in {*given, *sent}:
        # Links are rounded to whole bits per second.
        if abs(given[key] - sent[key]) > 10.0:
            found.append(f"{key} is given {given[key]:.0f} and uses {sent[key]:.0f}")
    return found


def breaches(w: Written, at_us: int, rows: list[Row]) -> list[str]:
    return [
        *lane_breaches(rows),
        *feeder_breaches(at_us, rows),
        *separation_breaches(at_us, rows),
        *link_breaches(w, at_us, rows),
    ]


def test_no_rule_is_broken(written: Written) -> None:
    assert len(written.beams) == len(written.links) == 13
    for at_us, rows in written.beams.items():
        assert breaches(written, at_us, rows) == []


def test_the_case_is_hard_enough_to_break_rules(written: Written) -> None:
    """Otherwise the checker had little to check: antennas and feeders are short, and some go without."""
    rows = [r for slot in written.beams.values() for r in slot]
    links = [link for slot in written.links.values() for link in slot]
    carried: dict[tuple[int, int], float] = defaultdict(float)
    tracked = defaultdict(set)
    for r in rows:
        carried[r["at_us"], r["satellite"]] += r["rate_bps"]
        tracked[r["at_us"], r["gateway"]].add(r["satellite"])
    assert max(carried.values()) > 0.6 * CARRIER_HZ * MOST_BITS
    assert max(len(s) for s in tracked.values()) == ANTENNAS
    assert {link["why_down"] for link in links} >= {None, "region_not_active"}
    up = [link for link in links if link["satellite"] is not None]
    homes = [link["down_bps"] for link in up if link["terminal"].startswith("home")]
    assert min(homes) < 0.9 * 250e6
    # Whoever saves lives has all that it asks for, less what is lost before its dish.
    saved = [link for link in up if link["terminal"].startswith("hospital")]
    assert saved
    assert all(link["down_bps"] == pytest.approx(30e6, rel=1e-3) for link in saved)
    assert {link["loss_fraction"] for link in saved} == {0.25}


def second_satellite(rows: list[Row]) -> list[Row]:
    """The first cell lit from another of the satellites in use as well, on the same channel."""
    other = next(r["satellite"] for r in rows if r["satellite"] != rows[0]["satellite"])
    return [*rows, rows[0] | {"satellite": other, "share_fraction": 1e-3, "rate_bps": 1.0}]


SLIPS: list[tuple[str, Callable[[list[Row]], list[Row]]]] = [
    ("time of", lambda rows: [r | {"share_fraction": 1.1} for r in rows]),
    ("rate of", lambda rows: [r | {"rate_bps": 1.1e9 * r["share_fraction"]} for r in rows]),
    ("two beams on", lambda rows: [*rows, rows[0] | {"beam": 7 - rows[0]["beam"], "share_fraction": 1e-6}]),
    ("beams of", lambda rows: [*rows, *(rows[0] | {"beam": b, "channel": b % 8} for b in range(9))]),
    ("row of", lambda rows: [rows[0] | {"channel": 8}]),
    ("gateways of", lambda rows: [*rows, rows[0] | {"gateway": "elsewhere"}]),
    ("antennas of", lambda rows: [r | {"gateway": "kaunas"} for r in rows]),
    ("feeder of", lambda rows: [r | {"rate_bps": 3e9} for r in rows]),
    ("elevation of", lambda rows: [r | {"satellite": next(iter(RECORDS))} for r in rows]),
    ("satellites on channel", second_satellite),
    ("uses", lambda rows: rows[1:]),
]  # fmt: skip


@pytest.mark.parametrize(("word", "slip"), SLIPS, ids=[word for word, _ in SLIPS])
def test_the_checker_finds_what_is_broken(
    word: str, slip: Callable[[list[Row]], list[Row]], written: Written
) -> None:
    at_us, rows = next(iter(written.beams.items()))
    found = breaches(written, at_us, slip(rows))
    assert any(word in text for text in found), found
