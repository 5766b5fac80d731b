"""Own terminals as sensors: how many are online of those expected, by country, region or coarse cell."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from skylift.api.office.door import Call, answer, instant
from skylift.api.telemetry.intake import Intake
from skylift.api.telemetry.places import area_of
from skylift.base.errors import Refused
from skylift.base.units import US_PER_S
from skylift.service.account.roles import Subject
from skylift.service.outage.state import LEAST_TERMINALS
from skylift.twin.office.known import Known

USUAL_STEP_S, LEAST_STEP_S = 600, 300
KINDS = ("country", "region", "cell")


@dataclass(frozen=True, slots=True)
class OnlineShown:
    """items: [when it begins, in microseconds since 1970; code; how many were online; how many ought to be].

    least  groups of fewer terminals that ought to be online are left out
    """

    by: str
    step_s: int
    least: int
    items: list[list[int | str]]


def groups_of(known: Known, by: str) -> dict[str, tuple[str, ...]]:
    """Of each terminal that has one: its country, its region, or its area's cell; by: one of KINDS."""
    found: dict[str, tuple[str, ...]] = {}
    # One object for all that count together: a hundred thousand would be megabytes.
    made: dict[str, tuple[str, ...]] = {}
    for terminal, facts in known.terminals.items():
        subject = known.subjects[terminal]
        if by == "cell":
            code = area_of(facts.home_cell)
        elif by == "region":
            code = subject.region
        else:
            where = known.regions.get(subject.region) or known.plain_accounts.get(subject.owner)
            code = where.country if where else ""
        if code:
            found[terminal] = made.setdefault(code, (code,))
    return found


class Grouped:
    """Groups of all terminals, as of a number of the journal. Used on the one thread of what is known."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[int, dict[str, tuple[str, ...]]]] = {}

    def of(self, known: Known, by: str, sequence: int) -> dict[str, tuple[str, ...]]:
        """The same object as long as it says the same: it is cheaper to count with."""
        at, groups = self._made.get(by, (-1, {}))
        if at != sequence:
            now = groups_of(known, by)
            groups = groups if now == groups else now
            self._made[by] = sequence, groups
        return groups


async def online(call: Call, intake: Intake, grouped: Grouped) -> Response:
    """The answer to GET /api/v1/fleet/online, of terminals that the asker may know of."""
    office, actor = call.desk.office, call.asker()
    query = call.request.query_params
    by = query.get("by", KINDS[0])
    if by not in KINDS:
        raise Refused("parameter.by", "by", f"it is one of {', '.join(KINDS)}", "or leave it out")
    said = query.get("step", str(USUAL_STEP_S))
    step_s = int(said[:9]) if said.isascii() and said.isdecimal() else 0
    if not 0 < step_s <= 86_400 or step_s % LEAST_STEP_S:
        raise Refused(
            "parameter.step",
            "step",
            f"it is a number of seconds up to a day, a multiple of {LEAST_STEP_S}",
            "or leave it out",
        )
    step_us = step_s * US_PER_S
    until_us = instant(query["until"], "parameter 'until'") if "until" in query else call.desk.clock.now()
    from_us = instant(query["from"], "parameter 'from'") if "from" in query else until_us - 2 * step_us

    def look(known: Known, permissions: object, sequence: int) -> dict[str, tuple[str, ...]]:
        groups = grouped.of(known, by, sequence)
        if office.allows(actor, "terminal.read", Subject()):
            return groups
        mine = (id for id in groups if office.allows(actor, "terminal.read", known.subjects[id]))
        return {id: groups[id] for id in mine}

    groups = await call.desk.facts.ask(look)
    found = await asyncio.to_thread(
        intake.store.online, groups, (from_us, until_us), step_us, LEAST_TERMINALS
    )
    items: list[list[int | str]] = [[one.at_us, one.group, one.online, one.expected] for one in found]
    return answer(OnlineShown(by, step_s, LEAST_TERMINALS, items))
