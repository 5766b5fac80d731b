"""What a room of the service keeps: one kind of thing, its events, and what lists are searched by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from skylift.base.events import Event

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import replace

    changed = replace
else:

    def changed(thing: T, /, **fields: Any) -> T:
        """As `dataclasses.replace`, in a tenth of the time where a thing has twenty fields.

        For frozen dataclasses without slots, and without a `__post_init__`, which is not called.
        """
        own = thing.__dict__
        if not fields.keys() <= own.keys():
            raise TypeError(f"{type(thing).__name__} has no field {min(fields.keys() - own.keys())!r}")
        after = object.__new__(type(thing))
        after.__dict__.update(own, **fields)
        return after


@dataclass(frozen=True, slots=True)
class Facets:
    """What lists of things are filtered, found and sorted by. None of it is personal or an exact place.

    status   the state of the life cycle
    region   the region it belongs to; "" where it belongs to none
    owner    the account that it belongs to; "" where it belongs to none
    keys     names that are unique among things of the kind, by what they are: {"serial": "KIT-0001"}
    words    other words that a search finds it by
    """

    status: str
    region: str = ""
    owner: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room(Generic[T]):
    """One kind of thing.

    kind     "region"; prefix "rgn" begins its ids
    state    the frozen dataclass of it
    empty    (id) -> the thing before its first event
    apply    (thing, event) -> the thing after it; raises Refused where the life cycle has no such step
    facets   (thing) -> Facets
    events   every type of event that `apply` takes
    glance   the same without keys and words, where these are many
    """

    kind: str
    prefix: str
    state: type[T]
    empty: Callable[[str], T]
    apply: Callable[[T, Event], T]
    facets: Callable[[T], Facets]
    events: tuple[type[Event], ...]
    glance: Callable[[T], Facets] | None = None

    def at_a_glance(self, thing: T) -> Facets:
        """Status, region and owner; keys and words are not asked for."""
        return self.facets(thing) if self.glance is None else self.glance(thing)

    def to_plain(self, thing: T) -> dict[str, Any]:
        """The state as plain JSON values; the same state gives the same values."""
        plain: dict[str, Any] = msgspec.to_builtins(thing)
        return plain

    def from_plain(self, plain: Mapping[str, Any]) -> T:
        return msgspec.convert(plain, self.state)

    @cached_property
    def reader(self) -> msgspec.json.Decoder[T]:
        """Reads the state from its plain values as JSON: four times as fast as by way of them."""
        return msgspec.json.Decoder(self.state)

    def replayed(self, subject_id: str, events: tuple[Event, ...]) -> T:
        """What a thing is after all that happened to it."""
        thing = self.empty(subject_id)
        for event in events:
            thing = self.apply(thing, event)
        return thing
