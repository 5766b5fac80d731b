"""Words for the public, made from recorded facts, in English and Ukrainian.

What a statement claims are a few values; the text is the template with these values in it. So whether it
contradicts what is recorded can be checked, when it is drafted and again when it is published.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from skylift.base.errors import Refused
from skylift.base.instants import InstantUs

LANGUAGES = ("en", "uk")


class Kind(enum.Enum):
    """What is told."""

    SERVICE_ACTIVE = "service-active"
    SERVICE_PAUSED = "service-paused"
    BATCH_SENT = "batch-sent"
    BATCH_RECEIVED = "batch-received"
    TERMINALS_ONLINE = "terminals-online"


@dataclass(frozen=True, slots=True)
class RegionFact:
    """Where a region stands: what people call it by language, and its state ("active", "suspended", ...)."""

    titles: Mapping[str, str]
    state: str


@dataclass(frozen=True, slots=True)
class BatchFact:
    """One consignment: the how-manieth it is to this region, terminals sent and received in order."""

    number: int
    sent: bool
    received: bool
    terminals: int


@dataclass(frozen=True, slots=True)
class RecordedFacts:
    """What is on record at one moment; batches by the id of the shipment."""

    as_of: InstantUs
    regions: Mapping[str, RegionFact] = field(default_factory=dict)
    batches: Mapping[str, BatchFact] = field(default_factory=dict)
    terminals_online: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a statement says is so. about: the region; batch: the shipment; number: of terminals."""

    kind: Kind
    about: str
    batch: str = ""
    ordinal: int = 0
    number: int = 0
    titles: Mapping[str, str] = field(default_factory=dict)


TEXTS: Mapping[Kind, Mapping[str, str]] = {
    Kind.SERVICE_ACTIVE: {
        "en": "Service is active in {place}. Switch a terminal on only when needed, and far from people.",
        "uk": "Сервіс працює: {place}. Вмикайте термінал лише за потреби й подалі від людей.",
    },
    Kind.SERVICE_PAUSED: {
        "en": "Service is paused in {place}.",
        "uk": "Сервіс призупинено: {place}.",
    },
    Kind.BATCH_SENT: {
        "en": "Batch {ordinal} for {place} is on its way: terminals in it: {number}.",
        "uk": "Партія {ordinal} в дорозі: {place}. Терміналів у ній: {number}.",
    },
    Kind.BATCH_RECEIVED: {
        "en": "Batch {ordinal} has been received in {place}. Terminals in good order: {number}.",
        "uk": "Партію {ordinal} отримано: {place}. Справних терміналів: {number}.",
    },
    Kind.TERMINALS_ONLINE: {
        "en": "Terminals online in {place}: {number}.",
        "uk": "Терміналів на зв'язку: {number} ({place}).",
    },
}


def drafted(kind: Kind, about: str, facts: RecordedFacts, batch: str = "") -> Claims:
    """Claims of this kind as the record has them. Raises Refused where the record does not bear them."""
    region = facts.regions.get(about)
    if region is None:
        raise Refused(
            "statement.unknown-region", f"region {about}", "it is not on record", "open the region first"
        )
    recorded = facts.batches.get(batch)
    claims = Claims(
        kind,
        about,
        batch,
        recorded.number if recorded else 0,
        _number(kind, about, recorded, facts),
        {language: region.titles.get(language, region.titles.get("en", about)) for language in LANGUAGES},
    )
    refuse_contradictions(claims, facts)
    return claims


def texts(claims: Claims) -> dict[str, str]:
    """The statement in each language."""
    return {
        language: TEXTS[claims.kind][language].format(
            place=claims.titles.get(language, claims.about), ordinal=claims.ordinal, number=claims.number
        )
        for language in LANGUAGES
    }


def contradictions(claims: Claims, facts: RecordedFacts) -> tuple[str, ...]:
    """What the record says otherwise, in words; nothing where it bears every claim."""
    region = facts.regions.get(claims.about)
    if region is None:
        return (f"region {claims.about} is not on record",)
    found = []
    wanted_state = {Kind.SERVICE_ACTIVE: "active", Kind.SERVICE_PAUSED: "suspended"}.get(claims.kind)
    if wanted_state is not None and region.state != wanted_state:
        found.append(f"region {claims.about} is {region.state}")
    if claims.kind in (Kind.BATCH_SENT, Kind.BATCH_RECEIVED):
        found += _of_batch(claims, facts.batches.get(claims.batch))
    if claims.kind is Kind.TERMINALS_ONLINE:
        online = facts.terminals_online.get(claims.about, 0)
        if claims.number != online:
            found.append(f"{online} terminals are online")
    return tuple(found)


def refuse_contradictions(claims: Claims, facts: RecordedFacts) -> None:
    """Raises Refused with all that the record says otherwise."""
    found = contradictions(claims, facts)
    if found:
        raise Refused(
            "statement.contradiction",
            f"statement {claims.kind.value}",
            f"the record says otherwise: {'; '.join(found)}",
            "draft it anew from what is recorded, or record what has happened first",
        )


def _of_batch(claims: Claims, batch: BatchFact | None) -> list[str]:
    if batch is None:
        return [f"shipment {claims.batch} is not on record" if claims.batch else "no shipment is named"]
    found = []
    if not batch.sent:
        found.append(f"shipment {claims.batch} has not been sent")
    if claims.kind is Kind.BATCH_SENT and batch.received:
        found.append(f"shipment {claims.batch} is not on its way any more: it has been received")
    if claims.kind is Kind.BATCH_RECEIVED and not batch.received:
        found.append(f"shipment {claims.batch} has not been received")
    if claims.ordinal != batch.number:
        found.append(f"shipment {claims.batch} is batch {batch.number}")
    if claims.number != batch.terminals:
        found.append(f"shipment {claims.batch} has {batch.terminals} terminals")
    return found


def _number(kind: Kind, about: str, batch: BatchFact | None, facts: RecordedFacts) -> int:
    if kind is Kind.TERMINALS_ONLINE:
        return facts.terminals_online.get(about, 0)
    return batch.terminals if batch else 0
