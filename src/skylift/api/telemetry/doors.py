"""What people and programs read of telemetry, with a token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from skylift.adapters.telemetry_files import csv_of
from skylift.api.office.door import Call, Door, Parameter, answer, instant
from skylift.api.office.problems import missing
from skylift.api.telemetry import enrolment
from skylift.api.telemetry.health import HealthShown, health
from skylift.api.telemetry.intake import Intake, there
from skylift.api.telemetry.sensors import KINDS, LEAST_STEP_S, USUAL_STEP_S, Grouped, OnlineShown, online
from skylift.api.telemetry.states import Pieces
from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.telemetry import DAY, FIVE_MINUTES, HOUR, LEVELS, ROWS, History
from skylift.service.account.roles import Subject
from skylift.service.permission.decision import TerminalFacts
from skylift.service.permission.reasons import Code
from skylift.twin.office.known import Known
from skylift.wire.telemetry.states import COLUMNS

_HISTORY = {
    "type": "object",
    "description": "Columns of equal length, ascending by at_us; null where it was not known.",
    "properties": {
        "terminal": {"type": "string"},
        "level": {"type": "string", "enum": list(LEVELS)},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
    },
    "required": ["terminal", "level", "columns"],
}
_HISTORIES = {
    "application/json": _HISTORY,
    "text/csv": {"type": "string"},
    "image/png": {"type": "string", "format": "binary"},
}
_WHEN = (
    Parameter("from", "The first instant, ISO 8601 or microseconds since 1970. Without it: a day ago."),
    Parameter("until", "Up to which instant. Without it: now."),
    Parameter(
        "level",
        "15s, 5min, 1h or 1d. Without it: as fine as fits into some thousand rows.",
        {"type": "string", "enum": ["auto", *LEVELS], "default": "auto"},
    ),
    Parameter("columns", "Only these columns, separated by commas."),
    Parameter(
        "format",
        "json, csv, or png: a picture of latency, losses and rates.",
        {"type": "string", "enum": ["json", "csv", "png"], "default": "json"},
    ),
)
_BINS = (
    Parameter("from", "The first instant. Without it: two bins before the last."),
    _WHEN[1],
    Parameter(
        "step",
        "Width of a bin, seconds; bins begin at whole multiples of it since 1970.",
        {
            "type": "integer",
            "minimum": LEAST_STEP_S,
            "maximum": 86_400,
            "multipleOf": LEAST_STEP_S,
            "default": USUAL_STEP_S,
        },
    ),
    Parameter("by", "What counts together.", {"type": "string", "enum": list(KINDS), "default": KINDS[0]}),
)
MOST_ASIDE = 500


@dataclass(frozen=True, slots=True)
class StateShown:
    """row: the newest, by the names of its columns; null where none came. cut_off: lost, stolen, blocked."""

    terminal: str
    cut_off: bool
    row: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AsideShown:
    sequence: int
    received: str
    code: str
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class RefusedShown:
    code: str
    reason: str
    times: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class QuarantineShown:
    """The newest first, at most 500 of each."""

    terminal: str
    rows: list[AsideShown]
    requests: list[RefusedShown]


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
        Door(
            "GET",
            "/api/v1/terminals/{id}/state",
            reads.state,
            "The newest row of one terminal, and whether its reports are believed still.",
            "telemetry",
            {200: StateShown},
            id_kind="terminal",
        ),
        Door(
            "GET",
            "/api/v1/terminals/{id}/history",
            reads.history,
            "One terminal's history: rows of 15 s, or buckets of 5 minutes, an hour or a day.",
            "telemetry",
            {200: _HISTORIES},
            parameters=_WHEN,
            id_kind="terminal",
        ),
        Door(
            "GET",
            "/api/v1/terminals/{id}/quarantine",
            reads.quarantine,
            "Rows of this terminal that are in no history, and requests that were refused, with reasons.",
            "telemetry",
            {200: QuarantineShown},
            id_kind="terminal",
        ),
        Door(
            "GET",
            "/api/v1/fleet/health",
            reads.health,
            "Which dishes are down, since when, and why.",
            "telemetry",
            {200: HealthShown},
            parameters=(Parameter("region", "Only those of this region."),),
        ),
        Door(
            "GET",
            "/api/v1/fleet/online",
            reads.online,
            "How many dishes were online of those that ought to be, in bins of time; groups of 20 and more.",
            "telemetry",
            {200: OnlineShown},
            parameters=_BINS,
        ),
    ]


class _Reads:
    """Handlers over an intake, which a service may lack."""

    def __init__(self, intake: Intake | None) -> None:
        self._intake = intake
        # Those that are cut off, as of a number of the journal: it seldom changes.
        self._marked: list[str] = []
        self._marked_at = -1
        self._grouped = Grouped()

    async def states(self, call: Call) -> Response:
        intake = there(self._intake)
        office, actor = call.desk.office, call.asker()
        everything = office.allows(actor, "terminal.read", Subject())

        def look(known: Known, permissions: object, sequence: int) -> tuple[list[str], list[str] | None]:
            if self._marked_at != sequence:
                self._marked = _cut_off(known.terminals)
                self._marked_at = sequence
            if everything:
                return self._marked, None
            subjects = known.subjects.items()
            only = [id for id, subject in subjects if office.allows(actor, "terminal.read", subject)]
            return sorted(set(only).intersection(self._marked)), only

        marked, only = await call.desk.facts.ask(look)
        at = format_instant(call.desk.clock.now())
        head = b'{"at":%s,"marked":%s,' % (msgspec.json.encode(at), msgspec.json.encode(marked))
        return Pieces(intake.states.body(head, only))

    async def state(self, call: Call) -> Response:
        intake = there(self._intake)
        facts = await _readable(call)
        found = intake.states.get(call.id)
        row = None if found is None else dict(zip(COLUMNS, msgspec.structs.astuple(found), strict=True))
        return answer(StateShown(call.id, bool(_cut_off({call.id: facts})), row))

    async def history(self, call: Call) -> Response:
        intake = there(self._intake)
        query = call.request.query_params
        now = call.desk.clock.now()
        until_us = instant(query["until"], "parameter 'until'") if "until" in query else now + 1
        from_us = instant(query["from"], "parameter 'from'") if "from" in query else until_us - US_PER_DAY
        _refuse_range(from_us, until_us)
        level = query.get("level", "auto")
        if level not in ("auto", *LEVELS):
            raise Refused("parameter.level", "level", f"it is one of {', '.join(LEVELS)}", "or leave it out")
        level = _fitting(until_us - from_us) if level == "auto" else level
        await _readable(call)
        history = await asyncio.to_thread(intake.store.history, call.id, from_us, until_us, level)
        if query.get("format") == "png":
            return await _picture(intake, history)
        columns = _chosen(history.columns, query.get("columns", ""))
        if query.get("format", "json") == "csv":
            return Response(csv_of(columns), media_type="text/csv; charset=utf-8")
        return answer({"terminal": call.id, "level": level, "columns": columns})

    async def quarantine(self, call: Call) -> Response:
        intake = there(self._intake)
        await _readable(call)
        rows = await asyncio.to_thread(intake.store.put_aside, call.id, MOST_ASIDE)
        requests = await asyncio.to_thread(intake.store.refused, call.id, MOST_ASIDE)
        shown = QuarantineShown(
            call.id,
            [AsideShown(r.sequence, format_instant(r.received_us), r.code, r.reason, r.row) for r in rows],
            [
                RefusedShown(r.code, r.reason, r.times, format_instant(r.first_us), format_instant(r.last_us))
                for r in requests
            ],
        )
        return answer(shown)

    async def health(self, call: Call) -> Response:
        return await health(call, there(self._intake))

    async def online(self, call: Call) -> Response:
        return await online(call, there(self._intake), self._grouped)


async def _picture(intake: Intake, history: History) -> Response:
    if not len(history):
        rule = "nothing was reported in this time, so there is nothing to draw"
        raise Refused("picture.empty", "this history", rule, "ask for another time with from and until")

    def draw() -> bytes:
        # Where nobody reports, it is never loaded.
        from skylift.adapters.pictures_telemetry import png_of

        return png_of(f"{history.terminal}, {history.level}", {history.terminal: history.columns})

    return await intake.pictures.png(draw)


async def _readable(call: Call) -> TerminalFacts:
    """What permission knows of the terminal that the path names. Raises Missing."""
    office, actor = call.desk.office, call.asker()

    def look(known: Known, permissions: object, sequence: int) -> TerminalFacts | None:
        subject = known.subjects.get(call.id)
        allowed = subject is not None and office.allows(actor, "terminal.read", subject)
        return known.terminals[call.id] if allowed else None

    facts = await call.desk.facts.ask(look)
    if facts is None:
        raise missing("terminal")
    return facts


def _refuse_range(from_us: int, until_us: int) -> None:
    if not 0 <= from_us < until_us <= 4 * 10**15 or until_us - from_us > 20 * 366 * US_PER_DAY:
        raise Refused(
            "parameter.range",
            "from and until",
            "from is before until, and at most 20 years before it",
            "write for example from=2022-03-01T00:00:00Z",
        )


def _fitting(length_us: int) -> str:
    """The finest level that gives some thousand rows at most."""
    days = length_us / US_PER_DAY
    return ROWS if days <= 1.01 else FIVE_MINUTES if days <= 15 else HOUR if days <= 400 else DAY


def _chosen(columns: Mapping[str, Sequence[Any]], names: str) -> Mapping[str, Sequence[Any]]:
    if not names or not columns:
        return columns
    wanted = ["at_us", *(name for name in names.split(",") if name != "at_us")]
    unknown = [name for name in wanted if name not in columns]
    if unknown:
        raise Refused("parameter.columns", "columns", f"there are {', '.join(columns)}", "choose of these")
    return {name: columns[name] for name in wanted}


def _cut_off(terminals: Mapping[str, TerminalFacts]) -> list[str]:
    # Without a call for each: of a hundred thousand, that was half of what whoever asks first waited for.
    code = Code.TERMINAL_CUT_OFF
    found = (id for id, facts in terminals.items() for why in facts.against if why.code is code)
    return list(dict.fromkeys(found))
