"""A life cycle: one table that says from which state which event leads where; no other step exists."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from skylift.base.errors import Refused
from skylift.base.events import Event

S = TypeVar("S", bound=enum.Enum)


@dataclass(frozen=True)
class LifeCycle(Generic[S]):
    """Steps of one kind of thing.

    thing   what people call it: "region"
    begins  the state before the first event
    steps   {(state, type of event): state after it}; what is not there is refused
    """

    thing: str
    begins: S
    steps: Mapping[tuple[S, type[Event]], S]

    def after(self, subject_id: str, state: S, event: type[Event]) -> S:
        """The state after `event`. Raises Refused, naming what can be done instead."""
        found = self.steps.get((state, event))
        if found is not None:
            return found
        possible = [verb(kind) for at, kind in self.steps if at is state]
        raise Refused(
            f"{self.thing}.wrong-state",
            f"{self.thing} {subject_id}",
            f"it is {state.value} and cannot be {verb(event)}",
            f"from here it can be {' or '.join(sorted(set(possible)))}"
            if possible
            else "nothing follows this state; begin a new one",
        )

    def events(self) -> tuple[type[Event], ...]:
        """Every type of event in the table, in the order in which it first stands there."""
        return tuple(dict.fromkeys(event for _, event in self.steps))

    def reachable(self) -> frozenset[S]:
        """The states that can come about."""
        found = {self.begins}
        while True:
            more = {after for (before, _), after in self.steps.items() if before in found} - found
            if not more:
                return frozenset(found)
            found |= more


def verb(event: type[Event]) -> str:
    """What an event did, in a word: RegionAuthorised, named "region.authorised/1", is "authorised"."""
    name = getattr(event, "NAME", event.__name__)
    return str(name).rpartition(".")[2].partition("/")[0].replace("_", " ").replace("-", " ")
