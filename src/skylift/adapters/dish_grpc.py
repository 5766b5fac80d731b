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
        message = self._schema.message
        handlers = {
            "Handle": grpc.unary_unary_rpc_method_handler(
                self._handle, message("Request").FromString, message("Response").SerializeToString
            ),
            "Stream": grpc.stream_stream_rpc_method_handler(
                self._stream, message("ToDevice").FromString, message("FromDevice").SerializeToString
            ),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _handle(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            with self._served.lock:
                return self._answers.handle(self._served.dish, request, self._now())
        except DishRefuses as refusal:
            context.abort(_CODES[refusal.code], refusal.text)

    def _stream(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for to_device in requests:
            answer = self._schema.message("FromDevice")()
            if to_device.WhichOneof("message") == "request":
                answer.response.CopyFrom(self._handle(to_device.request, context))
            else:
                answer.health_check.SetInParent()
            yield answer


def reflection(schema: Schema) -> tuple[Any, ...]:
    """Handlers of the reflection service, which give out the packaged descriptors byte for byte.

    The stock service builds them anew and loses the JSON names on the way; clients that print JSON then write
    names that other tools do not know.
    """

    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            yield _reflected(schema, request)

    handler = grpc.stream_stream_rpc_method_handler(
        answer,
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
