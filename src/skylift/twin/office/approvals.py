"""What becomes of a proposed change: others agree or decline, whoever proposed it takes it back.

Verbs that need two people propose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import format_instant
from skylift.base.things import Room
from skylift.ports.store import Reader, Stored
from skylift.service.account import person as persons
from skylift.service.approval.state import (
    ROOM,
    Approval,
    Standing,
    agreed,
    declined,
    standing,
    withdrawn,
)
from skylift.service.rooms import ROOMS
from skylift.twin.office.verbs import Moment, Nothing, Verb

_ROOM_OF: dict[str, Room[Any]] = {room.prefix: room for room in ROOMS if room.prefix}

# How an agreement stands that somebody may still do something with, besides saying no to it.
CAN_BE_CARRIED_OUT = frozenset({Standing.OPEN, Standing.AGREED})


def about_now(reader: Reader, approval: Approval) -> Stored[Any] | None:
    """The thing that an agreement is about, as it is: version 0 before it is begun. None: no such kind."""
    room = _ROOM_OF.get(approval.about.partition("_")[0])
    if room is None:
        return None
    return reader.get(room, approval.about) or Stored(approval.about, room.empty(approval.about), 0)


def standing_now(reader: Reader, approval: Approval, at: int) -> Standing:
    """How an agreement stands, with what it is about as the store has it."""
    about = about_now(reader, approval)
    return standing(approval, at, None if about is None else about.version)


def _refuse_void(reader: Reader, approval: Approval, at: int) -> None:
    about = about_now(reader, approval)
    if about is None or standing(approval, at, about.version) is not Standing.VOID:
        return
    room = _ROOM_OF[about.id.partition("_")[0]]
    raise Refused(
        "approval.void",
        f"approval {approval.id}",
        f"{room.kind} {about.id} is at version {about.version} and {room.facets(about.thing).status} by now, "
        f"not at version {approval.proposed_version} as it was proposed: nobody can carry it out any more",
        f"read the {room.kind} as it is now, and propose the change anew",
    )


@dataclass(frozen=True, slots=True)
class Agree:
    """change: the hash of the change as this person has read it."""

    change: str


def _agreed(approval: Approval, moment: Moment, given: Agree) -> Sequence[Event]:
    _refuse_void(moment.reader, approval, moment.at)
    stored = moment.reader.get(persons.ROOM, moment.actor.person)
    if stored is not None and moment.at < stored.thing.approves_from:
        raise Refused(
            "approval.too-new",
            f"person {stored.id}",
            f"one person alone has made them an approver: their word counts from "
            f"{format_instant(stored.thing.approves_from)} on",
            "wait, or ask another approver",
        )
    return agreed(approval, moment.who, moment.actor.person, given.change)


VERBS = (
    Verb(
        "approval.agree",
        ROOM,
        Agree,
        _agreed,
        "Agree to this very change.",
    ),
    Verb(
        "approval.decline",
        ROOM,
        Nothing,
        lambda t, m, a: declined(t, m.who, m.actor.person),
        "Say no to it.",
    ),
    Verb(
        "approval.withdraw",
        ROOM,
        Nothing,
        lambda t, m, a: withdrawn(t, m.who, m.actor.person),
        "Take back what you have proposed yourself.",
    ),
)
