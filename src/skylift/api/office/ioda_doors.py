"""IODA's paths for outages, over what the public is told: GET /api/v1/ioda/v2/outages/events and /alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from skylift.api.office.conditional import weak_etag
from skylift.api.office.door import Call, Door, Handler, Parameter, answer
from skylift.api.office.feeds import CACHING
from skylift.api.office.public_outages import PublicOutages
from skylift.base.errors import Refused
from skylift.base.units import S_PER_DAY, US_PER_S
from skylift.service.outage.ioda import TYPES, Asked, alerts, envelope, events

LIMIT, MOST = 1_000, 10_000
# IODA's own pages ask for no longer spans of outages.
LONGEST_S = 366 * S_PER_DAY
FORMATS = ("codf", "ioda")
_NUMBER = {"type": "integer", "minimum": 0}
_FLAG = {"type": "boolean", "default": False}

_SHARED = (
    Parameter("from", "Unix seconds; a day before `until` where it is left out.", _NUMBER),
    Parameter("until", "Unix seconds, end exclusive; now where it is left out.", _NUMBER),
    Parameter("entityType", "Only these.", {"type": "string", "enum": sorted(TYPES.values())}),
    Parameter("entityCode", "Only this one: UA, or the number of an AS."),
    Parameter("datasource", "Only what this signal shows, such as ping-slash24."),
    Parameter("limit", "How many at most.", {**_NUMBER, "maximum": MOST, "default": LIMIT}),
    Parameter("page", "Which page of so many, from 0 on.", _NUMBER),
)
_OF_EVENTS = (
    Parameter("format", "Shape of the events.", {"type": "string", "enum": list(FORMATS), "default": "codf"}),
    Parameter("overall", "One event for all signals, with the product of their scores.", _FLAG),
    Parameter("includeAlerts", "With the alerts of each, in the format `ioda`.", _FLAG),
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "metadata": {"type": "object"},
        "requestParameters": {"type": "object"},
        "error": {"type": ["string", "null"]},
        "perf": {"type": ["object", "null"]},
        "data": {"type": "array", "items": {"type": "object"}},
        "copyright": {"type": "string"},
    },
    "required": ["type", "metadata", "requestParameters", "error", "data", "copyright"],
}


class IodaDoors:
    """They take no login; what they tell is what the public page tells."""

    def __init__(self, outages: PublicOutages) -> None:
        self._outages = outages

    def doors(self) -> list[Door]:
        return [
            self._door(self._events, "events", "events", (*_SHARED, *_OF_EVENTS)),
            self._door(self._alerts, "alerts", "alerts: where they begin and end", _SHARED),
        ]

    def _door(self, work: Handler, what: str, says: str, parameters: tuple[Parameter, ...]) -> Door:
        return Door(
            "GET", f"/api/v1/ioda/v2/outages/{what}", work, f"Public outages as IODA's API gives {says}.",
            "public", {200: _SCHEMA}, parameters=parameters, open_to_all=True, revalidates=True,
        )  # fmt: skip

    async def _events(self, call: Call) -> Response:
        return await self._answer(call, "events")

    async def _alerts(self, call: Call) -> Response:
        return await self._answer(call, "alerts")

    async def _answer(self, call: Call, what: str) -> Response:
        query = call.request.query_params
        now_s = int(call.desk.clock.now()) // US_PER_S
        until_s = _number(query, "until", now_s, 10**11)
        from_s = _number(query, "from", max(0, until_s - S_PER_DAY), 10**11)
        if not 0 < until_s - from_s <= LONGEST_S:
            raise Refused(
                "parameter.span",
                "from and until",
                "from is before until, by at most 366 days",
                "ask in pieces",
            )
        form, kind = query.get("format", "codf"), query.get("entityType", "")
        if form not in FORMATS or kind not in ("", *TYPES.values()):
            raise Refused(
                "parameter.choice",
                "parameter 'format' or 'entityType'",
                f"{' or '.join(FORMATS)}; {', '.join(sorted(TYPES.values()))}",
                "choose one of them",
            )
        # Nothing is known of what is to come: what is open now lasts until now.
        asked = Asked(
            from_s, max(min(until_s, now_s), from_s + 1), kind, query.get("entityCode", ""),
            query.get("datasource", ""), form == "ioda", _flag(query, "overall"),
            _flag(query, "includeAlerts"),
        )  # fmt: skip
        told, _ = await self._outages.now()
        data = (events if what == "events" else alerts)(told, asked)
        limit = _number(query, "limit", LIMIT, MOST)
        first = _number(query, "page", 0, 10**6) * limit
        document = envelope(f"outages.{what}", dict(query), data[first : first + limit])
        response = answer(document, Cache_Control=CACHING, Access_Control_Allow_Origin="*")
        response.headers["ETag"] = weak_etag(bytes(response.body))
        return response


def _number(query: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    text: Any = query.get(name)
    if text is None:
        return otherwise
    if text.isascii() and text.isdecimal() and len(text) < 13 and int(text) <= most:
        return int(text)
    raise Refused(f"parameter.{name}", f"parameter '{name}'", f"it is 0 to {most}", "correct it")


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false").lower()
    if text in ("true", "1", "false", "0", ""):
        return text in ("true", "1")
    raise Refused(f"parameter.{name}", f"parameter '{name}'", "it is true or false", "correct it")
