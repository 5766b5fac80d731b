"""The office's errors as HTTP: which status says which, and what else a problem document tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from skylift.api.errors import problem
from skylift.base.errors import Refused, SkyliftError, Unavailable
from skylift.ports.store import Conflict
from skylift.service.account.attempts import TooMany
from skylift.twin.office.office import Forbidden


class NotKnown(Refused):
    """Nobody that we know: 401."""


class TooLarge(Refused):
    """413."""


def status_of(error: SkyliftError) -> int:
    """The HTTP status that says an error of the office."""
    match error:
        case Unavailable():
            return 503
        case NotKnown():
            return 401
        case TooMany():
            return 429
        case TooLarge():
            return 413
        case Forbidden():
            return 403
        case Conflict():
            return 409
        case Missing():
            return 404
    kind, _, what = error.code.partition(".")
    if (
        what in {"wrong-state"}
        or (kind == "approval" and what != "unknown")
        or error.code in _STATE_OF_THE_WORLD
    ):
        return 409
    if what == "argument" or kind in {"body", "header", "parameter"}:
        return 400
    return 422


_STATE_OF_THE_WORLD = {"clock.wall", "login.taken", "person.has-login", "token.not-again"}


class Missing(Refused):
    """The thing that the path names is not there, or not for this asker: 404."""


def missing(kind: str) -> Missing:
    return Missing(f"{kind}.unknown", f"this {kind}", "there is none", "check the id, or list them")


def said(error: SkyliftError, now: Mapping[str, Any] | None = None) -> Response:
    """An error of the office as a problem document; now: what a thing is, that was not as expected."""
    status = status_of(error)
    response = problem(error, status, {"now": now} if now else None)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
