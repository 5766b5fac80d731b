"""What permission and the sky need to know of all that is kept, in memory, and what of it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skylift.base.things import Room
from skylift.ports.counts import Used
from skylift.service.account import account as account_room
from skylift.service.account import plan as plan_room
from skylift.service.account.roles import Subject
from skylift.service.account.usage import cycle_ends, cycle_of
from skylift.service.permission.decision import AccountFacts, TerminalFacts
from skylift.service.region import state as region_room
from skylift.service.terminal import state as terminal_room
from skylift.service.terminal.allow_list import state as list_room
from skylift.service.terminal.events import Network
from skylift.service.terminal.service_line import ServiceLine
from skylift.service.terminal.state import Terminal, TerminalState
from skylift.twin.office.permits import InForce, account_facts, terminal_facts

# Plans before accounts, which look at them; terminals after all whose country or lists rule them.
KNOWN_ROOMS: tuple[Room[Any], ...] = (
    plan_room.ROOM,
    account_room.ROOM,
    region_room.ROOM,
    list_room.ROOM,
    terminal_room.ROOM,
)


class Dish(NamedTuple):
    """What our sky needs of a terminal on our network.

    names   its id and what is printed on it: a scenario may know it by any of these
    asked   id of the last command to our network, while no slot has confirmed it and it heads for what is
            wanted; else ""
    unseen  it is switched on, and no slot has served it since
    """

    cell: str
    hardware: str
    names: tuple[str, ...]
    asked: str
    lets_in: bool
    unseen: bool


class Rates(NamedTuple):
    """What an account's plan gives each of its terminals, and in which class (1 to 4)."""

    down_bps: float
    up_bps: float
    priority: int


@dataclass(slots=True)
class Changed:
    """Ids since somebody last took them; cells: where a region was changed."""

    terminals: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    cells: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """Of each kind, by id. dishes: those on our network alone; waiting: those of which a slot has to tell.

    lines       what is recorded of operators' service lines
    used        bytes by account, in the cycle that ends at `cycle_ends`
    """

    terminals: dict[str, TerminalFacts] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    dishes: dict[str, Dish] = field(default_factory=dict)
    lines: dict[str, ServiceLine] = field(default_factory=dict)
    accounts: dict[str, AccountFacts] = field(default_factory=dict)
    rates: dict[str, Rates] = field(default_factory=dict)
    plain_accounts: dict[str, account_room.Account] = field(default_factory=dict)
    plans: dict[str, plan_room.Plan] = field(default_factory=dict)
    regions: dict[str, region_room.Region] = field(default_factory=dict)
    lists: dict[str, list_room.AllowList] = field(default_factory=dict)
    in_force: InForce = field(default_factory=lambda: InForce(()))
    changed: Changed = field(default_factory=Changed)
    waiting: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=dict)
    cycle: str = ""
    cycle_ends: int = 0

    def take(self, kind: str, thing: Any) -> None:
        """A thing as it is now."""
        match kind:
            case "terminal":
                self._take_terminal(thing)
            case "account":
                self.plain_accounts[thing.id] = thing
                self._count(thing)
            case "plan":
                self.plans[thing.id] = thing
                for account in self.plain_accounts.values():
                    if account.plan == thing.id:
                        self._count(account)
            case "region":
                before = self.regions.get(thing.id)
                self.changed.cells.update(() if before is None else before.cells, thing.cells)
                self.regions[thing.id] = thing
            case "allow-list":
                self.lists[thing.id] = thing
                self.in_force = InForce(self.lists.values())

    def begin_cycle(self, now: int) -> None:
        """Of this month nothing is used yet, as far as is known here."""
        before, self.used = self.used, {}
        self.cycle, self.cycle_ends = cycle_of(now), cycle_ends(now)
        self._count_again(before)

    def take_used(self, used: Iterable[Used]) -> None:
        """What accounts have used by now; other cycles do not matter."""
        new = {one.account: one.used_bytes for one in used if one.cycle == self.cycle}
        self.used.update(new)
        self._count_again(new)

    def _count_again(self, ids: Iterable[str]) -> None:
        for id in ids:
            if id in self.plain_accounts:
                self._count(self.plain_accounts[id])

    def taken(self) -> Changed:
        """What has changed since this was last asked."""
        changed, self.changed = self.changed, Changed()
        return changed

    def _take_terminal(self, thing: Terminal) -> None:
        where = self.regions.get(thing.region) or self.plain_accounts.get(thing.owner)
        country = where.country if where else ""
        self.terminals[thing.id] = terminal_facts(thing, self.in_force, country)
        self.subjects[thing.id] = Subject(thing.region, thing.owner)
        if thing.line is not None:
            self.lines[thing.id] = thing.line
        if thing.network is Network.OURS:
            self.dishes[thing.id] = seen = dish(thing)
            (self.waiting.add if seen.asked or seen.unseen else self.waiting.discard)(thing.id)
        self.changed.terminals.add(thing.id)

    def _count(self, account: account_room.Account) -> None:
        used = self.used.get(account.id, 0)
        facts = account_facts(account, self.plans, used, self.cycle_ends or None)
        rates = rates_of(account, self.plans, used)
        if (self.accounts.get(account.id), self.rates.get(account.id)) == (facts, rates):
            # Most of what is used changes nothing.
            return
        self.accounts[account.id], self.rates[account.id] = facts, rates
        self.changed.accounts.add(account.id)


def dish(terminal: Terminal) -> Dish:
    """As our sky sees it."""
    asked = terminal.commands.last_asked(terminal.enforcer)
    heads = asked is not None and asked.kind is terminal.wanted
    names = (terminal.id, terminal.dish_id, terminal.kit, terminal.serial)
    active = terminal.state is TerminalState.ACTIVE
    return Dish(
        cell=terminal.cell,
        hardware=terminal.hardware,
        names=tuple(name for name in names if name),
        asked=asked.id if asked is not None and heads else "",
        lets_in=active,
        unseen=active and terminal.served_at is None,
    )


def rates_of(
    account: account_room.Account, plans: Mapping[str, plan_room.Plan], used_bytes: int = 0
) -> Rates:
    """What its plan gives; nothing without one, in the last class."""
    plan = plans.get(account.plan)
    if plan is None:
        return Rates(0.0, 0.0, max(plan_room.ServiceClass))
    return Rates(*plan.rates_bps(used_bytes), int(plan.service_class))
