"""Statements as feeds: Atom and JSON Feed, one for each language.

Pure: statements in, text out. A statement that was published and withdrawn stays, and says why; a draft never
stands in a feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skylift.base.feed import ATOM, LONGEST, Entry, Feed, atom_of, json_feed_of, marked
from skylift.base.instants import InstantUs
from skylift.service.statement.state import Statement

__all__ = ["ATOM", "WITHDRAWN", "Feed", "atom", "json_feed", "updated_at"]

WITHDRAWN: Mapping[str, str] = {"en": "Withdrawn", "uk": "Відкликано"}


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
    return atom_of(feed, _entries(feed, statements), at)


def json_feed(feed: Feed, statements: Iterable[Statement]) -> str:
    """The feed as JSON Feed 1.1."""
    return json_feed_of(feed, _entries(feed, statements))


def _entries(feed: Feed, statements: Iterable[Statement]) -> list[Entry]:
    return [entry for statement in statements if (entry := _entry(feed, statement)) is not None]


def _entry(feed: Feed, statement: Statement) -> Entry | None:
    if statement.published_at is None:
        return None
    text = statement.texts.get(feed.language) or statement.texts.get("en", "")
    title = text.partition(". ")[0].rstrip(".")
    updated_at = statement.published_at
    if statement.withdrawn_at is not None:
        word = WITHDRAWN.get(feed.language, WITHDRAWN["en"])
        title, text = f"{word}: {title}", f"{word}: {statement.reason}\n\n{text}"
        updated_at = statement.withdrawn_at
    return Entry(
        statement.id,
        f"urn:skylift:statement:{statement.id}",
        f"{feed.home_url.rstrip('/')}/statements/{statement.id}",
        marked(feed, title[:LONGEST]),
        marked(feed, text),
        (statement.claims.kind.value,),
        statement.published_at,
        updated_at,
    )
