"""Something that has happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs


@dataclass(frozen=True, slots=True)
class Event:
    """A fact: past tense, never undone. `by` is whose authority it rests on, `cause_id` what led to it.

    NAME  under which it is stored, such as "region.authorised/1". Fields are only ever added, with a default;
          what cannot be read so any more gets a new number.
    No field holds a person's name, an address or an exact place: events are kept for ever, and a log is a
    target list. Such things stand in erasable rows, found by `subject_id`.
    """

    NAME: ClassVar[str] = ""

    at: InstantUs
    by: str
    subject_id: str
    cause_id: str | None


@dataclass(frozen=True, slots=True)
class Who:
    """When something is decided, on whose authority, and because of what."""

    at: InstantUs
    by: str
    cause_id: str | None = None


def to_payload(event: Event) -> dict[str, Any]:
    """An event's own fields as plain JSON values; at, by, subject and cause are columns of their own."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    for column in ("at", "by", "subject_id", "cause_id"):
        del fields[column]
    return fields


class EventTypes:
    """The types of event that a journal may hold, by name."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        self._by_name: dict[str, type[Event]] = {}
        for kind in types:
            if not kind.NAME or kind.NAME in self._by_name:
                raise ValueError(f"{kind.__name__} needs a NAME of its own, not {kind.NAME!r}")
            self._by_name[kind.NAME] = kind

    def __iter__(self) -> Any:
        return iter(self._by_name.values())

    def read(self, name: str, columns: Mapping[str, Any], payload: Mapping[str, Any]) -> Event:
        """An event as it was stored. Raises Refused where this version of skylift does not know it."""
        kind = self._by_name.get(name)
        if kind is None:
            raise Refused(
                "journal.unknown-event",
                f"event {name[:60]}",
                "this version of skylift does not know it",
                "use the version that wrote it, or a later one",
            )
        return msgspec.convert({**payload, **columns}, kind)
