"""What can happen to a call for help. Who asked, and in which words, is kept apart and erasable."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs


class Channel(enum.Enum):
    """How a call reached us."""

    FORM = "form"
    API = "api"
    EMAIL = "email"
    PUBLIC_POST = "public-post"
    CSV = "csv"
    PHONE = "phone"


class SiteKind(enum.Enum):
    """What a terminal is wanted for; docs/reference says which class of service each gets."""

    HOSPITAL = "hospital"
    RESCUE = "rescue"
    UTILITY = "utility"
    TELECOM = "telecom"
    GOVERNMENT = "government"
    SHELTER = "shelter"
    SCHOOL = "school"
    AID = "aid"
    MEDIA = "media"
    HOUSEHOLD = "household"


class RefusalReason(enum.Enum):
    """Why a call is not answered with terminals."""

    NOT_ALLOWED = "not-allowed-there"
    NOT_VERIFIED = "asker-not-verified"
    OUT_OF_REACH = "no-coverage"
    NONE_LEFT = "no-terminals-left"
    OTHER_MEANS = "other-means-available"
    NOT_A_CALL = "not-a-call-for-help"


@dataclass(frozen=True, slots=True)
class RequestEvent(Event):
    """Something that happened to a call for help."""


@dataclass(frozen=True, slots=True)
class RequestReceived(RequestEvent):
    """A call came in.

    asked_at   when it was made: a public post is older than its reading
    cell       H3 index, no finer than resolution 5; "" where the place is not known yet
    """

    NAME: ClassVar[str] = "request.received/1"

    channel: Channel
    site_kind: SiteKind
    asked_at: InstantUs
    people: int
    terminals_wanted: int
    cell: str = ""
    region: str = ""
    needed_by: InstantUs | None = None


@dataclass(frozen=True, slots=True)
class RequestDrafted(RequestEvent):
    """A program reckoned that somebody there may need help; nobody has asked. cell: as of a call."""

    NAME: ClassVar[str] = "request.drafted/1"

    channel: Channel
    site_kind: SiteKind
    people: int
    terminals_wanted: int
    cell: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class RequestConfirmed(RequestEvent):
    """A person made a draft a call: it counts from now on. region: of the draft as it stands."""

    NAME: ClassVar[str] = "request.confirmed/1"

    region: str = ""


@dataclass(frozen=True, slots=True)
class RequestAcknowledged(RequestEvent):
    """The asker was told that the call has been read."""

    NAME: ClassVar[str] = "request.acknowledged/1"


@dataclass(frozen=True, slots=True)
class RequestPlaced(RequestEvent):
    """Where it is for became known, or was corrected."""

    NAME: ClassVar[str] = "request.placed/1"

    cell: str
    region: str


@dataclass(frozen=True, slots=True)
class AskerVerified(RequestEvent):
    """The asker is who they say. authority: the id of the known authority that vouches; how: in a word."""

    NAME: ClassVar[str] = "request.asker-verified/1"

    authority: str
    how: str


@dataclass(frozen=True, slots=True)
class RequestMerged(RequestEvent):
    """A person found that it is the same call as another, which goes on for both."""

    NAME: ClassVar[str] = "request.merged/1"

    into: str


@dataclass(frozen=True, slots=True)
class RequestSeparated(RequestEvent):
    """The merge was a mistake."""

    NAME: ClassVar[str] = "request.separated/1"


@dataclass(frozen=True, slots=True)
class RequestAccepted(RequestEvent):
    """So many terminals will be sent."""

    NAME: ClassVar[str] = "request.accepted/1"

    terminals: int


@dataclass(frozen=True, slots=True)
class RequestRefused(RequestEvent):
    """No terminals, and why."""

    NAME: ClassVar[str] = "request.refused/1"

    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class RequestAnswered(RequestEvent):
    """What was promised is there: which shipment, how many terminals."""

    NAME: ClassVar[str] = "request.answered/1"

    terminals: int
    shipment: str = ""


@dataclass(frozen=True, slots=True)
class RequestReopened(RequestEvent):
    """It was refused, answered or closed too early."""

    NAME: ClassVar[str] = "request.reopened/1"


@dataclass(frozen=True, slots=True)
class RequestClosed(RequestEvent):
    """Nothing more will be done."""

    NAME: ClassVar[str] = "request.closed/1"
