"""Signed requests of the agent, with the standard library alone: it runs on small boards."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from skylift import __version__
from skylift.adapters.keys import KeyPair, public_of, text_of
from skylift.base.errors import Refused, Unavailable
from skylift.wire.telemetry import signing
from skylift.wire.telemetry.rows import Enrolled, Enrolment

PATIENCE_S: Final = 20.0
_MOST_BYTES: Final = 1_048_576
ENROL_PATH: Final = "/api/v1/agent/enrol"
# A key that is being enrolled has no id yet; the door takes the one in the body.
NO_ID_YET: Final = "new"
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. status 0: none came. wait_s: as Retry-After asks; date: the service's, as a text."""

    status: int
    body: bytes = b""
    wait_s: float | None = None
    code: str = ""
    date: str = ""


class SignedHttp:
    """One service. Raises Refused for an address that is none, or is not safe to use."""

    def __init__(self, server: str, keys: KeyPair, key_id: str = NO_ID_YET, ca: Path | None = None) -> None:
        try:
            parts = urlsplit(server)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host, self._port = urlsplit(""), "", None
        if parts.scheme not in ("http", "https") or not self._host or parts.path not in ("", "/"):
            raise Refused(
                "agent.server", "--server", "it is an address without a path", "write https://HOST[:PORT]"
            )
        self._tls = parts.scheme == "https"
        if not self._tls and not _LOOPBACK.fullmatch(self._host):
            raise Refused(
                "agent.server-open",
                "--server",
                "over http everybody on the way reads what the dish does, and when",
                "use https; with a certificate of your own, add --ca FILE",
            )
        self._ca = ca
        self._context: ssl.SSLContext | None = None
        self._keys, self._key_id = keys, key_id

    def post(self, path: str, content_type: str, body: bytes, zipped: bool = False) -> Answered:
        """Sign it, send it, and give what came back; never raises for what the network does."""
        request = ("POST", path, content_type)
        headers = signing.signed_headers(request, body, self._key_id, int(time.time()), self._keys.sign)
        headers |= {"user-agent": f"skylift-agent/{__version__}", "accept": "application/json"}
        if zipped:
            headers["content-encoding"] = "gzip"
        return self._asked("POST", path, body, headers)

    def get(self, path: str) -> Answered:
        """Ask for something that needs no signature."""
        return self._asked("GET", path, None, {"user-agent": f"skylift-agent/{__version__}"})

    def _asked(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answered:
        try:
            connection = self._connection()
        except OSError:
            return Answered(0, code="agent.authority")
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read(_MOST_BYTES + 1)
            found = Answered(
                response.status,
                content if len(content) <= _MOST_BYTES else b"",
                _seconds(response.headers.get("retry-after")),
                _code(content) if response.status >= 400 else "",
                response.headers.get("date", ""),
            )
        except ssl.SSLCertVerificationError:
            return Answered(0, code="agent.certificate")
        except (OSError, http.client.HTTPException, ValueError):
            return Answered(0)
        finally:
            connection.close()
        return found

    def _connection(self) -> http.client.HTTPConnection:
        if not self._tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_S)
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca)
        return http.client.HTTPSConnection(self._host, self._port, timeout=PATIENCE_S, context=self._context)


def enrol(http_: SignedHttp, keys: KeyPair, code: str) -> Enrolled:
    """Trade a one-time code for a name. Raises Refused or Unavailable with what the service says."""
    body = msgspec.json.encode(Enrolment(code.strip(), text_of(keys.public), __version__))
    answered = http_.post(ENROL_PATH, "application/json", body)
    if answered.code == "agent.authority":
        raise Refused(
            answered.code,
            "--ca",
            "it cannot be read, or holds no certificate",
            "name the PEM file of the authority that signs the service's certificate",
        )
    if answered.code == "agent.certificate":
        raise Unavailable(
            answered.code,
            "the skylift service",
            "it has no certificate that this board trusts",
            "name its own authority with --ca FILE, or set this board's clock; the code stays good",
        )
    if answered.status == 0 or answered.status >= 500:
        raise Unavailable(
            answered.code or "agent.no-answer",
            "the skylift service",
            "it does not answer",
            "check --server and the link; the code stays good until it is used",
        )
    if answered.status not in (200, 201):
        raise Refused(
            answered.code or "agent.code",
            "the one-time code",
            "the service does not take it",
            "each is good once and for a day: ask an operator for a new one",
        )
    try:
        enrolled = msgspec.json.decode(answered.body, type=Enrolled)
        public_of(enrolled.server_public_key)
    except (msgspec.DecodeError, Refused):
        raise Unavailable(
            "agent.answer-unreadable", "the service's answer", "it is no enrolment", "check --server"
        ) from None
    return enrolled


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdecimal() and len(text) < 8 else None


def _code(content: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        return str(json.loads(content)["error"]["code"])[:60]
    return ""
