"""What the things that a page links to are called, for those who may read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from starlette.responses import Response

from skylift.api.office.documents import readable
from skylift.api.site.kinds import KINDS
from skylift.api.site.values import Link, kind_of, short
from skylift.api.site.visit import Visit
from skylift.ports.store import Reader

MOST = 300
# Whose headings tell one from another by themselves.
_TELLING = frozenset({"region", "shipment", "terminal", "plan"})


async def titles_of(visit: Visit, context: Mapping[str, Any]) -> Mapping[str, str]:
    """By path: of every link in what a template is given that shows an id alone."""
    wanted = list(dict.fromkeys(link.to for value in context.values() for link in _links(value)))[:MOST]
    return await visit.desk.read(lambda reader: _titles(visit, reader, wanted)) if wanted else {}


def _links(value: Any) -> Iterator[Link]:
    if isinstance(value, Link):
        if value.mono:
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _links(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _links(part)
    elif is_dataclass(value) and type(value).__module__.startswith(__package__ or ""):
        for one in fields(value):
            yield from _links(getattr(value, one.name))


def _titles(visit: Visit, reader: Reader, wanted: list[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for path in wanted:
        id = path.rpartition("/")[2]
        page = KINDS.get(kind_of(id))
        if id == visit.who.person:
            found[path] = "you"
            continue
        stored = reader.get(page.room, id) if page is not None else None
        if page is None or stored is None:
            continue
        if readable(visit.desk.office, visit.who, page.room, stored.thing):
            heading = page.heading(stored.thing)
            found[path] = heading if page.kind in _TELLING else f"{heading} ({short(id)})"
    return found


async def render(visit: Visit, template: str, status: int = 200, **context: Any) -> Response:
    """A page whose links say what they lead to."""
    titles = await titles_of(visit, context)
    return visit.render(template, status, titles=titles, **context)
