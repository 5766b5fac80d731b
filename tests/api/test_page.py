"""The page in a real browser, which is told of nothing but the service.

Chromium is spoken to over its debugging pipe, so that no driver and no further library is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed here")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab, driven by Chromium's debugging protocol: NUL-ended JSON over file descriptors 3 and 4."""

    def __init__(self, profile: Path) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # The shell puts the pipes where Chromium looks for them.
        command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._count = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._session: str | None = None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._from, 1 << 16)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        raw, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(raw))

    def _note(self, event: dict[str, Any]) -> None:
        kind, what = event.get("method"), event.get("params", {})
        if kind == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif kind == "Runtime.exceptionThrown" or (
            kind == "Log.entryAdded" and what["entry"]["source"] != "network"
        ):
            self.complaints.append(json.dumps(what))

    def value(self, expression: str) -> Any:
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, patience_s: float = 30.0) -> Any:
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if found := self.value(expression):
                return found
            time.sleep(0.05)
        text = self.value("document.body.innerText")
        raise AssertionError(f"never true: {expression}; {self.complaints}; {text}")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._session = None
            self.do("Browser.close")
        with contextlib.suppress(OSError):
            os.close(self._to)
            os.close(self._from)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    running = Browser(tmp_path / "profile")
    yield running
    running.close()


ROWS = "[...document.querySelectorAll('#links tbody tr')].map(r => r.innerText)"
STATE = "document.getElementById('state-text').textContent"
AS_OF = "document.getElementById('as-of').dateTime"


def test_the_page_follows_the_slots_and_says_when_they_stop(
    browser: Browser, start_service: Any, scenario: Path
) -> None:
    service = start_service("--scenario", str(scenario), "--at", "2023-04-05T06:10:00Z", "--speed", "10")
    service.wait_until_ready()
    browser.do("Page.navigate", url=f"{service.url}/?terminal=uzhhorod")
    first = browser.wait_for(f"{STATE}.startsWith('Live') && {AS_OF}")
    browser.wait_for("document.querySelectorAll('#map .land').length === 1")
    browser.wait_for("document.querySelectorAll('#sky .satellite').length > 3")
    browser.wait_for("document.querySelectorAll('#map .terminal').length === 4")
    second = browser.wait_for(f"{AS_OF} !== '{first}' && {AS_OF}")

    # Both in one breath, since a slot passes in one and a half seconds.
    as_of, rows = browser.value(f"[{AS_OF}, {ROWS}]")
    shown = service.get(f"/api/v1/links?at={as_of}").json()["links"]
    assert as_of >= second
    for link, row in zip(shown, rows, strict=True):
        assert link["terminal"] in row
        assert link["why_down"] is not None or str(link["satellite"]) in row
    assert browser.value("document.getElementById('whose').value") == "uzhhorod"
    assert any("Service is not switched on here" in row for row in rows)
    assert browser.requests
    assert all(url.startswith((service.url, "data:")) for url in browser.requests if url != "about:blank")
    assert browser.complaints == []

    service.process.terminate()
    service.process.wait(10)
    browser.wait_for(f"{STATE} === 'Connection lost'")
    assert "What is shown is of" in browser.value("document.getElementById('notice').innerText")


def test_rates_stand_in_the_table_where_the_scenario_has_them(
    browser: Browser, start_service: Any, scenario: Path, tmp_path: Path
) -> None:
    note = "document.getElementById('rates-note').textContent"
    with_rates = tmp_path / "rates.toml"
    with_rates.write_text(scenario.read_text() + "\n[capacity]\n")
    for path, says in ((scenario, "not modelled"), (with_rates, "arrives")):
        service = start_service("--scenario", str(path), "--at", "2023-04-05T06:10:00Z")
        service.wait_until_ready()
        browser.do("Page.navigate", url=service.url)
        as_of = browser.wait_for(f"{STATE}.startsWith('Live') && {AS_OF}")
        rows = browser.wait_for(f"document.querySelectorAll('#links tbody tr').length && {ROWS}")
        shown = service.get(f"/api/v1/links?at={as_of}").json()["links"]
        up = [(link, row) for link, row in zip(shown, rows, strict=True) if link["why_down"] is None]
        assert up
        for link, row in up:
            down_bps = link["down_bps"]
            assert (down_bps is None) == (path == scenario)
            assert (" / " in row) == (path == with_rates)
            assert down_bps is None or f"{down_bps / 1e6:.1f} / {link['up_bps'] / 1e6:.1f}" in row
        assert says in browser.value(note)


def test_at_no_width_does_anything_stick_out(browser: Browser, service: Any) -> None:
    browser.do("Page.navigate", url=service.url)
    browser.wait_for(f"{STATE}.startsWith('Live')")
    browser.wait_for("document.querySelectorAll('#sky .satellite').length > 3")
    # A handover has the longest words of a row.
    browser.wait_for("document.querySelector('.badge.handover') !== null")
    for width in (320, 360, 480, 800, 959, 961, 1000, 1119, 1121, 1600):
        browser.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=740,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
