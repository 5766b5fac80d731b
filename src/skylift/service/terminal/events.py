"""What can happen to a terminal. No event holds a name, an address, a place finer than a cell, or free
text.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from skylift.base.events import Event
from skylift.base.instants import InstantUs


class Network(enum.Enum):
    """Whose satellites it speaks to: ours (skylift itself decides in every slot), or an operator's by its
    API.
    """

    OURS = "ours"
    OPERATOR = "operator"


class Enforcer(enum.Enum):
    """Who makes a command true."""

    OUR_NETWORK = "our-network"
    OPERATOR_API = "operator-api"
    FIELD = "field"


class CommandKind(enum.Enum):
    """What is asked of an enforcer."""

    ACTIVATE = "activate"
    PAUSE = "pause"
    BLOCK = "block"


class Mobility(enum.Enum):
    """Where it may be used: at home only; carried; or on a vehicle under way."""

    FIXED = "fixed"
    PORTABLE = "portable"
    IN_MOTION = "in-motion"


class Origin(enum.Enum):
    """How a terminal came that we have not sent on its way ourselves."""

    BOUGHT_ABROAD = "bought-abroad"
    GIFT = "gift"
    OTHER_RECORDS = "other-records"


class NameReason(enum.Enum):
    """Why its serial, kit number or dish id is set."""

    LEARNED = "learned"
    CORRECTED = "corrected"
    REPLACED = "part-replaced"


class Basis(enum.Enum):
    """On what a verification rests; OPERATOR is the operator's own check where no law asks for more."""

    ALLOW_LIST = "allow-list"
    AUTHORITY = "authority"
    OPERATOR = "operator"


class PauseReason(enum.Enum):
    """Why service is paused."""

    OWNER = "owner"
    PLAN = "plan"
    MAINTENANCE = "maintenance"
    AUTHORITY = "authority"


class BlockReason(enum.Enum):
    """Why it is blocked."""

    ORDER = "authority-order"
    NOT_LISTED = "not-on-allow-list"
    FRAUD = "fraud"
    SANCTION = "sanction"
    STOLEN = "stolen"
    SAFETY = "safety"


class Retirement(enum.Enum):
    """Why it is used no more."""

    DESTROYED = "destroyed"
    BROKEN = "broken"
    RETURNED = "returned-to-maker"
    NEVER_WAS = "recorded-by-mistake"


class OfferEnd(enum.Enum):
    """How an offer to hand over ended without one."""

    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


class LineStanding(enum.Enum):
    """Whether an operator serves a service line, as far as it is told."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "not-said"


class LineSource(enum.Enum):
    """From where a service line is known."""

    OPERATORS_API = "operators-api"
    OTHER_RECORDS = "other-records"


@dataclass(frozen=True, slots=True)
class TerminalEvent(Event):
    """Something that happened to a terminal."""


@dataclass(frozen=True, slots=True)
class TerminalManufactured(TerminalEvent):
    """The maker told of it. What is printed on it: serial, kit, dish_id; "" for what is not known yet."""

    NAME: ClassVar[str] = "terminal.manufactured/1"

    serial: str
    kit: str
    dish_id: str
    hardware: str
    network: Network


@dataclass(frozen=True, slots=True)
class TerminalDeclared(TerminalEvent):
    """It is there, and came without our export: bought abroad, given, or from another's records."""

    NAME: ClassVar[str] = "terminal.declared/1"

    serial: str
    kit: str
    dish_id: str
    hardware: str
    network: Network
    origin: Origin


@dataclass(frozen=True, slots=True)
class NamesSet(TerminalEvent):
    """What is printed on it is these three."""

    NAME: ClassVar[str] = "terminal.names-set/1"

    serial: str
    kit: str
    dish_id: str
    why: NameReason


@dataclass(frozen=True, slots=True)
class TerminalExported(TerminalEvent):
    """It left a country. document: reference of the export paper."""

    NAME: ClassVar[str] = "terminal.exported/1"

    country: str
    document: str


@dataclass(frozen=True, slots=True)
class CustomsEntered(TerminalEvent):
    NAME: ClassVar[str] = "terminal.customs-entered/1"

    country: str
    document: str


@dataclass(frozen=True, slots=True)
class CustomsLeft(TerminalEvent):
    """cleared: let in or through; otherwise it was turned back, and is on the road again."""

    NAME: ClassVar[str] = "terminal.customs-left/1"

    cleared: bool
    document: str


@dataclass(frozen=True, slots=True)
class TerminalDelivered(TerminalEvent):
    """It is at a depot (its code) or with an account (its id)."""

    NAME: ClassVar[str] = "terminal.delivered/1"

    place: str


@dataclass(frozen=True, slots=True)
class TerminalRegistered(TerminalEvent):
    """It belongs to an account and has a home. region: the id of the region that holds the cell, "" for
    none.
    """

    NAME: ClassVar[str] = "terminal.registered/1"

    owner: str
    cell: str
    mobility: Mobility
    region: str = ""


@dataclass(frozen=True, slots=True)
class HomeSet(TerminalEvent):
    """It has another home, or moves in another way."""

    NAME: ClassVar[str] = "terminal.home-set/1"

    cell: str
    mobility: Mobility
    region: str = ""


@dataclass(frozen=True, slots=True)
class TerminalUnregistered(TerminalEvent):
    """Its owner gave it up; it belongs to nobody."""

    NAME: ClassVar[str] = "terminal.unregistered/1"


