"""What everybody is told of outages: entries of a feed, and nothing that the public must not know.

Pure. Of cells, sites, need, what is held or dismissed, and signals nothing is in here at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skylift.base.feed import LONGEST, Entry, Feed, marked
from skylift.base.instants import InstantUs
from skylift.service.outage.events import Level
from skylift.service.outage.state import Outage, OutageState, is_public
from skylift.service.outage.words import is_stale, sentence

# Worst first, as the detector has them: the lowest fraction of ordinary that was reached is below the number.
BANDS = ((0.2, "critical"), (0.5, "major"), (0.8, "warning"))
# An H3 index of any resolution from 1 to 15 as it is written: a name that holds one tells of a cell.
_CELL = re.compile(r"(?<![0-9a-f])8[0-9a-f]{14}(?![0-9a-f])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """One outage that the public may see, since when it may, and when it was last changed.

    stale  it is open, and nobody has measured it for long
    """

    outage: Outage
    since: InstantUs
    updated_at: InstantUs
    stale: bool = False


def band(level: Level) -> str:
    """How bad: critical, major or warning."""
    return next((name for below, name in BANDS if level.fraction < below), BANDS[-1][1])


def told_at(recorded: Sequence[tuple[Outage, InstantUs]], at: InstantUs) -> list[Told]:
    """Those of which the public learns at an instant, the latest first.

    recorded  each outage, and when its last event was recorded
    """
    found = []
    for outage, changed_at in recorded:
        since = outage.told_from
        if since is None or not is_public(outage, at) or _names_a_cell(outage):
            continue
        found.append(Told(outage, since, max(since, changed_at), is_stale(outage, at)))
    return sorted(found, key=lambda told: (-(told.outage.began_at or 0), told.outage.id))


def entries(feed: Feed, told: Sequence[Told]) -> list[Entry]:
    """Each with its sentence, and with the sources of what is said about its cause."""
    return [_entry(feed, one) for one in told]


def _entry(feed: Feed, told: Told) -> Entry:
    outage = told.outage
    text = sentence(outage, feed.language, told.stale)
    title = text.partition(". ")[0].rstrip(".")
    sources = "".join(f"\n{claim.publisher}: {claim.url}" for claim in outage.claims)
    tags = [outage.entity.kind.value, _state(outage), band(outage.worst)]
    return Entry(
        outage.id,
        f"urn:skylift:outage:{outage.id}",
        f"{feed.home_url.rstrip('/')}/{outage.id}",
        marked(feed, _with_synthetic(outage, title, feed.language)),
        marked(feed, text + sources),
        (*tags, *(["synthetic"] if outage.synthetic else [])),
        told.since,
        told.updated_at,
    )


def _with_synthetic(outage: Outage, title: str, language: str) -> str:
    """A title is cut, and what stands after its first sentence is not in it: made-up data say so first."""
    mark = ("[вигадані дані] " if language == "uk" else "[synthetic] ") if outage.synthetic else ""
    return mark + (title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…")


def _state(outage: Outage) -> str:
    return "over" if outage.state is OutageState.CLOSED else "open"


def _names_a_cell(outage: Outage) -> bool:
    entity = outage.entity
    return any(_CELL.search(text) for text in (entity.code, entity.title, entity.title_uk))
