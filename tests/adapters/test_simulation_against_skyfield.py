"""A run over the real catalogue, recomputed with skyfield from the text of the element sets.

skyfield goes from TEME through nutation and precession of IAU 2000A to ITRS; skylift turns TEME by GMST-82.
Both are told the same thing about the Earth's spin here: UT1 = UTC (delta-T = 32.184 s + 37 leap seconds), no
polar motion.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from skyfield.api import EarthSatellite, load, wgs84
from skyfield.framelib import itrs

from skylift.adapters.scenario_files import Sources, load_world
from skylift.adapters.simulate import Options, run
from skylift.base.geodesy import Place
from skylift.twin.world import World

Floats = npt.NDArray[np.float64]

LIGHT_M_PER_US = 299.792458
SLOT_US = 15_000_000
ROWS = 300
# Few, so that they are all in use at times.
ANTENNAS = 3
TIMES = load.timescale(builtin=True, delta_t=32.184 + 37.0)

# Dishes of three kinds, on four continents and two hemispheres, far from and near to gateways.
SCENARIO = """
title = "an hour of the real sky"
start = 2026-05-30T12:00:00Z
duration_h = 1.02
seed = 7
[links]
policy = "{policy}"
lasers = "{lasers}"
[ground]
antennas_per_gateway = {antennas}
""" + "\n".join(
    f"""
