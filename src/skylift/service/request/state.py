"""A call for help and its life cycle.

received -> acknowledged -> accepted -> answered -> closed; refused or merged from the first two. A call is
accepted only when its asker is verified: in a war whoever asks for a dish may not be who they say.
A draft is no call: a program reckoned it. It is received once a person confirms it, or discarded.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room, changed
from skylift.service.request.events import (
    AskerVerified,
    Channel,
    RefusalReason,
    RequestAccepted,
    RequestAcknowledged,
    RequestAnswered,
    RequestClosed,
    RequestConfirmed,
    RequestDrafted,
    RequestEvent,
    RequestMerged,
    RequestPlaced,
    RequestReceived,
    RequestRefused,
    RequestReopened,
    RequestSeparated,
    SiteKind,
)

NEVER = InstantUs(0)


class RequestState(enum.Enum):
    """Where a call stands."""

    UNKNOWN = "unknown"
    DRAFT = "draft"
    DISCARDED = "discarded"
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    MERGED = "merged"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True)
class Request:
    """A call for help, without anything personal.

    asked_at     of a draft: when it was drafted; once it is confirmed, when that was
    verified_by  the authority that vouches for the asker; "" for nobody yet
    merged_into  the id of the call that goes on for this one; "" where it stands for itself
    granted, delivered  terminals promised, and there
    """

    id: str
    state: RequestState = RequestState.UNKNOWN
    channel: Channel = Channel.FORM
    site_kind: SiteKind = SiteKind.HOUSEHOLD
    asked_at: InstantUs = NEVER
    received_at: InstantUs = NEVER
    acknowledged_at: InstantUs | None = None
    needed_by: InstantUs | None = None
    people: int = 0
    terminals_wanted: int = 0
    cell: str = ""
    region: str = ""
    verified_by: str = ""
    merged_into: str = ""
    granted: int = 0
    delivered: int = 0
    refusal: RefusalReason | None = None

    @property
    def is_draft(self) -> bool:
        return self.state in (RequestState.DRAFT, RequestState.DISCARDED)

    @property
    def is_open(self) -> bool:
        return self.state in (RequestState.RECEIVED, RequestState.ACKNOWLEDGED, RequestState.ACCEPTED)


def _steps() -> dict[tuple[RequestState, type[Event]], RequestState]:
    s = RequestState
    steps: dict[tuple[RequestState, type[Event]], RequestState] = {
        (s.UNKNOWN, RequestReceived): s.RECEIVED,
        (s.UNKNOWN, RequestDrafted): s.DRAFT,
        (s.DRAFT, RequestPlaced): s.DRAFT,
        (s.DRAFT, RequestConfirmed): s.RECEIVED,
        # For good: what was reckoned wrongly must not come back as a call.
        (s.DRAFT, RequestRefused): s.DISCARDED,
        (s.RECEIVED, RequestAcknowledged): s.ACKNOWLEDGED,
        (s.MERGED, RequestSeparated): s.ACKNOWLEDGED,
        (s.ACKNOWLEDGED, RequestAccepted): s.ACCEPTED,
        (s.ACCEPTED, RequestAnswered): s.ANSWERED,
        (s.ANSWERED, RequestClosed): s.CLOSED,
        (s.REFUSED, RequestClosed): s.CLOSED,
        (s.REFUSED, RequestReopened): s.ACKNOWLEDGED,
        (s.ANSWERED, RequestReopened): s.ACKNOWLEDGED,
        (s.CLOSED, RequestReopened): s.ACKNOWLEDGED,
    }
    for state in (s.RECEIVED, s.ACKNOWLEDGED):
        steps[state, RequestMerged] = s.MERGED
        steps[state, RequestRefused] = s.REFUSED
    steps[s.ACCEPTED, RequestRefused] = s.REFUSED
    for state in (s.RECEIVED, s.ACKNOWLEDGED, s.ACCEPTED):
        steps[state, RequestPlaced] = state
        steps[state, AskerVerified] = state
    return steps


CYCLE = LifeCycle(thing="request", begins=RequestState.UNKNOWN, steps=_steps())


def apply(request: Request, event: Event) -> Request:
    """The call after an event. Raises Refused where its life cycle has no such step."""
    after = changed(request, state=CYCLE.after(request.id, request.state, type(event)))
    assert isinstance(event, RequestEvent)
    match event:
        case RequestReceived():
            return _received(after, event, event.asked_at, event.needed_by)
        case RequestDrafted():
            return _received(after, event, event.at, None)
        case RequestConfirmed():
            return changed(after, asked_at=event.at, received_at=event.at)
        case RequestAcknowledged():
            return changed(after, acknowledged_at=event.at)
        case RequestPlaced():
            return changed(after, cell=event.cell, region=event.region)
        case AskerVerified():
            return changed(after, verified_by=event.authority)
        case RequestMerged():
            return changed(after, merged_into=event.into)
        case RequestSeparated():
            return changed(after, merged_into="")
    return _answered(after, event)


def _answered(after: Request, event: RequestEvent) -> Request:
    match event:
        case RequestAccepted():
            return changed(after, granted=event.terminals)
        case RequestRefused():
            return changed(after, refusal=event.reason)
        case RequestAnswered():
            return changed(after, delivered=event.terminals)
        case RequestReopened():
            return changed(after, refusal=None)
    return after


def _received(
    request: Request,
    event: RequestReceived | RequestDrafted,
    asked_at: InstantUs,
    needed_by: InstantUs | None,
) -> Request:
    return changed(
        request,
        channel=event.channel,
        site_kind=event.site_kind,
        asked_at=asked_at,
        received_at=event.at,
        needed_by=needed_by,
        people=event.people,
        terminals_wanted=event.terminals_wanted,
        cell=event.cell,
        region=event.region,
    )


_LABELS = {
    RequestState.UNKNOWN: "Not known",
    RequestState.DRAFT: "Draft: nobody has asked",
    RequestState.DISCARDED: "Draft, discarded",
    RequestState.RECEIVED: "Not read yet",
    RequestState.ACKNOWLEDGED: "Read, asker told",
    RequestState.MERGED: "Part of another call",
    RequestState.ACCEPTED: "Terminals promised",
    RequestState.REFUSED: "No terminals",
    RequestState.ANSWERED: "Terminals are there",
    RequestState.CLOSED: "Done",
}


def label(state: RequestState) -> str:
    """The words that a coordinator reads on the call's card."""
    return _LABELS[state]


def facets(request: Request) -> Facets:
    """What lists of calls are searched by."""
    words = (request.site_kind.value, request.channel.value, request.cell)
    return Facets(
        status=request.state.value, region=request.region, words=tuple(word for word in words if word)
    )


ROOM: Room[Request] = Room(
    kind="request",
    prefix="req",
    state=Request,
    empty=Request,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
