"""What terminals used, counted for whom they serve. Whatever measures it, an agent or a meter, comes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.errors import Refused
from skylift.ports.counts import UsageReport
from skylift.ports.store import Transaction
from skylift.service.account.usage import (
    MOST_AT_ONCE,
    OLDEST_US,
    Report,
    cycle_of,
    day_of,
    refuse_unlikely,
)
from skylift.service.terminal.state import Terminal

# Reports are forgotten now and then, by chance of their numbers: what they sum to stays.
TIDY_EVERY = 500


@dataclass(frozen=True, slots=True)
class Counted:
    """counted: reports that were new;  known: counted before;  used_bytes: of the account, in this month."""

    counted: int
    known: int
    account: str
    cycle: str
    used_bytes: int


def count_usage(transaction: Transaction, terminal: Terminal, reports: Sequence[Report], now: int) -> Counted:
    """Count reports of a terminal for the account that owns it now; those that came before count once.

    Raises Refused for one that cannot be, Conflict for a number that came with other figures.
    """
    if not 0 < len(reports) <= MOST_AT_ONCE:
        raise Refused(
            "usage.many", "reports", f"there are 1 to {MOST_AT_ONCE} at a time", "send them in parts"
        )
    for report in reports:
        refuse_unlikely(report, now)
    rows = [
        UsageReport(r.sequence, r.at, day_of(r.at), cycle_of(r.at), r.down_bytes, r.up_bytes) for r in reports
    ]
    new = transaction.add_usage(terminal.id, terminal.owner, rows)
    if any(report.sequence % TIDY_EVERY == 0 for report in reports):
        transaction.drop_usage(now - OLDEST_US)
    cycle = cycle_of(now)
    used = transaction.used_bytes(terminal.owner, cycle)
    return Counted(new, len({r.sequence for r in reports}) - new, terminal.owner, cycle, used)
