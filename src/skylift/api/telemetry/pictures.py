"""Pictures that the service draws: one at a time, as the library shares its fonts between them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

log = logging.getLogger("skylift.telemetry")

_TWO: Mapping[str, Sequence[Any]] = {"at_us": [0, 15_000_000], "ping_latency_ms": [30.0, 31.0]}


class Pictures:
    """Lives in the event loop. The library takes half a second of CPU and 40 MB, so it is loaded beforehand
    where dishes report, and nowhere else.
    """

    def __init__(self) -> None:
        self._drawing = asyncio.Lock()
        self._warming: asyncio.Task[Response] | None = None

    async def png(self, draw: Callable[[], bytes]) -> Response:
        """draw: called on a thread; what it imports is loaded there."""
        async with self._drawing:
            return Response(await asyncio.to_thread(draw), media_type="image/png")

    def warm(self) -> None:
        """Draw something for nobody, once: whoever asks later does not wait until all is loaded."""
        if self._warming is None:
            self._warming = asyncio.create_task(self.png(_drawn_for_nobody))
            self._warming.add_done_callback(_note)


def _drawn_for_nobody() -> bytes:
    from skylift.adapters.pictures_telemetry import png_of

    return png_of("", {"": _TWO})


def _note(warming: asyncio.Task[Response]) -> None:
    if not warming.cancelled() and warming.exception() is not None:
        log.warning("pictures cannot be drawn: %s", type(warming.exception()).__name__)
