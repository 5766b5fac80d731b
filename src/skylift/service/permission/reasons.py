"""Why a terminal may not be served, for programs; who decided it, and what would change it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from skylift.base.link import WhyDown


class Code(enum.Enum):
    """Reasons. Codes are part of the interface: new ones are added, none changes its meaning."""

    REGION_NONE = "region.none"
    REGION_PROHIBITED = "region.prohibited"
    REGION_NOT_ACTIVE = "region.not-active"
    REGION_PAPERS = "region.papers-missing"
    CELL_DISABLED = "cell.disabled"
    CELL_WAITLIST = "cell.waitlist"
    CELL_HOURS = "cell.outside-hours"
    CELL_LIST = "cell.allow-list-only"
    CELL_ROAMING = "cell.no-roaming"
    TERMINAL_UNKNOWN = "terminal.unknown"
    TERMINAL_NOT_ACTIVE = "terminal.not-active"
    TERMINAL_CUT_OFF = "terminal.cut-off"
    TERMINAL_NOT_LISTED = "terminal.not-on-allow-list"
    TERMINAL_FIXED = "terminal.away-from-home"
    ACCOUNT_UNKNOWN = "account.unknown"
    ACCOUNT_NOT_VERIFIED = "account.not-verified"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_SANCTIONED = "account.sanctioned"
    PLAN_NONE = "plan.none"
    PLAN_USED_UP = "plan.allowance-used"


@dataclass(frozen=True, slots=True)
class Why:
    """One reason against. authority: whose decision it is; would_change: what has to happen."""

    code: Code
    authority: str
    would_change: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed only where nobody has anything against it; every reason is given, not the first alone.

    cap_bps  the least of the speed caps that hold, where it is allowed; None for none
    """

    allowed: bool
    reasons: tuple[Why, ...] = ()
    cap_bps: float | None = None

    @property
    def barred(self) -> WhyDown:
        """For the Asks of the next slot."""
        if self.allowed:
            return WhyDown.UP
        if any(why.code in _OF_A_PLACE for why in self.reasons):
            return WhyDown.REGION_NOT_ACTIVE
        if all(why.code is Code.TERMINAL_NOT_ACTIVE for why in self.reasons):
            return WhyDown.TERMINAL_OFF
        return WhyDown.NOT_PERMITTED


_OF_A_PLACE = frozenset(code for code in Code if code.value.startswith(("region.", "cell.")))
