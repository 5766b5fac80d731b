"""A verb: one thing that can be done, by its name, with what it needs to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.things import Room
from skylift.ports.store import Ids, Reader
from skylift.service.account.roles import Grant, Subject
from skylift.service.terminal.allow_list.rules import Rules

# Sorts of changes to terminals that count together for one person (alone.py).
SWITCHED, MISSING = "switched", "missing"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: a person, through one of their logins or tokens.

    person   the human being; approvals count these
    account  the customer they belong to; "" for none
    scopes   verbs that a token is limited to; () for all that the roles allow
    """

    person: str
    account: str = ""
    grants: tuple[Grant, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision may look at besides its own thing: who and when, the other rooms, new ids.

    rules      of authorities, about whose terminals may be served
    arguments  what the caller said, for what changes beside the thing itself
    """

    who: Who
    reader: Reader
    actor: Actor
    ids: Ids
    approval: str = ""
    rules: tuple[Rules, ...] = ()
    arguments: Any = None

    @property
    def at(self) -> InstantUs:
        return self.who.at


Decide = Callable[[Any, Moment, Any], Sequence[Event]]


class Aside(NamedTuple):
    """Another thing that a decision changes as well. decide: (that thing) -> events; () for none.

    begins  it begins a new thing, with an id that was made for it
    """

    room: Room[Any]
    id: str
    decide: Callable[[Any], Sequence[Event]]
    begins: bool = False


Also = Callable[[Any, Moment, Sequence[Event]], Sequence[Aside]]


@dataclass(frozen=True)
class Verb:
    """One thing that can be done.

    name       "region.activate"; what roles allow and scopes name
    room       whose things it changes
    arguments  a frozen dataclass: what the caller says, checked by its types before anything else
    decide     (thing, moment, arguments) -> events; raises Refused
    creates    it begins a new thing; `subject_of` then says where that belongs
    whose      (thing, arguments) -> whose a thing counts as for this verb; None: as its facets say
    people     how many must agree: 1, or 2 where a second person has to
    people_for (thing, arguments, reader) -> how many, where that depends on what is asked
    counts     a sort: what one person does of it to many terminals, one after the other, is as if at once
    personal   names of arguments that are personal: they go to erasable rows and into no event
    also       (thing after it, moment, events) -> what else changes by it, each thing named once; all of it
               happens with the verb, or nothing does
    says       one line for lists of commands and for the API's own documentation
    own_door   its door is not made from this table alone: it answers more than the thing
    """

    name: str
    room: Room[Any]
    arguments: type
    decide: Decide
    says: str
    creates: bool = False
    subject_of: Callable[[Any, Actor], Subject] = lambda arguments, actor: Subject()
    whose: Callable[[Any, Any], Subject] | None = None
    people: int = 1
    people_for: Callable[[Any, Any, Reader], int] | None = None
    counts: str = ""
    personal: tuple[str, ...] = ()
    also: Also | None = None
    own_door: bool = False

    @property
    def may_take_two(self) -> bool:
        """Whether another person may have to agree."""
        return self.people > 1 or self.people_for is not None or bool(self.counts)

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]

    @property
    def action(self) -> str:
        return self.name.partition(".")[2]

    def subject(self, thing: Any, arguments: Any) -> Subject:
        if self.whose is not None:
            return self.whose(thing, arguments)
        facets = self.room.at_a_glance(thing)
        return Subject(facets.region, facets.owner)

    def people_needed(self, thing: Any, arguments: Any, reader: Reader) -> int:
        return self.people if self.people_for is None else self.people_for(thing, arguments, reader)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A verb that needs to be told nothing."""


@dataclass(frozen=True, slots=True)
class Because:
    """A verb that needs a reason. It is kept for ever: a reason, not a story about people."""

    reason: str


@dataclass(frozen=True)
class VerbTable:
    """All verbs by name."""

    verbs: Mapping[str, Verb] = field(default_factory=dict)

    @classmethod
    def of(cls, *groups: Sequence[Verb]) -> VerbTable:
        found: dict[str, Verb] = {}
        for group in groups:
            for verb in group:
                if verb.name in found:
                    raise ValueError(f"two verbs are named {verb.name}")
                found[verb.name] = verb
        return cls(found)

    def of_kind(self, kind: str) -> list[Verb]:
        return [verb for verb in self.verbs.values() if verb.kind == kind]

    def rooms(self) -> list[Room[Any]]:
        return list({verb.room.kind: verb.room for verb in self.verbs.values()}.values())
