"""What approvers do: agree to an exact change, or decline it. Verbs that need two people propose it."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.service.approval.state import ROOM, agreed, declined
from skylift.twin.office.verbs import Nothing, Verb


@dataclass(frozen=True, slots=True)
class Agree:
    """change: the hash of the change as this person has read it."""

    change: str


VERBS = (
    Verb(
        "approval.agree",
        ROOM,
        Agree,
        lambda t, m, a: agreed(t, m.who, m.actor.person, a.change),
        "Agree to this very change.",
    ),
    Verb(
        "approval.decline",
        ROOM,
        Nothing,
        lambda t, m, a: declined(t, m.who, m.actor.person),
        "Say no to it.",
    ),
)
