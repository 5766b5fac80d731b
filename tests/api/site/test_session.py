"""Logging in by the pages: cookies, codes, invitations; forms that this service did not give are refused."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pyotp
import pytest

from skylift.adapters.clock import WallClock
from tests.api.office.conftest import PASSWORD, Town
from tests.api.site.conftest import Browser, House, log_in


def cookie_of(browser: Browser, name: str = "skylift_session_8480") -> str:
    return next((c.value or "" for c in browser.client.cookies.jar if c.name == name), "")


def test_the_setup_address_opens_in_a_browser_and_makes_the_first_operator(town: Town) -> None:
    browser = Browser(town)
    address = f"/setup?code={town.desk.setup_code}"
    page = browser.open(address)
    assert (page.status, page.title) == (200, "Become the first operator")
    assert town.desk.setup_code not in page.html, "a code stands in no page"
    wrong = {"email": "first@example.org", "password": PASSWORD, "again": "another"}
    again = browser.send(page, "", **wrong)
    assert again.status == 422
    assert "the second password: it is not the same" in again.text
    assert PASSWORD not in again.html
    short = browser.send(page, "", email="first@example.org", password="short", again="short")
    assert short.status == 422
    assert "the password: it has 12" in short.text
    page = browser.send(page, "", **{**wrong, "again": PASSWORD})
    assert urlsplit(page.url).path == "/me"
    assert "Operator" in page.text or "operator" in page.text
    assert browser.open("/start").status == 200
    used = Browser(town)
    gone = used.send(used.open(address), "", email="b@example.org", password=PASSWORD, again=PASSWORD)
    assert gone.status == 401
    assert "the code: it does not fit" in gone.text


def test_a_session_is_a_cookie_that_no_script_and_no_other_site_has(town: Town) -> None:
    town.first()
    browser = Browser(town)
    page = browser.send(browser.open("/login"), "/login", False, email="first@example.org", password=PASSWORD)
    assert page.status == 303
    said = [value for name, value in page.headers.multi_items() if name == "set-cookie"]
    session = next(value for value in said if value.startswith("skylift_session_8480="))
    assert "HttpOnly" in session
    assert "SameSite=strict" in session
    assert "Path=/" in session
    assert "Secure" not in session, "over plain HTTP on loopback a browser would not keep it"
    assert cookie_of(browser) not in browser.open("/me").html
    before = cookie_of(browser)
    page = browser.send(browser.open("/start"), "/logout")
    assert page.title == "Log in"
    assert cookie_of(browser) == ""
    stolen = Browser(town)
    stolen.client.cookies.set("skylift_session_8480", before)
    assert stolen.open("/start").title == "Log in", "the token itself is revoked"


def test_who_has_not_logged_in_is_sent_to_do_so_and_then_on(town: Town) -> None:
    town.first()
    browser = Browser(town)
    page = browser.open("/requests?status=received")
    assert page.title == "Log in"
    page = browser.send(page, "/login", email="first@example.org", password=PASSWORD)
    assert page.url.endswith("/requests?status=received")
    for elsewhere in (
        "https://example.org/",
        "//example.org",
        "/\\example.org",
        "javascript:alert(1)",
        "/x\ny",
    ):
        other = Browser(town)
        page = other.open("/login")
        sent = other.post(f"/login?next={quote(elsewhere)}", {
            **{name: values[-1] for name, values in page.form("/login").fields.items()},
            "email": "first@example.org", "password": PASSWORD,
        }, follow=False)  # fmt: skip
        assert sent.headers["location"] == "/start"


def test_a_wrong_login_is_refused_and_guessing_runs_out(town: Town) -> None:
    town.first()
    browser = Browser(town)
    said = []
    for attempt in range(12):
        page = browser.send(
            browser.open("/login"), "/login", email="first@example.org", password=f"wrong {attempt}"
        )
        said.append(page.status)
        assert page.form("/login").fields["email"] == ["first@example.org"]
        assert "wrong" not in page.html
    assert said == [401] * 10 + [429] * 2


def test_one_time_codes_are_set_up_and_asked_for(town: Town) -> None:
    town.first()
    browser = log_in(town, "first@example.org")
    page = browser.open("/me")
    asks = next(form for form in page.read.forms if form.fields.get("do") == ["totp"])
    fields = {name: values[-1] for name, values in asks.fields.items()}
    assert browser.post("/me", {**fields, "password": "wrong horse battery"}).status == 401
    page = browser.post("/me", {**fields, "password": PASSWORD})
    secret = page.html.partition('<code class="secret">')[2].partition("<")[0]
    assert secret not in browser.open("/me").html, "it is shown once"
    now_s = WallClock().now() // 1_000_000
    confirms = next(form for form in page.read.forms if form.fields.get("do") == ["confirm"])
    fields = {name: values[-1] for name, values in confirms.fields.items()}
    assert "does not fit" in browser.post("/me", {**fields, "code": "12345"}).text
    page = browser.post("/me", {**fields, "code": pyotp.TOTP(secret).at(now_s)})
    assert "A login asks for a code" in page.text
    other = Browser(town)
    login = {"email": "first@example.org", "password": PASSWORD}
    page = other.send(other.open("/login"), "/login", **login)
    assert page.status == 401
    assert "give the app's code as well" in page.text
    page = other.send(page, "/login", **login, code=pyotp.TOTP(secret).at(now_s + 30))
    assert page.url.endswith("/start")


def test_a_session_is_ended_from_another(town: Town) -> None:
    town.first()
    here, there = log_in(town, "first@example.org"), log_in(town, "first@example.org")
    page = here.open("/me")
    ends = [form for form in page.read.forms if form.fields.get("do") == ["revoke"]]
    for form in ends:
        page = here.post("/me", {name: values[-1] for name, values in form.fields.items()})
        assert page.url.endswith("/me?done=revoked")
    assert there.open("/start").title == "Log in"
    assert here.open("/start").title == "Start"


@pytest.mark.parametrize(
    "headers", [{}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://localhost:9999"}]
)
def test_a_form_of_another_site_does_nothing(house: House, headers: dict[str, str]) -> None:
    operator = house.operator
    request = house.people["operator"].made("requests", channel="phone", site_kind="hospital")["id"]
    page = operator.open(f"/requests/{request}")
    fields = {name: values[-1] for name, values in page.form("/acknowledge").fields.items()}
    if not headers:
        del fields["form_token"]
    head = house.town.desk.store.head()
    for sent in (fields, {**fields, "form_token": "0" * 64}) if not headers else (fields,):
        refused = operator.post(f"/requests/{request}/acknowledge", sent, **headers)
        assert (refused.status, refused.title) == (403, "Not allowed")
    # The token of another person's session is not this one's.
    theirs = house.approver.open("/start").form("/logout").fields["form_token"][0]
    assert operator.post(f"/requests/{request}/acknowledge", {**fields, "form_token": theirs}).status == 403
    assert house.town.desk.store.head() == head
    assert operator.send(page, "/acknowledge").status == 200


def test_every_form_that_is_sent_needs_its_token(house: House) -> None:
    from skylift.api.site.routes import add_site  # noqa: F401

    posts = {
        route.path
        for route in house.town.client.app.routes  # type: ignore[attr-defined]
        if "POST" in (getattr(route, "methods", None) or ()) and not route.path.startswith("/api/")
    }
    assert len(posts) > 30
    head = house.town.desk.store.head()
    for path in sorted(posts):
        concrete = path.replace("{id}", "req_x").replace("{action}", "close").replace("{other}", "req_y")
        assert house.operator.post(concrete, {"email": "x"}).status == 403, path
    assert house.town.desk.store.head() == head


def test_an_invitation_is_an_address_that_works_once(house: House) -> None:
    operator = house.operator
    page = operator.send(operator.open("/persons/new"), "/persons/new", name="CANARY Somebody")
    person = urlsplit(page.url).path
    page = operator.send(page, "/grant", role="viewer")
    assert "It waits for a second person" in page.text
    page = operator.send(operator.open(person), "/invite")
    address = page.html.partition('<code class="secret">')[2].partition("<")[0]
    assert address not in operator.open(person).html
    new = Browser(house.town)
    parts = urlsplit(address)
    page = new.open(f"{parts.path}?{parts.query}")
    assert page.title == "Set your login"
    page = new.send(page, "", email="new@example.org", password=PASSWORD, again=PASSWORD)
    assert urlsplit(page.url).path == "/me"
    again = Browser(house.town)
    page = again.send(
        again.open(f"{parts.path}?{parts.query}"),
        "",
        email="x@example.org",
        password=PASSWORD,
        again=PASSWORD,
    )
    assert page.status == 401


def test_two_services_on_one_machine_keep_their_sessions_apart(town: Town) -> None:
    town.first()
    browser = log_in(town, "first@example.org")
    other = Browser(town, "http://127.0.0.1:9480")
    # As a browser does: cookies know no port.
    other.client.cookies = browser.client.cookies
    assert other.open("/start").title == "Log in"
    other.send(other.open("/login"), "/login", email="first@example.org", password=PASSWORD)
    assert other.open("/start").title == "Start"
    other.send(other.open("/start"), "/logout")
    assert browser.open("/start").title == "Start"
