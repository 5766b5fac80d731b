"""The public status of outages: a page in two languages, a page for each of them, and feeds.

They take no login. What may be told is asked anew for every request, as it depends on the instant; the store
is read at most once a second.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from skylift.api.office import feeds
from skylift.api.office.desk import Desk
from skylift.api.office.door import ID, Door
from skylift.api.office.feeds import MEDIA_TYPES, MOST_ENTRIES, response_of
from skylift.api.office.ioda_paths import LongerPaths
from skylift.api.office.problems import missing
from skylift.base.feed import Feed, atom_of, json_feed_of
from skylift.base.instants import InstantUs, format_instant
from skylift.ports.store import Reader, Wanted
from skylift.service.outage.events import Cause, EntityKind
from skylift.service.outage.public import Told, band, entries, told_at
from skylift.service.outage.state import ROOM, Outage, OutageState
from skylift.service.outage.words import LANGUAGES, percent, sentence
from skylift.twin.office.pages import every

HOME = "/public/outages"

Recorded = list[tuple[Outage, InstantUs]]

_WORDS = {
    "en": {
        "title": "Outages", "none": "No outage is known that the public is told of.", "open": "Still down",
        "over": "Over", "critical": "critical", "major": "major", "warning": "warning", "began": "Began",
        "ended": "Ended", "cause": "Cause", "sources": "Sources", "synthetic": "Synthetic data: made up.",
        "level": "Lowest level", "now": "Level now", "last": "Last measured",
        "stale": "Not measured any more", "other": "Українською", "feeds": "Feeds",
        "says": (
            "Countries, regions and networks whose connectivity is below ordinary. Measured levels are shown "
            "half an hour after they are recorded; what a level cannot tell is not guessed."
        ),
        "unconfirmed": "Seen by a detector; no person has confirmed it.",
        "confirmed": "Confirmed by a person.",
    },
    "uk": {
        "title": "Збої зв'язку", "none": "Немає збоїв, про які повідомляється публічно.",
        "open": "Досі триває", "over": "Завершено", "critical": "критичний", "major": "значний",
        "warning": "помітний", "began": "Початок", "ended": "Кінець", "cause": "Причина",
        "sources": "Джерела", "synthetic": "Вигадані дані.", "level": "Найнижчий рівень",
        "now": "Рівень зараз", "last": "Останнє вимірювання",
        "stale": "Більше не вимірюється", "other": "In English", "feeds": "Стрічки",
        "says": (
            "Країни, регіони та мережі, зв'язність яких нижча за звичайну. Виміряні рівні показуються за "
            "пів години після запису; чого рівень не каже, того не вгадуємо."
        ),
        "unconfirmed": "Виявлено детектором; людина ще не підтвердила.", "confirmed": "Підтверджено людиною.",
    },
}  # fmt: skip
_CAUSES = {
    Cause.UNKNOWN: ("unknown", "невідома"),
    Cause.CYBER_ATTACK: ("cyber-attack, as sources say", "кібератака, за даними джерел"),
    Cause.PHYSICAL_DAMAGE: ("physical damage", "фізичне пошкодження"),
    Cause.POWER: ("loss of power", "знеструмлення"),
    Cause.SHUTDOWN: ("shutdown, as sources say", "відключення, за даними джерел"),
    Cause.POPULATION_FLIGHT: ("people leaving", "виїзд людей"),
}
_KINDS = {
    EntityKind.COUNTRY: ("country", "країна"),
    EntityKind.REGION: ("region", "регіон"),
    EntityKind.AS: ("network", "мережа"),
    EntityKind.AS_WITH_CONE: ("network and its customers", "мережа та її клієнти"),
    EntityKind.TERMINALS: ("own terminals", "власні термінали"),
}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/page.css"><link rel="icon" href="/static/icon.svg">
{links}</head><body class="docs"><main><h1>{title}</h1>
{body}</main></body></html>
"""


