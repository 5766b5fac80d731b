"""What may be done to a terminal from the factory to service, by its rules; events are returned, nothing is
saved.

Who may ask (role, scope) is decided before. Where two sides have a say, the acting `account` is an argument.
`command_id` is a new id for the command that a decision may bring with it; where none is needed, it is not
used.
"""

from __future__ import annotations

from dataclasses import dataclass

from skylift.base import labels
from skylift.base.cells import is_cell
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs, format_instant
from skylift.service.terminal import events as e
from skylift.service.terminal import service_line
from skylift.service.terminal.events import CommandKind, Enforcer, Mobility, Network, TerminalEvent
from skylift.service.terminal.service_line import ServiceLine
from skylift.service.terminal.state import CYCLE, Terminal, apply

KIND = "terminal"
# A cell of resolution 5 has about 250 km2; a finer one would lead to the house.
FINEST_HOME = 5


@dataclass(frozen=True, slots=True)
class Names:
    """What is printed on a terminal; "" for what is not known. One of the three at least."""

    serial: str = ""
    kit: str = ""
    dish_id: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """Where and how it is used. region: which holds the cell, "" for none."""

    cell: str
    mobility: Mobility = Mobility.FIXED
    region: str = ""


def manufactured(
    terminal: Terminal, who: Who, names: Names, hardware: str, network: Network = Network.OURS
) -> tuple[TerminalEvent, ...]:
    """The maker told of it."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalManufactured)
    n, hardware = _read(names), labels.code(hardware, KIND, "hardware")
    return (
        e.TerminalManufactured(
            who.at, who.by, terminal.id, who.cause_id, n.serial, n.kit, n.dish_id, hardware, network
        ),
    )


def declared(
    terminal: Terminal, who: Who, names: Names, hardware: str, network: Network, origin: e.Origin
) -> tuple[TerminalEvent, ...]:
    """It is there and came without our export."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalDeclared)
    n, hardware = _read(names), labels.code(hardware, KIND, "hardware")
    return (
        e.TerminalDeclared(
            who.at, who.by, terminal.id, who.cause_id, n.serial, n.kit, n.dish_id, hardware, network, origin
        ),
    )


def names_set(terminal: Terminal, who: Who, names: Names, why: e.NameReason) -> tuple[TerminalEvent, ...]:
    """Its names are these from now on. What was learned fills gaps; it changes no name that is known."""
    CYCLE.after(terminal.id, terminal.state, e.NamesSet)
    new = _read(names)
    pairs = ((terminal.serial, new.serial), (terminal.kit, new.kit), (terminal.dish_id, new.dish_id))
    if all(old == now for old, now in pairs):
        return ()
    if why is e.NameReason.LEARNED and any(old and old != now for old, now in pairs):
        raise Refused(
            "terminal.names", "names", "what was learned changes no known name", "give it as a correction"
        )
    return (e.NamesSet(who.at, who.by, terminal.id, who.cause_id, new.serial, new.kit, new.dish_id, why),)


def line_recorded(terminal: Terminal, who: Who, line: ServiceLine) -> tuple[TerminalEvent, ...]:
    """It is on this line of its operator's; the same again is no event."""
    CYCLE.after(terminal.id, terminal.state, e.LineRecorded)
    new = service_line.read(line)
    if not new.tells(terminal.line):
        return ()
    told = (new.number, new.product, new.standing, new.started_at, new.ended_at, new.source)
    return (e.LineRecorded(who.at, who.by, terminal.id, who.cause_id, *told),)


def no_line_recorded(terminal: Terminal, who: Who, source: e.LineSource) -> tuple[TerminalEvent, ...]:
    """Its operator has no service line for it; the same again is no event."""
    CYCLE.after(terminal.id, terminal.state, e.NoLineRecorded)
    if not ServiceLine("", source=source).tells(terminal.line):
        return ()
    former = terminal.line.number if terminal.line is not None else ""
    return (e.NoLineRecorded(who.at, who.by, terminal.id, who.cause_id, former, source),)


def exported(terminal: Terminal, who: Who, country: str, document: str) -> tuple[TerminalEvent, ...]:
    CYCLE.after(terminal.id, terminal.state, e.TerminalExported)
    country, document = labels.country(country, KIND), labels.reference(document, KIND)
    return (e.TerminalExported(who.at, who.by, terminal.id, who.cause_id, country, document),)


