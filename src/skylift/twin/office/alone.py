"""How much one person may do alone: so many terminals in a window of time, however they are split up.

Counted are terminals whose service they switch (block, pause, activate, unblock, retire, unregister, and
many at once), those that they report lost or stolen, and those that their tables change: each sort by itself,
so that a busy day holds up no report of a captured one. What is one's own is not counted, nor what two agreed
to.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from skylift.base.events import Who
from skylift.ports.store import Reader, Stored, Transaction
from skylift.service.account import alone
from skylift.service.account.alone import ROOM, Alone
from skylift.twin.office.allow_lists import MOST_ALONE
from skylift.twin.office.verbs import Actor, Verb

DAY_US = 86_400_000_000
TABLES = "tables"


@dataclass(frozen=True, slots=True)
class Limits:
    """most_alone: terminals in window_us; of more, another person has to agree."""

    most_alone: int = MOST_ALONE
    window_us: int = DAY_US


USUAL = Limits()


def counted(verb: Verb, thing: Any, arguments: Any, actor: Actor) -> tuple[str, ...]:
    """The terminals that a verb's doing counts for."""
    if not verb.counts:
        return ()
    many = getattr(arguments, "terminals", None)
    if many is not None:
        return tuple(sorted(set(many)))
    return () if actor.account and thing.owner == actor.account else (thing.id,)


def too_many(reader: Reader, limits: Limits, who: Who, sort: str, things: Collection[str]) -> bool:
    """Whether these are more than one person may change in the window, with those that they did before."""
    if not things:
        return False
    stored = reader.get(ROOM, who.by)
    before = stored.thing.since(sort, who.at - limits.window_us) if stored is not None else frozenset()
    return len(before | set(things)) > limits.most_alone


def remember(transaction: Transaction, who: Who, sort: str, things: Collection[str]) -> None:
    """They have changed these alone."""
    if not things:
        return
    stored = transaction.get(ROOM, who.by) or Stored(who.by, Alone(who.by), 0)
    events = alone.changed(stored.thing, who, sort, tuple(things))
    thing = stored.thing
    for event in events:
        thing = ROOM.apply(thing, event)
    transaction.commit(ROOM, Stored(who.by, thing, stored.version), events)
