"""The doors of the office, asked from within: a page holds no rule of its own, and passes none by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from skylift.api.office.desk import Desk
from skylift.api.office.door import Door
from skylift.api.office.gate import Gate


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door answered. document: its JSON; of a refusal, a problem document."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return self.status in (200, 201)

    @property
    def error(self) -> dict[str, str]:
        """code, thing, rule, way_out of a refusal."""
        found = self.document.get("error") if isinstance(self.document, dict) else None
        return dict(found or {})


class Inside:
    """Asks a door as a client over HTTP would, with the same gate before it."""

    def __init__(self, desk: Desk, doors: list[Door]) -> None:
        self._gate = Gate(_nothing, desk, doors, open_sky=False)

    async def ask(
        self, request: Request, secret: str, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """`path` without /api/v1/, with a query or without; `headers` with _ for -.

        What a door gives that is no JSON, such as a picture, is the document as bytes.
        """
        path, _, query = path.partition("?")
        named = {"content-type": "application/json", **headers}
        if secret:
            named["authorization"] = f"Bearer {secret}"
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": request.scope.get("scheme", "http"),
            "path": f"/api/v1/{path}",
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()
            ],
            "client": request.scope.get("client"),
            "server": request.scope.get("server"),
        }
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"" if body is None else msgspec.json.encode(body)}

        async def send(message: Message) -> None:
            told.append(message)

        await self._gate(scope, receive, send)
        content = b"".join(part.get("body", b"") for part in told[1:])
        given = {name.decode(): value.decode() for name, value in told[0]["headers"]}
        if content and "json" in given.get("content-type", ""):
            return Answer(told[0]["status"], msgspec.json.decode(content), given)
        return Answer(told[0]["status"], content or {}, given)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("{}", 404)(scope, receive, send)
