"""Heads without an end are refused, wherever in a request they stand; what is long for a reason is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from skylift.api.parser import MOST_HEAD_BYTES, BoundedHttp

HEAD = b"POST / HTTP/1.1\r\nhost: here\r\n"
LENGTH = b"content-length: %d\r\n\r\n"


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closing = False

    def write(self, data: Any) -> None:
        self.sent += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def size(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d bytes" % count
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def said(*parts: bytes) -> bytes:
    """What is answered to what comes in these parts."""

    async def go() -> bytes:
        config = uvicorn.Config(size, log_config=None, lifespan="off", ws="none", http=BoundedHttp)
        config.load()
        wire = Wire()
        protocol = BoundedHttp(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(wire)
        for part in parts:
            if not wire.closing:
                protocol.data_received(part)
                await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return wire.sent

    return asyncio.run(go())


def in_parts(data: bytes, step: int = 1000) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


@pytest.mark.parametrize("step", [7, 60_000])
def test_what_is_long_for_a_reason_is_taken(step: int) -> None:
    body = b"x" * (3 * MOST_HEAD_BYTES)
    asked = HEAD + b"x-long: " + b"y" * (MOST_HEAD_BYTES // 2) + b"\r\n" + LENGTH % len(body) + body
    answer = said(*in_parts(asked + asked, step))
    assert answer.count(b"HTTP/1.1 200") == answer.count(b"%d bytes" % len(body)) == 2


@pytest.mark.parametrize(
    "endless",
    [
        HEAD + b"x-long: " + b"y" * (MOST_HEAD_BYTES + 1000),
        HEAD + b"x-many: y\r\n" * (MOST_HEAD_BYTES // 10),
        b"GET /" + b"y" * (MOST_HEAD_BYTES + 1000),
        HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nx-long: " + b"y" * (MOST_HEAD_BYTES + 1000),
        HEAD + b"transfer-encoding: chunked\r\n\r\n1;" + b"y" * (MOST_HEAD_BYTES + 1000),
    ],
    ids=["header", "headers", "path", "trailer", "extension"],
)
def test_a_head_without_an_end_is_refused(endless: bytes) -> None:
    answer = said(*in_parts(endless))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"200" not in answer


@pytest.mark.parametrize(
    "unclear",
    [
        HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        HEAD + b"content-length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(unclear: bytes) -> None:
    assert said(unclear).startswith(b"HTTP/1.1 400")
