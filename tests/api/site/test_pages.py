"""Every page with something on it: well-formed, labelled, escaped, and for those alone who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from skylift.api.site.kinds import KINDS
from skylift.api.site.values import path_of
from tests.api.office.conftest import Town
from tests.api.site.conftest import Browser, House, Page, log_in, make_town
from tests.api.site.filled import Filled, fill

# What a page must never repeat as it is: in an element, in an attribute, in a link.
CANARY = '<script>alert("x")</script>\'">&{{7*191919}}'
RAW = ("<script", 'alert("x")', "'\">", "1343433")
LISTS = [path_of(kind) for kind in KINDS]
# Which of the things that were made has a page of its own.
PATHS = {
    "region": "regions", "closed-region": "regions", "plan": "plans", "account": "accounts",
    "terminal": "terminals", "lost": "terminals", "new": "terminals", "request": "requests",
    "household": "requests", "shipment": "shipments", "draft": "shipments", "statement": "statements",
    "approval": "approvals", "authority": "persons", "known-authority": "authorities",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Filled]]:
    """One store for all tests that only look."""
    made = make_town(tmp_path_factory.mktemp("filled"))
    town = next(made)
    operator = town.first()
    approver = town.person("approver", by=operator)
    things = fill(town, operator, approver, CANARY)
    browsers = log_in(town, "first@example.org"), log_in(town, f"{approver.id}@example.org")
    yield House(town, *browsers, {"operator": operator, "approver": approver}), things
    next(made, None)


def well_made(page: Page) -> None:
    """As every page has to be."""
    assert page.status == 200, page.text
    read = page.read
    assert read.problems == []
    assert read.open == []
    assert "script" not in read.tags
    assert len(read.ids) == len(set(read.ids)), "an id stands twice"
    levels = [level for level, _ in read.headings]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), read.headings
    for name in read.unlabelled:
        assert name.startswith("#"), f"{name} has no label"
        assert name[1:] in read.labels, f"{name} has no label"
    for form in read.forms:
        assert form.method == "get" or "form_token" in form.names, form.action
    for href, text in read.links:
        assert text, f"a link to {href} says nothing"
        assert href.startswith(("/", "?", "#")), href
    for found in re.findall(r'(?:src|href|action)="([^"]*)"', page.html):
        assert re.match(r"/(?!/)|[?#]", found), found


def test_pages_are_well_made_and_loaded_from_here_alone(filled: tuple[House, Filled]) -> None:
    house, things = filled
    paths = [f"/{plural}/{things.ids[name]}" for name, plural in PATHS.items()]
    new = [f"{path}/new" for path in LISTS if not path.startswith(("/approvals", "/persons"))]
    same = f"/requests/{things.ids['request']}/same-as/{things.ids['same']}"
    for path in ["/start", "/me", "/requests/triage", same, *LISTS, *paths]:
        for browser in (house.operator, house.approver):
            page = browser.open(path)
            well_made(page)
            assert page.url.endswith(path)
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert page.headers["cache-control"] == "no-store"
            assert not any(raw in page.html for raw in RAW), path
            assert "CANARY" not in page.html, f"{path} shows a name to nobody in particular"
    for path in new:
        well_made(house.operator.open(path))
    for path in ("/login", "/setup?code=x", "/setup"):
        well_made(Browser(house.town).open(path))


def test_what_is_free_text_is_shown_escaped(filled: tuple[House, Filled]) -> None:
    house, things = filled
    region = house.operator.open(f"/regions/{things.ids['region']}")
    assert region.title == f"Ukraine {CANARY}"
    assert "&lt;script&gt;" in region.html
    request = house.operator.open(f"/requests/{things.ids['request']}")
    assert "Vouched for by MINISTRY" in request.text
    known = house.operator.open(f"/authorities/{things.ids['known-authority']}")
    assert known.title == f"Ministry of Health {CANARY}"
    assert f"moz.gov.ua {CANARY}" in known.text
    found = house.operator.open(f"/requests?q={CANARY.replace('&', '%26')}")
    well_made(found)
    assert found.form("").fields["q"] == [CANARY]
    assert "Nothing fits" in found.text


def test_names_are_shown_to_who_may_see_them_and_that_is_journalled(filled: tuple[House, Filled]) -> None:
    house, things = filled
    path = f"/requests/{things.ids['request']}"
    auditor = house.town.person("auditor", by=house.people["operator"], approver=house.people["approver"])
    reads = log_in(house.town, f"{auditor.id}@example.org")
    before = reads.open(path).text.count("Personal read")
    page = house.operator.send(house.operator.open(path), "/personal")
    well_made(page)
    assert f"CANARY Asker {CANARY}" in page.text
    assert not any(raw in page.html for raw in RAW)
    assert reads.open(path).text.count("Personal read") == before + 1
    # Neither what was read nor who has no right to it is told of it.
    assert "CANARY" not in reads.open(path).html
    assert not house.approver.open(path).has_form("/personal")
    forged = house.approver.post(f"{path}/personal", {"form_token": token(house.approver)})
    assert forged.status == 403
    assert "CANARY" not in forged.html


def token(browser: Browser) -> str:
    return browser.open("/start").form("/logout").fields["form_token"][0]


def test_lists_are_searched_filtered_and_turned_page_by_page(filled: tuple[House, Filled]) -> None:
    house, things = filled
    for _ in range(30):
        house.people["operator"].made("requests", channel="phone", site_kind="school")
    operator = house.operator
    seen: list[str] = []
    page = operator.open("/requests?q=school")
    while True:
        seen += [href for href, _ in page.read.links if href.startswith("/requests/req_")]
        following = [href for href, text in page.read.links if text == "Next page"]
        if not following:
            break
        page = operator.open(following[0])
        well_made(page)
        assert any(text == "First page" for _, text in page.read.links)
    assert len(seen) == len(set(seen)) == 30
    page = operator.send(operator.open("/requests"), "", q="hospital", status="accepted")
    links = [href for href, _ in page.read.links if href.startswith("/requests/req_")]
    assert links == [f"/requests/{things.ids['request']}"]
    assert operator.open("/requests?cursor=%21").status == 400
    assert operator.open(f"/terminals?owner={things.ids['account']}").text.count("KIT000") == 2


def test_triage_says_what_each_score_is_made_of(filled: tuple[House, Filled]) -> None:
    house, things = filled
    page = house.operator.open("/requests/triage")
    order = [href for href, _ in page.read.links if href.startswith("/requests/req_")]
    # A utility for 40,000 people: 30 for its kind, 20 for the people, and something for waiting.
    assert order[0] == f"/requests/{things.ids['utility']}"
    assert "Kind of site: utility" in page.text
    assert "People served: 40,000" in page.text
    assert "What is left of the internet there: not known" in page.text


def test_duplicates_are_seen_side_by_side_and_merged_by_a_person(town: Town) -> None:
    operator, browser = town.first(), None
    call = {
        "channel": "phone",
        "site_kind": "hospital",
        "contact": "+380 44 111",
        "site": "Hospital of the town",
    }
    first, second = (operator.made("requests", **call)["id"] for _ in range(2))
    browser = log_in(town, "first@example.org")
    page = browser.open(f"/requests/{first}")
    assert "the same contact" in page.text
    assert "380" not in page.text, "what is alike is said, not what it is"
    beside = next(href for href, text in page.read.links if text == "See both side by side")
    page = browser.open(beside)
    well_made(page)
    done = browser.send(page, f"/requests/{second}/merge")
    assert done.url.endswith(f"/requests/{second}?done=request.merge")
    assert "Part of another call" in done.text
    assert operator.get(f"requests/{second}").json()["merged_into"] == first


def test_a_terminal_says_whether_it_may_be_served_and_what_would_change_it(
    filled: tuple[House, Filled],
) -> None:
    house, things = filled
    page = house.operator.open(f"/terminals/{things.ids['terminal']}")
    assert re.search(r"May it be served\? Yes", page.text)
    assert "On, confirmed" in page.text
    page = house.operator.open(f"/terminals/{things.ids['lost']}")
    assert "terminal.cut-off" in page.text
    assert "What would change it: it is lost: have it found or released" in page.text
    assert "Not confirmed: not in force" in page.text
    page = house.operator.send(page, "", cell="851e5237fffffff")
    assert "terminal.away-from-home" in page.text


def test_a_region_shows_its_licence_chain_and_what_runs_out(filled: tuple[House, Filled]) -> None:
    house, things = filled
    page = house.operator.open(f"/regions/{things.ids['region']}")
    assert "Its papers allow service until 2022-03-26 12:00 UTC" in page.text
    assert re.search(r"Spectrum Runs out soon NCEC", page.text)
    assert re.search(r"Landing right Not granted", page.text)
    lacking = house.operator.open(f"/regions/{things.ids['closed-region']}")
    assert "Service lacks: landing right, spectrum" in lacking.text


def test_another_tenants_things_are_as_if_there_were_none(filled: tuple[House, Filled]) -> None:
    house, things = filled
    operator, approver = house.people["operator"], house.people["approver"]
    stranger = house.town.person(
        "subscriber", by=operator, approver=approver, account=things.ids["other-account"]
    )
    browser = log_in(house.town, f"{stranger.id}@example.org")
    theirs = token(browser)
    for name, plural in PATHS.items():
        path = f"/{plural}/{things.ids[name]}"
        page = browser.open(path)
        assert page.status == 404, path
        assert page.text == browser.open(f"/{plural}/{things.ids[name][:4]}nobody").text
        for action in (
            "acknowledge",
            "activate",
            "block",
            "receive",
            "personal",
            "erase",
            "agree",
            "carry-out",
        ):
            tried = browser.post(f"{path}/{action}", {"form_token": theirs, "sure": "on"})
            assert tried.status == 404, (path, action, tried.text)
    assert browser.open("/terminals").text.count("KIT000") == 0
    assert browser.open("/persons").status == 403
    own = house.town.person("subscriber", by=operator, approver=approver, account=things.ids["account"])
    mine = log_in(house.town, f"{own.id}@example.org")
    page = mine.open(f"/terminals/{things.ids['terminal']}")
    assert page.status == 200
    assert page.has_form("/report-lost")
    assert not page.has_form("/block")


def test_nothing_is_there_in_words(filled: tuple[House, Filled]) -> None:
    house, _ = filled
    for path in ("/requests/req_none", "/requests/%3Cscript%3E", f"/regions/{'x' * 300}"):
        page = house.operator.open(path)
        assert (page.status, page.title) == (404, "There is nothing here")
        assert "<script" not in page.html


def test_the_address_of_a_form_leads_to_its_thing(filled: tuple[House, Filled]) -> None:
    """After a refusal it stands in the browser's address bar, and somebody reads it again."""
    house, things = filled
    region = f"/regions/{things.ids['region']}"
    for action in ("cells", "personal", "erase"):
        page = house.operator.open(f"{region}/{action}", follow=False)
        assert (page.status, page.headers["location"]) == (303, region)
    assert house.operator.open(f"{region}/nonsense").status == 404
    assert (
        Browser(house.town)
        .open(f"{region}/cells")
        .url.endswith(f"/login?next={region.replace('/', '%2F')}%2Fcells")
    )


def test_a_browser_that_is_lost_sees_a_page(filled: tuple[House, Filled]) -> None:
    house, _ = filled
    for visitor in (house.operator, Browser(house.town)):
        page = visitor.open("/people", accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert (page.status, page.title) == (404, "There is nothing here")
        assert "problem+json" not in page.headers["content-type"]
    said = house.operator.open("/people", accept="*/*")
    assert "problem+json" in said.headers["content-type"]
    said = house.operator.open("/api/v1/nothing", accept="text/html")
    assert "problem+json" in said.headers["content-type"]


def test_history_tells_instants_as_times_and_codes_as_words(filled: tuple[House, Filled]) -> None:
    house, things = filled
    for name, plural in PATHS.items():
        text = house.operator.open(f"/{plural}/{things.ids[name]}").text
        # Microseconds since 1970 of these years, with or without commas.
        assert not re.search(r"1,?6[0-9]{2},?[0-9]{3},?[0-9]{3},?[0-9]{3},?[0-9]{3}", text), name
        assert "{'" not in text, name