def customs_entered(terminal: Terminal, who: Who, country: str, document: str) -> tuple[TerminalEvent, ...]:
    CYCLE.after(terminal.id, terminal.state, e.CustomsEntered)
    country, document = labels.country(country, KIND), labels.reference(document, KIND)
    return (e.CustomsEntered(who.at, who.by, terminal.id, who.cause_id, country, document),)


def customs_left(terminal: Terminal, who: Who, cleared: bool, document: str) -> tuple[TerminalEvent, ...]:
    """Through or turned back; it is on the road again."""
    CYCLE.after(terminal.id, terminal.state, e.CustomsLeft)
    document = labels.reference(document, KIND)
    return (e.CustomsLeft(who.at, who.by, terminal.id, who.cause_id, cleared, document),)


def delivered(terminal: Terminal, who: Who, place: str) -> tuple[TerminalEvent, ...]:
    """`place`: a depot's code, or an account's id; delivered out of customs, it was let in."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalDelivered)
    place = labels.code(place, KIND, "place")
    return (e.TerminalDelivered(who.at, who.by, terminal.id, who.cause_id, place),)


def registered(terminal: Terminal, who: Who, owner: str, home: Home) -> tuple[TerminalEvent, ...]:
    """It belongs to an account from now on."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalRegistered)
    owner, home = labels.own_id(owner, KIND, "owner", "acc"), _home(home)
    return (
        e.TerminalRegistered(
            who.at, who.by, terminal.id, who.cause_id, owner, home.cell, home.mobility, home.region
        ),
    )


def home_set(terminal: Terminal, who: Who, home: Home) -> tuple[TerminalEvent, ...]:
    CYCLE.after(terminal.id, terminal.state, e.HomeSet)
    home = _home(home)
    if (home.cell, home.mobility, home.region) == (terminal.cell, terminal.mobility, terminal.region):
        return ()
    return (e.HomeSet(who.at, who.by, terminal.id, who.cause_id, home.cell, home.mobility, home.region),)


def unregistered(terminal: Terminal, who: Who, account: str, command_id: str) -> tuple[TerminalEvent, ...]:
    """Its owner gives it up."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalUnregistered)
    _is_owner(terminal, account)
    event = e.TerminalUnregistered(who.at, who.by, terminal.id, who.cause_id)
    return with_command(terminal, who, command_id, event)


def verified(
    terminal: Terminal, who: Who, basis: e.Basis, authority: str, reference: str, list_id: str = ""
) -> tuple[TerminalEvent, ...]:
    """Its owner's right to it is checked. list_id: of the allow-list, where the basis is one."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalVerified)
    authority = labels.code(authority, KIND, "authority")
    reference = labels.reference(reference, KIND, "reference")
    if (basis is e.Basis.ALLOW_LIST) != bool(list_id):
        raise Refused(
            "terminal.basis", "list_id", "it goes with the basis allow-list", "give both, or neither"
        )
    if list_id:
        list_id = labels.own_id(list_id, KIND, "list_id", "alw")
    return (
        e.TerminalVerified(who.at, who.by, terminal.id, who.cause_id, basis, authority, reference, list_id),
    )


def verification_withdrawn(
    terminal: Terminal, who: Who, authority: str, reference: str, command_id: str
) -> tuple[TerminalEvent, ...]:
    """The authority that verified it takes that back; an active one is paused."""
    CYCLE.after(terminal.id, terminal.state, e.VerificationWithdrawn)
    assert terminal.verified is not None
    if authority != terminal.verified.authority:
        raise Refused(
            "terminal.authority",
            f"terminal {terminal.id}",
            "who verified it takes that back",
            f"ask {terminal.verified.authority}, or have it blocked by order",
        )
    reference = labels.reference(reference, KIND, "reference")
    event = e.VerificationWithdrawn(who.at, who.by, terminal.id, who.cause_id, authority, reference)
    return with_command(terminal, who, command_id, event)


