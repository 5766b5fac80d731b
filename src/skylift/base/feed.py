"""Feeds that anybody's reader understands: Atom (RFC 4287) and JSON Feed 1.1 (jsonfeed.org/version/1.1).

Pure: entries in, text out. What an entry says, and whether it may be told, is for its own room to know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from skylift.base.instants import InstantUs, format_instant

ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"
LONGEST = 100
_XML = "{http://www.w3.org/XML/1998/namespace}lang"
# XML 1.0, section 2.2: no other characters are allowed.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
class Entry:
    """urn: stays the same wherever the feed stands (RFC 4287, section 4.2.6). tags: words to sort it by."""

    id: str
    urn: str
    url: str
    title: str
    text: str
    tags: tuple[str, ...]
    published_at: InstantUs
    updated_at: InstantUs


def atom_of(feed: Feed, entries: Iterable[Entry], at: InstantUs) -> str:
    """The feed as Atom, the newest first. at: now, for a feed that has no entry yet."""
    found = _newest_first(entries)
    root = Xml.Element(f"{{{ATOM}}}feed", {_XML: feed.language})
    _add(root, "id", feed.feed_url)
    _add(root, "title", marked(feed, feed.title))
    _add(root, "updated", format_instant(max((entry.updated_at for entry in found), default=at)))
    _add(_add(root, "author"), "name", feed.author)
    _add(root, "link", rel="self", href=feed.feed_url, type="application/atom+xml")
    _add(root, "link", rel="alternate", href=feed.home_url)
    for entry in found:
        one = _add(root, "entry")
        _add(one, "id", entry.urn)
        _add(one, "title", entry.title)
        _add(one, "published", format_instant(entry.published_at))
        _add(one, "updated", format_instant(entry.updated_at))
        _add(one, "link", rel="alternate", href=entry.url)
        for tag in entry.tags:
            _add(one, "category", term=tag)
        _add(one, "content", entry.text, type="text")
    Xml.register_namespace("", ATOM)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def json_feed_of(feed: Feed, entries: Iterable[Entry]) -> str:
    """The feed as JSON Feed 1.1, the newest first."""
    document = {
        "version": JSON_FEED,
        "title": marked(feed, feed.title),
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
                "tags": list(entry.tags),
            }
            for entry in _newest_first(entries)
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def marked(feed: Feed, text: str) -> str:
    """With the feed's mark before it, where it has one."""
    return f"{feed.mark} {text}" if feed.mark else text


def _newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (-entry.published_at, entry.id))


def _add(parent: Xml.Element, name: str, text: str = "", **attributes: str) -> Xml.Element:
    clean = {key: _NOT_XML.sub("", value) for key, value in attributes.items()}
    child = Xml.SubElement(parent, f"{{{ATOM}}}{name}", clean)
    if text:
        child.text = _NOT_XML.sub("", text)
    return child
