"""Load, decide, apply, commit: the same few lines for every room of the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.labels import is_id
from skylift.base.things import Room
from skylift.ports.store import Conflict, Reader, Stored, Transaction

T = TypeVar("T")


def begin(room: Room[T], transaction: Transaction, subject_id: str, events: Sequence[Event]) -> Stored[T]:
    """A new thing from its first events."""
    return _applied(room, transaction, Stored(subject_id, room.empty(subject_id), 0), events)


def change(
    room: Room[T],
    transaction: Transaction,
    subject_id: str,
    decide: Callable[[T], Sequence[Event]],
    expected_version: int | None = None,
) -> Stored[T]:
    """Let `decide` say what happens to a thing, and write it.

    expected_version  what the caller has seen; another raises Conflict, which says what it is now
    """
    stored = load(room, transaction, subject_id)
    if expected_version is not None and stored.version != expected_version:
        raise Conflict(
            f"{room.kind}.changed",
            f"{room.kind} {subject_id}",
            f"it was changed meanwhile: version {stored.version}, not {expected_version}; "
            f"it is {room.facets(stored.thing).status} now",
            "read it again, and decide anew",
        )
    return _applied(room, transaction, stored, decide(stored.thing))


def load(room: Room[T], reader: Reader, subject_id: str) -> Stored[T]:
    """A thing that must be there. Raises Refused with the code KIND.unknown."""
    stored = reader.get(room, subject_id)
    if stored is None:
        raise unknown(room.kind, subject_id)
    return stored


def unknown(kind: str, subject_id: str) -> Refused:
    """What is said of a thing that is not there, or that the asker may not know of."""
    # Anything may have been given as an id; only what looks like one is repeated.
    shown = f"{kind} {subject_id}" if is_id(subject_id) else f"this {kind}"
    return Refused(f"{kind}.unknown", shown, "there is none", "check the id, or list them")


def _applied(
    room: Room[T], transaction: Transaction, stored: Stored[T], events: Sequence[Event]
) -> Stored[T]:
    thing = stored.thing
    for event in events:
        thing = room.apply(thing, event)
    if not events:
        return stored
    return transaction.commit(room, Stored(stored.id, thing, stored.version), events)
