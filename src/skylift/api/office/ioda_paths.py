"""IODA's longer paths, /outages/events/{type}/{code} and the like: the same answers as by parameters."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_LONGER = re.compile(r"(/api/v1/ioda/v2/outages/(?:events|alerts))/([^/]{1,40})(?:/([^/]{1,80}))?")


class LongerPaths:
    """ASGI: asks the door of the shorter path, with what the path says as parameters."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _LONGER.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is not None:
            named = {"entityType": found[2], "entityCode": found[3] or ""}
            parts = [scope["query_string"].decode("latin-1")]
            parts += [f"{name}={quote(unquote(text), safe='')}" for name, text in named.items() if text]
            query = "&".join(part for part in parts if part).encode("latin-1")
            scope = {**scope, "path": found[1], "raw_path": found[1].encode(), "query_string": query}
        await self._app(scope, receive, send)
