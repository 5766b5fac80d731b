"""Outages on people's pages: found in a list, read in plain words, confirmed, explained, held, merged."""

from __future__ import annotations

from typing import Any

from skylift.api.site.fields import claim_line, read_form
from skylift.base.instants import parse_instant
from skylift.service.outage.events import Claim
from skylift.twin.office.table import TABLE
from tests.api.office.conftest import CELLS
from tests.api.site.conftest import Browser, House
from tests.api.site.test_pages import well_made

MINUTE_US = 60_000_000
LEVEL = {"fraction": 0.18, "low": 0.15, "high": 0.21, "signals": ["bgp"], "targets": 400}
NETWORK = {"kind": "as", "code": "AS64500", "title": "Example <Telecom>", "country": "UA"}


def record(house: House, **other: Any) -> str:
    body = {
        "entity": NETWORK, "began_at": "2022-02-26T03:10:00Z", "confirmed_at": "2022-02-26T03:20:00Z",
        "level": LEVEL, **other,
    }  # fmt: skip
    return str(house.people["operator"].made("outages", **body)["id"])


def opened(browser: Browser, path: str) -> Any:
    page = browser.open(path)
    well_made(page)
    return page


def test_a_list_says_how_far_each_fell_and_what_the_public_sees(house: House) -> None:
    record(house)
    record(house, entity={**NETWORK, "kind": "cell", "code": CELLS[0], "title": "A cell"})
    house.town.desk.advance(20 * MINUTE_US)  # type: ignore[misc]
    record(house, entity={**NETWORK, "code": "AS64501"}, synthetic=True)
    page = opened(house.operator, "/outages")
    assert "18 % (15-21), critical" in page.text
    assert "Never sees it" in page.text
    assert "Sees it in 10 min" in page.text
    assert "Sees it in 30 min" in page.text
    assert "[synthetic]" in page.text
    assert any(href == "/outages" for href, _ in house.operator.open("/start").read.links)


def test_from_a_form_to_a_confirmed_and_explained_outage(house: House) -> None:
    operator = house.operator
    typed = {
        "entity.kind": "as", "entity.code": "AS64500", "entity.title": "Example Telecom",
        "entity.title_uk": "Приклад", "began_at": "2022-02-26T03:10", "confirmed_at": "2022-02-26T03:20",
        "level.fraction": "0,18", "level.low": "0.15", "level.high": "0.21", "level.targets": "400",
        "level.signals": "ping-slash24 bgp", "level.baseline": "ordinary",
    }  # fmt: skip
    page = operator.send(opened(operator, "/outages/new"), "/new", **typed)
    well_made(page)
    assert "fell to 18 % (15-21) of ordinary levels at 03:10 UTC" in page.text
    assert "впала до 18 % (15-21) звичайного рівня" in page.text
    assert "meter" in page.read.tags
    assert "Nobody yet" in page.text
    page = operator.send(page, "/confirm")
    assert "Nobody yet" not in page.text
    assert not page.has_form("/confirm")
    bad = operator.send(page, "/explain", cause="cyber-attack", claims="Example News, http://a.example")
    assert "row 1 is not" in bad.text
    unsourced = operator.send(page, "/explain", cause="cyber-attack", claims="")
    assert "only as what a source says" in unsourced.text
    source = "Example News, https://example.org/a,b, 2022-02-26T04:00"
    page = operator.send(page, "/explain", cause="cyber-attack", claims=source)
    well_made(page)
    assert "Sources attribute it to a cyber-attack (Example News)" in page.text
    assert "https://example.org/a,b, 2022-02-26 04:00 UTC" in page.text
    [kept] = page.form("/explain").fields["claims"]
    assert kept == "Example News, https://example.org/a,b, 2022-02-26T04:00:00Z"


def test_what_is_held_says_so_and_is_let_go_again(house: House) -> None:
    path = f"/outages/{record(house)}"
    assert "The public does not read this now" in opened(house.operator, path).text
    house.town.desk.advance(30 * MINUTE_US)  # type: ignore[misc]
    page = opened(house.operator, path)
    assert "The public reads this at its own page" in page.text
    assert not page.has_form("/release")
    page = house.operator.send(page, "/hold", reason="people are still leaving")
    assert "Held back" in page.text
    assert "The public does not read this now" in page.text
    assert not page.has_form("/hold")
    page = house.operator.send(page, "/release")
    assert "The public reads this" in page.text


def test_it_is_merged_into_an_outage_and_no_request(house: House) -> None:
    house.people["operator"].made("requests", channel="phone", site_kind="hospital")
    stays = record(house, entity={**NETWORK, "code": "UA", "kind": "country", "title": "Ukraine"})
    path = f"/outages/{record(house)}"
    page = opened(house.operator, path)
    assert stays in page.html
    assert "req_" not in page.html
    page = house.operator.send(page, "/merge", into=stays)
    well_made(page)
    assert "Part of another" in page.text
    assert not page.has_form("/merge")


def test_a_source_is_typed_as_it_is_shown() -> None:
    claim = Claim("The Times; of Nowhere", "https://a.example/x?y=1,2", parse_instant("2022-02-26T04:00:00Z"))
    verb = TABLE.verbs["outage.explain"]
    found, errors = read_form(verb, {"cause": ["power"], "claims": [f"\n{claim_line(claim)}\n"]})
    assert errors == {}
    assert found["claims"] == [
        {"publisher": claim.publisher, "url": claim.url, "published_at": claim.published_at}
    ]
