"""Draft requests from a need: one for each site that is cut off, with all that it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
        stored = _recorded(client, body, f"need-{key}", site.site.id)
        made.append({"id": stored["id"], "site": site.site.id, "terminals": site.terminals})
    return made


def _recorded(client: Any, body: dict[str, Any], key: str, site: str) -> dict[str, Any]:
    from skylift.base.errors import Refused

    try:
        stored: dict[str, Any] = client.ask("POST", "requests", body, {"Idempotency-Key": key})
    except Refused as refused:
        if refused.code != "idempotency.other-request":
            raise
        if "region" in body:
            # Where it is not there, that is what is wrong.
            client.ask("GET", f"regions/{quote(body['region'], safe='')}")
        raise Refused(
            "need.drafted",
            f"site {site}",
            "a draft for it and this outage is on record, with another region or other assumptions",
            "confirm or refuse that draft (`skylift request list status=draft`), or ask as you did before",
        ) from None
    return stored


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