def activated(terminal: Terminal, who: Who, command_id: str) -> tuple[TerminalEvent, ...]:
    """It may be served; its enforcers are asked to let it in."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalActivated)
    return with_command(
        terminal, who, command_id, e.TerminalActivated(who.at, who.by, terminal.id, who.cause_id)
    )


def paused(terminal: Terminal, who: Who, why: e.PauseReason, command_id: str) -> tuple[TerminalEvent, ...]:
    CYCLE.after(terminal.id, terminal.state, e.TerminalPaused)
    event = e.TerminalPaused(who.at, who.by, terminal.id, who.cause_id, why)
    return with_command(terminal, who, command_id, event)


def hand_over_offered(terminal: Terminal, who: Who, account: str, to: str) -> tuple[TerminalEvent, ...]:
    """The owner (`account`) offers it to another; a later offer replaces an earlier one."""
    CYCLE.after(terminal.id, terminal.state, e.HandOverOffered)
    _is_owner(terminal, account)
    to = labels.own_id(to, KIND, "to", "acc")
    if to == terminal.owner:
        raise Refused("terminal.to", "to", "it is somebody else's than the owner's", "name another account")
    return (e.HandOverOffered(who.at, who.by, terminal.id, who.cause_id, to),)


def hand_over_accepted(
    terminal: Terminal, who: Who, account: str, home: Home, command_id: str
) -> tuple[TerminalEvent, ...]:
    """The one to whom it was offered (`account`) takes it. It is verified and activated anew."""
    CYCLE.after(terminal.id, terminal.state, e.HandOverAccepted)
    _is_offered(terminal)
    if account != terminal.offered_to:
        raise Refused(
            "terminal.not-offered",
            f"terminal {terminal.id}",
            "it was offered to another account",
            "have its owner offer it to this one",
        )
    home = _home(home)
    event = e.HandOverAccepted(
        who.at, who.by, terminal.id, who.cause_id, account, home.cell, home.mobility, home.region
    )
    return with_command(terminal, who, command_id, event)


def hand_over_ended(terminal: Terminal, who: Who, account: str) -> tuple[TerminalEvent, ...]:
    """The owner withdraws the offer, or the other declines it."""
    CYCLE.after(terminal.id, terminal.state, e.HandOverEnded)
    _is_offered(terminal)
    if account == terminal.offered_to:
        how = e.OfferEnd.DECLINED
    else:
        _is_owner(terminal, account)
        how = e.OfferEnd.WITHDRAWN
    return (e.HandOverEnded(who.at, who.by, terminal.id, who.cause_id, how),)


def asked(terminal: Terminal, who: Who, enforcer: Enforcer, command_id: str) -> tuple[TerminalEvent, ...]:
    """Ask one enforcer for what is wanted: the field for the first time, or any of them once more."""
    CYCLE.after(terminal.id, terminal.state, e.CommandAsked)
    if terminal.wanted is None:
        raise Refused(
            "terminal.nothing-to-ask",
            f"terminal {terminal.id}",
            f"it is {terminal.state.value} and was never switched on",
            "activate it, or block it",
        )
    if enforcer not in (terminal.enforcer, Enforcer.FIELD):
        raise Refused(
            "terminal.enforcer",
            enforcer.value,
            f"this terminal's network is run by {terminal.enforcer.value}",
            f"ask {terminal.enforcer.value} or {Enforcer.FIELD.value}",
        )
    return (_ask(terminal, who, enforcer, command_id, terminal.wanted),)


def confirmed(terminal: Terminal, who: Who, command_id: str, evidence: str) -> tuple[TerminalEvent, ...]:
    """An enforcer says that it is so. Said twice it changes nothing; of a failed command it is refused."""
    CYCLE.after(terminal.id, terminal.state, e.CommandConfirmed)
    if any(c.id == command_id for c in terminal.commands.confirmed):
        return ()
    command = terminal.commands.open(command_id)
    if command is None:
        raise _no_command(terminal)
    if who.at < command.asked_at:
        raise Refused(
            "terminal.confirmed-too-early",
            "confirmation",
            f"the command was asked at {format_instant(command.asked_at)}, after it",
            "check the clock of who confirms",
        )
    evidence = labels.reference(evidence, KIND, "evidence")
    return (e.CommandConfirmed(who.at, who.by, terminal.id, who.cause_id, command_id, evidence),)


def confirmed_by_slot(
    terminal: Terminal, who: Who, slot_at: int, known: str | None = None
) -> tuple[TerminalEvent, ...]:
    """Our network built the Asks of the slot at `slot_at` from this terminal as it is: all that was asked of
    it is so. `who.at` is not before the slot begins.

    known  id of the last command that those Asks were built from, where there may be later ones; it counts
           whenever it was asked, since a clock that was set may say otherwise
    """
    evidence = f"slot {format_instant(slot_at)}"
    mine = [
        c
        for c in terminal.commands.pending
        if c.enforcer is Enforcer.OUR_NETWORK and (c.asked_at <= slot_at if known is None else c.id == known)
    ]
    # Only the last is so: what it overtook never came into force.
    last = mine[-1:] if mine and mine[-1].kind is terminal.wanted else []
    return tuple(e.CommandConfirmed(who.at, who.by, terminal.id, who.cause_id, c.id, evidence) for c in last)


def served(terminal: Terminal, who: Who, slot_at: InstantUs) -> tuple[TerminalEvent, ...]:
    """The slot at `slot_at` of our network gave it a link; only the first since its activation is a fact."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalServed)
    if terminal.served_at is not None:
        return ()
    return (e.TerminalServed(who.at, who.by, terminal.id, who.cause_id, slot_at),)


