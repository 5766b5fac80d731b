"""What can be done with terminals. What cuts one off or switches it on is asked of its enforcer at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.errors import Refused
from skylift.base.events import Event
from skylift.base.instants import InstantUs
from skylift.service.account import account
from skylift.service.account.roles import Role, Subject, may
from skylift.service.authority.events import Matter
from skylift.service.region import state as regions
from skylift.service.terminal import decide, trouble
from skylift.service.terminal import events as e
from skylift.service.terminal.commands import Command
from skylift.service.terminal.decide import Home, Names
from skylift.service.terminal.service_line import ServiceLine
from skylift.service.terminal.state import ROOM, Terminal
from skylift.twin.handle import load
from skylift.twin.office.placing import region_of
from skylift.twin.office.verbs import MISSING, SWITCHED, Actor, Moment, Nothing, Verb
from skylift.twin.office.vouching import of_terminal, vouched


@dataclass(frozen=True, slots=True)
class Create:
    """One of serial, kit and dish_id at least. origin: for one that we have not sent on its way ourselves."""

    hardware: str
    serial: str = ""
    kit: str = ""
    dish_id: str = ""
    network: e.Network = e.Network.OURS
    origin: e.Origin | None = None


@dataclass(frozen=True, slots=True)
class SetNames:
    why: e.NameReason
    serial: str = ""
    kit: str = ""
    dish_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordLine:
    """number: the operator's own; product: as its catalogue calls it."""

    number: str
    product: str = ""
    standing: e.LineStanding = e.LineStanding.UNKNOWN
    started_at: InstantUs | None = None
    ended_at: InstantUs | None = None
    source: e.LineSource = e.LineSource.OTHER_RECORDS


@dataclass(frozen=True, slots=True)
class RecordNoLine:
    source: e.LineSource = e.LineSource.OTHER_RECORDS


@dataclass(frozen=True, slots=True)
class Border:
    """country: ISO 3166; document: a reference."""

    country: str
    document: str


@dataclass(frozen=True, slots=True)
class Cleared:
    cleared: bool
    document: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """place: a depot's code, or an account's id."""

    place: str


@dataclass(frozen=True, slots=True)
class Register:
    """owner: an account; cell: its home, H3 of resolution 5."""

    owner: str
    cell: str
    mobility: e.Mobility = e.Mobility.FIXED
    region: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    cell: str
    mobility: e.Mobility = e.Mobility.FIXED
    region: str = ""


@dataclass(frozen=True, slots=True)
class Verify:
    basis: e.Basis
    authority: str
    reference: str
    list_id: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    why: e.PauseReason = e.PauseReason.OWNER


@dataclass(frozen=True, slots=True)
class Stolen:
    captured: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    why: e.BlockReason
    authority: str
    document: str
    for_ever: bool = False


@dataclass(frozen=True, slots=True)
class Unblock:
    authority: str
    document: str
    to_owner: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    to: str


@dataclass(frozen=True, slots=True)
class Retire:
    why: e.Retirement


@dataclass(frozen=True, slots=True)
class Confirm:
    """evidence: a reference of what the enforcer showed."""

    command: str
    evidence: str


@dataclass(frozen=True, slots=True)
class WithdrawVerification:
    """authority: the one that verified it; reference: its own."""

    authority: str
    reference: str


@dataclass(frozen=True, slots=True)
class Failed:
    """error: the enforcer's code for it."""

    command: str
    error: str


@dataclass(frozen=True, slots=True)
class Restore:
    """document: a reference of the repair, or of the mistake."""

    document: str


def _line_recorded(terminal: Terminal, moment: Moment, given: RecordLine) -> Sequence[Event]:
    told = (given.number, given.product, given.standing, given.started_at, given.ended_at, given.source)
    return decide.line_recorded(terminal, moment.who, ServiceLine(*told))


def _command(moment: Moment) -> str:
    return moment.ids.new("cmd")


def _created(terminal: Terminal, moment: Moment, given: Create) -> Sequence[Event]:
    names = Names(given.serial, given.kit, given.dish_id)
    if given.origin is None:
        return decide.manufactured(terminal, moment.who, names, given.hardware, given.network)
    return decide.declared(terminal, moment.who, names, given.hardware, given.network, given.origin)


def _home(moment: Moment, given: Register | Move) -> Home:
    """Where it is used; where no region is named, in the one that holds the cell.

    Raises Refused where the region that is named does not hold it.
    """
    if given.region:
        region = load(regions.ROOM, moment.reader, given.region).thing
        if given.cell not in region.cells:
            raise Refused(
                "terminal.region",
                f"region {given.region}",
                "it does not hold this cell",
                "name the region that does, have the cell added to it, or name none",
            )
    return Home(given.cell, given.mobility, given.region or region_of(moment.reader, given.cell))


def _registered(terminal: Terminal, moment: Moment, given: Register) -> Sequence[Event]:
    load(account.ROOM, moment.reader, given.owner)
    return decide.registered(terminal, moment.who, given.owner, _home(moment, given))


