"""Reads and commands one dish over its local gRPC interface, real or emulated.

The messages are those that the dish itself describes by reflection, so that a field that its firmware does
not have is absent and never reads as 0; where it describes none, the packaged ones. Loads no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from skylift.adapters.dish_schema import dish_schema
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.wire.dish.fields import MessageFields, plain, truth, whole
from skylift.wire.dish.reading import (
    DeviceInfo,
    DishHistory,
    DishStatus,
    Location,
    config_of,
    device_of,
    history_of,
    location_of,
    status_of,
)
from skylift.wire.dish.schema import SERVICE, Schema

# Where every dish is, seen from its own network.
DEFAULT_DISH = "192.168.100.1:9200"
PATIENCE_S = 5.0
_REFLECTION = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
)
# What every firmware answers: where this is not known, no dish is.
_ALWAYS = frozenset({"get_status", "get_history", "get_device_info"})
# After a reboot it may be another firmware; what was understood and refused is no sign of that.
_MAYBE_OTHER_FIRMWARE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
# More files than any firmware has; a device that names ever more is not listened to.
_MOST_FILES = 100
_OPTIONS = (
    # A dish is in the room: a proxy for the internet is no way to it.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class Done:
    """What a dish said to a command.

    said       in words, for people
    radio_off  True only where the dish itself said that its transmitter is off
    """

    said: str
    radio_off: bool | None = None


@dataclass(frozen=True, slots=True)
class ObstructionMap:
    """values: row by row, -1 unseen, 0 blocked to 1 clear; frame: earth (north is up), ut (the dish's)."""

    rows: int
    columns: int
    values: Sequence[float] = field(repr=False)
    frame: str = ""


class DishClient:
    """One dish at "host:port".

    Every method raises Unavailable (dish.unreachable, dish.no_dish, dish.silent, dish.not_supported,
    dish.failed) or Refused (dish.refuses, dish.invalid).
    """

    def __init__(self, target: str = DEFAULT_DISH, patience_s: float = PATIENCE_S) -> None:
        self._target = target
        self._patience_s = patience_s
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._schema: Schema | None = None
        self._software: str | None = None

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> DishClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading

    def status(self) -> DishStatus:
        """How it is now."""
        status = status_of(self._answer("get_status", "dish_get_status"))
        if self._software is not None and status.device.software_version != self._software:
            # Other firmware describes other messages: the next request asks for them anew.
            self._schema = None
        self._software = status.device.software_version
        return status

    def history(self, since: int | None = None) -> DishHistory:
        """Its seconds after number `since` (a `count` read before); all that it still has without one."""
        return history_of(self._answer("get_history", "dish_get_history"), since)

    def device_info(self) -> DeviceInfo:
        """Who it says it is."""
        return device_of(self._answer("get_device_info", "get_device_info").child("device_info"))

    def location(self) -> Location:
        """Where it says it is. Raises Refused where its owner has not switched that on."""
        place = location_of(self._answer("get_location", "get_location"))
        if place is None:
            raise Unavailable(
                "dish.no_location", "the dish", "it knows no place of its own", "ask again under an open sky"
            )
        return place

    def config(self) -> dict[str, object]:
        """What its owner has set, by the interface's names."""
        return config_of(self._answer("dish_get_config", "dish_get_config").child("dish_config"))

    def obstruction_map(self) -> ObstructionMap:
        """What it has seen of its sky. It gives the place away."""
        answer = self._answer("dish_get_obstruction_map", "dish_get_obstruction_map")
        rows, columns, values = (answer.raw(name) for name in ("num_rows", "num_cols", "snr"))
        shape_fits = isinstance(rows, int) and isinstance(columns, int) and isinstance(values, Sequence)
        if not shape_fits or len(values) != rows * columns:  # type: ignore[operator,arg-type]
            raise _no_answer("dish_get_obstruction_map")
        frame = answer.word("map_reference_frame").removeprefix("frame_")
        return ObstructionMap(rows, columns, values, frame)  # type: ignore[arg-type]

    def satellite(self) -> int | None:
        """Its number of the satellite of this slot; None where it names none. It tells the place."""
        return whole(self._answer("dish_get_context", "dish_get_context"), "initial_satellite_id") or None

    # --- commands

    def do(self, command: str, arguments: Mapping[str, Any] | None = None) -> Done:
        """Send a command; `COMMANDS` has their names.

        sleep-schedule  start_minutes (UTC, past midnight), duration_minutes, on
        gps-inhibit, rf-inhibit  on
        Raises Refused for a command or an argument that there is not, besides what every method raises.
        """
        if command not in COMMANDS:
            raise Refused(
                "dish.command", f"command {command[:40]!r}", "a dish knows no such one", f"it knows {_KNOWN}"
            )
        return COMMANDS[command](self, _Arguments(command, arguments or {}))

    # --- asking

    def ask(self, request: Callable[[Any], None]) -> Any:
        """The Response message to a Request message that `request` fills."""
        if self._schema is None:
            self._schema = self._described()
        message = self._schema.message("Request")()
        try:
            request(message)
        except (AttributeError, ValueError, TypeError):
            raise _not_supported() from None
        handle = self._channel.unary_unary(
            f"/{SERVICE}/Handle",
            request_serializer=type(message).SerializeToString,
            response_deserializer=self._schema.message("Response").FromString,
        )
        try:
            response = handle(message, timeout=self._patience_s)
        except grpc.RpcError as error:
            if error.code() in _MAYBE_OTHER_FIRMWARE:
                self._schema = None
            raise _error(error.code(), error.details() or "", self._target) from None
        if response.status.code:
            raise _error(_CODES.get(response.status.code), response.status.message, self._target)
        return response

    def _answer(self, kind: str, answer: str) -> MessageFields:
        try:
            response = MessageFields(self.ask(lambda request: getattr(request, kind).SetInParent()))
        except Unavailable as error:
            if error.code == "dish.not_supported" and kind in _ALWAYS:
                raise _no_dish(self._target) from None
            raise
        found = response.child(answer)
        if found is None:
            raise _no_answer(kind)
        return found

    def _described(self) -> Schema:
        """What the dish describes by reflection; the packaged interface where it does not, or badly."""
        for path in _REFLECTION:
            try:
                described = Schema(self._reflected(path))
                described.message("Request")
                described.message("Response")
            except grpc.RpcError as error:
                if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise _error(error.code(), error.details() or "", self._target) from None
            except Exception:
                # Descriptors are foreign bytes: whatever is wrong with them, ours are at hand.
                return dish_schema()
            else:
                return described
        return dish_schema()

    def _reflected(self, path: str) -> bytes:
        """A FileDescriptorSet of the file with the service and all it imports, imports first."""
        call = self._channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

        def files(**wanted: str) -> list[Any]:
            request = reflection_pb2.ServerReflectionRequest(**wanted)
            (answer,) = call(iter([request]), timeout=self._patience_s)
            raws = answer.file_descriptor_response.file_descriptor_proto
            return [descriptor_pb2.FileDescriptorProto.FromString(raw) for raw in raws]

        described: bytes = _in_order(files).SerializeToString()
        return described


def _in_order(files: Callable[..., list[Any]]) -> Any:
    known = {file.name: file for file in files(file_containing_symbol=SERVICE)}
    ordered = descriptor_pb2.FileDescriptorSet()
    begun: set[str] = set()

    def add(name: str) -> None:
        if name in begun:
            return
        begun.add(name)
        if name not in known:
            known.update((file.name, file) for file in files(file_by_filename=name))
        if len(known) > _MOST_FILES:
            raise ValueError("too many files")
        for needed in known[name].dependency:
            add(needed)
        ordered.file.append(known[name])

    for name in tuple(known):
        add(name)
    return ordered


class _Arguments:
    """What a command came with, each of its kind or refused."""

    def __init__(self, command: str, given: Mapping[str, Any]) -> None:
        self._command = command
        self._given = given

    def whole(self, name: str, low: int, high: int) -> int:
        value = self._given.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._refused(name, f"it is a whole number from {low} to {high}")
        return value

    def truth(self, name: str) -> bool:
        value = self._given.get(name)
        if not isinstance(value, bool):
            raise self._refused(name, "it is true or false")
        return value

    def _refused(self, name: str, rule: str) -> Refused:
        return Refused("dish.argument", f"{name} of {self._command}", rule, "give it so")


def _reboot(dish: DishClient, given: _Arguments) -> Done:
    dish.ask(lambda request: request.reboot.SetInParent())
    return Done("it reboots, and comes back by itself in some minutes")


def _stow(dish: DishClient, given: _Arguments) -> Done:
    dish.ask(lambda request: request.dish_stow.SetInParent())
    return Done("it stows")


def _unstow(dish: DishClient, given: _Arguments) -> Done:
    def fill(request: Any) -> None:
        request.dish_stow.unstow = True

    dish.ask(fill)
    return Done("it unstows")


def _sleep_schedule(dish: DishClient, given: _Arguments) -> Done:
    on = given.truth("on")
    start, minutes = 0, 1
    if on:
        start, minutes = given.whole("start_minutes", 0, 1439), given.whole("duration_minutes", 1, 1440)

    def fill(request: Any) -> None:
        wanted = request.dish_power_save
        # A duration of 0 is refused even where the schedule is switched off.
        wanted.power_save_start_minutes, wanted.power_save_duration_minutes = start, minutes
        wanted.enable_power_save = on

    dish.ask(fill)
    return Done(f"it sleeps daily for {minutes} min" if on else "it sleeps no more")


def _gps_inhibit(dish: DishClient, given: _Arguments) -> Done:
    on = given.truth("on")

    def fill(request: Any) -> None:
        request.dish_inhibit_gps.inhibit_gps = on

    answer = MessageFields(dish.ask(fill)).child("dish_inhibit_gps")
    said = truth(answer, "inhibit_gps")
    if said is not on:
        return Done("it did not say whether it took that")
    return Done("it uses GPS no more" if on else "it uses GPS again")


def _rf_inhibit(dish: DishClient, given: _Arguments) -> Done:
    on = given.truth("on")

    def fill(request: Any) -> None:
        request.dish_inhibit_rf.inhibit_rf = on

    answer = MessageFields(dish.ask(fill)).child("dish_inhibit_rf")
    took = truth(answer, "inhibit_rf") is on
    status = dish.status()
    if not on:
        return Done(
            "its radio is on again" if took else "it did not say whether it took that",
            False if took else None,
        )
    if took and status.radio_off:
        return Done("its radio is off", True)
    return Done("it may still transmit: pull the power", None)


def _obstruction_reset(dish: DishClient, given: _Arguments) -> Done:
    dish.ask(lambda request: request.dish_clear_obstruction_map.SetInParent())
    return Done("its obstruction map begins anew")


COMMANDS: Mapping[str, Callable[[DishClient, _Arguments], Done]] = {
    "reboot": _reboot,
    "stow": _stow,
    "unstow": _unstow,
    "sleep-schedule": _sleep_schedule,
    "gps-inhibit": _gps_inhibit,
    "rf-inhibit": _rf_inhibit,
    "obstruction-reset": _obstruction_reset,
}
_KNOWN = ", ".join(COMMANDS)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _error(code: grpc.StatusCode | None, said: str, target: str) -> SkyliftError:
    said = plain(said) or "it says no more"
    if code == grpc.StatusCode.UNAVAILABLE:
        return Unavailable(
            "dish.unreachable",
            f"dish at {target[:60]}",
            "nothing answers there",
            "check its power and cable, and that this machine is on its network (behind a router of one's "
            "own 192.168.100.1 needs a route); or name it with --dish HOST:PORT",
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable(
            "dish.silent", f"dish at {target[:60]}", "it took the request and did not answer", "try again"
        )
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return _not_supported()
    if code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED):
        return Refused(
            "dish.refuses", "the dish", said, "switch it on in the owner's app, where the dish allows that"
        )
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
        return Refused("dish.invalid", "the dish", said, "give other values")
    return Unavailable(
        "dish.failed",
        f"what is at {target[:60]}",
        f"it answered with an error: {said}",
        "try again; check that it is a dish",
    )


def _no_dish(target: str) -> Unavailable:
    return Unavailable(
        "dish.no_dish",
        f"what is at {target[:60]}",
        "something answers there, and it is no dish",
        "check the address; a dish's own is 192.168.100.1:9200",
    )


def _not_supported() -> Unavailable:
    return Unavailable(
        "dish.not_supported",
        "the dish",
        "its software does not know this request",
        "leave it; other firmware may know it",
    )


def _no_answer(kind: str) -> Unavailable:
    return Unavailable("dish.failed", "the dish", f"its answer to {kind} holds none", "try again")
