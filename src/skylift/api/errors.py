"""Every error as a problem document (RFC 9457) with {"error": {"code", "thing", "rule", "way_out"}} in it."""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from skylift.base.errors import Refused, SkyliftError, Unavailable

NOT_FOUND = frozenset({"slot.not_kept", "terminal.unknown", "positions.not_kept"})


def problem(
    error: SkyliftError, status: int | None = None, more: Mapping[str, Any] | None = None
) -> Response:
    """The response that says an error; more: fields beside those that every problem has."""
    if status is None:
        status = 503 if isinstance(error, Unavailable) else 404 if error.code in NOT_FOUND else 400
    headers = {"Retry-After": "2"} if status == 503 else {}
    document = {
        "type": f"urn:skylift:problem:{error.code}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": str(error),
        **error.as_dict(),
        **(more or {}),
    }
    return Response(msgspec.json.encode(document), status, headers, media_type="application/problem+json")


def add_handlers(app: FastAPI) -> None:
    """Answer in that shape whatever goes wrong."""
    app.add_exception_handler(SkyliftError, _skylift)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)


async def _skylift(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkyliftError)
    return problem(error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == 404:
        refused = Refused("path.unknown", "this path", "there is nothing here", "the paths stand at /docs")
    elif status == 405:
        refused = Refused(
            "method.not_allowed",
            f"{request.method} on this path",
            "it takes other methods",
            f"use {(error.headers or {}).get('Allow', 'GET')}",
        )
    else:
        refused = Refused("request.refused", "the request", http.HTTPStatus(status).phrase, "see /docs")
    response = await _page(request, refused, status) or problem(refused, status)
    response.headers.update(error.headers or {})
    return response


async def _page(request: Request, error: SkyliftError, status: int) -> Response | None:
    """For a browser that looks for a page; None for programs, and where there are no pages."""
    show = getattr(request.app.state, "show_problem", None)
    looks = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    if show is None or not looks or request.url.path.startswith("/api/"):
        return None
    found: Response = await show(request, error, status)
    return found


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return problem(
        Refused("parameter.wrong", f"parameter {name!r}", str(first["msg"]).lower(), "see /docs"), 400
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    return problem(
        Unavailable(
            "service.broken",
            "the service",
            "something broke that should not have",
            "the service's own output on its terminal says more; please report it",
        ),
        500,
    )