def _moved(terminal: Terminal, moment: Moment, given: Move) -> Sequence[Event]:
    return decide.home_set(terminal, moment.who, _home(moment, given))


def _accepted(terminal: Terminal, moment: Moment, given: Move) -> Sequence[Event]:
    home = _home(moment, given)
    return decide.hand_over_accepted(terminal, moment.who, moment.actor.account, home, _command(moment))


def _blocked(terminal: Terminal, moment: Moment, given: Block) -> Sequence[Event]:
    order = (given.why, given.authority, given.document)
    return trouble.blocked(terminal, moment.who, order, given.for_ever, _command(moment))


def _acting_for(terminal: Terminal, moment: Moment, verb: str) -> str:
    """The owner's account, where an operator acts for them there; else the actor's own."""
    as_operator = [grant for grant in moment.actor.grants if grant.role is Role.OPERATOR]
    if may(as_operator, "", verb, Subject(terminal.region, terminal.owner)):
        return terminal.owner
    return moment.actor.account


def _offered(terminal: Terminal, moment: Moment, given: Offer) -> Sequence[Event]:
    acting = _acting_for(terminal, moment, "terminal.hand-over")
    events = decide.hand_over_offered(terminal, moment.who, acting, given.to)
    load(account.ROOM, moment.reader, given.to)
    return events


def _unregistered(terminal: Terminal, moment: Moment, given: Nothing) -> Sequence[Event]:
    acting = _acting_for(terminal, moment, "terminal.unregister")
    return decide.unregistered(terminal, moment.who, acting, _command(moment))


def _offer_ended(terminal: Terminal, moment: Moment, given: Nothing) -> Sequence[Event]:
    acting = _acting_for(terminal, moment, "terminal.end-offer")
    return decide.hand_over_ended(terminal, moment.who, acting)


def _verification_withdrawn(
    terminal: Terminal, moment: Moment, given: WithdrawVerification
) -> Sequence[Event]:
    by = (given.authority, given.reference)
    return decide.verification_withdrawn(terminal, moment.who, *by, _command(moment))


def _confirmed(terminal: Terminal, moment: Moment, given: Confirm) -> Sequence[Event]:
    _refuse_of_ours(terminal, given.command)
    return decide.confirmed(terminal, moment.who, given.command, given.evidence)


def _failed(terminal: Terminal, moment: Moment, given: Failed) -> Sequence[Event]:
    _refuse_of_ours(terminal, given.command)
    return decide.failed(terminal, moment.who, given.command, given.error)


def said_by_people(terminal: Terminal) -> tuple[Command, ...]:
    """Commands that wait for somebody's word: of an operator's network, or of the field."""
    waiting = (*terminal.commands.pending, *terminal.commands.overtaken)
    return tuple(one for one in waiting if one.enforcer is not e.Enforcer.OUR_NETWORK)


def _refuse_of_ours(terminal: Terminal, command_id: str) -> None:
    """Raises Refused for what the slots of our own network show: nobody says in their place that it is so."""
    command = terminal.commands.open(command_id)
    if command is not None and command.enforcer is e.Enforcer.OUR_NETWORK:
        raise Refused(
            "terminal.confirmed-by-slots",
            f"terminal {terminal.id}",
            "our own network confirms this by the slot in which it is so, and people do not",
            "wait for the next slot of `skylift run`, or ask the field as well",
        )


def _to_whom(terminal: Terminal, given: Any) -> Subject:
    """An offer is taken by the account that it was made to, not by the one that made it."""
    return Subject(region=terminal.region, owner=terminal.offered_to)


def _for_whom(terminal: Terminal, given: Register) -> Subject:
    """A dish that is nobody's yet may be registered by whoever is to own it."""
    return Subject(region=given.region, owner=terminal.owner or given.owner)


def _nobodys(given: Any, actor: Actor) -> Subject:
    return Subject()