class PublicOutages:
    """What the public may know at this instant, and when that last changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._recorded: Recorded = []
        self._read_s = float("-inf")
        self._shown: tuple[Told, ...] | None = None
        self._changed_at = InstantUs(0)

    def add_to(self, app: Starlette) -> None:
        for language in LANGUAGES:
            for form in MEDIA_TYPES:
                feeds.add_public(app, self._desk, path_of(language, form), self._feed(language, form))
            feeds.add_public(app, self._desk, f"{HOME}/{language}", self._page(language))
        feeds.add_public(app, self._desk, HOME, self._page("en"))
        feeds.add_public(app, self._desk, f"{HOME}/{{id}}", self._one)
        app.add_middleware(LongerPaths)

    async def now(self) -> tuple[tuple[Told, ...], InstantUs]:
        """Everything that is told at this instant, and since when it is just that.

        The latter is of this process alone: a time of what is not told would tell that there is something.
        """
        shown, at = (await self.everything())[:MOST_ENTRIES], self._desk.clock.now()
        if shown != self._shown:
            self._shown, self._changed_at = shown, at
        return shown, self._changed_at

    async def everything(self) -> tuple[Told, ...]:
        """All that is told at this instant, also what no longer stands in the feeds, the latest first."""
        if time.monotonic() > self._read_s + feeds.ANEW_AFTER_S:
            self._recorded = await self._desk.read(lambda reader: recorded(self._desk, reader))
            self._read_s = time.monotonic()
        return tuple(told_at(self._recorded, self._desk.clock.now()))

    def feed(self, language: str, form: str) -> Feed:
        public = self._desk.public
        home, own = f"{public.url}{HOME}", f"{public.url}{path_of(language, form)}"
        return Feed(language, _WORDS[language]["title"], public.author, home, own)

    def _feed(self, language: str, form: str) -> Callable[[Request], Awaitable[Response]]:
        async def work(request: Request) -> Response:
            shown, changed_at = await self.now()
            feed = self.feed(language, form)
            found = entries(feed, shown)
            text = json_feed_of(feed, found) if form == "json" else atom_of(feed, found, changed_at)
            return response_of(text, MEDIA_TYPES[form], changed_at)

        return work

    def _page(self, language: str) -> Callable[[Request], Awaitable[Response]]:
        async def work(request: Request) -> Response:
            shown, changed_at = await self.now()
            words = _WORDS[language]
            other = "uk" if language == "en" else "en"
            listed = "".join(_article(one, language) for one in shown) or f"<p>{escape(words['none'])}</p>"
            links = ", ".join(
                f'<a href="{path_of(language, form)}">{name}</a>'
                for form, name in (("atom", "Atom"), ("json", "JSON Feed"))
            )
            body = (
                f'<p>{escape(words["says"])}</p><p><a lang="{other}" href="{HOME}/{other}">{words["other"]}'
                f"</a> · {words['feeds']}: {links}</p>{listed}"
            )
            return _html(language, words["title"], body, changed_at)

        return work

    async def _one(self, request: Request) -> Response:
        id = request.path_params["id"]
        shown, _ = await self.now()
        one = next((told for told in shown if told.outage.id == id), None) if ID.fullmatch(id) else None
        # Of one that is held or a cell's nobody learns that there is one.
        if one is None:
            raise missing(ROOM.kind)
        body = "".join(f'<div lang="{language}">{_article(one, language)}</div>' for language in LANGUAGES)
        return _html("en", _WORDS["en"]["title"], body, one.updated_at)


def path_of(language: str, form: str) -> str:
    return f"/feeds/outages.{language}.{form}"


def recorded(desk: Desk, reader: Reader) -> Recorded:
    """Outages that are open or over, each with the instant of its last event."""
    found: Recorded = []
    for state in (OutageState.OPEN, OutageState.CLOSED):
        for stored in every(reader, ROOM, Wanted(status=state.value)):
            rows = desk.store.history(stored.id, None, 1)
            found.append((stored.thing, rows[0].event.at if rows else InstantUs(0)))
    return found


def _article(told: Told, language: str) -> str:
    outage, words, ukrainian = told.outage, _WORDS[language], language == "uk"
    worst, is_over = outage.worst, outage.state is OutageState.CLOSED
    facts = [
        (words["level"], f"{_meter(worst.fraction)} {escape(percent(worst))}, {words[band(worst)]}"),
        (words["began"], _time(outage.began_at)),
    ]
    if is_over:
        facts.append((words["ended"], _time(outage.ended_at)))
    elif told.stale:
        facts.append((words["last"], _time(outage.measured_at)))
    else:
        facts.append((words["now"], f"{_meter(outage.level.fraction)} {escape(percent(outage.level))}"))
    facts.append((words["cause"], _CAUSES[outage.cause][ukrainian]))
    if outage.claims:
        sources = ", ".join(
            f'<a rel="nofollow noopener noreferrer" href="{escape(claim.url)}">{escape(claim.publisher)}</a> '
            f"({_time(claim.published_at)})"
            for claim in outage.claims
        )
        facts.append((words["sources"], sources))
    listed = "".join(f"<li>{escape(name)}: {value}</li>" for name, value in facts)
    synthetic = f"<p><strong>{words['synthetic']}</strong></p>" if outage.synthetic else ""
    kind = _KINDS.get(outage.entity.kind, ("", ""))[ukrainian]
    text = escape(sentence(outage, language, told.stale))
    state = words["over"] if is_over else words["stale" if told.stale else "open"]
    confirmed = words["confirmed"] if outage.confirmed_by else words["unconfirmed"]
    return (
        f'<section><h2><a href="{HOME}/{escape(outage.id)}">{escape(_name(outage, ukrainian))}</a>'
        f' · {kind} · {state}</h2>{synthetic}<p class="told">{text}</p>'
        f"<ul>{listed}</ul><p>{escape(confirmed)}</p></section>"
    )


def _name(outage: Outage, ukrainian: bool) -> str:
    entity = outage.entity
    return (entity.title_uk if ukrainian else "") or entity.title or entity.code


def _meter(fraction: float) -> str:
    shown = min(max(fraction, 0.0), 1.0)
    return f'<meter min="0" max="1" low="0.5" high="0.8" optimum="1" value="{shown:.3f}">{shown:.0%}</meter>'


def _time(at: InstantUs | None) -> str:
    if at is None:
        return "?"
    text = format_instant(at)
    return f'<time datetime="{text}">{text[:16].replace("T", " ")} UTC</time>'


def _html(language: str, title: str, body: str, changed_at: InstantUs) -> Response:
    links = "".join(
        f'<link rel="alternate" hreflang="{other}" type="{media.partition(";")[0]}" '
        f'href="{path_of(other, form)}">'
        for other in LANGUAGES
        for form, media in MEDIA_TYPES.items()
    )
    text = _PAGE.format(language=language, title=escape(title), body=body, links=links)
    return response_of(text, "text/html; charset=utf-8", changed_at)


def described() -> Sequence[Door]:
    """The feeds of outages as OpenAPI has them."""
    return feeds.described_feeds(path_of, "Outages that the public is told of")
