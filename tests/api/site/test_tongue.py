"""The pages in Ukrainian: what is said is translated, what people wrote and what forms send is not."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, get_args, get_type_hints

import pytest

from skylift.api.site import words
from skylift.api.site.history import verb as event_verb
from skylift.api.site.kinds import KINDS
from skylift.api.site.tongue import translated, ukrainian
from skylift.api.site.words import plain
from skylift.twin.office.table import TABLE
from tests.api.site.conftest import Browser, Page, Town, log_in, make_town
from tests.api.site.filled import Filled, fill

_TAG = re.compile(r"(<[^>]*>)")
# Ids, codes, serials, what was typed in: nobody translates them.
_NAMES = re.compile(
    r"[a-z]{2,4}_\S+|[0-9a-f]{12,}…?|[A-Z0-9][A-Z0-9-]+|CANARY.*|https?:\S+|[\W\d]*|\d{4}-.*|skylift|code="
    r"|English|Ukraine.*|Moldova.*|(decision|licence|letter|check|slot) \d+.*|[A-Z0-9-]+ (– skylift|\(.*\))"
    # Names of authorities as these tests call them, and words that somebody gave.
    r"|(A|An|Another|The) (ministry|regulator|commission|operator|office)\b.*|Ministry of Health.*"
    r"|call back|storm"
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Filled]]:
    made = make_town(tmp_path_factory.mktemp("tongue"))
    town: Town = next(made)
    operator = town.first()
    things = fill(town, operator, town.person("approver", by=operator))
    yield log_in(town, "first@example.org"), things
    next(made, None)


def texts(page: Page) -> list[str]:
    found, kept = [], False
    for part in _TAG.split(page.html):
        if part.startswith("<"):
            kept = part.startswith(("<code", "<textarea")) or 'translate="no"' in part
        elif not kept and (text := " ".join(unescape(part).split())):
            found.append(text)
    return found


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("1 terminal", "1 термінал"),
        ("22 terminals", "22 термінали"),
        ("11 terminals", "11 терміналів"),
        ("1,121 people", "1,121 особа"),
        ("Hospital for 250 people", "Лікарня: 250 осіб"),
        ("in 5.5 h", "через 5.5 год"),
        ("Order:", "Порядок:"),
        ("its asker is not verified.", "заявника не перевірено."),
        ("a text that nobody knows", "a text that nobody knows"),
    ],
)
def test_a_text_is_said_in_ukrainian(english: str, said: str) -> None:
    assert ukrainian().say(english) == said


def test_what_people_wrote_is_left_as_it_is() -> None:
    kept = '<dd translate="no">Hospital</dd><code>Open</code><b>O&#39;Open</b>'
    page = f'<html lang="en"><dt>Asker</dt>{kept} Open\n'
    expected = f'<html lang="uk"><dt>Хто звернувся</dt>{kept} Відкрито\n'
    assert translated(page, ukrainian()) == expected
    # What stands in a text of a person is escaped as before.
    assert "<b>" not in translated("<p>&lt;b&gt; for 2 people</p>", ukrainian())


def test_a_reader_chooses_and_comes_back(filled: tuple[Browser, Filled]) -> None:
    browser, things = filled
    path = f"/requests/{things.ids['request']}"
    plain = browser.open(path)
    page = browser.open(f"/tongue?to=uk&back={path}")
    assert page.url.endswith(path)
    assert '<html lang="uk">' in page.html
    assert (plain.headers["content-language"], page.headers["content-language"]) == ("en", "uk")
    assert page.title == "Лікарня: 250 осіб"
    same = [
        [
            (form.action, form.names, {n: v for n, v in form.fields.items() if n != "once"})
            for form in one.read.forms
        ]
        for one in (plain, page)
    ]
    assert same[0] == same[1], "what forms send is the same in every language"
    shown = browser.send(page, "/personal")
    assert "CANARY help us" in shown.text
    assert browser.open("/tongue?to=en&back=//example.org").url.endswith("/start")
    assert '<html lang="en">' in browser.open(path).html
    assert browser.open("/tongue?to=xx").status == 200


def test_a_browser_that_asks_for_ukrainian_gets_it_before_anybody_chose(
    filled: tuple[Browser, Filled],
) -> None:
    stranger = Browser(filled[1].town)
    assert "Увійти" in stranger.open("/login", Accept_Language="uk-UA,uk;q=0.9,en;q=0.5").text
    assert "Log in" in stranger.open("/login", Accept_Language="en,uk;q=0.9").text


def test_requests_regions_terminals_and_shipments_are_ukrainian(filled: tuple[Browser, Filled]) -> None:
    browser, things = filled
    browser.open("/tongue?to=uk")
    ids = things.ids
    lacking: dict[str, str] = {}
    known = 0
    for path in (
        "/start", "/requests", "/requests/triage", f"/requests/{ids['request']}", "/requests/new",
        "/regions", f"/regions/{ids['region']}", f"/regions/{ids['closed-region']}",
        "/terminals", f"/terminals/{ids['terminal']}", f"/terminals/{ids['lost']}", "/terminals/new",
        "/shipments", *(f"/shipments/{id}" for id in ids.values() if id.startswith("shp_")),
        "/shipments/new", "/approvals", f"/approvals/{ids['approval']}", "/login",
    ):  # fmt: skip
        for text in texts(browser.open(path)):
            if re.search("[А-Яа-яІіЇїЄє]", text):
                known += 1
            elif re.search("[a-z]{2}", text) and not _NAMES.fullmatch(text):
                lacking.setdefault(text, path)
    browser.open("/tongue?to=en")
    assert known > 500
    assert not lacking, f"{len(lacking)} texts are in English: {lacking}"


def _choices(hint: Any) -> Iterator[enum.Enum]:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield from hint
    for part in get_args(hint):
        yield from _choices(part)


@pytest.mark.parametrize(
    "kind", ["request", "region", "terminal", "shipment", "account", "person", "statement", "approval"]
)
def test_every_form_state_column_and_event_of_a_kind_is_ukrainian(kind: str) -> None:
    """A verb that is made later fails here until it has words."""
    page = KINDS[kind]
    said = [page.one.capitalize(), *page.columns, *(label for _, label in page.states)]
    for verb in TABLE.of_kind(kind):
        said += [words.verb_label(verb.name), verb.says]
        for name, hint in get_type_hints(verb.arguments).items():
            said += [words.field_label(verb.name, name), words.field_help(verb.name, name)]
            said += [words.choice_label(choice) for choice in _choices(hint)]
    for event in page.room.events:
        said.append(plain(event_verb(event)))
        for hint in get_type_hints(event).values():
            said += [words.choice_label(choice) for choice in _choices(hint)]
    tongue = ukrainian()
    assert not [text for text in said if text and tongue.say(text) == text]
