"""The client side, against an emulated dish that is told its slots by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_grpc import WORKERS, DishServer, Served
from skylift.adapters.dish_schema import dish_schema
from skylift.base.errors import Refused, Unavailable
from skylift.base.geodesy import Place
from skylift.base.link import WhyDown
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.schema import Schema
from skylift.wire.dish.view import SlotView

S = 1_000_000
T0 = 1_780_142_400 * S  # 2026-05-30T12:00:00Z, the start of no slot: here slots are what we say


@dataclass
class Stage:
    """A dish, the time that it is shown, and a client."""

    dish: Dish
    client: DishClient
    address: str
    now_us: int = T0
    server: Any = field(default=None, repr=False)


def slot(number: int, why: WhyDown = WhyDown.UP) -> SlotView:
    up = {"rtt_start_ms": 30.0, "rtt_end_ms": 30.0, "track": ((0.1, 1.0),)} if why == WhyDown.UP else {}
    return SlotView(T0 + number * 15 * S, 15 * S, why, **up)  # type: ignore[arg-type]


def serve(dish: Dish, now: Any, schema: Schema, pool: ThreadPoolExecutor) -> tuple[Any, str]:
    server, port = DishServer(Served(dish, threading.Lock()), schema, now).serve("127.0.0.1:0", pool)
    return server, f"127.0.0.1:{port}"


@pytest.fixture
def stage() -> Iterator[Stage]:
    dish = Dish(Identity("ut-1", Place(10.0, 20.0, 5.0)), T0 - 1_000 * S)
    with ThreadPoolExecutor(WORKERS) as pool:
        made = Stage(dish, None, "")  # type: ignore[arg-type]
        made.server, made.address = serve(dish, lambda: made.now_us, dish_schema(), pool)
        made.client = DishClient(made.address)
        try:
            yield made
        finally:
            made.client.close()
            made.server.stop(0)


def test_it_reads_how_a_dish_is_and_who_it_is(stage: Stage) -> None:
    stage.dish.tell(slot(0))
    status = stage.client.status()
    assert (status.state, status.latency_ms, status.drop_fraction) == ("connected", 30.0, 0.0)
    assert (status.disablement, status.radio_off, status.outage) == ("okay", False, None)
    assert status.config["snow_melt_mode"] == "auto"
    assert stage.client.device_info() == status.device
    assert status.device.id == "ut-1"
    # What tells the place is there for those who ask, and in no text.
    assert status.pointing is not None
    assert "pointing" not in repr(status)


def test_a_lost_gateway_is_an_outage_with_a_start_in_utc(stage: Stage) -> None:
    stage.dish.tell(slot(0, WhyDown.NO_GATEWAY))
    stage.now_us = T0 + 4 * S
    status = stage.client.status()
    assert (status.state, status.latency_ms, status.drop_fraction) == ("no-satellites", None, 1.0)
    assert status.outage is not None
    assert (status.outage.cause, status.outage.start_us) == ("no_downlink", T0)
    assert status.radio_off is None


def test_history_goes_on_where_it_was_left_also_over_the_end_of_the_ring_and_a_reboot(stage: Stage) -> None:
    for number in range(7):
        stage.dish.advance(T0 + number * 15 * S)
        stage.dish.tell(slot(number, WhyDown.NO_SATELLITE if number == 3 else WhyDown.UP))
    stage.now_us = T0 + 100 * S
    first = stage.client.history()
    assert (first.count, first.first, first.missed) == (1_100, 200, 0)
    assert len(first.latency_ms) == 900
    assert [first.latency_ms[second - 200] for second in (1_044, 1_045, 1_059, 1_060)] == [30, None, None, 30]
    gap = [one for one in first.outages if one.cause == "no_sats"]
    assert [(one.start_us, one.duration_us) for one in gap] == [(T0 + 45 * S, 15 * S)]
    assert [one.start_us for one in first.events if one.cause == "no_sats"] == [T0 + 45 * S]
    stage.now_us += 20 * S
    following = stage.client.history(first.count)
    assert (following.first, len(following.drop_fraction), following.missed) == (1_100, 20, 0)
    assert stage.client.history(100).missed == 1_120 - 900 - 100
    stage.dish.reboot(stage.now_us)
    stage.now_us += 5 * S
    anew = stage.client.history(following.count)
    assert (anew.rebooted, anew.count, len(anew.drop_fraction)) == (True, 5, 5)


def test_location_is_read_only_where_the_owner_allows_it(stage: Stage) -> None:
    with pytest.raises(Refused, match="not enabled on this device") as refused:
        stage.client.location()
    assert refused.value.code == "dish.refuses"
    stage.dish.configure(location_local=True)
    place = stage.client.location()
    assert (place.latitude_deg, place.altitude_m) == (10.0, 5.0)
    assert "10" not in repr(place)


@pytest.mark.parametrize(
    ("command", "arguments", "state"),
    [
        ("stow", {}, "stowed"),
        ("reboot", {}, "booting"),
        ("sleep-schedule", {"on": True, "start_minutes": 700, "duration_minutes": 60}, "sleeping"),
    ],
)
def test_commands_do_what_they_say(stage: Stage, command: str, arguments: dict[str, Any], state: str) -> None:
    stage.dish.tell(slot(0))
    stage.client.do(command, arguments)
    stage.now_us += 2 * S
    assert stage.client.status().state == state
    if command == "stow":
        stage.client.do("unstow")
        assert stage.client.status().state == "connected"


def test_radio_off_is_said_only_once_the_dish_has_said_so(stage: Stage) -> None:
    stage.dish.tell(slot(0))
    assert stage.client.do("rf-inhibit", {"on": True}).radio_off is True
    off = stage.client.status()
    assert (off.radio_off, off.state) == (True, "radio-off")
    assert stage.client.do("rf-inhibit", {"on": False}).radio_off is False
    assert stage.client.status().state == "connected"
    assert stage.client.do("gps-inhibit", {"on": True}).said == "it uses GPS no more"
    assert stage.client.status().gps_inhibited
    stage.client.do("obstruction-reset")
    assert max(stage.client.obstruction_map().values) == -1


@pytest.mark.parametrize(
    ("command", "arguments", "code"),
    [
        ("fly", {}, "dish.command"),
        ("rf-inhibit", {}, "dish.argument"),
        ("rf-inhibit", {"on": 1}, "dish.argument"),
        ("sleep-schedule", {"on": True, "start_minutes": 1_440, "duration_minutes": 5}, "dish.argument"),
        ("sleep-schedule", {"on": True, "start_minutes": 0, "duration_minutes": 1e30}, "dish.argument"),
    ],
)
def test_what_is_no_command_never_reaches_the_dish(
    stage: Stage, command: str, arguments: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        stage.client.do(command, arguments)
    assert refused.value.code == code


def without(schema: Schema, fields: dict[str, set[str]]) -> Schema:
    """The interface of firmware that lacks some fields."""
    files = descriptor_pb2.FileDescriptorSet()
    for raw in schema.files.values():
        file = files.file.add()
        file.ParseFromString(raw)
        for message in file.message_type:
            for number in reversed(range(len(message.field))):
                if message.field[number].name in fields.get(message.name, ()):
                    del message.field[number]
    return Schema(files.SerializeToString())


def test_what_a_firmware_does_not_have_is_absent_and_not_zero() -> None:
    """An emulated dish whose interface lacks two fields and a request that ours has."""
    older = without(
        dish_schema(),
        {
            "DishGetStatusResponse": {"is_snr_above_noise_floor", "eth_speed_mbps"},
            "Request": {"dish_inhibit_rf"},
            "Response": {"dish_inhibit_rf"},
        },
    )
    asked = []

    def handle(request: Any, context: Any) -> Any:
        asked.append(request.WhichOneof("request"))
        response = older.message("Response")()
        status = response.dish_get_status
        status.device_info.software_version, status.pop_ping_drop_rate = "older", 0.25
        return response

    from skylift.adapters.dish_grpc import reflection

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        message = older.message
        handler = grpc.unary_unary_rpc_method_handler(
            handle, message("Request").FromString, message("Response").SerializeToString
        )
        device = grpc.method_handlers_generic_handler("SpaceX.API.Device.Device", {"Handle": handler})
        server.add_generic_rpc_handlers((device, *reflection(older)))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        with DishClient(address) as client:
            status = client.status()
            assert (status.snr_above_noise, status.ethernet_mbps) == (None, None)
            assert (status.drop_fraction, status.state) == (0.25, "connected")
            with pytest.raises(Unavailable) as unknown:
                client.do("rf-inhibit", {"on": True})
        server.stop(0)
    assert unknown.value.code == "dish.not_supported"
    assert asked == ["get_status"]


def test_where_no_dish_is_it_says_so_and_what_to_do() -> None:
    with DishClient("127.0.0.1:1") as client, pytest.raises(Unavailable, match="--dish") as gone:
        client.status()
    assert gone.value.code == "dish.unreachable"


def test_it_loads_neither_numpy_nor_numba() -> None:
    program = (
        "import json, sys\n"
        "import skylift.adapters.dish_client\n"
        "print(json.dumps([n for n in ('numpy', 'numba', 'pyarrow', 'fastapi') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_bytes_that_are_no_request_get_a_status_and_idle_streams_keep_nobody_waiting(stage: Stage) -> None:
    """More streams than the dish has threads, all silent: requests are still answered."""
    channel = grpc.insecure_channel(stage.address)
    handle = channel.unary_unary("/SpaceX.API.Device.Device/Handle")
    with pytest.raises(grpc.RpcError) as refused:
        handle(b"\xff\xff\xff", timeout=5)
    assert refused.value.code() == grpc.StatusCode.INTERNAL
    with pytest.raises(grpc.RpcError) as huge:
        handle(bytes(5 * 1024 * 1024), timeout=5)
    assert huge.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    closing = threading.Event()

    def silent() -> Iterator[bytes]:
        closing.wait(30)
        yield from ()

    stream = channel.stream_stream("/SpaceX.API.Device.Device/Stream")
    open_ones = [stream(silent()) for _ in range(WORKERS)]
    try:
        assert stage.client.status().device.id == "ut-1"
    finally:
        closing.set()
        for one in open_ones:
            one.cancel()
        channel.close()


def test_the_stream_answers_like_handle(stage: Stage) -> None:
    schema = dish_schema()
    ask = schema.message("ToDevice")
    with grpc.insecure_channel(stage.address) as channel:
        stream = channel.stream_stream("/SpaceX.API.Device.Device/Stream")
        frames = [ask(request={"id": 7, "get_status": {}}), ask(health_check={}), ask(request={})]
        answers = stream(iter([frame.SerializeToString() for frame in frames]), timeout=5)
        read = schema.message("FromDevice").FromString
        assert read(next(answers)).response.dish_get_status.device_info.id == "ut-1"
        assert read(next(answers)).WhichOneof("message") == "health_check"
        with pytest.raises(grpc.RpcError) as unknown:
            next(answers)
        assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
