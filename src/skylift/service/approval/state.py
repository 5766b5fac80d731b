"""An agreement of several people to one exact change.

Who proposes is the first. People count, not accounts or tokens: `person` is whoever stands behind a login.
An agreement is used once, for the change with the same hash, before it lapses.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.base.instants import InstantUs, format_instant
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room

# A day: long enough for another time zone, too short for a change that everybody has forgotten.
LONGEST_US = 86_400_000_000
MOST_PEOPLE = 5
_NEVER = InstantUs(0)


@dataclass(frozen=True, slots=True)
class ApprovalEvent(Event):
    """Something that happened to an agreement."""


@dataclass(frozen=True, slots=True)
class ChangeProposed(ApprovalEvent):
    """A person proposes a change, and so agrees to it.

    verb     "region.activate"
    about    the thing's id
    version  of that thing as it was then; 0: it is to be begun
    region   that it belongs to, "" for none: whose roles are limited to it, sees the proposal
    """

    NAME: ClassVar[str] = "approval.proposed/1"

    verb: str
    about: str
    change: str
    person: str
    people_needed: int
    lapses_at: InstantUs
    version: int | None = None
    region: str = ""


@dataclass(frozen=True, slots=True)
class ChangeAgreed(ApprovalEvent):
    """Another person agrees to it, having seen this very hash."""

    NAME: ClassVar[str] = "approval.agreed/1"

    person: str
    change: str


@dataclass(frozen=True, slots=True)
class ChangeDeclined(ApprovalEvent):
    """A person says no; one is enough."""

    NAME: ClassVar[str] = "approval.declined/1"

    person: str


@dataclass(frozen=True, slots=True)
class ChangeWithdrawn(ApprovalEvent):
    """Whoever proposed it takes it back."""

    NAME: ClassVar[str] = "approval.withdrawn/1"

    person: str


@dataclass(frozen=True, slots=True)
class ChangeMade(ApprovalEvent):
    """The change was made; the agreement is used up."""

    NAME: ClassVar[str] = "approval.used/1"


class ApprovalState(enum.Enum):
    """Where an agreement stands."""

    UNKNOWN = "unknown"
    OPEN = "open"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Approval:
    """An agreement.

    people            who agreed so far, the proposer first
    proposed_version  of the thing that it is about; 0: it is to be begun
    region            of that thing; "" for none
    """

    id: str
    state: ApprovalState = ApprovalState.UNKNOWN
    verb: str = ""
    about: str = ""
    change: str = ""
    people: tuple[str, ...] = ()
    people_needed: int = 2
    lapses_at: InstantUs = _NEVER
    proposed_version: int | None = None
    region: str = ""

    @property
    def proposer(self) -> str:
        return self.people[0] if self.people else ""

    @property
    def is_agreed(self) -> bool:
        return self.state is ApprovalState.OPEN and len(self.people) >= self.people_needed


_S = ApprovalState
CYCLE = LifeCycle(
    thing="approval",
    begins=_S.UNKNOWN,
    steps={
        (_S.UNKNOWN, ChangeProposed): _S.OPEN,
        (_S.OPEN, ChangeAgreed): _S.OPEN,
        (_S.OPEN, ChangeDeclined): _S.DECLINED,
        (_S.OPEN, ChangeWithdrawn): _S.WITHDRAWN,
        (_S.OPEN, ChangeMade): _S.USED,
    },
)


def apply(approval: Approval, event: Event) -> Approval:
    """The agreement after an event. Raises Refused where its life cycle has no such step."""
    after = replace(approval, state=CYCLE.after(approval.id, approval.state, type(event)))
    match event:
        case ChangeProposed():
            return replace(
                after,
                verb=event.verb,
                about=event.about,
                change=event.change,
                people=(event.person,),
                people_needed=event.people_needed,
                lapses_at=event.lapses_at,
                proposed_version=event.version,
                region=event.region,
            )
        case ChangeAgreed():
            return replace(after, people=(*approval.people, event.person))
    return after


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be agreed to; `change` is its change_hash, `version` the one that this is over.

    region  of the thing that it is about; "" for none
    """

    verb: str
    about: str
    change: str
    version: int
    people_needed: int = 2
    lasts_us: int = LONGEST_US
    region: str = ""


def proposed(approval: Approval, who: Who, person: str, proposal: Proposal) -> tuple[ApprovalEvent, ...]:
    CYCLE.after(approval.id, approval.state, ChangeProposed)
    if not 2 <= proposal.people_needed <= MOST_PEOPLE:
        raise Refused(
            "approval.people", "people_needed", f"an agreement takes 2 to {MOST_PEOPLE} people", "correct it"
        )
    if not 0 < proposal.lasts_us <= LONGEST_US:
        raise Refused("approval.lasts", "lasts_us", "it lasts at most a day", "give a shorter time")
    return (
        ChangeProposed(
            who.at, who.by, approval.id, who.cause_id, proposal.verb, proposal.about, proposal.change,
            person, proposal.people_needed, InstantUs(who.at + proposal.lasts_us), proposal.version,
            proposal.region,
        ),
    )  # fmt: skip


