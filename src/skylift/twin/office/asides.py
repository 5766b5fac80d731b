"""What else changes by a verb: a consignment that arrives, and the terminals in it. All of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from skylift.base.events import Event
from skylift.base.things import Room
from skylift.ports.store import Reader, Stored, Transaction
from skylift.twin.handle import load
from skylift.twin.office.verbs import Aside, Moment, Verb


def asides(verb: Verb, after: Any, moment: Moment, events: Sequence[Event]) -> Sequence[Aside]:
    """What a verb changes beside its own thing, which is `after` by now: caused by that thing."""
    if verb.also is None:
        return ()
    because = replace(moment, who=replace(moment.who, cause_id=after.id))
    return verb.also(after, because, events)


def commit_asides(transaction: Transaction, wanted: Iterable[Aside]) -> None:
    """Decide and write them, each kind at once. What is refused undoes the verb with the transaction."""
    by_room: dict[str, tuple[Room[Any], list[tuple[Stored[Any], Sequence[Event]]]]] = {}
    for aside in wanted:
        stored = _there(aside, transaction)
        events = tuple(aside.decide(stored.thing))
        if events:
            after = Stored(stored.id, applied(aside.room, stored.thing, events), stored.version)
            by_room.setdefault(aside.room.kind, (aside.room, []))[1].append((after, events))
    for room, changes in by_room.values():
        transaction.commit_all(room, changes)


def rehearse(verb: Verb, thing: Any, moment: Moment, arguments: Any) -> None:
    """Decide all of it and write nothing: raises Refused for what could not be done."""
    events = verb.decide(thing, moment, arguments)
    after = applied(verb.room, thing, events)
    for aside in asides(verb, after, moment, events):
        aside.decide(_there(aside, moment.reader).thing)


def _there(aside: Aside, reader: Reader) -> Stored[Any]:
    """The thing that is changed, or one with nothing in it yet; the store refuses an id that there is."""
    if aside.begins:
        return Stored(aside.id, aside.room.empty(aside.id), 0)
    return load(aside.room, reader, aside.id)


def applied(room: Room[Any], thing: Any, events: Iterable[Event]) -> Any:
    """A thing after events."""
    for event in events:
        thing = room.apply(thing, event)
    return thing
