"""Lists as CSV: all of one, as it stood at one instant. Tables are made of them, and find no change."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from starlette.responses import Response

from skylift.api.office.documents import plural, readable
from skylift.api.office.door import Call
from skylift.base.errors import Unavailable
from skylift.base.things import Room
from skylift.ports.store import Reader, Wanted
from skylift.twin.office.imports import exported
from skylift.twin.office.imports_kinds import KINDS
from skylift.twin.office.imports_table import guarded
from skylift.twin.office.office import Office
from skylift.twin.office.pages import every
from skylift.twin.office.verbs import Actor

# One at a time, for each goes through a whole list; more wait in line.
MOST_WAITING = 8
_WAITING: set[int] = set()


async def csv_list(call: Call, room: Room[Any], wanted: Wanted) -> Response:
    """Every thing of a list that its asker may read. Raises Unavailable where too many ask at once."""
    if len(_WAITING) >= MOST_WAITING:
        raise Unavailable("list.busy", "exports", "too many are being written", "try again a little later")
    _WAITING.add(id(call))
    try:
        actor, office = call.asker(), call.desk.office
        text = await call.desk.read(lambda reader: _written(reader, office, actor, room, wanted))
    finally:
        _WAITING.discard(id(call))
    name = f'attachment; filename="{plural(room.kind)}.csv"'
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def _written(reader: Reader, office: Office, actor: Actor, room: Room[Any], wanted: Wanted) -> str:
    things = (one.thing for one in every(reader, room, wanted) if readable(office, actor, room, one.thing))
    kind = KINDS.get(room.kind)
    out = io.StringIO()
    # With its mark, by which a spreadsheet knows that it is UTF-8.
    out.write("\ufeff")
    csv.writer(out).writerows(exported(kind, things) if kind is not None else _plain(room, things))
    return out.getvalue()


def _plain(room: Room[Any], things: Iterable[Any]) -> Iterator[Sequence[str]]:
    """What of each thing is one value: lists and heaps of things are left out."""
    empty = room.to_plain(room.empty(""))
    names = [name for name, value in empty.items() if not isinstance(value, list | dict) and name != "state"]
    yield [*names[:1], "status", *names[1:]]
    for thing in things:
        plain = room.to_plain(thing)
        cells = [_cell(plain.get(name)) for name in names]
        yield [*cells[:1], room.facets(thing).status, *cells[1:]]


def _cell(value: Any) -> str:
    if value is None or isinstance(value, list | dict):
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else guarded(str(value))
