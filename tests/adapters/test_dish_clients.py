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
from contextlib import closing
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
from skylift.adapters.gateways_file import packaged_ground_segment
from skylift.adapters.scenario_files import Sources, load_world
from skylift.base.instants import parse_instant
from skylift.twin.tick import Twin
from skylift.twin.world import World
from skylift.wire.dish.obstruction import pixel

S = 1_000_000
HANDLE = "SpaceX.API.Device.Device/Handle"
AT = "2026-05-30T12:00:05Z"
LOST_FROM, LOST_UNTIL = "2026-05-30T11:47:00Z", "2026-05-30T11:47:40Z"
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
    gateways = [str(gateway.id) for gateway in packaged_ground_segment(parse_instant(AT)).gateways]
    # All of them are lost for forty seconds, a quarter of an hour before the tests begin.
    lost = f"[[failure]]\ngateways = {json.dumps(gateways)}\nfrom = {LOST_FROM}\nuntil = {LOST_UNTIL}\n"
    file.write_text(SCENARIO + lost, encoding="utf-8")
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


def test_lost_gateways_show_within_one_slot_and_so_does_their_return(running: Running) -> None:
    import starlink_grpc

    with closing(starlink_grpc.ChannelContext(target=running.address)) as context:
        history = starlink_grpc.get_history(context)
        _, bulk = starlink_grpc.history_bulk_data(900, context=context)
    booted_us = running.dish.booted_us
    newest_us = booted_us + history.current * S
    drops = bulk["pop_ping_drop_rate"]
    down_us = [newest_us - (len(drops) - k) * S for k, drop in enumerate(drops) if drop == 1]
    slot_us = running.world.slots.length_us
    assert down_us
    assert 0 <= down_us[0] - parse_instant(LOST_FROM) + slot_us <= 2 * slot_us
    assert abs(down_us[-1] - parse_instant(LOST_UNTIL)) <= slot_us
    (outage,) = history.outages
    (event,) = history.event_log.events
    assert starlink_grpc.DishOutage.Cause.Name(outage.cause) == "NO_DOWNLINK"
    # The same instant in GPS and in Unix time.
    assert outage.start_timestamp_ns == (down_us[0] - (315_964_800 - 18) * S) * 1_000
    assert event.start_timestamp_ns == down_us[0] * 1_000
    assert all(
        latency is None or latency == -1
        for latency, drop in zip(bulk["pop_ping_latency_ms"], drops, strict=True)
        if drop == 1
    )


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


def test_starlink_grpc_core_uses_all_else_that_it_can(running: Running) -> None:
    import starlink_grpc

    with closing(starlink_grpc.ChannelContext(target=running.address)) as context:
        assert starlink_grpc.get_id(context) == "ut-emulated-one"
        _, obstruction, alerts = starlink_grpc.status_data(context)
        assert obstruction["valid_s"] > 900
        assert len(alerts) > 15
        assert not any(alerts.values())
        seen = np.array(starlink_grpc.obstruction_map(context))
        assert seen.shape == (123, 123)
        assert set(np.unique(seen)) == {-1.0, 1.0}
        starlink_grpc.reset_obstruction_map(context)
        after = np.array(starlink_grpc.obstruction_map(context))
        assert (after == 1).sum() < (seen == 1).sum() / 5
        assert starlink_grpc.status_data(context)[2]["alert_obstruction_map_reset"]
        general, bulk = starlink_grpc.history_bulk_data(60, context=context)
        assert general["samples"] == len(bulk["pop_ping_latency_ms"]) == 60
        assert all(5 < latency < 100 for latency in bulk["pop_ping_latency_ms"])
        usage, power = starlink_grpc.history_stats(60, context=context)[5:]
        # Rates are not modelled in this scenario, and a Mini draws what a Mini draws.
        assert (usage["download_usage"], power["mean_power"]) == (0, 30)
        first = starlink_grpc.get_history(context)
        joined = starlink_grpc.concatenate_history(first, starlink_grpc.get_history(context))
        assert joined.current >= first.current
        assert starlink_grpc.set_gps_config(False, context) is False
        assert starlink_grpc.status_data(context)[0]["gps_enabled"] is False
        assert starlink_grpc.set_gps_config(True, context) is True
        with pytest.raises(starlink_grpc.GrpcError):
            starlink_grpc.set_sleep_config(1_440, 1, True, context)


CLIENT = """
import sys, json
import grpc
from google.protobuf.unknown_fields import UnknownFieldSet
from starlink_client.grpc_client import GrpcClient
from spacex.api.device import device_pb2 as d, dish_pb2, dish_config_pb2
client = GrpcClient(sys.argv[1])
def ask(**kind): return client.call(d.Request(**kind))
def unknown(message):
    found = [f"{message.DESCRIPTOR.name}.{u.field_number}" for u in UnknownFieldSet(message)]
    for field, value in message.ListFields():
        if field.message_type is not None:
            values = [value] if hasattr(value, "DESCRIPTOR") else value
            for one in values: found += unknown(one)
    return sorted(set(found))
def refused(**kind):
    try: ask(**kind)
    except grpc.RpcError as error: return error.code().name
said = {}
status = ask(get_status={}).dish_get_status
history = ask(get_history={}).dish_get_history
said["who"], said["latency"] = status.device_info.id, status.pop_ping_latency_ms
said["current"], said["ring"] = history.current, len(history.pop_ping_latency_ms)
said["unknown"] = {"status": unknown(status), "history": unknown(history)}
said["map"] = len(ask(dish_get_obstruction_map={}).dish_get_obstruction_map.snr)
said["info"] = ask(get_device_info={}).get_device_info.device_info.id
said["no place"] = refused(get_location={})
config = {"location_request_mode": 1, "apply_location_request_mode": True}
updated = ask(dish_set_config={"dish_config": config}).dish_set_config.updated_dish_config
said["set"] = updated.location_request_mode
place = client.get_location()
said["place"] = [place.lat, place.lon]
ask(dish_set_config={"dish_config": {"apply_location_request_mode": True}})
said["no place again"] = refused(get_location={})
said["context"] = ask(dish_get_context={}).dish_get_context.seconds_to_slot_end
said["config"] = ask(dish_get_config={}).dish_get_config.dish_config.power_save_duration_minutes
said["diagnostics"] = ask(get_diagnostics={}).dish_get_diagnostics.id
said["gps"] = ask(dish_inhibit_gps={"inhibit_gps": False}).dish_inhibit_gps.inhibit_gps
said["ping"] = refused(ping_host={})
print(json.dumps(said))
"""


