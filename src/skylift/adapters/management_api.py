"""Asks the operator's public management API (V2), read-only and slowly: it has no sandbox.

Only what reads is here. Telemetry is the one exception to "nothing changes": each batch that is read moves
the account's own place in the operator's stream, and is given to nobody again.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from skylift.base.errors import Refused, Unavailable
from skylift.wire.telemetry.management import (
    ManagedLine,
    ManagedReading,
    ManagedTerminal,
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
# Whoever asks for more patience than this is told to whoever waits.
_LONGEST_ASKED_S: Final = 300.0
# Tokens last about 15 minutes; of what it says of one, so much is used.
_TOKEN_LASTS_S: Final = 600.0
_TOKEN_SHARE: Final = 0.7
_BUSY: Final = frozenset({429, 502, 503, 504})
# By what things are told apart, where pages shift while they are read.
_NAMES: Final = ("userTerminalId", "kitSerialNumber", "dishSerialNumber", "serviceLineNumber")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1", re.ASCII)


class ManagementApi:
    """One account. Raises Refused (who, what) and Unavailable (the world); no secret stands in either.

    progress  is told how many things were read, and how many there are
    notes     what was odd about the answers, for whoever asked
    """

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
        self.progress: Callable[[int, int], object] = lambda read, count: None
        self.notes: list[str] = []
        self._token, self._token_until_s, self._free_at_s = "", 0.0, 0.0
        self._was_heard = False
        self._http = httpx.Client(timeout=PATIENCE_S, follow_redirects=False)

    def close(self) -> None:
        self._http.close()

    def terminals(self) -> Iterator[ManagedTerminal]:
        """Every dish of the account."""
        return (terminal_of(thing) for thing in self._all("user-terminals", "dishes"))

    def service_lines(self) -> Iterator[ManagedLine]:
        """Every subscription of the account."""
        return (line_of(thing) for thing in self._all("service-lines", "service lines"))

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

    def _all(self, name: str, what: str) -> Iterator[Mapping[str, Any]]:
        """Each once: in September 2025 its pages gave some twice and left others out (starlink.readme.io)."""
        seen: set[tuple[str, ...]] = set()
        count: int | None = None
        for number in range(_MOST_PAGES):
            page = page_of(self._ask("GET", f"{_API}/{name}", params={"page": number}))
            count = page.count if page.count is not None else count
            before = len(seen)
            for thing in page.things:
                key = tuple(str(thing.get(name) or "") for name in _NAMES)
                if key not in seen:
                    seen.add(key)
                    yield thing
            self.progress(len(seen), max(count or 0, len(seen)))
            # Without a word on it there is a further page only where things are missing.
            if page.is_last or (page.is_last is None and len(seen) >= (count or 0)) or len(seen) == before:
                break
        if count is not None and len(seen) < count:
            self.notes.append(f"of {count} {what}, as the operator says, it gave {len(seen)}: ask again")

    def _ask(self, method: str, path: str, **sent: Any) -> Any:
        for is_last in (False, True):
            headers = {"Authorization": f"Bearer {self._fresh_token()}", "Accept": "application/json"}
            response = self._patiently(method, path, headers=headers, **sent)
            if response.status_code != 401 or is_last:
                break
            # It may have ended before its time.
            self._token = ""
        return self._read(response)

    def _patiently(self, method: str, path: str, **sent: Any) -> httpx.Response:
        for attempt in range(_MOST_TRIES):
            wait_s = min(2.0 ** (attempt + 2), _LONGEST_WAIT_S)
            try:
                response = self._send(method, path, **sent)
            except httpx.HTTPError:
                # What was read of telemetry is given to nobody again: a loss there is not passed by.
                if not self._was_heard or path.endswith("/telemetry/stream") or attempt == _MOST_TRIES - 1:
                    raise Unavailable(
                        "management.silent", "the operator's API", "it does not answer", "check the network"
                    ) from None
                self._sleep(wait_s)
                continue
            self._was_heard = True
            if response.status_code not in _BUSY:
                return response
            asked_s = _asked_wait_s(response.headers)
            if asked_s > _LONGEST_ASKED_S:
                minutes = math.ceil(asked_s / 60.0)
                raise _busy(f"it asks for {minutes} minutes of patience", f"try again in {minutes} minutes")
            # Where it names no time: twice as long each time.
            self._sleep(max(wait_s, asked_s))
        raise _busy("it asks for patience again and again", "try again later")

    def _read(self, response: httpx.Response) -> Any:
        if response.status_code in (401, 403):
            raise Refused(
                "management.not-allowed",
                "the operator's API",
                "this service account may not read that",
                "give it Device management, Service plan and Device telemetry, each View",
            )
        if response.status_code >= 500:
            raise Unavailable(
                "management.broken",
                "the operator's API",
                f"it fails ({response.status_code})",
                "try again later",
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
            response = self._patiently("POST", _TOKEN_PATH, data=form)
            if response.status_code in (400, 401, 403):
                raise Refused(
                    "management.login",
                    "the service account",
                    "the operator does not know it, or its secret",
                    "check SKYLIFT_MANAGEMENT_ID and SKYLIFT_MANAGEMENT_SECRET; secrets expire",
                )
            document = self._read(response)
            given = document if isinstance(document, dict) else {}
            token, lasts_s = given.get("access_token"), given.get("expires_in")
            if not isinstance(token, str) or not token:
                raise unreadable()
            said_s = lasts_s * _TOKEN_SHARE if isinstance(lasts_s, int) else _TOKEN_LASTS_S
            self._token, self._token_until_s = token, self._now() + min(said_s, _TOKEN_LASTS_S)
        return self._token

    def _send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        wait_s = self._free_at_s - self._now()
        if wait_s > 0:
            self._sleep(wait_s)
        self._free_at_s = max(self._now(), self._free_at_s) + EVERY_S
        return self._http.request(method, f"{self._base}{path}", **sent)


def _busy(rule: str, way_out: str) -> Unavailable:
    return Unavailable("management.busy", "the operator's API", rule, way_out)


def _asked_wait_s(headers: Mapping[str, str]) -> float:
    """What Retry-After says (RFC 9110, 10.2.3), by the answer's own clock; 0 where it says nothing."""
    text = headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return float(text)
    try:
        until, now = (parsedate_to_datetime(each) for each in (text, headers.get("date", "")))
        return max((until - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
