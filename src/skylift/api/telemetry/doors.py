"""What people and programs read of telemetry, with a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.api.office.door import Call, Door
from skylift.api.telemetry import enrolment
from skylift.api.telemetry.intake import Intake, there
from skylift.base.instants import format_instant
from skylift.service.account.roles import Subject
from skylift.service.permission.decision import TerminalFacts
from skylift.service.permission.reasons import Code
from skylift.twin.office.known import Known


@dataclass(frozen=True, slots=True)
class StatesShown:
    """The newest row of each terminal that you may know of, as arrays in the order of `columns`.

    marked  those that are cut off, being lost, stolen, blocked or retired: they still report
    """

    at: str
    marked: list[str]
    columns: tuple[str, ...]
    terminals: list[list[Any]]


def doors(intake: Intake | None) -> list[Door]:
    """All of them."""
    reads = _Reads(intake)
    return [
        *enrolment.doors(intake),
        Door(
            "GET",
            "/api/v1/terminals/state",
            reads.states,
            "The newest row of every terminal that reports.",
            "telemetry",
            {200: StatesShown},
        ),
    ]


class _Reads:
    """Handlers over an intake, which a service may lack."""

    def __init__(self, intake: Intake | None) -> None:
        self._intake = intake
        # Those that are cut off, as of a number of the journal: it seldom changes.
        self._marked: list[str] = []
        self._marked_at = -1

    async def states(self, call: Call) -> Response:
        intake = there(self._intake)
        office, actor = call.desk.office, call.asker()
        everything = office.allows(actor, "terminal.read", Subject())

        def look(known: Known, permissions: object, sequence: int) -> tuple[list[str], list[str] | None]:
            if self._marked_at != sequence:
                self._marked = [id for id, facts in known.terminals.items() if _is_cut_off(facts)]
                self._marked_at = sequence
            if everything:
                return self._marked, None
            subjects = known.subjects.items()
            only = [id for id, subject in subjects if office.allows(actor, "terminal.read", subject)]
            return sorted(set(only).intersection(self._marked)), only

        marked, only = await call.desk.facts.ask(look)
        at = format_instant(call.desk.clock.now())
        head = b'{"at":%s,"marked":%s,' % (msgspec.json.encode(at), msgspec.json.encode(marked))
        return Response(intake.states.body(head, only), media_type="application/json")


def _is_cut_off(facts: TerminalFacts) -> bool:
    return any(why.code is Code.TERMINAL_CUT_OFF for why in facts.against)
