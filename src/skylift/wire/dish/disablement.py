"""Why the network does not serve a dish, in the dish's codes, from what the office decided.

The network's own list of causes has nothing for papers or waiting lists; what no code says exactly is told by
the nearest, and the words are in the office's links.
"""

from __future__ import annotations

from skylift.base.link import WhyDown
from skylift.wire.dish.view import SlotView

UNKNOWN, OKAY, NO_ACTIVE_ACCOUNT, TOO_FAR = 0, 1, 2, 3
BLOCKED_COUNTRY, DATA_OVERAGE, CELL_IS_DISABLED, ROAM_RESTRICTED = 6, 7, 8, 10
ACCOUNT_DISABLED, BLOCKED_AREA = 12, 16

# Codes of service.permission.reasons and twin.permit; what comes first in a decision, counts.
OF_REASON = {
    "region.none": CELL_IS_DISABLED,
    "region.prohibited": BLOCKED_COUNTRY,
    "region.not-active": CELL_IS_DISABLED,
    "region.papers-missing": CELL_IS_DISABLED,
    "cell.disabled": CELL_IS_DISABLED,
    "cell.waitlist": CELL_IS_DISABLED,
    "cell.outside-hours": CELL_IS_DISABLED,
    "cell.allow-list-only": BLOCKED_AREA,
    "cell.no-roaming": ROAM_RESTRICTED,
    "terminal.unknown": NO_ACTIVE_ACCOUNT,
    "terminal.not-active": NO_ACTIVE_ACCOUNT,
    "terminal.cut-off": ACCOUNT_DISABLED,
    "terminal.not-on-allow-list": BLOCKED_AREA,
    "terminal.away-from-home": TOO_FAR,
    "account.unknown": NO_ACTIVE_ACCOUNT,
    "account.not-verified": NO_ACTIVE_ACCOUNT,
    "account.suspended": ACCOUNT_DISABLED,
    "account.sanctioned": ACCOUNT_DISABLED,
    "plan.none": NO_ACTIVE_ACCOUNT,
    "plan.allowance-used": DATA_OVERAGE,
    "office.silent": UNKNOWN,
}
# Where no office said why.
_WITHOUT_REASONS = {
    WhyDown.REGION_NOT_ACTIVE: CELL_IS_DISABLED,
    WhyDown.NOT_PERMITTED: NO_ACTIVE_ACCOUNT,
}
# Of get_diagnostics, whose list is shorter.
IN_DIAGNOSTICS = {
    OKAY,
    NO_ACTIVE_ACCOUNT,
    TOO_FAR,
    BLOCKED_COUNTRY,
    CELL_IS_DISABLED,
    ACCOUNT_DISABLED,
    BLOCKED_AREA,
}


def disablement(view: SlotView | None) -> int:
    """UtDisablementCode of a slot; UNKNOWN where nothing is known of it."""
    if view is None:
        return UNKNOWN
    if view.up:
        return OKAY
    if view.reasons:
        return OF_REASON.get(view.reasons[0], NO_ACTIVE_ACCOUNT)
    return _WITHOUT_REASONS.get(view.why_down, OKAY)
