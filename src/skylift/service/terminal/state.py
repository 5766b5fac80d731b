"""A terminal, its life cycle, and what every event makes of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.base.life_cycle import LifeCycle
from skylift.base.things import Facets, Room, changed
from skylift.service.terminal import events as e
from skylift.service.terminal import service_line
from skylift.service.terminal.commands import Commands
from skylift.service.terminal.events import CommandKind, Enforcer, Mobility, Network
from skylift.service.terminal.service_line import ServiceLine


class TerminalState(enum.Enum):
    """What was decided about a terminal; whether it is so, `in_force` says."""

    UNKNOWN = "unknown"
    MANUFACTURED = "manufactured"
    EXPORTED = "exported"
    IN_CUSTOMS = "in-customs"
    DELIVERED = "delivered"
    REGISTERED = "registered"
    VERIFIED = "verified"
    ACTIVE = "active"
    PAUSED = "paused"
    LOST = "lost"
    STOLEN = "stolen"
    BLOCKED = "blocked"
    RETIRED = "retired"


class Missing(enum.Enum):
    """Out of its owner's hands, and how."""

    LOST = "lost"
    STOLEN = "stolen"
    CAPTURED = "captured"


@dataclass(frozen=True, slots=True)
class Block:
    """One authority's order that it must not be served."""

    why: e.BlockReason
    document: str
    since: InstantUs
    for_ever: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """On what its owner's right to it rests."""

    basis: e.Basis
    authority: str
    reference: str
    since: InstantUs
    list_id: str


_NEVER = InstantUs(0)
_ENFORCER = {Network.OURS: Enforcer.OUR_NETWORK, Network.OPERATOR: Enforcer.OPERATOR_API}
_CUT_OFF = frozenset({TerminalState.LOST, TerminalState.STOLEN, TerminalState.BLOCKED, TerminalState.RETIRED})


@dataclass(frozen=True)
class Terminal:
    """One dish with its kit.

    serial, kit, dish_id  what is printed on it and what the network calls it; "" where not known yet
    place      where it was delivered: a depot's code or an account's id
    owner      account; "" for none.  offered_to: an account that may accept it
    cell       H3 index of its home, no finer than resolution 5; region: which holds the cell, "" for none
    blocks     standing orders by the authority that gave them
    served_at  start of the first slot of our network that served it since it was activated
    missing    why it is not in its owner's hands; None where it is, or nobody knows better
    line       its operator's service line; None where nobody told of one, or that there is none
    """

    id: str
    state: TerminalState = TerminalState.UNKNOWN
    serial: str = ""
    kit: str = ""
    dish_id: str = ""
    hardware: str = ""
    network: Network = Network.OURS
    origin: e.Origin | None = None
    place: str = ""
    owner: str = ""
    offered_to: str = ""
    cell: str = ""
    region: str = ""
    mobility: Mobility = Mobility.FIXED
    verified: Verified | None = None
    missing: Missing | None = None
    blocks: Mapping[str, Block] = field(default_factory=dict)
    pause: e.PauseReason | None = None
    retired: e.Retirement | None = None
    since: InstantUs = _NEVER
    served_at: InstantUs | None = None
    commands: Commands = field(default_factory=Commands)
    line: ServiceLine | None = None

    @property
    def enforcer(self) -> Enforcer:
        """Who runs its network."""
        return _ENFORCER[self.network]

    @property
    def barred(self) -> str:
        """Why the Asks of the next slot give it nothing: a code such as "terminal.lost"; "" for nothing."""
        return "" if self.state is TerminalState.ACTIVE else f"terminal.{self.state.value}"

    @property
    def cut_off(self) -> bool:
        """Whether it must not be served whoever asks: lost, stolen, blocked or retired."""
        return self.state in _CUT_OFF

    @property
    def wanted(self) -> CommandKind | None:
        """What should be in force; None where nothing was ever switched on and nothing forbids it."""
        if self.state is TerminalState.ACTIVE:
            return CommandKind.ACTIVATE
        if self.cut_off:
            return CommandKind.BLOCK
        if self.state is TerminalState.PAUSED or self.commands.ever_activated():
            return CommandKind.PAUSE
        return None

    @property
    def to_ask(self) -> tuple[Enforcer, ...]:
        """Enforcers that do not head for what is wanted: they have to be asked, or asked again."""
        return self.commands.to_ask(self.enforcer, self.wanted)

    def in_force(self, at: int) -> CommandKind | None:
        """What its enforcers had confirmed at an instant; what was only asked is not in force."""
        return self.commands.in_force(self.enforcer, at)


