"""Wi-Fi off, at a router that does it, one that refuses, one that only says yes, and none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from skylift.adapters.dish_grpc import DishServer, Served
from skylift.adapters.dish_router import wifi_off
from skylift.adapters.dish_schema import dish_schema
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.base.geodesy import Place
from skylift.wire.dish import answers
from skylift.wire.dish.answers import PERMISSION_DENIED, DishRefuses
from skylift.wire.dish.dish import Dish, Identity
from skylift.wire.dish.schema import Schema

BOOL, MESSAGE = 8, 11
# Numbers as in the descriptors that starlink-client ships, of January 2025.
CONFIG = {"disable_2ghz": 64, "apply_disable_2ghz": 1076, "disable_5ghz": 65, "apply_disable_5ghz": 1077}


def router_schema() -> Schema:
    """Our own files, with what a router has beside."""
    files = [descriptor_pb2.FileDescriptorProto.FromString(raw) for raw in dish_schema().files.values()]
    (device,) = [file for file in files if {"Request", "Response"} <= {m.name for m in file.message_type}]

    def message(name: str, **fields: tuple[int, str]) -> None:
        made = device.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            one = made.field.add(name=field, number=number, type=MESSAGE if kind else BOOL, label=1)
            if kind:
                one.type_name = f".SpaceX.API.Device.{kind}"

    message("WifiConfig", **{name: (number, "") for name, number in CONFIG.items()})
    message("WifiSetConfigRequest", wifi_config=(1, "WifiConfig"))
    message("WifiSetConfigResponse", updated_wifi_config=(1, "WifiConfig"))
    for outer in ("Request", "Response"):
        (found,) = [m for m in device.message_type if m.name == outer]
        added = found.field.add(name="wifi_set_config", number=3001, type=MESSAGE, label=1, oneof_index=0)
        added.type_name = f".SpaceX.API.Device.WifiSetConfig{outer}"
    return Schema(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString())


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Begin one that answers so; its address."""
    with ThreadPoolExecutor(4) as pool:
        running: list[Any] = []

        def begin(how: Callable[..., None] | None = None, schema: Schema | None = None) -> str:
            if how is not None:
                monkeypatch.setitem(answers._ANSWERS, "wifi_set_config", how)
            dish = Dish(Identity("router", Place(10.0, 20.0, 0.0)), 0)
            server = DishServer(Served(dish, threading.Lock()), schema or router_schema(), lambda: 1_000_000)
            one, port = server.serve("127.0.0.1:0", pool)
            running.append(one)
            return f"127.0.0.1:{port}"

        yield begin
        for one in running:
            one.stop(0)


def test_it_is_off_where_the_router_says_so(router: Callable[..., str]) -> None:
    asked: list[Any] = []

    def does(dish: Dish, request: Any, response: Any, now_us: int) -> None:
        asked.append(request.wifi_config)
        response.wifi_set_config.updated_wifi_config.CopyFrom(request.wifi_config)

    assert wifi_off(router(does)).said == "its Wi-Fi is off, as the router says"
    assert all(getattr(asked[0], name) for name in CONFIG)


def refuses(*_: Any) -> None:
    raise DishRefuses(PERMISSION_DENIED, "not from here")


def only_nods(dish: Dish, request: Any, response: Any, now_us: int) -> None:
    response.wifi_set_config.updated_wifi_config.disable_2ghz = True


@pytest.mark.parametrize(
    ("how", "kind", "code"),
    [(refuses, Refused, "router.refuses"), (only_nods, Unavailable, "router.unconfirmed")],
)
def test_elsewhere_it_is_said_what_to_do(
    router: Callable[..., str], how: Callable[..., None], kind: type[SkyliftError], code: str
) -> None:
    with pytest.raises(kind) as said:
        wifi_off(router(how))
    assert said.value.code == code
    assert "owner's app" in said.value.way_out
    assert "dish" not in said.value.rule


def test_without_a_router_and_at_a_dish_nothing_is_claimed(router: Callable[..., str]) -> None:
    for target, code in (
        ("127.0.0.1:1", "dish.unreachable"),
        (router(None, dish_schema()), "dish.not_supported"),
    ):
        with pytest.raises(Unavailable) as said:
            wifi_off(target)
        assert said.value.code == code