@dataclass(frozen=True, slots=True)
class TerminalVerified(TerminalEvent):
    """authority: its account or code; reference: its own, never an identity number; list_id: the
    allow-list.
    """

    NAME: ClassVar[str] = "terminal.verified/1"

    basis: Basis
    authority: str
    reference: str
    list_id: str = ""


@dataclass(frozen=True, slots=True)
class VerificationWithdrawn(TerminalEvent):
    NAME: ClassVar[str] = "terminal.verification-withdrawn/1"

    authority: str
    reference: str


@dataclass(frozen=True, slots=True)
class TerminalActivated(TerminalEvent):
    """It may be served. Whether it is, its enforcer says: see CommandConfirmed."""

    NAME: ClassVar[str] = "terminal.activated/1"


@dataclass(frozen=True, slots=True)
class TerminalPaused(TerminalEvent):
    NAME: ClassVar[str] = "terminal.paused/1"

    why: PauseReason


@dataclass(frozen=True, slots=True)
class TerminalLost(TerminalEvent):
    """Nobody knows where it is."""

    NAME: ClassVar[str] = "terminal.lost/1"


@dataclass(frozen=True, slots=True)
class TerminalStolen(TerminalEvent):
    """Somebody else has it. captured: by an enemy's forces."""

    NAME: ClassVar[str] = "terminal.stolen/1"

    captured: bool = False


@dataclass(frozen=True, slots=True)
class TerminalFound(TerminalEvent):
    """It is in known hands again, and begins anew: its owner registers it, somebody verifies it."""

    NAME: ClassVar[str] = "terminal.found/1"


@dataclass(frozen=True, slots=True)
class TerminalBlocked(TerminalEvent):
    """authority: who ordered it and alone lifts it; for_ever: nobody does."""

    NAME: ClassVar[str] = "terminal.blocked/1"

    why: BlockReason
    authority: str
    document: str
    for_ever: bool = False


@dataclass(frozen=True, slots=True)
class BlockLifted(TerminalEvent):
    """One authority takes its own block back; others may still stand."""

    NAME: ClassVar[str] = "terminal.block-lifted/1"

    authority: str
    document: str


@dataclass(frozen=True, slots=True)
class TerminalReleased(TerminalEvent):
    """No block stands any more, or an authority hands a stolen one back; it begins anew."""

    NAME: ClassVar[str] = "terminal.released/1"

    authority: str
    document: str


@dataclass(frozen=True, slots=True)
class TerminalRetired(TerminalEvent):
    NAME: ClassVar[str] = "terminal.retired/1"

    why: Retirement


@dataclass(frozen=True, slots=True)
class TerminalRestored(TerminalEvent):
    """It was retired, and is repaired or was retired by mistake."""

    NAME: ClassVar[str] = "terminal.restored/1"

    document: str


@dataclass(frozen=True, slots=True)
class HandOverOffered(TerminalEvent):
    """Its owner offers it to another account."""

    NAME: ClassVar[str] = "terminal.hand-over-offered/1"

    to: str


@dataclass(frozen=True, slots=True)
class HandOverAccepted(TerminalEvent):
    """The other took it: the owner is another, and the verification of the former ends."""

    NAME: ClassVar[str] = "terminal.hand-over-accepted/1"

    owner: str
    cell: str
    mobility: Mobility
    region: str = ""


@dataclass(frozen=True, slots=True)
class HandOverEnded(TerminalEvent):
    NAME: ClassVar[str] = "terminal.hand-over-ended/1"

    how: OfferEnd


@dataclass(frozen=True, slots=True)
class TerminalServed(TerminalEvent):
    """A slot of our network gave it a link, for the first time since it was activated. slot_at: its start."""

    NAME: ClassVar[str] = "terminal.served/1"

    slot_at: InstantUs


@dataclass(frozen=True, slots=True)
class LineRecorded(TerminalEvent):
    """An operator's service line that it is on. product: as the operator's catalogue calls it, "" where it is
    not told; started_at, ended_at: of the line, None where not told.
    """

    NAME: ClassVar[str] = "terminal.line-recorded/1"

    number: str
    product: str
    standing: LineStanding
    started_at: InstantUs | None
    ended_at: InstantUs | None
    source: LineSource


@dataclass(frozen=True, slots=True)
class NoLineRecorded(TerminalEvent):
    """Its operator has no service line for it. former: the line's number that it was on, "" for none."""

    NAME: ClassVar[str] = "terminal.no-line-recorded/1"

    former: str
    source: LineSource


@dataclass(frozen=True, slots=True)
class CommandAsked(TerminalEvent):
    """An enforcer was asked at `at`. Nothing is in force by that."""

    NAME: ClassVar[str] = "terminal.command-asked/1"

    command_id: str
    kind: CommandKind
    enforcer: Enforcer


@dataclass(frozen=True, slots=True)
class CommandConfirmed(TerminalEvent):
    """The enforcer said at `at` that it is so. evidence: its reference, or the slot."""

    NAME: ClassVar[str] = "terminal.command-confirmed/1"

    command_id: str
    evidence: str


@dataclass(frozen=True, slots=True)
class CommandFailed(TerminalEvent):
    """The enforcer said no, or did not answer. error: its code."""

    NAME: ClassVar[str] = "terminal.command-failed/1"

    command_id: str
    error: str
