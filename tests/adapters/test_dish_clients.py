"""Unmodified public clients against the emulated dish of a scenario's terminal."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load, wgs84

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.dish_grpc import DishServer, dish_schema
from skylift.adapters.dish_twin import DishFeed, emulated
from skylift.adapters.dish_view import slot_view
from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.instants import parse_instant
from skylift.twin.tick import Twin
from skylift.twin.world import World
from skylift.wire.dish.obstruction import pixel

S = 1_000_000
AT = "2026-05-30T12:00:05Z"
# Real places are nowhere in tests: a point in the middle of Ukraine, rounded to a degree.
SCENARIO = """
title = "one dish"
start = 2026-05-30T11:00:00Z
duration_h = 2
seed = 3
[[region]]
id = "UA"
country = "UA"
[[service]]
region = "UA"
[[terminal]]
id = "one"
latitude_deg = 49.0
longitude_deg = 31.0
region = "UA"
antenna = "starlink-mini"
pop = "frankfurt"
"""


@dataclass
class Running:
    world: World
    clock: SimulatedClock
    address: str
    dish: Any
    started_us: int


@pytest.fixture(scope="module")
def catalogue(shared_file: Callable[[str], Path]) -> Path:
    return shared_file("catalogues/starlink_2026-05-30.tle")


@pytest.fixture(scope="module")
def running(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("dish") / "one.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    world = load_world(Sources(file, catalogue)).world
    started_us = parse_instant(AT)
    clock = SimulatedClock(started_us, speed=4.0)
    dishes = emulated(world, [0], started_us)
    server = DishServer(dishes[0], dish_schema(), clock.now)
    feed, ready = DishFeed(world, dishes, clock), threading.Event()
    thread = threading.Thread(target=feed.run, args=(ready.set,))
    with ThreadPoolExecutor(4) as pool:
        listening, port = server.serve("127.0.0.1:0", pool)
        thread.start()
        try:
            assert ready.wait(120)
            yield Running(world, clock, f"127.0.0.1:{port}", dishes[0].dish, started_us)
        finally:
            feed.stop()
            thread.join(60)
            listening.stop(0)


def rtt_ms(world: World, at_us: int) -> float:
    """Up + down of the twin's own table, at an instant."""
    for _, links in Twin(world).links(world.slots.start(at_us), world.slots.start(at_us) + 1):
        part = (at_us - links.at_us) / world.slots.length_us
        start = links.delay_up_us[0] + links.delay_down_us[0]
        end = links.delay_up_end_us[0] + links.delay_down_end_us[0]
        return float(start + (end - start) * part) / 1_000
    raise AssertionError("no slot")


def test_starlink_grpc_core_reads_the_twins_latency(running: Running) -> None:
    import starlink_grpc

    context = starlink_grpc.ChannelContext(target=running.address)
    try:
        before_us = running.clock.now()
        status, _, _ = starlink_grpc.status_data(context)
        after_us = running.clock.now()
        assert status["id"] == "ut-emulated-one"
        assert status["state"] == "CONNECTED"
        expected = [rtt_ms(running.world, at_us) for at_us in (before_us, after_us)]
        assert min(expected) - 1 < status["pop_ping_latency_ms"] < max(expected) + 1
        assert 5 < status["pop_ping_latency_ms"] < 100
        samples, drops, _, latency, _, _, _ = starlink_grpc.history_stats(300, context=context)
        assert samples["samples"] == 300
        assert drops["total_ping_drop"] == 0
        assert 5 < latency["mean_all_ping_latency"] < 100
        assert starlink_grpc.location_data(context) == {"latitude": None, "longitude": None, "altitude": None}
        starlink_grpc.set_sleep_config(60, 30, True, context)
        assert starlink_grpc.get_sleep_config(context) == (60, 30, True)
        starlink_grpc.set_sleep_config(0, 0, False, context)
        assert starlink_grpc.get_sleep_config(context) == (0, 1, False)
    finally:
        context.close()


