"""The pages in a real browser with scripts switched off: by keyboard, at every width, light and dark."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.api.office.conftest import PASSWORD, Town
from tests.api.site.conftest import make_town
from tests.api.site.filled import Filled, fill
from tests.api.test_page import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed here")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Town, Filled]]:
    """The filled store behind a socket: a browser asks no test client."""
    made = make_town(tmp_path_factory.mktemp("browsed"))
    town = next(made)
    operator = town.first()
    things = fill(town, operator, town.person("approver", by=operator))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(town.client.app, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", town, things
    server.should_exit = True
    thread.join(10)
    next(made, None)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    running = Browser(tmp_path / "profile")
    # Nothing here may need a script.
    running.do("Emulation.setScriptExecutionDisabled", value=True)
    yield running
    running.close()
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


def opened(browser: Browser, url: str) -> None:
    browser.do("Page.navigate", url=url)
    path = url.partition("://")[2].partition("/")[2]
    browser.wait_for(f"document.readyState === 'complete' && location.pathname === '/{path}'")


def typed(browser: Browser, selector: str, text: str) -> None:
    """As by keyboard: a script of the page could not, they are switched off."""
    browser.value(f"document.querySelector({selector!r}).focus()")
    browser.do("Input.insertText", text=text)


def pressed(browser: Browser, selector: str) -> None:
    browser.value(f"document.querySelector({selector!r}).focus()")
    for kind in ("keyDown", "keyUp"):
        browser.do(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            text="\r",
        )


def test_from_the_login_to_a_form_by_keyboard_without_a_script(
    browser: Browser, served: tuple[str, Town, Filled]
) -> None:
    url, town, things = served
    opened(browser, f"{url}/login")
    typed(browser, "#email", "first@example.org")
    typed(browser, "#password", PASSWORD)
    pressed(browser, "main form button")
    browser.wait_for("location.pathname === '/start'")
    request = things.ids["household"]
    opened(browser, f"{url}/requests/{request}")
    pressed(browser, f"form[action='/requests/{request}/acknowledge'] button")
    browser.wait_for("location.search === '?done=request.acknowledge'")
    browser.wait_for("(document.querySelector('.state') || {}).innerText === 'Read, asker told'")
    with town.desk.store.reading() as reader:
        from skylift.service.request.state import ROOM

        stored = reader.get(ROOM, request)
    assert stored is not None
    assert stored.thing.state.value == "acknowledged"
    assert all(one.startswith(url) for one in browser.requests if one != "about:blank")
    # A skip link is the first thing that the keyboard reaches.
    opened(browser, f"{url}/requests")
    for kind in ("keyDown", "keyUp"):
        browser.do("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.value("document.activeElement.className") == "skip"
    assert [one for one in browser.complaints if "Content Security" in one or "exception" in one] == []


def test_at_no_width_does_anything_stick_out(browser: Browser, served: tuple[str, Town, Filled]) -> None:
    url, _, things = served
    opened(browser, f"{url}/login")
    typed(browser, "#email", "first@example.org")
    typed(browser, "#password", PASSWORD)
    pressed(browser, "main form button")
    browser.wait_for("location.pathname === '/start'")
    paths = [
        "start", "me", "requests", "requests/new", "requests/triage", "terminals", "shipments", "approvals",
        f"requests/{things.ids['request']}", f"requests/{things.ids['request']}/same-as/{things.ids['same']}",
        f"regions/{things.ids['region']}", f"terminals/{things.ids['lost']}",
        f"shipments/{things.ids['shipment']}", f"approvals/{things.ids['approval']}",
    ]  # fmt: skip
    for path in paths:
        opened(browser, f"{url}/{path}")
        for width in (320, 360, 700, 900, 1000, 1400):
            browser.do(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=740,
                deviceScaleFactor=1,
                mobile=width < 500,
            )
            # All forms unfolded: what is folded away has no width.
            browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
            wide = browser.value("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide at {width}"


def test_what_somebody_wrote_turns_no_other_words(browser: Browser, served: tuple[str, Town, Filled]) -> None:
    """A title may hold U+202E, which lets all that follows run from right to left: within itself alone."""
    url, _, things = served
    opened(browser, f"{url}/login")
    typed(browser, "#email", "first@example.org")
    typed(browser, "#password", PASSWORD)
    pressed(browser, "main form button")
    browser.wait_for("location.pathname === '/start'")
    opened(browser, f"{url}/regions")
    link = f"document.querySelector('a[href=\"/regions/{things.ids['region']}\"]')"
    assert browser.value(f"getComputedStyle({link}).unicodeBidi") == "isolate"


def test_words_stand_out_from_their_ground(browser: Browser, served: tuple[str, Town, Filled]) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 at least, in the light and in the dark."""
    url, _, things = served
    opened(browser, f"{url}/login")
    typed(browser, "#email", "first@example.org")
    typed(browser, "#password", PASSWORD)
    pressed(browser, "main form button")
    browser.wait_for("location.pathname === '/start'")
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.do("Emulation.setEmulatedMedia", features=[feature])
        for path in ("start", f"requests/{things.ids['request']}", f"regions/{things.ids['region']}"):
            opened(browser, f"{url}/{path}")
            browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
            assert browser.value(FAINT) == [], (scheme, path)


# The words whose colour is too near to that of the nearest ground behind them.
FAINT = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const of = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * of[0] + 0.7152 * of[1] + 0.0722 * of[2];
  };
  const ground = node => {
    for (; node; node = node.parentElement) {
      const found = parts(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length || node.closest(".skip, .hidden, option, meter")) continue;
    const a = light(parts(getComputedStyle(node).color)), b = light(ground(node));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const words = node.textContent.trim().slice(0, 30);
    if (contrast < 4.5) faint.push([node.tagName, node.className, words, contrast]);
  }
  return faint;
})()
"""
