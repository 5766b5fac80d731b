"""The door of a service that is open without a login: loopback names only, and nothing for other sites.

Binding to loopback keeps other machines out, but not the web pages that this machine's browser shows. A page
of another site can aim its own host name at 127.0.0.1 (DNS rebinding) and would then read the API as its own;
its requests give themselves away by the Host header. That the API answers no other origin (no CORS) keeps
the rest out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skylift.api.errors import problem
from skylift.api.listening import loopback_address
from skylift.base.errors import Refused

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# What a page of ours may set otherwise for itself.
OWN_MATTER = frozenset({"Content-Security-Policy", "Referrer-Policy"})


_RAW = {name.lower().encode(): value.encode() for name, value in SECURITY_HEADERS.items()}
_OWN = {name.lower().encode() for name in OWN_MATTER}
_ALWAYS = {name: value for name, value in _RAW.items() if name not in _OWN}
_UNLESS_SAID = (*((name, _RAW[name]) for name in sorted(_OWN)), (b"cache-control", b"no-store"))


@lru_cache(maxsize=64)
def is_loopback_host_header(value: str) -> bool:
    """Whether a Host header, port included, names this machine's loopback."""
    name, separator, port = value.rpartition(":")
    if not separator or value.endswith("]"):
        name, port = value, "0"
    if not (port.isascii() and port.isdigit()):
        return False
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    elif ":" in name:
        return False
    return loopback_address(name) is not None


class Guard:
    """ASGI middleware: refuses foreign Host headers, and labels every response."""

    def __init__(self, app: ASGIApp, loopback_only: bool = True) -> None:
        self._app = app
        # Beyond loopback everything takes a token, which a page of another site does not have.
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                # As bytes at once: every post of a hundred thousand dishes comes by here.
                given = {name.lower(): value for name, value in message.get("headers", ())}
                if given.keys().isdisjoint(_ALWAYS):
                    kept = list(message.get("headers", ()))
                else:
                    kept = [pair for pair in message["headers"] if pair[0].lower() not in _ALWAYS]
                kept += _ALWAYS.items()
                # The people's pages have forms, and a browser says no origin without a referrer.
                kept += [pair for pair in _UNLESS_SAID if pair[0] not in given]
                message = {**message, "headers": kept}
            await send(message)

        refused = _refusal(scope["headers"]) if self._loopback_only else None
        if refused is None:
            await self._app(scope, receive, labelled)
        else:
            await problem(refused, 421 if refused.code == "host.foreign" else 403)(scope, receive, labelled)


def _refusal(headers: Sequence[tuple[bytes, bytes]]) -> Refused | None:
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if len(hosts) != 1 or not is_loopback_host_header(hosts[0]):
        return Refused(
            "host.foreign",
            "the Host header",
            "without a login the service answers to loopback names only",
            "open it as http://127.0.0.1 or http://localhost with its port",
        )
    origin = next((value.decode("latin-1") for name, value in headers if name == b"origin"), None)
    if origin is not None and not is_loopback_host_header(origin.partition("://")[2]):
        return Refused(
            "origin.foreign",
            "the Origin header",
            "without a login the service answers no other site",
            "open the page at the service's own address",
        )
    return None
