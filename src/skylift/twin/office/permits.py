"""From what the service knows to what permission asks for: a snapshot of terminals, accounts and regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skylift.service.account.account import Account, AccountState
from skylift.service.account.plan import Plan
from skylift.service.permission.decision import AccountFacts, Permissions, TerminalFacts
from skylift.service.permission.reasons import Code, Why
from skylift.service.region.state import Region
from skylift.service.terminal.events import Basis, Mobility
from skylift.service.terminal.state import Terminal, TerminalState

_NOT_ACTIVE = {
    state: Why(Code.TERMINAL_NOT_ACTIVE, "the operator", f"it is {state.value}: bring it to active")
    for state in TerminalState
    if state is not TerminalState.ACTIVE
}
_NOT_VERIFIED = Why(Code.ACCOUNT_NOT_VERIFIED, "the operator", "have somebody known vouch for the account")
_NO_PLAN = Why(Code.PLAN_NONE, "the operator", "choose a plan")


def terminal_facts(terminal: Terminal) -> TerminalFacts:
    """What permission needs to know of one terminal."""
    against: tuple[Why, ...] = ()
    if terminal.cut_off:
        who = " and ".join(sorted(terminal.blocks)) or "the operator"
        against = (
            Why(Code.TERMINAL_CUT_OFF, who, f"it is {terminal.state.value}: have it found or released"),
        )
    elif terminal.state is not TerminalState.ACTIVE:
        against = (_NOT_ACTIVE[terminal.state],)
    return TerminalFacts(
        account=terminal.owner,
        against=against,
        listed=terminal.verified is not None and terminal.verified.basis is Basis.ALLOW_LIST,
        home_cell=terminal.cell,
        moves=terminal.mobility is not Mobility.FIXED,
    )


def account_facts(account: Account, plans: Mapping[str, Plan], used_bytes: int = 0) -> AccountFacts:
    """What permission needs to know of one account; used_bytes: of its allowance in this cycle."""
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
        against.append(Why(Code.PLAN_USED_UP, "the operator", "wait for the next cycle, or change the plan"))
    return AccountFacts(tuple(against), down_bps)


def permissions_of(
    terminals: Iterable[Terminal],
    accounts: Iterable[Account],
    plans: Mapping[str, Plan],
    regions: Iterable[Region],
    used_bytes: Mapping[str, int] | None = None,
) -> Permissions:
    """A snapshot; used_bytes by account."""
    used = used_bytes or {}
    return Permissions(
        {terminal.id: terminal_facts(terminal) for terminal in terminals},
        {account.id: account_facts(account, plans, used.get(account.id, 0)) for account in accounts},
        list(regions),
    )
