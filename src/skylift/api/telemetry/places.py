"""Where dishes are, as far as their health asks: an area, a region, and whether they may be served."""

from __future__ import annotations

from typing import NamedTuple

import h3

from skylift.service.account.roles import Subject
from skylift.service.permission.decision import AccountFacts, TerminalFacts
from skylift.service.permission.reasons import Code
from skylift.service.terminal.service_line import ServiceLine
from skylift.twin.office.known import Known

# About 60 km across half: a town and what is around it fail together.
AREA_RESOLUTION = 3


class Placed(NamedTuple):
    """line: its operator's service line; None where nobody told of one."""

    area: str
    region: str
    barred: str
    line: ServiceLine | None = None


_NOWHERE = Placed("", "", "")


class Places:
    """Where dishes are, and whether they may be served: made anew for those alone of whom something changed.

    Used on the one thread of what is known.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[TerminalFacts, Subject, AccountFacts | None, Placed]] = {}

    def of(self, known: Known, terminal: str) -> Placed:
        facts, subject = known.terminals.get(terminal), known.subjects.get(terminal)
        if facts is None or subject is None:
            self._made.pop(terminal, None)
            return _NOWHERE
        account, line = known.accounts.get(facts.account), known.lines.get(terminal)
        made = self._made.get(terminal)
        # What is known is frozen: the same object says the same.
        is_same = made is not None and made[0] is facts and made[1] is subject and made[2] is account
        if made is None or not is_same or made[3].line is not line:
            placed = _placed(facts, subject, account)._replace(line=line)
            made = self._made[terminal] = (facts, subject, account, placed)
        return made[3]


def _placed(facts: TerminalFacts, subject: Subject, account: AccountFacts | None) -> Placed:
    against = (*facts.against, *(account.against if account is not None else ()))
    # One that nobody has activated here may be served by another's network all the same.
    barred = next((why.code.value for why in against if why.code is not Code.TERMINAL_NOT_ACTIVE), "")
    return Placed(area_of(facts.home_cell), subject.region, barred)


def area_of(cell: str) -> str:
    """The coarse cell around a terminal's home."""
    if not cell or h3.get_resolution(cell) < AREA_RESOLUTION:
        return cell
    return str(h3.cell_to_parent(cell, AREA_RESOLUTION))
