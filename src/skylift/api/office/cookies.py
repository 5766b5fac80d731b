"""The session's cookie: the token of somebody who logged in by the pages."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

_SECRET = re.compile(r"[A-Za-z0-9_-]{10,200}", re.ASCII)
# Whoever fills in a form before they have a session; it is worth nothing by itself.
VISIT = "skylift_visit"


def is_secure(request: Request) -> bool:
    """Whether this request came by TLS: nobody stands in front of the service whose word would count."""
    return request.scope.get("scheme") == "https"


def session_name(secure: bool) -> str:
    """The cookie's name. __Host-: the browser itself holds it to TLS, this host alone and every path."""
    return "__Host-skylift_session" if secure else "skylift_session"


def session_secret(request: Request) -> str:
    """The token in the cookie; "" for none."""
    found = request.cookies.get(session_name(is_secure(request)), "")
    return found if _SECRET.fullmatch(found) else ""


def set_cookie(response: Response, name: str, value: str, request: Request) -> None:
    """For this host, out of reach of scripts and of other sites, until the browser is closed."""
    response.set_cookie(name, value, path="/", httponly=True, samesite="strict", secure=is_secure(request))


def drop_session(response: Response, request: Request) -> None:
    secure = is_secure(request)
    response.delete_cookie(session_name(secure), path="/", httponly=True, samesite="strict", secure=secure)
