"""A door: one method on one path, what it takes and answers. Routes and OpenAPI come from one list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from skylift.api.office.desk import Desk
from skylift.api.office.problems import TooLarge
from skylift.base.errors import Refused
from skylift.base.instants import InstantUs
from skylift.twin.office.given import Strange, convert
from skylift.twin.office.verbs import Actor

# A region with every cell of the largest country at resolution 5 is about 1.5 MB.
MOST_BODY_BYTES = 4 * 1024 * 1024
ID = re.compile(r"[a-z]{2,4}_[A-Za-z0-9_-]{1,60}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"(\d{1,15})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a door takes from the query or a header."""

    name: str
    says: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Call:
    """One request at a door.

    actor       who asks, as far as the token says; None at a door that is open to all
    token_hash  by which a writer asks anew who it is
    id, name    what the path names
    """

    desk: Desk
    request: Request
    door: Door
    actor: Actor | None
    token_hash: str
    id: str = ""

    @property
    def address(self) -> str:
        client = self.request.client
        return client.host if client else ""

    def asker(self) -> Actor:
        assert self.actor is not None, "this door is open to all"
        return self.actor

    async def body(self, most_bytes: int = MOST_BODY_BYTES) -> bytes:
        """All of it. Raises TooLarge, as soon as it is known to be."""
        said = self.request.headers.get("content-length", "")
        parts: list[bytes] = []
        size = int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else 0
        if size <= most_bytes:
            size = 0
            async for part in self.request.stream():
                size += len(part)
                if size > most_bytes:
                    break
                parts.append(part)
        if size > most_bytes:
            raise TooLarge(
                "body.too-large",
                "the body",
                f"it has at most {most_bytes // 1_048_576} MiB",
                "send less at a time",
            )
        return b"".join(parts)

    def expected_version(self) -> int | None:
        """What If-Match says; None where it says nothing, or that any will do."""
        said = self.request.headers.get("if-match")
        if said is None or said.strip() == "*":
            return None
        found = _ETAG.fullmatch(said.strip())
        if found is None:
            raise Refused(
                "header.if-match",
                "If-Match",
                'it is an ETag as it was given, such as "3"',
                "send it unaltered",
            )
        return int(found[1])

    def reply_key(self, person: str) -> str:
        """Under what the answer is kept; "" where the caller gave no Idempotency-Key."""
        said = self.request.headers.get("idempotency-key")
        if said is None:
            return ""
        if not _KEY.fullmatch(said):
            raise Refused(
                "header.idempotency-key",
                "Idempotency-Key",
                "it is 1 to 200 visible ASCII characters",
                "send a random UUID",
            )
        return hashlib.sha256(f"{person}\0{said}".encode()).hexdigest()


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """One method on one path.

    path     with {id} for a thing's id, at most once
    body     a type that the body has, or None
    also     properties of the body beside those of its type
    answers  status -> type of the document, or its schema
    upload   media types of a file that is the body, where it is one
    revalidates  the answer has an ETag, and is not sent again to whoever has it already
    """

    method: str
    path: str
    handler: Handler
    says: str
    tag: str
    answers: Mapping[int, Any]
    body: type | None = None
    also: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    open_to_all: bool = False
    id_kind: str = ""
    upload: tuple[str, ...] = ()
    revalidates: bool = False


def read_json(text: bytes) -> Any:
    """A JSON value. Raises Refused; nothing of the text is repeated."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("body.json", "the body", "it is not readable as JSON", "send a JSON object") from None


def read_object(text: bytes) -> dict[str, Any]:
    """A JSON object; of nothing at all, an empty one."""
    given = read_json(text) if text.strip() else {}
    if not isinstance(given, dict):
        raise Refused("body.json", "the body", "it is a JSON object", "send a JSON object")
    return given


def read_as(kind: type[Any], text: bytes) -> Any:
    """A body as a type of ours. Raises Refused that names the field."""
    try:
        return convert(kind, read_object(text), "see /docs")
    except Strange as strange:
        raise Refused("body.argument", "a field of the body", strange.rule, strange.way_out) from None


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, named, media_type="application/json")


def instant(text: Any, thing: str) -> InstantUs:
    """ISO 8601, or whole microseconds since 1970."""
    from skylift.base.instants import parse_instant

    if isinstance(text, str):
        return InstantUs(int(text)) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else _parsed(text, thing)
    if isinstance(text, int) and not isinstance(text, bool) and abs(text) < 10**18:
        return InstantUs(text)
    return parse_instant("", thing)


def _parsed(text: str, thing: str) -> InstantUs:
    from skylift.base.instants import parse_instant

    try:
        return parse_instant(text, thing)
    except Refused as error:
        # What was given is not repeated.
        raise Refused("body.instant", thing, error.rule, error.way_out) from None
