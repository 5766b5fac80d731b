"""The doors of agents: signed by a terminal's key rather than opened by a token, and on the shortest way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from skylift.api.demo.guard import refuse_real
from skylift.api.errors import problem
from skylift.api.office.desk import Desk
from skylift.api.office.problems import TooLarge, said
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.wire.telemetry.rows import MOST_BYTES

# (headers by lower-case name, body) -> status and JSON
Handler = Callable[[Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]


class _Asked(NamedTuple):
    path: str
    method: str = "POST"


class AgentGate:
    """ASGI: agents' posts are answered here, all other requests go on.

    handlers  by path; all of them are POSTs
    """

    def __init__(self, app: ASGIApp, desk: Desk, handlers: Mapping[str, Handler]) -> None:
        self._app = app
        self._desk = desk
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope.get("path", "")) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            status, body = await self._answer(scope, receive, handler)
        except SkyliftError as error:
            await said(error)(scope, receive, send)
            return
        except Exception:
            logging.getLogger("skylift.telemetry").exception("a post of an agent broke something")
            broken = Unavailable(
                "service.broken", "the service", "something broke that should not have", "please report it"
            )
            await problem(broken, 500)(scope, receive, send)
            return
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, handler: Handler) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            raise Refused("header.method", "this path", "it takes POST", "use POST")
        client = scope.get("client")
        self._desk.count(client[0] if client else "")
        if self._desk.store.is_demo:
            refuse_real(_Asked(scope["path"]))
        if scope.get("query_string"):
            raise Refused("parameter.unknown", "a parameter", "this path takes none", "leave it out")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return await handler(headers, await _body(headers, receive))


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    said = headers.get("content-length", "")
    if said.isascii() and said.isdecimal() and (len(said) > 9 or int(said) > MOST_BYTES):
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("body.cut", "the body", "it was cut short", "send it again")
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge("body.too-large", "the body", "it has at most 1 MiB", "send fewer rows at a time")
