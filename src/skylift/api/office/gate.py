"""Finds the door that a request is for, and lets in who is known. It stands before FastAPI's own paths."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from skylift.api.demo.guard import refuse_real
from skylift.api.errors import problem
from skylift.api.office.conditional import conditional, weak_etag
from skylift.api.office.cookies import session_secret
from skylift.api.office.desk import Desk, not_known
from skylift.api.office.door import ID, Call, Door
from skylift.api.office.problems import missing, said
from skylift.base.errors import Refused, SkyliftError
from skylift.twin.office.verbs import Actor

PREFIX = "/api/v1/"
_BEARER = re.compile(r"Bearer +([A-Za-z0-9_-]{10,200})", re.ASCII | re.IGNORECASE)
# Without a token these paths give what the sky's own terminals have, as they did before there was an office.
SHARED = frozenset(("GET", f"/api/v1/{path}") for path in ("terminals", "links", "live"))


class Gate:
    """ASGI: requests for a door are answered, all others go on to the application.

    open_sky  whether the rest of the API answers without a token, as it does on loopback
    """

    def __init__(self, app: ASGIApp, desk: Desk, doors: Sequence[Door], open_sky: bool = True) -> None:
        self._app = app
        self._desk = desk
        self._open_sky = open_sky
        self._doors: dict[tuple[str, ...], dict[str, Door]] = {}
        for door in doors:
            self._doors.setdefault(_parts(door.path), {})[door.method] = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        methods, id = self._found(scope["path"])
        request = Request(scope, receive)
        shared = (scope["method"], scope["path"]) in SHARED and "authorization" not in request.headers
        if methods is None or shared:
            await self._sky(request, receive, send)
            return
        door = methods.get(scope["method"])
        response = (
            _not_allowed(scope["method"], methods) if door is None else await self._let_in(request, door, id)
        )
        await response(scope, receive, send)

    def _found(self, path: str) -> tuple[dict[str, Door] | None, str]:
        parts = path[len(PREFIX) :].split("/")
        fixed = self._doors.get(tuple(parts))
        if fixed is not None or len(parts) < 2:
            return fixed, ""
        named = self._doors.get((parts[0], "{id}", *parts[2:]))
        if named is None and len(parts) == 4:
            # One thing of a thing: /terminals/{id}/keys/{key}
            named = self._doors.get((parts[0], "{id}", parts[2], "{key}"))
        return named, parts[1]

    async def _sky(self, request: Request, receive: Receive, send: Send) -> None:
        if not self._open_sky:
            try:
                self._desk.count(_address(request))
                await self._known(request.headers, session_secret(request))
            except SkyliftError as error:
                await said(error)(request.scope, receive, send)
                return
        await self._app(request.scope, receive, send)

    async def _let_in(self, request: Request, door: Door, id: str) -> Response:
        try:
            self._desk.count(_address(request))
            actor, hashed = (None, "") if door.open_to_all else await self._known(request.headers)
            _known_parameters(request, door)
            if self._desk.store.is_demo:
                refuse_real(door)
            if door.id_kind and not ID.fullmatch(id):
                raise missing(door.id_kind)
            response = await door.handler(Call(self._desk, request, door, actor, hashed, id))
        except SkyliftError as error:
            return said(error)
        if not door.revalidates:
            return response
        response.headers.setdefault("ETag", weak_etag(bytes(response.body)))
        return conditional(request.headers, response)

    async def _known(self, headers: Headers, session: str = "") -> tuple[Actor, str]:
        # The sky only tells: there a page's own cookie will do. What changes anything takes the header, which
        # no page of another site can send.
        secret = secret_of(headers) or session
        if not secret:
            raise not_known()
        return await self._desk.known(secret)


def secret_of(headers: Headers) -> str:
    """The token of a request; "" for none."""
    found = _BEARER.fullmatch(headers.get("authorization", "").strip())
    return found[1] if found else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path[len(PREFIX) :].split("/"))


def _known_parameters(request: Request, door: Door) -> None:
    known = {parameter.name for parameter in door.parameters if parameter.where == "query"}
    if any(name not in known for name in request.query_params):
        raise Refused(
            "parameter.unknown",
            "a parameter",
            "this path does not know it",
            f"it knows: {', '.join(sorted(known)) or 'none'}",
        )


def _not_allowed(method: str, methods: dict[str, Door]) -> Response:
    allowed = ", ".join(sorted(methods))
    refused = Refused("method.not_allowed", "this method", "the path takes others", f"use {allowed}")
    response = problem(refused, 405)
    response.headers["Allow"] = allowed
    return response
