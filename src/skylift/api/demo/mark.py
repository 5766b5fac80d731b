"""DEMO on every page and answer, whoever made it: the layer around the application.

Every answer has the header `Skylift-Demo: 1`. A JSON object also says "demo": true, in streams as well; pages
and feeds say DEMO in their titles, pages at their heads too, and files in their names. OpenAPI says all of
that (`describe`).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "Skylift-Demo"
STYLE = "/static/demo.css"
# An OpenAPI document may have no keys of its own; its title says it.
_LEFT_AS_IT_IS = frozenset({"/openapi.json"})

_BANNER = (
    b'<p class="skylift-demo" data-demo role="note"><strong>DEMO</strong> All of this is invented, and plays '
    b'on a simulated clock. <a href="/demo">Who plays whom</a></p>'
)
_LINK = f'<link rel="stylesheet" href="{STYLE}">'.encode()
_TITLE = re.compile(rb"(<title[^>]*>)(?!DEMO)")
_HEAD_ENDS = re.compile(rb"</head>", re.IGNORECASE)
_BODY = re.compile(rb"<body[^>]*>", re.IGNORECASE)
_FILE = re.compile(r"""(filename\*?=(?:"|[\w-]+''|))""")
_EVENT = re.compile(rb"(?:^|(?<=\n))data: \{(?!\})")


def marked_json(body: bytes) -> bytes:
    """A JSON object with "demo": true as its first member; anything else as it is."""
    start = len(body) - len(body.lstrip())
    if body[start : start + 1] != b"{":
        return body
    rest = body[start + 1 :]
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b'{"demo":true' + comma + rest


def marked_events(chunk: bytes) -> bytes:
    """Server-sent events whose data says so."""
    return _EVENT.sub(b'data: {"demo":true,', chunk)


def marked_name(disposition: str) -> str:
    """A Content-Disposition whose file's name says so."""
    return disposition if "DEMO-" in disposition else _FILE.sub(r"\1DEMO-", disposition)


def marked_page(body: bytes) -> bytes:
    """A page whose title and head say so, once."""
    body = _TITLE.sub(rb"\1DEMO: ", body)
    if b"data-demo" in body:
        return body
    body = _HEAD_ENDS.sub(lambda found: _LINK + found[0], body, count=1)
    return _BODY.sub(lambda found: found[0] + _BANNER, body, count=1)


def marked_feed(body: bytes) -> bytes:
    """A feed all of whose titles say so."""
    return _TITLE.sub(rb"\1DEMO: ", body)


def marked_json_feed(body: bytes) -> bytes:
    """A JSON feed all of whose titles say so. Members of one's own begin with _ there."""
    feed = msgspec.json.decode(body)
    for one in (feed, *feed.get("items", ())):
        one["title"] = f"DEMO: {one.get('title', '')}"
        one["_demo"] = {"demo": True}
    return msgspec.json.encode(feed)


_WHOLE = {
    "application/json": marked_json,
    "application/problem+json": marked_json,
    "text/html": marked_page,
    "application/atom+xml": marked_feed,
    "application/feed+json": marked_json_feed,
}


class Mark:
    """ASGI, around an application and all of its middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Marked(send, scope["path"]).send)


class _Marked:
    """One answer on its way out. What has to be marked as a whole is held back until it is whole."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._start: Message = {}
        self._kind = ""
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[HEADER] = "1"
            if "content-disposition" in headers:
                # A table has no place of its own for it; the file that it is kept in has.
                headers["content-disposition"] = marked_name(headers["content-disposition"])
            self._kind = headers.get("content-type", "").partition(";")[0].strip()
            if self._is_whole():
                self._start = message
                return
        elif message["type"] == "http.response.body":
            if self._is_whole():
                await self._hold(message)
                return
            if self._kind == "text/event-stream":
                message = {**message, "body": marked_events(message.get("body", b""))}
        await self._send(message)

    def _is_whole(self) -> bool:
        return self._kind in _WHOLE and self._path not in _LEFT_AS_IT_IS

    async def _hold(self, message: Message) -> None:
        self._parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        body = b"".join(self._parts)
        if body:
            body = _WHOLE[self._kind](body)
            headers = MutableHeaders(scope=self._start)
            if "content-length" in headers:
                headers["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({**message, "body": body})


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document of the application as it answers behind this layer."""
    document["info"]["title"] = f"DEMO: {document['info']['title']}"
    document["info"]["description"] = (
        f"DEMO: all of this is invented. Every answer has the header {HEADER}, every JSON object "
        f'"demo": true.\n{document["info"]["description"]}'
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Demo"] = {
        "description": "What every JSON object of a demo has.",
        "type": "object",
        "properties": {"demo": {"type": "boolean", "const": True}},
        "required": ["demo"],
    }
    for schema in schemas.values():
        # A shape that takes no other members takes this one; what comes in is read by stricter readers.
        if schema.get("additionalProperties") is False and "properties" in schema:
            schema["properties"]["demo"] = {"type": "boolean", "const": True}
    header = {"description": "This is a demo.", "schema": {"type": "string", "const": "1"}}
    for methods in document["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                answer.setdefault("headers", {})[HEADER] = header
                for kind in ("application/json", "application/problem+json"):
                    content = answer.get("content", {}).get(kind)
                    if content is not None and "schema" in content:
                        content["schema"] = {
                            "allOf": [content["schema"], {"$ref": "#/components/schemas/Demo"}]
                        }
    return document
