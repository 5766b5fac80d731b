"""Statements as feeds: Atom (RFC 4287) and JSON Feed 1.1 (jsonfeed.org/version/1.1), one for each language.

Pure: statements in, text out. A statement that was published and withdrawn stays, and says why; a draft never
stands in a feed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from skylift.base.instants import InstantUs, format_instant
from skylift.service.statement.state import Statement

ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"
LONGEST = 100
_XML = "{http://www.w3.org/XML/1998/namespace}lang"
# XML 1.0, section 2.2: no other characters are allowed.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

WITHDRAWN: Mapping[str, str] = {"en": "Withdrawn", "uk": "Відкликано"}


@dataclass(frozen=True, slots=True)
class Feed:
    """What a feed is called and where it stands.

    language  "en" or "uk";  home_url  of the people's page;  feed_url  of the feed itself
    author    who speaks
    mark      stands before every title, "DEMO" in a demonstration
    """

    language: str
    title: str
    author: str
    home_url: str
    feed_url: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """urn: stays the same wherever the feed stands (RFC 4287, section 4.2.6)."""

    id: str
    urn: str
    url: str
    title: str
    text: str
    kind: str
    published_at: InstantUs
    updated_at: InstantUs


def updated_at(statements: Iterable[Statement], otherwise: InstantUs) -> InstantUs:
    """When a feed of these last changed; `otherwise` where none of them ever stood in one."""
    times = [
        statement.withdrawn_at or statement.published_at
        for statement in statements
        if statement.published_at is not None
    ]
    return max((at for at in times if at is not None), default=otherwise)


def atom(feed: Feed, statements: Iterable[Statement], at: InstantUs) -> str:
    """The feed as Atom. at: now, for a feed that has no entry yet."""
    entries = _entries(feed, statements)
    root = Xml.Element(f"{{{ATOM}}}feed", {_XML: feed.language})
    _add(root, "id", feed.feed_url)
    _add(root, "title", _marked(feed, feed.title))
    _add(root, "updated", format_instant(max((entry.updated_at for entry in entries), default=at)))
    _add(_add(root, "author"), "name", feed.author)
    _add(root, "link", rel="self", href=feed.feed_url, type="application/atom+xml")
    _add(root, "link", rel="alternate", href=feed.home_url)
    for entry in entries:
        one = _add(root, "entry")
        _add(one, "id", entry.urn)
        _add(one, "title", entry.title)
        _add(one, "published", format_instant(entry.published_at))
        _add(one, "updated", format_instant(entry.updated_at))
        _add(one, "link", rel="alternate", href=entry.url)
        _add(one, "category", term=entry.kind)
        _add(one, "content", entry.text, type="text")
    Xml.register_namespace("", ATOM)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def json_feed(feed: Feed, statements: Iterable[Statement]) -> str:
    """The feed as JSON Feed 1.1."""
    document = {
        "version": JSON_FEED,
        "title": _marked(feed, feed.title),
        "home_page_url": feed.home_url,
        "feed_url": feed.feed_url,
        "language": feed.language,
        "authors": [{"name": feed.author}],
        "items": [
            {
                "id": entry.urn,
                "url": entry.url,
                "title": entry.title,
                "content_text": entry.text,
                "date_published": format_instant(entry.published_at),
                "date_modified": format_instant(entry.updated_at),
                "tags": [entry.kind],
            }
            for entry in _entries(feed, statements)
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _entries(feed: Feed, statements: Iterable[Statement]) -> list[_Entry]:
    """The newest first."""
    found = [entry for statement in statements if (entry := _entry(feed, statement)) is not None]
    return sorted(found, key=lambda entry: (-entry.published_at, entry.id))


def _entry(feed: Feed, statement: Statement) -> _Entry | None:
    if statement.published_at is None:
        return None
    text = statement.texts.get(feed.language) or statement.texts.get("en", "")
    title = text.partition(". ")[0].rstrip(".")
    updated_at = statement.published_at
    if statement.withdrawn_at is not None:
        word = WITHDRAWN.get(feed.language, WITHDRAWN["en"])
        title, text = f"{word}: {title}", f"{word}: {statement.reason}\n\n{text}"
        updated_at = statement.withdrawn_at
    return _Entry(
        statement.id,
        f"urn:skylift:statement:{statement.id}",
        f"{feed.home_url.rstrip('/')}/statements/{statement.id}",
        _marked(feed, title[:LONGEST]),
        _marked(feed, text),
        statement.claims.kind.value,
        statement.published_at,
        updated_at,
    )


def _marked(feed: Feed, text: str) -> str:
    return f"{feed.mark} {text}" if feed.mark else text


def _add(parent: Xml.Element, name: str, text: str = "", **attributes: str) -> Xml.Element:
    clean = {key: _NOT_XML.sub("", value) for key, value in attributes.items()}
    child = Xml.SubElement(parent, f"{{{ATOM}}}{name}", clean)
    if text:
        child.text = _NOT_XML.sub("", text)
    return child
