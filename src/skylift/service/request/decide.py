"""What may be done with a call for help."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
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
from skylift.service.request.state import CYCLE, Request, RequestState

MOST_TERMINALS = 100_000
# A cell of resolution 5 has about 250 km2; a finer one would lead to the house, and the journal keeps it.
FINEST_CELL = 5
MOST_PEOPLE = 100_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """What a call says, without anything personal; None and "" where it does not say."""

    channel: Channel
    site_kind: SiteKind
    asked_at: InstantUs
    people: int = 0
    terminals_wanted: int = 1
    cell: str = ""
    region: str = ""
    needed_by: InstantUs | None = None


def received(request: Request, who: Who, call: Call) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestReceived)
    if call.asked_at > who.at:
        raise Refused(
            "request.from-the-future", "asked_at", "nobody asks after they were heard", "check the time zone"
        )
    _possible(call)
    if call.needed_by is not None and call.needed_by < call.asked_at:
        raise Refused(
            "request.needed-by", "needed_by", "it is before the call itself", "give a later time, or none"
        )
    return (
        RequestReceived(
            who.at, who.by, request.id, who.cause_id, call.channel, call.site_kind, call.asked_at,
            call.people, call.terminals_wanted, call.cell, call.region, call.needed_by,
        ),
    )  # fmt: skip


def drafted(request: Request, who: Who, call: Call) -> tuple[RequestEvent, ...]:
    """What a program reckoned: it waits for a person. Raises Refused where it says when somebody asked."""
    CYCLE.after(request.id, request.state, RequestDrafted)
    _possible(call)
    if call.asked_at != who.at or call.needed_by is not None:
        raise Refused(
            "request.draft",
            "a draft",
            "nobody has asked, so there is neither a time of asking nor a deadline",
            "leave both out, or record a call",
        )
    return (
        RequestDrafted(
            who.at, who.by, request.id, who.cause_id, call.channel, call.site_kind, call.people,
            call.terminals_wanted, call.cell, call.region,
        ),
    )  # fmt: skip


def confirmed(request: Request, who: Who) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestConfirmed)
    return (RequestConfirmed(who.at, who.by, request.id, who.cause_id, request.region),)


def acknowledged(request: Request, who: Who) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestAcknowledged)
    return (RequestAcknowledged(who.at, who.by, request.id, who.cause_id),)


def placed(request: Request, who: Who, cell: str, region: str) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestPlaced)
    _coarse(cell)
    return (RequestPlaced(who.at, who.by, request.id, who.cause_id, cell, region),)


def verified(request: Request, who: Who, authority: str, how: str) -> tuple[RequestEvent, ...]:
    """`authority` is one of the known ones: whoever calls has looked it up."""
    CYCLE.after(request.id, request.state, AskerVerified)
    if not authority:
        raise Refused(
            "request.no-authority", "authority", "somebody known vouches for an asker", "name the authority"
        )
    return (AskerVerified(who.at, who.by, request.id, who.cause_id, authority, how),)


def merged(request: Request, who: Who, into: Request) -> tuple[RequestEvent, ...]:
    """Found by a person, never by a program alone."""
    CYCLE.after(request.id, request.state, RequestMerged)
    if into.id == request.id or into.merged_into:
        raise Refused(
            "request.merge",
            f"request {into.id}",
            "it is the same one" if into.id == request.id else f"it is itself part of {into.merged_into}",
            "merge into one that stands for itself",
        )
    if not into.is_open:
        first = "confirm" if into.state is RequestState.DRAFT else "reopen"
        raise Refused("request.merge", f"request {into.id}", f"it is {into.state.value}", f"{first} it first")
    return (RequestMerged(who.at, who.by, request.id, who.cause_id, into.id),)


def separated(request: Request, who: Who) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestSeparated)
    return (RequestSeparated(who.at, who.by, request.id, who.cause_id),)


def accepted(request: Request, who: Who, terminals: int) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestAccepted)
    if not request.verified_by:
        raise Refused(
            "request.not-verified",
            f"request {request.id}",
            "its asker is not verified",
            "verify the asker with a known authority first",
        )
    if not request.cell:
        raise Refused(
            "request.no-place", f"request {request.id}", "nobody knows for where it is", "place it first"
        )
    _counted("terminals", terminals, 1, MOST_TERMINALS)
    return (RequestAccepted(who.at, who.by, request.id, who.cause_id, terminals),)


def refused(request: Request, who: Who, reason: RefusalReason) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestRefused)
    return (RequestRefused(who.at, who.by, request.id, who.cause_id, reason),)


def answered(request: Request, who: Who, terminals: int, shipment: str = "") -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestAnswered)
    _counted("terminals", terminals, 1, MOST_TERMINALS)
    return (RequestAnswered(who.at, who.by, request.id, who.cause_id, terminals, shipment),)


def reopened(request: Request, who: Who) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestReopened)
    return (RequestReopened(who.at, who.by, request.id, who.cause_id),)


def closed(request: Request, who: Who) -> tuple[RequestEvent, ...]:
    CYCLE.after(request.id, request.state, RequestClosed)
    return (RequestClosed(who.at, who.by, request.id, who.cause_id),)


def _possible(call: Call) -> None:
    _counted("people", call.people, 0, MOST_PEOPLE)
    _counted("terminals_wanted", call.terminals_wanted, 1, MOST_TERMINALS)
    _coarse(call.cell)


def _counted(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise Refused(
            "request.number", name, f"it is a whole number from {least} to {most:,}", "correct the number"
        )


def _coarse(cell: str) -> None:
    """Raises Refused for what is no cell, or one so fine that it is an exact place. It is not repeated."""
    if cell and not is_cell(cell, FINEST_CELL):
        raise Refused(
            "request.cell",
            "cell",
            f"it is an H3 cell no finer than resolution {FINEST_CELL}",
            "give its parent cell; exact places are kept apart",
        )
