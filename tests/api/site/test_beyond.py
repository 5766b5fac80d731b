"""Beyond loopback: TLS, a login before all, and the session's cookie for what only tells."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from skylift.adapters.clock import SimulatedClock
from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.api.app import create_app
from skylift.api.office.desk import Desk
from skylift.api.office.logins import make_setup_code
from skylift.api.state import LiveState
from skylift.service.rooms import ROOMS
from tests.api.office.conftest import PASSWORD, START_US, Town
from tests.api.site.conftest import Browser

BASE = "https://sky.example.org"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Somebody before a service that listens to the world; its first operator is set up."""
    clock, leap = SimulatedClock(START_US).leaping()
    desk = Desk(open_store(sqlite_url(tmp_path), ROOMS), clock, leap)
    asyncio.run(make_setup_code(desk))
    state = LiveState(clock)
    # Streams end at once: nothing more comes.
    state.close()
    with TestClient(create_app(state, desk, open_sky=False), base_url=BASE) as client:
        town = Town(desk, client)
        town.first()
        yield Browser(town, BASE)
    desk.close()


def test_the_sky_is_for_who_has_logged_in(browser: Browser) -> None:
    for path in ("/", "/sky"):
        assert browser.open(path, follow=False).headers["location"].startswith("/login")
    for path in ("about", "links", "live", "terminals"):
        assert browser.open(f"/api/v1/{path}").status == 401
    assert browser.open("/static/site.css").status == 200, "the login itself has to look like something"
    login = {"email": "first@example.org", "password": PASSWORD}
    page = browser.send(browser.open("/login"), "/login", **login)
    assert page.url.endswith("/start")
    cookie = next(c for c in browser.client.cookies.jar if c.name == "__Host-skylift_session")
    assert (cookie.secure, cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == (True, "/", True)
    assert "Which satellite each terminal talks to" in browser.open("/").text
    live = browser.open("/api/v1/live")
    assert (live.status, live.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    # There is no sky in this test; that is told to those alone who may ask for it.
    for path in ("about", "links", "terminals"):
        assert browser.open(f"/api/v1/{path}").status == 503
    browser.send(browser.open("/start"), "/logout")
    assert browser.open("/api/v1/live").status == 401
    assert browser.open("/", follow=False).status == 303


def test_what_changes_anything_or_is_personal_does_not_take_the_cookie(browser: Browser) -> None:
    login = {"email": "first@example.org", "password": PASSWORD}
    browser.send(browser.open("/login"), "/login", **login)
    assert browser.client.post("/api/v1/requests", json={}).status_code == 401
    assert browser.client.get("/api/v1/me").status_code == 401
    assert browser.client.delete("/api/v1/tokens/tok_1").status_code == 401


def test_a_forged_origin_is_seen_beyond_loopback_too(browser: Browser) -> None:
    page = browser.open("/login")
    fields = {name: values[-1] for name, values in page.form("/login").fields.items()}
    fields |= {"email": "first@example.org", "password": PASSWORD}
    for headers in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Sec_Fetch_Site": "same-site"}):
        assert browser.post("/login", fields, **headers).status == 403
    assert browser.post("/login", fields).status == 200
