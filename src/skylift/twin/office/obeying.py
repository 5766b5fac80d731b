"""What the sky is told of the office: a permit for each terminal on our network, and then what changes of it.

A decision is made anew when one of its facts changes, or when time has passed an edge of it (a paper that
ends, an hour of a cell); all others stand. So a slot costs what has changed, not what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from skylift.service.permission.decision import NEVER_US, Permissions
from skylift.service.permission.reasons import Decision, Why
from skylift.twin.office.known import Known
from skylift.twin.permit import Permit, Reasons


class Told(NamedTuple):
    """permits  those that have changed, or all of them
    reasons   the list's part that is new: permits name reasons by their numbers in all that was told
    """

    permits: tuple[Permit, ...]
    reasons: tuple[Reasons, ...]


class Feed:
    """What one sky has been told so far. Its sites: the scenario's terminals, by id, and their cells.

    reasons  all that were told, by number
    """

    def __init__(self, sites: Mapping[str, str] | None = None) -> None:
        self._sites = dict(sites or {})
        # The office compares what is printed on a dish in capitals, or in small letters, whatever was typed.
        self._alike: dict[str, list[str]] = {}
        for name in self._sites:
            self._alike.setdefault(name.casefold(), []).append(name)
        self._at: int | None = None
        self.reasons: list[Reasons] = []
        self._permits: dict[str, Permit] = {}
        self._account: dict[str, str] = {}
        self._of_account: dict[str, set[str]] = {}
        self._of_cell: dict[str, set[str]] = {}
        self._until: dict[str, int] = {}
        self._numbers: dict[tuple[Why, ...], tuple[int, int]] = {}

    def tell(self, known: Known, permissions: Permissions, at: int) -> Told:
        """Everything at first; later, what is otherwise at an instant than it was told."""
        changed, before_us, self._at = known.taken(), self._at, at
        if before_us is None or at < before_us:
            # Of a clock that was set back nothing is known by the edges that were passed.
            self._until.clear()
            return self._decided(known.dishes, known, permissions, at)
        due = changed.terminals & known.dishes.keys()
        for account in changed.accounts:
            due |= self._of_account.get(account, set())
        passed = [cell for cell, until in self._until.items() if until <= at]
        for cell in {*changed.cells, *passed}:
            self._until.pop(cell, None)
            due |= self._of_cell.get(cell, set())
        return self._decided(due, known, permissions, at)

    def permit(self, terminal: str) -> Permit | None:
        """What was told of a terminal last."""
        return self._permits.get(terminal)

    def _decided(self, due: Iterable[str], known: Known, permissions: Permissions, at: int) -> Told:
        reasons_before = len(self.reasons)
        told: list[Permit] = []
        for id in due:
            permit = self._permit(id, known, permissions, at)
            before = self._permits.get(id)
            if permit != before and (before is not None or permit.cell):
                told.append(permit)
            self._file(permit, before, known.terminals[id].account)
        return Told(tuple(told), tuple(self.reasons[reasons_before:]))

    def _permit(self, id: str, known: Known, permissions: Permissions, at: int) -> Permit:
        dish, account = known.dishes[id], known.terminals[id].account
        scenario = self._site(dish.names)
        cell = self._sites.get(scenario, dish.cell)
        if cell not in self._until:
            self._until[cell] = permissions.holds_until(cell, at) if cell else NEVER_US
        decision = permissions.may_serve(id, cell, at)
        number, barred = self._numbers.get(decision.reasons) or self._numbered(decision)
        rates = known.rates.get(account)
        down_bps = up_bps = 0.0
        if decision.allowed and rates is not None:
            down_bps, up_bps = rates.down_bps, rates.up_bps
            if decision.cap_bps is not None:
                down_bps, up_bps = min(down_bps, decision.cap_bps), min(up_bps, decision.cap_bps)
        return Permit(
            terminal=id,
            cell=cell,
            scenario=scenario,
            hardware=dish.hardware,
            down_bps=down_bps,
            up_bps=up_bps,
            priority=4 if rates is None else rates.priority,
            barred=barred,
            why=number,
            until_us=self._until[cell],
        )

    def _site(self, names: Iterable[str]) -> str:
        """The scenario's terminal that has one of these names; "" for none, or where two are alike."""
        for name in names:
            alike = self._alike.get(name.casefold(), [])
            if name in alike:
                return name
            if len(alike) == 1:
                return alike[0]
        return ""

    def _file(self, permit: Permit, before: Permit | None, account: str) -> None:
        id = permit.terminal
        self._permits[id] = permit
        if before is not None and before.cell != permit.cell:
            self._of_cell[before.cell].discard(id)
        self._of_cell.setdefault(permit.cell, set()).add(id)
        was = self._account.get(id)
        if was != account:
            if was is not None:
                self._of_account[was].discard(id)
            self._account[id] = account
            self._of_account.setdefault(account, set()).add(id)

    def _numbered(self, decision: Decision) -> tuple[int, int]:
        """A number for reasons that have none yet, and what they come to."""
        numbered = self._numbers[decision.reasons] = len(self.reasons), int(decision.barred)
        self.reasons.append(
            tuple((why.code.value, why.authority, why.would_change) for why in decision.reasons)
        )
        return numbered