def _steps() -> dict[tuple[TerminalState, type[Event]], TerminalState]:
    s = TerminalState
    steps: dict[tuple[TerminalState, type[Event]], TerminalState] = {
        (s.UNKNOWN, e.TerminalManufactured): s.MANUFACTURED,
        # Bought abroad or given: nobody here saw it leave a factory.
        (s.UNKNOWN, e.TerminalDeclared): s.DELIVERED,
        (s.MANUFACTURED, e.TerminalExported): s.EXPORTED,
        (s.MANUFACTURED, e.TerminalDelivered): s.DELIVERED,
        (s.EXPORTED, e.CustomsEntered): s.IN_CUSTOMS,
        # Inside a customs union no one asks for papers.
        (s.EXPORTED, e.TerminalDelivered): s.DELIVERED,
        (s.IN_CUSTOMS, e.TerminalDelivered): s.DELIVERED,
        # Let through to the next border, or turned back: on the road either way.
        (s.IN_CUSTOMS, e.CustomsLeft): s.EXPORTED,
        (s.DELIVERED, e.TerminalDelivered): s.DELIVERED,
        (s.ACTIVE, e.TerminalServed): s.ACTIVE,
        # Poland bought thousands and sent them on.
        (s.DELIVERED, e.TerminalExported): s.EXPORTED,
        (s.DELIVERED, e.TerminalRegistered): s.REGISTERED,
        (s.REGISTERED, e.TerminalVerified): s.VERIFIED,
        (s.VERIFIED, e.TerminalActivated): s.ACTIVE,
        (s.ACTIVE, e.TerminalPaused): s.PAUSED,
        (s.PAUSED, e.TerminalActivated): s.ACTIVE,
        (s.LOST, e.TerminalFound): s.DELIVERED,
        (s.LOST, e.TerminalStolen): s.STOLEN,
        (s.STOLEN, e.TerminalReleased): s.DELIVERED,
        (s.BLOCKED, e.BlockLifted): s.BLOCKED,
        (s.BLOCKED, e.TerminalReleased): s.DELIVERED,
        # A blocked one may be missing too: found again, it stays blocked.
        (s.BLOCKED, e.TerminalLost): s.BLOCKED,
        (s.BLOCKED, e.TerminalStolen): s.BLOCKED,
        (s.BLOCKED, e.TerminalFound): s.BLOCKED,
        (s.RETIRED, e.TerminalRestored): s.DELIVERED,
    }
    for state in (s.VERIFIED, s.ACTIVE, s.PAUSED):
        steps[state, e.TerminalVerified] = state
        steps[state, e.VerificationWithdrawn] = s.REGISTERED
    owned = (s.REGISTERED, s.VERIFIED, s.ACTIVE, s.PAUSED)
    for state in owned:
        steps[state, e.HomeSet] = state
        steps[state, e.HandOverOffered] = state
        steps[state, e.HandOverEnded] = state
        steps[state, e.HandOverAccepted] = s.REGISTERED
        steps[state, e.TerminalUnregistered] = s.DELIVERED
    held = (s.MANUFACTURED, s.EXPORTED, s.IN_CUSTOMS, s.DELIVERED, *owned)
    for state in held:
        # A whole pallet can be lost before it had an owner.
        steps[state, e.TerminalLost] = s.LOST
        steps[state, e.TerminalStolen] = s.STOLEN
        # Names of what is lost, stolen or blocked stay: under another serial it would come back unseen.
        steps[state, e.NamesSet] = state
    for state in (*held, s.LOST, s.STOLEN, s.BLOCKED):
        steps[state, e.TerminalBlocked] = s.BLOCKED
        steps[state, e.TerminalRetired] = s.RETIRED
    for state in (*held, *_CUT_OFF):
        for told in (e.CommandAsked, e.CommandConfirmed, e.CommandFailed, e.LineRecorded, e.NoLineRecorded):
            steps[state, told] = state
    return steps


CYCLE = LifeCycle(thing="terminal", begins=TerminalState.UNKNOWN, steps=_steps())


def apply(terminal: Terminal, event: Event) -> Terminal:
    """The terminal after an event. Raises Refused where its life cycle has no such step."""
    state = CYCLE.after(terminal.id, terminal.state, type(event))
    since = terminal.since if state is terminal.state else event.at
    return _CHANGES[type(event)](changed(terminal, state=state, since=since), event)


def _known(t: Terminal, event: Any) -> Terminal:
    return changed(
        t, serial=event.serial, kit=event.kit, dish_id=event.dish_id, hardware=event.hardware,
        network=event.network, origin=getattr(event, "origin", None), since=event.at,
    )  # fmt: skip


def _renamed(t: Terminal, event: e.NamesSet) -> Terminal:
    return changed(t, serial=event.serial, kit=event.kit, dish_id=event.dish_id)


def _housed(t: Terminal, event: Any) -> Terminal:
    return changed(t, cell=event.cell, mobility=event.mobility, region=event.region)


def _owned(t: Terminal, event: Any) -> Terminal:
    return changed(_housed(t, event), owner=event.owner, offered_to="", verified=None, pause=None)


def _nobodys(t: Terminal, event: Event) -> Terminal:
    """In known hands, without owner, home and verification, as a new one would be."""
    t = changed(t, owner="", offered_to="", cell="", region="", verified=None, pause=None)
    return changed(t, missing=None, retired=None)


def _verified(t: Terminal, event: e.TerminalVerified) -> Terminal:
    by = Verified(event.basis, event.authority, event.reference, event.at, event.list_id)
    return changed(t, verified=by)


def _unverified(t: Terminal, event: Event) -> Terminal:
    return changed(t, verified=None, pause=None)


