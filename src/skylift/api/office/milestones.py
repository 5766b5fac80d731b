"""How fast help came, over HTTP: for each call, each region and all of it, beside the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from skylift.api.office.door import Call, Door, Parameter, answer
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import InstantUs
from skylift.service.account.roles import Subject
from skylift.twin.office.milestone_sums import BENCHMARK_HOURS, Hours, Sums, by_region, hours_of, sums
from skylift.twin.office.milestones import Milestones

LIMIT, MOST = 100, 1000
# The sums of all that the asker may read.
WHOLE = "*"


@dataclass(frozen=True, slots=True)
class CallTimes:
    """One call: when what happened first (null: not yet), and the hours that it took."""

    request: str
    region: str
    asked_at: InstantUs
    acknowledged_at: InstantUs | None
    authorised_at: InstantUs | None
    activated_at: InstantUs | None
    first_online_at: InstantUs | None
    hours: Hours
    beats_benchmark: bool | None
    merged_into: str


@dataclass(frozen=True, slots=True)
class MilestonesShown:
    """benchmark_hours: from a public call to active service in February 2022, the world's best known.

    items  calls in the order in which they came, of those that you may read;  next  the cursor, or null
    """

    benchmark_hours: float
    whole: Sums
    regions: tuple[Sums, ...]
    items: tuple[CallTimes, ...]
    next: str | None


def doors() -> list[Door]:
    """The one."""
    return [
        Door(
            "GET",
            "/api/v1/milestones",
            shown,
            "How long it took from calls to acknowledgement, authorisation, active service, first terminal.",
            "request",
            {200: MilestonesShown},
            parameters=(
                Parameter("region", "Only calls of this region."),
                Parameter("cursor", "The `next` of the page before."),
                Parameter(
                    "limit",
                    "How many calls at most; 0: the sums alone.",
                    {"type": "integer", "minimum": 0, "maximum": MOST, "default": LIMIT},
                ),
            ),
            revalidates=True,
        )
    ]


async def shown(call: Call) -> Response:
    desk, actor, query = call.desk, call.asker(), call.request.query_params
    if actor.scopes and "request.read" not in actor.scopes:
        desk.office.refuse_strangers(actor, "request.read", Subject())
    limit = _number(query.get("limit", str(LIMIT)), "limit", MOST)
    start = _number(query.get("cursor", "0"), "cursor", 10**12)
    measured = await desk.milestones.now()
    if measured is None:
        raise Unavailable(
            "milestones.reading", "the journal", "it is being read for the first time", "ask again in a while"
        )
    at, region = desk.clock.now(), query.get("region", "")
    allowed: dict[str, bool] = {}

    def may(where: str) -> bool:
        if where not in allowed:
            allowed[where] = desk.office.allows(actor, "request.read", Subject(where))
        return allowed[where]

    calls = [one for one in measured.all() if may(one.region) and region in ("", one.region)]
    page = calls[start : start + limit]
    following = str(start + limit) if limit and start + limit < len(calls) else None
    own = [one for one in calls if not one.merged_into]
    return answer(
        MilestonesShown(
            BENCHMARK_HOURS,
            sums(WHOLE, own, at),
            tuple(by_region(own, at)),
            tuple(_times(one) for one in page),
            following,
        )
    )


def _times(one: Milestones) -> CallTimes:
    return CallTimes(
        one.request, one.region, one.asked_at, one.acknowledged_at, one.authorised_at, one.activated_at,
        one.first_on_at, hours_of(one), one.beats_benchmark, one.merged_into,
    )  # fmt: skip


def _number(text: str, name: str, most: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 14 and int(text) <= most:
        return int(text)
    raise Refused(f"parameter.{name}", f"parameter '{name}'", f"it is 0 to {most}", "correct it")