def test_starlink_client_parses_all_with_descriptors_of_a_real_firmware(running: Running) -> None:
    """In a process of its own: it brings the descriptors of another firmware under the same names."""
    program = (
        "import sys, json\n"
        "from starlink_client.grpc_client import GrpcClient\n"
        "from spacex.api.device import device_pb2 as d\n"
        "client = GrpcClient(sys.argv[1])\n"
        "def ask(**kind): return client.call(d.Request(**kind))\n"
        "status = ask(get_status={}).dish_get_status\n"
        "history = ask(get_history={}).dish_get_history\n"
        "from google.protobuf.unknown_fields import UnknownFieldSet\n"
        "print(json.dumps([status.device_info.id, status.pop_ping_latency_ms, history.current,"
        " len(history.pop_ping_latency_ms), len(UnknownFieldSet(status))]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, running.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    who, latency_ms, current, ring, _ = json.loads(done.stdout)
    assert who == "ut-emulated-one"
    assert 5 < latency_ms < 100
    assert current >= 900
    assert ring == 900


def grpcurl(*arguments: str) -> str:
    beside = Path(sys.executable).with_name("grpcurl")
    found = str(beside) if beside.exists() else shutil.which("grpcurl")
    if found is None:
        pytest.skip("grpcurl is not there")
    done = subprocess.run(
        [found, "-plaintext", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_grpcurl_lists_describes_and_prints_json_with_the_names_that_readers_know(running: Running) -> None:
    assert "SpaceX.API.Device.Device" in grpcurl(running.address, "list").split()
    assert "rpc Handle" in grpcurl(running.address, "describe", "SpaceX.API.Device.Device")
    handle = "SpaceX.API.Device.Device/Handle"
    status = json.loads(grpcurl("-d", '{"get_status":{}}', running.address, handle))
    assert status["apiVersion"] == "42"
    assert status["dishGetStatus"]["popPingLatencyMs"] > 0
    history = json.loads(grpcurl("-d", '{"getHistory":{}}', running.address, handle))
    assert len(history["dishGetHistory"]["popPingLatencyMs"]) == 900
    assert "PermissionDenied" in grpcurl("-d", '{"get_location":{}}', running.address, handle)
    assert "Unimplemented" in grpcurl("-d", "{}", running.address, handle)


def test_the_obstruction_map_shows_where_skyfield_sees_the_serving_satellites(
    running: Running, catalogue: Path
) -> None:
    """Over 40 slots: each satellite's way lies within two pixels of a seen one, and nothing else was seen."""
    first_us = running.world.slots.start(running.started_us) - 41 * 15 * S
    with_lock = running.dish.map
    with_lock.clear()
    sky = Skyfield(catalogue.read_text(encoding="utf-8"))
    expected: list[tuple[float, float]] = []
    drawn = type(with_lock)()
    sites = running.world.terminal_sites()
    for geometry, links in Twin(running.world).links(first_us, first_us + 40 * 15 * S):
        view = slot_view(running.world, sites, geometry, links, 0)
        assert view.up
        drawn.trace(view.track)
        for step_s in (0.0, 3.75, 7.5, 11.25, 15.0):
            azimuth, elevation = sky.look(view.satellite, links.at_us + int(step_s * S))
            row, column = pixel(azimuth, elevation)
            expected.append((row, column))
    seen = np.argwhere(drawn.snr == 1)
    assert len(seen) > 40
    points = np.array(expected)
    distance = np.linalg.norm(seen[:, np.newaxis] - points[np.newaxis], axis=2)
    assert distance.min(axis=0).max() < 2.0
    # Between two of skyfield's points a satellite moves up to three pixels.
    assert distance.min(axis=1).max() < 2.0


class Skyfield:
    def __init__(self, tle: str) -> None:
        lines = [line.rstrip() for line in tle.splitlines() if line[:2] in ("1 ", "2 ")]
        self._lines = {
            int(two[2:7]): (one, two)
            for one, two in zip(lines[::2], lines[1::2], strict=True)
            if two[2:7].strip().isdigit()
        }
        self._times = load.timescale(builtin=True, delta_t=32.184 + 37.0)
        self._site = wgs84.latlon(49.0, 31.0)

    def look(self, norad: int, at_us: int) -> tuple[float, float]:
        at = datetime(1970, 1, 1) + timedelta(microseconds=at_us)
        moment = self._times.utc(
            at.year, at.month, at.day, at.hour, at.minute, at.second + at.microsecond / 1e6
        )
        satellite = EarthSatellite(*self._lines[norad], ts=self._times)
        elevation, azimuth, _ = (satellite - self._site).at(moment).altaz()
        return float(azimuth.radians), float(elevation.radians)


def test_stowing_it_takes_the_link_away_in_the_twins_next_slot(running: Running) -> None:
    """By the tool's own call; the twin then plans no link, and unstowing brings it back."""
    import starlink_grpc

    context = starlink_grpc.ChannelContext(target=running.address)
    try:
        starlink_grpc_call(context, unstow=False)
        assert wait_for(lambda: starlink_grpc.status_data(context)[0]["state"] == "STOWED")
        slot_us = running.world.slots.length_us
        stowed_us = running.clock.now()
        later_us = running.world.slots.start(stowed_us) + 2 * slot_us
        assert wait_for(lambda: running.clock.now() > later_us + S)
        view = running.dish.slot_at(running.clock.now())
        assert view is not None
        assert not view.up
        assert view.why_down.label == "terminal_off"
        starlink_grpc_call(context, unstow=True)
        assert wait_for(lambda: starlink_grpc.status_data(context)[0]["state"] == "CONNECTED")
        latency = starlink_grpc.status_data(context)[0]["pop_ping_latency_ms"]
        assert not math.isnan(latency)
        assert latency > 0
    finally:
        context.close()


def starlink_grpc_call(context: Any, unstow: bool) -> None:
    """What dish_control.py of the public tools sends for stow and unstow."""
    import starlink_grpc

    def call(channel: Any) -> None:
        starlink_grpc.resolve_imports(channel)
        request = starlink_grpc.Request(dish_stow={"unstow": unstow})
        starlink_grpc.DeviceStub(channel).Handle(request, timeout=10)

    starlink_grpc.call_with_channel(call, context=context)


def wait_for(holds: Callable[[], bool], seconds: float = 40.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False
