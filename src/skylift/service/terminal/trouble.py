"""What may be done when things go wrong: lost, stolen, found, blocked, released, retired.

Each of these asks the network to block the terminal in the same breath. Its owner says what is lost and found
again; only an authority hands back what was stolen, and only who blocked it takes the block away.
"""

from __future__ import annotations

from skylift.base import labels
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.service.terminal import events as e
from skylift.service.terminal.decide import KIND, with_command
from skylift.service.terminal.events import TerminalEvent
from skylift.service.terminal.state import CYCLE, Missing, Terminal, TerminalState


def lost(terminal: Terminal, who: Who, command_id: str) -> tuple[TerminalEvent, ...]:
    """Nobody knows where it is: it is cut off."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalLost)
    return with_command(terminal, who, command_id, e.TerminalLost(who.at, who.by, terminal.id, who.cause_id))


def stolen(terminal: Terminal, who: Who, captured: bool, command_id: str) -> tuple[TerminalEvent, ...]:
    """Somebody else has it; `captured`: an enemy. It is cut off."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalStolen)
    event = e.TerminalStolen(who.at, who.by, terminal.id, who.cause_id, captured)
    return with_command(terminal, who, command_id, event)


def found(terminal: Terminal, who: Who, command_id: str) -> tuple[TerminalEvent, ...]:
    """A lost one is back, and its former owner's again, unverified; a blocked one stays blocked."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalFound)
    if terminal.missing is None:
        raise Refused(
            "terminal.not-missing", f"terminal {terminal.id}", "nobody misses it", "check which one was found"
        )
    event = e.TerminalFound(who.at, who.by, terminal.id, who.cause_id)
    if terminal.state is TerminalState.BLOCKED:
        return (event,)
    return with_command(terminal, who, command_id, event, *_back_to_owner(terminal, who))


def blocked(
    terminal: Terminal, who: Who, order: tuple[e.BlockReason, str, str], for_ever: bool, command_id: str
) -> tuple[TerminalEvent, ...]:
    """`order`: why, the authority that orders it, its document. Each authority's block stands for itself."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalBlocked)
    why, authority, document = order
    authority, document = labels.code(authority, KIND, "authority"), labels.reference(document, KIND)
    standing = terminal.blocks.get(authority)
    if standing is not None and (standing.for_ever or not for_ever):
        raise Refused(
            "terminal.already-blocked",
            f"terminal {terminal.id}",
            f"{authority} has blocked it already",
            "nothing is to be done, or block it for ever",
        )
    event = e.TerminalBlocked(who.at, who.by, terminal.id, who.cause_id, why, authority, document, for_ever)
    return with_command(terminal, who, command_id, event)


def released(
    terminal: Terminal, who: Who, authority: str, document: str, to_owner: bool, command_id: str
) -> tuple[TerminalEvent, ...]:
    """An authority lifts its block; when none stands any more, or it was stolen only, the terminal is free.

    to_owner  its former owner has it again; otherwise it belongs to nobody
    """
    CYCLE.after(terminal.id, terminal.state, e.TerminalReleased)
    authority, document = labels.code(authority, KIND, "authority"), labels.reference(document, KIND)
    free = e.TerminalReleased(who.at, who.by, terminal.id, who.cause_id, authority, document)
    after = _back_to_owner(terminal, who) if to_owner else ()
    if terminal.state is TerminalState.STOLEN:
        return with_command(terminal, who, command_id, free, *after)
    block = terminal.blocks.get(authority)
    if block is None:
        raise Refused(
            "terminal.authority",
            f"terminal {terminal.id}",
            "who blocked it takes the block away",
            f"ask {' and '.join(sorted(terminal.blocks))}",
        )
    if block.for_ever:
        raise Refused("terminal.for-ever", f"terminal {terminal.id}", "it is blocked for ever", "retire it")
    lifted = e.BlockLifted(who.at, who.by, terminal.id, who.cause_id, authority, document)
    if len(terminal.blocks) > 1:
        return (lifted,)
    if terminal.missing is not None:
        raise Refused(
            "terminal.missing",
            f"terminal {terminal.id}",
            f"it is {terminal.missing.value}, and would speak for who has it",
            "record first that it was found",
        )
    return with_command(terminal, who, command_id, lifted, free, *after)


def retired(terminal: Terminal, who: Who, why: e.Retirement, command_id: str) -> tuple[TerminalEvent, ...]:
    """It is used no more. Blocks and theft stay on its record: they come back if it does."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalRetired)
    if why is e.Retirement.NEVER_WAS and (terminal.blocks or terminal.missing):
        # Its names become free for another: under them a blocked one would come back unblocked.
        raise Refused(
            "terminal.not-free",
            f"terminal {terminal.id}",
            "what is blocked or missing was no mistake",
            "retire it for another reason, or have it released first",
        )
    event = e.TerminalRetired(who.at, who.by, terminal.id, who.cause_id, why)
    return with_command(terminal, who, command_id, event)


def restored(terminal: Terminal, who: Who, document: str, command_id: str) -> tuple[TerminalEvent, ...]:
    """Repaired, or retired by mistake; never a way around a block or a theft."""
    CYCLE.after(terminal.id, terminal.state, e.TerminalRestored)
    if terminal.blocks or terminal.missing in (Missing.STOLEN, Missing.CAPTURED):
        raise Refused(
            "terminal.not-free",
            f"terminal {terminal.id}",
            "it was blocked or stolen when it was retired",
            "leave it retired",
        )
    document = labels.reference(document, KIND)
    event = e.TerminalRestored(who.at, who.by, terminal.id, who.cause_id, document)
    return with_command(terminal, who, command_id, event)


def _back_to_owner(terminal: Terminal, who: Who) -> tuple[TerminalEvent, ...]:
    if not terminal.owner:
        return ()
    home = (terminal.owner, terminal.cell, terminal.mobility, terminal.region)
    return (e.TerminalRegistered(who.at, who.by, terminal.id, who.cause_id, *home),)
