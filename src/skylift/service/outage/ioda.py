"""Public outages in the shape of IODA's API, version 2, so that programs written for it read ours too.

Pure. What IODA has and we do not is null, never made up: our levels are fractions of ordinary, so `value` is
one and `historyValue` is 1.0; the score is the drop at the lowest level, in percent, times the minutes that
the outage lasted: IODA's own sum over alerts where a drop stays as deep, and more than that where it varies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from skylift.base.instants import InstantUs
from skylift.base.units import US_PER_S
from skylift.service.outage.events import Entity, EntityKind, Level
from skylift.service.outage.public import Told

# What IODA calls them. A cone is no type of IODA's: readers that do not know it pass it over.
TYPES = {
    EntityKind.COUNTRY: "country",
    EntityKind.REGION: "region",
    EntityKind.AS: "asn",
    EntityKind.AS_WITH_CONE: "asn-with-cone",
}
METHOD = "skylift"
# Where a recording does not say which signal it was.
NO_SIGNAL = "unknown"
COPYRIGHT = "Measured by the operator of this service; shape after IODA, which has no part in it."
# IODA's help page: below half of ordinary is critical.
CRITICAL_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """from_s, until_s: Unix seconds, end exclusive; "" chooses all."""

    from_s: int
    until_s: int
    entity_type: str = ""
    entity_code: str = ""
    datasource: str = ""
    ioda_format: bool = False
    overall: bool = False
    include_alerts: bool = False


def envelope(kind: str, parameters: dict[str, Any], data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What every answer of IODA's stands in. kind: "outages.events" or "outages.alerts"."""
    return {
        "type": kind,
        "metadata": {"requestTime": None, "responseTime": None},
        "requestParameters": parameters,
        "error": None,
        "perf": None,
        "data": list(data),
        "copyright": COPYRIGHT,
    }


def events(told: Iterable[Told], asked: Asked) -> list[dict[str, Any]]:
    """Outages that touch the span, one for each signal, or one for all with `overall`: the latest first."""
    return [event for one in told if _wanted(one, asked) for event in _events(one, asked)]


def alerts(told: Iterable[Told], asked: Asked) -> list[dict[str, Any]]:
    """The beginning of each outage, with the lowest level, and its end: as time goes on."""
    found = [
        alert
        for one in told
        if _wanted(one, asked)
        for source in _sources(one, asked)
        for alert in _alerts(one, source)
        if asked.from_s <= alert["time"] < asked.until_s
    ]
    return sorted(found, key=lambda alert: alert["time"])


def _wanted(one: Told, asked: Asked) -> bool:
    entity = one.outage.entity
    if entity.kind not in TYPES:
        return False
    start_s, end_s = _span_s(one)
    return (
        start_s < asked.until_s
        and (end_s is None or end_s > asked.from_s)
        and asked.entity_type in ("", TYPES[entity.kind])
        and asked.entity_code.upper() in ("", _code(entity).upper())
    )


def _span_s(one: Told) -> tuple[int, int | None]:
    outage = one.outage
    ended = outage.ended_at
    return _seconds(outage.began_at or InstantUs(0)), None if ended is None else _seconds(ended)


def _events(one: Told, asked: Asked) -> list[dict[str, Any]]:
    start_s, end_s = _span_s(one)
    until_s = asked.until_s if end_s is None else min(end_s, asked.until_s)
    sources = _sources(one, asked)
    score = _score(one.outage.worst, until_s - start_s)
    if asked.overall:
        # IODA: the product over its signals.
        return [_event(one, asked, (start_s, until_s), math.prod([score] * len(sources)), "overall")]
    return [_event(one, asked, (start_s, until_s), score, source) for source in sources]


def _event(one: Told, asked: Asked, span_s: tuple[int, int], score: float, source: str) -> dict[str, Any]:
    start_s, until_s = span_s
    _, end_s = _span_s(one)
    entity = one.outage.entity
    cut = start_s < asked.from_s or end_s is None or end_s > asked.until_s
    if asked.ioda_format:
        found: dict[str, Any] = {
            "from": start_s,
            "until": until_s,
            "entity": _entity(one),
            "score": score,
            "datasource": source,
        }
        if asked.include_alerts:
            found["alerts"] = [alert for each in _sources(one, asked) for alert in _alerts(one, each)]
    else:
        found = {
            "location": f"{TYPES[entity.kind]}/{_code(entity)}",
            "start": start_s,
            "duration": until_s - start_s,
            "uncertainty": None,
            "status": 0,
            "fraction": None,
            "score": score,
            "location_name": _name(one),
            "overlaps_window": cut,
            "datasource": source,
            "method": METHOD,
        }
    return _marked(one, found)


def _alerts(one: Told, source: str) -> list[dict[str, Any]]:
    outage = one.outage
    start_s, end_s = _span_s(one)
    worst = outage.worst.fraction
    level = "critical" if worst < CRITICAL_BELOW else "warning"
    # Both rules are the detector's own: open below 0.8, close above 0.9. How far above is not recorded.
    turns: list[tuple[int, str, str, float | None]] = [(start_s, level, "< 0.8", worst)]
    if end_s is not None:
        turns.append((end_s, "normal", "> 0.9", None))
    return [
        _marked(
            one,
            {
                "datasource": source,
                "entity": _entity(one),
                "time": time_s,
                "level": said,
                "condition": condition,
                "value": value,
                "historyValue": 1.0,
                "method": METHOD,
            },
        )
        for time_s, said, condition, value in turns
    ]


def _entity(one: Told) -> dict[str, Any]:
    entity = one.outage.entity
    kind, code = TYPES[entity.kind], _code(entity)
    return {
        "code": code,
        "name": _name(one),
        "type": kind,
        "subnames": {"uk": entity.title_uk} if entity.title_uk else {},
        "attrs": {"fqid": f"skylift.{kind}.{code}", "country_code": entity.country},
    }


def _name(one: Told) -> str:
    """Programs that show a name alone must show as well that it is made up."""
    name = one.outage.entity.title or one.outage.entity.code
    return f"{name} (synthetic data)" if one.outage.synthetic else name


def _marked(one: Told, found: dict[str, Any]) -> dict[str, Any]:
    return found | {"synthetic": True} if one.outage.synthetic else found


def _sources(one: Told, asked: Asked) -> list[str]:
    signals = one.outage.worst.signals or (NO_SIGNAL,)
    return [signal for signal in signals if asked.datasource in ("", signal)]


def _score(worst: Level, lasted_s: int) -> float:
    return round(max(0.0, 1.0 - worst.fraction) * 100.0 * max(lasted_s, 0) / 60.0, 3)


def _code(entity: Entity) -> str:
    """IODA writes the number of an AS alone."""
    if entity.kind in (EntityKind.AS, EntityKind.AS_WITH_CONE) and entity.code.upper().startswith("AS"):
        return entity.code[2:]
    return entity.code


def _seconds(at: InstantUs) -> int:
    return int(at) // US_PER_S
