"""What can happen to a region."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs


class Paper(enum.Enum):
    """The chain of papers that ordinary service needs, and the one that replaces them for a while."""

    LANDING_RIGHT = "landing-right"
    SPECTRUM = "spectrum"
    OPERATOR_LICENCE = "operator-licence"
    TYPE_APPROVAL = "type-approval"
    CUSTOMS_ROUTE = "customs-route"
    TEMPORARY = "temporary-authorisation"


CHAIN = tuple(paper for paper in Paper if paper is not Paper.TEMPORARY)


class CellMode(enum.Enum):
    """How a cell is served."""

    DISABLED = "disabled"
    WAITLIST = "waitlist"
    ENABLED = "enabled"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a restricted cell allows. hours_utc: whole hours in which service is on; () means always."""

    allow_list_only: bool = False
    speed_cap_bps: float | None = None
    roaming: bool = True
    hours_utc: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RegionEvent(Event):
    """Something that happened to a region."""


@dataclass(frozen=True, slots=True)
class RegionOpened(RegionEvent):
    """A region is known by its country and name; nothing is allowed there yet."""

    NAME: ClassVar[str] = "region.opened/1"

    country: str
    title: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegionRequested(RegionEvent):
    """The authority was asked for service here."""

    NAME: ClassVar[str] = "region.requested/1"


@dataclass(frozen=True, slots=True)
class PaperGranted(RegionEvent):
    """The authority granted one paper. document: its own reference, never a file's content."""

    NAME: ClassVar[str] = "region.paper-granted/1"

    paper: Paper
    authority: str
    document: str
    valid_from: InstantUs
    valid_until: InstantUs


@dataclass(frozen=True, slots=True)
class PaperRevoked(RegionEvent):
    """The authority took one paper back."""

    NAME: ClassVar[str] = "region.paper-revoked/1"

    paper: Paper
    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class RegionRefused(RegionEvent):
    """The authority said no."""

    NAME: ClassVar[str] = "region.refused/1"

    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class RegionActivated(RegionEvent):
    """Service is switched on; `approval` names the agreement of two people."""

    NAME: ClassVar[str] = "region.activated/1"

    approval: str


@dataclass(frozen=True, slots=True)
class RegionSuspended(RegionEvent):
    """Service is switched off for now."""

    NAME: ClassVar[str] = "region.suspended/1"

    reason: str
    approval: str


@dataclass(frozen=True, slots=True)
class RegionProhibited(RegionEvent):
    """Service is forbidden: a sanction, or the authority's order."""

    NAME: ClassVar[str] = "region.prohibited/1"

    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProhibitionLifted(RegionEvent):
    """What forbade service is gone; nothing is switched on by it."""

    NAME: ClassVar[str] = "region.prohibition-lifted/1"

    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class CellsSet(RegionEvent):
    """These cells are served so from now on; cells that were not in the region become part of it."""

    NAME: ClassVar[str] = "region.cells-set/1"

    cells: tuple[str, ...]
    mode: CellMode
    approval: str
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class CellsRemoved(RegionEvent):
    """These cells do not belong to the region any more."""

    NAME: ClassVar[str] = "region.cells-removed/1"

    cells: tuple[str, ...]
    approval: str
