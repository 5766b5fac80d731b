"""Terminals follow the consignment that they are in, in the same transaction and caused by it.

    received, found, sent by mistake     delivered at that place
    missing, or the whole lorry lost     lost, and so cut off: nobody registers it meanwhile
    through customs, or turned back      the same, where its own export was recorded
    damaged and written off              retired

A terminal that has an owner does not follow: what becomes of it is its owner's word, and the operator's. Nor
does one that is blocked, stolen or out of use. Packing and departing change nothing: where it is meanwhile,
the consignment says. What a scanner finds is never refused for what the register of terminals says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from skylift.base.events import Event, Who
from skylift.ports.store import Ids, Reader
from skylift.service.shipment import events as e
from skylift.service.shipment.events import Kind, Line, Resolution
from skylift.service.shipment.state import Shipment
from skylift.service.terminal import decide, trouble
from skylift.service.terminal.events import Retirement, TerminalEvent
from skylift.service.terminal.state import ROOM, Missing, Terminal, TerminalState
from skylift.twin.office.verbs import Aside, Moment

Step = Callable[[Terminal, Who, Ids], Sequence[TerminalEvent]]

_S = TerminalState
_ON_THE_WAY = frozenset({_S.MANUFACTURED, _S.EXPORTED, _S.IN_CUSTOMS, _S.DELIVERED})


def terminals_follow(shipment: Shipment, moment: Moment, events: Sequence[Event]) -> Sequence[Aside]:
    """What becomes of terminals by what happened to the consignment, which is `shipment` after that."""
    steps: dict[str, list[Step]] = {}
    for event in events:
        for line, step in _steps(shipment, event):
            terminal_id = _known(moment.reader, line.serial) if line.serial else None
            if terminal_id is not None:
                steps.setdefault(terminal_id, []).append(step)
    return [Aside(ROOM, id, partial(_walk, moment=moment, steps=tuple(of_it))) for id, of_it in steps.items()]


def _known(reader: Reader, serial: str) -> str | None:
    """The terminal that a serial or a kit number is printed on, if we know of it."""
    found = reader.find(ROOM, "serial", serial) or reader.find(ROOM, "kit", serial)
    return found.id if found is not None else None


def _walk(terminal: Terminal, moment: Moment, steps: Sequence[Step]) -> Sequence[Event]:
    every: list[Event] = []
    for step in steps:
        if terminal.owner:
            break
        events = step(terminal, moment.who, moment.ids)
        for event in events:
            terminal = ROOM.apply(terminal, event)
        every += events
    return every


def _steps(shipment: Shipment, event: Event) -> Iterator[tuple[Line, Step]]:
    match event:
        case e.LinesReceived():
            yield from ((line, partial(_delivered, place=event.place)) for line in event.lines)
        case e.DiscrepancyRaised() | e.DiscrepancyResolved():
            yield from _steps_of_discrepancy(event)
        case e.ShipmentFound():
            yield from ((line, _found) for line in event.lines)
        case e.CustomsEntered():
            into = partial(_into_customs, country=event.country, document=_paper(shipment, event.country))
            yield from _each(shipment, into)
        case e.CustomsLeft():
            document = _paper(shipment, event.country)
            yield from _each(shipment, partial(_out_of_customs, cleared=True, document=document))
        case e.ShipmentTurnedBack():
            document = _paper(shipment, "")
            yield from _each(shipment, partial(_out_of_customs, cleared=False, document=document))


def _steps_of_discrepancy(event: e.DiscrepancyRaised | e.DiscrepancyResolved) -> Iterator[tuple[Line, Step]]:
    match event:
        case e.DiscrepancyRaised(kind=Kind.SURPLUS):
            yield event.line, partial(_delivered, place=event.place)
        case e.DiscrepancyRaised(kind=Kind.MISSING | Kind.WRONG_SERIAL):
            yield event.line, _lost
            if event.instead is not None:
                yield event.instead, partial(_delivered, place=event.place)
        case e.DiscrepancyResolved(resolution=Resolution.FOUND | Resolution.NOT_SENT):
            yield event.line, partial(_delivered, place=event.place)
        case e.DiscrepancyResolved(kind=Kind.DAMAGED, resolution=Resolution.WRITTEN_OFF):
            yield event.line, _broken


def _each(shipment: Shipment, step: Step) -> Iterator[tuple[Line, Step]]:
    return ((line, step) for line in shipment.awaited.lines())


def _paper(shipment: Shipment, country: str) -> str:
    """The customs paper of a country, or the consignment itself."""
    papers = [reference for reference, paper in shipment.papers.items() if paper.country == country]
    return papers[-1] if papers else f"{shipment.id} leg {len(shipment.legs)}"


def _delivered(terminal: Terminal, who: Who, ids: Ids, place: str) -> Sequence[TerminalEvent]:
    found = _found(terminal, who, ids)
    state = _S.DELIVERED if found else terminal.state
    if state not in _ON_THE_WAY or (state is _S.DELIVERED and terminal.place == place):
        return found
    for event in found:
        terminal = ROOM.apply(terminal, event)
    return (*found, *decide.delivered(terminal, who, place))


def _found(terminal: Terminal, who: Who, ids: Ids) -> Sequence[TerminalEvent]:
    if terminal.state is not _S.LOST or terminal.missing is not Missing.LOST:
        return ()
    return trouble.found(terminal, who, ids.new("cmd"))


def _lost(terminal: Terminal, who: Who, ids: Ids) -> Sequence[TerminalEvent]:
    return trouble.lost(terminal, who, ids.new("cmd")) if terminal.state in _ON_THE_WAY else ()


def _broken(terminal: Terminal, who: Who, ids: Ids) -> Sequence[TerminalEvent]:
    if terminal.state not in _ON_THE_WAY:
        return ()
    return trouble.retired(terminal, who, Retirement.BROKEN, ids.new("cmd"))


def _into_customs(
    terminal: Terminal, who: Who, ids: Ids, country: str, document: str
) -> Sequence[TerminalEvent]:
    # From where it was exported nobody said for the others, and nothing is made up here.
    return decide.customs_entered(terminal, who, country, document) if terminal.state is _S.EXPORTED else ()


def _out_of_customs(
    terminal: Terminal, who: Who, ids: Ids, cleared: bool, document: str
) -> Sequence[TerminalEvent]:
    if terminal.state is not _S.IN_CUSTOMS:
        return ()
    return decide.customs_left(terminal, who, cleared, document)
