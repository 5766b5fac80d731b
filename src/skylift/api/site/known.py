"""Things that a field may name, to pick from: only those that the visitor may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skylift.api.office.documents import readable
from skylift.api.site.fields import Options, specs_of
from skylift.api.site.kinds import KINDS
from skylift.api.site.values import short
from skylift.api.site.visit import Visit
from skylift.base.things import Room
from skylift.ports.store import Reader, Wanted
from skylift.twin.office.verbs import Verb

MOST = 200

# Which kind of thing a field names; states: only those that would do.
_NAMES: Mapping[str, tuple[str, str]] = {
    "region": ("region", ""),
    "about": ("region", ""),
    "owner": ("account", ""),
    "recipient": ("account", ""),
    "to": ("account", ""),
    "account": ("account", ""),
    "plan": ("plan", "offered"),
    "request": ("request", ""),
    "into": ("request", "acknowledged"),
    "shipment": ("shipment", ""),
    "batch": ("shipment", ""),
    "authority": ("authority", "known"),
}


# Where a kind's own field means another kind than the same name does elsewhere.
_OF_KIND: Mapping[tuple[str, str], tuple[str, str]] = {("outage", "into"): ("outage", "open")}


async def known_for(visit: Visit, verbs: Iterable[Verb]) -> Mapping[str, Options]:
    """By field of any of these verbs, what could be chosen: (id, words)."""
    named = {spec.name: verb.kind for verb in verbs for spec in specs_of(verb.arguments)}
    fields = {
        name: _OF_KIND.get((kind, name)) or _NAMES[name] for name, kind in named.items() if name in _NAMES
    }
    if not fields:
        return {}

    def read(reader: Reader) -> Mapping[str, Options]:
        found = {what: _options(visit, reader, *what) for what in set(fields.values())}
        return {name: found[what] for name, what in fields.items()}

    return await visit.desk.read(read)


async def regions_of(visit: Visit) -> Options:
    """The regions that a list can be narrowed to."""
    return await visit.desk.read(lambda reader: _options(visit, reader, "region", ""))


def _options(visit: Visit, reader: Reader, kind: str, status: str) -> Options:
    page = KINDS[kind]
    room: Room[Any] = page.room
    found = reader.list(room, Wanted(status=status, limit=MOST))
    office, actor = visit.desk.office, visit.who
    return tuple(
        # An authority is named by its code, in forms as in the journal.
        (one.thing.code, page.heading(one.thing))
        if kind == "authority"
        else (one.id, f"{page.heading(one.thing)} ({short(one.id)})")
        for one in found
        if readable(office, actor, room, one.thing)
    )
