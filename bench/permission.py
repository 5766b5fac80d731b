"""Decisions of `may_serve` in a second: distinct and uncached, over 100,000 terminals in a country's cells.

No peer: OpenWISP and its like have no such question. That every reason code occurs is checked.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from bench.harness import Case, Result

if TYPE_CHECKING:
    from skylift.service.permission.decision import Permissions

TERMINALS = 100_000
LEAST_PER_S = 50_000


@cache
def questions() -> tuple[Permissions, list[tuple[str, str, int]]]:
    """A snapshot, and as many questions, no two alike."""
    import h3

    from skylift.base.instants import InstantUs
    from skylift.service.permission.decision import HOUR_US, AccountFacts, Permissions, TerminalFacts
    from skylift.service.permission.reasons import Code, Why
    from skylift.service.region.events import CellMode, Limits, Paper
    from skylift.service.region.state import Cell, Granted, Region, RegionState

    cells = sorted(h3.grid_disk(h3.latlng_to_cell(49.0, 31.0, 5), 28))
    modes = [Cell(CellMode.ENABLED), Cell(CellMode.DISABLED), Cell(CellMode.WAITLIST)]
    modes += [
        Cell(CellMode.RESTRICTED, limits)
        for limits in (Limits(hours_utc=(1, 2)), Limits(allow_list_only=True), Limits(roaming=False))
    ]
    papers = {Paper.TEMPORARY: Granted("a", "d", InstantUs(0), InstantUs(2_000 * HOUR_US))}
    states = (RegionState.ACTIVE, RegionState.ACTIVE, RegionState.SUSPENDED, RegionState.PROHIBITED)
    regions = [
        Region(f"rgn_{i}", state, "UA", "", papers, {c: modes[k % 6] for k, c in enumerate(cells[i::4])})
        for i, state in enumerate(states)
    ]
    of_terminals = (Code.TERMINAL_NOT_ACTIVE, Code.TERMINAL_CUT_OFF, Code.TERMINAL_NOT_LISTED)
    of_accounts = (
        Code.ACCOUNT_NOT_VERIFIED, Code.ACCOUNT_SUSPENDED, Code.ACCOUNT_SANCTIONED, Code.PLAN_NONE,
        Code.PLAN_USED_UP,
    )  # fmt: skip
    terminals = {
        f"trm_{i}": TerminalFacts(
            f"acc_{i % 1_001}",
            (Why(of_terminals[i % 3], "operator", "x"),) if i % 7 == 0 else (),
            i % 5 == 0,
            cells[i % len(cells)],
            i % 2 == 0,
        )
        for i in range(1, TERMINALS)
    }
    accounts = {
        f"acc_{i}": AccountFacts((Why(of_accounts[i % 5], "operator", "x"),) if i % 9 == 0 else ())
        for i in range(1_000)
    }
    asked = [
        (f"trm_{i}", cells[i * 7 % len(cells)] if i % 3 else f"8{i:014x}", i * 97 * HOUR_US // 1_000)
        for i in range(TERMINALS)
    ]
    return Permissions(terminals, accounts, regions), asked


def decide() -> list[Any]:
    permissions, asked = questions()
    return [permissions.may_serve(*question) for question in asked]


def cases(seed: int) -> list[Case]:
    from skylift.service.permission.reasons import Code

    def ok(result: Result) -> bool:
        occurring = {why.code for decision in decide() for why in decision.reasons}
        return occurring == set(Code) and TERMINALS / result.ours.cpu_s >= LEAST_PER_S

    return [
        Case(
            id="permission-decisions",
            ours=decide,
            peer=None,
            peer_name="",
            peer_version="",
            compare=None,
            limit=f">= {LEAST_PER_S:,} decisions a second on one core, every reason code among them",
            ok=ok,
            seed=seed,
            prepare=lambda: questions() and None,
            work=TERMINALS,
            unit="decisions",
        )
    ]