def test_starlink_client_parses_all_with_descriptors_of_a_real_firmware(running: Running) -> None:
    """In a process of its own: it brings the descriptors of another firmware under the same names."""
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, running.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["who"] == said["info"] == said["diagnostics"] == "ut-emulated-one"
    assert 5 < said["latency"] < 100
    assert said["current"] >= said["ring"] == 900
    assert said["map"] == 123 * 123
    assert said["no place"] == said["no place again"] == "PERMISSION_DENIED"
    assert (said["set"], said["place"]) == (1, [49.0, 31.0])
    assert 0 < said["context"] <= 15
    assert (said["config"], said["gps"], said["ping"]) == (1, False, "UNIMPLEMENTED")
    # It is of January 2025; later came: build, alert 19, update hour, power, events.
    later = {
        "DeviceInfo.15",
        "DishAlerts.19",
        "DishConfig.9",
        "DishConfig.9001",
        "DishConfig.8001",
        "DishGetHistoryResponse.1010",
        "DishGetHistoryResponse.1011",
    }
    assert set(said["unknown"]["status"]) | set(said["unknown"]["history"]) <= later


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
    assert "pop_ping_latency_ms" in grpcurl(
        running.address, "describe", "SpaceX.API.Device.DishGetStatusResponse"
    )
    status = json.loads(grpcurl("-d", '{"get_status":{}}', running.address, HANDLE))
    assert status["apiVersion"] == "42"
    assert status["dishGetStatus"]["popPingLatencyMs"] > 0
    history = json.loads(grpcurl("-d", '{"getHistory":{}}', running.address, HANDLE))
    assert len(history["dishGetHistory"]["popPingLatencyMs"]) == 900
    assert "PermissionDenied" in grpcurl("-d", '{"get_location":{}}', running.address, HANDLE)
    assert "Unimplemented" in grpcurl("-d", "{}", running.address, HANDLE)
    late = '{"dishPowerSave":{"powerSaveStartMinutes":1440,"powerSaveDurationMinutes":5}}'
    assert "InvalidArgument" in grpcurl("-d", late, running.address, HANDLE)


def test_grpcurl_makes_every_request_that_there_is(running: Running) -> None:
    """All in one stream of the other method, so that it is tried as well."""
    same = (
        "DishGetContext",
        "DishGetObstructionMap",
        "DishClearObstructionMap",
        "DishGetConfig",
        "DishSetConfig",
    )
    same += ("DishInhibitGps", "DishInhibitRf", "GetDeviceInfo")
    kinds = {name[0].lower() + name[1:]: name[0].lower() + name[1:] for name in same}
    kinds["getDiagnostics"] = "dishGetDiagnostics"
    sent = "".join(json.dumps({"request": {"id": k, kind: {}}}) for k, kind in enumerate(kinds))
    said = grpcurl("-d", sent, running.address, "SpaceX.API.Device.Device/Stream")
    decoder, answers, at = json.JSONDecoder(), [], 0
    while at < len(said.rstrip()):
        answer, at = decoder.raw_decode(said, at)
        answers.append(answer["response"])
        at += len(said[at:]) - len(said[at:].lstrip())
    assert [int(answer.get("id", 0)) for answer in answers] == list(range(len(kinds)))
    for answer, kind in zip(answers, kinds.values(), strict=True):
        assert kind in answer


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
        starlink_grpc.set_stow_state(False, context)
        assert wait_for(lambda: starlink_grpc.status_data(context)[0]["state"] == "STOWED")
        slot_us = running.world.slots.length_us
        stowed_us = running.clock.now()
        later_us = running.world.slots.start(stowed_us) + 2 * slot_us
        assert wait_for(lambda: running.clock.now() > later_us + S)
        view = running.dish.slot_at(running.clock.now())
        assert view is not None
        assert not view.up
        assert view.why_down.label == "terminal_off"
        starlink_grpc.set_stow_state(True, context)
        assert wait_for(lambda: starlink_grpc.status_data(context)[0]["state"] == "CONNECTED")
        latency = starlink_grpc.status_data(context)[0]["pop_ping_latency_ms"]
        assert not math.isnan(latency)
        assert latency > 0
    finally:
        context.close()


def wait_for(holds: Callable[[], bool], seconds: float = 40.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_a_reboot_by_the_tools_own_call_begins_a_new_life(running: Running) -> None:
    """The last one: from here on the dish boots."""
    import starlink_grpc

    with closing(starlink_grpc.ChannelContext(target=running.address)) as context:
        starlink_grpc.reboot(context)
        status, _, _ = starlink_grpc.status_data(context)
        assert (status["state"], status["pop_ping_latency_ms"]) == ("BOOTING", -1)
        assert status["uptime"] < 30
        assert starlink_grpc.history_bulk_data(900, context=context)[0]["samples"] < 30
