"""The session's cookie: the token of somebody who logged in by the pages.

A browser gives a host's cookies to every port of it (RFC 6265, 8.5). The port in the names keeps two services
on one machine, such as a real one and a demonstration, from taking each other's session for their own.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

_SECRET = re.compile(r"[A-Za-z0-9_-]{10,200}", re.ASCII)


def is_secure(request: Request) -> bool:
    """Whether this request came by TLS: nobody stands in front of the service whose word would count."""
    return request.scope.get("scheme") == "https"


def session_secret(request: Request) -> str:
    """The token in the cookie; "" for none."""
    found = request.cookies.get(_name(request, "session"), "")
    return found if _SECRET.fullmatch(found) else ""


def begin_session(response: Response, request: Request, token: str) -> None:
    """The token goes into the cookie, and stands in no page."""
    _set(response, request, "session", token)
    _set(response, request, "visit", "", 0)


def drop_session(response: Response, request: Request) -> None:
    _set(response, request, "session", "", 0)


def visit_of(request: Request) -> str:
    """What tells apart those who fill in a form before they have a session; it is worth nothing by itself."""
    return request.cookies.get(_name(request, "visit"), "")[:200]


def set_visit(response: Response, request: Request, visit: str) -> None:
    _set(response, request, "visit", visit)


def _name(request: Request, what: str) -> str:
    """__Host-: the browser itself holds it to TLS, this host alone and every path."""
    port = request.url.port
    return f"{'__Host-' if is_secure(request) else ''}skylift_{what}{f'_{port}' if port else ''}"


def _set(response: Response, request: Request, what: str, value: str, lasts_s: int | None = None) -> None:
    """For this host, out of reach of scripts and of other sites, until the browser is closed."""
    response.set_cookie(
        _name(request, what),
        value,
        max_age=lasts_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )
