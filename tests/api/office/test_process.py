"""The office of `skylift run` as a process: set up once, killed without loss, TLS beyond loopback."""

from __future__ import annotations

import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.base.errors import Unavailable
from skylift.client.http import Client
from skylift.service.rooms import ROOMS
from tests.api.office.conftest import CELLS, PASSWORD

AT = ("--clock", "simulated", "--at", "2022-02-26T12:00:00Z")


def wait_for(service: Any, pattern: str) -> str:
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        if found := re.search(pattern, "".join(service.output)):
            return found[1]
        assert service.process.poll() is None, "".join(service.output)
        time.sleep(0.02)
    raise AssertionError("".join(service.output))


@pytest.mark.slow
def test_a_day_over_http_survives_a_kill(start_service: Callable[..., Any], tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    service = start_service("--data-dir", folder, *AT)
    url, code = wait_for(service, r"setup: (\S+)").split("/setup?code=")
    login = {"email": "first@example.org", "password": PASSWORD}
    token = httpx.post(f"{url}/api/v1/setup", json={"code": code, **login}).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers) as client:
        region = client.post("/regions", json={"country": "UA", "title": "Ukraine", "cells": CELLS}).json()
        now_us = client.get("/clock").json()["now_us"]
        assert client.post("/clock", json={"advance_s": 7200}).json()["now_us"] >= now_us + 7_200_000_000
    # Writers at work while it is killed: what was answered is kept, whatever else is not.
    kept: list[str] = []

    def write() -> None:
        with httpx.Client(base_url=f"{url}/api/v1", headers=headers) as client:
            try:
                while True:
                    made = client.post("/requests", json={"channel": "phone", "site_kind": "hospital"})
                    assert made.status_code == 201, made.text
                    kept.append(made.json()["id"])
            except httpx.HTTPError:
                return

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    while len(kept) < 40:
        time.sleep(0.01)
    service.process.send_signal(signal.SIGKILL)
    for writer in writers:
        writer.join()
    service.process.wait(10)

    again = start_service("--data-dir", folder, *AT)
    again.wait_until_listening()
    token = httpx.post(f"{again.url}/api/v1/login", json=login).json()["token"]
    with httpx.Client(base_url=f"{again.url}/api/v1", headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get(f"/regions/{region['id']}").json()["title"] == "Ukraine"
        missing = [id for id in kept if client.get(f"/requests/{id}").status_code != 200]
        assert missing == []
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(10) == 0
    text = "".join(service.output + again.output)
    assert len(re.findall("setup: ", text)) == 1, "told once"
    assert token not in text
    assert "first@example.org" not in text
    store = open_store(sqlite_url(tmp_path / "data"), ROOMS)
    assert store.verify().valid
    store.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_beyond_loopback_it_takes_a_login_and_tls(start_service: Callable[..., Any], tmp_path: Path) -> None:
    certificate, key, folder = tmp_path / "cert.pem", tmp_path / "key.pem", str(tmp_path / "data")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key),
         "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ("--tls-cert", str(certificate), "--tls-key", str(key))
    open_to_all = ("--host", "0.0.0.0", "--port", "0", "--data-dir", folder)

    def refused(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "skylift", "run", *open_to_all, *arguments],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        return done.stderr

    assert "without a login" in refused(*tls), "TLS alone is not enough"
    assert "one goes with the other" in refused("--tls-cert", str(certificate))
    assert "its key" in refused("--tls-cert", str(certificate), "--tls-key", str(certificate))
    first = start_service("--data-dir", folder, *AT)
    url, code = wait_for(first, r"setup: (\S+)").split("/setup?code=")
    body = {"code": code, "email": "first@example.org", "password": PASSWORD}
    token = httpx.post(f"{url}/api/v1/setup", json=body).json()["token"]
    first.process.send_signal(signal.SIGTERM)
    first.process.wait(10)
    assert "without a login and TLS" in refused(), "nor is a login alone"

    service = start_service(*open_to_all, *tls, *AT)
    port = wait_for(service, r"listens on https://0\.0\.0\.0:(\d+)")
    trusted = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises(Unavailable) as distrusted:
        Client(f"https://127.0.0.1:{port}", token).ask("GET", "me")
    assert distrusted.value.code == "server.untrusted", "and does not say that nobody answers"
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/api/v1/about", "/api/v1/links", "/api/v1/terminals", "/api/v1/regions"):
            assert client.get(path).status_code == 401, path
        mine = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/about", headers=mine).status_code in (200, 503)
        assert client.get("/api/v1/regions", headers=mine).json()["items"] == []
