"""From what the service knows to what permission asks for: a snapshot of terminals, accounts and regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skylift.base.instants import format_instant
from skylift.service.account.account import Account, AccountState
from skylift.service.account.plan import Plan
from skylift.service.permission.decision import AccountFacts, Permissions, TerminalFacts
from skylift.service.permission.reasons import Code, Why
from skylift.service.region.state import Region
from skylift.service.terminal.allow_list.preview import Index
from skylift.service.terminal.allow_list.state import AllowList, AllowListState
from skylift.service.terminal.events import Basis, Mobility
from skylift.service.terminal.state import Terminal, TerminalState
from skylift.twin.office.allow_lists import cut_now

_NOT_ACTIVE = {
    state: Why(Code.TERMINAL_NOT_ACTIVE, "the operator", f"it is {state.value}: bring it to active")
    for state in TerminalState
    if state is not TerminalState.ACTIVE
}
_NOT_VERIFIED = Why(Code.ACCOUNT_NOT_VERIFIED, "the operator", "have somebody known vouch for the account")
_NO_PLAN = Why(Code.PLAN_NONE, "the operator", "choose a plan")


class InForce:
    """What the allow-lists that are in force say, by the country whose law they are."""

    def __init__(self, lists: Iterable[AllowList]) -> None:
        self._of: dict[str, list[tuple[AllowList, Index, frozenset[str]]]] = {}
        for one in lists:
            if one.state is AllowListState.APPLIED:
                found = (one, Index(one.entries), frozenset(one.cut))
                self._of.setdefault(one.country, []).append(found)

    def listed(self, terminal: Terminal, country: str) -> bool:
        """By what is printed on it now; where no list is in force, as it was verified."""
        lists = self._of.get(country)
        if not lists:
            return terminal.verified is not None and terminal.verified.basis is Basis.ALLOW_LIST
        names = (terminal.serial, terminal.kit, terminal.dish_id)
        return any(index.entry_for(*names) is not None for _, index, _ in lists)

    def cut_off_by(self, terminal: Terminal, country: str) -> str:
        """The authority whose list cuts it off, as long as its own block is not written; "" for none."""
        for one, _, cut in self._of.get(country, ()):
            if terminal.id in cut and cut_now(one, terminal):
                return one.authority
        return ""


_NO_LISTS = InForce(())


def terminal_facts(terminal: Terminal, lists: InForce = _NO_LISTS, country: str = "") -> TerminalFacts:
    """What permission needs to know of one terminal. country: whose lists rule it."""
    against: tuple[Why, ...] = ()
    if terminal.cut_off:
        who = " and ".join(sorted(terminal.blocks)) or "the operator"
        against = (
            Why(Code.TERMINAL_CUT_OFF, who, f"it is {terminal.state.value}: have it found or released"),
        )
    elif terminal.state is not TerminalState.ACTIVE:
        against = (_NOT_ACTIVE[terminal.state],)
    elif authority := lists.cut_off_by(terminal, country):
        why = f"have it put on {authority}'s list, or verified there"
        against = (Why(Code.TERMINAL_NOT_LISTED, authority, why),)
    return TerminalFacts(
        account=terminal.owner,
        against=against,
        listed=lists.listed(terminal, country),
        home_cell=terminal.cell,
        moves=terminal.mobility is not Mobility.FIXED,
    )


def account_facts(
    account: Account, plans: Mapping[str, Plan], used_bytes: int = 0, cycle_ends: int | None = None
) -> AccountFacts:
    """What permission needs to know of one account; used_bytes: of its allowance, until the cycle ends."""
    against: list[Why] = []
    if account.state is AccountState.OPEN:
        against.append(_NOT_VERIFIED)
    elif account.state is not AccountState.VERIFIED:
        against.append(
            Why(Code.ACCOUNT_SUSPENDED, "the operator", f"it is {account.state.value}: have it resumed")
        )
    against += [
        Why(Code.ACCOUNT_SANCTIONED, authority, f"{authority} takes it off {list_name}")
        for authority, list_name in account.sanctions
    ]
    plan = plans.get(account.plan)
    if plan is None:
        return AccountFacts((*against, _NO_PLAN))
    down_bps, _ = plan.rates_bps(used_bytes)
    if down_bps <= 0.0:
        when = "for the next cycle" if cycle_ends is None else f"until {format_instant(cycle_ends)}"
        against.append(Why(Code.PLAN_USED_UP, "the operator", f"wait {when}, or change the plan"))
    return AccountFacts(tuple(against), down_bps)


def permissions_of(
    terminals: Iterable[Terminal],
    accounts: Iterable[Account],
    plans: Mapping[str, Plan],
    regions: Iterable[Region],
    used_bytes: Mapping[str, int] | None = None,
    lists: Iterable[AllowList] = (),
) -> Permissions:
    """A snapshot; used_bytes by account; lists: of authorities, of which those in force count."""
    used, accounts, regions = used_bytes or {}, list(accounts), list(regions)
    in_force = InForce(lists)
    country_of = {account.id: account.country for account in accounts}
    country_of |= {region.id: region.country for region in regions}
    return Permissions(
        {
            terminal.id: terminal_facts(
                terminal,
                in_force,
                country_of.get(terminal.region, country_of.get(terminal.owner, "")),
            )
            for terminal in terminals
        },
        {account.id: account_facts(account, plans, used.get(account.id, 0)) for account in accounts},
        regions,
    )
