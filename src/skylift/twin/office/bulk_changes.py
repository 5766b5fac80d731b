"""Many terminals at once: block, pause, activate, unblock. More than one may do alone take two (alone.py).

Whoever asks must be allowed to do it to each of them. All are changed or none; with `skip`, those that are
not in a state for it are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from skylift.base.errors import Refused
from skylift.base.events import Event, Who
from skylift.ports.store import Ids
from skylift.service.account.roles import Subject, may
from skylift.service.terminal import decide, trouble
from skylift.service.terminal.bulk import ROOM, BulkChange, What, checked, made
from skylift.service.terminal.events import BlockReason, PauseReason
from skylift.service.terminal.state import ROOM as TERMINALS
from skylift.service.terminal.state import Terminal
from skylift.twin.handle import load, unknown
from skylift.twin.office.verbs import SWITCHED, Aside, Moment, Verb

# So many of those that stand in the way are named.
MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Create:
    """what: block, pause, activate or unblock each of these terminals.

    why, authority, document  of a block; authority and document of an unblock; pause_why of a pause
    region    where all of them are; needed by those whose roles are limited to regions
    skip      leave those that are not in a state for it as they are; otherwise one of them stops it all
    """

    what: What
    terminals: tuple[str, ...]
    why: BlockReason = BlockReason.ORDER
    authority: str = ""
    document: str = ""
    pause_why: PauseReason = PauseReason.MAINTENANCE
    region: str = ""
    skip: bool = False


def _step(terminal: Terminal, who: Who, ids: Ids, given: Create) -> Sequence[Event]:
    command = ids.new("cmd")
    match given.what:
        case What.ACTIVATE:
            return decide.activated(terminal, who, command)
        case What.PAUSE:
            return decide.paused(terminal, who, given.pause_why, command)
        case What.BLOCK:
            order = (given.why, given.authority, given.document)
            return trouble.blocked(terminal, who, order, False, command)
        case What.UNBLOCK:
            by = (given.authority, given.document)
            return trouble.released(terminal, who, *by, to_owner=True, command_id=command)


def _made(change: BulkChange, moment: Moment, given: Create) -> Sequence[Event]:
    ids = checked(given.terminals)
    able: list[str] = []
    hindered: dict[str, Refused] = {}
    for id in ids:
        terminal = _allowed(moment, id, given)
        try:
            _step(terminal, moment.who, moment.ids, given)
        except Refused as refusal:
            hindered[id] = refusal
        else:
            able.append(id)
    if hindered and not given.skip:
        told = "; ".join(f"{id}: {why.rule}" for id, why in list(hindered.items())[:MOST_TOLD])
        more = f"; and {len(hindered) - MOST_TOLD} more" if len(hindered) > MOST_TOLD else ""
        raise Refused(
            "bulk-change.hindered",
            "terminals",
            f"it cannot be done to {len(hindered)} of {len(ids)}: {told}{more}",
            "leave them out, or have them skipped; nothing was changed",
        )
    events = made(change, moment.who, given.what, tuple(able), len(ids), given.region)
    return [replace(event, agreement=moment.approval) for event in events]


def _allowed(moment: Moment, id: str, given: Create) -> Terminal:
    """A terminal to which the actor may do that. Raises Refused; of one that they may not see, as of none."""
    terminal = load(TERMINALS, moment.reader, id).thing
    subject = Subject(terminal.region, terminal.owner)
    actor = moment.actor
    if not may(actor.grants, actor.account, "terminal.read", subject):
        raise unknown("terminal", id)
    if not may(actor.grants, actor.account, f"terminal.{given.what.value}", subject):
        raise Refused(
            "bulk-change.not-allowed",
            f"terminal {id}",
            "none of your roles allows it there",
            "leave it out, or ask somebody whose role does",
        )
    if given.region and terminal.region != given.region:
        raise Refused(
            "bulk-change.region",
            f"terminal {id}",
            "it is in another region",
            "leave it out, or name no region",
        )
    return terminal


def _to_each(change: BulkChange, moment: Moment, events: Sequence[Event]) -> Sequence[Aside]:
    given = moment.arguments
    assert isinstance(given, Create)
    step = partial(_by, moment=moment, given=given)
    return [Aside(TERMINALS, id, step) for id in change.terminals]


def _by(terminal: Terminal, moment: Moment, given: Create) -> Sequence[Event]:
    return _step(terminal, moment.who, moment.ids, given)


VERBS = (
    Verb(
        "bulk-change.create",
        ROOM,
        Create,
        _made,
        "Do one thing to many terminals.",
        creates=True,
        subject_of=lambda given, actor: Subject(region=given.region),
        counts=SWITCHED,
        also=_to_each,
    ),
)