def _taken(t: Terminal, missing: Missing) -> Terminal:
    # An offer to hand over what nobody has is void.
    return changed(t, missing=missing, offered_to="")


def _stolen(t: Terminal, event: e.TerminalStolen) -> Terminal:
    return _taken(t, Missing.CAPTURED if event.captured else Missing.STOLEN)


def _found(t: Terminal, event: Event) -> Terminal:
    return changed(t, missing=None) if t.state is TerminalState.BLOCKED else _nobodys(t, event)


def _blocked(t: Terminal, event: e.TerminalBlocked) -> Terminal:
    block = Block(event.why, event.document, event.at, event.for_ever)
    return changed(t, blocks={**t.blocks, event.authority: block}, offered_to="")


def _lifted(t: Terminal, event: e.BlockLifted) -> Terminal:
    return changed(t, blocks={who: b for who, b in t.blocks.items() if who != event.authority})


def _asked(t: Terminal, event: e.CommandAsked) -> Terminal:
    return changed(t, commands=t.commands.with_asked(event.command_id, event.kind, event.enforcer, event.at))


def _confirmed(t: Terminal, event: e.CommandConfirmed) -> Terminal:
    return changed(t, commands=t.commands.with_confirmed(event.command_id, event.at, event.evidence))


_CHANGES: Mapping[type[Event], Callable[[Terminal, Any], Terminal]] = {
    e.TerminalManufactured: _known,
    e.TerminalDeclared: _known,
    e.NamesSet: _renamed,
    e.TerminalExported: lambda t, _: changed(t, place=""),
    e.CustomsEntered: lambda t, _: t,
    e.CustomsLeft: lambda t, _: t,
    e.TerminalDelivered: lambda t, event: changed(t, place=event.place),
    e.TerminalRegistered: _owned,
    e.HomeSet: _housed,
    e.TerminalUnregistered: _nobodys,
    e.TerminalVerified: _verified,
    e.VerificationWithdrawn: _unverified,
    e.TerminalActivated: lambda t, _: changed(t, pause=None, served_at=None),
    e.TerminalServed: lambda t, event: changed(t, served_at=event.slot_at),
    e.TerminalPaused: lambda t, event: changed(t, pause=event.why),
    e.TerminalLost: lambda t, _: _taken(t, Missing.LOST),
    e.TerminalStolen: _stolen,
    e.TerminalFound: _found,
    e.TerminalBlocked: _blocked,
    e.BlockLifted: _lifted,
    e.TerminalReleased: _nobodys,
    e.TerminalRetired: lambda t, event: changed(t, retired=event.why, offered_to=""),
    e.TerminalRestored: _nobodys,
    e.HandOverOffered: lambda t, event: changed(t, offered_to=event.to),
    e.HandOverAccepted: _owned,
    e.HandOverEnded: lambda t, _: changed(t, offered_to=""),
    e.LineRecorded: lambda t, event: changed(t, line=service_line.of(event)),
    e.NoLineRecorded: lambda t, event: changed(t, line=service_line.of(event)),
    e.CommandAsked: _asked,
    e.CommandConfirmed: _confirmed,
    e.CommandFailed: lambda t, event: changed(
        t, commands=t.commands.with_failed(event.command_id, event.error)
    ),
}


LABELS: Mapping[TerminalState, str] = {
    TerminalState.UNKNOWN: "Not known",
    TerminalState.MANUFACTURED: "At the maker's",
    TerminalState.EXPORTED: "On its way",
    TerminalState.IN_CUSTOMS: "In customs",
    TerminalState.DELIVERED: "Delivered, belongs to nobody yet",
    TerminalState.REGISTERED: "Has an owner, not verified",
    TerminalState.VERIFIED: "Verified, not switched on",
    TerminalState.ACTIVE: "May be served",
    TerminalState.PAUSED: "Paused",
    TerminalState.LOST: "Lost: cut off",
    TerminalState.STOLEN: "Stolen: cut off",
    TerminalState.BLOCKED: "Blocked by order",
    TerminalState.RETIRED: "Out of use",
}


def label(state: TerminalState) -> str:
    """The words that people read on the terminal's card."""
    return LABELS[state]


def facets(terminal: Terminal) -> Facets:
    """What lists of terminals are searched by."""
    line = (terminal.line.number, terminal.line.product) if terminal.line is not None else ()
    names = {"serial": terminal.serial, "kit": terminal.kit, "dish_id": terminal.dish_id}
    if terminal.state is TerminalState.RETIRED and terminal.retired is e.Retirement.NEVER_WAS:
        # Recorded by mistake: the one that really has these names may be recorded.
        names = {}
    return Facets(
        status=terminal.state.value,
        region=terminal.region,
        owner=terminal.owner,
        keys={what: name for what, name in names.items() if name},
        words=tuple(w.lower() for w in (terminal.hardware, terminal.cell, terminal.place, *line) if w),
    )


ROOM: Room[Terminal] = Room(
    kind="terminal",
    prefix="trm",
    state=Terminal,
    empty=Terminal,
    apply=apply,
    facets=facets,
    events=CYCLE.events(),
)
