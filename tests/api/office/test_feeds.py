"""Feeds that strangers read: by another parser, in both languages, and no more often than they change."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as Xml

import feedparser
import httpx
import pytest

from skylift.api.office import feeds
from skylift.api.office.desk import Public
from tests.api.office.conftest import CELLS, Person, Town
from tests.api.office.test_story import activated_region

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(autouse=True)
def _always_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "ANEW_AFTER_S", -1.0)


def said(town: Town, staff: dict[str, Person]) -> tuple[str, str]:
    """A region that is on, and a statement about it; their ids."""
    operator = staff["operator"]
    region, _ = activated_region(town, operator, staff["approver"])
    made = operator.made("statements", kind="service-active", about=region, place_uk="Україна")
    operator.made(f"statements/{made['id']}/publish")
    return region, made["id"]


def get(town: Town, path: str, **headers: str) -> httpx.Response:
    """As anybody: without a token."""
    return town.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Service is active in Ukraine"), ("uk", "Сервіс працює: Україна")]
)
def test_another_parser_reads_the_atom_feed(
    town: Town, staff: dict[str, Person], language: str, words: str
) -> None:
    town.desk.public = Public("https://skylift.example.org", "The operator")
    _, id = said(town, staff)
    response = get(town, f"/feeds/statements.{language}.atom")
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"
    read = feedparser.parse(response.content)
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    assert read.feed.language == language
    assert read.feed.author == "The operator"
    [entry] = read.entries
    assert entry.id == f"urn:skylift:statement:{id}"
    assert entry.link == f"https://skylift.example.org/public/statements/{id}"
    assert words in entry.title
    assert words in entry.content[0].value
    assert entry.updated_parsed[:5] == (2022, 2, 26, 12, 0)
    # RFC 4287, section 4.1: what a feed and an entry must have, each once.
    root = Xml.fromstring(response.content)
    assert [len(root.findall(f"{ATOM}{name}")) for name in ("id", "title", "updated")] == [1, 1, 1]
    [one] = root.findall(f"{ATOM}entry")
    assert [len(one.findall(f"{ATOM}{name}")) for name in ("id", "title", "updated", "content")] == [1] * 4
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self", "alternate"]


def test_the_json_feed_has_what_version_1_1_asks_for(town: Town, staff: dict[str, Person]) -> None:
    _, id = said(town, staff)
    response = get(town, "/feeds/statements.uk.json")
    assert response.headers["content-type"] == "application/feed+json; charset=utf-8"
    feed = response.json()
    # https://www.jsonfeed.org/version/1.1/: required, then what should be there.
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert isinstance(feed["title"], str)
    assert feed["feed_url"].endswith("/feeds/statements.uk.json")
    [item] = feed["items"]
    assert (item["id"], item["url"].endswith(f"/public/statements/{id}")) == (
        f"urn:skylift:statement:{id}",
        True,
    )
    assert "Україна" in item["content_text"]
    assert {type(value) for value in item.values()} <= {str, list}
    assert get(town, item["url"].removeprefix(town.desk.public.url)).status_code == 200


def test_an_empty_feed_is_one(town: Town, staff: dict[str, Person]) -> None:
    first, second = (get(town, "/feeds/statements.en.atom") for _ in range(2))
    assert not feedparser.parse(first.content).bozo
    assert first.content == second.content, "it changes when something is said, and not by being asked for"
    assert get(town, "/feeds/statements.en.json").json()["items"] == []
    assert "Nothing has been published" in get(town, "/public").text


@pytest.mark.parametrize("path", ["/feeds/statements.en.atom", "/feeds/statements.uk.json", "/public"])
def test_what_somebody_has_is_not_sent_again(town: Town, staff: dict[str, Person], path: str) -> None:
    region, _ = said(town, staff)
    first = get(town, path)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    # The clock runs while the town is made.
    assert modified.startswith("Sat, 26 Feb 2022 12:00:")
    assert "max-age" in first.headers["cache-control"]
    for headers in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"other", {etag}'},
        {"If_None_Match": etag.removeprefix("W/")},
        {"If_None_Match": "*"},
        {"If_Modified_Since": modified},
        # A tag goes before a date.
        {"If_None_Match": etag, "If_Modified_Since": "Sat, 26 Feb 2000 12:00:00 GMT"},
    ):
        again = get(town, path, **headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag), headers
    for headers in (
        {"If_None_Match": '"other"'},
        {"If_None_Match": "nonsense"},
        {"If_None_Match": '"other"', "If_Modified_Since": modified},
        {"If_Modified_Since": "Sat, 26 Feb 2022 11:59:59 GMT"},
        {"If_Modified_Since": "yesterday"},
    ):
        assert get(town, path, **headers).status_code == 200, headers
    assert town.client.head(path).headers["etag"] == etag
    town.desk.advance(60_000_000)  # type: ignore[misc]
    made = staff["operator"].made("statements", kind="service-active", about=region, place_uk="Україна")
    assert get(town, path, If_None_Match=etag).status_code == 304, "a draft changes nothing"
    staff["operator"].made(f"statements/{made['id']}/publish")
    after = get(town, path, If_None_Match=etag)
    assert after.status_code == 200
    assert after.headers["last-modified"] > modified


def test_drafts_stay_inside_and_what_was_withdrawn_says_why(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    region, id = said(town, staff)
    draft = operator.made("statements", kind="service-active", about=region, place_uk="Україна")["id"]
    never = operator.made("statements", kind="service-active", about=region, place_uk="Україна")["id"]
    operator.made(f"statements/{never}/withdraw", reason="not needed")
    operator.made(f"statements/{id}/withdraw", reason="the count was wrong")
    for path in ("/feeds/statements.en.atom", "/feeds/statements.en.json", "/public"):
        text = get(town, path).text
        assert id in text
        assert "the count was wrong" in text
        assert draft not in text
        assert never not in text
    assert get(town, f"/public/statements/{id}").status_code == 200
    for hidden in (draft, never, "sta_absent", region, "x" * 500):
        assert get(town, f"/public/statements/{hidden}").status_code == 404


def test_nothing_personal_is_told_to_the_public(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    said(town, staff)
    operator.made("requests", channel="phone", site_kind="hospital", asker="CANARY", words="CANARY")
    operator.made("accounts", holder="company", country="UA", name="CANARY", address="CANARY")
    for path in ("/feeds/statements.en.atom", "/feeds/statements.uk.json", "/public"):
        text = get(town, path).text
        assert "CANARY" not in text
        assert operator.id not in text
        assert CELLS[0] not in text


def test_a_page_is_made_safe_of_what_it_shows(town: Town, staff: dict[str, Person]) -> None:
    operator, approver = staff["operator"], staff["approver"]
    region, _ = activated_region(town, operator, approver)
    made = operator.made("statements", kind="service-active", about=region, place_uk="Україна")
    operator.made(f"statements/{made['id']}/publish")
    operator.made(f"statements/{made['id']}/withdraw", reason="<script>alert(1)</script> & more")
    for path in ("/public", f"/public/statements/{made['id']}"):
        text = get(town, path).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
    assert not feedparser.parse(get(town, "/feeds/statements.en.atom").content).bozo
    assert "script-src 'self'" in get(town, "/public").headers["content-security-policy"]


def test_the_feeds_stand_in_openapi(town: Town) -> None:
    paths: dict[str, Any] = town.client.get("/openapi.json").json()["paths"]
    for language in ("en", "uk"):
        for form, media in (("atom", "application/atom+xml"), ("json", "application/feed+json")):
            operation = paths[f"/feeds/statements.{language}.{form}"]["get"]
            assert media in operation["responses"]["200"]["content"]
            assert "304" in operation["responses"]
            assert "security" not in operation


def test_what_the_office_tells_again_is_not_sent_again(town: Town, staff: dict[str, Person]) -> None:
    operator = staff["operator"]
    id = operator.made("requests", channel="phone", site_kind="hospital")["id"]
    for path in (f"requests/{id}", "requests", "requests?limit=5", "terminals"):
        first = operator.get(path)
        again = operator.get(path, If_None_Match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b""), path
        assert json.loads(first.content)
    one, every = operator.get(f"requests/{id}").headers["etag"], operator.get("requests").headers["etag"]
    operator.made(f"requests/{id}/acknowledge")
    assert operator.get(f"requests/{id}", If_None_Match=one).status_code == 200
    assert operator.get("requests", If_None_Match=every).status_code == 200
    # Whoever may not read it learns nothing by a tag.
    stranger = town.person("", by=operator)
    for tag in ("*", operator.get(f"requests/{id}").headers["etag"]):
        assert stranger.get(f"requests/{id}", If_None_Match=tag).status_code == 404
    # That somebody looked at what is personal is journalled, so it is always sent.
    personal = operator.get(f"requests/{id}/personal", If_None_Match="*")
    assert personal.status_code == 200
