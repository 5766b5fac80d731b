"""The emulated dish's gRPC server: Handle, Stream, and reflection that keeps JSON names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2

from skylift.adapters.dish_schema import dish_schema as dish_schema
from skylift.base.errors import Unavailable
from skylift.wire.dish.answers import Answers, DishRefuses
from skylift.wire.dish.dish import Dish
from skylift.wire.dish.schema import SERVICE, Schema

# Both versions of the reflection service have the same messages.
REFLECTION = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
# A stream holds a thread for as long as it is open; Handle must always find one.
WORKERS = 16
_STREAMS = threading.BoundedSemaphore(WORKERS // 2)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Served:
    """One dish and the lock that its requests and its feed take in turn."""

    dish: Dish
    lock: threading.Lock


class DishServer:
    """Answers for one dish on one address; `now` gives UTC microseconds."""

    def __init__(self, served: Served, schema: Schema, now: Callable[[], int]) -> None:
        self._served = served
        self._answers = Answers(schema)
        self._schema = schema
        self._now = now

    def serve(self, address: str, pool: futures.ThreadPoolExecutor) -> tuple[grpc.Server, int]:
        """Start answering on "host:port", port 0 for any; returns the server and its port.

        Raises Unavailable where the address cannot be had.
        """
        server = grpc.server(pool, options=(("grpc.so_reuseport", 0),))
        server.add_generic_rpc_handlers((self._device(), *reflection(self._schema)))
        try:
            port = server.add_insecure_port(address)
        except RuntimeError:
            raise Unavailable(
                "dish.address",
                f"address {address}",
                "nothing can listen there, or something does already",
                "choose another with --listen",
            ) from None
        server.start()
        return server, int(port)

    def _device(self) -> Any:
        # Bytes in and out: grpc would log a traceback for every frame that it cannot read.
        handlers = {
            "Handle": grpc.unary_unary_rpc_method_handler(self._handle),
            "Stream": grpc.stream_stream_rpc_method_handler(_bounded(self._stream)),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _answer(self, request: Any) -> Any:
        with self._served.lock:
            return self._answers.handle(self._served.dish, request, self._now())

    def _handle(self, frame: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answered: bytes = self._answer(self._answers.request(frame)).SerializeToString()
            return answered
        except DishRefuses as refusal:
            context.abort(_CODES[refusal.code], refusal.text)
            # Never here: abort has raised.
            raise

    def _stream(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            for frame in frames:
                to_device = self._answers.request(frame, "ToDevice")
                answer = self._schema.message("FromDevice")()
                if to_device.WhichOneof("message") == "request":
                    answer.response.CopyFrom(self._answer(to_device.request))
                else:
                    answer.health_check.SetInParent()
                yield answer.SerializeToString()
        except DishRefuses as refusal:
            context.abort(_CODES[refusal.code], refusal.text)


def _bounded(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The same handler of streams, as long as not too many are open in this process."""

    def bounded(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        if not _STREAMS.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many streams are open")
        try:
            yield from handler(requests, context)
        finally:
            _STREAMS.release()

    return bounded


def reflection(schema: Schema) -> tuple[Any, ...]:
    """Handlers of the reflection service, which give out the packaged descriptors byte for byte.

    The stock service builds them anew and loses the JSON names on the way; clients that print JSON then write
    names that other tools do not know.
    """

    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            yield _reflected(schema, request)

    handler = grpc.stream_stream_rpc_method_handler(
        _bounded(answer),
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return tuple(
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in REFLECTION
    )


def _reflected(schema: Schema, request: Any) -> Any:
    response = reflection_pb2.ServerReflectionResponse(valid_host=request.host, original_request=request)
    kind = request.WhichOneof("message_request")
    if kind == "list_services":
        for service in (SERVICE, *REFLECTION):
            response.list_services_response.service.add(name=service)
        return response
    name: str | None = None
    if kind == "file_by_filename" and request.file_by_filename in schema.files:
        name = request.file_by_filename
    elif kind == "file_containing_symbol":
        name = schema.file_of_symbol(request.file_containing_symbol)
    if name is None:
        response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
        response.error_response.error_message = "not found"
        return response
    # All files, dependencies first: some clients ask for imports one by one, others do not ask.
    for raw in _with_imports(schema, name):
        response.file_descriptor_response.file_descriptor_proto.append(raw)
    return response


def _with_imports(schema: Schema, name: str) -> list[bytes]:
    """The file itself first, as clients take the first for what they asked for."""
    names = list(schema.files)
    return [schema.files[name], *(schema.files[other] for other in names[: names.index(name)])]
