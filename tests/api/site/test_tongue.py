"""The pages in Ukrainian: what is said is translated, what people wrote and what forms send is not."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from html import unescape
from importlib.resources import files
from typing import Any, get_args, get_type_hints

import pytest

from skylift.api.site import words
from skylift.api.site.history import verb as event_verb
from skylift.api.site.kinds import KINDS
from skylift.api.site.tongue import translated, ukrainian
from skylift.api.site.words import choice_label, plain
from skylift.service.command.kinds import RETURNS
from skylift.service.shipment.events import Kind, Resolution
from skylift.twin.office.table import TABLE
from tests.api.site.conftest import Browser, Page, Town, log_in, make_town
from tests.api.site.filled import Filled, fill
from tests.api.site.test_outage_pages import LEVEL, NETWORK

_TAG = re.compile(r"(<[^>]*>)")
# Ids, codes, serials, what was typed in: nobody translates them.
_NAMES = re.compile(
    r"[a-z]{2,4}_\S+(: \S+)?|[0-9a-f]{12,}…?|[A-Z0-9][A-Z0-9-]+|CANARY.*|https?:\S+|[\W\d]*|\d{4}-.*"
    r"|skylift|code=|English|Ukraine.*|Moldova.*"
    r"|(decision|licence|letter|check|slot) \d+.*|[A-Z0-9-]+ (– skylift|\(.*\))"
    # Names of authorities as these tests call them, and words that somebody gave.
    r"|(A|An|Another|The) (ministry|regulator|commission|operator|office)\b.*|Ministry of Health.*"
    r"|call back|storm"
    # Of outages: what a network is called, and what measured it.
    r"|Example .*|bgp|moz\.gov\.ua|Hospitals.*"
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
            # What the public reads is told in each language, and none of it translated.
            kept = part.startswith(("<code", "<textarea", "<blockquote lang")) or 'translate="no"' in part
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
        ("Sleep schedule: daily from 02:10 UTC for 21 minutes", "Розклад сну: щодня з 02:10 UTC, 21 хвилина"),
        ("18 % (15-21), critical", "18 % (15-21), критичний"),
        ("2 in no region", "без регіону: 2"),
        ("its asker is not verified.", "заявника не перевірено."),
        ("before the call", "до звернення"),
        ("Came, sound, not on the list", "Прибуло справне, не зі списку"),
        ("2: surplus, KIT-0001", "2: зайве, KIT-0001"),
        ("3: missing, 2 × MOUNT-1", "3: бракує, 2 × MOUNT-1"),
        ("a text that nobody knows", "a text that nobody knows"),
    ],
)
def test_a_text_is_said_in_ukrainian(english: str, said: str) -> None:
    assert ukrainian().say(english) == said


@pytest.mark.parametrize("choice", [*Kind, *Resolution])
def test_what_differs_in_a_consignment_is_ukrainian(choice: Kind | Resolution) -> None:
    """As its page says it: in the midst of a line, in small letters."""
    english = choice_label(choice).lower()
    assert ukrainian().say(english) != english


def test_who_cannot_log_in_reads_why_in_ukrainian(town: Town) -> None:
    stranger = Browser(town)
    page = stranger.open("/tongue?to=uk&back=/login")
    refused = stranger.send(page, "/login", email="nobody@example.org", password="of nobody")
    said = [text for text in texts(refused) if "підходять" in text or "оператора" in text]
    assert said
    assert not re.search("[A-Za-z]{3}", " ".join(said))


def test_what_people_wrote_is_left_as_it_is() -> None:
    kept = '<dd translate="no">Hospital</dd><code>Open</code><b>O&#39;Open</b>'
    page = f'<html lang="en"><dt>Asker</dt>{kept} Open\n'
    expected = f'<html lang="uk"><dt>Хто звернувся</dt>{kept} Відкрито\n'
    assert translated(page, ukrainian()) == expected
    # What stands in a text of a person is escaped as before.
    assert "<b>" not in translated("<p>&lt;b&gt; for 2 people</p>", ukrainian())


def test_what_a_picture_shows_is_told_in_ukrainian() -> None:
    """To whoever does not see it, on the page of a terminal that reports and shares."""
    template = files("skylift.api.site") / "templates" / "terminal.html"
    pictures = re.findall(r"<img [^>]+>", template.read_text(encoding="utf-8"))
    told = [re.search('alt="([^"]+)"', translated(picture, ukrainian())) for picture in pictures]
    assert told
    assert all(one is not None and not re.search("[A-Za-z]{3}", one[1]) for one in told)


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


def lacking(browser: Browser, paths: Iterable[str]) -> tuple[int, dict[str, str]]:
    """How many texts of these pages are in Ukrainian; and those that are not, by the page they stand on."""
    browser.open("/tongue?to=uk")
    found: dict[str, str] = {}
    known = 0
    for path in paths:
        page = browser.open(path)
        assert page.status == 200, path
        for text in texts(page):
            if re.search("[А-Яа-яІіЇїЄє]", text):
                known += 1
            elif re.search("[a-z]{2}", text) and not _NAMES.fullmatch(text):
                found.setdefault(text, path)
    browser.open("/tongue?to=en")
    return known, found


def test_requests_regions_terminals_and_shipments_are_ukrainian(filled: tuple[Browser, Filled]) -> None:
    browser, things = filled
    ids = things.ids
    paths = (
        "/start", "/requests", "/requests/triage", f"/requests/{ids['request']}", "/requests/new",
        "/regions", f"/regions/{ids['region']}", f"/regions/{ids['closed-region']}",
        "/terminals", f"/terminals/{ids['terminal']}", f"/terminals/{ids['lost']}", "/terminals/new",
        "/shipments", *(f"/shipments/{id}" for id in ids.values() if id.startswith("shp_")),
        "/shipments/new", "/approvals", f"/approvals/{ids['approval']}", "/login",
    )  # fmt: skip
    known, english = lacking(browser, paths)
    assert known > 500
    assert not english, f"{len(english)} texts are in English: {english}"


def test_outages_commands_consents_and_rollouts_are_ukrainian(filled: tuple[Browser, Filled]) -> None:
    browser, things = filled
    fallen = _outages(things)
    asked = _commands(things)
    rest = [
        f"/{kind}/new" for kind in ("outages", "commands", "consents", "rollouts", "authorities", "plans")
    ]
    paths = (
        "/outages", "/commands", "/consents", "/rollouts", "/authorities", "/plans", "/allow-lists",
        "/bulk-changes", "/bulk-changes/new", "/statements", "/me", *rest, *fallen, *asked,
        f"/authorities/{things.ids['known-authority']}", f"/plans/{things.ids['plan']}",
    )  # fmt: skip
    known, english = lacking(browser, paths)
    assert known > 800
    assert not english, f"{len(english)} texts are in English: {english}"
    history = browser.open(fallen[1]).text
    assert "Published at: 2022-02-26T04:00:00Z" in history
    assert "Kind: Network" in history
    assert "No region: 1" in browser.open(asked[-1]).text
    assert "Trm " not in browser.open(asked[-1]).text, "what a stage asked is told by terminal"


def _outages(things: Filled) -> list[str]:
    """One that is held, confirmed, explained and measured again; one that is synthetic, part of a third."""
    o = things.operator
    told = {"began_at": "2022-02-26T03:10:00Z", "confirmed_at": "2022-02-26T03:20:00Z", "level": LEVEL}
    whole = {"kind": "country", "code": "UA", "title": "Ukraine", "country": "UA"}
    country = o.made("outages", entity=whole, **told)["id"]
    network = o.made("outages", entity=NETWORK, **told)["id"]
    part = o.made("outages", entity={**NETWORK, "code": "AS64501"}, synthetic=True, **told)["id"]
    better = {**LEVEL, "fraction": 0.5, "low": 0.4, "high": 0.6}
    source = {
        "publisher": "Example News", "url": "https://example.org/a", "published_at": "2022-02-26T04:00:00Z",
    }  # fmt: skip
    o.made(f"outages/{network}/hold", reason="storm")
    o.made(f"outages/{network}/confirm")
    o.made(f"outages/{network}/update", level=better, measured_at="2022-02-26T03:40:00Z")
    o.made(f"outages/{network}/explain", cause="cyber-attack", claims=[source])
    o.made(f"outages/{part}/merge", into=country)
    return [f"/outages/{id}" for id in (country, network, part)]


def _commands(things: Filled) -> list[str]:
    o, dish = things.operator, things.ids["terminal"]
    dishes = [dish, things.ids["lost"], things.ids["new"]]
    consent = o.made("consents", terminal=dish, kinds=["stow", "sleep-schedule"], document="letter 7")["id"]
    sleep = {"command": "sleep-schedule", "on": True, "start_minutes": 130, "duration_minutes": 240}
    commands = [o.made("commands", terminal=dish, **one)["id"] for one in (sleep, {"command": "reboot"})]
    o.made(f"commands/{commands[1]}/withdraw", reason="storm")
    o.made(f"consents/{consent}/take-back")
    rollouts = [
        things.two("rollouts", terminals=dishes, command=command, reason="storm")["id"]
        for command in ("gps-inhibit", "reboot")
    ]
    o.made(f"rollouts/{rollouts[0]}/stop")
    ids = (*commands, consent, *rollouts)
    kinds = ("commands", "commands", "consents", "rollouts", "rollouts")
    return [f"/{kind}/{id}" for kind, id in zip(kinds, ids, strict=True)]


def _choices(hint: Any) -> Iterator[enum.Enum]:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield from hint
    for part in get_args(hint):
        yield from _choices(part)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_form_state_column_and_event_of_a_kind_is_ukrainian(kind: str) -> None:
    """A verb that is made later fails here until it has words."""
    page = KINDS[kind]
    said = [page.one.capitalize(), page.says, *page.columns, *(label for _, label in page.states)]
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


def test_what_a_dish_does_afterwards_is_ukrainian() -> None:
    tongue = ukrainian()
    assert not [text for text in RETURNS.values() if tongue.say(text) == text]
