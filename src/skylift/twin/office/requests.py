"""What can be done with calls for help. Names, contacts, words and exact places go to erasable rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.account.roles import Subject
from skylift.service.authority.events import Matter
from skylift.service.request import decide
from skylift.service.request.events import Channel, RefusalReason, SiteKind
from skylift.service.request.state import ROOM, Request
from skylift.twin.handle import load
from skylift.twin.office.placing import region_of
from skylift.twin.office.verbs import Actor, Moment, Nothing, Verb
from skylift.twin.office.vouching import known_word, of_request, vouched

PERSONAL = ("asker", "contact", "site", "words", "link", "author", "latitude_deg", "longitude_deg")


@dataclass(frozen=True, slots=True)
class Receive:
    """A call for help. asker to longitude_deg are personal, and can be erased.

    cell   H3 index of resolution 5; where it is not known yet, `place` gives it later
    draft  a program reckoned it and nobody has asked: it waits until a person confirms it
    """

    channel: Channel
    site_kind: SiteKind
    asked_at: InstantUs | None = None
    people: int = 0
    terminals_wanted: int = 1
    cell: str = ""
    region: str = ""
    needed_by: InstantUs | None = None
    asker: str = ""
    contact: str = ""
    site: str = ""
    words: str = ""
    link: str = ""
    author: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True)
class PlaceIt:
    cell: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Verify:
    """authority: the code of one on the register; how: "call back", "letter", ..."""

    authority: str
    how: str


@dataclass(frozen=True, slots=True)
class MergeInto:
    into: str


@dataclass(frozen=True, slots=True)
class Accept:
    terminals: int


@dataclass(frozen=True, slots=True)
class Refuse:
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Answer:
    terminals: int
    shipment: str = ""


def _received(request: Request, moment: Moment, given: Receive) -> Sequence[Event]:
    if (given.latitude_deg is None) != (given.longitude_deg is None):
        raise Refused("request.place", "the place", "it has a latitude and a longitude", "give both, or none")
    for angle_deg, most_deg in ((given.latitude_deg, 90.0), (given.longitude_deg, 180.0)):
        if angle_deg is not None and not -most_deg <= angle_deg <= most_deg:
            raise Refused(
                "request.place",
                "the place",
                "latitudes are from -90 to 90 degrees, longitudes from -180 to 180",
                "check whether they were swapped",
            )
    if given.channel is Channel.PUBLIC_POST and not given.link:
        raise Refused("request.no-link", "link", "a public post has one", "give the post's link")
    call = decide.Call(
        given.channel,
        given.site_kind,
        moment.at if given.asked_at is None else given.asked_at,
        given.people,
        given.terminals_wanted,
        given.cell,
        given.region or region_of(moment.reader, given.cell),
        given.needed_by,
    )
    return (decide.drafted if given.draft else decide.received)(request, moment.who, call)


def _accepted(request: Request, moment: Moment, given: Accept) -> Sequence[Event]:
    """Whoever vouched before it was known for where it is has to speak for that place as well."""
    events = decide.accepted(request, moment.who, given.terminals)
    places = of_request(request, moment.reader)
    try:
        known_word(moment, request.verified_by, Matter.ASKERS, places)
    except Refused as refusal:
        way_out = f"verify the asker anew: {refusal.way_out}"
        raise Refused(refusal.code, refusal.thing, refusal.rule, way_out) from None
    return events


def _merged(request: Request, moment: Moment, given: MergeInto) -> Sequence[Event]:
    return decide.merged(request, moment.who, load(ROOM, moment.reader, given.into).thing)


def _where(given: Receive, actor: Actor) -> Subject:
    return Subject(region=given.region, owner=actor.account)


VERBS = (
    Verb(
        "request.create",
        ROOM,
        Receive,
        _received,
        "Take a call for help.",
        creates=True,
        subject_of=_where,
        personal=PERSONAL,
    ),
    Verb(
        "request.confirm",
        ROOM,
        Nothing,
        lambda r, m, a: decide.confirmed(r, m.who),
        "Make a draft a call for help: somebody does need it.",
    ),
    Verb(
        "request.acknowledge",
        ROOM,
        Nothing,
        lambda r, m, a: decide.acknowledged(r, m.who),
        "Tell the asker that the call has been read.",
    ),
    Verb(
        "request.place",
        ROOM,
        PlaceIt,
        lambda r, m, a: decide.placed(r, m.who, a.cell, a.region or region_of(m.reader, a.cell)),
        "Say for where it is.",
    ),
    Verb(
        "request.verify",
        ROOM,
        Verify,
        vouched(
            lambda r, m, a: decide.verified(r, m.who, a.authority, a.how), of_request, lambda a: Matter.ASKERS
        ),
        "Record that the asker is who they say.",
    ),
    Verb("request.merge", ROOM, MergeInto, _merged, "Record that it is the same call as another."),
    Verb(
        "request.separate",
        ROOM,
        Nothing,
        lambda r, m, a: decide.separated(r, m.who),
        "Undo a merge.",
    ),
    Verb(
        "request.accept",
        ROOM,
        Accept,
        _accepted,
        "Promise terminals.",
    ),
    Verb(
        "request.refuse", ROOM, Refuse, lambda r, m, a: decide.refused(r, m.who, a.reason), "Say no, and why."
    ),
    Verb(
        "request.answer",
        ROOM,
        Answer,
        lambda r, m, a: decide.answered(r, m.who, a.terminals, a.shipment),
        "Record that what was promised is there.",
    ),
    Verb("request.reopen", ROOM, Nothing, lambda r, m, a: decide.reopened(r, m.who), "Take it up again."),
    Verb(
        "request.close", ROOM, Nothing, lambda r, m, a: decide.closed(r, m.who), "Nothing more will be done."
    ),
)
