"""Reading calls for help: how urgent each looks and why, and which of them may be the same one.

Nothing is decided or put in order silently: a score is told with all that it is made of, a likeness with its
reasons, and what somebody does about either is another verb.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from skylift.api.office.desk import Desk
from skylift.api.office.documents import readable
from skylift.api.office.door import Call, Door, answer
from skylift.api.office.problems import missing
from skylift.api.office.score import Part, score_of
from skylift.ports.store import Reader, Stored, Wanted
from skylift.service.account.roles import Subject
from skylift.service.request.likeness import Told, alike
from skylift.service.request.state import ROOM, Request, RequestState
from skylift.twin.office.verbs import Actor

# So many of each state are looked at; each comparison of words takes a good part of a millisecond.
MOST_SCORED, MOST_SHOWN = 1000, 100
MOST_COMPARED = 300
_WAITING = (RequestState.RECEIVED, RequestState.ACKNOWLEDGED)
_OPEN = (*_WAITING, RequestState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class CallScore:
    """How urgent a call looks now. points: of `most`; parts: what they are made of."""

    request: str
    status: str
    points: float
    most: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Triage:
    """Calls that wait, the most urgent first. cut: there are more than were looked at."""

    items: tuple[CallScore, ...]
    looked_at: int
    cut: bool


@dataclass(frozen=True, slots=True)
class LikeCall:
    """Another call that may be the same; likeness from 0 to 1. The reasons hold nothing personal."""

    request: str
    status: str
    likeness: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LikeCalls:
    """The likeliest first; a person merges them, or does not. compared: with how many others."""

    items: tuple[LikeCall, ...]
    compared: int


def doors() -> list[Door]:
    """All of them."""
    one = "/api/v1/requests/{id}"
    return [
        Door(
            "GET",
            "/api/v1/triage",
            triage,
            "Calls that wait, by a score that says what it is made of.",
            "request",
            {200: Triage},
        ),
        Door(
            "GET",
            f"{one}/score",
            score,
            "How urgent a call looks now, and why.",
            "request",
            {200: CallScore},
            id_kind="request",
        ),
        Door(
            "GET",
            f"{one}/duplicates",
            duplicates,
            "Open calls that may be the same one, with reasons.",
            "request",
            {200: LikeCalls},
            id_kind="request",
        ),
    ]


async def triage(call: Call) -> Response:
    desk, actor, now_us = call.desk, call.asker(), call.desk.clock.now()
    if actor.scopes and "request.read" not in actor.scopes:
        # Says why, rather than that there is nothing.
        desk.office.refuse_strangers(actor, "request.read", Subject())

    def read(reader: Reader) -> Triage:
        pages = [reader.list(ROOM, Wanted(status=one.value, limit=MOST_SCORED)) for one in _WAITING]
        mine = [one for page in pages for one in page if readable(desk.office, actor, ROOM, one.thing)]
        scored = sorted(
            (_scored(one.thing, now_us) for one in mine), key=lambda one: (-one.points, one.request)
        )
        cut = len(scored) > MOST_SHOWN or any(len(page) == MOST_SCORED for page in pages)
        return Triage(tuple(scored[:MOST_SHOWN]), len(scored), cut)

    return answer(await desk.read(read))


async def score(call: Call) -> Response:
    stored = await call.desk.read(lambda reader: _readable(call, reader))
    return answer(_scored(stored.thing, call.desk.clock.now()))


async def duplicates(call: Call) -> Response:
    desk, actor = call.desk, call.asker()

    def read(reader: Reader) -> LikeCalls:
        stored = _readable(call, reader)
        near = [
            one
            for state in _OPEN
            for one in reader.list(
                ROOM, Wanted(status=state.value, region=stored.thing.region, limit=MOST_COMPARED)
            )
            if one.id != stored.id and readable(desk.office, actor, ROOM, one.thing)
        ][:MOST_COMPARED]
        status = {one.id: ROOM.facets(one.thing).status for one in near}
        found = alike(
            _told(desk, actor, reader, stored.thing), [_told(desk, actor, reader, one.thing) for one in near]
        )
        return LikeCalls(
            tuple(LikeCall(a.request_id, status[a.request_id], a.likeness, a.reasons) for a in found),
            len(near),
        )

    return answer(await desk.read(read))


def _readable(call: Call, reader: Reader) -> Stored[Request]:
    stored = reader.get(ROOM, call.id)
    if stored is None or not readable(call.desk.office, call.asker(), ROOM, stored.thing):
        raise missing("request")
    return stored


def _scored(request: Request, now_us: int) -> CallScore:
    shown = score_of(request, now_us)
    return CallScore(request.id, ROOM.facets(request).status, shown.points, shown.most, shown.parts)


def _told(desk: Desk, actor: Actor, reader: Reader, request: Request) -> Told:
    """With what is personal only for those who may read that: what is the same tells what it is."""
    if not desk.office.allows(actor, "request.read-personal", Subject(region=request.region)):
        return Told(request)
    kept = reader.personal(request.id)
    return Told(request, *(str(kept.get(name, "")) for name in ("contact", "site", "words")))
