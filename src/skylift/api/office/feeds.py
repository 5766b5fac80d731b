"""The public word for everybody: feeds of what was published (Atom, JSON Feed), and a page for each.

They take no login, whatever else does. What is told stands in the store already; at most once a second it is
read and written out anew.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from skylift.api.office.conditional import conditional, http_date, weak_etag
from skylift.api.office.desk import Desk
from skylift.api.office.door import ID, Door
from skylift.api.office.problems import missing, said
from skylift.base.errors import SkyliftError
from skylift.base.instants import InstantUs, format_instant
from skylift.ports.store import Reader, Wanted
from skylift.service.statement.drafting import LANGUAGES
from skylift.service.statement.feed import WITHDRAWN, Feed, atom, json_feed, updated_at
from skylift.service.statement.state import ROOM, Statement, StatementState
from skylift.twin.office.pages import every

MOST_ENTRIES = 100
ANEW_AFTER_S = 1.0
# A reader may ask again after a minute; caches on the way ask whether it has changed.
CACHING = "public, max-age=60"
MEDIA_TYPES = {"atom": "application/atom+xml; charset=utf-8", "json": "application/feed+json; charset=utf-8"}
TITLES = {"en": "Statements", "uk": "Заяви"}
NONE_YET = {"en": "Nothing has been published yet.", "uk": "Ще нічого не опубліковано."}

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/page.css"><link rel="icon" href="/static/icon.svg">
{links}</head><body class="docs"><main><h1>{title}</h1>
{body}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that is told, as it was read a moment ago."""

    statements: tuple[Statement, ...]
    changed_at: InstantUs
    read_s: float


class Feeds:
    """What the public reads. public_url: where this service is for them; author: who speaks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: Shown | None = None

    def add_to(self, app: Starlette) -> None:
        for language in LANGUAGES:
            for form in MEDIA_TYPES:
                add_public(app, self._desk, path_of(language, form), self._feed(language, form))
        add_public(app, self._desk, "/public", self._page)
        add_public(app, self._desk, "/public/statements/{id}", self._statement)

    async def _now(self) -> Shown:
        shown = self._shown
        if shown is None or time.monotonic() > shown.read_s + ANEW_AFTER_S:
            statements = await self._desk.read(published)
            began = self._desk.store.journal(limit=1)
            changed_at = updated_at(statements, began[0].event.at if began else InstantUs(0))
            self._shown = shown = Shown(tuple(statements), changed_at, time.monotonic())
        return shown

    def _feed(self, language: str, form: str) -> Callable[[Request], Awaitable[Response]]:
        async def work(request: Request) -> Response:
            shown = await self._now()
            feed = Feed(
                language,
                TITLES[language],
                self._desk.public.author,
                f"{self._desk.public.url}/public",
                f"{self._desk.public.url}{path_of(language, form)}",
            )
            text = (
                json_feed(feed, shown.statements)
                if form == "json"
                else atom(feed, shown.statements, shown.changed_at)
            )
            return response_of(text, MEDIA_TYPES[form], shown.changed_at)

        return work

    async def _page(self, request: Request) -> Response:
        shown = await self._now()
        told = sorted(shown.statements, key=lambda one: -(one.published_at or 0))
        parts = [_article(one) for one in told] or [f"<p>{escape(NONE_YET['en'])}</p>"]
        return _html("en", TITLES["en"], "\n".join(parts), shown.changed_at)

    async def _statement(self, request: Request) -> Response:
        id = request.path_params["id"]
        stored = await self._desk.read(lambda reader: reader.get(ROOM, id)) if ID.fullmatch(id) else None
        # Of a draft nobody learns that there is one.
        if stored is None or stored.thing.published_at is None:
            raise missing(ROOM.kind)
        changed_at = stored.thing.withdrawn_at or stored.thing.published_at
        return _html("en", TITLES["en"], _article(stored.thing), changed_at)


def add_public(app: Starlette, desk: Desk, path: str, work: Callable[[Request], Awaitable[Response]]) -> None:
    """A path that anybody may read, so many times a minute, and again only where it has changed."""

    async def handle(request: Request) -> Response:
        try:
            desk.count(request.client.host if request.client else "")
            return conditional(request.headers, await work(request))
        except SkyliftError as error:
            return said(error)

    app.add_route(path, handle, include_in_schema=False)


def path_of(language: str, form: str) -> str:
    return f"/feeds/statements.{language}.{form}"


def published(reader: Reader) -> list[Statement]:
    """What was ever told, the newest of it; also what was withdrawn, which says why."""
    found = [
        stored.thing
        for state in (StatementState.PUBLISHED, StatementState.WITHDRAWN)
        for stored in every(reader, ROOM, Wanted(status=state.value))
        if stored.thing.published_at is not None
    ]
    return sorted(found, key=lambda one: (-(one.published_at or 0), one.id))[:MOST_ENTRIES]


def _article(statement: Statement) -> str:
    at = format_instant(statement.published_at or 0)
    texts = []
    for language in LANGUAGES:
        text = statement.texts.get(language, "")
        if statement.withdrawn_at is not None:
            text = f"{WITHDRAWN[language]}: {statement.reason} ({text})"
        texts.append(f'<p lang="{language}">{escape(text)}</p>')
    link = f'<a href="/public/statements/{escape(statement.id)}"><time datetime="{at}">{at}</time></a>'
    return f"<article>{''.join(texts)}<p>{link}</p></article>"


def _html(language: str, title: str, body: str, changed_at: InstantUs) -> Response:
    links = "".join(
        f'<link rel="alternate" hreflang="{other}" type="{MEDIA_TYPES[form].partition(";")[0]}" '
        f'href="{path_of(other, form)}">'
        for other in LANGUAGES
        for form in MEDIA_TYPES
    )
    text = _PAGE.format(language=language, title=escape(title), body=body, links=links)
    return response_of(text, "text/html; charset=utf-8", changed_at)


def response_of(text: str, media_type: str, changed_at: InstantUs) -> Response:
    """Text for anybody, with what a reader needs in order not to have it sent again."""
    body = text.encode()
    headers = {
        "ETag": weak_etag(body),
        "Last-Modified": http_date(changed_at),
        "Cache-Control": CACHING,
        # Anybody's page may show them.
        "Access-Control-Allow-Origin": "*",
    }
    return Response(body, headers=headers, media_type=media_type)


def described() -> Sequence[Door]:
    """The feeds of statements as OpenAPI has them."""
    return described_feeds(path_of, "What was published")


def described_feeds(path_of: Callable[[str, str], str], what: str) -> Sequence[Door]:
    """Feeds as OpenAPI has them, by language and form; they are routes of their own, beside the API."""

    async def never(call: Any) -> Response:
        raise NotImplementedError

    says = {"atom": "as Atom (RFC 4287)", "json": "as JSON Feed 1.1"}
    return [
        Door(
            "GET",
            path_of(language, form),
            never,
            f"{what}, {says[form]}, in {'English' if language == 'en' else 'Ukrainian'}.",
            "public",
            {200: {MEDIA_TYPES[form].partition(";")[0]: {"type": "string" if form == "atom" else "object"}}},
            open_to_all=True,
            revalidates=True,
        )
        for language in LANGUAGES
        for form in MEDIA_TYPES
    ]
