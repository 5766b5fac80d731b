"""The live stream: one server-sent event per slot.

A stream holds no queue. It remembers the last slot it sent and reads the ring, so a slow reader costs nothing
but itself: one that does not take an event within SEND_WITHIN_S is cut off, and comes back with
Last-Event-ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skylift.api.state import Kept, LiveState
from skylift.base.errors import SkyliftError

HEARTBEAT_S = 10.0
SEND_WITHIN_S = 20.0
RETRY_MS = 2_000
MOST_STREAMS = 64


Make = Callable[[Kept], bytes]


def event(kept: Kept, document: bytes) -> bytes:
    """One slot as an event; its JSON has no line breaks, so one data line holds it."""
    return b"id: %d\nevent: slot\ndata: %s\n\n" % (kept.at_us, document)


def _open_to_all(kept: Kept) -> bytes:
    return kept.links


async def events(
    state: LiveState, last_us: int | None, heartbeat_s: float = HEARTBEAT_S, make: Make = _open_to_all
) -> AsyncIterator[bytes]:
    """The slots after `last_us` (None: from the present one on), each as it begins; heartbeats between.

    make  the document of a slot. Where it raises Refused or Unavailable, the stream ends
    """
    yield b"retry: %d\n\n" % RETRY_MS
    if last_us is None:
        present = state.present()
        last_us = present.at_us - 1 if present else 0
    while not state.closed:
        following = state.after(last_us)
        for kept in following:
            last_us = kept.at_us
            try:
                document = kept.links if make is _open_to_all else await asyncio.to_thread(make, kept)
            except SkyliftError:
                return
            yield event(kept, document)
        if not following and not await state.changed(heartbeat_s):
            yield b": still here\n\n"


class LiveStream(Response):
    """Server-sent events to one reader."""

    def __init__(
        self, state: LiveState, last_us: int | None, streams: set[LiveStream], make: Make = _open_to_all
    ) -> None:
        super().__init__(media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state = state
        self._last_us = last_us
        self._streams = streams
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.add(self)
        try:
            await self._serve(receive, send)
        finally:
            self._streams.discard(self)

    async def _serve(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            async for chunk in events(self._state, self._last_us, make=self._make):
                if gone.done():
                    return
                body = {"type": "http.response.body", "body": chunk, "more_body": True}
                async with asyncio.timeout(SEND_WITHIN_S):
                    await send(body)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # A reader that does not read: the connection is closed by leaving the response unfinished.
            return
        finally:
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
