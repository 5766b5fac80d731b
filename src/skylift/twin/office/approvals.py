"""What approvers do: agree to an exact change, or decline it. Verbs that need two people propose it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import format_instant
from skylift.service.account import person as persons
from skylift.service.approval.state import ROOM, Approval, agreed, declined
from skylift.twin.office.verbs import Moment, Nothing, Verb


@dataclass(frozen=True, slots=True)
class Agree:
    """change: the hash of the change as this person has read it."""

    change: str


def _agreed(approval: Approval, moment: Moment, given: Agree) -> Sequence[Event]:
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
)
