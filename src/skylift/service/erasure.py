"""That somebody's data was erased: the one thing about it that stays in the journal.

What stays says of which subject (an id), why, and which fields there were, by their names: no value of them.
After a backup was restored, the list of these subjects says what must be erased again.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

_NO_TIME = InstantUs(0)
# A field is named by the program, such as "contact" or "place"; whatever else came in is not repeated here.
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Ground(enum.Enum):
    """Why it was erased."""

    ASKED = "asked"
    DANGER = "danger"
    ORDERED = "ordered"
    NO_LONGER_NEEDED = "no-longer-needed"


@dataclass(frozen=True, slots=True)
class Erased(Event):
    """All that was kept about a person or place is gone. fields: which there were."""

    NAME: ClassVar[str] = "store.erased/1"

    ground: Ground
    fields: tuple[str, ...] = ()


class ErasureState(enum.Enum):
    """Whether anything of a subject was ever erased."""

    NEVER = "never"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased of one subject, whose id it has: how often, when last, and why."""

    id: str
    state: ErasureState = ErasureState.NEVER
    times: int = 0
    last_at: InstantUs = _NO_TIME
    ground: Ground | None = None


CYCLE = LifeCycle(
    thing="erasure",
    begins=ErasureState.NEVER,
    steps={
        (ErasureState.NEVER, Erased): ErasureState.ERASED,
        # Somebody may have given their data anew, or a backup brought it back.
        (ErasureState.ERASED, Erased): ErasureState.ERASED,
    },
)


def apply(erasure: Erasure, event: Event) -> Erasure:
    state = CYCLE.after(erasure.id, erasure.state, type(event))
    assert isinstance(event, Erased)
    return Erasure(erasure.id, state, erasure.times + 1, event.at, event.ground)


def erased(subject_id: str, who: Who, ground: Ground, fields: Iterable[str]) -> tuple[Erased, ...]:
    """The event of an erasure; it goes into the transaction that calls `erase_personal`."""
    names = tuple(sorted(set(fields)))
    if not all(_FIELD.fullmatch(name) for name in names):
        raise Refused("erasure.field", "a field's name", "it is a short word in small letters", "correct it")
    return (Erased(who.at, who.by, subject_id, who.cause_id, ground, names),)


ROOM: Room[Erasure] = Room(
    kind="erasure",
    # The id is that of the subject.
    prefix="",
    state=Erasure,
    empty=Erasure,
    apply=apply,
    facets=lambda erasure: Facets(status=erasure.state.value),
    events=CYCLE.events(),
)