VERBS = (
    Verb(
        "terminal.create",
        ROOM,
        Create,
        _created,
        "Begin to know a terminal.",
        creates=True,
        subject_of=_nobodys,
    ),
    Verb(
        "terminal.name",
        ROOM,
        SetNames,
        lambda t, m, a: decide.names_set(t, m.who, Names(a.serial, a.kit, a.dish_id), a.why),
        "Set its serial, kit number or dish id.",
    ),
    Verb(
        "terminal.record-line",
        ROOM,
        RecordLine,
        _line_recorded,
        "Its operator serves it by this service line.",
    ),
    Verb(
        "terminal.record-no-line",
        ROOM,
        RecordNoLine,
        lambda t, m, a: decide.no_line_recorded(t, m.who, a.source),
        "Its operator has no service line for it.",
    ),
    Verb(
        "terminal.export",
        ROOM,
        Border,
        lambda t, m, a: decide.exported(t, m.who, a.country, a.document),
        "It has left the maker's country.",
    ),
    Verb(
        "terminal.enter-customs",
        ROOM,
        Border,
        lambda t, m, a: decide.customs_entered(t, m.who, a.country, a.document),
        "It is in customs.",
    ),
    Verb(
        "terminal.leave-customs",
        ROOM,
        Cleared,
        lambda t, m, a: decide.customs_left(t, m.who, a.cleared, a.document),
        "Customs let it in, or sent it back.",
    ),
    Verb(
        "terminal.deliver",
        ROOM,
        Deliver,
        lambda t, m, a: decide.delivered(t, m.who, a.place),
        "It has arrived at a depot or at its owner's.",
    ),
    Verb(
        "terminal.register",
        ROOM,
        Register,
        _registered,
        "It belongs to an account from now on.",
        whose=_for_whom,
    ),
    Verb(
        "terminal.move",
        ROOM,
        Move,
        _moved,
        "Change its home.",
    ),
    Verb(
        "terminal.verify",
        ROOM,
        Verify,
        vouched(
            lambda t, m, a: decide.verified(t, m.who, a.basis, a.authority, a.reference, a.list_id),
            of_terminal,
            lambda a: Matter.TERMINALS,
        ),
        "Record on what its owner's right to it rests.",
    ),
    Verb(
        "terminal.activate",
        ROOM,
        Nothing,
        lambda t, m, a: decide.activated(t, m.who, _command(m)),
        "Switch it on.",
        counts=SWITCHED,
    ),
    Verb(
        "terminal.pause",
        ROOM,
        Pause,
        lambda t, m, a: decide.paused(t, m.who, a.why, _command(m)),
        "Switch it off for now.",
        counts=SWITCHED,
    ),
    Verb(
        "terminal.report-lost",
        ROOM,
        Nothing,
        lambda t, m, a: trouble.lost(t, m.who, _command(m)),
        "Nobody knows where it is: cut it off.",
        counts=MISSING,
    ),
    Verb(
        "terminal.report-stolen",
        ROOM,
        Stolen,
        lambda t, m, a: trouble.stolen(t, m.who, a.captured, _command(m)),
        "Somebody else has it: cut it off.",
        counts=MISSING,
    ),
    Verb(
        "terminal.find",
        ROOM,
        Nothing,
        lambda t, m, a: trouble.found(t, m.who, _command(m)),
        "A lost one is back.",
    ),
    Verb("terminal.block", ROOM, Block, _blocked, "Cut it off by an authority's order.", counts=SWITCHED),
    Verb(
        "terminal.unblock",
        ROOM,
        Unblock,
        lambda t, m, a: trouble.released(t, m.who, a.authority, a.document, a.to_owner, _command(m)),
        "The authority that blocked it takes that back.",
        counts=SWITCHED,
    ),
    Verb("terminal.hand-over", ROOM, Offer, _offered, "Offer it to another account."),
    Verb("terminal.end-offer", ROOM, Nothing, _offer_ended, "Take an offer back."),
    Verb(
        "terminal.decline",
        ROOM,
        Nothing,
        lambda t, m, a: decide.hand_over_ended(t, m.who, m.actor.account),
        "Leave what was offered.",
        whose=_to_whom,
    ),
    Verb("terminal.unregister", ROOM, Nothing, _unregistered, "Its owner gives it up.", counts=SWITCHED),
    Verb(
        "terminal.withdraw-verification",
        ROOM,
        WithdrawVerification,
        _verification_withdrawn,
        "Who verified it takes that back.",
        counts=SWITCHED,
    ),
    Verb("terminal.accept", ROOM, Move, _accepted, "Take what was offered.", whose=_to_whom),
    Verb(
        "terminal.retire",
        ROOM,
        Retire,
        lambda t, m, a: trouble.retired(t, m.who, a.why, _command(m)),
        "It is used no more.",
        counts=SWITCHED,
    ),
    Verb(
        "terminal.confirm",
        ROOM,
        Confirm,
        _confirmed,
        "An enforcer says that what was asked of it is so.",
    ),
    Verb(
        "terminal.report-failed",
        ROOM,
        Failed,
        _failed,
        "An enforcer refuses what was asked of it, or does not answer.",
    ),
    Verb(
        "terminal.ask-field",
        ROOM,
        Nothing,
        lambda t, m, a: decide.asked(t, m.who, e.Enforcer.FIELD, _command(m)),
        "Have somebody beside it see to what is wanted.",
    ),
    Verb(
        "terminal.ask-again",
        ROOM,
        Nothing,
        lambda t, m, a: decide.asked(t, m.who, t.enforcer, _command(m)),
        "Ask its network once more for what is wanted.",
    ),
    Verb(
        "terminal.restore",
        ROOM,
        Restore,
        lambda t, m, a: trouble.restored(t, m.who, a.document, _command(m)),
        "It is in use again: repaired, or retired by mistake.",
    ),
)
