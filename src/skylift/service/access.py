"""That somebody read what is personal about a subject: who, when, and the names of the fields there were.

As with an erasure, no value of a field is in it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

_NO_TIME = InstantUs(0)


@dataclass(frozen=True, slots=True)
class PersonalRead(Event):
    """`by` was shown what is kept about the subject. fields: which there were."""

    NAME: ClassVar[str] = "store.personal-read/1"

    fields: tuple[str, ...] = ()


class AccessState(enum.Enum):
    """Whether anybody ever looked."""

    NEVER = "never"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Access:
    """How often what is personal about a subject, whose id it has, was read; by whom, and when, last."""

    id: str
    state: AccessState = AccessState.NEVER
    times: int = 0
    last_at: InstantUs = _NO_TIME
    last_by: str = ""


CYCLE = LifeCycle(
    thing="access",
    begins=AccessState.NEVER,
    steps={
        (AccessState.NEVER, PersonalRead): AccessState.READ,
        (AccessState.READ, PersonalRead): AccessState.READ,
    },
)


def apply(access: Access, event: Event) -> Access:
    state = CYCLE.after(access.id, access.state, type(event))
    return Access(access.id, state, access.times + 1, event.at, event.by)


def read(subject_id: str, who: Who, fields: Iterable[str]) -> tuple[PersonalRead, ...]:
    """The event of a reading; it is committed before anything is shown."""
    return (PersonalRead(who.at, who.by, subject_id, who.cause_id, tuple(sorted(fields))),)


ROOM: Room[Access] = Room(
    kind="access",
    # The id is that of the subject.
    prefix="",
    state=Access,
    empty=Access,
    apply=apply,
    facets=lambda access: Facets(status=access.state.value),
    events=CYCLE.events(),
)
