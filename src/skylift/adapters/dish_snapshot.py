"""One look at a dish, or at the debug data that its app saves, without its place unless that is wanted.

What is handed on is listed here field by field: whatever else a dish or a file holds, goes nowhere. Loads no
NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec

from skylift.adapters.dish_client import DishClient
from skylift.adapters.dish_schema import dish_schema
from skylift.base.errors import Refused, SkyliftError
from skylift.base.instants import InstantUs, format_instant
from skylift.base.units import US_PER_S
from skylift.wire.dish.fields import JsonFields, number
from skylift.wire.dish.reading import DishHistory, DishStatus, Location, Outage, status_of

MOST_BYTES = 16 * 1024 * 1024
# Where the app of different years, and grpcurl, put the status.
_PATHS = (
    ("dish", "rawStatus"),
    ("dish", "status"),
    ("dish",),
    ("dishGetStatus",),
    ("dish_get_status",),
)
# A clock in seconds would have passed this in the year 5138; in milliseconds it did in 1973.
_MS_FROM = 100_000_000_000


def take(client: DishClient, at_us: InstantUs, with_place: bool = False) -> dict[str, Any]:
    """What the dish says now. Raises what DishClient does."""
    status = client.status()
    document = _document("dish", at_us, status, _of_history(client.history()), with_place)
    if with_place:
        document["place"]["location"] = _location(client)
    return document


def from_debug_data(data: bytes, with_place: bool = False) -> dict[str, Any]:
    """The same from the debug data that the app saves, or from grpcurl's status. Raises Refused."""
    if len(data) > MOST_BYTES:
        raise _strange("it is larger than 16 MiB")
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _strange("it is not readable as JSON") from None
    at_us, status = None, None
    for path in _PATHS:
        within = _at(found, path)
        if within is not None and ("deviceInfo" in within or "device_info" in within):
            like = dish_schema().message("DishGetStatusResponse").DESCRIPTOR
            status = status_of(JsonFields(within, like))
            at_us = _when(within, _at(found, ("dish",)))
            break
    if status is None:
        raise _strange("it holds no status of a dish")
    return _document("debug-data", at_us, status, None, with_place)


def _document(
    source: str, at_us: int | None, status: DishStatus, history: dict[str, Any] | None, with_place: bool
) -> dict[str, Any]:
    said = dataclasses.asdict(status)
    pointing = said.pop("pointing")
    said["outage"] = None if status.outage is None else _of_outage(status.outage)
    document: dict[str, Any] = {
        "source": source,
        "at": None if at_us is None else format_instant(InstantUs(at_us)),
        "dish": said,
        "history": history,
    }
    if with_place:
        document["place"] = {"pointing": pointing, "location": None}
    else:
        said["device"]["country_code"] = ""
    return document


def _of_history(history: DishHistory) -> dict[str, Any]:
    """The ring in a few numbers."""
    return {
        "seconds": history.count - history.first,
        "mean_latency_ms": _mean(history.latency_ms),
        "mean_drop_fraction": _mean(history.drop_fraction),
        "mean_down_bps": _mean(history.down_bps),
        "mean_up_bps": _mean(history.up_bps),
        "mean_power_w": _mean(history.power_w),
        "outages": [_of_outage(one) for one in history.outages],
    }


def _of_outage(outage: Outage) -> dict[str, Any]:
    start = None if outage.start_us is None else format_instant(InstantUs(outage.start_us))
    return {"cause": outage.cause, "start": start, "duration_s": outage.duration_us / US_PER_S}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _location(client: DishClient) -> dict[str, Any] | str:
    try:
        place: Location = client.location()
    except SkyliftError as error:
        return error.rule
    return dataclasses.asdict(place)


def _at(document: Any, path: Sequence[str]) -> dict[str, Any] | None:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else None


def _when(*places: dict[str, Any] | None) -> int | None:
    """When the app saw it; in seconds or milliseconds, by the app's age."""
    for place in places:
        at = None if place is None else number(JsonFields(place, None), "timestamp")
        if at is not None and 0 < at < _MS_FROM * 1_000:
            return int(at * 1_000 if at >= _MS_FROM else at * US_PER_S)
    return None


def _strange(rule: str) -> Refused:
    return Refused(
        "dish.debug_data",
        "the debug data",
        rule,
        "save it in the app (advanced, debug data), and give that file",
    )