def agreed(approval: Approval, who: Who, person: str, change: str) -> tuple[ApprovalEvent, ...]:
    """`change`: the hash of what this person was shown."""
    CYCLE.after(approval.id, approval.state, ChangeAgreed)
    _not_lapsed(approval, who.at)
    if person in approval.people:
        raise Refused(
            "approval.same-person",
            f"approval {approval.id}",
            "this person has agreed already; all accounts and tokens of one person count once",
            "let somebody else read and approve it",
        )
    _the_same(approval, change)
    return (ChangeAgreed(who.at, who.by, approval.id, who.cause_id, person, change),)


def declined(approval: Approval, who: Who, person: str) -> tuple[ApprovalEvent, ...]:
    CYCLE.after(approval.id, approval.state, ChangeDeclined)
    return (ChangeDeclined(who.at, who.by, approval.id, who.cause_id, person),)


def withdrawn(approval: Approval, who: Who, person: str) -> tuple[ApprovalEvent, ...]:
    CYCLE.after(approval.id, approval.state, ChangeWithdrawn)
    if person != approval.proposer:
        raise Refused(
            "approval.not-yours",
            f"approval {approval.id}",
            "only the person who proposed it takes it back",
            "ask them, or have an approver decline it",
        )
    return (ChangeWithdrawn(who.at, who.by, approval.id, who.cause_id, person),)


def used(approval: Approval, who: Who, verb: str, change: str) -> tuple[ApprovalEvent, ...]:
    """Use it for the change with this hash; whoever makes the change commits both together."""
    CYCLE.after(approval.id, approval.state, ChangeMade)
    _not_lapsed(approval, who.at)
    if verb != approval.verb:
        raise Refused(
            "approval.other-change",
            f"approval {approval.id}",
            f"it is for {approval.verb}",
            "propose this change",
        )
    _the_same(approval, change)
    if not approval.is_agreed:
        missing = approval.people_needed - len(approval.people)
        raise Refused(
            "approval.people-missing",
            f"approval {approval.id}",
            f"{missing} more {'person has' if missing == 1 else 'people have'} to agree",
            "ask another approver",
        )
    return (ChangeMade(who.at, who.by, approval.id, who.cause_id),)


def _not_lapsed(approval: Approval, at: int) -> None:
    if at >= approval.lapses_at:
        raise Refused(
            "approval.lapsed",
            f"approval {approval.id}",
            f"it lapsed at {format_instant(approval.lapses_at)}",
            "propose the change again",
        )


def _the_same(approval: Approval, change: str) -> None:
    if change != approval.change:
        raise Refused(
            "approval.other-change",
            f"approval {approval.id}",
            "it binds another change: something was altered since it was proposed",
            "read the change again, and propose it anew",
        )


class Standing(enum.Enum):
    """How an agreement stands at an instant, which is more than its state."""

    OPEN = "open"
    AGREED = "agreed"
    VOID = "void"
    LAPSED = "lapsed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    USED = "used"


def standing(approval: Approval, at: int, about_version: int | None) -> Standing:
    """How it stands.

    about_version  of the thing that it is about, as it is at that instant: 0 before it is begun, None where
                   nobody knows. At another than what was proposed, the change can be made by nobody any more.
    """
    if approval.state is not ApprovalState.OPEN:
        return Standing(approval.state.value)
    if at >= approval.lapses_at:
        return Standing.LAPSED
    if None not in (about_version, approval.proposed_version) and about_version != approval.proposed_version:
        return Standing.VOID
    return Standing.AGREED if approval.is_agreed else Standing.OPEN


def label(state: ApprovalState) -> str:
    """The words that an approver reads."""
    match state:
        case ApprovalState.UNKNOWN:
            return "Not known"
        case ApprovalState.OPEN:
            return "Waiting for another person"
        case ApprovalState.DECLINED:
            return "Declined"
        case ApprovalState.WITHDRAWN:
            return "Withdrawn"
        case ApprovalState.USED:
            return "Done"
    assert_never(state)


def facets(approval: Approval) -> Facets:
    """What lists of agreements are searched by."""
    return Facets(status=approval.state.value, region=approval.region, words=(approval.verb, approval.about))


ROOM: Room[Approval] = Room(
    kind="approval",
    prefix="apr",
    state=Approval,
    empty=Approval,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