def failed(terminal: Terminal, who: Who, command_id: str, error: str) -> tuple[TerminalEvent, ...]:
    """An enforcer refuses or does not answer; `error` is its code. The terminal's `to_ask` names it again."""
    CYCLE.after(terminal.id, terminal.state, e.CommandFailed)
    if command_id in terminal.commands.failed:
        return ()
    if terminal.commands.open(command_id) is None:
        raise _no_command(terminal)
    error = labels.code(error.upper(), KIND, "error")
    return (e.CommandFailed(who.at, who.by, terminal.id, who.cause_id, command_id, error),)


def with_command(
    terminal: Terminal, who: Who, command_id: str, *events: TerminalEvent
) -> tuple[TerminalEvent, ...]:
    """Events, and the commands that they make necessary: one for each enforcer that heads elsewhere."""
    after = terminal
    for event in events:
        after = apply(after, event)
    kind = after.wanted
    if kind is None:
        return events
    commands = []
    for number, enforcer in enumerate(after.to_ask):
        # One new id is handed in; a second enforcer's command is told apart by its ending.
        commands.append(_ask(terminal, who, enforcer, f"{command_id}{'-field' * (number > 0)}", kind))
    return (*events, *commands)


def _ask(
    terminal: Terminal, who: Who, enforcer: Enforcer, command_id: str, kind: CommandKind
) -> TerminalEvent:
    labels.own_id(command_id, KIND, "command_id", "cmd")
    if terminal.commands.is_known(command_id):
        raise Refused("terminal.command-id", "command_id", "it was used before", "hand in a new id")
    return e.CommandAsked(who.at, who.by, terminal.id, who.cause_id, command_id, kind, enforcer)


def _no_command(terminal: Terminal) -> Refused:
    return Refused(
        "terminal.no-command",
        f"terminal {terminal.id}",
        "no such command waits for an answer",
        "list its commands, and ask again",
    )


def _read(names: Names) -> Names:
    read = Names(
        labels.serial(names.serial, KIND) if names.serial else "",
        labels.serial(names.kit, KIND, "kit") if names.kit else "",
        labels.dish_id(names.dish_id, KIND) if names.dish_id else "",
    )
    if read == Names():
        raise Refused(
            "terminal.names",
            "names",
            "a terminal has a serial, a kit number or a dish id",
            "give one of them",
        )
    return read


def _home(home: Home) -> Home:
    if not is_cell(home.cell, FINEST_HOME):
        raise Refused(
            "terminal.cell",
            "cell",
            f"a home is an H3 cell no finer than resolution {FINEST_HOME}",
            "give its parent cell; exact places are kept apart",
        )
    if home.region:
        labels.own_id(home.region, KIND, "region", "rgn")
    return home


def _is_owner(terminal: Terminal, account: str) -> None:
    if account != terminal.owner:
        raise Refused(
            "terminal.not-owner", f"terminal {terminal.id}", "its owner does that", "ask its owner to"
        )


def _is_offered(terminal: Terminal) -> None:
    if not terminal.offered_to:
        raise Refused(
            "terminal.not-offered", f"terminal {terminal.id}", "no offer stands", "have its owner offer it"
        )
