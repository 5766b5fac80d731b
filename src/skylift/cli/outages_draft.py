"""Draft requests from a need: one for each site that is cut off, with all that it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylift.study.need import NeedReport, SiteNeed

# A slip in a list of sites must not fill the desk of those who answer calls.
MOST = 50
# What a site is in a list of sites, and what it is as a call for help.
_KINDS = {"clinic": "hospital", "business": "household", "other": "household"}


def draft(
    client: Any, report: NeedReport, region: str, synthetic: bool, most: int = MOST
) -> list[dict[str, Any]]:
    """Record a call for help for each site, the worst first, once however often it is asked for.

    A draft is no call: it waits until a person confirms it (`skylift request confirm`), or refuses it.
    """
    made = []
    for site in report.sites[:most]:
        body: dict[str, Any] = {
            "channel": "api",
            "draft": True,
            "site_kind": _KINDS.get(site.site.kind, site.site.kind),
            "people": site.site.people,
            "terminals_wanted": site.terminals,
            "cell": site.site.cell,
            "words": words(report, site, synthetic),
        }
        if region:
            body["region"] = region
        key = hashlib.sha256(f"{site.site.id}\n{site.site.cell}\n{site.began_us}".encode()).hexdigest()[:24]
        stored = client.ask("POST", "requests", body, {"Idempotency-Key": f"need-{key}"})
        made.append({"id": stored["id"], "site": site.site.id, "terminals": site.terminals})
    return made


def words(report: NeedReport, site: SiteNeed, synthetic: bool) -> str:
    """What a person reads who is to decide."""
    from skylift.base.instants import format_instant

    parts = [
        "Reckoned from an outage; nobody has asked.",
        "SYNTHETIC DATA: made up." if synthetic else "",
        # No level: it moves, and the same draft must be the same text whenever it is made.
        f"Connectivity there is below {report.rules.below_fraction:.0%} of ordinary, since "
        f"{format_instant(site.began_us)}.",
        f"{site.terminals} terminals for {site.site.wanted_bps / 1e6:g} Mbit/s.",
        f"Assumed: {'; '.join(report.stated())}.",
    ]
    return " ".join(part for part in parts if part)


def said(made: Sequence[dict[str, Any]], left: int) -> str:
    text = f"{len(made)} draft requests: {', '.join(one['id'] for one in made)}"
    return f"{text}; {left} more sites are not drafted" if left > 0 else text
