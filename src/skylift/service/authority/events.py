"""What can happen to an authority's entry in the register."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs

_ALWAYS = InstantUs(0)


class Kind(enum.Enum):
    """What sort of body it is."""

    MINISTRY = "ministry"
    REGULATOR = "regulator"
    CUSTOMS = "customs"
    MUNICIPALITY = "municipality"
    MILITARY = "military"
    HEALTH = "health"
    AID = "aid-organisation"
    OPERATOR = "operator"
    """Of this service itself."""


class Matter(enum.Enum):
    """What its word may open."""

    ASKERS = "askers"
    """That whoever asks for help, or opens an account, is who they say."""
    LICENCES = "licences"
    """The papers that service in a region rests on, and lifting a prohibition."""
    CUSTOMS = "customs"
    """The customs route of a region."""
    TERMINALS = "terminals"
    """That a terminal may be served."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an entry says.

    title       the body's own name: a public body's, no person's
    countries   codes of ISO 3166-1 that it speaks for;  regions: ids of regions
    everywhere  it speaks for every country, as the service's own operator does
    source      where it is known from: a law, a gazette, an address of its own
    """

    title: str
    kind: Kind
    vouches_for: tuple[Matter, ...]
    source: str
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    everywhere: bool = False
    valid_from: InstantUs = _ALWAYS
    valid_until: InstantUs | None = None


@dataclass(frozen=True, slots=True)
class AuthorityEvent(Event):
    """Something that happened to an authority's entry; `by` is who recorded it."""


@dataclass(frozen=True, slots=True)
class AuthorityRecorded(AuthorityEvent):
    """approval: names the agreement of two people; "" where one alone sufficed."""

    NAME: ClassVar[str] = "authority.recorded/1"

    code: str
    terms: Terms
    approval: str = ""


@dataclass(frozen=True, slots=True)
class AuthorityAmended(AuthorityEvent):
    """The entry says something else from now on; what was vouched for before stays."""

    NAME: ClassVar[str] = "authority.amended/1"

    terms: Terms
    approval: str = ""


@dataclass(frozen=True, slots=True)
class AuthorityWithdrawn(AuthorityEvent):
    """Its word opens nothing any more; what was vouched for before stays."""

    NAME: ClassVar[str] = "authority.withdrawn/1"

    reason: str


@dataclass(frozen=True, slots=True)
class AuthorityRestored(AuthorityEvent):
    """Its word counts again."""

    NAME: ClassVar[str] = "authority.restored/1"

    approval: str = ""
