"""Asks the operator's public management API (V2), read-only and slowly: it has no sandbox.

Only what reads is here. Telemetry is the one exception to "nothing changes": each batch that is read moves
the account's own place in the operator's stream, and is given to nobody again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from skylift.base.errors import Refused, Unavailable
from skylift.wire.telemetry.management import (
    ManagedReading,
    ManagedTerminal,
    ServiceLine,
    line_of,
    page_of,
    readings_of,
    terminal_of,
    unreadable,
)

BASE: Final = "https://starlink.com"
_TOKEN_PATH: Final = "/api/auth/connect/token"
_API: Final = "/api/public/v2"
# The operator allows 250 in a minute for all programs of an account together: we take 60.
EVERY_S: Final = 1.0
PATIENCE_S: Final = 90.0
_MOST_PAGES: Final = 10_000
_MOST_TRIES: Final = 5
_LONGEST_WAIT_S: Final = 60.0
# Tokens last about 15 minutes.
_TOKEN_LASTS_S: Final = 600.0
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1", re.ASCII)


class ManagementApi:
    """One account. Raises Refused (who, what) and Unavailable (the world); no secret stands in either."""

    def __init__(
        self,
        client_id: str,
        secret: str,
        base: str = BASE,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(base)
        loopback = bool(_LOOPBACK.fullmatch(parts.hostname or ""))
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise Refused("management.base", "--base", "it is an https address", f"leave it out for {BASE}")
        self._id, self._secret, self._base = client_id, secret, base.rstrip("/")
        self._sleep, self._now = sleep, now
        self._token, self._token_until_s, self._free_at_s = "", 0.0, 0.0
        self._http = httpx.Client(timeout=PATIENCE_S, follow_redirects=False)

    def close(self) -> None:
        self._http.close()

    def terminals(self) -> Iterator[ManagedTerminal]:
        """Every dish of the account."""
        return (terminal_of(thing) for thing in self._all("user-terminals"))

    def service_lines(self) -> Iterator[ServiceLine]:
        """Every subscription of the account."""
        return (line_of(thing) for thing in self._all("service-lines"))

    def readings(
        self, batches: int, batch_size: int = 1_000, linger_ms: int = 15_000
    ) -> Iterator[ManagedReading]:
        """What dishes reported, oldest first, in at most so many batches; an empty one ends it."""
        for _ in range(batches):
            told = {"batchSize": batch_size, "maxLingerMs": linger_ms}
            found = list(readings_of(self._ask("POST", f"{_API}/telemetry/stream", json=told)))
            yield from found
            if not found:
                return

    def _all(self, name: str) -> Iterator[Any]:
        for page in range(_MOST_PAGES):
            things, last = page_of(self._ask("GET", f"{_API}/{name}", params={"page": page}))
            yield from things
            if last:
                return

    def _ask(self, method: str, path: str, **sent: Any) -> Any:
        for attempt in range(_MOST_TRIES):
            headers = {"Authorization": f"Bearer {self._fresh_token()}", "Accept": "application/json"}
            response = self._send(method, path, headers=headers, **sent)
            if response.status_code == 401 and attempt == 0:
                self._token = ""
                continue
            if response.status_code in (429, 502, 503, 504):
                # It names no time to wait: twice as long each time.
                self._sleep(min(2.0 ** (attempt + 2), _LONGEST_WAIT_S))
                continue
            return self._read(response)
        raise Unavailable(
            "management.busy", "the operator's API", "it asks for patience again and again", "try again later"
        )

    def _read(self, response: httpx.Response) -> Any:
        if response.status_code in (401, 403):
            raise Refused(
                "management.not-allowed",
                "the operator's API",
                "this service account may not read that",
                "give it Device management, Service plan and Device telemetry, each View",
            )
        try:
            document = response.json()
        except ValueError:
            raise unreadable() from None
        if response.status_code >= 400:
            page_of({**document, "isValid": False} if isinstance(document, dict) else {"isValid": False})
        return document

    def _fresh_token(self) -> str:
        if not self._token or self._now() >= self._token_until_s:
            form = {"grant_type": "client_credentials", "client_id": self._id, "client_secret": self._secret}
            response = self._send("POST", _TOKEN_PATH, data=form)
            try:
                token = response.json()["access_token"] if response.status_code == 200 else ""
            except (ValueError, KeyError, TypeError):
                token = ""
            if not isinstance(token, str) or not token:
                raise Refused(
                    "management.login",
                    "the service account",
                    "the operator does not know it, or its secret",
                    "check SKYLIFT_MANAGEMENT_ID and SKYLIFT_MANAGEMENT_SECRET; secrets expire",
                )
            self._token, self._token_until_s = token, self._now() + _TOKEN_LASTS_S
        return self._token

    def _send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        wait_s = self._free_at_s - self._now()
        if wait_s > 0:
            self._sleep(wait_s)
        self._free_at_s = max(self._now(), self._free_at_s) + EVERY_S
        try:
            return self._http.request(method, f"{self._base}{path}", **sent)
        except httpx.HTTPError:
            raise Unavailable(
                "management.silent", "the operator's API", "it does not answer", "check the network"
            ) from None
