"""Asks a skylift service over HTTP; what it refuses is raised as what it is."""

from __future__ import annotations

import functools
import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import httpx
import platformdirs

from skylift.base.errors import Refused, Unavailable

DEFAULT_SERVER = "http://127.0.0.1:8480"
PATIENCE_S = 30.0
# A table of 200,000 rows is looked at, or written, within one answer.
LONG_PATIENCE_S = 600.0


class Client:
    """One service, and the token that it is asked with; "" for none.

    on_demo  called with each answer of a demonstration, in which all is invented
    """

    def __init__(self, server: str, token: str = "", on_demo: Callable[[], None] = lambda: None) -> None:
        self.server = server.rstrip("/")
        self._token = token
        self._on_demo = on_demo

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The document that it answers. Raises Refused or Unavailable with what it says is wrong."""
        return dict(self._asked(method, path, headers, PATIENCE_S, json=body).json())

    def upload(self, path: str, data: bytes, media_type: str) -> dict[str, Any]:
        """The document that it answers to a file."""
        headers = {"Content-Type": media_type}
        return dict(self._asked("POST", path, headers, LONG_PATIENCE_S, content=data).json())

    def events(self, path: str) -> Iterator[str]:
        """The data of each server-sent event, as they come; it ends where the service ends it."""
        named = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        # The service says every few seconds that it is still there.
        waits = httpx.Timeout(PATIENCE_S, read=LONG_PATIENCE_S)
        try:
            with httpx.stream(
                "GET",
                f"{self.server}/api/v1/{path}",
                headers=named,
                timeout=waits,
                verify=_authorities(),
            ) as response:
                if response.status_code >= 400:
                    response.read()
                    self._refuse(response)
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield line.removeprefix("data: ")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _silent(error) from None

    def text(self, path: str) -> str:
        """What it answers as a text, such as a CSV."""
        return self._asked("GET", path, {}, LONG_PATIENCE_S).text

    def _asked(
        self, method: str, path: str, headers: Mapping[str, str] | None, patience_s: float, **sent: Any
    ) -> httpx.Response:
        named = dict(headers or {})
        if self._token:
            named["Authorization"] = f"Bearer {self._token}"
        try:
            response = httpx.request(
                method,
                f"{self.server}/api/v1/{path}",
                headers=named,
                timeout=patience_s,
                verify=_authorities(),
                **sent,
            )
            if "json" in response.headers.get("content-type", "") or response.status_code >= 400:
                response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # What httpx says may repeat the address with all that stands in it.
            raise _silent(error) from None
        if "skylift-demo" in response.headers:
            self._on_demo()
        if response.status_code < 400:
            return response
        self._refuse(response)

    @staticmethod
    def _refuse(response: httpx.Response) -> NoReturn:
        error = response.json().get("error", {})
        parts = [str(error.get(name, "")) for name in ("code", "thing", "rule", "way_out")]
        raise (Unavailable if response.status_code >= 500 else Refused)(*parts)


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Read once: whoever asks every moment would read all certificates, 15 ms, with each request."""
    return httpx.create_ssl_context()


def _silent(error: Exception) -> Unavailable:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return Unavailable(
            "server.untrusted",
            "the skylift service",
            "its certificate is signed by nobody whom this machine trusts, or is another name's",
            "check the address; where the certificate is your own, name its PEM file by SSL_CERT_FILE",
        )
    return Unavailable(
        "server.silent",
        "the skylift service",
        "it does not answer, or is none",
        "start it with skylift run, or name it with --server or SKYLIFT_SERVER",
    )


def token_file(server: str) -> Path:
    """Where the token for a server is kept, for this user alone."""
    name = "".join(letter if letter.isalnum() else "-" for letter in server.rstrip("/").lower())
    folder = os.environ.get("SKYLIFT_STATE_DIR") or platformdirs.user_state_dir("skylift", appauthor=False)
    return Path(folder) / f"token-{name[:80]}.json"


def kept_token(server: str) -> str:
    """The token that the last login left; "" where there is none."""
    try:
        return str(json.loads(token_file(server).read_text())["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def keep_token(server: str, token: str) -> None:
    """Keep it for the commands after this one; "" forgets it."""
    file = token_file(server)
    if not token:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
        json.dump({"token": token}, out)
