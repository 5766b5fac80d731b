"""What can happen to an authority's list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.terminal.allow_list.rows import Entry


@dataclass(frozen=True, slots=True)
class AllowListEvent(Event):
    """Something that happened to a list."""


@dataclass(frozen=True, slots=True)
class AllowListAccepted(AllowListEvent):
    """It was shown and taken; nothing is cut off by that.

    rules, version  by which it was judged.  document: the authority's number of the list
    apply_after     the end of the grace
    despite         the authority's word that owners with more than the rules allow are meant; "" where none
    have
    region          whose authority gave it; "" in lists from before this was kept
    """

    NAME: ClassVar[str] = "allow-list.accepted/1"

    rules: str
    version: int
    country: str
    authority: str
    document: str
    entries: tuple[Entry, ...]
    apply_after: InstantUs
    would_cut_off: int
    would_flag: int
    despite: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class GraceExtended(AllowListEvent):
    """More time for those who are missing."""

    NAME: ClassVar[str] = "allow-list.grace-extended/1"

    apply_after: InstantUs


@dataclass(frozen=True, slots=True)
class ApplicationScheduled(AllowListEvent):
    """It applies by itself when its grace ends, unless it would cut off others than these by then.

    flagged    those of them that were watched when it was looked at
    agreement  of two people, where it took two
    """

    NAME: ClassVar[str] = "allow-list.scheduled/1"

    cut_off: tuple[str, ...]
    flagged: tuple[str, ...]
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class AllowListApplied(AllowListEvent):
    """These terminals are cut off, these stay. agreement: of two people, where a watched site loses
    service.
    """

    NAME: ClassVar[str] = "allow-list.applied/1"

    cut_off: tuple[str, ...]
    stays: tuple[str, ...]
    agreement: str = ""


@dataclass(frozen=True, slots=True)
class AllowListWithdrawn(AllowListEvent):
    """The authority takes it back; nobody is cut off by it any more."""

    NAME: ClassVar[str] = "allow-list.withdrawn/1"

    authority: str
    document: str


@dataclass(frozen=True, slots=True)
class AllowListReplaced(AllowListEvent):
    """Another list of the same authority is in force."""

    NAME: ClassVar[str] = "allow-list.replaced/1"

    by_list: str
