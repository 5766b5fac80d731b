"""All things of a list, page by page, within one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from skylift.base.things import Room
from skylift.ports.store import Reader, Stored, Wanted

T = TypeVar("T")

AT_ONCE = 500
EVERYTHING = Wanted()


def every(reader: Reader, room: Room[T], wanted: Wanted = EVERYTHING) -> Iterator[Stored[T]]:
    """Ascending by id; `after` and `limit` of what is wanted do not count."""
    wanted = replace(wanted, after="", limit=AT_ONCE)
    while True:
        page = reader.list(room, wanted)
        yield from page
        if len(page) < AT_ONCE:
            return
        wanted = replace(wanted, after=page[-1].id)