[[region]]
id = "{code}"
country = "{code}"
[[service]]
region = "{code}"
[[fleet]]
id = "{code}"
count = {count}
region = "{code}"
antenna = "{antenna}"
"""
    for code, count, antenna in (
        ("UA", 40, "starlink-round-2021"),
        ("BR", 25, "starlink-standard-v2"),
        ("AU", 20, "starlink-mini"),
        ("KE", 15, "starlink-round-2021"),
        ("NO", 15, "starlink-standard-v3"),
        ("EC", 10, "starlink-round-2021"),
    )
)


@dataclass(frozen=True)
class Run:
    world: World
    summary: dict[str, Any]
    columns: dict[str, Any]

    @property
    def up(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(np.array([why is None for why in self.columns["why_down"]]))

    def sample(self, seed: int) -> npt.NDArray[np.intp]:
        return np.random.default_rng(seed).choice(self.up, ROWS, replace=False)


def lines_by_norad(text: str) -> dict[int, tuple[str, str]]:
    """Own reading of the catalogue; Alpha-5: the first letter counts ten thousands, without I and O."""
    lines = [line.rstrip() for line in text.splitlines() if line[:2] in ("1 ", "2 ")]
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    found = {}
    for one, two in zip(lines[::2], lines[1::2], strict=True):
        head = one[2]
        tens = int(head) if head.isdigit() else 0 if head == " " else 10 + letters.index(head)
        found[tens * 10_000 + int(one[3:7])] = (one, two)
    return found


class Skyfield:
    def __init__(self, tle: str) -> None:
        self._lines = lines_by_norad(tle)
        self._satellites: dict[int, Any] = {}

    def times(self, at_us: int) -> Any:
        """Start, middle and end of a slot."""
        at = datetime(1970, 1, 1) + timedelta(microseconds=at_us)
        # As a calendar date: of seconds counted from 1970, skyfield would take off the leap seconds since.
        seconds = at.second + np.array([0.0, 7.5, 15.0])
        return TIMES.utc(at.year, at.month, at.day, at.hour, at.minute, seconds)

    def satellite(self, norad: int) -> Any:
        if norad not in self._satellites:
            self._satellites[norad] = EarthSatellite(*self._lines[norad], str(norad), TIMES)
        return self._satellites[norad]

    def position_m(self, norad: int, times: Any) -> Floats:
        """(3, 3): x, y, z by instant, Earth-fixed."""
        return np.asarray(self.satellite(norad).at(times).frame_xyz(itrs).m)


def on_ground(place: Place) -> Any:
    return wgs84.latlon(place.latitude_deg, place.longitude_deg, place.altitude_m)


@pytest.fixture(scope="session")
def tle(shared_file: Callable[[str], Path]) -> Path:
    return shared_file("catalogues/starlink_2026-05-30.tle")


@pytest.fixture(scope="session")
def oracle(tle: Path) -> Skyfield:
    return Skyfield(tle.read_text())


@pytest.fixture(
    scope="session",
    params=[("none", "sticky"), ("as-flown", "sticky")],
    ids=["bent-pipe", "lasers-as-flown"],
)
def hour(
    request: pytest.FixtureRequest,
    tle: Path,
    shared_file: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    lasers, policy = request.param
    folder = tmp_path_factory.mktemp("hour")
    scenario = folder / "hour.toml"
    scenario.write_text(SCENARIO.format(lasers=lasers, policy=policy, antennas=ANTENNAS))
    gateways = shared_file("gateways/ground-stations_2026-04.json")
    sources = Sources(scenario, catalogue=tle, gateways=gateways)
    run(sources, Options(folder / "out", workers=1, pictures=False), lambda done, total: None)
    table = pq.read_table(folder / "out" / "links.parquet")
    return Run(
        load_world(sources).world,
        json.loads((folder / "out" / "summary.json").read_text()),
        {name: table[name].to_pylist() for name in table.column_names},
    )


def elevation_field_arc(place: Place, antenna: Any, position_m: Floats) -> Floats:
    """(3 instants, 3): elevation, angle from the boresight, least angle to the geostationary arc, degrees."""
    site = on_ground(place)
    here_m = np.asarray(site.itrs_xyz.m)
    lat, lon = math.radians(place.latitude_deg), math.radians(place.longitude_deg)
    up = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    toward = north if place.latitude_deg >= 0.0 else -north
    tilt = math.radians(antenna.boresight_tilt_deg)
    boresight = math.cos(tilt) * up + math.sin(tilt) * toward
    # The arc, a point every 0.02 degrees, as far as it stands above the horizon.
    around = np.radians(np.arange(0.0, 360.0, 0.02))
    arc = 42_164_000.0 * np.array([np.cos(around), np.sin(around), 0.0 * around]) - here_m[:, np.newaxis]
    arc = arc[:, up @ arc >= 0.0]
    arc /= np.linalg.norm(arc, axis=0)
    ray = position_m - here_m[:, np.newaxis]
    ray /= np.linalg.norm(ray, axis=0)
    nearest = (
        np.degrees(np.arccos(np.clip((arc.T @ ray).max(axis=0), -1, 1))) if arc.size else np.full(3, 180.0)
    )
    return np.stack(
        [np.degrees(np.arcsin(up @ ray)), np.degrees(np.arccos(boresight @ ray)), nearest], axis=1
    )


@pytest.mark.slow
def test_the_run_is_big_enough_to_prove_something(hour: Run) -> None:
    assert len(hour.world.terminals) >= 100
    assert len(hour.world.ground.gateways) == 214
    assert len(hour.world.catalogue) == 10_395
    assert hour.summary["slots"] >= 240
    assert len(hour.up) > 10_000


@pytest.mark.slow
def test_elevation_and_delay(hour: Run, oracle: Skyfield) -> None:
    """Every number of a sampled row, at slot start and slot end, from TLE text alone."""
    c, terms = hour.columns, hour.summary["delay_terms_us"]
    terminals = {str(t.id): t for t in hour.world.terminals}
    gateways = {str(g.id): g for g in hour.world.ground.gateways}
    for row in hour.sample(1):
        times = oracle.times(c["at_us"][row])
        terminal, gateway = terminals[c["terminal"][row]], gateways[c["gateway"][row]]
        altitude, azimuth, _ = (
            (oracle.satellite(c["satellite"][row]) - on_ground(terminal.place)).at(times[0]).altaz()
        )
        assert c["elevation_deg"][row] == pytest.approx(altitude.degrees, abs=0.02)
        turn = (c["azimuth_deg"][row] - azimuth.degrees + 180.0) % 360.0 - 180.0
        assert abs(turn) * math.cos(altitude.radians) < 0.02
        corners = [np.asarray(on_ground(terminal.place).itrs_xyz.m)[:, np.newaxis] * np.ones(3)]
        corners += [oracle.position_m(norad, times) for norad in c["path"][row]]
        corners += [np.asarray(on_ground(gateway.place).itrs_xyz.m)[:, np.newaxis] * np.ones(3)]
        path_us = np.linalg.norm(np.diff(np.stack(corners), axis=0), axis=1).sum(axis=0) / LIGHT_M_PER_US
        assert c["propagation_us"][row] == pytest.approx(path_us[0], abs=2.0)
        added_up_us = c["fibre_us"][row] + terms["access_up_us"] + terms["processing_up_us"]
        added_down_us = c["fibre_us"][row] + terms["access_down_us"] + terms["processing_down_us"]
        assert c["one_way_delay_up_us"][row] - added_up_us == pytest.approx(path_us[0], abs=2.0)
        assert c["one_way_delay_down_us"][row] - added_down_us == pytest.approx(path_us[0], abs=2.0)
        assert c["one_way_delay_up_end_us"][row] - added_up_us == pytest.approx(path_us[2], abs=2.0)
        assert c["one_way_delay_down_end_us"][row] - added_down_us == pytest.approx(path_us[2], abs=2.0)


@pytest.mark.slow
def test_links_hold_for_the_whole_slot(hour: Run, oracle: Skyfield) -> None:
    """User link and gateway link at slot start, middle and end."""
    c = hour.columns
    terminals = {str(t.id): t for t in hour.world.terminals}
    gateways = {str(g.id): g for g in hour.world.ground.gateways}
    slack_deg = 0.02
    for row in hour.sample(2):
        times = oracle.times(c["at_us"][row])
        terminal, gateway = terminals[c["terminal"][row]], gateways[c["gateway"][row]]
        seen = elevation_field_arc(
            terminal.place, terminal.antenna, oracle.position_m(c["satellite"][row], times)
        )
        assert (seen[:, 0] >= 25.0 - slack_deg).all()
        assert (seen[:, 1] <= terminal.antenna.field_of_view_deg + slack_deg).all()
        assert (seen[:, 2] >= 18.0 - slack_deg).all()
        down = elevation_field_arc(
            gateway.place, hour.world.gateway_antenna, oracle.position_m(c["path"][row][-1], times)
        )
        assert (down[:, 0] >= gateway.minimum_elevation_deg - slack_deg).all()
        assert (down[:, 2] >= 18.0 - slack_deg).all()


@pytest.mark.slow
def test_lasers_clear_the_air_and_reach(hour: Run, oracle: Skyfield) -> None:
    c = hour.columns
    if hour.world.lasers is None:
        assert all(len(c["path"][row]) == 1 for row in hour.up)
        return
    long = np.array([row for row in hour.up if len(c["path"][row]) > 1])
    assert len(long) > 1000
    rules = hour.world.lasers.rules
    for row in np.random.default_rng(3).choice(long, ROWS, replace=False):
        times = oracle.times(c["at_us"][row])
        places = np.stack([oracle.position_m(norad, times) for norad in c["path"][row]])
        flight = np.diff(places, axis=0)
        assert np.linalg.norm(flight, axis=1).max() <= rules.max_range_m + 100.0
        share = np.linspace(0.0, 1.0, 201)
        beams = places[:-1, :, :, np.newaxis] + flight[..., np.newaxis] * share
        radius = np.linalg.norm(beams, axis=1)
        sin2 = (beams[:, 2] / radius) ** 2
        # Radius of the ellipsoid at this geocentric latitude.
        earth = 6_356_752.314 / np.sqrt(1.0 - 0.00669437999 * (1.0 - sin2))
        assert (radius - earth).min() >= rules.clearance_m - 100.0


def test_paths_are_unbroken_and_simple(hour: Run) -> None:
    c = hour.columns
    known = {int(n) for n in hour.world.catalogue.norad}
    for row in hour.up:
        path = c["path"][row]
        assert path[0] == c["satellite"][row]
        assert len(set(path)) == len(path)
        assert known.issuperset(path)
    for row in set(range(len(c["at_us"]))) - set(hour.up.tolist()):
        assert c["path"][row] == []
        assert c["satellite"][row] is None
        assert c["gateway"][row] is None
        assert c["one_way_delay_up_us"][row] is None


def test_antennas_and_lasers_are_never_exceeded(hour: Run) -> None:
    """In each slot: `antennas` satellites at a gateway, one gateway for a satellite, 4 lasers on it."""
    c = hour.columns
    antennas = {str(g.id): g.antennas for g in hour.world.ground.gateways}
    assert set(antennas.values()) == {ANTENNAS}
    tracked: dict[tuple[int, str], set[int]] = {}
    gateway_of: dict[tuple[int, int], set[str]] = {}
    partners: dict[tuple[int, int], set[int]] = {}
    for row in hour.up:
        at, gateway, path = c["at_us"][row], c["gateway"][row], c["path"][row]
        tracked.setdefault((at, gateway), set()).add(path[-1])
        gateway_of.setdefault((at, path[-1]), set()).add(gateway)
        for a, b in pairwise(path):
            partners.setdefault((at, a), set()).add(b)
            partners.setdefault((at, b), set()).add(a)
    assert all(len(satellites) <= antennas[gateway] for (_, gateway), satellites in tracked.items())
    assert all(len(gateways) == 1 for gateways in gateway_of.values())
    assert all(len(others) <= 4 for others in partners.values())
    # A limit that is never reached would prove nothing.
    assert max(len(satellites) for satellites in tracked.values()) == max(antennas.values())


def test_slots_and_rows_stand_in_order(hour: Run) -> None:
    at = np.array(hour.columns["at_us"]).reshape(hour.summary["slots"], -1)
    assert (at == at[:, :1]).all()
    assert (np.diff(at[:, 0]) == SLOT_US).all()
    assert set(at[:, 0] // 1_000_000 % 60) == {12, 27, 42, 57}
    names = np.array(hour.columns["terminal"]).reshape(at.shape)
    assert (names == names[0]).all()
    assert list(names[0]) == [str(t.id) for t in hour.world.terminals]
